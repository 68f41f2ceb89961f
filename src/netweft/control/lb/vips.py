"""The VIP of a balancer: a port of Neutron's, made and deleted with it, or one that was there."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from netweft.control import errors
from netweft.control.ipam import addresses
from netweft.control.l2.hosts import HOST
from netweft.control.l2.placing import TRUNK
from netweft.control.l2.trunks import PART_OF, PortInUse
from netweft.control.l3 import wire_hosts
from netweft.control.l3.owners import new_port
from netweft.control.lb.errors import InvalidSubresource, ValidationFailure, VipAddressConflict
from netweft.control.lb.vocabulary import BALANCERS
from netweft.control.standard import UseCases
from netweft.model.load_balancer import NETWORK, VIP_ADDRESSES, VIP_DEVICE, VIP_MAC, VIP_OWNER
from netweft.store import Object, ReadTransaction, WriteTransaction

PORT, SUBNET, ADDRESS, VIP_NETWORK = "vip_port_id", "vip_subnet_id", "vip_address", "vip_network_id"
POLICY, GROUPS, MORE = "vip_qos_policy_id", "vip_sg_ids", "additional_vips"
_THE_BALANCERS = (
    *("device_id", "device_owner", "fixed_ips", "mac_address", "admin_state_up", HOST, "qos_policy_id"),
    *("security_groups", "port_security_enabled", "allowed_address_pairs"),
)
OWNED = "netweft:owns_port"  # kept on a balancer's row: the port goes with it


class Vips:
    """ports: as they are for us, not for those who ask for ports."""

    def __init__(self, ports: UseCases) -> None:
        self._ports = ports

    def give(self, tx: WriteTransaction, balancer: Object) -> Object:
        """What the balancer says of its VIP then.  It is not there yet, and its network is held."""
        if not (balancer[PORT] or balancer[VIP_NETWORK] or balancer[SUBNET]):
            detail = "VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id."
            raise ValidationFailure(detail=detail)
        if balancer[PORT]:
            return self._taken(tx, balancer)
        network, first = _place(tx, balancer)
        wanted = [_without_none({"subnet_id": first, "ip_address": balancer[ADDRESS]}), *balancer[MORE]]
        _check_more(tx, network, wanted)
        port = new_port(
            VIP_OWNER,
            f"{VIP_DEVICE}{balancer['id']}",
            network["id"],
            project_id=balancer["project_id"],
            name=f"{VIP_DEVICE}{balancer['id']}",
            fixed_ips=[_without_none(one) for one in wanted],
            qos_policy_id=balancer[POLICY],
            **_secured(balancer[GROUPS]),
        )
        try:
            (made,) = self._ports.create(tx, [port])
        except (errors.IpAddressAlreadyAllocated, errors.IpAddressGenerationFailure) as problem:
            raise VipAddressConflict(msg=str(problem)) from None
        except (errors.InvalidIpForNetwork, errors.InvalidIpForSubnet, errors.AllocationOnAutoAddressSubnet) as problem:
            raise ValidationFailure(detail=str(problem)) from None
        wire_hosts.added(tx, made)
        return _said(made, [one["subnet_id"] for one in wanted]) | {OWNED: True}

    def change(self, tx: WriteTransaction, balancer: Object, changes: Object) -> None:
        of_port: Object = {}
        if POLICY in changes:
            of_port["qos_policy_id"] = changes[POLICY]
        if GROUPS in changes:
            of_port |= _secured(changes[GROUPS])
        port = tx.lock("ports", balancer[PORT]) if of_port else None
        if port is not None:
            self._ports.update(tx, port, of_port)

    def take_back(self, tx: WriteTransaction, balancer: Object) -> None:
        """Before the balancer goes."""
        port = tx.lock("ports", balancer[PORT])
        if port is None:
            return
        if balancer[OWNED]:
            self._ports.delete(tx, port)
        else:
            port = wire_hosts.removed(tx, port)
            self._ports.update(tx, port, {"device_id": "", "device_owner": ""})

    def _taken(self, tx: WriteTransaction, balancer: Object) -> Object:
        """A port that is there and nobody uses."""
        port = tx.lock("ports", balancer[PORT])
        if port is None:
            raise InvalidSubresource(resource="Port", id=balancer[PORT])
        if user := port["device_id"] or port.get(HOST) or port.get(PART_OF) or port.get(TRUNK):
            raise ValidationFailure(detail=f"Port {port['id']} is already used by device {user} ")
        if balancer[MORE]:
            raise ValidationFailure(
                detail="additional_vips go with a port of the balancer's own, not with vip_port_id."
            )
        first = _of_port(port, balancer)
        changes: Object = {"device_owner": VIP_OWNER, "device_id": f"{VIP_DEVICE}{balancer['id']}"}
        if balancer[POLICY]:
            changes["qos_policy_id"] = balancer[POLICY]
        if balancer[GROUPS]:
            changes |= _secured(balancer[GROUPS])
        port = wire_hosts.added(tx, self._ports.update(tx, port, changes))
        said = _said(port, [first["subnet_id"]]) | {OWNED: False, POLICY: port["qos_policy_id"]}
        return said | {ADDRESS: first["ip_address"], VIP_ADDRESSES: [first]}


def _said(port: Object, subnets: Sequence[str]) -> Object:
    """Its addresses on these subnets, in this order."""
    on = {fixed["subnet_id"]: fixed for fixed in reversed(port["fixed_ips"])}
    vips = [{"ip_address": on[id]["ip_address"], "subnet_id": id} for id in subnets]
    more = [vip | {"port_id": port["id"], "network_id": port["network_id"]} for vip in vips[1:]]
    return {
        PORT: port["id"],
        VIP_NETWORK: port["network_id"],
        NETWORK: port["network_id"],
        SUBNET: vips[0]["subnet_id"],
        ADDRESS: vips[0]["ip_address"],
        VIP_MAC: port["mac_address"],
        VIP_ADDRESSES: vips,
        MORE: more,
    }


def _secured(groups: Sequence[str]) -> Object:
    """The VIP is no VM: without groups of the user's nothing is kept from it but by its listeners."""
    return {"security_groups": list(groups), "port_security_enabled": bool(groups), "allowed_address_pairs": []}


