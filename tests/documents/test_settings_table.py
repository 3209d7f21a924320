"""Table of settings in `docs/operations.md`."""

import re
from collections.abc import Iterator
from typing import Final

from pydantic import SecretStr

from gateway.services import SERVICES as SHIPPED
from gateway.settings import OWN_FIELDS, ServiceSettings
from tests.documents.pages import PAGES
from tests.shipped_services import NAMES as SERVICES

OPERATIONS: Final = PAGES["docs/operations.md"]


def read_settings_table() -> Iterator[tuple[str, str]]:
    """Yield each setting of the table: its name without `GATEWAY_`, and its default."""
    table = OPERATIONS.partition("## Settings")[2].partition("\n## ")[0]
    for names, defaults in re.findall(r"^\| (`GATEWAY_.*?) \| (.*?) \|", table, re.MULTILINE):
        variables = re.findall(r"`GATEWAY_(\w+)`", names)
        shown = re.findall(r"`(.*?)`", defaults) or [defaults]
        if " to " in defaults:  # the ports follow each other
            first, last = shown
            start = int(first.rpartition(":")[2])
            shown = [f"{first.rpartition(':')[0]}:{start + place}" for place in range(len(variables))]
            assert shown[-1].endswith(last)
        yield from zip(variables, shown, strict=True)


def format_default(default: object) -> str:
    match default:
        case None | ():
            return "none"
        case "":
            return "(empty)"
        case SecretStr():  # the default is no secret
            return default.get_secret_value()
        case bool():
            return str(default).lower()
        case _:
            return str(default)


OWN_DEFAULTS: Final = {name.upper(): format_default(field.default) for name, field in OWN_FIELDS.items()}
SERVICE_DEFAULTS: Final = {
    f"{service.name}_{field}".upper(): format_default(getattr(service, field))
    for service in SHIPPED
    for field in ServiceSettings.model_fields
}


def test_settings_table_has_real_defaults() -> None:
    defaults = {**OWN_DEFAULTS, **SERVICE_DEFAULTS}

    table = [*read_settings_table()]
    assert len(table) > len(SERVICES)
    assert [(name, shown) for name, shown in table if shown != defaults[name]] == []


def test_settings_table_has_every_setting() -> None:
    rows = re.findall(r"^\|.*$", OPERATIONS.partition("## Settings")[2], re.MULTILINE)
    documented = set(re.findall(r"`GATEWAY_(\w+)`", "".join(rows)))

    fields = ("timeout_ms", "max_concurrency", "token", "ca_file", "certificate_file")
    of_one_service = {f"{service}_{field}" for service in SERVICES[2:] for field in fields}
    assert documented == (OWN_DEFAULTS.keys() | SERVICE_DEFAULTS.keys()) - {
        name.upper() for name in of_one_service
    }
