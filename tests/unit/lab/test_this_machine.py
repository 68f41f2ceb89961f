"""This machine's own Open vSwitch, which is somebody else's to start and to stop."""

from typing import Any

import pytest

from netweft.lab import this_machine
from netweft.lab.layout import LabError, Layout

LAYOUT = Layout(lab="t")


def test_it_is_stopped_during_a_query(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([True, False])
    monkeypatch.setattr(this_machine, "listens", lambda _: next(answers))
    monkeypatch.setattr(this_machine, "vsctl", refuses)
    assert not this_machine.is_borrowed(LAYOUT)


def test_it_refuses_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_machine, "listens", lambda _: True)
    monkeypatch.setattr(this_machine, "vsctl", refuses)
    with pytest.raises(LabError, match="broken pipe"):
        this_machine.is_borrowed(LAYOUT)


def refuses(*_: Any) -> str:
    raise LabError("broken pipe")
