"""What a change costs who does not see it."""

from collections.abc import Sequence

import pytest

from netweft.api.app import resources
from netweft.api.policy import Policy
from netweft.api.relations import Filters
from netweft.api.stream.policies import policies
from netweft.api.stream.sight import Change, Sight
from netweft.plugins.identity import Context
from netweft.settings import ServerSettings
from netweft.store import Object, ReadTransaction, Store

ROLES = frozenset({"member", "reader"})


def caller(project: str, roles: frozenset[str] = ROLES) -> Context:
    return Context(user_id="u", user_name="u", project_id=project, roles=roles)


def row(id: str, project: str, **more: str) -> Object:
    return {"id": id, "project_id": project, **more}


def look(sight: Sight, store: Store, kind: str, *rows: Object) -> list[Change]:
    with store.read() as tx:
        ids = {one["id"] for one in rows}
        return sight.look(tx, {kind: ids}, {kind: {one["id"]: one for one in rows}}, shared=False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that the rules are asked what is visible."""
    times: list[str] = []
    visible = Policy.visible

    def counted(self: Policy, tx: ReadTransaction, context: Context) -> Sequence[Filters]:
        times.append(context.project_id or "")
        return visible(self, tx, context)

    monkeypatch.setattr(Policy, "visible", counted)
    return times


def opened(store: Store, context: Context) -> Sight:
    sight = Sight(context, policies(resources(store, ServerSettings())))
    with store.read() as tx:
        sight.open(tx)
    return sight


def test_what_others_do_evaluates_no_rule_again(store: Store, asked: list[str]) -> None:
    sight = opened(store, caller("blue"))
    asked.clear()
    for at in range(10):
        for kind in ("networks", "ports", "subnets", "security_groups", "routers"):
            assert look(sight, store, kind, row(f"{kind}-{at}", "red", network_id="n")) == []
    assert asked == []


def test_ones_own_objects_are_sent_and_what_depends_on_them_is_looked_at_anew(store: Store, asked: list[str]) -> None:
    sight = opened(store, caller("blue"))
    asked.clear()
    assert look(sight, store, "networks", row("n", "blue")) == [Change("networks", "n", False)]
    look(sight, store, "ports", row("p", "red", network_id="n"))
    assert asked == ["blue"]  # once, since there is a network of theirs that was not
    assert look(sight, store, "ports", row("q", "blue", network_id="m")) == [Change("ports", "q", False)]


def test_who_sees_all_keeps_no_list_of_it(store: Store) -> None:
    sight = opened(store, caller("admins", frozenset({"admin"})))
    assert look(sight, store, "networks", row("n", "red")) == [Change("networks", "n", False)]
    assert not {"networks", "ports", "agents"} & sight._seen.keys()
