"""Address scopes: prefixes of the subnet pools in one scope do not overlap, and between its networks nothing is
translated.  Routers lead from one scope into another by NAT only (`services/l3/routing/address_scopes`).

A network is in the scopes of the pools that its subnets come from, one for each IP version.  It says so itself, and is
written when that changes: the feed and answers need no look at pools.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from netweft.control import rbac
from netweft.control.errors import BadRequest, Conflict, NotFound
from netweft.control.sharing import SHARED, Shareable
from netweft.control.standard import Plain, bumped
from netweft.store import Link, Object, Query, ReadTransaction, WriteTransaction

KIND = "address_scopes"
SCOPE = "address_scope_id"  # of subnet pools
OF_NETWORK = {4: "ipv4_address_scope", 6: "ipv6_address_scope"}
POOLS = "subnetpools"


class AddressScopeNotFound(NotFound):
    message = "Address scope %(id)s could not be found."


class AddressScopeInUse(Conflict):
    message = (
        "Unable to complete operation on address scope %(address_scope_id)s. "
        "There are one or more subnet pools in use on the address scope."
    )


class AddressScopeUpdateError(BadRequest):
    message = "Unable to update address scope %(address_scope_id)s : %(reason)s."


class NetworkAddressScopeAffinityError(BadRequest):
    message = (
        "Subnets of the same address family hosted on the same network must all participate in the same address scope."
    )


class AddressScopePrefixConflict(Conflict):
    message = "Failed to associate address scope: subnetpools within an address scope must have unique prefixes."


class IllegalSubnetPoolUpdate(BadRequest):
    message = "Illegal subnetpool update : %(reason)s."


class IllegalSubnetPoolIpVersionAssociationToAddressScope(BadRequest):
    message = (
        "Illegal subnetpool association: subnetpool %(subnetpool_id)s cannot associate with address scope "
        "%(address_scope_id)s because subnetpool ip_version is not %(ip_version)s."
    )


class AddressScopes(Shareable):
    def __init__(self) -> None:
        super().__init__(KIND, Plain(KIND))

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        everybodys = rbac.shared_with(tx, KIND, None, among=[current["id"]])
        if everybodys and not changes.get(SHARED, True):
            reason = "Shared address scope can't be unshared"
            raise AddressScopeUpdateError(address_scope_id=current["id"], reason=reason)
        return super().update(tx, current, changes)

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        if tx.referrers(KIND, current["id"]):
            raise AddressScopeInUse(address_scope_id=current["id"])
        super().delete(tx, current)


# -- pools in a scope


def links(pool: Object) -> list[Link]:
    return [Link(SCOPE, KIND, pool[SCOPE])] if pool.get(SCOPE) else []


def check_pool(tx: WriteTransaction, pool: Object) -> None:
    """Before a pool, with these prefixes, is in its scope, if it has one: that is held alone."""
    if not pool.get(SCOPE):
        return
    scope = tx.lock(KIND, pool[SCOPE])
    if scope is None:
        raise AddressScopeNotFound(id=pool[SCOPE])
    if scope["ip_version"] != pool["ip_version"]:
        raise IllegalSubnetPoolIpVersionAssociationToAddressScope(
            subnetpool_id=pool["id"], address_scope_id=scope["id"], ip_version=scope["ip_version"]
        )
    others = [one for one in tx.query(POOLS, Query({SCOPE: [scope["id"]]})) if one["id"] != pool["id"]]
    if _overlap(pool["prefixes"], [prefix for one in others for prefix in one["prefixes"]]):
        raise AddressScopePrefixConflict()


def rescope(tx: WriteTransaction, pool: Object, scope: str | None) -> None:
    """The networks with subnets of this pool, which are held alone, follow it into another scope."""
    own = tx.query("subnets", Query({"subnetpool_id": [pool["id"]]}))
    networks = tx.lock_many("networks", {subnet["network_id"] for subnet in own})
    beside = {id for network in networks.values() for id in network["subnets"]} - {subnet["id"] for subnet in own}
    if any(one["ip_version"] == pool["ip_version"] for one in tx.glance.get_many("subnets", beside).values()):
        raise NetworkAddressScopeAffinityError()
    for network in networks.values():
        tx.update("networks", network["id"], bumped(network, {OF_NETWORK[pool["ip_version"]]: scope}))


def networks_of(tx: ReadTransaction, pool: Object) -> Iterator[tuple[str, str]]:
    """To be held alone before a pool changes its scope; nothing, if it is gone."""
    for subnet in tx.query("subnets", Query({"subnetpool_id": [pool["id"]]})) if pool else ():
        yield "networks", subnet["network_id"]


# -- networks in scopes


def of_network(tx: ReadTransaction, subnets: Iterable[Object]) -> Object:
    """What a network with these subnets says of its scopes."""
    by_pool = {subnet["subnetpool_id"]: subnet["ip_version"] for subnet in subnets if subnet["subnetpool_id"]}
    pools = tx.get_many(POOLS, by_pool.keys())
    found = {OF_NETWORK[by_pool[id]]: pool[SCOPE] for id, pool in pools.items() if pool.get(SCOPE)}
    return dict.fromkeys(OF_NETWORK.values()) | found


def are_in_one_scope(network: Object, pool: Object) -> bool:
    """Before a network gets a subnet of this pool.  False: the network is in no scope, and may have others' pools."""
    scope = network.get(OF_NETWORK[pool["ip_version"]])
    if scope and pool.get(SCOPE) != scope:
        raise NetworkAddressScopeAffinityError()
    return bool(scope)


def _overlap(prefixes: Iterable[str], others: Iterable[str]) -> bool:
    """Of the others no two overlap: those of one pool are put together, those of pools in one scope are apart."""
    bounds = sorted(_bounds(other) for other in others)
    for version, first, last in map(_bounds, prefixes):
        at = bisect_right(bounds, (version, last, last)) - 1  # the last one that begins before the end
        if at >= 0 and bounds[at][0] == version and bounds[at][2] >= first:
            return True
    return False


def _bounds(prefix: str) -> tuple[int, int, int]:
    network = ipaddress.ip_network(prefix)
    return network.version, int(network.network_address), int(network.broadcast_address)
