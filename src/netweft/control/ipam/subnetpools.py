"""Subnet pools: prefixes that subnets are cut out of, so that no two from one pool overlap.

What a pool has given out is what its subnets have: there is no second record of it.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from netweft.control import rbac
from netweft.control.errors import BadRequest, Conflict, InvalidInput, NotFound
from netweft.control.ipam import address_scopes
from netweft.control.ipam.address_scopes import SCOPE
from netweft.control.ipam.addresses import IpNetwork
from netweft.control.standard import Plain, born, bumped
from netweft.store import Busy, Object, Query, WriteTransaction

KIND = "subnetpools"
_SMALLEST = {4: 8, 6: 64}  # the default of min_prefixlen
_LARGEST = {4: 32, 6: 128}
_COUNTED = {4: 32, 6: 64}  # the prefix length that counts as one in a quota
_BOUNDS = ("min_prefixlen", "max_prefixlen", "default_prefixlen")


class SubnetPoolNotFound(NotFound):
    message = "Subnet pool %(id)s could not be found."


class EmptySubnetPoolPrefixList(BadRequest):
    message = "Empty subnet pool prefix list."


class PrefixVersionMismatch(BadRequest):
    message = "Cannot mix IPv4 and IPv6 prefixes in a subnet pool."


class UnsupportedMinSubnetPoolPrefix(BadRequest):
    message = "Prefix '%(prefix)s' not supported in IPv%(version)s pool."


class IllegalSubnetPoolPrefixBounds(BadRequest):
    message = "Illegal prefix bounds: %(one)s=%(length)s, %(other)s=%(bound)s."


class IllegalSubnetPoolPrefixUpdate(BadRequest):
    message = "Illegal update to prefixes: %(msg)s."


class MinPrefixSubnetAllocationError(BadRequest):
    message = "Unable to allocate subnet with prefix length %(length)s, minimum allowed prefix is %(bound)s."


class MaxPrefixSubnetAllocationError(BadRequest):
    message = "Unable to allocate subnet with prefix length %(length)s, maximum allowed prefix is %(bound)s."


class SubnetAllocationError(Conflict):
    message = "Failed to allocate subnet: %(reason)s."


class SubnetPoolQuotaExceeded(Conflict):
    message = "Per-tenant subnet pool prefix quota exceeded."


class SubnetPoolDeleteError(Conflict):
    message = "Unable to delete subnet pool: %(reason)s."


class SubnetPools(Plain):
    def __init__(self) -> None:
        super().__init__(KIND)

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        pools = [born(_complete(one)) for one in wanted]
        for pool in pools:
            _refuse_second_default(tx, pool)
            address_scopes.check_pool(tx, pool)
            tx.insert(KIND, pool, address_scopes.links(pool))
        return pools

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        after = _complete(current | changes)
        if after["ip_version"] != current["ip_version"]:
            raise PrefixVersionMismatch()
        if not _hold(after["prefixes"], map(ipaddress.ip_network, current["prefixes"])):
            raise IllegalSubnetPoolPrefixUpdate(msg="Existing prefixes must be a subset of the new prefixes")
        _refuse_second_default(tx, after)
        address_scopes.check_pool(tx, after)
        if after.get(SCOPE) != current.get(SCOPE):
            address_scopes.rescope(tx, current, after[SCOPE])
        known = {name: after[name] for name in (*changes, "prefixes")}
        return tx.update(KIND, current["id"], bumped(current, known), {SCOPE: address_scopes.links(after)})

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        if tx.referrers(KIND, current["id"]):
            raise SubnetPoolDeleteError(reason="Subnet pool has existing allocations")
        super().delete(tx, current)


def chosen(tx: WriteTransaction, wanted: Object) -> str | None:
    """The pool that a new subnet is to come from: named, or the default one."""
    named: str | None = wanted.get("subnetpool_id")
    if not wanted.get("use_default_subnetpool"):
        return named
    if named:
        raise InvalidInput("subnetpool_id and use_default_subnetpool cannot both be specified")
    version = wanted["ip_version"]
    for pool in tx.query(KIND, Query({"ip_version": [version], "is_default": [True]})):
        held = tx.lock(KIND, pool["id"]) or {}
        if not held.get("is_default"):
            raise Busy("another subnet pool is the default one now")
        if pool["project_id"] == wanted["project_id"] or pool["id"] in rbac.shared_with(
            tx, KIND, wanted["project_id"], among=[pool["id"]]
        ):
            return str(pool["id"])
    raise InvalidInput(f"No default subnetpool found for IPv{version}")


def take(tx: WriteTransaction, pool_id: str, wanted: Object) -> str:
    """A prefix of this pool for a new subnet: the one that is requested, else the first that is free."""
    pool = tx.lock(KIND, pool_id)  # others who take from it wait
    if pool is None:
        raise SubnetPoolNotFound(id=pool_id)
    if pool["ip_version"] != wanted["ip_version"]:
        raise InvalidInput(f"Cannot allocate IPv{wanted['ip_version']} subnet from IPv{pool['ip_version']} subnet pool")
    given = tx.query("subnets", Query({"subnetpool_id": [pool_id]}))
    taken = sorted(_numbers(ipaddress.ip_network(subnet["cidr"])) for subnet in given)
    if wanted.get("cidr"):
        found = _exactly(pool, taken, ipaddress.ip_network(wanted["cidr"]))
    else:
        found = _first_free(pool, taken, wanted)
    mine = [subnet for subnet in given if subnet["project_id"] == wanted["project_id"]]
    _check_quota(pool, [found, *(ipaddress.ip_network(subnet["cidr"]) for subnet in mine)])
    return str(found)


def _exactly(pool: Object, taken: Sequence[tuple[int, int]], asked: IpNetwork) -> IpNetwork:
    _check_length(pool, asked.prefixlen)
    first, last = _numbers(asked)
    if not _hold(pool["prefixes"], [asked]) or any(start <= last and first <= end for start, end in taken):
        raise SubnetAllocationError(reason="Cannot allocate requested subnet from the available set of prefixes")
    return asked


def _first_free(pool: Object, taken: Sequence[tuple[int, int]], wanted: Object) -> IpNetwork:
    if wanted.get("allocation_pools") or wanted.get("gateway_ip"):
        raise InvalidInput("allocation_pools and gateway_ip are allowed only for specific subnet requests")
    asked = wanted.get("prefixlen")
    length: int = pool["default_prefixlen"] if asked is None else asked
    _check_length(pool, length)
    size = 1 << (_LARGEST[pool["ip_version"]] - length)
    for prefix in map(ipaddress.ip_network, pool["prefixes"]):
        at, last = _numbers(prefix)
        for start, end in taken:
            if end >= at and start < at + size:
                at = -(-(end + 1) // size) * size  # the next one behind it
        if prefix.prefixlen <= length and at + size - 1 <= last:
            address = (ipaddress.IPv4Address if prefix.version == 4 else ipaddress.IPv6Address)(at)
            return ipaddress.ip_network(f"{address}/{length}")
    raise SubnetAllocationError(reason=f"Insufficient prefix space to allocate subnet size /{length}")


def _check_length(pool: Object, length: int) -> None:
    if length < pool["min_prefixlen"]:
        raise MinPrefixSubnetAllocationError(length=length, bound=pool["min_prefixlen"])
    if length > pool["max_prefixlen"]:
        raise MaxPrefixSubnetAllocationError(length=length, bound=pool["max_prefixlen"])


def _check_quota(pool: Object, networks: Iterable[IpNetwork]) -> None:
    """Of addresses, or with IPv6 of /64s, that one project has from it."""
    unit = _COUNTED[pool["ip_version"]]
    used = sum(2.0 ** (unit - network.prefixlen) for network in networks)
    if pool["default_quota"] is not None and used > pool["default_quota"]:
        raise SubnetPoolQuotaExceeded()


def _complete(wanted: Object) -> Object:
    """With what Neutron fills in; prefixes that lie side by side become one."""
    networks = [ipaddress.ip_network(prefix) for prefix in wanted["prefixes"]]
    versions = {network.version for network in networks}
    if not versions:
        raise EmptySubnetPoolPrefixList()
    if len(versions) > 1:
        raise PrefixVersionMismatch()
    version = versions.pop()
    prefixes = [str(network) for network in sorted(ipaddress.collapse_addresses(networks))]  # type: ignore[type-var]
    least = wanted.get("min_prefixlen")
    pool = {"default_quota": None, SCOPE: None, "max_prefixlen": _LARGEST[version]} | wanted
    pool["min_prefixlen"] = _SMALLEST[version] if least is None else least
    pool.setdefault("default_prefixlen", pool["min_prefixlen"])
    _check_bounds(pool, version)
    return pool | {"prefixes": prefixes, "ip_version": version}


def _check_bounds(pool: Object, version: int) -> None:
    least, most, usual = (pool[name] for name in _BOUNDS)
    if least < 1:
        raise UnsupportedMinSubnetPoolPrefix(prefix=least, version=version)
    if most > _LARGEST[version]:
        raise IllegalSubnetPoolPrefixBounds(
            one="max_prefixlen", length=most, other="host_prefixlen", bound=_LARGEST[version]
        )
    wrong = [("max_prefixlen", most, "min_prefixlen", least)] if least > most else []
    wrong += [("default_prefixlen", usual, "min_prefixlen", least)] if usual < least else []
    wrong += [("default_prefixlen", usual, "max_prefixlen", most)] if usual > most else []
    for one, length, other, bound in wrong:
        raise IllegalSubnetPoolPrefixBounds(one=one, length=length, other=other, bound=bound)


def _refuse_second_default(tx: WriteTransaction, pool: Object) -> None:
    if not pool["is_default"]:
        return
    tx.take_turns(KIND)
    others = tx.query(KIND, Query({"ip_version": [pool["ip_version"]], "is_default": [True]}))
    if any(other["id"] != pool["id"] for other in others):
        raise InvalidInput(
            "A default subnetpool for this IP family has already been set. Only one default may exist per IP family"
        )


def _hold(prefixes: Iterable[str], networks: Iterable[IpNetwork]) -> bool:
    """Whether each of the networks is in one of the prefixes, which do not overlap."""
    bounds = sorted((prefix.version, *_numbers(prefix)) for prefix in map(ipaddress.ip_network, prefixes))
    for network in networks:
        first, last = _numbers(network)
        at = bisect_right(bounds, (network.version, first, last)) - 1
        around = [bound for bound in bounds[max(at, 0) : at + 2] if bound[0] == network.version]
        if not any(start <= first and last <= end for _, start, end in around):
            return False
    return True


def _numbers(network: IpNetwork) -> tuple[int, int]:
    """Its first and last address."""
    return int(network.network_address), int(network.broadcast_address)
