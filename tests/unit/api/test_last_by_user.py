"""Whose change a finding of trace names: a user's, also where a node has written a status since."""

import pytest

from netweft.api.resources.explain.described import last_by_user
from netweft.store import Past


@pytest.mark.parametrize(
    ("actors", "named"),
    [
        (["user alice"], "user alice"),
        (["node hv1", "user bob", "user alice"], "user bob"),
        (["node hv2", "node hv1"], "node hv2"),
        (["server", None], "server"),
        ([None, "user alice"], "user alice"),
    ],
)
def test_the_newest_of_a_user(actors: list[str | None], named: str) -> None:
    changes = [Past(revision=9 - at, op="update", at=0.0, actor=actor) for at, actor in enumerate(actors)]
    assert last_by_user(changes).actor == named
