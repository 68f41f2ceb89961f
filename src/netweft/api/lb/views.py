"""From rows to answers: one object, one with all below it, and the tree of statuses."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from netweft.api.lb import descriptions
from netweft.api.lb.descriptions import Kind
from netweft.control import unsupported
from netweft.control.lb import views
from netweft.control.lb.vocabulary import BALANCERS, L7RULES, LISTENERS, MEMBERS, MONITORS, POLICIES, POOLS
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.store import Object, Query, ReadTransaction


def told(tx: ReadTransaction, kind: Kind, rows: Sequence[Object], wanted: frozenset[str] = frozenset()) -> list[Object]:
    """wanted: of their attributes; empty: all."""
    return [view(kind, row, wanted) for row in views.present(tx, kind.kind, rows)]


def view(kind: Kind, row: Object, wanted: frozenset[str] = frozenset()) -> Object:
    found = {name: row.get(field.kept or name) for name, field in kind.fields.items() if field.shown}
    found["tenant_id"] = row.get("project_id")
    if why := unsupported.detail(
        row
    ):  # Octavia has no such attribute: it is there only where there is something to say
        found["status_detail"] = why
    return {name: value for name, value in found.items() if name in wanted} if wanted else found


class Whole:
    """A balancer with all that it has."""

    def __init__(self, tx: ReadTransaction, balancer: Object) -> None:
        (self._balancer,) = views.present(tx, BALANCERS, [balancer])
        query = Query({LOAD_BALANCER: [balancer["id"]]}, sort=[("created_at", False)])
        kinds = (LISTENERS, POOLS, MEMBERS, MONITORS, POLICIES, L7RULES)
        self._rows = {
            kind: {row["id"]: row for row in views.present(tx, kind, tx.query(kind, query))} for kind in kinds
        }

    def told(self) -> Object:
        answer = view(descriptions.BALANCER, self._balancer)
        answer["listeners"] = [self._listener(row) for row in self._rows[LISTENERS].values()]
        answer["pools"] = [self._pool(row) for row in self._rows[POOLS].values()]
        return answer

    def _listener(self, row: Object) -> Object:
        policies = self._below(row, "l7policies", POLICIES, self._policy)
        return view(descriptions.LISTENER, row) | {"l7policies": policies}

    def _policy(self, row: Object) -> Object:
        rules = self._below(row, "rules", L7RULES, lambda rule: view(descriptions.RULE, rule))
        return view(descriptions.POLICY, row) | {"rules": rules}

    def _pool(self, row: Object) -> Object:
        answer = view(descriptions.POOL, row)
        answer["members"] = self._below(row, "members", MEMBERS, lambda one: view(descriptions.MEMBER, one))
        monitor = self._rows[MONITORS].get(row["healthmonitor_id"] or "")
        return answer | {"healthmonitor": view(descriptions.MONITOR, monitor) if monitor else None}

    def _below(self, row: Object, name: str, kind: str, tell: Callable[[Object], Object]) -> list[Object]:
        return [tell(self._rows[kind][one["id"]]) for one in row[name]]

    # -- statuses only

    def statuses(self) -> Object:
        answer = _status(self._balancer)
        answer["listeners"] = [self._listener_status(row) for row in self._rows[LISTENERS].values()]
        return {"statuses": {"loadbalancer": answer}}

    def _listener_status(self, row: Object) -> Object:
        pools = [pool for pool in self._rows[POOLS].values() if {"id": row["id"]} in pool["listeners"]]
        return _status(row) | {"pools": [self._pool_status(pool) for pool in pools]}

    def _pool_status(self, row: Object) -> Object:
        monitor = self._rows[MONITORS].get(row["healthmonitor_id"] or "")
        told = {"health_monitor": _status(monitor, "type")} if monitor else {}
        members = self._below(row, "members", MEMBERS, lambda one: _status(one, "address", "protocol_port"))
        return _status(row) | told | {"members": members}


_STATUS: Final = ("id", "name", "operating_status", "provisioning_status")


def _status(row: Mapping[str, Any], *more: str) -> Object:
    return {name: row[name] for name in (*_STATUS, *more)}
