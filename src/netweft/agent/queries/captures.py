"""What a server has this node watch: real packets at the interfaces of ports, and where they leave or reach the node.

No flow is changed: what becomes of a packet is not touched by looking at it (decision 0517).  It ends when its time is
over, when no server polls it any more, and with this process."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from netweft.agent.queries.trace_input import NotHere, mapped
from netweft.dataplane.host.address_lookup import having
from netweft.dataplane.host.bpf import PLAIN, TUNNELS, Pattern, program
from netweft.dataplane.host.capture import Capture, Raw
from netweft.dataplane.packets.dissect import Known, dissect
from netweft.wire import captures as wire
from netweft.wire.captures import Caught, Frame, Match, Of, Watch

if TYPE_CHECKING:
    from netweft.agent.loop import Agent

_IN_ALL: Final = 1024  # frames of one, until they are fetched
_PHYSICAL: Final = ("flat", "vlan")


class Watches:
    """Of all that ask this node."""

    def __init__(self, agent: "Agent") -> None:
        self._agent = agent
        self._running: dict[str, _Watched] = {}

    def take(self, asked: Watch) -> Caught:
        """What has come since the last time; begins where it is not there yet.  Raises NotHere."""
        found = self._running.get(asked.id)
        if asked.over:
            return found.end() if found is not None else Caught()
        if found is None:
            same = sum(one.project == asked.project for one in self._running.values())
            if len(self._running) >= wire.AT_ONCE or same >= wire.OF_A_PROJECT:
                raise NotHere("too much is watched there at once")
            found = self._running[asked.id] = _Watched(self._agent, asked, lambda: self._running.pop(asked.id, None))
        return found.taken()


class _Watched:
    """One.  forget: called once, when it has ended."""

    def __init__(self, agent: "Agent", asked: Watch, forget: Callable[[], object]) -> None:
        """Raises NotHere."""
        self.project = asked.project
        self._agent, self._asked, self._forget = agent, asked, forget
        self._loop = asyncio.get_running_loop()
        self._frames: list[Frame] = []
        self._more = 0  # that there was no room for
        self._places: dict[str, list[tuple[str, int]]] = {}  # interface -> ports there, with their tags
        self._outside: dict[str, str] = {}  # interface that leads out -> its physical network
        try:
            patterns = [_pattern(one) for one in asked.matches[: wire.MOST_MATCHES]]
            keep = min(max(asked.bytes, wire.LEAST_BYTES), wire.MOST_BYTES)
            filter = program(patterns, (*PLAIN, *TUNNELS) if asked.of else PLAIN, keep)
        except ValueError as problem:
            raise NotHere(f"nothing to watch: {problem}") from None
        self._capture = Capture(filter, keep, self._take)
        self._end = self._loop.call_later(min(asked.seconds, wire.MOST_SECONDS), self.end)
        self._unasked = self._loop.call_later(wire.FORGET_SECONDS, self.end)

    def taken(self) -> Caught:
        """Wherever the ports are by now."""
        self._unasked.cancel()
        self._unasked = self._loop.call_later(wire.FORGET_SECONDS, self.end)
        self._capture.drain()
        self._look()
        frames, self._frames = self._frames[: wire.MOST_FRAMES], self._frames[wire.MOST_FRAMES :]
        return self._caught(frames)

    def end(self) -> Caught:
        self._end.cancel()
        self._unasked.cancel()
        self._capture.close()
        self._forget()
        return self._caught(self._frames[: wire.MOST_FRAMES])

    def _caught(self, frames: list[Frame]) -> Caught:
        ports = tuple(id for there in self._places.values() for id, _ in there)
        return Caught(
            frames=tuple(frames),
            ports=ports,
            interfaces=self._capture.interfaces,
            lost=self._capture.lost() + self._more,
        )

    def _look(self) -> None:
        desired = self._agent.desired
        self._places = {}
        for id in self._asked.ports[: wire.MOST_PORTS]:
            here = desired.local_port(id)
            if here is not None and here.ofport > 0:
                self._places.setdefault(here.port_name, []).append((id, here.tag or 0))
        self._outside = self._leading_out() if self._asked.of else {}
        self._capture.look_at([*self._places, *self._outside])

    def _leading_out(self) -> dict[str, str]:
        view, settings = self._agent.ovs.view, self._agent.settings
        bridges = mapped(self._agent).items() if view else ()
        found = {nic.name: physical for physical, bridge in bridges for nic in (view.nics(bridge) if view else ())}
        underlay = settings.underlay or having(settings.tunnel_ip)
        return found | ({underlay: found.get(underlay, "")} if underlay else {})

    # -- what comes

    def _take(self, raw: Raw) -> None:
        ports = self._places.get(raw.interface)
        known = dissect(raw.data, raw.tag, tunnels=ports is None)
        if known is None:
            return
        if ports is not None:
            for id in (id for id, tag in ports if tag == known.key):
                self._keep(raw, known, id, raw.data[: self._asked.bytes])
        elif any(_is_of(one, known, self._outside.get(raw.interface, "")) for one in self._asked.of):
            self._keep(raw, known, "", b"")

    def _keep(self, raw: Raw, known: Known, port_id: str, data: bytes) -> None:
        if not any(_fits(one, known) for one in self._asked.matches):
            return
        if len(self._frames) >= _IN_ALL:
            self._more += 1
            return
        frame = Frame(
            interface=raw.interface,
            port_id=port_id,
            out=raw.outgoing,
            at=raw.at,
            length=raw.length,
            tunnel=known.tunnel,
            src=known.src,
            dst=known.dst,
            protocol=known.protocol,
            sport=known.sport,
            dport=known.dport,
            ttl=known.ttl,
            number=known.number,
            payload=known.payload,
            flags=known.flags,
            print=known.print,
            data=data,
        )
        self._frames.append(frame)


def _pattern(one: Match) -> Pattern:
    """Raises ValueError."""
    src, dst = (ip_address(text) if text else None for text in (one.src, one.dst))
    versions = {each.version for each in (src, dst) if each is not None}
    numbers_fit = 0 <= one.protocol < 256 and all(0 <= port < 65536 for port in (one.sport, one.dport))
    if len(versions) != 1 or not numbers_fit:
        raise ValueError("its addresses go together with none")
    return Pattern(versions.pop(), one.protocol, src, dst, one.sport, one.dport)


def _fits(one: Match, known: Known) -> bool:
    """In full: the kernel's filter looks at frames without asking what they are."""
    pairs = ((one.src, known.src), (one.dst, known.dst), (one.sport, known.sport), (one.dport, known.dport))
    return one.protocol == known.protocol and all(not wanted or wanted == there for wanted, there in pairs)


def _is_of(one: Of, known: Known, physical: str) -> bool:
    if one.network_type in _PHYSICAL:
        return not known.tunnel and one.physical_network == physical and one.key == known.key
    return known.tunnel == one.network_type and one.key == known.key
