"""Subnets: a prefix of a network, its gateway, and the pool that its ports' addresses come from."""

import ipaddress
from collections.abc import Iterable

from netweft.control.errors import (
    BadRequest,
    InvalidInput,
    NetworkMTUSubnetConflict,
    NetworkNotFound,
    SubnetInUse,
    SubnetPoolRequired,
)
from netweft.control.ipam import address_scopes, addresses, subnetpools
from netweft.control.ipam.address_scopes import SCOPE
from netweft.control.ipam.service_types import serves
from netweft.control.l3 import attached
from netweft.control.l3.errors import GatewayIpInUse
from netweft.control.l3.owners import INTERFACES
from netweft.control.standard import born, bumped
from netweft.store import Claim, Link, Object, WriteTransaction

_LEAST_MTU = {4: 68, 6: 1280}  # RFC 791, RFC 8200
_LONGEST_WITH_DHCP = {4: 30, 6: 126}
_FOR_THE_POOL = ("prefixlen", "use_default_subnetpool", "subnetpool_id")


class NetworkSubnetPoolAffinityError(BadRequest):
    message = "Subnets hosted on the same network must be allocated from the same subnet pool."


def scope(subnet_id: str) -> str:
    """Where a subnet's addresses are claimed, and its pool's name."""
    return f"ip:{subnet_id}"


class Subnets:
    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        return [self._create(tx, one) for one in wanted]

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        after = current | changes
        network = ipaddress.ip_network(current["cidr"])
        if "gateway_ip" in changes:
            _check_gateway(network, after["gateway_ip"])
            _refuse_gateway_in_use(tx, current, after["gateway_ip"])
        if "enable_dhcp" in changes:
            _check_ipv6_modes(after)
        if after["enable_dhcp"] and not current["enable_dhcp"]:
            _check_dhcp(network)
        _check_servers(after)
        if changes.keys() & {"gateway_ip", "allocation_pools"}:
            addresses.check_pools(network, after["allocation_pools"], after["gateway_ip"])
        if "allocation_pools" in changes:
            tx.pools.define(scope(current["id"]), addresses.ranges_of(after["allocation_pools"]))
        return tx.update("subnets", current["id"], bumped(current, changes))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        network = tx.lock("networks", current["network_id"])
        ids = {referrer.id for referrer in tx.referrers("subnets", current["id"], source_kind="ports")}
        ports = tx.lock_many("ports", ids).values() if addresses.is_automatic(current) else ()
        if any(port["device_owner"] in INTERFACES for port in ports) or (ids and not ports):
            reason = "One or more ports have an IP allocation from this subnet"
            raise SubnetInUse(subnet_id=current["id"], reason=reason)
        for port in ports:
            _forget_address(tx, port, current["id"])
        self.remove(tx, current)
        if network is not None:
            rest = [id for id in network["subnets"] if id != current["id"]]
            scopes = address_scopes.of_network(tx.glance, tx.glance.get_many("subnets", rest).values())
            tx.update("networks", network["id"], bumped(network, {"subnets": rest} | scopes))

    def remove(self, tx: WriteTransaction, subnet: Object) -> None:
        """Without a look at its network, which goes too."""
        tx.delete("subnets", subnet["id"])
        tx.pools.drop(scope(subnet["id"]))

    def _create(self, tx: WriteTransaction, wanted: Object) -> Object:
        parent = tx.lock("networks", wanted["network_id"])
        if parent is None:
            raise NetworkNotFound(id=wanted["network_id"])
        pool = subnetpools.chosen(tx, wanted)
        scopes = _refuse_other_pools(tx, parent, wanted["ip_version"], pool)
        if pool is not None:
            wanted = wanted | {"cidr": subnetpools.take(tx, pool, wanted)}
        subnet = born(_complete({name: value for name, value in wanted.items() if name not in _FOR_THE_POOL}))
        subnet["subnetpool_id"] = pool
        refuse_small_mtu(parent, [subnet])
        _refuse_overlap(tx, parent, ipaddress.ip_network(subnet["cidr"]))
        links = [Link("network_id", "networks", parent["id"])]
        links += [Link("subnetpool_id", subnetpools.KIND, pool)] if pool else []
        tx.insert("subnets", subnet, links)
        tx.pools.define(scope(subnet["id"]), addresses.ranges_of(subnet["allocation_pools"]))
        tx.update("networks", parent["id"], bumped(parent, {"subnets": [*parent["subnets"], subnet["id"]]} | scopes))
        if addresses.is_automatic(subnet):
            _give_addresses(tx, subnet)
        return subnet


