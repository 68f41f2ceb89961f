"""ICMPv6 errors about what NAT66 has translated: to whom asked, and from inside as the gateway's."""

from ipaddress import IPv6Address

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_nat66 import B1, FAR, GATEWAY, NEXT, OUTSIDE, SNAT, R, own_address
from tests.unit.services.l3.gateways.test_nat66 import region as region

from netweft.agent.desired import Desired
from netweft.agent.l3.nat66_errors import Nat66Errors
from netweft.dataplane.openflow.flow import Ct, Resubmit, SetField
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import icmp, readdressed6
from netweft.dataplane.packets.datagram import packet, upper_checksum
from netweft.services.addresses import parsed
from netweft.services.fields import LOCAL_VLAN, NEXT_HOP, ROUTER, Reason, cookie
from netweft.services.l2.announce import Packet
from netweft.services.pipeline import INT
from netweft.testing.region import Region

MACS = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
UDP = bytes.fromhex("1388 0035 0010 0000") + b"netweft!"
HOP, VM = "2001:db8:5::1", own_address(B1)


class Node(Desired):
    """The gateway's."""

    def __init__(self, region: Region) -> None:
        super().__init__()
        self._rendering = region.nodes["hv1"].rendering
        self.view = region.nodes["hv1"].view

    @property
    def number(self) -> int:
        assert self._rendering is not None
        return int(self._rendering._memo.get(("number", R.id)))

    @property
    def zone(self) -> int:
        (gateway,) = [one for one in self.gateways() if one.port.id == GATEWAY.id]
        return gateway.zone


@pytest.fixture
def node(region: Region) -> Node:
    return Node(region)


def too_big(frm: str, about: tuple[str, str]) -> bytes:
    """To whom `about` is from."""
    src, dst = map(parsed, about)
    quoted = packet(MACS, (src, dst), 17, UDP)[14:]
    return icmp.message(MACS, (parsed(frm), src), 2, 0, 1300, quoted)


def answered(node: Node, reason: Reason, frame: bytes, **known: int) -> list[Packet]:
    fields = {ROUTER: node.number, "ct_zone": node.zone, **known}
    return list(Nat66Errors(node).answer(None, PacketIn(cookie(reason, R.id), fields, frame)))


def ends(said: Packet) -> tuple[str, ...]:
    found = readdressed6.error(said.frame)
    assert found is not None
    assert upper_checksum(found.src, found.dst, 58, said.frame[54:]) == 0
    return tuple(map(str, (found.src, found.dst, found.quoted_src, found.quoted_dst)))


def asked(port: int = 5000) -> dict[str, int]:
    """What conntrack knows of the connection."""
    return {"ct_ipv6_src": int(IPv6Address(VM)), "ct_ipv6_dst": int(IPv6Address(FAR)), "ct_tp_src": port}


def test_goes_to_the_client(node: Node) -> None:
    (said,) = answered(node, Reason.ROUTER_NAT66_IN, too_big(HOP, (SNAT, FAR)), **asked(7777))
    assert ends(said) == (HOP, VM, VM, FAR)
    assert said.frame[58:62] == (1300).to_bytes(4, "big"), "the MTU"
    assert said.frame[102:104] == (7777).to_bytes(2, "big"), "its own port"
    in_it = (SetField(ROUTER, node.number), SetField(LOCAL_VLAN, node.vlans[OUTSIDE.id]))
    assert said.actions == (*in_it, INT["to_router_itself"].resubmit)


def test_from_inside_as_the_gateways(node: Node) -> None:
    hop = dict(zip(NEXT_HOP, (0x20010DB8, 0, 0, 1), strict=True))
    about = too_big("fd00:a::77", (FAR, VM))
    (said,) = answered(node, Reason.ROUTER_NAT66_OUT, about, **asked(), **hop)
    assert ends(said) == (SNAT, FAR, FAR, SNAT)
    *sets, last = said.actions
    assert last == Resubmit(INT["next_hop"].id)
    assert {one.field: one.value for one in sets if isinstance(one, SetField)} | hop == {
        ROUTER: node.number, LOCAL_VLAN: node.vlans[OUTSIDE.id], **hop,
    }  # fmt: skip


def test_about_a_fragment_it_is_looked_up_as_the_whole(node: Node) -> None:
    frame = too_big(HOP, (SNAT, FAR))
    first = bytes((17, 0, 0, 1)) + bytes(4)
    quoted = frame[62:68] + bytes((44,)) + frame[69:102] + first + frame[102:]
    fragment = icmp.message(MACS, (parsed(HOP), parsed(SNAT)), 2, 0, 1300, quoted)
    (said,) = answered(node, Reason.ROUTER_NAT66_IN, fragment)
    assert (ends(said), said.frame[62:]) == ((HOP, SNAT, SNAT, FAR), frame[62:])
    assert said.actions[-1] == Ct(zone=node.zone, table=INT["translated"].id)
    assert answered(node, Reason.ROUTER_NAT66_IN, said.frame) == [], "once"


@pytest.mark.parametrize(
    ("frame", "more"),
    [
        (too_big(HOP, (SNAT, FAR)), {"ct_zone": 1}),  # of no gateway here
        (too_big(HOP, (NEXT, FAR)), {}),  # about what somebody else has sent
        (too_big(HOP, (SNAT, FAR)), {"ct_ipv6_src": 0}),  # of no connection
        (too_big(HOP, (SNAT, FAR))[:90], {}),
        (too_big(HOP, (SNAT, FAR)), {ROUTER: 999}),
    ],
)
def test_nothing_else(node: Node, frame: bytes, more: dict[str, int]) -> None:
    assert answered(node, Reason.ROUTER_NAT66_IN, frame, **{**asked(), **more}) == []


def test_none_where_it_is_not_enabled_any_more(region: Region, node: Node) -> None:
    region.create(replace(OUTSIDE, nat66=False))
    region.settle()
    assert answered(node, Reason.ROUTER_NAT66_IN, too_big(HOP, (SNAT, FAR)), **asked()) == []
    assert answered(node, Reason.ROUTER_NAT66_OUT, too_big(HOP, (FAR, VM)), **asked()) == []
