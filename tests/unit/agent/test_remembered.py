"""What the datapath remembers of a VM's packets, in the words of Open vSwitch 3.1, and what of it is told."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from netweft.agent.queries.recent_traffic import MOST_FLOWS, recent
from netweft.dataplane.unixctl.client import CommandFailed
from netweft.dataplane.unixctl.flow_cache import SHOW, count, number, remembered
from netweft.wire.queries import Heard, Sent

OWN, TO = "fa:16:3e:40:90:65", "fa:16:3e:00:00:99"
SHOWN = """netdev@ovs-netdev:
  lookups: hit:91651 missed:3098 lost:2
  flows: 6
  port 0: ovs-netdev (tap)
  port 2: eth2
  port 13: tap86c84d66-5c
  port 14: tap86c84d66-5 (internal)
"""
_BEGINS = "skb_mark(0/0x2cd3),{ct}recirc_id({pass_}),in_port(13),packet_type(ns=0,id=0),eth(src={mac},dst={to}),"
_ENDS = ", packets:2, bytes:196, used:{used}, actions:ct(zone=2),recirc(0xc03)\n"
_ARP = "eth_type(0x0806),arp(sip=10.40.0.2,tip={address},op={op},sha=fa:16:3e:40:90:65)"
_IP = "eth_type(0x0800),ipv4(src=10.40.0.2,dst={address},proto=1,frag=no)"
_IP6 = "eth_type(0x86dd),ipv6(src=2001:db8::2,dst={address},proto=58,frag=no),icmpv6(type=128,code=0)"
_ND = "eth_type(0x86dd),ipv6(src=fe80::1,dst=ff02::1,proto=58,frag=no),icmpv6(type=135,code=0),nd(target={address})"


def flow(what: str, address: str = "10.41.0.2", **more: str) -> str:
    ct = "ct_state(+new-est-rel-rpl-inv+trk),ct_mark(0/0x3)," if more.get("pass_") else ""
    words = {"mac": OWN, "to": TO, "used": "0.961s", "pass_": "0", "op": "1", "ct": ct} | more
    return (_BEGINS + what + _ENDS).format(address=address, **words)


def test_flows_are_read() -> None:
    listed = (
        "flow-dump from the main thread:\n" + flow(_IP) + flow(_ARP) + flow(_IP6, "2001:db8::9") + flow(_ND, "fe80::9")
    )
    found = [(one.asked, one.src, one.dst, one.mac, one.to) for one in remembered(listed)]
    assert found == [
        ("", "10.40.0.2", "10.41.0.2", OWN, TO),
        ("10.41.0.2", "", "", OWN, TO),
        ("", "2001:db8::2", "2001:db8::9", OWN, TO),
        ("fe80::9", "", "", OWN, TO),
    ]
    assert [one.seconds for one in remembered(listed)] == [0.961] * 4


@pytest.mark.parametrize(
    "line",
    [
        flow(_IP, "10.41.0.0/255.255.0.0"),  # of several packets
        flow(_IP, pass_="0xc03"),  # once conntrack has seen it
        flow(_IP, to="fa:16:3e:00:00:00/ff:ff:ff:00:00:00"),
        flow(_IP, used="never"),
        flow(_ARP, op="2"),
        flow(_ARP, op="2/0xff"),
        flow(_ARP, "10.41.0.0/16"),
        "".join(("recirc_id(0),in_port(13),eth(src=", OWN, ",dst=", TO, "),eth_type(0x8100),vlan(vid=7,pcp=0)")),
        "recirc_id(0),in_port(13)" * 50,
        "",
    ],
    ids=lambda line: line[-60:],
)
def test_what_says_nothing_of_one_packet_is_left_out(line: str) -> None:
    assert list(remembered(line)) == []


def test_the_kernels_datapath_says_which_part_of_arps_operation_counts() -> None:
    (found,) = remembered(flow(_ARP, op="1/0xff"))
    assert found.asked == "10.41.0.2"


def test_ports_are_found_by_their_whole_name() -> None:
    assert (count(SHOWN), count("")) == (6, None)
    names = ("tap86c84d66-5c", "tap86c84d66-5", "tap86c84d66", "eth2", "ovs.netdev")
    assert [number(SHOWN, name) for name in names] == [13, 14, None, 2, None]


PACKET = Sent(eth_src=OWN, eth_dst=TO, src="10.40.0.2", dst="10.41.0.2", protocol=1)


def heard(listed: str, shown: str = SHOWN, **port: Any) -> tuple[Heard, ...] | None:
    of_port = {"ofport": 7, "tag": 0, "port_name": "tap86c84d66-5c", "port": SimpleNamespace(mac_address=OWN)}
    here = SimpleNamespace(**(of_port | port))
    agent: Any = SimpleNamespace(desired=SimpleNamespace(local_port=lambda _: here))

    async def command(*words: str) -> str:
        if listed == "refuses":
            raise CommandFailed("ovs-vswitchd: no")
        assert words in ((SHOW,), ("dpctl/dump-flows", "filter=in_port=13"))
        return shown if words == (SHOW,) else listed

    return asyncio.run(recent(agent, "p", PACKET, command))


def test_what_is_reported_of_it() -> None:
    sends = Heard(kind="sends", address="10.40.0.2", mac=OWN, to=TO)
    assert heard(flow(_IP)) == (sends,)
    assert heard(flow(_IP) + flow(_IP)) == (sends,), "once"
    assert heard(flow(_ARP, "10.40.0.77")) == (Heard(kind="asks", address="10.40.0.77", mac=OWN),)
    assert heard(flow(_IP, "10.41.0.9")) == (), "for somebody else"
    assert heard(flow(_IP, mac="fa:16:3e:11:11:11")) == (), "in another's name"
    assert heard(flow(_IP, used="2.6s")) == (), "some time ago"


def test_where_it_is_not_known() -> None:
    assert heard("refuses") is None
    assert heard(flow(_IP), tag=7) is None, "a sub-port"
    assert heard(flow(_IP), ofport=-1) is None
    assert heard(flow(_IP), port_name="tapother") is None
    assert heard(flow(_IP), SHOWN.replace("flows: 6", f"flows: {MOST_FLOWS + 1}")) is None, "too many to list"
