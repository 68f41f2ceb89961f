"""Members of pools: one at a time, or all of a pool at once."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from netweft.control.lb import monitors, pools
from netweft.control.lb.errors import DuplicateMember, InvalidOption, MemberSriovDisabled, ValidationFailure
from netweft.control.lb.tree import Tree
from netweft.control.lb.vocabulary import MEMBERS
from netweft.model.load_balancer import FLAVOR
from netweft.store import Object

SAID: Final = "netweft:said"  # kept on a member: addresses that were sent in another spelling than the one that is kept
# metadata's, also written into IPv6: nobody's to be led to by a balancer, nor asked by its monitors
RESERVED: Final = frozenset(map(ip_address, ("169.254.169.254", "::ffff:169.254.169.254", "fe80::a9fe:a9fe")))
_STAYS = ("address", "protocol_port", "subnet_id", "request_sriov", "project_id")  # in an update of all


def create(tree: Tree, pool: Object, wanted: Sequence[Object]) -> list[Object]:
    tree.begin()
    pools.touch(tree, pool)
    return made(tree, pool, wanted)


def made(tree: Tree, pool: Object, wanted: Sequence[Object]) -> list[Object]:
    """In a tree that may change."""
    wanted = [_spelled(one) for one in wanted]
    taken = {_place(one) for one in tree.of_pool(MEMBERS, pool["id"])}
    for one in wanted:
        if _place(one) in taken:
            raise DuplicateMember(ip_address=one["address"], port=one["protocol_port"])
        taken.add(_place(one))
        if one.get("request_sriov") and not tree.balancer[FLAVOR].get("allow_member_sriov"):
            raise MemberSriovDisabled()
    status = monitors.status_of_new(tree, pool)
    more = {"pool_id": pool["id"], "operating_status": status, "vnic_type": "normal"}
    return tree.insert(MEMBERS, [_kept(one) | more for one in wanted])


def update(tree: Tree, pool: Object, current: Object, changes: Object) -> Object:
    tree.begin()
    pools.touch(tree, pool)
    return tree.update(MEMBERS, current["id"], _respelled(current, changes))


def delete(tree: Tree, pool: Object, current: Object) -> None:
    tree.begin()
    pools.touch(tree, pool)
    tree.delete(MEMBERS, [current["id"]])


def put_all(tree: Tree, pool: Object, wanted: Sequence[Object], given: Sequence[Object], *, additive: bool) -> None:
    """given: the same as it was sent: what was not said of a member that is there stays.
    additive: those that are not named stay."""
    places = [_place(one) for one in wanted]
    if len(set(places)) < len(places):
        raise ValidationFailure(detail="Member must be updated only once in the same request.")
    there = {_place(one): one for one in tree.of_pool(MEMBERS, pool["id"])}
    gone = [] if additive else [one["id"] for place, one in there.items() if place not in set(places)]
    if not (gone or wanted):
        return
    tree.begin()
    pools.touch(tree, pool)
    tree.delete(MEMBERS, gone)
    for one, said in zip(wanted, given, strict=True):
        if (found := there.get(_place(one))) is not None:
            changes = {name: one[name] for name in said if name in one and name not in _STAYS}
            tree.update(MEMBERS, found["id"], _respelled(found, changes))
    made(tree, pool, [one for one in wanted if _place(one) not in there])


def _spelled(given: Object) -> Object:
    """With addresses as they are compared, and how they were sent."""
    found = {name: given[name] for name in ("address", "monitor_address") if name in given}
    addresses = {name: ip_address(text) if text else None for name, text in found.items()}
    for name, address in addresses.items():
        if address in RESERVED:
            raise InvalidOption(value=found[name], option=f"member {name}")
    kept = {name: str(address) if address else None for name, address in addresses.items()}
    return given | kept | {SAID: {name: text for name, text in found.items() if text != kept[name]}}


def _respelled(current: Object, changes: Object) -> Object:
    said = {name: text for name, text in current[SAID].items() if name not in changes}
    spelled = _spelled(changes)
    return spelled | {SAID: said | spelled[SAID]}


def _place(member: Object) -> tuple[str, int]:
    return str(ip_address(member["address"])), member["protocol_port"]


def _kept(wanted: Object) -> Object:
    return {name: value for name, value in wanted.items() if name != "request_sriov"}
