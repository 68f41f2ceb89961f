"""Floating IPs: addresses of an external network, each of which can lead to an address of a port.

One is ACTIVE while it leads to a port, or its forwardings do, and its router's gateway is on a host.
"""

import uuid

from netweft.control import qos
from netweft.control.errors import NetworkNotFound, PortNotFound
from netweft.control.l3 import associations, forwardings, gateway_hosts
from netweft.control.l3.associations import ADDRESS_PORT, Lead
from netweft.control.l3.errors import BadFloatingIPRequest, ExternalIpAddressExhausted
from netweft.control.l3.owners import FLOATING, ITS_PORT, new_port
from netweft.control.rbac import IS_EXTERNAL
from netweft.control.standard import UseCases, born
from netweft.model.router import ADDRESS_MAC
from netweft.store import Object, WriteTransaction

DISTRIBUTED = "distributed"
_DETAILS = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
_UNASSIGNABLE = "network:dhcp"


class FloatingIPs:
    def __init__(self, ports: UseCases) -> None:
        self._ports = ports

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        return [self._create(tx, one) for one in wanted]

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        """Without a port named it stays where it is; without anything it leads nowhere, which is what Neutron's first
        clients say."""
        if not changes:
            return associations.dissociate(tx, current)
        _refuse_address_alone(changes)
        qos.refuse_missing(tx, [changes])
        rest = {name: value for name, value in changes.items() if name not in ("port_id", "fixed_ip_address")}
        if rest.get(DISTRIBUTED, True) is None:
            del rest[DISTRIBUTED]
        if changes.get("port_id"):
            forwardings.refuse_association(tx, current, changes["port_id"])
            lead = _lead(tx, current | {"fixed_ip_address": None} | changes)
            return associations.associate(tx, current, lead, rest)
        if "port_id" in changes and current["port_id"]:
            return associations.dissociate(tx, current, rest)
        return associations.write(tx, current, rest)

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        forwardings.refuse_used(tx, current)
        associations.remove(tx, current)

    def _create(self, tx: WriteTransaction, wanted: Object) -> Object:
        _refuse_address_alone(wanted)
        network_id, id = wanted["floating_network_id"], wanted.get("id") or str(uuid.uuid4())
        _check_network(tx, network_id)
        qos.refuse_missing(tx, [wanted])
        if wanted.get("port_id"):
            forwardings.refuse_association(tx, None, wanted["port_id"])
        lead = _lead(tx, wanted) if wanted.get("port_id") else None
        asked = {"subnet_id": wanted.get("subnet_id"), "ip_address": wanted.get("floating_ip_address")}
        asked = {name: value for name, value in asked.items() if value is not None}
        values = {"project_id": "", "status": "N/A", "fixed_ips": [asked] if asked else None}
        values |= wanted.get(ITS_PORT) or {}
        (port,) = self._ports.create(tx, [new_port(FLOATING, id, network_id, **values)])
        found = associations.ipv4_of(port)
        if not found:
            raise ExternalIpAddressExhausted(net_id=network_id)
        kept = {name: value for name, value in wanted.items() if name not in ("subnet_id", ITS_PORT)}
        kept |= {"id": id, ADDRESS_PORT: port["id"], ADDRESS_MAC: port["mac_address"]}
        kept["floating_ip_address"] = found[0]["ip_address"]
        kept[DISTRIBUTED] = wanted.get(DISTRIBUTED) is not False
        return associations.insert(tx, born(kept, status="DOWN"), lead)


def _lead(tx: WriteTransaction, wanted: Object) -> Lead:
    port = tx.lock("ports", wanted["port_id"])
    if port is None:
        raise PortNotFound(id=wanted["port_id"])
    fixed = _fixed_ip(port, wanted.get("fixed_ip_address"))
    subnet = tx.get("subnets", fixed["subnet_id"])
    assert subnet is not None  # the port's address on it holds it
    router_id = associations.router_between(tx, port, subnet, wanted["floating_network_id"])
    return Lead(port, fixed["ip_address"], router_id, gateway_hosts.floating_status(tx, router_id))


def _fixed_ip(port: Object, address: str | None) -> Object:
    if port["device_owner"] == _UNASSIGNABLE:
        raise BadFloatingIPRequest(reason=f"Port {port['id']} is unable to be assigned a floating IP")
    there = associations.ipv4_of(port)
    if address is not None:
        if ":" in address:
            reason = f"Cannot process floating IP association with {address}, since that is not an IPv4 address"
            raise BadFloatingIPRequest(reason=reason)
        there = [fixed for fixed in there if fixed["ip_address"] == address]
        if not there:
            raise BadFloatingIPRequest(reason=f"Port {port['id']} does not have fixed ip {address}")
    if not there:
        reason = f"Cannot add floating IP to port {port['id']} that has no fixed IPv4 addresses"
        raise BadFloatingIPRequest(reason=reason)
    if len(there) > 1:
        reason = (
            f"Port {port['id']} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address "
            "when assigning a floating IP"
        )
        raise BadFloatingIPRequest(reason=reason)
    return there[0]


def _check_network(tx: WriteTransaction, id: str) -> None:
    network = tx.get("networks", id)
    if network is None:
        raise NetworkNotFound(id=id)
    if not network.get(IS_EXTERNAL):
        raise BadFloatingIPRequest(reason=f"Network {id} is not a valid external network")
    subnets = tx.glance.get_many("subnets", network["subnets"]).values()
    if not any(subnet["ip_version"] == 4 for subnet in subnets):
        raise BadFloatingIPRequest(reason=f"Network {id} does not contain any IPv4 subnet")


def _refuse_address_alone(wanted: Object) -> None:
    if wanted.get("fixed_ip_address") and not wanted.get("port_id"):
        raise BadFloatingIPRequest(reason="fixed_ip_address cannot be specified without a port_id")


def details(port: Object) -> Object:
    """What is shown of the port that a floating IP is associated with."""
    return {name: port[name] for name in _DETAILS}
