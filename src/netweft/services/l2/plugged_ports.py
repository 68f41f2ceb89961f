"""The ports that are plugged in here: which network each is in, its number, and whether frames are flooded to it."""

from collections import defaultdict
from collections.abc import Collection, Iterator

from netweft.model import Port
from netweft.reconcile.memo import Reader
from netweft.services import wiring
from netweft.services.fields import logical_port
from netweft.services.values import Member, is_firewalled


class PluggedPorts:
    """Kept while facts change, so that a look-up for one network costs nothing for all others."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        # of each network; None when nothing is to be flooded there
        self._members: defaultdict[str, dict[str, Member | None]] = defaultdict(dict)
        self._network_of: dict[str, str] = {}
        self._number_of: dict[str, int] = {}
        self._at: dict[int, str] = {}  # logical port -> port

    def at(self, number: int) -> str | None:
        """By the number of its logical port."""
        return self._at.get(number)

    def on(self, network_id: str) -> Collection[str]:
        return self._members.get(network_id, ())

    def flooded(self, network_id: str) -> tuple[Member, ...]:
        members = filter(None, self._members.get(network_id, {}).values())
        return tuple(sorted(members, key=lambda member: member.number))

    def changed(self, port_id: str) -> Iterator[str]:
        """The port, or what it is plugged in by, may be otherwise.  The networks whose ports these are."""
        before = self._network_of.pop(port_id, None)
        if before is not None:
            self._forget(port_id, before)
            yield before
        port: Port | None = self._read.get(("port", port_id))
        place = wiring.plugged(self._read, port_id)
        if port is not None and place is not None:
            ofport = place.vif.ofport or 0
            floodable = port.admin_state_up and port.active and place.trunk_up and ofport > 0
            firewalled = is_firewalled(port, firewalled_network=bool(self._read.get(("firewalled", port.network_id))))
            number = logical_port(ofport, place.tag, guarded=port.port_security_enabled, tracked=firewalled)
            self._network_of[port_id], self._number_of[port_id] = port.network_id, number
            self._at[number] = port_id
            member = Member(number, _other_macs(port), firewalled)
            self._members[port.network_id][port_id] = member if floodable else None
            yield port.network_id

    def _forget(self, port_id: str, network_id: str) -> None:
        del self._members[network_id][port_id]
        if not self._members[network_id]:
            del self._members[network_id]
        if self._at.get(gone := self._number_of.pop(port_id)) == port_id:
            del self._at[gone]


def _other_macs(port: Port) -> tuple[str, ...]:
    """Of a guarded port, besides its own; one without port security may have any."""
    if not port.port_security_enabled:
        return ()
    return tuple(sorted({pair.mac_address for pair in port.allowed_address_pairs} - {port.mac_address}))
