"""Never run; both checkers read it: what must be refused, and only that."""

from typing import Never, assert_never

from gateway.railway import (
    FAIL_FAST,
    Aggregate,
    Call,
    Conflict,
    Failure,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Ok,
    Result,
    Run,
    Stuck,
    Unavailable,
    Undo,
    UpstreamFault,
    Write,
    parallel,
    railway,
)
from tests.typing.services import CheckoutError, Quote, TransferError, Upstreams


@railway
async def a_siblings_value_in_its_own_stage(run: Run[CheckoutError], up: Upstreams) -> None:
    user, stock, _ = await run.stage(  # noqa: RUF059 - they are used too early
        "core",
        up.users.fetch("u"),
        up.inventory.check("p"),
        up.fraud.assess(user, up.payments.validate("card"), stock),  # type: ignore[has-type, arg-type]  # noqa: F821
    )


@railway
async def an_error_the_run_does_not_promise(
    run: Run[NotFound | UpstreamFault | Aggregate], up: Upstreams
) -> None:
    await run.stage("core", up.users.fetch("u"), up.inventory.check("p"))  # type: ignore[arg-type]
    run.unwrap(await up.inventory.check("p"))  # type: ignore[arg-type]
    run.fail(Gone("no"))  # type: ignore[arg-type]


@railway
async def no_aggregate_promised(run: Run[NotFound | UpstreamFault], up: Upstreams) -> None:
    await run.stage("core", up.users.fetch("u"), up.users.fetch("v"))  # type: ignore[misc]


@railway
async def a_wrong_argument(run: Run[CheckoutError], up: Upstreams) -> None:
    await run.stage("core", up.users.fetch(17), up.inventory.check("p"))  # type: ignore[arg-type]
    await run.stage("core", up.inventory.check("p", "2"))  # type: ignore[arg-type]
    await run.stage("core", up.inventory.check())  # type: ignore[call-arg]


@railway
async def a_stage_without_a_name(run: Run[CheckoutError], up: Upstreams) -> None:
    await run.stage(up.users.fetch("u"), up.users.fetch("v"))  # type: ignore[call-overload]


@railway
async def a_stage_without_calls(run: Run[CheckoutError]) -> None:
    await run.stage("core")  # type: ignore[call-overload]


@railway
async def a_stage_of_results(run: Run[CheckoutError], up: Upstreams) -> None:
    await run.stage("core", await up.users.fetch("u"))  # type: ignore[call-overload]


@railway
async def a_forgotten_await(run: Run[CheckoutError], up: Upstreams) -> None:
    run.stage("core", up.users.fetch("u"))  # type: ignore[unused-coroutine]


@railway
async def a_missing_value_unhandled(run: Run[CheckoutError], up: Upstreams) -> str:
    (user,) = await run.stage("extras", up.users.fetch("u").optional())
    return user.name.upper()  # type: ignore[union-attr]


@railway
async def a_write_in_a_stage(run: Run[TransferError], up: Upstreams) -> None:
    await run.stage("core", up.transfers.execute(1), up.users.fetch("u"))  # type: ignore[call-overload]


async def no_stuck_promised(run: Run[Gone | Aggregate | Unavailable], write: Write[int, Gone]) -> None:
    await run.commit("settlement", write)  # type: ignore[misc]


async def no_aggregate_promised_for_a_commit(
    run: Run[Gone | Stuck | Unavailable], write: Write[int, Gone]
) -> None:
    await run.commit("settlement", write)  # type: ignore[misc]


async def no_unavailable_promised(run: Run[Gone | Aggregate | Stuck], write: Write[int, Gone]) -> None:
    await run.commit("settlement", write)  # type: ignore[misc]


@railway
async def an_error_of_a_write_the_run_does_not_promise(
    run: Run[NotFound | UpstreamFault | Stuck | Aggregate], up: Upstreams
) -> None:
    await run.commit("settlement", up.transfers.execute(1))  # type: ignore[arg-type]
    await run.commit("settlement", up.users.fetch("u"), up.transfers.execute(1))  # type: ignore[arg-type]


@railway
async def a_siblings_value_in_its_own_commit(run: Run[TransferError], up: Upstreams) -> None:
    receipt, _ = await run.commit("settlement", up.transfers.execute(1), up.users.fetch(receipt.key))  # type: ignore[has-type]  # noqa: F821, RUF059


@railway
async def a_commit_without_steps(run: Run[TransferError]) -> None:
    await run.commit("settlement")  # type: ignore[call-overload]


@railway
async def a_commit_with_the_policy_of_a_stage(run: Run[TransferError], up: Upstreams) -> None:
    await run.commit("settlement", up.transfers.execute(1), policy=FAIL_FAST)  # type: ignore[call-overload]


@railway
async def a_value_of_best_effort_unhandled(run: Run[TransferError], up: Upstreams) -> str:
    (receipt,) = await run.stage("after", up.transfers.execute(1).best_effort())
    return receipt.key.upper()  # type: ignore[union-attr]


async def what_a_write_cannot_be_asked_for(write: Write[int, Gone]) -> None:
    write.optional()  # type: ignore[attr-defined]
    write.within(1)  # type: ignore[attr-defined]
    write.recover(Ok)  # type: ignore[attr-defined]
    await write  # type: ignore[misc]


def a_write_that_fails_otherwise(wide: Write[int, Failure]) -> Write[int, Gone]:
    return wide  # type: ignore[return-value]


def a_write_for_a_call(write: Write[int, Gone]) -> Call[int, Gone]:
    return write  # type: ignore[return-value]


def a_key_that_is_any_text(undo: Undo) -> object:
    return undo.attempt("a")  # type: ignore[arg-type]


async def a_wrong_call_of_a_pipeline(up: Upstreams) -> None:
    await a_wrong_argument("up")  # type: ignore[arg-type]
    await a_wrong_argument(up, up)  # type: ignore[call-arg]


def a_failure_without_its_arm(error: NotFound | Conflict | Gone) -> int:
    match error:
        case NotFound():
            return 404
        case Conflict():
            return 409
        case _:
            assert_never(error)  # type: ignore[arg-type]


def a_failure_of_the_family_without_its_arm(error: Failure) -> int:
    match error:
        case Aggregate():
            return 207
        case Invalid():
            return 422
        case _:
            assert_never(error)  # type: ignore[arg-type]


def a_value_taken_for_granted(result: Result[int, Gone]) -> int:
    return result.value  # type: ignore[union-attr]


async def a_chain(up: Upstreams) -> Result[Quote, Forbidden]:
    _ = parallel(up.users.fetch("u"), up.inventory.check("p")).map(lambda user: user)  # type: ignore[misc, arg-type]
    return await up.shipping.quote("a", 3)  # type: ignore[return-value, arg-type]


def a_call_that_fails_otherwise(wide: Call[int, Failure]) -> Call[int, Gone]:
    return wide  # type: ignore[return-value]


def a_call_that_may_fail(wide: Call[int, Gone]) -> Call[int, Never]:
    return wide  # type: ignore[return-value]


def a_run_that_promises_less(narrow: Run[Gone]) -> Run[Gone | Invalid]:
    return narrow  # type: ignore[return-value]


def another_value() -> Result[int, Gone]:
    return Ok("1")  # type: ignore[arg-type]


def an_error_outside_the_family(run: Run[KeyError]) -> None: ...  # type: ignore[type-var]
