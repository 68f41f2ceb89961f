"""Ports: MAC and IP addresses, security groups, and which host they are bound to."""

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence

from netweft.control import dhcp_options, qos, rbac
from netweft.control.errors import (
    AddressPairAndPortSecurityRequired,
    IpAddressAlreadyAllocated,
    MacAddressGenerationFailure,
    MacAddressInUse,
    NetworkNotFound,
    PortBound,
    PortSecurityAndIPRequiredForSecurityGroups,
    PortSecurityPortHasSecurityGroup,
    Refused,
    SecurityGroupConflict,
    SecurityGroupNotFound,
)
from netweft.control.fwaas import attachment, logs
from netweft.control.ipam import addresses
from netweft.control.ipam import allocation as ipam
from netweft.control.l2 import hosts, names, placing, trunks
from netweft.control.l2.hosts import HOST
from netweft.control.l3 import associations, forwardings
from netweft.control.l3.owners import INTERFACES
from netweft.control.metadata import given as metadata
from netweft.control.security.security_groups import SecurityGroups
from netweft.control.standard import born, bumped
from netweft.settings import ServerSettings
from netweft.store import Claim, Link, New, Object, Taken, WriteTransaction

# Services' own ports get no default security group.
_SERVICE = "network:"
MAC_ATTEMPTS = 16  # Neutron's


