"""Where a port is: active on one host, perhaps wired ahead on others; and what goes there with it.

A port's active binding is in its own attributes.  Those that are inactive are kept on the port too, not shown: each
with what the port's attributes become once it is activated, which includes what its host last reported.  A claim in
the scope of each such host leads from the host to the port.  A trunk and its sub-ports are always where its port is.
"""

from collections.abc import Iterable, Sequence

from netweft.control.l2 import hosts, moving
from netweft.control.l2.hosts import CLAIMED, HOST
from netweft.control.standard import bumped
from netweft.model.port import AHEAD as AHEAD
from netweft.store import Claim, Object, WriteTransaction

TRUNK = "netweft:trunk"  # kept on a trunk's port: the trunk
# what a binding holds, besides its host
_BOUND = (hosts.VIF_TYPE, hosts.VIF_DETAILS, "binding:vnic_type", "binding:profile", "status", "status_detail")


def scope(host: str) -> str:
    """Where ports and trunks that are wired ahead on this host are claimed, by their ids."""
    return f"ahead:{host}"


def left_scope(host: str) -> str:
    """Where ports are claimed, by their ids, that were taken from this host and have not been seen unplugged since."""
    return f"left:{host}"


def ahead(object: Object) -> list[Object]:
    found: list[Object] = object.get(AHEAD) or []
    return found


def ahead_on(object: Object, host: str) -> Object | None:
    return next((binding for binding in ahead(object) if binding[HOST] == host), None)


def active(port: Object) -> Object:
    """The port's own binding, in the same form."""
    return {name: port.get(name) for name in (HOST, *_BOUND)}


def fresh(binder: hosts.Binder, port: Object, host: str) -> Object:
    """A binding to a host of which the port has none, for the same kind of VIF and with the same profile."""
    kept = {name: port.get(name) for name in ("binding:vnic_type", "binding:profile")}
    return kept | {"status": "DOWN"} | binder.bind(host, port)


def moved(tx: WriteTransaction, port: Object, host: str) -> Object:
    """What changes when the port is active on this host and no longer where it was.  Claims are moved at once."""
    others = [binding for binding in ahead(port) if binding[HOST] != host]
    return placed(tx, port, ahead_on(port, host) or fresh(hosts.Binder(tx), port, host), others)


def placed(tx: WriteTransaction, port: Object, here: Object, others: Sequence[Object]) -> Object:
    """What changes when these are its bindings: the active one, and those that are not.  Claims are moved at once."""
    claim_ahead(tx, "ports", port, others)
    _leave(tx, port, {here[HOST], *(binding[HOST] for binding in others)})
    return here | {AHEAD: list(others), CLAIMED: False} | moving.goes(port, here[HOST])


def _leave(tx: WriteTransaction, port: Object, hosts: set[str]) -> None:
    """Where it was, it may be plugged in still: that is no wish to have it there (decision 0241)."""
    id, before = port["id"], {port[HOST], *(binding[HOST] for binding in ahead(port))}
    left = [host for host in sorted(before - hosts - {""}) if not tx.holders(left_scope(host), [id])]
    tx.claim("ports", id, [Claim(left_scope(host), id) for host in left])
    tx.release("ports", id, [Claim(left_scope(host), id) for host in sorted(hosts - {""})])


def claim_ahead(tx: WriteTransaction, kind: str, object: Object, others: Iterable[Object]) -> None:
    before = {binding[HOST] for binding in ahead(object)}
    after = {binding[HOST] for binding in others}
    id = object["id"]
    tx.release(kind, id, [Claim(scope(host), id) for host in sorted(before - after)])
    tx.claim(kind, id, [Claim(scope(host), id) for host in sorted(after - before)])


def follow(tx: WriteTransaction, ports: Iterable[Object]) -> None:
    """Trunks and their sub-ports go where these ports went."""
    parents = {port[TRUNK]: port for port in ports if port.get(TRUNK)}
    trunks = tx.lock_many("trunks", parents.keys()) if parents else {}
    binder = hosts.Binder(tx)
    for id, trunk in trunks.items():
        parent = parents[id]
        others = [{HOST: binding[HOST]} for binding in ahead(parent)]
        claim_ahead(tx, "trunks", trunk, others)
        tx.update("trunks", id, {HOST: parent[HOST], AHEAD: others})
        sub_ports = tx.lock_many("ports", [sub["port_id"] for sub in trunk["sub_ports"]])
        binder.prepare(sub_ports.values())
        tx.update_many("ports", [_beside(tx, binder, parent, sub) for sub in sub_ports.values()])


def _beside(tx: WriteTransaction, binder: hosts.Binder, parent: Object, sub_port: Object) -> Object:
    """The sub-port where its parent is; what its hosts said of it stays."""
    known = {binding[HOST]: binding for binding in [active(sub_port), *ahead(sub_port)]}
    # behind a switch's port it is plugged in as its parent is
    described = (
        sub_port | {name: parent.get(name) for name in hosts.PLUGGED_INTO} if hosts.is_bare_metal(parent) else sub_port
    )

    def on(host: str) -> Object:
        return known.get(host) or fresh(binder, described, host)

    there = placed(tx, sub_port, on(parent[HOST]), [on(binding[HOST]) for binding in ahead(parent)])
    return sub_port | bumped(sub_port, there)
