"""A router's number leads back to it, also where hashes are equal."""

import pytest

from netweft.model import Router
from netweft.services.l3.router_numbers import RouterNumbers

B, A = (Router(id=id, project_id="p", admin_state_up=True) for id in "ba")


def test_numbers_lead_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netweft.services.numbers._hash", lambda id, place=0: 5 + place)
    numbers = RouterNumbers()
    assert dict(numbers.changed(None, B)) == {("number", "b"): 5}
    assert not dict(numbers.changed(B, B))
    assert dict(numbers.changed(None, A)) == {("number", "a"): 5, ("number", "b"): 6}
    assert (numbers.at(5), numbers.at(6)) == ("a", "b")
    assert dict(numbers.changed(A, None)) == {("number", "a"): None, ("number", "b"): 5}
    assert (numbers.at(5), numbers.at(6)) == ("b", None)