def _complete(wanted: Object) -> Object:
    """With what Neutron fills in."""
    if wanted.get("cidr") is None:
        raise SubnetPoolRequired()
    network = ipaddress.ip_network(wanted["cidr"])
    version = wanted["ip_version"]
    if network.version != version:
        raise InvalidInput(f"cidr '{wanted['cidr']}' does not match the ip_version '{version}'")
    if network.prefixlen == 0:
        raise InvalidInput("0 is not allowed as CIDR prefix length")
    if version == 6 and network.network_address.is_unspecified:
        raise InvalidInput("IPv6 subnet '::' is not supported")
    if wanted["enable_dhcp"]:
        _check_dhcp(network)
    gateway = wanted["gateway_ip"] if "gateway_ip" in wanted else addresses.default_gateway(network)
    _check_gateway(network, gateway)
    subnet: Object = {
        "allocation_pools": None,
        "dns_nameservers": [],
        "host_routes": [],
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
    }
    subnet |= wanted | {"cidr": str(network), "gateway_ip": gateway}
    if subnet["allocation_pools"] is None:
        subnet["allocation_pools"] = addresses.default_pools(network, gateway)
    else:
        addresses.check_pools(network, subnet["allocation_pools"], gateway)
    _check_ipv6_modes(subnet)
    _check_servers(subnet)
    return subnet


def refuse_small_mtu(network: Object, subnets: Iterable[Object]) -> None:
    """Before a network gets a subnet, and before one with subnets gets another MTU."""
    for least in sorted(_LEAST_MTU[subnet["ip_version"]] for subnet in subnets):
        if network["mtu"] < least:
            raise NetworkMTUSubnetConflict(net_id=network["id"], mtu=least)


def _check_dhcp(network: addresses.IpNetwork) -> None:
    """Where nobody could be given an address."""
    if network.prefixlen > _LONGEST_WITH_DHCP[network.version]:
        raise InvalidInput("Subnet has a prefix length that is incompatible with DHCP service enabled")
    if network.is_multicast:
        raise InvalidInput("Multicast IP subnet is not supported if enable_dhcp is True")
    if network.is_loopback:
        raise InvalidInput("Loopback IP subnet is not supported if enable_dhcp is True")
    if network.version == 4 and int(network.network_address) == 0:
        raise InvalidInput("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.")


def _check_gateway(network: addresses.IpNetwork, gateway: str | None) -> None:
    if gateway is None:
        return
    address = ipaddress.ip_address(gateway)
    if address.version != network.version:
        raise InvalidInput(f"gateway_ip '{gateway}' does not match the ip_version '{network.version}'")
    # of IPv6 also the routers' anycast address (RFC 4291 2.6.1), which newer Neutrons even have as default
    if network.version == 4 and address in network and not addresses.may_be_held(network, address):
        raise InvalidInput("Gateway is not valid on subnet")


def _refuse_gateway_in_use(tx: WriteTransaction, subnet: Object, gateway: str | None) -> None:
    """By a router: its address is the one that hosts were told."""
    now = subnet["gateway_ip"]
    if not now or gateway == now:
        return
    holder = tx.holders(scope(subnet["id"]), [str(addresses.number(now))]).get(str(addresses.number(now)))
    port = tx.glance.get(*holder) if holder else None
    if port is not None and port["device_owner"] in INTERFACES:
        raise GatewayIpInUse(ip_address=now, port_id=port["id"])


def _check_servers(subnet: Object) -> None:
    for name in subnet["dns_nameservers"]:
        if addresses.version_of(name) != subnet["ip_version"]:
            raise InvalidInput(f"dns_nameserver '{name}' does not match the ip_version '{subnet['ip_version']}'")
    for route in subnet["host_routes"]:
        if ipaddress.ip_network(route["destination"]).version != addresses.version_of(route["nexthop"]):
            raise InvalidInput(f"host_routes: {route['destination']} and {route['nexthop']} differ in IP version")


