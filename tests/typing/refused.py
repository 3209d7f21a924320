"""Errors that both checkers must report, and no others; the module is checked, but never run."""

from typing import Never, assert_never

from gateway.railway import (
    CONCURRENT,
    FAIL_FAST,
    Aggregate,
    Call,
    Conflict,
    Failure,
    Forbidden,
    Gone,
    Invalid,
    Key,
    NotFound,
    Ok,
    Result,
    Run,
    Stuck,
    Unavailable,
    Undo,
    UpstreamFault,
    Write,
    combine,
    parallel,
    railway,
    traverse,
    traverse_all,
)
from tests.typing.services import (
    CardExpired,
    CheckoutError,
    InsufficientPoints,
    Quote,
    TransferError,
    Upstreams,
    User,
)


@railway
async def use_sibling_value_in_same_stage(run: Run[CheckoutError], up: Upstreams) -> None:
    user, stock, _ = await run.stage(  # noqa: RUF059 - the values are used too early
        "core",
        up.users.fetch("u"),
        up.inventory.check("p"),
        up.fraud.assess(user, up.payments.validate("card"), stock),  # type: ignore[has-type, arg-type]  # noqa: F821
    )


@railway
async def fail_with_unpromised_error(run: Run[NotFound | UpstreamFault | Aggregate], up: Upstreams) -> None:
    await run.stage("core", up.users.fetch("u"), up.inventory.check("p"))  # type: ignore[arg-type]
    run.unwrap(await up.inventory.check("p"))  # type: ignore[arg-type]
    run.fail(Gone("no"))  # type: ignore[arg-type]


@railway
async def omit_aggregate_for_stage(run: Run[NotFound | UpstreamFault], up: Upstreams) -> None:
    await run.stage("core", up.users.fetch("u"), up.users.fetch("v"))  # type: ignore[misc]


@railway
async def misuse_each(run: Run[NotFound | UpstreamFault | Aggregate], up: Upstreams) -> None:
    await run.each("stock", [up.inventory.check("p")])  # type: ignore[list-item]
    await run.each("stock", (up.inventory.check(name) for name in "ab"))  # type: ignore[misc]
    await run.each("stock", map(up.inventory.check, "ab"))  # type: ignore[arg-type]
    await run.each("transfers", [up.transfers.execute(1)])  # type: ignore[arg-type]
    await run.each("users", up.users.fetch("u"))  # type: ignore[arg-type]
    await run.each("users", up.users.fetch)  # type: ignore[arg-type]
    await run.each("users", ["u"])  # type: ignore[arg-type]
    await run.each("users", [await up.users.fetch("u")])  # type: ignore[arg-type]


@railway
async def omit_aggregate_for_each(run: Run[NotFound | UpstreamFault], up: Upstreams) -> None:
    await run.each("users", [up.users.fetch("u")])  # type: ignore[misc]


@railway
async def pass_wrong_argument(run: Run[CheckoutError], up: Upstreams) -> None:
    await run.stage("core", up.users.fetch(17), up.inventory.check("p"))  # type: ignore[arg-type]
    await run.stage("core", up.inventory.check("p", "2"))  # type: ignore[arg-type]
    await run.stage("core", up.inventory.check())  # type: ignore[call-arg]


@railway
async def omit_stage_name(run: Run[CheckoutError], up: Upstreams) -> None:
    await run.stage(up.users.fetch("u"), up.users.fetch("v"))  # type: ignore[misc]


@railway
async def omit_stage_calls(run: Run[CheckoutError]) -> None:
    await run.stage("core")  # type: ignore[misc]


