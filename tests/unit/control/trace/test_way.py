"""Where a packet goes by the rows: nothing is said of healthy pairs, and each fault is named, first, for what it is."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from netweft.control.explain.snapshot import Snapshot
from netweft.control.trace.packet import ICMP, TCP, Packet
from netweft.control.trace.walk import Start, answer, walk
from netweft.control.trace.way import OUTSIDE, PORT, ROUTER, UNKNOWN, Way
from netweft.testing import region as made
from netweft.testing.explained import Rows, rows_of
from netweft.testing.region import Region

Row = dict[str, Any]
ONE, TWO, THREE, FAR = (f"{number:08x}-1111-4000-8000-000000000000" for number in (1, 2, 3, 4))
SOMEBODY = "198.51.100.1"


def build() -> Region:
    """Ports 1 and 2 on a network, 3 on another, behind one router with a gateway; 4 behind a second router that a route
    leads to.  Port 3 has a floating IP."""
    region, router, second = Region(nodes=2), made.router(1), made.router(2)
    outside = made.network(90, "flat", "public")
    nets = [made.network(number) for number in (1, 2, 3, 4)]
    region.create(router, second, outside, made.subnet(outside, "203.0.113.0/24", gateway_ip="203.0.113.1"))
    region.create(made.gateway(1, router, outside, "hv1", "203.0.113.2"))
    for number, net in enumerate(nets, 1):
        region.create(net, made.subnet(net, f"10.0.{number}.0/24", gateway_ip=f"10.0.{number}.1"))
    for number, net in enumerate(nets[:3], 1):
        region.create(made.interface(number, router, net, f"10.0.{number}.1"))
    region.create(made.interface(4, second, nets[2], "10.0.3.2"), made.interface(5, second, nets[3], "10.0.4.1"))
    for number, of in ((1, 1), (2, 1), (3, 2), (4, 4)):
        port = made.port(number, nets[of - 1], f"10.0.{of}.{10 + number}")
        region.create(port)
        region.plug(f"hv{1 + number % 2}", port)
    three = region.ports[THREE]
    region.create(made.floating_ip(1, router, outside, "203.0.113.9", "10.0.2.13", three))
    return region


REGION = build()


def all_rows() -> Rows:
    rows = rows_of(REGION)
    for network in rows["networks"].values():
        network |= {"router:external": network["provider:network_type"] == "flat", "mtu": 1500}
    first, second = sorted(rows["routers"].values(), key=lambda one: str(one["id"]))
    first["routes"] = [{"destination": "10.0.4.0/24", "nexthop": "10.0.3.2"}]
    second["routes"] = [{"destination": "0.0.0.0/0", "nexthop": "10.0.3.1"}]
    return rows


def snapshot(rows: Rows, **more: Any) -> Snapshot:
    return Snapshot(rows, whole=frozenset({"agents", "ports"}), **more)


def ways(rows: Rows, frm: str, packet: Packet, target: str = "", **more: Any) -> tuple[Way, Way | None]:
    """frm: empty: outside."""
    seen = snapshot(rows, **more)
    port = seen.get("ports", frm)
    external = next(seen.all("networks", **{"router:external": True}))
    network = seen.get("networks", port["network_id"]) if port else external
    assert network is not None
    there = walk(seen, Start(port, network), packet, seen.get("ports", target))
    return there, answer(seen, there, Start(port, network))


def tcp(src: str, dst: str, port: int = 443) -> Packet:
    return Packet(src, dst, TCP, 49152, port)


A, B, C, D, FLOATING = "10.0.1.11", "10.0.1.12", "10.0.2.13", "10.0.4.14", "203.0.113.9"
HEALTHY = {
    "one network": (ONE, tcp(A, B), TWO, PORT),
    "two networks": (ONE, tcp(A, C), THREE, PORT),
    "ping": (ONE, Packet(A, C, ICMP), THREE, PORT),
    "by an extra route": (ONE, tcp(A, D), FAR, PORT),
    "back by the other router": (FAR, tcp(D, A), ONE, PORT),
    "the router": (ONE, Packet(A, "10.0.2.1", ICMP), "", ROUTER),
    "outside, by SNAT": (ONE, tcp(A, SOMEBODY), "", OUTSIDE),
    "outside, by its floating IP": (THREE, tcp(C, SOMEBODY), "", OUTSIDE),
    "outside, by two routers": (FAR, tcp(D, SOMEBODY), "", OUTSIDE),
    "a large one": (ONE, tcp(A, C)._replace(size=1500), THREE, PORT),
    "a neighbour outside": (ONE, tcp(A, "203.0.113.77"), "", OUTSIDE),
    "from outside": ("", tcp(SOMEBODY, FLOATING), "", PORT),
    "to a floating IP from inside": (ONE, tcp(A, FLOATING), "", PORT),
    "to its own floating IP": (THREE, tcp(C, FLOATING), "", PORT),
    "the gateway from outside": ("", Packet(SOMEBODY, "203.0.113.2", ICMP), "", ROUTER),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_of_healthy_pairs_nothing_is_said(name: str) -> None:
    frm, packet, target, end = HEALTHY[name]
    there, back = ways(all_rows(), frm, packet, target)
    assert (there.end, there.findings) == (end, [])
    assert back is not None
    assert (back.end, back.findings) == (PORT if frm else OUTSIDE, [])
    assert back.packet == packet.answered()


class Fault(NamedTuple):
    """On the way `on` of HEALTHY.  breaks: the rows; may say what else is seen.  back: said of the answer."""

    code: str
    on: str
    breaks: Callable[[Rows], dict[str, Any] | None]
    back: bool = False


def router(rows: Rows, number: int) -> Row:
    return rows["routers"][f"{number:08x}-3333-4000-8000-000000000000"]


def port(rows: Rows, id: str) -> Row:
    return rows["ports"][id]


def network(rows: Rows, number: int) -> Row:
    return rows["networks"][f"{number:08x}-0000-4000-8000-000000000000"]


def subnet(rows: Rows, number: int) -> Row:
    return rows["subnets"][f"{number:08x}-4"]


def only(rows: Rows, direction: str, **values: Any) -> None:
    """The group's rules of that direction become one that lets only this through."""
    rules = rows["security_group_rules"]
    kept = next(rule for rule in rules.values() if rule["direction"] == direction and rule["ethertype"] == "IPv4")
    for id in [id for id, rule in rules.items() if rule["direction"] == direction]:
        del rules[id]
    rules[direction] = {**kept, "id": direction, **values}


