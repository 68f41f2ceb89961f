"""VLANs that a network has on one physical network only while it is needed there: in a rack behind a VTEP.

As Neutron's dynamic segments, of hierarchical binding: kept on the network beside its own segments, and not shown with
them.  A VLAN that is there already will do for any number of owners; it goes back to its pool with the last.
"""

from collections.abc import Mapping
from typing import Final

from netweft.control.l2.segment_ranges import SegmentRanges
from netweft.control.l2.segments import ID, PHYSICAL, TYPE
from netweft.plugins.segments import VLAN, segment_types
from netweft.settings import ServerSettings
from netweft.store import Claim, Object, Taken, WriteTransaction

DYNAMIC: Final = "netweft:dynamic_segments"
OWNERS: Final = "owners"


def scope(owner: str) -> str:
    """Where the networks are claimed, by their ids, that have a segment because of this owner."""
    return f"dynamic_segments:{owner}"


def on(network: Object, physical: str) -> Object | None:
    """The one on this physical network."""
    return next((one for one in network.get(DYNAMIC) or () if one[PHYSICAL] == physical), None)


def is_led(agent: Object, network: Object) -> bool:
    """Whether the network has a VLAN where this host is wired."""
    wired = (agent.get("configurations") or {}).get("bridge_mappings") or {}
    return any(on(network, physical) for physical in wired)


class DynamicSegments:
    def __init__(self, settings: ServerSettings) -> None:
        self._ranges = SegmentRanges(settings, segment_types())

    def follow(self, tx: WriteTransaction, owner: str, wanted: Mapping[str, str]) -> dict[str, str]:
        """wanted: network -> the physical network on which it needs a VLAN; all that this owner needs.
        Network -> why it has none.  Networks that are gone are no news."""
        held = {id for _, id in tx.held(scope(owner)).values()}
        lacking = {id: physical for id, physical in wanted.items() if id not in held}
        if not lacking and held <= wanted.keys():
            return {}
        self._ranges.keep(tx)
        failed = {}
        for id, network in sorted(tx.lock_many("networks", {*lacking, *(held - wanted.keys())}).items()):
            if id in held:
                self._leave(tx, network, owner)
            elif not self._take(tx, network, lacking[id], owner):
                failed[id] = f"no VLAN is left on physical network {lacking[id]} for network {id}"
        return failed

    def _take(self, tx: WriteTransaction, network: Object, physical: str, owner: str) -> bool:
        there = on(network, physical)
        others = [one for one in network.get(DYNAMIC) or () if one != there]
        claims = [Claim(scope(owner), network["id"])]
        if there is None:
            drawn = self._ranges.draw(tx, VLAN, physical, network["project_id"])
            if drawn is None:
                return False
            there = {TYPE: VLAN.name, PHYSICAL: physical, ID: drawn[1], OWNERS: []}
            claims.append(Claim(VLAN.scope(physical), str(drawn[1])))
        try:
            tx.claim("networks", network["id"], claims)
        except Taken:
            return False
        tx.update("networks", network["id"], {DYNAMIC: [*others, there | {OWNERS: [*there[OWNERS], owner]}]})
        return True

    def _leave(self, tx: WriteTransaction, network: Object, owner: str) -> None:
        left, claims = [], [Claim(scope(owner), network["id"])]
        for one in network.get(DYNAMIC) or ():
            owners = [each for each in one[OWNERS] if each != owner]
            if owners:
                left.append(one | {OWNERS: owners})
            else:
                claims.append(Claim(VLAN.scope(one[PHYSICAL]), str(one[ID])))
        tx.release("networks", network["id"], claims)
        tx.update("networks", network["id"], {DYNAMIC: left})
