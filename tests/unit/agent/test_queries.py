"""What a server may ask: packets that are none become part of no command, and nobody asks without end."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from netweft.agent.queries import answering
from netweft.agent.queries.answering import Answering
from netweft.agent.queries.differences import interfaces
from netweft.agent.queries.trace_input import NotHere, beyond, check, flow_of
from netweft.agent.queries.tracing import _exit
from netweft.dataplane.unixctl.ofproto_trace import Out, Part
from netweft.services.l3.gateways.takeover import Sight
from netweft.settings import AgentSettings
from netweft.wire.queries import MOST_WATCHED, Ask, Exit, Probe, Sent

MACS: dict[str, Any] = {"eth_src": "fa:16:3e:00:00:01", "eth_dst": "fa:16:3e:00:00:02"}
FOUR: dict[str, Any] = {**MACS, "src": "10.0.0.1", "dst": "10.0.0.2"}
SIX: dict[str, Any] = {**MACS, "src": "fd00::1", "dst": "fd00::2"}


V4, V6 = "nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64", "ipv6_src=fd00::1,ipv6_dst=fd00::2,nw_ttl=64"
PORTS: dict[str, Any] = {"sport": 5, "dport": 53}
FLOWS = (
    (Sent(**FOUR, protocol=1, sport=8), f"icmp,*,{V4},icmp_type=8,icmp_code=0"),
    (Sent(**SIX, protocol=58, sport=128), f"icmp6,*,{V6},icmpv6_type=128,icmpv6_code=0"),
    (Sent(**FOUR, protocol=17, **PORTS), f"udp,*,{V4},udp_src=5,udp_dst=53"),
    (Sent(**SIX, protocol=6, **PORTS), f"tcp6,*,{V6},tcp_src=5,tcp_dst=53"),
    (Sent(**FOUR, protocol=47), f"ip,*,{V4},nw_proto=47"),
    (Sent(**SIX, protocol=47), f"ipv6,*,{V6},nw_proto=47"),
)


@pytest.mark.parametrize(("packet", "flow"), FLOWS)
def test_a_packet_as_a_flow(packet: Sent, flow: str) -> None:
    check(packet)
    assert flow_of(packet) == flow.replace("*", "dl_src=fa:16:3e:00:00:01,dl_dst=fa:16:3e:00:00:02")


WRONG = (
    {"src": "10.0.0.1,actions=drop"}, {"dst": "fd00::1"}, {"dst": "fe80::1%eth0", "src": "fe80::2"}, {"src": ""},
    {"eth_src": "fa:16:3e:00:00:01,in_port=1"}, {"eth_dst": "nobody"}, {"sport": 65536}, {"dport": -1},
    {"protocol": 256}, {"ttl": -1},
)  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_is_no_packet_is_part_of_no_command(wrong: dict[str, Any]) -> None:
    packet = Sent(**{**FOUR, "protocol": 6, **wrong})
    with pytest.raises(NotHere):
        check(packet)


async def test_what_it_sees_of_those_that_it_watches() -> None:
    class Agent:
        settings = AgentSettings(node="hv1")

        class failover:
            seen: Mapping[str, Sight] = {f"hv{at}": Sight.GONE if at % 2 else Sight.THERE for at in range(2000)}

        class desired:
            class view:
                revision = 7

    answer = await Answering(cast(Any, Agent())).answer(Ask(id="1", tunnels=True))
    assert answer.watched is not None and (answer.revision, len(answer.watched)) == (7, MOST_WATCHED)
    assert [(one.host, one.state) for one in answer.watched[:2]] == [("hv0", "there"), ("hv1", "gone")]


class Joined:
    """A node whose bridges are joined by veths."""

    settings = AgentSettings(node="hv1", bridge_mappings=("physnet1:br-eth1",))

    class ovs:
        class view:
            @staticmethod
            def ofport(name: str) -> int | None:
                return {"veth-tun": 1, "veth-int": 2, "vint-br-eth1": 3, "vphy-br-eth1": 4}.get(name)


@pytest.mark.parametrize(
    ("interface", "bridge", "in_port"),
    [
        ("veth-tun", "br-tun", 2),
        ("veth-int", "br-int", 1),
        ("vint-br-eth1", "br-eth1", 4),
        ("vphy-br-eth1", "br-int", 3),
    ],
)
def test_over_veths_it_goes_on_in_the_other_bridge(interface: str, bridge: str, in_port: int) -> None:
    packet = Sent(**FOUR, protocol=6, **PORTS)
    found = beyond(cast(Any, Joined()), Exit(kind="elsewhere", interface=interface, vlan=7, packet=packet))
    assert found == (bridge, f"in_port={in_port},dl_vlan=7,dl_vlan_pcp=0,{flow_of(packet)}")
    assert beyond(cast(Any, Joined()), Exit(kind="elsewhere", interface="eth7", packet=packet)) is None
    assert beyond(cast(Any, Joined()), Exit(kind="wire", interface=interface, packet=packet)) is None


class Nothing:
    settings = AgentSettings(node="hv1")


async def test_queries_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "BURST", 3.0)
    asked = Answering(cast(Any, Nothing()))
    probe = Probe(mark="zz", length=100)
    found = await asyncio.gather(*(asked.answer(Ask(id=f"{number}", probe=probe)) for number in range(10)))
    assert [one.id for one in found] == [f"{number}" for number in range(10)]
    assert [one.error for one in found].count("too much is asked of this node") == 7
    assert found[0].error == "a probe that cannot be looked for"


async def test_queries_beyond_the_limit_are_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was refused is not counted."""
    monkeypatch.setattr(answering, "BURST", 1.0)
    asked, now = Answering(cast(Any, Nothing())), [0.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    answered = 0
    for _ in range(100):
        now[0] += 1 / (4 * answering.PER_SECOND)
        answered += asked._may()
    assert 20 <= answered <= 26


class Kernels:
    """A node whose tunnels are the kernel's: their address is on a NIC."""

    settings = AgentSettings(node="hv1", tunnel_ip="127.0.0.1")

    class ovs:
        class view:
            @staticmethod
            def interface(name: str) -> None:
                return None


def test_a_tunnel_of_the_kernels_leaves_by_the_nic_with_its_address() -> None:
    """The tunnel's own device is always up."""
    out = Out("interface", "vxlan_sys_4789", tunnel={"tun_id": "0x7", "dst": "192.0.2.2"})
    found = _exit(cast(Any, Kernels()), Part(), out, Sent(**FOUR, protocol=1))
    assert (found.kind, found.interface, found.nic, found.tunnel) == ("tunnel", "vxlan_sys_4789", "lo", "192.0.2.2")
    (told,) = interfaces(cast(Any, Kernels()), Ask(id="1"), [found])
    assert (told.name, told.link, told.mtu) == ("lo", "up", 65536)