def rule(direction: str, **values: Any) -> Callable[[Rows], None]:
    return lambda rows: only(rows, direction, **values)


def change(of: Callable[[Rows, Any], Row], key: Any, **values: Any) -> Callable[[Rows], None]:
    return lambda rows: of(rows, key).update({name.replace("__", ":"): value for name, value in values.items()})


def without_interface(number: int) -> Callable[[Rows], None]:
    def breaks(rows: Rows) -> None:
        del rows["ports"][f"{number:08x}-4444-4000-8000-000000000000"]

    return breaks


def interface(rows: Rows, number: int) -> Row:
    return rows["ports"][f"{number:08x}-4444-4000-8000-000000000000"]


def no_snat_outside_scope(rows: Rows) -> None:
    router(rows, 1)["external_gateway_info"] |= {"enable_snat": False}
    network(rows, 1)["ipv4_address_scope"] = "scope"


def forwarded(rows: Rows) -> None:
    (one,) = rows["floatingips"].values()
    one |= {"port_id": None, "fixed_ip_address": None}
    rows["port_forwardings"]["f"] = {
        "id": "f", "floatingip_id": one["id"], "protocol": "tcp", "external_port_range": "80:80",
        "internal_port_range": "8080:8080", "internal_ip_address": C, "internal_port_id": THREE,
    }  # fmt: skip


def stateless(rows: Rows) -> None:
    for group in rows["security_groups"].values():
        group["stateful"] = False
    only(rows, "ingress", protocol="tcp", port_range_min=443, port_range_max=443)


def loop(rows: Rows) -> None:
    router(rows, 2)["routes"] = [{"destination": "10.0.9.0/24", "nexthop": "10.0.3.1"}]
    router(rows, 1)["routes"] = [{"destination": "10.0.9.0/24", "nexthop": "10.0.3.2"}]


def silent(rows: Rows) -> dict[str, Any]:
    return {"silent": {"hv1": 99.0, "hv2": 99.0}}


