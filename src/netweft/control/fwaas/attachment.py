"""Which ports a firewall group is for.  The group has their ids, each port its group's (kept on it, not shown): a port
has one group at most because it has one place to name it, and who changes either holds both alone.
"""

from collections.abc import Collection, Iterable

from netweft.control.errors import PortNotFound
from netweft.control.fwaas.errors import (
    FirewallGroupPortInUse,
    FirewallGroupPortInvalid,
    FirewallGroupPortInvalidProject,
)
from netweft.control.l3.owners import INTERFACES
from netweft.control.standard import bumped
from netweft.model.fwaas import FIREWALL_GROUP
from netweft.store import Object, WriteTransaction

GROUPS = "firewall_groups"
_VM = "compute:"  # how the device_owner of a VM's port begins


def attach(tx: WriteTransaction, group: Object, ids: Collection[str]) -> None:
    """These ports get the group, which may have some of them already."""
    ports = tx.lock_many("ports", set(ids))
    new = [id for id in ids if id not in ports or ports[id].get(FIREWALL_GROUP) != group["id"]]
    for id in new:
        _check(group, id, ports.get(id))
    taken = [id for id in new if ports[id].get(FIREWALL_GROUP)]
    if taken:
        raise FirewallGroupPortInUse(port_ids=taken)
    _mark(tx, (ports[id] for id in new), group["id"])


def detach(tx: WriteTransaction, ids: Iterable[str]) -> None:
    _mark(tx, tx.lock_many("ports", set(ids)).values(), None)


def leave(tx: WriteTransaction, port: Object) -> None:
    """The port goes."""
    group = tx.lock(GROUPS, port[FIREWALL_GROUP]) if port.get(FIREWALL_GROUP) else None
    if group is not None:
        left = [id for id in group["ports"] if id != port["id"]]
        tx.update(GROUPS, group["id"], bumped(group, {"ports": left}))


def _mark(tx: WriteTransaction, ports: Iterable[Object], group_id: str | None) -> None:
    """It is nothing that the API shows of a port: not a revision of it."""
    tx.update_many("ports", [port | {FIREWALL_GROUP: group_id} for port in ports])


def can_be_guarded(port: Object) -> bool:
    """A VM's, or a router's interface; not its gateway's, as with Neutron."""
    owner: str = port["device_owner"]
    return owner in INTERFACES or owner.startswith(_VM)


def _check(group: Object, id: str, port: Object | None) -> None:
    if port is None:
        raise PortNotFound(id=id)
    if not can_be_guarded(port):
        raise FirewallGroupPortInvalid(port_id=id)
    if port["project_id"] != group["project_id"]:
        raise FirewallGroupPortInvalidProject(port_id=id, project_id=port["project_id"])
