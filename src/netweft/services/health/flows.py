"""The way of a probe to a member on this node, and of its answer back (decision 0590).

    agent, nw-metadata ── metadata ─────────────── ingress ── ... ── deliver ── member     as a packet of the VIP's
    member ── source_address ── requests ─(ct)─── probed ── nw-metadata, agent

Of the agent's interface nothing goes anywhere but by these flows, and by them to one port and one port of its alone.
The member's security groups filter the probe, as they would filter the balancer.  Its answer is caught before
them: an answer needs no rule, and what is none does not pass.  It has to come from the member's own logical port.
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import (
    ETH_IPV4,
    ETH_IPV6,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_SCTP,
    PROTO_TCP,
    PROTO_UDP,
)
from netweft.dataplane.openflow.flow import Action, Ct, Output, SetField
from netweft.services.addresses import mac
from netweft.services.fields import IN_PORT, LOCAL_VLAN, OUT_PORT, Reason, cookie
from netweft.services.health import ends
from netweft.services.health.watched import PING, SCTP, UDP_CONNECT, End
from netweft.services.metadata.ends import MAC
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security.conntrack import IS_ANSWER, IS_RELATED

OUTWARD, BACK = 15, 28  # before what is said of the port 80 of anybody
METADATA, REQUESTS, PROBED = INT["metadata"], INT["requests"], INT["probed"]
INGRESS = INT["ingress"]

_ECHO: Final = {4: ("icmpv4_type", 8, 0), 6: ("icmpv6_type", 128, 129)}  # field, probe, answer
_ERRORS: Final = {4: ("icmpv4_type", 3), 6: ("icmpv6_type", 1)}  # what says that nobody listens


def end(one: End, interface: int | None) -> Iterator[BridgeFlow]:
    """interface: the OpenFlow port of the agent's; None: it is not there."""
    if interface is None:
        return
    owner = cookie(Reason.MEMBER_PROBE, one.member_id)
    yield _out(one, owner)
    for match, states in _answers(one):
        answer = {**_from(one), **match}
        yield REQUESTS.flow(BACK, owner, answer, _track(one))
        if _is_tracked(one):
            for state in states:
                yield PROBED.flow(20, owner, {**answer, "ct_state": state}, *_back(one, interface))
        else:
            yield PROBED.flow(10, owner, answer, *_back(one, interface))


def _out(one: End, owner: int) -> BridgeFlow:
    version, sides = one.address.version, ("src", "dst")
    src, dst = (f"ipv{version}_{side}" for side in sides)
    match: dict[str, Value] = {"eth_type": _type(one), IN_PORT: 0, dst: ends.far_end(version, one.number)}
    return METADATA.flow(
        OUTWARD,
        owner,
        {**match, **_asked(one)},
        SetField("eth_src", one.mac),
        SetField("eth_dst", mac(one.here.port.mac_address)),
        SetField(src, one.source.value),
        SetField(dst, one.address.value),
        SetField(LOCAL_VLAN, one.here.network.vlan),
        SetField(OUT_PORT, one.here.number),
        INGRESS.goto,
    )


def _asked(one: End) -> dict[str, Value]:
    version = one.address.version
    if one.type == PING:
        field, asked, _ = _ECHO[version]
        return {"ip_proto": _icmp(one), field: asked}
    protocol, name = _protocol(one)
    return {"ip_proto": protocol, f"{name}_src": (ends.PORTS, ends.PORTS_MASK), f"{name}_dst": one.port}


def _answers(one: End) -> Iterator[tuple[dict[str, Value], tuple[Value, ...]]]:
    """What is one, and in which states of its connection."""
    version = one.address.version
    if one.type == PING:
        field, _, answered = _ECHO[version]
        yield {"ip_proto": _icmp(one), field: answered}, (IS_ANSWER,)
        return
    protocol, name = _protocol(one)
    ports: dict[str, Value] = {f"{name}_src": one.port, f"{name}_dst": (ends.PORTS, ends.PORTS_MASK)}
    yield {"ip_proto": protocol, **ports}, (IS_ANSWER,)
    if one.type in (UDP_CONNECT, SCTP):
        field, error = _ERRORS[version]
        yield {"ip_proto": _icmp(one), field: error}, (IS_RELATED,)


def _from(one: End) -> dict[str, Value]:
    version = one.address.version
    found: dict[str, Value] = {IN_PORT: one.here.number, "eth_type": _type(one), "ip_frag": 0}
    return {**found, f"ipv{version}_src": one.address.value, f"ipv{version}_dst": one.source.value}


def _track(one: End) -> Action:
    return Ct(zone=LOCAL_VLAN, table=PROBED.id) if _is_tracked(one) else PROBED.goto


def _is_tracked(one: End) -> bool:
    """Whether its firewall tracks the probe."""
    groups = one.here.groups
    return one.here.port.port_security_enabled and (not groups or any(group.stateful for group in groups))


def _back(one: End, interface: int) -> Iterator[Action]:
    version = one.address.version
    yield SetField("eth_dst", mac(MAC))
    yield SetField(f"ipv{version}_src", ends.far_end(version, one.number))
    yield SetField(f"ipv{version}_dst", ends.own(version))
    yield Output(interface)


def _type(one: End) -> int:
    return ETH_IPV4 if one.address.version == 4 else ETH_IPV6


def _icmp(one: End) -> int:
    return PROTO_ICMP if one.address.version == 4 else PROTO_ICMPV6


def _protocol(one: End) -> tuple[int, str]:
    if one.type == UDP_CONNECT:
        return PROTO_UDP, "udp"
    return (PROTO_SCTP, "sctp") if one.type == SCTP else (PROTO_TCP, "tcp")
