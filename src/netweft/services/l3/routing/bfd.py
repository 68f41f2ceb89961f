"""Default routes watched by BFD (RFC 5880, 5881), which vswitchd speaks itself: it goes on without the agent.

    near ══ far ─▶ classify ─▶ next_hop ─▶ the next hop          near speaks; the flows give it the gateway's MAC
    near ══ far ◀─ to_router ◀─ its answers

Open vSwitch has one session for a port, so each has a pair of patch ports of its own, both on the integration bridge.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_UDP
from netweft.dataplane.openflow.flow import Output, SetField
from netweft.dataplane.ovsdb.rows import PortRow
from netweft.services.addresses import Prefix, mac, text
from netweft.services.fields import LOCAL_VLAN, Reason, RouterLimit, cookie
from netweft.services.l2.bridges import port_row, speaks_bfd
from netweft.services.l3 import hand_ups
from netweft.services.l3.gateways.several import of_each_gateway
from netweft.services.l3.routing.routes import to_next_hop
from netweft.services.l3.values import BfdSession, Gateway, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

CLASSIFY, TO_ROUTER = INT["classify"], INT["to_router"]
INTERVAL: Final = 300  # ms; three of silence are an end
PORT: Final = 3784
ONE_HOP: Final = 255  # the TTL of who is on the link (RFC 5082)


def ends(gateway_port: str, next_hop: Prefix) -> tuple[str, str]:
    """Names of the session's two patch ports: which speaks, and its peer."""
    digest = hashlib.blake2s(f"{gateway_port} {text(next_hop)}".encode(), digest_size=5).hexdigest()
    return f"hop-{digest}", f"hop-{digest}p"


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    if here.router.admin_state_up and here.gateway is not None:
        for session in here.gateway.sessions:
            yield from _rows(session)
            if session.ofport is not None:
                yield from _flows(here, here.gateway, session, session.ofport)


def _rows(session: BfdSession) -> Iterator[PortRow]:
    near = port_row(session.near, session.bridge, "patch", peer=session.far)
    yield speaks_bfd(near, INTERVAL, bfd_src_ip=session.own, bfd_dst_ip=text(session.next_hop))
    yield port_row(session.far, session.bridge, "patch", peer=session.near)


def _flows(here: LocalRouter, gateway: Gateway, session: BfdSession, far: int) -> Iterator[BridgeFlow]:
    owner, own = cookie(Reason.ROUTER_BFD, gateway.port.id), mac(gateway.port.mac_address)
    yield CLASSIFY.flow(
        10,
        owner,
        {"in_port": far},
        SetField(LOCAL_VLAN, gateway.network.vlan),
        SetField("eth_src", own),
        *to_next_hop(4, session.next_hop),
        INT["next_hop"].goto,
    )
    said: dict[str, Value] = {
        LOCAL_VLAN: gateway.network.vlan,
        "eth_dst": own,
        "eth_type": ETH_IPV4,
        "ip_proto": PROTO_UDP,
        "ip_ttl": ONE_HOP,
        "ipv4_src": session.next_hop.value,
        "udp_dst": PORT,
    }
    yield TO_ROUTER.flow(30, owner, said, *hand_ups.limited(here, RouterLimit.BFD), Output(far))


BFD = Service("bfd", router=of_each_gateway(router))
