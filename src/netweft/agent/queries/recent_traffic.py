"""What a port's VM has sent in the last seconds, as the datapath remembers it: which addresses it has resolved, and to
which MAC it has sent what was for the far end of a packet.  Nothing is sent, and no packet is looked at for it."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from netweft.dataplane.unixctl.client import CommandFailed
from netweft.dataplane.unixctl.flow_cache import SHOW, Remembered, count, listing, number, remembered
from netweft.wire.queries import MOST_HEARD, Heard, Sent

if TYPE_CHECKING:
    from netweft.agent.loop import Agent

MOST_FLOWS: Final = 5_000  # a listing walks through all, while packets wait for vswitchd
FRESH: Final = 2.5  # seconds: who pings, or waits for an ARP answer, sends once a second


async def recent(
    agent: "Agent", port_id: str, packet: Sent, command: Callable[..., Awaitable[str]]
) -> tuple[Heard, ...] | None:
    """None: it is not known.  A sub-port's VM cannot be distinguished from its trunk's."""
    here = agent.desired.local_port(port_id)
    if here is None or here.ofport <= 0 or here.tag:
        return None
    try:
        shown = await command(SHOW)
        flows, at = count(shown), number(shown, here.port_name)
        if flows is None or at is None or flows > MOST_FLOWS:
            return None
        found = list(remembered(await command(*listing(at))))
    except CommandFailed:
        return None
    own = here.port.mac_address
    fresh = sorted((one for one in found if one.seconds <= FRESH and one.mac == own), key=lambda one: one.seconds)
    said = dict.fromkeys(_heard(one) for one in fresh if one.asked or (one.src, one.dst) == (packet.src, packet.dst))
    return tuple(said)[:MOST_HEARD]


def _heard(one: Remembered) -> Heard:
    if one.asked:
        return Heard(kind="asks", address=one.asked, mac=one.mac)
    return Heard(kind="sends", address=one.src, mac=one.mac, to=one.to)
