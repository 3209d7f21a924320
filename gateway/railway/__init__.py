"""Results as values, failures as branches, stages as fan-outs: the standard library only.

A pipeline is an async function that is given a `Run` and makes stages of calls:

    @railway
    async def checkout(run: Run[CheckoutError], order: CommitPolicy, up: Upstreams) -> Summary:
        user, stock = await run.stage("core data", up.users.fetch(order.user), up.stock.check(order.item))
        (risk,) = await run.stage("assessment", up.fraud.assess(user, stock))
        (reservation,) = await run.commit("fulfilment", up.stock.reserve(order.item))  # undone if it fails
        return Summary(user, stock, risk, reservation)

    match await checkout(order, up):
        case Ok(summary): ...
        case Err(error): ...

The same as a chain:

    result = await parallel(up.users.fetch(order.user), up.stock.check(order.item)).bind(
        lambda user, stock: up.fraud.assess(user, stock).map(lambda risk: Summary(user, stock, risk))
    )
"""

from gateway.railway.call import Attempt, Call, CallInfo, Missing, call, known
from gateway.railway.combine import combine, traverse, traverse_all
from gateway.railway.commit import CONCURRENT, SEQUENTIAL, CommitPolicy
from gateway.railway.context import (
    RUN_CONTEXT,
    UNOBSERVED,
    CallMode,
    CallSpan,
    CommitTerms,
    Observer,
    Outcome,
    RunContext,
    StageSpan,
    Stub,
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
    combined,
)
from gateway.railway.journal import (
    UNRECORDED,
    Beginning,
    Intent,
    Journal,
    Json,
    Key,
    Recorded,
    State,
    WriteOutcome,
)
from gateway.railway.misused import RunMisused
from gateway.railway.parallel import Parallel, parallel
from gateway.railway.pipeline import Pipeline, railway
from gateway.railway.result import Err, Ok, Result, attempt, attempt_async
from gateway.railway.run import Run
from gateway.railway.stage import FAIL_FAST, SETTLE, Policy
from gateway.railway.write import Step, Undo, Write, WriteAttempt

__all__ = (
    "CONCURRENT",
    "FAIL_FAST",
    "RUN_CONTEXT",
    "SEQUENTIAL",
    "SETTLE",
    "UNOBSERVED",
    "UNRECORDED",
    "Aggregate",
    "Attempt",
    "BadAnswer",
    "Beginning",
    "Call",
    "CallInfo",
    "CallMode",
    "CallSpan",
    "CommitPolicy",
    "CommitTerms",
    "Conflict",
    "Err",
    "Failure",
    "Fault",
    "Forbidden",
    "Gone",
    "Intent",
    "Invalid",
    "Journal",
    "Json",
    "Key",
    "Missing",
    "NotFound",
    "Observer",
    "Ok",
    "Outcome",
    "Parallel",
    "Pipeline",
    "Policy",
    "PreconditionFailed",
    "RateLimited",
    "Recorded",
    "Result",
    "Run",
    "RunContext",
    "RunMisused",
    "StageSpan",
    "State",
    "Step",
    "Stub",
    "Stuck",
    "TimedOut",
    "Unauthorized",
    "Unavailable",
    "Undo",
    "Unexpected",
    "UpstreamFault",
    "Violations",
    "Write",
    "WriteAttempt",
    "WriteOutcome",
    "attempt",
    "attempt_async",
    "call",
    "combine",
    "combined",
    "known",
    "parallel",
    "railway",
    "traverse",
    "traverse_all",
)
