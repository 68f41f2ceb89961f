"""A real Open vSwitch takes each packet that can be asked about, and what it says of it is understood."""

from typing import Any

import pytest
from tests.ovs.sandbox import Sandbox

from netweft.agent.queries.trace_input import flow_of
from netweft.dataplane.unixctl.ofproto_trace import asking, outs, parts
from netweft.wire.queries import Sent

MACS: dict[str, Any] = {"eth_src": "fa:16:3e:00:00:01", "eth_dst": "fa:16:3e:00:00:02"}
FOUR: dict[str, Any] = {**MACS, "src": "10.0.0.1", "dst": "10.0.0.2"}
SIX: dict[str, Any] = {**MACS, "src": "fd00::1", "dst": "fd00::2"}
KINDS = ((6, 40000, 443), (17, 40000, 53), (132, 4, 5), (47, 0, 0))
PACKETS = [
    Sent(**ends, protocol=protocol, sport=sport, dport=dport)
    for ends, ping in ((FOUR, (1, 8, 0)), (SIX, (58, 128, 0)))
    for protocol, sport, dport in (ping, *KINDS)
]


@pytest.mark.parametrize("tag", ["", "dl_vlan=7,dl_vlan_pcp=0,"])
@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: f"{packet.protocol} to {packet.dst}")
def test_each_packet_is_taken(ovs: Sandbox, bridge: str, packet: Sent, tag: str) -> None:
    ovs.vsctl(
        "add-port", bridge, f"{bridge}p", "--", "set", "Interface", f"{bridge}p", "type=dummy", "ofport_request=9"
    )
    ovs.ofctl("add-flow", bridge, "table=0,priority=7,cookie=0x4e57,actions=output:9")
    (part,) = parts(ovs.appctl(*asking(bridge, f"in_port=3,{tag}{flow_of(packet)}")))
    assert [(met.bridge, met.table, met.cookie) for met in part.met] == [(bridge, 0, 0x4E57)]
    (out,) = outs(part.datapath)
    assert (out.kind, out.interface) == ("interface", f"{bridge}p")
    seen = part.fields
    assert seen["nw_src" if packet.dst == "10.0.0.2" else "ipv6_src"] == packet.src


def test_what_conntrack_makes_of_it(ovs: Sandbox, bridge: str) -> None:
    ovs.ofctl("add-flow", bridge, "table=0,ip,actions=ct(commit,zone=5,nat(src=192.0.2.1),table=1)")
    ovs.ofctl("add-flow", bridge, "table=1,ct_state=+snat,ip,actions=set_field:63->nw_ttl,LOCAL")
    flow = f"in_port=3,{flow_of(Sent(**FOUR, protocol=17, sport=1, dport=2))}"
    first, second = parts(ovs.appctl(*asking(bridge, flow)))
    assert (first.resumed, second.zone, second.translated) == ("", 5, ("snat",))
    assert outs(second.datapath) == []
    *_, last = parts(ovs.appctl(*asking(bridge, flow, ["trk,new,snat"])))
    (out,) = outs(last.datapath)
    assert (out.interface, last.fields["nw_src"], out.packet["ipv4.ttl"]) == (bridge, "192.0.2.1", "63")
