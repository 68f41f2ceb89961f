"""Firewalls in front of ports without port security and with allowed address pairs, on each way: routed, SNAT, floating
IP, forwarded, balanced.  With real packets: tests/netns/security/test_firewalls_and_port_security.py."""

from typing import NamedTuple

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import MACS, OUTSIDE, ROUTER_OUT_THERE, SOMEBODY
from tests.unit.services.security.test_firewalls import ALL, GROUP, ONLY_WEB, WEB, group, policy, rule

from netweft.dataplane.openflow.fields import PROTO_TCP, PROTO_UDP
from netweft.model import AddressPair, FixedIp, Listener, LoadBalancer, Member, Pool, Port
from netweft.services.addresses import mac, prefix
from netweft.testing import packets
from netweft.testing.region import (
    Region,
    floating_ip,
    gateway,
    interface,
    network,
    port,
    port_forwarding,
    router,
    subnet,
)
from netweft.testing.switch import Packet

BLUE, RED, R = network(1), network(2), router(1)
TO_BLUE, TO_RED = interface(1, R, BLUE, "10.0.1.1"), interface(2, R, RED, "10.0.2.1")
GATEWAY = gateway(1, R, OUTSIDE, "hv1", "203.0.113.5")
CLIENT, VM = port(10, BLUE, "10.0.1.10"), port(20, RED, "10.0.2.20")
PAIR, PAIR_MAC = "10.0.2.77", "fa:16:3e:aa:bb:01"
FIP, FORWARDED, VIP = "203.0.113.50", "203.0.113.51", "10.0.1.100"
FLOATING = floating_ip(1, R, OUTSIDE, FIP, PAIR)
FORWARDS = port_forwarding(2, R, OUTSIDE, (FORWARDED, "80:81"), (PAIR, "80:81"), PROTO_TCP)
LB = LoadBalancer(
    id="0000aaaa-lb", vip_address=VIP, vip_port_id="vip", vip_network_id=BLUE.id, vip_mac_address="fa:16:3e:bb:00:01"
)


class Kind(NamedTuple):
    """port: as it is in the database.  mac: that it uses.  known: whether the database says who has the address."""

    port: Port
    mac: str = VM.mac_address
    known: bool = True


def paired(address: str, mac_address: str = VM.mac_address) -> Port:
    return replace(VM, allowed_address_pairs=(AddressPair(address, mac_address),))


KINDS = {
    "no port security": Kind(replace(VM, port_security_enabled=False, security_groups=()), known=False),
    "a pair's address": Kind(paired(PAIR)),
    "a pair's prefix": Kind(paired("10.0.2.64/26"), known=False),
    "a pair's address and MAC": Kind(paired(PAIR, PAIR_MAC), PAIR_MAC),
}
PLACES = ("router port", "VM port")


class Stage:
    """The client is on hv1, where the gateway is, and the VM on hv2."""

    def __init__(self, kind: Kind, place: str) -> None:
        self.kind, self.region = kind, Region(nodes=2)
        guarded = {"firewall_group_id": GROUP}
        self.vm = replace(kind.port, **guarded) if place == "VM port" else kind.port
        to_red = replace(TO_RED, **guarded) if place == "router port" else TO_RED
        self.region.create(BLUE, RED, OUTSIDE, R, TO_BLUE, to_red, GATEWAY, CLIENT, self.vm, *ALL, WEB, ONLY_WEB)
        self.region.create(subnet(BLUE, "10.0.1.0/24"), subnet(RED, "10.0.2.0/24"))
        self.region.create(subnet(OUTSIDE, "203.0.113.0/24", gateway_ip=ROUTER_OUT_THERE))
        self.region.plug("hv1", CLIENT)
        self.region.plug("hv2", self.vm)
        self.uses = replace(VM, mac_address=kind.mac, fixed_ips=(FixedIp("", PAIR),))

    def told(self, *objects: object) -> None:
        self.region.create(*objects)  # type: ignore[arg-type]
        self.region.settle()
        for node in self.region.nodes.values():
            for address, its_mac in MACS.items():
                node.rendering.learn(OUTSIDE.id, address, its_mac)
            if not self.kind.known:
                node.rendering.learn(RED.id, PAIR, self.kind.mac)
        self.region.settle()

    def from_client(self, to: str, dport: int, sport: int = 1000) -> bool:
        by = LB.vip_mac_address if to == VIP else TO_BLUE.mac_address
        return self.region.receivers(CLIENT, _tcp(CLIENT, to, by, sport, dport)) == [VM.id]

    def from_outside(self, to: str, dport: int, sport: int = 1000) -> bool:
        by = FLOATING.mac_address if to == FIP else GATEWAY.mac_address
        frm = replace(CLIENT, mac_address=MACS[ROUTER_OUT_THERE], fixed_ips=(FixedIp("", SOMEBODY),))
        found = self.region.wires["public"].carry(None, {"vlan_vid": 0, **_tcp(frm, to, by, sport, dport)})
        return self.region.ids_of(list(found)) == [VM.id]

    def to_client(self, dport: int, sport: int = 1000) -> bool:
        sent = _tcp(self.uses, "10.0.1.10", TO_RED.mac_address, sport, dport)
        return self.region.receivers(VM, sent) == [CLIENT.id]

    def to_outside(self, dport: int, sport: int = 1000) -> str:
        """By which address it is heard."""
        heard = self.region.wires["public"].heard
        heard.clear()
        self.region.send(VM, _tcp(self.uses, SOMEBODY, TO_RED.mac_address, sport, dport))
        of_it = [one for one in heard if one.get("ipv4_dst") == prefix(SOMEBODY).value]
        return next((name for name in (FIP, FORWARDED, "203.0.113.5") if of_it and _is_from(of_it[0], name)), "")