@railway
async def pass_no_call_to_stage(run: Run[CheckoutError], up: Upstreams, calls: list[Call[int, Gone]]) -> None:
    await run.stage("core", await up.users.fetch("u"))  # type: ignore[misc]
    await run.stage("core", up.users.fetch("u"), up.users.fetch)  # type: ignore[misc]
    await run.stage("core", up.users.fetch("u").make(), up.users.fetch("u"))  # type: ignore[misc]
    await run.stage("core", parallel(up.users.fetch("u"), up.users.fetch("v")))  # type: ignore[misc]
    await run.stage("core", calls)  # type: ignore[misc]
    await run.stage("core", up.users.fetch("u"), None, 3)  # type: ignore[misc]


@railway
async def pass_commit_policy_to_stage(run: Run[CheckoutError], up: Upstreams) -> None:
    await run.stage("core", up.users.fetch("u"), policy=CONCURRENT)  # type: ignore[misc]


@railway
async def pass_list_with_unpromised_error(run: Run[CheckoutError], calls: list[Call[int, Gone]]) -> None:
    await run.stage("core", *calls)  # type: ignore[arg-type]


@railway
async def unpack_values_of_list(run: Run[CheckoutError], calls: list[Call[int, NotFound]]) -> str:
    return (await run.stage("core", *calls))[0]  # type: ignore[return-value]


@railway
async def forget_await(run: Run[CheckoutError], up: Upstreams) -> None:
    run.stage("core", up.users.fetch("u"))  # type: ignore[unused-coroutine]


@railway
async def ignore_missing_value(run: Run[CheckoutError], up: Upstreams) -> str:
    (user,) = await run.stage("extras", up.users.fetch("u").optional())
    return user.name.upper()  # type: ignore[union-attr]


@railway
async def pass_write_to_stage(run: Run[TransferError], up: Upstreams) -> None:
    await run.stage("core", up.transfers.execute(1), up.users.fetch("u"))  # type: ignore[misc]


@railway
async def pass_no_step_to_commit(
    run: Run[TransferError], up: Upstreams, writes: list[Write[int, Conflict]]
) -> None:
    await run.commit("settlement", writes)  # type: ignore[misc]
    await run.commit("settlement", up.transfers.execute(1), up.users.fetch)  # type: ignore[misc]
    await run.commit(up.transfers.execute(1))  # type: ignore[misc]


async def omit_stuck_for_commit(run: Run[Gone | Aggregate | Unavailable], write: Write[int, Gone]) -> None:
    await run.commit("settlement", write)  # type: ignore[misc]


async def omit_aggregate_for_commit(run: Run[Gone | Stuck | Unavailable], write: Write[int, Gone]) -> None:
    await run.commit("settlement", write)  # type: ignore[misc]


async def omit_unavailable_for_commit(run: Run[Gone | Aggregate | Stuck], write: Write[int, Gone]) -> None:
    await run.commit("settlement", write)  # type: ignore[misc]


@railway
async def commit_write_with_unpromised_error(
    run: Run[NotFound | UpstreamFault | Stuck | Aggregate], up: Upstreams
) -> None:
    await run.commit("settlement", up.transfers.execute(1))  # type: ignore[arg-type]
    await run.commit("settlement", up.users.fetch("u"), up.transfers.execute(1))  # type: ignore[arg-type]


@railway
async def use_sibling_value_in_same_commit(run: Run[TransferError], up: Upstreams) -> None:
    receipt, _ = await run.commit("settlement", up.transfers.execute(1), up.users.fetch(receipt.key))  # type: ignore[has-type]  # noqa: F821, RUF059


@railway
async def omit_commit_steps(run: Run[TransferError]) -> None:
    await run.commit("settlement")  # type: ignore[misc]


@railway
async def pass_stage_policy_to_commit(run: Run[TransferError], up: Upstreams) -> None:
    await run.commit("settlement", up.transfers.execute(1), policy=FAIL_FAST)  # type: ignore[misc]


@railway
async def ignore_missing_best_effort_value(run: Run[TransferError], up: Upstreams) -> str:
    (receipt,) = await run.stage("after", up.transfers.execute(1).best_effort())
    return receipt.key.upper()  # type: ignore[union-attr]


