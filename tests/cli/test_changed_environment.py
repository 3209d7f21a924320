"""Environment of the process while a command changes it."""

import os

import pytest

from gateway.cli.messages import changed_environment


def test_changed_variables_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_SET", "before")
    monkeypatch.delenv("GATEWAY_UNSET", raising=False)

    with changed_environment({"GATEWAY_SET": "a", "GATEWAY_UNSET": "b"}):
        during = os.environ["GATEWAY_SET"], os.environ["GATEWAY_UNSET"]

    assert during == ("a", "b")
    assert os.environ["GATEWAY_SET"] == "before"
    assert "GATEWAY_UNSET" not in os.environ
