"""Types that both checkers must infer; the module is checked, but never run."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Never, assert_never, assert_type

from gateway.railway import (
    CONCURRENT,
    FAIL_FAST,
    Aggregate,
    BadAnswer,
    Call,
    Conflict,
    Err,
    Failure,
    Forbidden,
    Gone,
    Invalid,
    Key,
    Missing,
    NotFound,
    Ok,
    Parallel,
    Pipeline,
    PreconditionFailed,
    RateLimited,
    Result,
    Run,
    RunContext,
    Stuck,
    TimedOut,
    Unauthorized,
    Unavailable,
    Unexpected,
    UpstreamFault,
    Write,
    attempt,
    attempt_async,
    combine,
    combine_failures,
    constant,
    parallel,
    railway,
    traverse,
    traverse_all,
)
from tests.typing.services import (
    CardExpired,
    CheckoutError,
    CheckoutSummary,
    InsufficientPoints,
    Payment,
    Quote,
    Receipt,
    RewardError,
    Risk,
    Stock,
    TransferError,
    Upstreams,
    User,
)


def discard(*_: object) -> None:
    """Accept values without awaiting them."""


CoreError = NotFound | UpstreamFault | Conflict | Invalid | Aggregate


@railway
async def checkout(run: Run[CheckoutError], user_id: str, address: str, up: Upstreams) -> CheckoutSummary:
    user, stock, payment = await run.stage(
        "core data",
        up.users.fetch(user_id),
        up.inventory.check("product", 2),
        up.payments.validate("card"),
    )
    assert_type(user, User)
    assert_type(stock, Stock)
    assert_type(payment, Payment)
    risk, quote = await run.stage(
        "assessment",
        up.fraud.assess(user, payment, stock),
        up.shipping.quote(address, stock).within(2).recover(return_free_quote),
        policy=FAIL_FAST,
    )
    if not risk.is_safe:
        run.fail(Forbidden("no"))
    unwrap_in_helper(run)
    return CheckoutSummary(risk, quote)


def return_free_quote(error: Failure) -> Result[Quote, Never]:
    return Ok(Quote(error.detail))


def unwrap_in_helper(run: Run[NotFound | Conflict]) -> int:
    return run.unwrap(Ok(1))


async def match_checkout_result(up: Upstreams) -> None:
    match await checkout("u", address="a", up=up):
        case Ok(value, lacks=lacks):
            assert_type(value, CheckoutSummary)
            assert_type(lacks, tuple[str, ...])
        case Err(error):
            assert_type(error, CheckoutError)
    assert_type(await checkout.on(RunContext())("u", "a", up), Result[CheckoutSummary, CheckoutError])
    assert_type(checkout.promised, tuple[type[Failure], ...])


async def check_stage_arities(
    run: Run[Aggregate | NotFound], c: Call[int, NotFound], s: Call[str, Never]
) -> None:
    assert_type(await run.stage("1", c), tuple[int])
    assert_type(await run.stage("2", c, s), tuple[int, str])
    assert_type(await run.stage("3", c, s, c), tuple[int, str, int])
    assert_type(await run.stage("4", c, s, c, s), tuple[int, str, int, str])
    assert_type(await run.stage("5", c, s, c, s, c), tuple[int, str, int, str, int])
    assert_type(await run.stage("6", c, s, c, s, c, s), tuple[int, str, int, str, int, str])
    assert_type(await run.stage("7", c, s, c, s, c, s, c), tuple[int, str, int, str, int, str, int])
    assert_type(await run.stage("8", c, s, c, s, c, s, c, s), tuple[int, str, int, str, int, str, int, str])
    assert_type(
        await run.stage("9", c, s, c, s, c, s, c, s, c), tuple[int, str, int, str, int, str, int, str, int]
    )


async def check_each(
    run: Run[NotFound | UpstreamFault | Aggregate],
    up: Upstreams,
    calls: list[Call[int, NotFound]],
    sends: list[Write[int, NotFound]],
) -> None:
    assert_type(await run.each("1", calls), list[int])
    assert_type(await run.each("2", (up.users.fetch(name) for name in "ab"), at_once=2), list[User])
    assert_type(await run.each("3", [up.users.fetch("u").optional()], policy=FAIL_FAST), list[User | Missing])
    assert_type(await run.each("4", (c.optional(None) for c in calls)), list[int | None])
    assert_type(await run.each("5", map(up.users.fetch, ["u"])), list[User])
    assert_type(await run.each("6", [c.map(str) for c in calls]), list[str])
    assert_type(await run.each("7", (w.best_effort() for w in sends)), list[int | Missing])
    users = await run.each("8", (up.users.fetch(f"{n}") for n in range(3)))
    assert_type([user.name for user in users], list[str])


CommitError = NotFound | Gone | Aggregate | Stuck | Unavailable


async def check_commit_arities(run: Run[CommitError], c: Call[int, NotFound], w: Write[str, Gone]) -> None:
    assert_type(await run.commit("1", w), tuple[str])
    assert_type(await run.commit("2", w, c), tuple[str, int])
    assert_type(await run.commit("3", w, c, w), tuple[str, int, str])
    assert_type(await run.commit("4", w, c, w, c, policy=CONCURRENT), tuple[str, int, str, int])
    assert_type(await run.commit("5", w, c, w, c, w), tuple[str, int, str, int, str])
    assert_type(await run.commit("6", w, c, w, c, w, c), tuple[str, int, str, int, str, int])
    assert_type(await run.commit("7", w, c, w, c, w, c, w), tuple[str, int, str, int, str, int, str])
    assert_type(await run.commit("8", w, c, w, c, w, c, w, c), tuple[str, int, str, int, str, int, str, int])
    assert_type(
        await run.commit("9", w, c, w, c, w, c, w, c, w), tuple[str, int, str, int, str, int, str, int, str]
    )


@railway
async def transfer(run: Run[TransferError], amount: int, up: Upstreams) -> Receipt:
    receipt, user = await run.commit("settlement", up.transfers.execute(amount), up.users.fetch("u"))
    assert_type(receipt, Receipt)
    assert_type(user, User)
    receipt_or_missing, receipt_or_none = await run.stage(
        "after", up.transfers.execute(1).best_effort(), up.transfers.execute(1).best_effort(None)
    )
    assert_type(receipt_or_missing, Receipt | Missing)
    assert_type(receipt_or_none, Receipt | None)
    return receipt


async def get_key(receipt: Receipt) -> Key:
    return receipt.key


def check_writes(up: Upstreams) -> None:
    execute = up.transfers.execute(1)
    assert_type(execute, Write[Receipt, Conflict | UpstreamFault])
    assert_type(execute.map(lambda receipt: receipt.key), Write[Key, Conflict | UpstreamFault])
    assert_type(execute.map(get_key), Write[Key, Conflict | UpstreamFault])
    discard(assert_type(execute.best_effort(), Call[Receipt | Missing, Never]))
    discard(assert_type(execute.best_effort(None), Call[Receipt | None, Never]))


def writes_are_covariant(narrow: Write[bool, Gone]) -> Write[int, Failure]:
    return narrow


PairError = NotFound | Gone | Aggregate


def check_parallel_arities(c: Call[int, NotFound], s: Call[str, Gone]) -> None:
    discard(assert_type(parallel(c), Parallel[NotFound, int]))
    discard(assert_type(parallel(c, s), Parallel[PairError, int, str]))
    discard(assert_type(parallel(c, s, c), Parallel[PairError, int, str, int]))
    discard(assert_type(parallel(c, s, c, s), Parallel[PairError, int, str, int, str]))
    discard(assert_type(parallel(c, s, c, s, c), Parallel[PairError, int, str, int, str, int]))
    discard(assert_type(parallel(c, s, c, s, c, s), Parallel[PairError, int, str, int, str, int, str]))
    discard(
        assert_type(parallel(c, s, c, s, c, s, c), Parallel[PairError, int, str, int, str, int, str, int])
    )
    discard(
        assert_type(
            parallel(c, s, c, s, c, s, c, s), Parallel[PairError, int, str, int, str, int, str, int, str]
        )
    )
    discard(
        assert_type(
            parallel(c, s, c, s, c, s, c, s, c),
            Parallel[PairError, int, str, int, str, int, str, int, str, int],
        )
    )


async def check_lists_of_arguments(
    run: Run[CommitError],
    calls: list[Call[int, NotFound]],
    steps: list[Write[int, Gone]],
    pair: tuple[Call[int, NotFound], Call[str, Gone]],
    results: list[Result[int, NotFound]],
) -> None:
    assert_type(await run.stage("1", *calls), tuple[int, ...])
    assert_type(await run.stage("2", *pair), tuple[int, str])
    assert_type(await run.commit("3", *steps), tuple[int, ...])
    discard(assert_type(parallel(*calls), Parallel[NotFound | Aggregate, *tuple[int, ...]]))
    discard(assert_type(parallel(*pair), Parallel[PairError, int, str]))
    assert_type(combine(*results), Result[tuple[int, ...], NotFound | Aggregate])


def check_combine_arities(c: Result[int, NotFound], s: Result[str, Gone]) -> None:
    assert_type(combine(c), Result[tuple[int], NotFound])
    assert_type(combine(c, s), Result[tuple[int, str], PairError])
    assert_type(combine(c, s, c), Result[tuple[int, str, int], PairError])
    assert_type(combine(c, s, c, s), Result[tuple[int, str, int, str], PairError])
    assert_type(combine(c, s, c, s, c), Result[tuple[int, str, int, str, int], PairError])
    assert_type(combine(c, s, c, s, c, s), Result[tuple[int, str, int, str, int, str], PairError])
    assert_type(combine(c, s, c, s, c, s, c), Result[tuple[int, str, int, str, int, str, int], PairError])
    assert_type(
        combine(c, s, c, s, c, s, c, s), Result[tuple[int, str, int, str, int, str, int, str], PairError]
    )
    assert_type(
        combine(c, s, c, s, c, s, c, s, c),
        Result[tuple[int, str, int, str, int, str, int, str, int], PairError],
    )


async def infer_errors_of_chain(up: Upstreams) -> Result[CheckoutSummary, CheckoutError]:
    chain = parallel(up.users.fetch("u"), up.inventory.check("p"), up.payments.validate("card")).bind(
        lambda user, stock, payment: parallel(
            up.fraud.assess(user, payment, stock), up.shipping.quote("a", stock)
        ).map(CheckoutSummary)
    )
    discard(assert_type(chain, Call[CheckoutSummary, CheckoutError]))
    return await chain


async def check_chain_values(up: Upstreams) -> None:
    core = parallel(up.users.fetch("u"), up.inventory.check("p"), up.payments.validate("card"))
    match await core:
        case Ok((user, stock, payment)):
            assert_type(user, User)
            assert_type(stock, Stock)
            assert_type(payment, Payment)
        case Err(error):
            assert_type(error, CoreError)
    reordered = core.tap(lambda user, stock, payment: discard(user.name, stock.level, payment.method)).map(
        lambda user, stock, payment: (stock, payment, user)
    )
    discard(assert_type(reordered, Call[tuple[Stock, Payment, User], CoreError]))
    chain = core.bind(
        lambda user, stock, payment: parallel(
            up.fraud.assess(user, payment, stock), up.shipping.quote("a", stock)
        )
    )
    discard(assert_type(chain, Call[tuple[Risk, Quote], CheckoutError]))
    discard(assert_type(chain.map(lambda pair: pair[1].rate), Call[str, CheckoutError]))
    discard(assert_type(core.call, Call[tuple[User, Stock, Payment], CoreError]))
    discard(
        assert_type(
            core.within(1).map_error(lambda error: Gone(error.detail)), Parallel[Gone, User, Stock, Payment]
        )
    )


def check_call_combinators(up: Upstreams) -> None:
    fetch = up.users.fetch("u")
    discard(assert_type(fetch, Call[User, NotFound | UpstreamFault]))
    discard(assert_type(fetch.map(lambda user: user.name), Call[str, NotFound | UpstreamFault]))
    discard(assert_type(fetch.map(greet), Call[str, NotFound | UpstreamFault]))
    discard(
        assert_type(
            fetch.map(lambda user: user.name).bind(up.inventory.check),
            Call[Stock, NotFound | UpstreamFault | Conflict],
        )
    )
    discard(assert_type(fetch.tap(lambda user: discard(user.name)), Call[User, NotFound | UpstreamFault]))
    discard(
        assert_type(
            fetch.ensure(lambda user: user.name != "", lambda user: Gone(user.name)),
            Call[User, NotFound | UpstreamFault | Gone],
        )
    )
    discard(assert_type(fetch.map_error(lambda error: Gone(error.detail)), Call[User, Gone]))
    discard(assert_type(fetch.recover(lambda error: Ok(error.detail)), Call[User | str, Never]))
    discard(
        assert_type(
            fetch.recover(lambda _: Ok(User("anonymous")), when=lambda error: isinstance(error, NotFound)),
            Call[User, NotFound | UpstreamFault],
        )
    )
    discard(
        assert_type(fetch.recover(lambda _: up.users.fetch("spare")), Call[User, NotFound | UpstreamFault])
    )
    discard(assert_type(up.inventory.check("p").within(1), Call[Stock, NotFound | Conflict | UpstreamFault]))


def check_parallel_recovery(both: Parallel[NotFound | Gone, int, str], up: Upstreams) -> None:
    discard(assert_type(both.recover(lambda error: Ok(error.detail)), Call[tuple[int, str] | str, Never]))
    discard(
        assert_type(
            both.recover(lambda _: up.users.fetch("u")),
            Call[tuple[int, str] | User, NotFound | UpstreamFault],
        )
    )
    discard(
        assert_type(
            both.recover(lambda _: Ok(None), when=lambda error: isinstance(error, Gone)),
            Call[tuple[int, str] | None, NotFound | Gone],
        )
    )
    discard(assert_type(both.optional(), Call[tuple[int, str] | Missing, Never]))
    discard(assert_type(both.optional(None), Call[tuple[int, str] | None, Never]))


async def greet(user: User) -> str:
    return user.name


def within_adds_timed_out(c: Call[int, Gone]) -> Call[int, Gone | TimedOut]:
    return c.within(1)


async def check_optional(run: Run[NotFound | UpstreamFault | Aggregate], up: Upstreams) -> None:
    user_or_missing, user_or_none, user_or_number = await run.stage(
        "extras",
        up.users.fetch("u").optional(),
        up.users.fetch("u").optional(None),
        up.users.fetch("u").optional(0),
    )
    assert_type(user_or_missing, User | Missing)
    assert_type(user_or_none, User | None)
    assert_type(user_or_number, User | int)
    discard(assert_type(up.users.fetch("u").optional(), Call[User | Missing, Never]))


def check_constant(up: Upstreams, user: User | None) -> Call[User, NotFound | UpstreamFault]:
    discard(assert_type(constant("users.fetch", 7), Call[int, Never]))
    return up.users.fetch("u") if user is None else constant("users.fetch", user)


def check_result_combinators(
    parse: Callable[[str], Result[int, Invalid]], half: Callable[[int], Result[float, Conflict]]
) -> Result[float, Invalid | Conflict | Gone]:
    result = parse("1")
    assert_type(result.map(lambda n: n + 1), Result[int, Invalid])
    assert_type(result.map(lambda n: n + 1).bind(half).value_or(None), float | None)
    assert_type(result.tap(lambda n: discard(n.bit_length())), Result[int, Invalid])
    assert_type(result.tap_error(lambda error: discard(error.violations)), Result[int, Invalid])
    assert_type(result.map_error(lambda error: Gone(error.detail)), Result[int, Gone])
    assert_type(result.match(lambda n: f"{n}", lambda error: error.detail), str)
    assert_type(result.lacking(("extra",)), Result[int, Invalid])
    return result.check(half).ensure(lambda n: n > 0, lambda n: Gone(str(n))).bind(half)


async def check_attempts(read: Callable[[str], Coroutine[Any, Any, int]]) -> None:
    assert_type(attempt(int, "1"), Result[int, Unexpected])
    assert_type(await attempt_async(read, "1"), Result[int, Unexpected])
    assert_type(attempt(ValueError, int, "1"), Result[int, ValueError])
    assert_type(await attempt_async(OSError, read, "1"), Result[int, OSError])
    assert_type(attempt((KeyError, IndexError), int, "1").map(str).value_or(None), str | None)
    refused = attempt(ValueError, int, "1").map_error(lambda error: Invalid(f"{error}"))
    assert_type(refused, Result[int, Invalid])


def check_traverse(texts: list[str], parse: Callable[[str], Result[int, Invalid]]) -> None:
    assert_type(traverse(texts, parse), Result[tuple[int, ...], Invalid])
    assert_type(traverse_all(texts, parse), Result[tuple[int, ...], Invalid | Aggregate])


def check_combine_failures(errors: list[NotFound | Gone]) -> None:
    assert_type(combine_failures(errors), NotFound | Gone | Aggregate)


def map_to_status(error: Failure) -> int:  # noqa: C901, PLR0911, PLR0912 - an arm for each failure
    match error:
        case Invalid():
            return 422
        case Unauthorized():
            return 401
        case Forbidden():
            return 403
        case NotFound():
            return 404
        case Conflict():
            return 409
        case Gone():
            return 410
        case PreconditionFailed():
            return 412
        case RateLimited():
            return 429
        case Unexpected() | Stuck():
            return 500
        case BadAnswer():
            return 502
        case Unavailable():
            return 503
        case TimedOut():
            return 504
        case Aggregate(errors):
            return max(map(map_to_status, errors))
        case _:
            assert_never(error)


def read_own_error(error: NotFound | InsufficientPoints) -> int:
    """An own error is a member of a union like any other error."""
    match error:
        case NotFound():
            return 404
        case InsufficientPoints(detail, balance=balance):
            assert_type(balance, int)
            assert_type(error, InsufficientPoints)
            return len(detail) + balance
        case _:
            assert_never(error)


def match_own_error_by_its_family(error: InsufficientPoints | CardExpired | Gone) -> int:
    match error:
        case Conflict():
            return assert_type(error, InsufficientPoints).balance
        case Invalid():
            return len(assert_type(error, CardExpired).violations)
        case Gone():
            return 410
        case _:
            assert_never(error)


def match_own_error_before_its_family(error: Failure) -> int:
    match error:
        case InsufficientPoints():
            return error.balance
        case _:
            return map_to_status(error)


def own_errors_are_failures(error: InsufficientPoints, kind: type[InsufficientPoints]) -> Failure:
    kinds: Mapping[int, type[Conflict | Invalid]] = {409: kind, 422: Invalid.at("card")}
    assert_type(CardExpired.at("card"), type[CardExpired])
    assert_type(CardExpired.at("card")("expired"), CardExpired)
    assert_type(replace(error, balance=3), InsufficientPoints)
    discard(kinds)
    return error


@railway
async def redeem(
    run: Run[RewardError], spend: Call[User, InsufficientPoints], check: Call[Stock, NotFound | Conflict]
) -> User:
    """A run that promises a class of the family may fail with the own errors derived from it."""
    user, _ = await run.stage("core", spend, check)
    if not user.name:
        run.fail(InsufficientPoints("none left", balance=0))
    return user


def get_value_or_status(result: Result[int, Failure]) -> int:
    match result:
        case Ok(value):
            return value
        case Err(error):
            return map_to_status(error)
        case _:
            assert_never(result)


def results_are_covariant(narrow: Result[bool, Gone]) -> Result[int, Failure]:
    return narrow


def calls_are_covariant(narrow: Call[bool, Gone]) -> Call[int, Failure]:
    return narrow


def runs_are_contravariant(wide: Run[Failure]) -> Run[Gone]:
    return wide


def pipelines_are_covariant(narrow: Pipeline[[str], bool, Gone]) -> Pipeline[[str], int, Failure]:
    return narrow


def parallels_are_covariant_in_their_errors(narrow: Parallel[Gone, int]) -> Parallel[Failure, int]:
    return narrow


def use_pipeline_as_function(up: Upstreams) -> None:
    function: Callable[[str, str, Upstreams], Coroutine[Any, Any, Result[CheckoutSummary, CheckoutError]]] = (
        checkout
    )
    discard(function, up)
