"""A trace's answer: ways, findings and assumptions as JSON.  Pure.

`does` of a step and `detail` of a packet's own codes name nothing but what the caller sees; hosts, segments and what
nodes say is for who sees agents."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, structs

from netweft.api.resources.explain import described
from netweft.api.resources.trace.lower import Lower
from netweft.control.explain.examine import Finding
from netweft.control.explain.snapshot import Told
from netweft.control.l2.hosts import HOST
from netweft.control.trace import codes
from netweft.control.trace.way import UNKNOWN, Step, Way
from netweft.store import Object

DIRECTIONS: Final = ("forward", "return")
Types = Mapping[str, str]  # collection -> member


def finding(types: Types, found: Finding, *, layer: str, direction: str, sees_nodes: bool) -> Object:
    if found.code in codes.UNDERLAY and not sees_nodes:
        found = found._replace(told=Told(codes.UNDERLAY_FAULT))
    told = described.finding(types[found.kind], found, sees_nodes=sees_nodes)
    if found.code in codes.PACKET:
        told["detail"] = found.told.detail
    return {"layer": layer, "direction": direction, **told, "changed": None}


def way(types: Types, there: Way, *, sees_nodes: bool) -> Object:
    return {
        "ends": there.end,
        "steps": [_step(types, one, sees_nodes=sees_nodes) for one in there.steps],
        "translations": [
            {f"{types[nat.kind]}_id": nat.router, "side": nat.side, "from": _end(nat.was), "to": _end(nat.now)}
            for nat in there.nats
        ],
    }


def _step(types: Types, step: Step, *, sees_nodes: bool) -> Object:
    row = step.row
    said: Object = {"type": types.get(step.kind, step.kind), "does": step.does, "packet": str(step.packet)}
    if row is not None:
        said |= {"id": row["id"], "name": described.named(types[step.kind], row)["name"]}
    if row is not None and sees_nodes:
        said |= dict(_underlay(step.kind, row))
    return said


def _underlay(kind: str, row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if kind == "ports" and row.get(HOST):
        yield "host", row[HOST]
    if kind == "networks":
        names = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
        yield from ((name, row[name]) for name in names if row.get(name) is not None)


def _end(one: tuple[str, int]) -> Object:
    return {"address": one[0]} | ({"port": one[1]} if one[1] else {})


def passes(ways: Sequence[Way | None], findings: Sequence[Object]) -> bool | None:
    """None: that was not found out."""
    if any(one["blocks"] for one in findings):
        return False
    return None if any(one is None or one.end == UNKNOWN for one in ways) else True


def layers(ways: Sequence[Way | None], lower: Lower) -> Object:
    """What each of them says of the packet there and back."""
    by_rows = [None if one is None or one.end == UNKNOWN else not one.blocked for one in ways]
    seen = [lower.there.arrived, lower.back.arrived] if lower.asked else [None, None]
    found = {
        "api": dict(zip(DIRECTIONS, map(_word, by_rows), strict=True)),
        "openvswitch": dict(zip(DIRECTIONS, map(_word, seen), strict=True)),
    }
    return found | ({"probe": {DIRECTIONS[0]: _word(lower.probed.arrived)}} if lower.probed else {})


def probe(lower: Lower, *, sees_nodes: bool) -> Object | None:
    """None: no packet was sent."""
    if lower.probed is None:
        return None
    seen = [{"host": host, "interface": interface} for host, interface in lower.probed.seen] if sees_nodes else []
    return {"arrived": lower.probed.arrived, "seen": seen}


def _word(passes: bool | None) -> str:
    return {True: "passes", False: "does not pass", None: "not found out"}[passes]


def nodes(lower: Lower) -> list[Object]:
    """For who sees agents: what each node's Open vSwitch does with it."""
    return [
        {
            "direction": direction,
            "host": looked.host,
            "revision": looked.answer.revision,
            "in_place": looked.answer.in_place,
            "connections": list(looked.answer.tracked),
            "flows": [_whole(hop) for hop in looked.answer.hops],
            "ends": [_whole(out) for out in looked.answer.exits],
            "differs": [_whole(one) for one in looked.answer.differs],
            "interfaces": [_whole(one) for one in looked.answer.interfaces],
        }
        for direction, followed in zip(DIRECTIONS, (lower.there, lower.back), strict=True)
        for looked in followed.looked
    ]


def _whole(one: Struct) -> Object:
    """With what is left out of messages."""
    values = structs.asdict(one)
    return {name: _whole(value) if isinstance(value, Struct) else value for name, value in values.items()}
