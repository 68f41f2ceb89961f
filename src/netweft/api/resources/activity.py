"""/v2.0/netweft/activity: who changed what, the newest first, as far back as the change log goes.

Whoever acts for all projects gets everything.  Others are told of what is their project's and still there, of what
was their project's and is deleted, and what they did themselves.  Of load balancers only what users did: their states
change with each health check.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import querystring
from netweft.api.attributes import Resource
from netweft.api.encoding import json_response, whole_number
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.lb.descriptions import KINDS as BALANCED
from netweft.api.policy import Policy, may
from netweft.api.running import Run
from netweft.api.stream.policies import Balanced
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction, Store
from netweft.store.changelog import Entry

MOST: Final = 200  # in an answer
READ: Final = 1000  # of the log, for an answer
_END: Final = 2**63 - 1
_STATES_CHANGE: Final = frozenset(one.kind for one in BALANCED)

Rows: TypeAlias = Mapping[tuple[str, str], Object]  # by kind and id


class Activity:
    def __init__(self, resources: Sequence[Resource], store: Store) -> None:
        self._members = {one.collection: one.member for one in resources} | {one.kind: one.member for one in BALANCED}
        self._policies: dict[str, Policy | Balanced] = {one.collection: Policy(one) for one in resources}
        self._policies |= {one.kind: Balanced() for one in BALANCED}
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        return [Route("/v2.0/netweft/activity", gate(self.list), methods=["GET"])]

    async def list(self, request: Request, context: Context) -> Response:
        """before: a revision, as an answer named it; limit: how many changes."""
        given = dict(querystring.parse(request.url.query))
        if unknown := given.keys() - {"before", "limit"}:
            raise HTTPBadRequest(f"{sorted(unknown)} is invalid attribute for filtering")
        before = _number("before", given.get("before"), _END)
        limit = min(_number("limit", given.get("limit"), MOST), MOST)
        return json_response(await self._run.read_much(self._told, context, before, limit))

    def _told(self, context: Context, before: int, limit: int) -> Object:
        sees_nodes = may(context, "get_agent")
        with self._store.read() as tx:
            read = tx.newest_changes(before, READ)
            more = len(read) == READ
            entries = _without_last(read) if more else read
            rows = self._seen(tx, context, [one for one in entries if self._is_told(one)])
            gone = self._were_seen(tx, context, entries)
        found = [one for one in entries if self._is_told(one) and _is_for(context, one, rows, gone)]
        told = _first(found, limit)
        last = (told if len(told) < len(found) else entries)[-1:]
        return {
            "activity": [self._said(one, rows, gone, sees_nodes=sees_nodes) for one in told],
            "next": last[0].revision if last and (more or len(told) < len(found)) else None,
        }

    def _is_told(self, one: Entry) -> bool:
        return one.kind in self._members and (one.kind not in _STATES_CHANGE or (one.actor or "").startswith("user "))

    def _seen(self, tx: ReadTransaction, context: Context, entries: Sequence[Entry]) -> Rows:
        """Those that are still there, and for the caller to see."""
        ids = defaultdict[str, set[str]](set)
        for one in entries:
            ids[one.kind].add(one.id)
        rows = {kind: tx.get_many(kind, those) for kind, those in ids.items()}
        return {
            (kind, id): row
            for kind, those in rows.items()
            for id, row in those.items()
            if context.sees_all or self._policies[kind].may_see(tx, context, row)
        }

    def _were_seen(self, tx: ReadTransaction, context: Context, entries: Sequence[Entry]) -> Rows:
        """What was deleted, and was the caller's project's: they may have seen it, or see all."""
        gone: dict[tuple[str, str], Object] = {}
        for one in entries:
            if one.op != "delete" or one.kind not in self._members or one.project is None:
                continue
            row = {"id": one.id, "project_id": one.project, "tenant_id": one.project, "name": one.name or ""}
            own = context.project_id is not None and one.project == context.project_id
            if context.sees_all or (own and self._policies[one.kind].may_see(tx, context, row)):
                gone[one.kind, one.id] = row
        return gone

    def _said(self, one: Entry, rows: Rows, gone: Rows, *, sees_nodes: bool) -> Object:
        row = rows.get((one.kind, one.id)) or gone.get((one.kind, one.id), {})
        by = one.actor or ""
        return {
            "revision": one.revision,
            "at": datetime.fromtimestamp(one.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "by": "server" if by.startswith("node ") and not sees_nodes else by,
            "operation": one.op,
            "type": self._members[one.kind],
            "id": one.id,
            "name": row.get("name") or row.get("floating_ip_address") or row.get("host") or "",
            "project_id": row.get("project_id"),
        }


def _is_for(context: Context, one: Entry, rows: Rows, gone: Rows) -> bool:
    if context.sees_all or one.actor == f"user {context.user_id}" or (one.kind, one.id) in gone:
        return True
    row = rows.get((one.kind, one.id))
    return row is not None and context.project_id is not None and row.get("project_id") == context.project_id


def _without_last(entries: list[Entry]) -> list[Entry]:
    """A transaction of which not all was read is for the next answer, unless it is all that there is."""
    return [one for one in entries if one.revision != entries[-1].revision] or entries


def _first(entries: list[Entry], limit: int) -> list[Entry]:
    """So many, and what was done together with the last of them."""
    end = entries[limit - 1].revision if len(entries) > limit else 0
    return [one for at, one in enumerate(entries) if at < limit or one.revision == end]


def _number(name: str, text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    found = whole_number(text)
    if found is None or found < 1:
        raise HTTPBadRequest(f"Invalid input for {name}. Reason: '{text}' is not a positive integer.")
    return found
