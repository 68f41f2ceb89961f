"""The store, as relevance reads it."""

from collections.abc import Callable, Iterable, Mapping

from netweft.control.l2 import hosts, placing
from netweft.control.l3 import gateway_hosts, wire_hosts
from netweft.feed.objects import Row
from netweft.feed.relevance import AHEAD_ON, ANSWERS_IN, BEHIND, FLOATING_ON, GATEWAY_ON
from netweft.model.router import ANSWERS_ON
from netweft.store import Query, ReadTransaction

# what is kept on rows -> the scope in which they are claimed for a host
_CLAIMED_IN: Mapping[str, Callable[[str], str]] = {
    AHEAD_ON: placing.scope,
    GATEWAY_ON: gateway_hosts.scope,
    ANSWERS_ON: wire_hosts.scope,
    ANSWERS_IN: wire_hosts.scope,
}
# kind, and what it is looked for by -> the scope in which its rows claim it, one each
_CLAIMED_AS: Mapping[tuple[str, str], str] = {("agents", "host"): hosts.HOST_SCOPE}
_LINKED_TO: Mapping[str, str] = {FLOATING_ON: "networks", BEHIND: "routers"}


class StoreReader:
    """A security group comes with its rules: whoever writes a rule writes its group too, so the feed sees it."""

    def __init__(self, tx: ReadTransaction) -> None:
        self._tx = tx

    def find(self, kind: str, by: str, values: Iterable[str]) -> Iterable[Row]:
        ids = list(values)
        scope_of = _CLAIMED_IN.get(by)
        if scope_of:  # claims are indexed
            claimed = [holder for host in ids for holder in self._tx.held(scope_of(host)).values()]
            ids, by = [id for of, id in claimed if of == kind], "id"
        if (kind, by) in _CLAIMED_AS:
            ids, by = [id for _, id in self._tx.holders(_CLAIMED_AS[kind, by], ids).values()], "id"
        if by.endswith("[]"):  # as are links; what stands in a list is not
            linked = self._tx.referrers(by[:-2], ids, source_kind=kind, attribute=by[:-2])
            ids, by = [referrer.id for referrer in linked], "id"
        if by in _LINKED_TO:
            linked = self._tx.referrers(_LINKED_TO[by], ids, source_kind=kind, attribute=by)
            ids, by = [referrer.id for referrer in linked], "id"
        rows = self._tx.get_many(kind, set(ids)).values() if by == "id" else self._tx.query(kind, Query({by: ids}))
        return self._with_rules(rows) if kind == "security_groups" else rows

    def _with_rules(self, groups: Iterable[Row]) -> Iterable[Row]:
        rules: dict[str, list[Row]] = {group["id"]: [] for group in groups}
        for rule in self._tx.query("security_group_rules", Query({"security_group_id": list(rules)})):
            rules[rule["security_group_id"]].append(rule)
        return [{**group, "security_group_rules": rules[group["id"]]} for group in groups]
