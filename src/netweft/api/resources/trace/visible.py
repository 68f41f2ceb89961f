"""A snapshot as its caller may see it: what is hidden is not there, so that nothing of it can be told."""

from collections.abc import Mapping

from netweft.api.policy import Policy
from netweft.api.resources.explain.balancers import Balancing
from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.l3 import forwardings
from netweft.control.l3.owners import GATEWAY, INTERFACE
from netweft.plugins.identity import Context
from netweft.store import ReadTransaction

_WITH = {forwardings.KIND: ("floatingips", forwardings.FIP)}  # what is seen with another object
_ROUTERS = (GATEWAY, INTERFACE)
_OWN, _MEMBERS = "ports of {}", "members of {}"


def as_seen_by(
    context: Context, tx: ReadTransaction, policies: Mapping[str, Policy | Balancing], whole: Snapshot
) -> dict[str, dict[str, Row]]:
    rows = {
        kind: {id: row for id, row in of_kind.items() if policies[kind].may_see(tx, context, dict(row))}
        for kind, of_kind in whole.rows.items()
        if kind in policies and kind != "agents"
    }
    rows["agents"] = dict(whole.rows.get("agents", {}))  # findings about them are shown to callers who may see them
    for kind, (other, attribute) in _WITH.items():
        seen = rows.get(other, {})
        rows[kind] = {id: row for id, row in whole.rows.get(kind, {}).items() if row[attribute] in seen}
    for id, port in whole.rows.get("ports", {}).items():
        if port["device_owner"] in _ROUTERS and port["device_id"] in rows.get("routers", {}):
            rows.setdefault("ports", {})[id] = port
    return rows


def whole_kinds(context: Context, rows: Mapping[str, Mapping[str, Row]]) -> frozenset[str]:
    """Of what everything is seen: nobody's address is then nobody's indeed."""
    if context.sees_all:
        return frozenset({"ports"})
    named = (("networks", _OWN), ("security_groups", _MEMBERS))
    return frozenset(
        words.format(one["id"])
        for kind, words in named
        for one in rows.get(kind, {}).values()
        if one.get("project_id") == context.project_id
    )
