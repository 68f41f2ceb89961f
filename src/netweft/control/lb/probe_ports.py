"""Addresses from which a mechanism's device (OVN) asks members whether they are well: a port in each of their subnets.

Such a port is plugged in nowhere.  It is the mechanism's, by `device_id`, and there while a monitor needs it.
"""

from collections.abc import Collection

from netweft.control.errors import Refused
from netweft.control.l3.owners import new_port
from netweft.control.standard import UseCases
from netweft.model.load_balancer import ASKING_OWNER
from netweft.store import Object, Query, WriteTransaction


class Asking:
    """ports: as they are for us, not for those who ask for ports."""

    def __init__(self, ports: UseCases) -> None:
        self._ports = ports

    def follow(self, tx: WriteTransaction, owner: str, subnets: Collection[str]) -> dict[str, str]:
        """subnets: all that need one.  Subnet -> why it has none.  Those that are gone are no news."""
        there: dict[str, Object] = {}
        obsolete = []
        for port in tx.query("ports", Query({"device_owner": [ASKING_OWNER], "device_id": [owner]})):
            its = {fixed["subnet_id"] for fixed in port["fixed_ips"]} & set(subnets)
            if its and not its & there.keys():
                there |= dict.fromkeys(its, port)
            else:
                obsolete.append(port["id"])
        for port in tx.lock_many("ports", sorted(obsolete)).values():
            self._ports.delete(tx, port)
        failed = {}
        for id, subnet in sorted(tx.glance.get_many("subnets", set(subnets) - there.keys()).items()):
            try:
                self._ports.create(tx, [_wanted(owner, subnet)])
            except Refused as problem:
                failed[id] = f"nothing can ask members in subnet {id}: {problem}"
        return failed


def _wanted(owner: str, subnet: Object) -> Object:
    return new_port(
        ASKING_OWNER,
        owner,
        subnet["network_id"],
        name=f"ovn-lb-hm-{subnet['id']}",
        project_id=subnet["project_id"],
        fixed_ips=[{"subnet_id": subnet["id"]}],
        port_security_enabled=False,
    )
