"""Whether the far ends of tunnels that a packet leaves by are there: by BFD where this node watches them, else by ARP
on the underlay, as the host itself does before each packet.

Nobody else notices in time: Open vSwitch and the kernel keep for minutes what they have heard of a neighbour.  Only the
next hop answers ARP; of an end behind a router, and of IPv6, nothing is known without BFD.
"""

import asyncio
import contextlib
import fcntl
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netweft.dataplane.host.address_lookup import having
from netweft.dataplane.host.listening import Listener, answers
from netweft.dataplane.packets import arp
from netweft.services.l3.gateways.takeover import Sight
from netweft.wire.queries import Exit, Silent

if TYPE_CHECKING:
    from netweft.agent.loop import Agent

MOST: Final = 8  # far ends of one packet
PATIENCE: Final = (0.1, 0.15, 0.2)  # seconds from one question to the next, and after the last
_SIOCGIFHWADDR: Final = 0x8927
_ROUTES: Final = Path("/proc/net/route")  # words in the host's byte order


async def silent(agent: "Agent", exits: Iterable[Exit]) -> tuple[Silent, ...]:
    far = list(dict.fromkeys(out.tunnel for out in exits if out.tunnel))[:MOST]
    found = await asyncio.gather(*(_silent(agent, end) for end in far))
    return tuple(filter(None, found))


async def _silent(agent: "Agent", end: str) -> Silent | None:
    nodes = agent.desired.view.nodes
    host = next((host for host, node in nodes.items() if node.tunnel_ip == end), "")
    sight = agent.failover.seen.get(host)
    if sight is Sight.THERE:
        return None
    own = agent.settings.tunnel_ip or ""
    interface = having(own)
    asks = interface and ":" not in own + end and next_hop(_read(), end) == (interface, end)
    heard = bool(asks) and await _answers(interface, IPv4Address(own), IPv4Address(end))
    if sight is Sight.GONE:
        return Silent(tunnel=end, by="bfd", heard=heard)
    return Silent(tunnel=end, by="arp") if asks and not heard else None


async def _answers(interface: str, own: IPv4Address, end: IPv4Address) -> bool:
    """Where that cannot be probed: it counts as there."""
    try:
        mac = _mac(interface)
        with Listener(interface, answers(mac, end)) as listener:
            for seconds in PATIENCE:
                listener.say(arp.request(mac, own, end))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await listener.next()
                        return True
    except OSError:
        return True
    return False


def next_hop(routes: str, end: str) -> tuple[str, str]:
    """The interface and who is next there, by the host's table; empty: there is no route."""
    found: list[tuple[int, int, str, IPv4Address]] = []
    for line in routes.splitlines()[1:]:
        interface, destination, gateway, _, _, _, metric, mask, *_ = line.split()
        network = IPv4Network((_address(destination), str(_address(mask))))
        if IPv4Address(end) in network:
            found.append((network.prefixlen, -int(metric), interface, _address(gateway)))
    if not found:
        return "", ""
    _, _, name, next_one = max(found)
    return name, str(next_one) if int(next_one) else end


def _address(word: str) -> IPv4Address:
    return IPv4Address(struct.pack("=I", int(word, 16)))


def _read() -> str:
    with contextlib.suppress(OSError):
        return _ROUTES.read_text()
    return ""


def _mac(interface: str) -> bytes:
    """Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        return fcntl.ioctl(asks, _SIOCGIFHWADDR, struct.pack("256s", interface.encode()))[18:24]
