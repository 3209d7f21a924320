"""Never run; both checkers read it: what must hold."""

from collections.abc import Callable, Coroutine
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
    CheckoutError,
    CheckoutSummary,
    Payment,
    Quote,
    Receipt,
    Risk,
    Stock,
    TransferError,
    Upstreams,
    User,
)


def same(*_: object) -> None:
    """Take what is not to be awaited."""


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
        up.shipping.quote(address, stock).within(2).recover(free),
        policy=FAIL_FAST,
    )
    if not risk.is_safe:
        run.fail(Forbidden("no"))
    helper(run)
    return CheckoutSummary(risk, quote)


def free(error: Failure) -> Result[Quote, Never]:
    return Ok(Quote(error.detail))


def helper(run: Run[NotFound | Conflict]) -> int:
    return run.unwrap(Ok(1))


async def ends(up: Upstreams) -> None:
    match await checkout("u", address="a", up=up):
        case Ok(value, lacks=lacks):
            assert_type(value, CheckoutSummary)
            assert_type(lacks, tuple[str, ...])
        case Err(error):
            assert_type(error, CheckoutError)
    assert_type(await checkout.on(RunContext())("u", "a", up), Result[CheckoutSummary, CheckoutError])
    assert_type(checkout.promised, tuple[type[Failure], ...])


async def arities(run: Run[Aggregate | NotFound], c: Call[int, NotFound], s: Call[str, Never]) -> None:
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


Committed = NotFound | Gone | Aggregate | Stuck | Unavailable


async def arities_of_commit(run: Run[Committed], c: Call[int, NotFound], w: Write[str, Gone]) -> None:
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
    told, kept = await run.stage(
        "after", up.transfers.execute(1).best_effort(), up.transfers.execute(1).best_effort(None)
    )
    assert_type(told, Receipt | Missing)
    assert_type(kept, Receipt | None)
    return receipt


async def key_of(receipt: Receipt) -> Key:
    return receipt.key


def writes(up: Upstreams) -> None:
    execute = up.transfers.execute(1)
    assert_type(execute, Write[Receipt, Conflict | UpstreamFault])
    assert_type(execute.map(lambda receipt: receipt.key), Write[Key, Conflict | UpstreamFault])
    assert_type(execute.map(key_of), Write[Key, Conflict | UpstreamFault])
    same(assert_type(execute.best_effort(), Call[Receipt | Missing, Never]))
    same(assert_type(execute.best_effort(None), Call[Receipt | None, Never]))


def writes_are_covariant(narrow: Write[bool, Gone]) -> Write[int, Failure]:
    return narrow


Flaw = NotFound | Gone | Aggregate


def arities_of_parallel(c: Call[int, NotFound], s: Call[str, Gone]) -> None:
    same(assert_type(parallel(c), Parallel[NotFound, int]))
    same(assert_type(parallel(c, s), Parallel[Flaw, int, str]))
    same(assert_type(parallel(c, s, c), Parallel[Flaw, int, str, int]))
    same(assert_type(parallel(c, s, c, s), Parallel[Flaw, int, str, int, str]))
    same(assert_type(parallel(c, s, c, s, c), Parallel[Flaw, int, str, int, str, int]))
    same(assert_type(parallel(c, s, c, s, c, s), Parallel[Flaw, int, str, int, str, int, str]))
    same(assert_type(parallel(c, s, c, s, c, s, c), Parallel[Flaw, int, str, int, str, int, str, int]))
    same(
        assert_type(parallel(c, s, c, s, c, s, c, s), Parallel[Flaw, int, str, int, str, int, str, int, str])
    )
    same(
        assert_type(
            parallel(c, s, c, s, c, s, c, s, c), Parallel[Flaw, int, str, int, str, int, str, int, str, int]
        )
    )


def arities_of_combine(c: Result[int, NotFound], s: Result[str, Gone]) -> None:
    assert_type(combine(c), Result[tuple[int], NotFound])
    assert_type(combine(c, s), Result[tuple[int, str], Flaw])
    assert_type(combine(c, s, c), Result[tuple[int, str, int], Flaw])
    assert_type(combine(c, s, c, s), Result[tuple[int, str, int, str], Flaw])
    assert_type(combine(c, s, c, s, c), Result[tuple[int, str, int, str, int], Flaw])
    assert_type(combine(c, s, c, s, c, s), Result[tuple[int, str, int, str, int, str], Flaw])
    assert_type(combine(c, s, c, s, c, s, c), Result[tuple[int, str, int, str, int, str, int], Flaw])
    assert_type(combine(c, s, c, s, c, s, c, s), Result[tuple[int, str, int, str, int, str, int, str], Flaw])
    assert_type(
        combine(c, s, c, s, c, s, c, s, c), Result[tuple[int, str, int, str, int, str, int, str, int], Flaw]
    )


async def a_fluent_chain_infers_its_errors(up: Upstreams) -> Result[CheckoutSummary, CheckoutError]:
    chain = parallel(up.users.fetch("u"), up.inventory.check("p"), up.payments.validate("card")).bind(
        lambda user, stock, payment: parallel(
            up.fraud.assess(user, payment, stock), up.shipping.quote("a", stock)
        ).map(CheckoutSummary)
    )
    same(assert_type(chain, Call[CheckoutSummary, CheckoutError]))
    return await chain


