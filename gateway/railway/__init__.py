"""Railway: makes service calls concurrently, in stages, and returns failures as results, not as exceptions.

Structured concurrency: no call outlives its stage. A commit is a saga: its writes are undone if a step fails.
The railway imports the standard library only.

A pipeline is an async function of a `Run`, which makes stages of calls:

    @railway
    async def checkout(run: Run[CheckoutError], order: Order, up: Services) -> Summary:
        user, stock = await run.stage("core data", up.users.fetch(order.user), up.stock.check(order.item))
        (risk,) = await run.stage("assessment", up.fraud.assess(user, stock))
        (reservation,) = await run.commit("fulfilment", up.stock.reserve(order.item))  # undone on failure
        return Summary(user, stock, risk, reservation)

    match await checkout(order, up):
        case Ok(summary): ...
        case Err(error): ...

The first two stages as a chain of combinators:

    result = await parallel(up.users.fetch(order.user), up.stock.check(order.item)).bind(
        lambda user, stock: up.fraud.assess(user, stock).map(lambda risk: Draft(user, stock, risk))
    )
"""

from gateway.railway.call import Call, Missing, call, constant
from gateway.railway.combine import combine, traverse, traverse_all
from gateway.railway.context import (
    OPEN_GATE,
    CallMode,
    CommitGate,
    CommitTerms,
    ContextChange,
    RunContext,
    ScopeChanges,
    change_context,
    current_context,
    time_left,
)
from gateway.railway.errors import (
    Aggregate,
    BadAnswer,
    Conflict,
    Failure,
    Fault,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Stuck,
    TimedOut,
    Unauthorized,
    Unavailable,
    Unexpected,
    UpstreamFault,
    Violations,
    combine_failures,
    get_defining_class,
    get_family,
    list_members,
)
from gateway.railway.journal import (
    NO_JOURNAL,
    UNANSWERED,
    CommitStart,
    CommitState,
    Intent,
    Journal,
    JournalUnavailableError,
    Key,
    Rerun,
    SentWrite,
    StageRecord,
    Unanswered,
    WriteOutcome,
)
from gateway.railway.observation import create_attempt_notifier
from gateway.railway.observer import (
    CONCURRENT,
    FAIL_FAST,
    SEQUENTIAL,
    SETTLE,
    AttemptEnd,
    AttemptSpan,
    CallInfo,
    CallKind,
    CallOutcome,
    CallSpan,
    CommitPolicy,
    Observer,
    Policy,
    RejectedBy,
    StageCall,
    StageSpan,
    Stub,
)
from gateway.railway.parallel import Parallel, parallel
from gateway.railway.pipeline import Pipeline, railway
from gateway.railway.result import Attempt, Err, Ok, Result, attempt, attempt_async
from gateway.railway.run import Run
from gateway.railway.run_state import RunExit, RunMisused
from gateway.railway.stage import make_parts
from gateway.railway.undo import Undo, UndoAttempt, try_undo, undo_writes
from gateway.railway.write import CommitStep, Write, WriteAttempt

__all__ = (
    "CONCURRENT",
    "FAIL_FAST",
    "NO_JOURNAL",
    "OPEN_GATE",
    "SEQUENTIAL",
    "SETTLE",
    "UNANSWERED",
    "Aggregate",
    "Attempt",
    "AttemptEnd",
    "AttemptSpan",
    "BadAnswer",
    "Call",
    "CallInfo",
    "CallKind",
    "CallMode",
    "CallOutcome",
    "CallSpan",
    "CommitGate",
    "CommitPolicy",
    "CommitStart",
    "CommitState",
    "CommitStep",
    "CommitTerms",
    "Conflict",
    "ContextChange",
    "Err",
    "Failure",
    "Fault",
    "Forbidden",
    "Gone",
    "Intent",
    "Invalid",
    "Journal",
    "JournalUnavailableError",
    "Key",
    "Missing",
    "NotFound",
    "Observer",
    "Ok",
    "Parallel",
    "Pipeline",
    "Policy",
    "PreconditionFailed",
    "RateLimited",
    "RejectedBy",
    "Rerun",
    "Result",
    "Run",
    "RunContext",
    "RunExit",
    "RunMisused",
    "ScopeChanges",
    "SentWrite",
    "StageCall",
    "StageRecord",
    "StageSpan",
    "Stub",
    "Stuck",
    "TimedOut",
    "Unanswered",
    "Unauthorized",
    "Unavailable",
    "Undo",
    "UndoAttempt",
    "Unexpected",
    "UpstreamFault",
    "Violations",
    "Write",
    "WriteAttempt",
    "WriteOutcome",
    "attempt",
    "attempt_async",
    "call",
    "change_context",
    "combine",
    "combine_failures",
    "constant",
    "create_attempt_notifier",
    "current_context",
    "get_defining_class",
    "get_family",
    "list_members",
    "make_parts",
    "parallel",
    "railway",
    "time_left",
    "traverse",
    "traverse_all",
    "try_undo",
    "undo_writes",
)