def _is_from(packet: Packet, address: str) -> bool:
    return packet["ipv4_src"] == prefix(address).value and packet["eth_dst"] == mac(MACS[ROUTER_OUT_THERE])


def _tcp(frm: Port, to: str, by: str, sport: int, dport: int) -> Packet:
    return {**packets.tcp(frm.mac_address, by, frm.fixed_ips[0].ip_address, to, sport, dport), "ip_ttl": 64}


@pytest.fixture(params=[(kind, place) for kind in KINDS for place in PLACES], ids=", ".join)
def stage(request: pytest.FixtureRequest) -> Stage:
    kind, place = request.param
    return Stage(KINDS[kind], place)


NOTHING = policy(2, rule(9, protocol=PROTO_UDP))


def test_routed_to_it(stage: Stage) -> None:
    stage.told(group(ONLY_WEB, None))
    assert [stage.from_client(PAIR, dport) for dport in (81, 80)] == [False, True]
    assert stage.to_client(1000, 80), "an answer, whatever the other direction says"
    assert not stage.to_client(1001, 80)
    stage.told(NOTHING, group(NOTHING, None))
    assert not stage.from_client(PAIR, 80)
    assert not stage.to_client(1000, 80), "it has ended with its rule"


def test_routed_from_it(stage: Stage) -> None:
    stage.told(group(None, ONLY_WEB))
    assert [stage.to_client(dport) for dport in (81, 80)] == [False, True]
    assert stage.from_client(PAIR, 1000, 80)
    assert not stage.from_client(PAIR, 1001, 80)
    stage.told(NOTHING, group(None, NOTHING))
    assert not stage.to_client(80)
    assert not stage.from_client(PAIR, 1000, 80)


@pytest.mark.parametrize("by", [FIP, FORWARDED])
def test_from_outside(stage: Stage, by: str) -> None:
    stage.told(FLOATING if by == FIP else FORWARDS, group(ONLY_WEB, None))
    assert [stage.from_outside(by, dport) for dport in (81, 80)] == [False, True]
    assert stage.to_outside(1000, 80) == by
    assert stage.to_outside(1001, 80) == ""
    stage.told(NOTHING, group(NOTHING, None))
    assert not stage.from_outside(by, 80)
    assert stage.to_outside(1000, 80) == ""


@pytest.mark.parametrize("by", [FIP, "203.0.113.5"], ids=["floating IP", "SNAT"])
def test_to_outside(stage: Stage, by: str) -> None:
    stage.told(*([FLOATING] if by == FIP else []), group(None, ONLY_WEB))
    assert [stage.to_outside(dport) for dport in (81, 80)] == ["", by]
    assert stage.from_outside(by, 1000, 80)
    assert not stage.from_outside(by, 1001, 80)
    stage.told(NOTHING, group(None, NOTHING))
    assert stage.to_outside(80) == ""
    assert not stage.from_outside(by, 1000, 80)


def test_balanced_to_it(stage: Stage) -> None:
    tree: list[object] = [LB]
    for at in (80, 81):
        pool = Pool(id=f"0000bb{at}-pool", load_balancer_id=LB.id, protocol="TCP", lb_algorithm="ROUND_ROBIN")
        tree += [
            pool,
            Listener(
                id=f"0000cc{at}", load_balancer_id=LB.id, protocol="TCP", protocol_port=at, default_pool_id=pool.id
            ),
            Member(id=f"0000dd{at}", pool_id=pool.id, load_balancer_id=LB.id, address=PAIR, protocol_port=at),
        ]
    stage.told(*tree, group(ONLY_WEB, None))
    assert [stage.from_client(VIP, dport) for dport in (81, 80)] == [False, True]
    assert stage.to_client(1000, 80)
    assert not stage.to_client(1001, 80)
    stage.told(NOTHING, group(NOTHING, None))
    assert not stage.from_client(VIP, 80)
    assert not stage.to_client(1000, 80)
