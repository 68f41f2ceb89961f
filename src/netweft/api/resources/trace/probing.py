"""A packet is sent at a port, as its VM would send it, and looked for on the way that nodes have said it takes.

Only where it is requested, and where by the rows and by Open vSwitch it arrives: what is between nodes shows then."""

import asyncio
import secrets
from dataclasses import replace
from typing import Final, NamedTuple

from msgspec import structs

from netweft.api.resources.explain.node_answers import Asks
from netweft.api.resources.trace.nodes import Followed, Looked
from netweft.control.explain.examine import Finding
from netweft.control.explain.snapshot import Row, Told
from netweft.control.trace import codes
from netweft.control.trace.packet import WITH_PORTS
from netweft.feed.queries import Silence
from netweft.findings import Code
from netweft.wire.queries import Answer, Ask, Exit, Probe, Sent

MARK_BYTES: Final = 64
_ETHERNET, _IP, _ICMP, _UPPER = 14, {4: 20, 6: 40}, 8, {6: 20}  # bytes of headers; above IP of TCP, else 8


class Probed(NamedTuple):
    """seen: where, as host and interface.  arrived: None: that was not found out; why: for an admin.
    missed: where it was not seen, first of the way's ends; left: by which way out it was seen last, before that.
    length: of its frame.  large: the same of one of full size; None: there was none."""

    arrived: bool | None = None
    seen: tuple[tuple[str, str], ...] = ()
    missed: tuple[str, str] | None = None
    left: Exit | None = None
    why: str = ""
    length: int = 0
    large: "Probed | None" = None


async def probe(asks: Asks, followed: Followed, size: int) -> Probed:
    """The way there, which begins at a port and has arrived; twice at once, small and with a packet of so many
    bytes."""
    packet = followed.looked[0].question.packet
    small = _length(packet) if packet else 0
    full = _ETHERNET + size
    if full <= small:
        return await _probe(asks, followed, small)
    found, large = await asyncio.gather(_probe(asks, followed, small), _probe(asks, _beside(followed), full))
    return found._replace(large=large)


def _beside(followed: Followed) -> Followed:
    """From another port: of two that begin one connection a VM would take the second for an attack."""
    first, *others = followed.looked
    packet = first.question.packet
    if packet is None or packet.protocol not in WITH_PORTS:
        return followed
    packet = structs.replace(packet, sport=packet.sport - 1 if packet.sport > 1 else packet.sport + 1)
    return replace(followed, looked=[first._replace(question=structs.replace(first.question, packet=packet)), *others])


async def _probe(asks: Asks, followed: Followed, length: int) -> Probed:
    mark = secrets.token_hex(MARK_BYTES)
    places = [(looked, name) for looked in followed.looked for name in _interfaces(looked)]
    ends = [(looked.host, out) for looked in followed.looked for out in looked.answer.exits]
    questions = {}
    for number, looked in enumerate(followed.looked):
        if looked.host not in questions:
            names = tuple(dict.fromkeys(name for of, name in places if of.host == looked.host))
            awaited = tuple(dict.fromkeys(out.interface for host, out in ends if host == looked.host))
            asked = Probe(mark=mark, length=length, interfaces=names, awaited=awaited)
            questions[looked.host] = _question(looked, asked, sends=number == 0)
    answers = await asyncio.gather(*(asks.ask(host, question) for host, question in questions.items()))
    said = dict(zip(questions, answers, strict=True))
    problems = [f"{host}: {why}" for host, answer in said.items() if (why := _problem(answer))]
    if problems:
        return Probed(why="; ".join(problems), length=length)
    seen = tuple((host, name) for host, one in said.items() if isinstance(one, Answer) for name in one.seen)
    return _judged(ends, seen, length)


def _judged(ends: list[tuple[str, Exit]], seen: tuple[tuple[str, str], ...], length: int) -> Probed:
    places = [(host, out.interface) for host, out in ends]
    if not places or places[-1] in seen:
        return Probed(bool(places), seen, length=length)
    missed = next(number for number, place in enumerate(places) if place not in seen)
    left = ends[missed - 1][1] if missed else None
    return Probed(False, seen, places[missed], left, length=length)


def _problem(answer: Answer | Silence) -> str:
    return answer.why if isinstance(answer, Silence) else answer.error


def _interfaces(looked: Looked) -> list[str]:
    """Where it leaves, and where it can have come in."""
    ways_in = [one.name for one in looked.answer.interfaces if not one.port_id]
    return [*(out.interface for out in looked.answer.exits if out.interface), *ways_in]


def _question(looked: Looked, asked: Probe, *, sends: bool) -> Ask:
    if not sends:
        return Ask(id="", probe=asked)
    return Ask(id="", port_id=looked.question.port_id, packet=looked.question.packet, probe=asked)


def _length(packet: Sent) -> int:
    return _ETHERNET + _IP[6 if ":" in packet.dst else 4] + _UPPER.get(packet.protocol, _ICMP) + MARK_BYTES


_BETWEEN = {"tunnel": codes.LOST_IN_TUNNEL, "wire": codes.LOST_ON_WIRE}


def finding(probed: Probed, about: Row, overhead: int) -> Finding | None:
    """Of the small one, or else of the large one.  overhead: bytes that a tunnel puts around it."""
    large = probed.large
    if probed.arrived and large is not None and large.arrived is False:
        return _lost(large, about, codes.LOST_LARGE, overhead)
    if probed.arrived is not False:
        return None
    kind = probed.left.kind if probed.left else ""
    came_in = probed.missed is not None and any(host == probed.missed[0] for host, _ in probed.seen)
    if came_in:  # it is on that host, and does not go on
        return _lost(probed, about, codes.PROBE_LOST)
    return _lost(
        probed, about, {"tunnel": codes.LOST_IN_TUNNEL, "wire": codes.LOST_ON_WIRE}.get(kind, codes.PROBE_LOST)
    )


def is_lost_in_a_node(probed: Probed) -> bool:
    """Before it has left the sender's, or after it has come to another: where a limit may have dropped it."""
    lost = probed if probed.arrived is False else probed.large
    if lost is None or lost.missed is None:
        return False
    return not lost.seen or any(host == lost.missed[0] for host, _ in lost.seen)


def _lost(probed: Probed, about: Row, code: Code, overhead: int = 0) -> Finding:
    places = ", ".join(f"{host} {interface}" for host, interface in probed.seen)
    host, interface = probed.missed or ("HOST", "INTERFACE")
    left = probed.left
    from_ = next((of for of, name in reversed(probed.seen) if left and name == left.interface), host)
    values = {
        "host": from_ if code is not codes.PROBE_LOST else host,
        "interface": interface,
        "far": (left.tunnel if left else "") or "ADDRESS",
        "vlan": str(left.vlan if left else 0),
        "payload": str(probed.length - _ETHERNET + overhead - _IP[4] - _ICMP),
        "bytes": str(probed.length - _ETHERNET + overhead),
    }
    detail = f"{probed.length} bytes, seen {f'at {places}' if places else 'nowhere'}; not at {host} {interface}"
    return Finding("ports", about, Told(code, detail, values))
