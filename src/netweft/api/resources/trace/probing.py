"""A packet is sent at a port, as its VM would send it, and looked for on the way that nodes have said it takes.

Only where it is asked for, and where by the rows and by Open vSwitch it arrives: what is between nodes shows then."""

import asyncio
import secrets
from typing import Final, NamedTuple

from netweft.api.resources.explain.asked import Asks
from netweft.api.resources.trace.nodes import Followed, Looked
from netweft.control.explain.examine import Finding
from netweft.control.explain.snapshot import Row, Told
from netweft.control.trace import codes
from netweft.feed.questions import Silence
from netweft.wire.questions import Answer, Ask, Probe, Sent

MARK_BYTES: Final = 64
_ETHERNET, _IP, _UPPER = 14, {4: 20, 6: 40}, {6: 20}  # bytes of headers; above IP of TCP, else 8


class Probed(NamedTuple):
    """seen: where, as host and interface.  arrived: None: that was not found out; why: for an admin."""

    arrived: bool | None = None
    seen: tuple[tuple[str, str], ...] = ()
    missed: tuple[str, str] | None = None
    why: str = ""


async def probe(asks: Asks, followed: Followed) -> Probed:
    """The way there, which begins at a port and has arrived."""
    mark = secrets.token_hex(MARK_BYTES)
    places = [(looked, name) for looked in followed.looked for name in _interfaces(looked)]
    ends = [(looked.host, out.interface) for looked in followed.looked for out in looked.answer.exits]
    questions = {}
    for number, looked in enumerate(followed.looked):
        if looked.host not in questions:
            names = tuple(dict.fromkeys(name for of, name in places if of.host == looked.host))
            awaited = tuple(dict.fromkeys(name for host, name in ends if host == looked.host))
            questions[looked.host] = _question(looked, names, awaited, mark, sends=number == 0)
    answers = await asyncio.gather(*(asks.ask(host, question) for host, question in questions.items()))
    said = dict(zip(questions, answers, strict=True))
    problems = [f"{host}: {why}" for host, answer in said.items() if (why := _problem(answer))]
    if problems:
        return Probed(why="; ".join(problems))
    seen = tuple((host, name) for host, one in said.items() if isinstance(one, Answer) for name in one.seen)
    last = ends[-1] if ends else ("", "")
    missed = next((end for end in ends if end not in seen), None)
    return Probed(last in seen, seen, None if last in seen else missed)


def _problem(answer: Answer | Silence) -> str:
    return answer.why if isinstance(answer, Silence) else answer.error


def _interfaces(looked: Looked) -> list[str]:
    """Where it leaves, and where it can have come in."""
    ways_in = [one.name for one in looked.answer.interfaces if not one.port_id]
    return [*(out.interface for out in looked.answer.exits if out.interface), *ways_in]


def _question(looked: Looked, names: tuple[str, ...], awaited: tuple[str, ...], mark: str, *, sends: bool) -> Ask:
    packet = looked.question.packet
    asked = Probe(mark=mark, length=_length(packet) if packet else 0, interfaces=names, awaited=awaited)
    if not sends:
        return Ask(id="", probe=asked)
    return Ask(id="", port_id=looked.question.port_id, packet=packet, probe=asked)


def _length(packet: Sent) -> int:
    return _ETHERNET + _IP[6 if ":" in packet.dst else 4] + _UPPER.get(packet.protocol, 8) + MARK_BYTES


def finding(probed: Probed, about: Row) -> Finding | None:
    if probed.arrived is not False:
        return None
    places = ", ".join(f"{host} {interface}" for host, interface in probed.seen) or "nowhere"
    host, interface = probed.missed or ("HOST", "INTERFACE")
    detail = f"seen at {places}; not at {host} {interface}"
    return Finding("ports", about, Told(codes.PROBE_LOST, detail, {"host": host, "interface": interface}))
