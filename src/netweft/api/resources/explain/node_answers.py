"""What a port's node says of it when it is asked: its interface, its link, what of it is not as the agent wants it, and
by what its network leaves the node.  Pure but for the questions."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from netweft.control.explain.examine import Finding
from netweft.control.explain.ports import is_plugged_in
from netweft.control.explain.snapshot import Row, Told
from netweft.control.l2.hosts import HOST
from netweft.control.trace import codes
from netweft.feed.queries import Silence
from netweft.wire.queries import Answer, Ask, Differs, Interface, cut
from netweft.wire.wiring import Wiring


class Asks(Protocol):
    async def ask(self, node: str, question: Ask) -> Answer | Silence: ...


class Said(NamedTuple):
    """wiring: None where the port is not wired, or the node does not say."""

    answer: Answer
    wiring: Wiring | None = None


def host_of(kind: str, row: Row) -> str:
    """Whom to ask; empty: nobody."""
    return str(row.get(HOST) or "") if kind == "ports" and is_plugged_in(row) else ""


async def said(asks: Asks, kind: str, row: Row) -> Said | str:
    """A text: which node was not seen, and why; empty: nobody is asked."""
    host = host_of(kind, row)
    if not host:
        return ""
    answer, wired = await asyncio.gather(
        asks.ask(host, Ask(id="", port_id=row["id"])),
        asks.ask(host, Ask(id="", port_id=row["id"], wiring=True)),
    )
    why = answer.why if isinstance(answer, Silence) else cut(answer.error)
    if why or isinstance(answer, Silence):
        return f"{host}: {why}"
    return Said(answer, None if isinstance(wired, Silence) else wired.wiring)


def found(row: Row, said: Said) -> Iterator[Finding]:
    """What is said of a port anyway that is not ACTIVE is not said again."""
    host, answer = row[HOST], said.answer
    its = next((one for one in answer.interfaces if one.port_id == row["id"]), None)
    if row["status"] == "ACTIVE" or its is not None:
        yield from of_interface(row, host, its)
    digits = str(row["id"]).replace("-", "")
    for one in answer.differs:
        if one.object.strip("0") and digits.startswith(one.object):
            yield Finding("ports", row, Told(codes.NOT_AS_WANTED, in_words(host, one), _at(host)))
    if said.wiring is not None:
        yield from _of_ways_out(row, host, said.wiring)


def _of_ways_out(port: Row, host: str, wiring: Wiring) -> Iterator[Finding]:
    """A tunnelled network that is on no other node needs none.  One interface of several is enough."""
    if wiring.tunnel_ip and not wiring.far:
        return
    ways = wiring.uplinks if wiring.tunnel_ip else wiring.out
    if ways and all(one.link == "down" for one in ways):
        values = {"host": host, "interface": ways[0].name}
        yield Finding("ports", port, Told(codes.UPLINK_DOWN, f"{ways[0].name} on {host}", values))


def of_interface(port: Row, host: str, interface: Interface | None) -> Iterator[Finding]:
    if interface is None or interface.ofport <= 0:
        detail = f"{host}: {interface.error}" if interface and interface.error else host
        yield Finding("ports", port, Told(codes.NODE_NOT_WIRED, detail, _at(host)))
    elif interface.link == "down":
        values = {"host": host, "interface": interface.name}
        yield Finding("ports", port, Told(codes.VM_LINK_DOWN, f"{interface.name} on {host}", values))


def in_words(host: str, one: Differs) -> str:
    there = f"there is {one.there}" if one.there else "it is missing"
    return f"{host}: {one.what}: {there}" + (f", wanted {one.wanted}" if one.wanted else "")


def _at(host: str) -> Mapping[str, str]:
    return {"host": host}