class Ports:
    def __init__(self, settings: ServerSettings, groups: SecurityGroups) -> None:
        self._mac_prefix = settings.mac_prefix.lower().rstrip(":")
        self._groups = groups
        self._domain = settings.dns_domain

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        """Requested addresses are settled before any is drawn from a pool."""
        networks = tx.get_many("networks", {one["network_id"] for one in wanted})
        for one in wanted:
            if one["network_id"] not in networks:
                raise NetworkNotFound(id=one["network_id"])
            names.refuse(one.get(names.NAME) or "", self._domain)
        macs = self._macs(tx, wanted)
        fixed_ips = _allocate(tx, networks.values(), wanted, macs)
        binder = hosts.Binder(tx, networks)
        defaults: dict[str, str] = {}
        new = []
        for one, mac, fixed in zip(wanted, macs, fixed_ips, strict=True):
            port = born({"status": "DOWN"} | one, mac_address=mac, fixed_ips=fixed)
            self._secure(tx, port, networks[one["network_id"]], defaults)
            port.update(binder.bind(port.get(HOST) or "", port))
            port["binding:profile"] = port.get("binding:profile") or {}
            port[dhcp_options.EXTRA] = dhcp_options.merged((), port.get(dhcp_options.EXTRA))
            new.append(New(port, _links(port), [_mac_claim(port), *ipam.claims(fixed)]))
        _check_groups(tx, [one.object for one in new])
        qos.refuse_missing(tx, wanted)
        try:
            tx.insert_many("ports", new)
        except Taken as taken:
            raise _refusal(taken) from taken
        return [one.object for one in new]

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        if "mac_address" in changes:
            if changes["mac_address"] is None:
                changes["mac_address"] = self._unused_macs(tx, current["network_id"], 1, set()).pop()
            _refuse_if_bound(current, changes["mac_address"])
        if "fixed_ips" in changes or "mac_address" in changes:
            changes["fixed_ips"] = self._readdress(tx, current, changes)
            associations.refuse_loss(tx, current, changes["fixed_ips"])
            forwardings.leave(tx, current, changes["fixed_ips"])
        names.refuse(changes.get(names.NAME) or "", self._domain)
        if HOST in changes:
            changes[HOST] = changes[HOST] or ""
        described = current | {name: changes[name] for name in hosts.PLUGGED_INTO if name in changes}
        if changes.get(HOST, current[HOST]) != current[HOST]:
            trunks.refuse_sub_port(current)
            changes = placing.moved(tx, described, changes[HOST]) | changes
        elif described != current and (hosts.is_bare_metal(described) or hosts.is_bare_metal(current)):
            changes = {"status": "DOWN"} | hosts.Binder(tx).bind(current[HOST], described) | changes
        if dhcp_options.EXTRA in changes:
            kept = current.get(dhcp_options.EXTRA, ())
            changes[dhcp_options.EXTRA] = dhcp_options.merged(kept, changes[dhcp_options.EXTRA])
        if "binding:profile" in changes:
            changes["binding:profile"] = changes["binding:profile"] or {}
        if changes.keys() & {"security_groups", "port_security_enabled", "allowed_address_pairs", "mac_address"}:
            after = current | changes
            if current["security_groups"] and "security_groups" not in changes and not after["port_security_enabled"]:
                raise PortSecurityPortHasSecurityGroup()
            _check_security(after)
            changes["allowed_address_pairs"] = _pairs(after)
        if "security_groups" in changes:
            changes["security_groups"] = list(dict.fromkeys(changes["security_groups"]))
            _check_groups(tx, [after])
        qos.refuse_missing(tx, [changes])
        links = {name: [link for link in _links(current | changes) if link.attribute == name] for name in _LINKED}
        changed_links = {name: links[name] for name in _LINKED if name in changes}
        updated = tx.update("ports", current["id"], bumped(current, changes), changed_links)
        if updated[HOST] != current[HOST]:
            placing.follow(tx, [updated])
        return updated

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        trunks.refuse_parts(current)
        associations.leave(tx, current)
        metadata.take(tx, current["id"])
        forwardings.leave(tx, current)
        attachment.leave(tx, current)
        if attachment.can_be_guarded(current):
            logs.leave(tx, "ports", current["id"])
        tx.delete("ports", current["id"])

    def _macs(self, tx: WriteTransaction, wanted: Sequence[Object]) -> list[str]:
        """Those requested, and new ones that nobody on the network has, nor is about to get."""
        asked: dict[str, set[str]] = {}
        missing: Counter[str] = Counter()
        for one in wanted:
            if mac := one.get("mac_address"):
                asked.setdefault(one["network_id"], set()).add(mac)
            else:
                missing[one["network_id"]] += 1
        unused = {id: self._unused_macs(tx, id, count, asked.get(id, set())) for id, count in missing.items()}
        return [one.get("mac_address") or unused[one["network_id"]].pop() for one in wanted]

    def _unused_macs(self, tx: WriteTransaction, network_id: str, count: int, asked: set[str]) -> set[str]:
        """Raises MacAddressGenerationFailure."""
        found: set[str] = set()
        for _ in range(MAC_ATTEMPTS):
            drawn = {self._random_mac() for _ in range(count - len(found))} - asked
            found |= drawn.difference(tx.holders(_mac_scope(network_id), drawn))
            if len(found) == count:
                return found
        raise MacAddressGenerationFailure(net_id=network_id)

    def _random_mac(self) -> str:
        missing = 6 - len(self._mac_prefix.split(":"))
        return ":".join((self._mac_prefix, *(f"{byte:02x}" for byte in secrets.token_bytes(missing))))

    def _secure(self, tx: WriteTransaction, port: Object, network: Object, defaults: dict[str, str]) -> None:
        """Port security as the network says, and the project's default group, unless requested otherwise."""
        port.setdefault("port_security_enabled", network["port_security_enabled"])
        if port["device_owner"].startswith(_SERVICE):
            port["port_security_enabled"] = False
        if port.get("security_groups") is None:
            port["security_groups"] = []
            if port["port_security_enabled"]:
                project = port["project_id"]
                if project not in defaults:
                    defaults[project] = self._groups.default_of(tx, project)
                port["security_groups"] = [defaults[project]]
        port["security_groups"] = list(dict.fromkeys(port["security_groups"]))
        port["allowed_address_pairs"] = _pairs(port)
        _check_security(port)

    def _readdress(self, tx: WriteTransaction, current: Object, changes: Object) -> list[Object]:
        """The new fixed_ips, with the claims moved over; addresses that stay are not touched."""
        mac: str = (current | changes)["mac_address"]
        held, of_router = current["fixed_ips"], current["device_owner"] in INTERFACES
        if mac != current["mac_address"]:
            self._move_mac(tx, current, mac)
            if not of_router:
                held = [fixed for fixed in held if not _is_own(tx, fixed, current["mac_address"])]
        networks = tx.get_many("networks", [current["network_id"]])
        allocator = ipam.Allocator(tx, networks.values())
        wanted = changes.get("fixed_ips", held)
        fixed_ips = allocator.allocate(current["network_id"], mac, wanted, held, owner=current["device_owner"])
        old, new = set(ipam.claims(current["fixed_ips"])), set(ipam.claims(fixed_ips))
        tx.release("ports", current["id"], sorted(old - new))
        try:
            tx.claim("ports", current["id"], sorted(new - old))
        except Taken as taken:
            raise _refusal(taken) from taken
        return fixed_ips

    def _move_mac(self, tx: WriteTransaction, port: Object, mac: str) -> None:
        tx.release("ports", port["id"], [_mac_claim(port)])
        try:
            tx.claim("ports", port["id"], [_mac_claim(port | {"mac_address": mac})])
        except Taken as taken:
            raise _refusal(taken) from taken