async def call_missing_methods_of_write(write: Write[int, Gone]) -> None:
    write.optional()  # type: ignore[attr-defined]
    write.within(1)  # type: ignore[attr-defined]
    write.recover(Ok)  # type: ignore[attr-defined]
    await write  # type: ignore[misc]


def narrow_errors_of_write(wide: Write[int, Failure]) -> Write[int, Gone]:
    return wide  # type: ignore[return-value]


def return_write_as_call(write: Write[int, Gone]) -> Call[int, Gone]:
    return write  # type: ignore[return-value]


def pass_key_to_undo(undo: Undo, key: Key) -> object:
    return undo.attempt(key)  # type: ignore[arg-type]


async def pass_wrong_arguments_to_pipeline(up: Upstreams) -> None:
    await pass_wrong_argument("up")  # type: ignore[arg-type]
    await pass_wrong_argument(up, up)  # type: ignore[call-arg]


def omit_match_arm(error: NotFound | Conflict | Gone) -> int:
    match error:
        case NotFound():
            return 404
        case Conflict():
            return 409
        case _:
            assert_never(error)  # type: ignore[arg-type]


def omit_match_arms_of_failure(error: Failure) -> int:
    match error:
        case Aggregate():
            return 207
        case Invalid():
            return 422
        case _:
            assert_never(error)  # type: ignore[arg-type]


def take_own_error_for_its_family(error: NotFound | Conflict) -> int:
    match error:
        case NotFound():
            return 404
        case InsufficientPoints():
            return 409
        case _:
            assert_never(error)  # type: ignore[arg-type]


@railway
async def fail_with_the_family_of_a_promised_error(run: Run[NotFound | InsufficientPoints]) -> None:
    if run.execution_id:
        run.fail(Conflict("too general"))  # type: ignore[arg-type]
    run.fail(CardExpired("not promised"))  # type: ignore[arg-type]


def misuse_members(error: InsufficientPoints) -> None:
    InsufficientPoints("no balance")  # type: ignore[call-arg]
    InsufficientPoints("no", balance="12")  # type: ignore[arg-type]
    error.balance = 3  # type: ignore[misc]
    error.detail = ""  # type: ignore[misc]


def ignore_failure_of_result(result: Result[int, Gone]) -> int:
    return result.value  # type: ignore[union-attr]


async def mistype_chain(up: Upstreams) -> Result[Quote, Forbidden]:
    _ = parallel(up.users.fetch("u"), up.inventory.check("p")).map(lambda user: user)  # type: ignore[misc, arg-type]
    return await up.shipping.quote("a", 3)  # type: ignore[return-value, arg-type]


def narrow_errors_of_call(wide: Call[int, Failure]) -> Call[int, Gone]:
    return wide  # type: ignore[return-value]


def narrow_call_to_infallible(wide: Call[int, Gone]) -> Call[int, Never]:
    return wide  # type: ignore[return-value]


def widen_errors_of_run(narrow: Run[Gone]) -> Run[Gone | Invalid]:
    return narrow  # type: ignore[return-value]


def traverse_calls(up: Upstreams, calls: list[Call[User, NotFound]], number: Result[int, Gone]) -> None:
    traverse(["u"], up.users.fetch)  # type: ignore[arg-type]
    traverse_all(["u"], up.users.fetch)  # type: ignore[arg-type]
    traverse(calls, lambda call: call)  # type: ignore[arg-type, return-value]
    traverse(["u"], look_up)  # type: ignore[arg-type]
    combine(*calls)  # type: ignore[call-overload]
    number.bind(look_up)  # type: ignore[arg-type]


async def look_up(_: object) -> Result[int, Gone]:
    return Ok(1)


def return_wrong_value() -> Result[int, Gone]:
    return Ok("1")  # type: ignore[arg-type]


def promise_foreign_error(run: Run[KeyError]) -> None: ...  # type: ignore[type-var]