async def values_of_a_chain(up: Upstreams) -> None:
    core = parallel(up.users.fetch("u"), up.inventory.check("p"), up.payments.validate("card"))
    match await core:
        case Ok((user, stock, payment)):
            assert_type(user, User)
            assert_type(stock, Stock)
            assert_type(payment, Payment)
        case Err(error):
            assert_type(error, CoreError)
    turned = core.tap(lambda user, stock, payment: same(user.name, stock.level, payment.method)).map(
        lambda user, stock, payment: (stock, payment, user)
    )
    same(assert_type(turned, Call[tuple[Stock, Payment, User], CoreError]))
    onward = core.bind(
        lambda user, stock, payment: parallel(
            up.fraud.assess(user, payment, stock), up.shipping.quote("a", stock)
        )
    )
    same(assert_type(onward, Call[tuple[Risk, Quote], CheckoutError]))
    same(assert_type(onward.map(lambda pair: pair[1].rate), Call[str, CheckoutError]))
    same(assert_type(core.call, Call[tuple[User, Stock, Payment], CoreError]))
    same(
        assert_type(
            core.within(1).map_error(lambda error: Gone(error.detail)), Parallel[Gone, User, Stock, Payment]
        )
    )


def shapes(up: Upstreams) -> None:
    fetch = up.users.fetch("u")
    same(assert_type(fetch, Call[User, NotFound | UpstreamFault]))
    same(assert_type(fetch.map(lambda user: user.name), Call[str, NotFound | UpstreamFault]))
    same(assert_type(fetch.map(greet), Call[str, NotFound | UpstreamFault]))
    same(
        assert_type(
            fetch.map(lambda user: user.name).bind(up.inventory.check),
            Call[Stock, NotFound | UpstreamFault | Conflict],
        )
    )
    same(assert_type(fetch.tap(lambda user: same(user.name)), Call[User, NotFound | UpstreamFault]))
    same(
        assert_type(
            fetch.ensure(lambda user: user.name != "", lambda user: Gone(user.name)),
            Call[User, NotFound | UpstreamFault | Gone],
        )
    )
    same(assert_type(fetch.map_error(lambda error: Gone(error.detail)), Call[User, Gone]))
    same(assert_type(fetch.recover(lambda error: Ok(error.detail)), Call[User | str, Never]))
    same(
        assert_type(
            fetch.recover(lambda _: Ok(User("anonymous")), when=lambda error: isinstance(error, NotFound)),
            Call[User, NotFound | UpstreamFault],
        )
    )
    same(assert_type(fetch.recover(lambda _: up.users.fetch("spare")), Call[User, NotFound | UpstreamFault]))
    same(assert_type(up.inventory.check("p").within(1), Call[Stock, NotFound | Conflict | UpstreamFault]))


async def greet(user: User) -> str:
    return user.name


def within_adds_timed_out(c: Call[int, Gone]) -> Call[int, Gone | TimedOut]:
    return c.within(1)


async def optional(run: Run[NotFound | UpstreamFault | Aggregate], up: Upstreams) -> None:
    told, heard, kept = await run.stage(
        "extras",
        up.users.fetch("u").optional(),
        up.users.fetch("u").optional(None),
        up.users.fetch("u").optional(0),
    )
    assert_type(told, User | Missing)
    assert_type(heard, User | None)
    assert_type(kept, User | int)
    same(assert_type(up.users.fetch("u").optional(), Call[User | Missing, Never]))


def knowing(up: Upstreams, user: User | None) -> Call[User, NotFound | UpstreamFault]:
    same(assert_type(constant("users.fetch", 7), Call[int, Never]))
    return up.users.fetch("u") if user is None else constant("users.fetch", user)


def results(
    parse: Callable[[str], Result[int, Invalid]], half: Callable[[int], Result[float, Conflict]]
) -> Result[float, Invalid | Conflict | Gone]:
    result = parse("1")
    assert_type(result.map(lambda n: n + 1), Result[int, Invalid])
    assert_type(result.map(lambda n: n + 1).bind(half).value_or(None), float | None)
    assert_type(result.tap(lambda n: same(n.bit_length())), Result[int, Invalid])
    assert_type(result.tap_error(lambda error: same(error.violations)), Result[int, Invalid])
    assert_type(result.map_error(lambda error: Gone(error.detail)), Result[int, Gone])
    assert_type(result.match(lambda n: f"{n}", lambda error: error.detail), str)
    assert_type(result.lacking(("extra",)), Result[int, Invalid])
    return result.check(half).ensure(lambda n: n > 0, lambda n: Gone(str(n))).bind(half)


async def exceptions_become_values(read: Callable[[str], Coroutine[Any, Any, int]]) -> None:
    assert_type(attempt(int, "1"), Result[int, Unexpected])
    assert_type(await attempt_async(read, "1"), Result[int, Unexpected])


def many(texts: list[str], parse: Callable[[str], Result[int, Invalid]]) -> None:
    assert_type(traverse(texts, parse), Result[tuple[int, ...], Invalid])
    assert_type(traverse_all(texts, parse), Result[tuple[int, ...], Invalid | Aggregate])


def several(errors: list[NotFound | Gone]) -> None:
    assert_type(combine_failures(errors), NotFound | Gone | Aggregate)


def status(error: Failure) -> int:  # noqa: C901, PLR0911, PLR0912 - one arm for each failure
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
            return max(map(status, errors))
        case _:
            assert_never(error)


def unite(result: Result[int, Failure]) -> int:
    match result:
        case Ok(value):
            return value
        case Err(error):
            return status(error)
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


def a_pipeline_is_a_function(up: Upstreams) -> None:
    function: Callable[[str, str, Upstreams], Coroutine[Any, Any, Result[CheckoutSummary, CheckoutError]]] = (
        checkout
    )
    same(function, up)
