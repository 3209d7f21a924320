"""Results as values, failures as branches, stages as fan-outs: the standard library only.

A pipeline is an async function that is given a `Run` and makes stages of calls:

    @railway
    async def checkout(run: Run[CheckoutError], order: Order, up: Upstreams) -> Summary:
        user, stock = await run.stage("core data", up.users.fetch(order.user), up.stock.check(order.item))
        (risk,) = await run.stage("assessment", up.fraud.assess(user, stock))
        return Summary(user, stock, risk)

    match await checkout(order, up):
        case Ok(summary): ...
        case Err(error): ...

The same as a chain:

    result = await parallel(up.users.fetch(order.user), up.stock.check(order.item)).bind(
        lambda user, stock: up.fraud.assess(user, stock).map(lambda risk: Summary(user, stock, risk))
    )
"""

from gateway.railway.call import Attempt, Call, Missing, call, known
from gateway.railway.combining import combine, traverse, traverse_all
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
    TimedOut,
    Unauthorized,
    Unavailable,
    Unexpected,
    UpstreamFault,
    Violations,
    combined,
)
from gateway.railway.parallel import Parallel, parallel
from gateway.railway.result import Err, Ok, Result, attempt, attempt_async
from gateway.railway.run import Pipeline, Run, RunMisused, railway
from gateway.railway.stage import FAIL_FAST, SETTLE, Policy
from gateway.railway.surroundings import (
    SURROUNDINGS,
    CallSpan,
    Observer,
    Outcome,
    StageSpan,
    Surroundings,
)

__all__ = (
    "FAIL_FAST",
    "SETTLE",
    "SURROUNDINGS",
    "Aggregate",
    "Attempt",
    "BadAnswer",
    "Call",
    "CallSpan",
    "Conflict",
    "Err",
    "Failure",
    "Fault",
    "Forbidden",
    "Gone",
    "Invalid",
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
    "Result",
    "Run",
    "RunMisused",
    "StageSpan",
    "Surroundings",
    "TimedOut",
    "Unauthorized",
    "Unavailable",
    "Unexpected",
    "UpstreamFault",
    "Violations",
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