def _check_ipv6_modes(subnet: Object) -> None:
    ra, address = subnet["ipv6_ra_mode"], subnet["ipv6_address_mode"]
    if ra is None and address is None:
        return
    if subnet["ip_version"] == 4:
        name = "ipv6_ra_mode" if ra is not None else "ipv6_address_mode"
        raise InvalidInput(f"{name} is not valid when ip_version is 4")
    if not subnet["enable_dhcp"]:
        raise InvalidInput("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
    if ra is not None and address is not None and ra != address:
        raise InvalidInput(
            f"ipv6_ra_mode set to '{ra}' with ipv6_address_mode set to '{address}' is not valid. "
            "If both attributes are set, they must be the same value"
        )
    if addresses.is_automatic(subnet) and not subnet["cidr"].endswith("/64"):
        raise InvalidInput(
            f"Invalid CIDR {subnet['cidr']} for IPv6 address mode. "
            "OpenStack uses the EUI-64 address format, which requires the prefix to be /64"
        )


def _refuse_other_pools(tx: WriteTransaction, parent: Object, version: int, pool_id: str | None) -> Object:
    """What the network says of its scopes once it has a subnet of this pool, or of none."""
    pool = tx.lock(subnetpools.KIND, pool_id) if pool_id else None
    if pool_id and pool is None:
        raise subnetpools.SubnetPoolNotFound(id=pool_id)
    if pool is not None and pool["ip_version"] == version and address_scopes.are_in_one_scope(parent, pool):
        return {}
    beside = [one for one in tx.glance.get_many("subnets", parent["subnets"]).values() if one["ip_version"] == version]
    if any(one["subnetpool_id"] != pool_id for one in beside):
        raise NetworkSubnetPoolAffinityError()
    return {address_scopes.OF_NETWORK[version]: pool[SCOPE]} if pool and pool.get(SCOPE) else {}


def _refuse_overlap(tx: WriteTransaction, parent: Object, network: addresses.IpNetwork) -> None:
    for other in tx.glance.get_many("subnets", parent["subnets"]).values():
        theirs = ipaddress.ip_network(other["cidr"])
        if theirs.version == network.version and theirs.overlaps(network):
            raise InvalidInput(
                f"Requested subnet with cidr: {network} for network: {parent['id']} overlaps with another subnet"
            )


def _give_addresses(tx: WriteTransaction, subnet: Object) -> None:
    """Ports that are there already take an address of a new automatic subnet by themselves."""
    ids = {referrer.id for referrer in tx.referrers("networks", subnet["network_id"], source_kind="ports")}
    for port in tx.lock_many("ports", ids).values():
        if port["device_owner"] in INTERFACES or not serves(subnet, port["device_owner"]):
            continue
        address = addresses.eui64(subnet["cidr"], port["mac_address"])
        fixed_ips = [*port["fixed_ips"], {"subnet_id": subnet["id"], "ip_address": address}]
        tx.claim("ports", port["id"], [Claim(scope(subnet["id"]), str(addresses.number(address)))])
        _write_addresses(tx, port, fixed_ips)


def _forget_address(tx: WriteTransaction, port: Object, subnet_id: str) -> None:
    gone = [fixed for fixed in port["fixed_ips"] if fixed["subnet_id"] == subnet_id]
    held = [Claim(scope(subnet_id), str(addresses.number(fixed["ip_address"]))) for fixed in gone]
    tx.release("ports", port["id"], held)
    _write_addresses(tx, port, [fixed for fixed in port["fixed_ips"] if fixed not in gone])


def _write_addresses(tx: WriteTransaction, port: Object, fixed_ips: list[Object]) -> None:
    links = [Link("fixed_ips", "subnets", id) for id in dict.fromkeys(fixed["subnet_id"] for fixed in fixed_ips)]
    attached.follow(tx, tx.update("ports", port["id"], bumped(port, {"fixed_ips": fixed_ips}), {"fixed_ips": links}))
