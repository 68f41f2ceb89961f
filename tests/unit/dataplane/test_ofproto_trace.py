"""`ofproto/trace` as Open vSwitch 3.1 says it, and what the datapath's actions come to."""

import pytest

from netweft.dataplane.unixctl.ofproto_trace import asking, outs, parts

SAID = """Flow: icmp,in_port="tap1",dl_src=fa:16:3e:00:00:01,nw_src=10.0.0.1,nw_dst=192.0.2.9,icmp_type=8

bridge("br-tun")
----------------
 0. in_port="vxlan-overlay", priority 10, cookie 0x4e57010000000000
    output:"patch-int"

    bridge("br-int")
    ----------------
     0. No match.
     4. reg2=0x5,dl_src=fa:16:3e:00:00:01, priority 200
            goto_table:12
    12. ip, priority 20, cookie 0x4e57010000000000
        ct(commit,table=30,zone=4096,nat(src=203.0.113.10))
        nat(src=203.0.113.10)
         -> A clone of the packet is forked to recirculate. The forked pipeline will be resumed at table 30.

Final flow: unchanged
Megaflow: recirc_id=0,eth
Datapath actions: clone(ct_clear,ct(commit,zone=3)),set(ipv4(ttl=63)),ct(commit,zone=4096,nat(src=1.2.3.4)),recirc(0x13)

===============================================================================
recirc(0x13) - resume conntrack with default ct_state=trk|new (use --ct-next to customize)
Replacing src/dst IP/ports to simulate NAT:
 Initial flow: nw_src=10.41.0.2,tp_src=8,nw_dst=198.51.100.1,tp_dst=0
 Modified flow: nw_src=203.0.113.10,tp_src=8,nw_dst=198.51.100.1,tp_dst=0
===============================================================================

Flow: recirc_id=0x13,ct_state=new|trk,ct_zone=4096,eth,icmp,nw_src=203.0.113.10,tp_src=7

bridge("br-tun")
----------------
    thaw
        Resuming from table 30
30. ct_state=+trk-snat, priority 100, cookie 0x4e57555f39848c3b
    drop

Final flow: unchanged
Datapath actions: drop
"""


def test_what_meets_no_flow_meets_none_of_somebodys() -> None:
    """Open vSwitch has rules of its own for that, in no table that anybody sees."""
    said = 'bridge("br-tun")\n---\n 0. {}\n    drop\n'
    for miss in ("No match.", "reg0=0x2, priority 0", "reg0=0x1, priority 0"):
        (part,) = parts(said.format(miss))
        assert (part.met[0].match, part.met[0].cookie) == ("", 0)
    for flow in ("reg0=0x2, priority 1", "priority 0", "reg0=0x2,ip, priority 0", "reg0=0x22, priority 0"):
        (part,) = parts(said.format(flow))
        assert part.met[0].match == flow


def test_the_parts_of_a_packets_way() -> None:
    first, second = parts(SAID)
    assert [(one.bridge, one.table, one.match, one.cookie) for one in first.met] == [
        ("br-tun", 0, 'in_port="vxlan-overlay", priority 10', 0x4E57010000000000),
        ("br-int", 0, "", 0),
        ("br-int", 4, "reg2=0x5,dl_src=fa:16:3e:00:00:01, priority 200", 0),
        ("br-int", 12, "ip, priority 20", 0x4E57010000000000),
    ]
    assert first.fields["nw_src"] == "10.0.0.1"
    assert (second.resumed, second.zone, second.translated) == ("trk|new", 4096, ("snat",))
    assert [(one.bridge, one.table) for one in second.met] == [("br-int", 30)], "where it was handed over"
    assert second.met[0].actions == ["drop"]


def test_the_query() -> None:
    assert asking("br-int", "icmp", ["trk,est"])[1:] == ("--names", "br-int", "icmp", "--ct-next", "trk,est")


PUSH = (
    "clone(tnl_push(tnl_port(vxlan_sys_4789),header(size=50,type=4,eth(dst=ae:91:1d:c3:d1:4e,src=d6:e0:98:4f:a2:4a,"
    "dl_type=0x0800),ipv4(src=198.18.0.2,dst=198.18.0.1,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=4789,csum=0x0)"
    ",vxlan(flags=0x8000000,vni=0x65)),out_port(br-phy)),eth0)"
)
OUTS = {
    "drop": [],
    "tap1": [("interface", "tap1", None, {})],
    "push_vlan(vid=142,pcp=0),eth1,br-eth1": [("interface", "eth1", 142, {}), ("interface", "br-eth1", 142, {})],
    "push_vlan(vid=3,pcp=0),pop_vlan,tap1": [("interface", "tap1", 0, {})],
    "ct(zone=2),recirc(0x6)": [("conntrack", "", None, {})],
    "set(tunnel(tun_id=0x7,dst=192.0.2.2,ttl=64,tp_dst=4789,flags(df|key))),vxlan_sys_4789": [
        ("interface", "vxlan_sys_4789", None, {"tun_id": "0x7", "dst": "192.0.2.2", "ttl": "64", "tp_dst": "4789"})
    ],
    "set(tunnel(tun_id=0x7,dst=192.0.2.2)),vxlan_sys_4789,tap1": [
        ("interface", "vxlan_sys_4789", None, {"tun_id": "0x7", "dst": "192.0.2.2"}), ("interface", "tap1", None, {}),
    ],
    PUSH: [("interface", "eth0", None, {"src": "198.18.0.2", "dst": "198.18.0.1", "tun_id": "101"})],
    "check_pkt_len(size=1464,gt(userspace(pid=1,controller(reason=1))),le(tap1))": [("interface", "tap1", None, {})],
    "meter(3),userspace(pid=0,controller(reason=1,dont_send=0)),tap2": [
        ("agent", "", None, {}), ("interface", "tap2", None, {}),
    ],
    "((((": [], "set(": [], ",,,": [],
}  # fmt: skip


@pytest.mark.parametrize("actions", OUTS)
def test_what_the_datapath_does(actions: str) -> None:
    assert [(one.kind, one.interface, one.vlan, dict(one.tunnel)) for one in outs(actions)] == OUTS[actions]


def test_what_was_set_on_the_way() -> None:
    (one,) = outs("set(eth(src=fa:16:3e:00:00:02,dst=fa:16:3e:00:00:03)),set(ipv4(src=10.0.0.9,ttl=63)),tap1")
    assert one.packet == {
        "eth.src": "fa:16:3e:00:00:02", "eth.dst": "fa:16:3e:00:00:03", "ipv4.src": "10.0.0.9", "ipv4.ttl": "63",
    }  # fmt: skip
