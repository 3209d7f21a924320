"""Dependencies that `create_app(caller=...)` accepts and refuses; the module is checked, but never run."""

from gateway import Gateway, create_app


async def find_principal(token: str) -> str | None:
    return token or None


def find_in_thread() -> str:
    return "ada"


async def find_number() -> int:
    return 7


def create_apps() -> list[Gateway]:
    return [
        create_app(caller=find_principal),
        create_app(caller=find_in_thread),
        create_app(caller=find_number),  # type: ignore[arg-type]
    ]