DOWN = {"admin_state_up": False}
FAULTS = (
    Fault("port-admin-down", "one network", change(port, ONE, **DOWN)),
    Fault("port-admin-down", "two networks", change(port, THREE, **DOWN)),
    Fault("port-not-bound", "two networks", change(port, THREE, binding__host_id="", status="DOWN")),
    Fault("port-not-plugged", "two networks", change(port, THREE, status="DOWN")),
    Fault("port-host-dead", "one network", silent),
    Fault("network-admin-down", "two networks", change(network, 2, **DOWN)),
    Fault("no-rule-lets-it-out", "one network", rule("egress", protocol="udp")),
    Fault("no-rule-lets-it-out", "one network", rule("egress", remote_ip_prefix="10.9.0.0/16")),
    Fault("no-rule-lets-it-in", "two networks", rule("ingress", port_range_min=80, port_range_max=80, protocol="tcp")),
    Fault("no-rule-lets-it-in", "two networks", rule("ingress", ethertype="IPv6")),
    Fault("no-rule-lets-it-in", "two networks", rule("ingress", remote_group_id="another")),
    Fault("no-rule-lets-it-in", "from outside", rule("ingress", remote_ip_prefix="10.0.0.0/8")),
    Fault("no-rule-lets-it-in", "ping", rule("ingress", protocol="icmp", port_range_min=13)),
    Fault("no-rule-lets-it-in", "two networks", stateless, back=True),
    Fault("port-without-security-group", "one network", change(port, TWO, security_groups=[])),
    Fault("subnet-no-gateway", "two networks", change(subnet, 1, gateway_ip=None)),
    Fault("subnet-no-gateway", "two networks", change(subnet, 2, gateway_ip=None), back=True),
    Fault("gateway-address-is-nobodys", "two networks", change(subnet, 1, gateway_ip="10.0.1.254")),
    Fault("gateway-address-is-nobodys", "two networks", without_interface(1)),
    Fault("router-not-on-network", "two networks", without_interface(2)),
    Fault("router-not-on-network", "by an extra route", change(router, 1, routes=[])),
    Fault("router-no-route", "outside, by two routers", change(router, 2, routes=[])),
    Fault("router-admin-down", "two networks", change(router, 1, **DOWN)),
    Fault("router-interface-admin-down", "two networks", change(interface, 2, **DOWN)),
    Fault("route-to-nobody", "by an extra route", without_interface(4)),
    Fault("address-scopes-differ", "two networks", change(network, 2, ipv4_address_scope="scope")),
    Fault("address-scopes-differ", "outside, by SNAT", no_snat_outside_scope),
    Fault("external-subnet-no-gateway", "outside, by SNAT", change(subnet, 90, gateway_ip=None)),
    Fault("router-gateway-host-dead", "outside, by SNAT", silent),
    Fault("floatingip-port-not-forwarded", "from outside", forwarded),
    Fault("larger-than-mtu", "a large one", change(network, 2, mtu=1400)),
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.code} {fault.on}")
def test_each_fault_is_named_first(fault: Fault) -> None:
    frm, packet, target, _ = HEALTHY[fault.on]
    rows = all_rows()
    more = fault.breaks(rows) or {}
    there, back = ways(rows, frm, packet, target, **more)
    way = back if fault.back else there
    assert way is not None
    codes = [finding.code.code for finding in way.findings]
    if fault.code.endswith("host-dead"):
        assert fault.code in codes
    else:
        assert codes[:1] == [fault.code]
    assert all(finding.fix and "{" not in finding.fix for finding in way.findings)
    if fault.back:
        assert there.findings == []


def test_all_that_is_in_the_way_is_named() -> None:
    rows = all_rows()
    only(rows, "egress", protocol="udp")
    only(rows, "ingress", protocol="udp")
    router(rows, 1)["admin_state_up"] = False
    port(rows, THREE)["admin_state_up"] = False
    there, _ = ways(rows, *HEALTHY["two networks"][:3])
    assert [one.code.code for one in there.findings] == [
        "no-rule-lets-it-out",
        "router-admin-down",
        "no-rule-lets-it-in",
        "port-admin-down",
    ]
    assert "the nearest is rule egress" in there.findings[0].told.detail
    assert there.findings[0].told.detail.endswith("IPv4 udp to anybody: another protocol")


def test_nobody_and_round_and_round() -> None:
    there, back = ways(all_rows(), ONE, tcp(A, "10.0.1.99"))
    assert ([one.code.code for one in there.findings], back) == (["address-is-nobodys"], None)
    rows = all_rows()
    loop(rows)
    there, _ = ways(rows, ONE, tcp(A, "10.0.9.9"))
    assert [one.code.code for one in there.findings] == ["route-loop"]
    there, _ = ways(all_rows(), ONE, tcp(A, "10.0.2.1"))
    assert [one.code.code for one in there.findings] == ["router-does-not-listen"]
    there, _ = ways(all_rows(), ONE, tcp("10.0.1.77", B), TWO)
    assert [one.code.code for one in there.findings] == ["source-address-not-its-own"]


def test_what_is_not_seen_is_supposed() -> None:
    rows = all_rows()
    seen = Snapshot({**rows, "routers": {}}, whole=frozenset())
    mine = seen.get("networks", port(rows, ONE)["network_id"])
    assert mine is not None
    there = walk(seen, Start(seen.get("ports", ONE), mine), tcp(A, C))
    assert (there.end, there.findings) == (UNKNOWN, [])
    assert "not yours to see" in there.assumptions[0]