_LINKED = ("network_id", "fixed_ips", "security_groups", qos.POLICY)


def _links(port: Object) -> list[Link]:
    subnets = dict.fromkeys(fixed["subnet_id"] for fixed in port["fixed_ips"])
    return [
        Link("network_id", "networks", port["network_id"]),
        *(Link("fixed_ips", "subnets", id) for id in subnets),
        *(Link("security_groups", "security_groups", id) for id in port["security_groups"]),
        *qos.links(port),
    ]


def _allocate(
    tx: WriteTransaction, networks: Iterable[Object], wanted: Sequence[Object], macs: Sequence[str]
) -> list[list[Object]]:
    usual = [one.get("fixed_ips") is None for one in wanted]
    allocator = ipam.Allocator(tx, networks, chunk=max(sum(usual), 1))
    result: list[list[Object]] = [[] for _ in wanted]
    for index in sorted(range(len(wanted)), key=lambda index: usual[index]):
        one = wanted[index]
        given, owner = one.get("fixed_ips"), one["device_owner"]
        result[index] = allocator.allocate(one["network_id"], macs[index], given, owner=owner)
    allocator.finish()
    return result


def _is_own(tx: WriteTransaction, fixed: Object, mac: str) -> bool:
    """Whether the port gave itself this address, out of its MAC."""
    subnet = tx.glance.get("subnets", fixed["subnet_id"])
    return (
        subnet is not None
        and addresses.is_automatic(subnet)
        and fixed["ip_address"] == addresses.eui64(subnet["cidr"], mac)
    )


def _mac_scope(network_id: str) -> str:
    return f"mac:{network_id}"


def _mac_claim(port: Object) -> Claim:
    return Claim(_mac_scope(port["network_id"]), port["mac_address"])


def _refuse_if_bound(current: Object, mac: str) -> None:
    if mac != current["mac_address"] and current[HOST]:
        raise PortBound(
            port_id=current["id"],
            old_mac=current["mac_address"],
            new_mac=mac,
        )


def _refusal(taken: Taken) -> Refused:
    kind, _, id = taken.scope.partition(":")
    if kind == "mac":
        return MacAddressInUse(net_id=id, mac=taken.value)
    number = int(taken.value)
    return IpAddressAlreadyAllocated(ip=addresses.text(number, 4 if number < 2**32 else 6), subnet_id=id)


def _pairs(port: Object) -> list[Object]:
    """Allowed address pairs, each with a MAC: the port's own unless another is named."""
    return [
        {"ip_address": pair["ip_address"], "mac_address": pair.get("mac_address") or port["mac_address"]}
        for pair in port.get("allowed_address_pairs") or ()
    ]


def _check_security(port: Object) -> None:
    if port["port_security_enabled"]:
        return
    if port["allowed_address_pairs"]:
        raise AddressPairAndPortSecurityRequired()
    if port["security_groups"]:
        raise PortSecurityAndIPRequiredForSecurityGroups()


def _check_groups(tx: WriteTransaction, ports: Sequence[Object]) -> None:
    """All there, and of the port's own project or shared with it; either all of them stateful or none."""
    wanted = [(port["project_id"], id) for port in ports for id in port["security_groups"]]
    groups = tx.get_many("security_groups", {id for _, id in wanted})
    for project, id in wanted:
        own = id in groups and groups[id]["project_id"] == project
        if not own and id not in rbac.shared_with(tx, "security_groups", project, among=groups):
            raise SecurityGroupNotFound(id=id)
    if any(len({groups[id]["stateful"] for id in port["security_groups"]}) > 1 for port in ports):
        reason = "Cannot apply both stateful and stateless security groups on the same port at the same time"
        raise SecurityGroupConflict(reason=reason)