def _place(tx: WriteTransaction, balancer: Object) -> tuple[Object, str]:
    """The network, and the subnet of the first address."""
    subnet_id = balancer[SUBNET]
    network_id = balancer[VIP_NETWORK]
    if subnet_id:
        subnet = tx.glance.get("subnets", subnet_id)
        if subnet is None or (network_id and subnet["network_id"] != network_id):
            raise InvalidSubresource(resource="Subnet", id=subnet_id)
        network_id = subnet["network_id"]
    network = tx.get("networks", network_id)
    if network is None:
        raise InvalidSubresource(resource="Network", id=network_id)
    if subnet_id:
        return network, subnet_id
    return network, _chosen(tx, network, balancer)


def _chosen(tx: WriteTransaction, network: Object, balancer: Object) -> str:
    """The subnet that has the address; without one the first that has any left, of IPv4 rather than IPv6."""
    found = tx.glance.get_many("subnets", network["subnets"])
    subnets = [found[id] for id in network["subnets"] if id in found]
    if not subnets:
        raise ValidationFailure(detail="Supplied network does not contain a subnet.")
    if address := balancer[ADDRESS]:
        for subnet in subnets:
            if ip_address(address) in ip_network(subnet["cidr"]):
                return str(subnet["id"])
        detail = "Supplied network does not contain a subnet for VIP address specified."
        raise ValidationFailure(detail=detail)
    free = [one for one in subnets if addresses.is_automatic(one) or not tx.is_used_up(f"ip:{one['id']}")]
    if not free:
        detail = "Subnet(s) in the supplied network do not contain enough available IPs."
        raise ValidationFailure(detail=detail)
    return str(min(free, key=lambda one: one["ip_version"])["id"])


def _check_more(tx: WriteTransaction, network: Object, wanted: Sequence[Object]) -> None:
    ids = [one["subnet_id"] for one in wanted]
    if len(set(ids)) < len(ids):
        detail = "Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet."
        raise ValidationFailure(detail=detail)
    found = tx.glance.get_many("subnets", ids)
    for id in ids:
        if id not in found:
            raise ValidationFailure(detail=f"Subnet {id} not found")
    if any(subnet["network_id"] != network["id"] for subnet in found.values()):
        raise ValidationFailure(detail="All VIP subnets must belong to the same network.")
    for one in wanted:
        _refuse_gateway(found[one["subnet_id"]], one.get("ip_address"))


def _refuse_gateway(subnet: Object, address: str | None) -> None:
    """On a network that others use, or outside, whoever had it would get what is theirs."""
    gateway = subnet["gateway_ip"]
    if address and gateway and ip_address(address) == ip_address(gateway):
        detail = f"IP address {address} is the gateway of subnet {subnet['id']}."
        raise ValidationFailure(detail=detail)


def _of_port(port: Object, balancer: Object) -> Object:
    fixed: Iterable[Any] = port["fixed_ips"]
    if subnet_id := balancer[SUBNET]:
        here = [one for one in fixed if one["subnet_id"] == subnet_id]
        problem = "No VIP address found on the specified VIP port within the specified subnet."
    elif address := balancer[ADDRESS]:
        here = [one for one in fixed if ip_address(one["ip_address"]) == ip_address(address)]
        problem = "Specified VIP address not found on the specified VIP port."
    else:
        here = list(fixed)
        if len(here) > 1:
            here = []
        problem = "VIP port's subnet could not be determined. Please specify either a VIP subnet or address."
    if not here:
        raise ValidationFailure(detail=problem)
    return {"ip_address": here[0]["ip_address"], "subnet_id": here[0]["subnet_id"]}


def _without_none(values: Object) -> Object:
    return {name: value for name, value in values.items() if value is not None and name in ("subnet_id", "ip_address")}


def is_vip(tx: ReadTransaction, port: Object) -> bool:
    """Whether a balancer that is there says so too: what a port says of itself anybody may have written."""
    id = port["device_id"].removeprefix(VIP_DEVICE)
    if port["device_owner"] != VIP_OWNER or id == port["device_id"]:
        return False
    balancer = tx.get(BALANCERS, id)
    return balancer is not None and balancer[PORT] == port["id"]


def refuse_changes(port: Object, changes: Object) -> None:
    """What the balancer says of its port is the balancer's to change."""
    for name in _THE_BALANCERS:
        if name in changes and changes[name] != port.get(name):
            raise PortInUse(port_id=port["id"], net_id=port["network_id"], device_id=port["device_id"])
