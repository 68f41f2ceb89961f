"""What was caught, as JSON.  Hosts and interfaces are for who sees agents; packets are those of the ports at the ends
that its caller may change, as their VMs see them.  Pure."""

import base64
from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import UNSET, structs

from netweft.api.resources.trace.arguments import Wanted
from netweft.api.resources.trace.live.arguments import Live
from netweft.api.resources.trace.live.fate import Fate, Sighting
from netweft.api.resources.trace.live.waiting import Found
from netweft.api.resources.trace.lower import Lower
from netweft.control.explain.examine import Finding
from netweft.control.explain.snapshot import Row, Told
from netweft.control.trace import codes
from netweft.store import Object
from netweft.wire.captures import Frame

NO_WAY: Final = "there is no way that such a packet could take: see what is in its way"
NOTHING: Final = "no such packet came"
NONE_DROPPED: Final = "no such packet was seen to be dropped"


class Lived(NamedTuple):
    """found: None: nobody was asked, since nothing can come.  waited: seconds."""

    asked: Live
    found: Found | None
    waited: float

    @property
    def first(self) -> Fate | None:
        return self.found.fates[0] if self.found and self.found.fates else None

    @property
    def arrived(self) -> bool | None:
        """None: that was not found out."""
        return self.first.arrived if self.first else None

    def told(self, lower: Lower, *, sees_nodes: bool) -> Object:
        """lower: of the packet that came."""
        fates = self.found.fates if self.found else []
        return {
            "caught": len(fates),
            "arrived": self.arrived,
            "packet": _packet(self.first.sent) if self.first else None,
            "seen": [_seen(one, sees_nodes=sees_nodes) for one in _shown(self.first, sees_nodes=sees_nodes)],
            "dropped_by": _dropped_by(lower) if sees_nodes and self.arrived is False else None,
            "packets": _captured(fates) if self.asked.capture else [],
            "waited": round(self.waited, 1),
            "passed": self.found.passed if self.found else 0,
            "lost": self.found.lost if self.found else 0,
            "why": "" if self.first else self._why(),
        }

    def _why(self) -> str:
        if self.found is None:
            return NO_WAY
        return NONE_DROPPED if self.asked.dropped and self.found.passed else NOTHING


def of_packet(wanted: Wanted, frame: Frame, *, outside: bool) -> Wanted:
    """The same question about the packet that came.  outside: its source is in no row."""
    found = structs.replace(wanted, live=UNSET, source_address=frame.src if outside else wanted.source_address)
    if wanted.port is None or not frame.port_id or frame.out:
        return found
    return structs.replace(found, source_port=frame.sport or None)


def unseen(found: Found | None) -> list[str]:
    return [f"live: {host}: {why}" for host, why in found.unseen.items()] if found else []


def finding(found: Found | None, about: Row | None) -> Finding | None:
    """Where the packet has not arrived."""
    first = found.fates[0] if found and found.fates else None
    if first is None or first.arrived is not False or about is None:
        return None
    last = first.seen[-1]
    detail = "seen at " + ", ".join(f"{one.host} {one.frame.interface}" for one in first.seen)
    return Finding(
        "ports", about, Told(codes.LIVE_LOST, detail, {"host": last.host, "interface": last.frame.interface})
    )


def _dropped_by(lower: Lower) -> Object | None:
    """The flow that the packet meets last, and whose it is; by Open vSwitch on the node where it ends."""
    looked, out = lower.there.lost or (None, None)
    if looked is None or out is None or out.kind != "drop" or not looked.answer.hops:
        return None
    return {"host": looked.host, "why": out.why} | structs.asdict(looked.answer.hops[-1])


def _packet(sent: Sighting) -> Object:
    frame = sent.frame
    names = ("src", "dst", "protocol", "sport", "dport", "ttl", "flags", "length")
    return {name: getattr(frame, name) for name in names} | {"at": round(frame.at, 6)}


def _shown(fate: Fate | None, *, sees_nodes: bool) -> Sequence[Sighting]:
    return [one for one in fate.seen if sees_nodes or one.frame.port_id] if fate else []


def _seen(one: Sighting, *, sees_nodes: bool) -> Object:
    frame = one.frame
    said: Object = {
        "port_id": frame.port_id or None,
        "out": frame.out,
        "src": frame.src,
        "dst": frame.dst,
        "sport": frame.sport,
        "dport": frame.dport,
        "ttl": frame.ttl,
    }
    more = {"host": one.host, "interface": frame.interface, "tunnel": frame.tunnel or None, "at": round(frame.at, 6)}
    return said | more if sees_nodes else said


def _captured(fates: Sequence[Fate]) -> list[Object]:
    frames = [one.frame for fate in fates for one in fate.seen if one.frame.data and one.frame.port_id]
    return [
        {
            "at": round(frame.at, 6),
            "port_id": frame.port_id,
            "out": frame.out,
            "length": frame.length,
            "data": base64.b64encode(frame.data).decode(),
        }
        for frame in frames
    ]
