"""A region as rows, ways through it that are healthy, and faults: each one declaration, made alone on one of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from netweft.control.explain.snapshot import Lag, Snapshot
from netweft.control.l2.hosts import FAILED
from netweft.control.l2.trunks import PART_OF
from netweft.control.l2.wires import LACKS
from netweft.control.lb.health import STATUS
from netweft.control.trace.packet import ICMP, TCP, Packet
from netweft.control.trace.walk import answer, walk
from netweft.control.trace.walker import Start
from netweft.control.trace.way import OUTSIDE, PORT, ROUTER, Way
from netweft.model.fwaas import FIREWALL_GROUP
from netweft.model.load_balancer import VIP_ADDRESSES, VIP_OWNER
from netweft.model.proxy import PROXY_OWNER
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
    balanced(rows)
    return rows


def balanced(rows: Rows) -> None:
    """A load balancer on network 2, whose members are ports 3 and 4: TCP 80 by flows, HTTP 8080 by HAProxy on hv1."""
    ours = {"device_id": "lb", "project_id": "p", "admin_state_up": True}
    net, near, far = (of["id"] for of in (network(rows, 2), subnet(rows, 2), subnet(rows, 4)))
    plain = {**port(rows, THREE), "binding:host_id": "", "security_groups": [], "port_security_enabled": False}
    for id, owner, device, address in (("vip", VIP_OWNER, "lb-lb", VIP), ("proxy", PROXY_OWNER, "lb", "10.0.2.101")):
        fixed = [{"subnet_id": near, "ip_address": address}]
        its = {"id": id, "device_owner": owner, "device_id": device, "fixed_ips": fixed, "mac_address": f"0e:{id[-2:]}"}
        rows["ports"][id] = {**plain, **its, "status": "ACTIVE"}
    rows["ports"]["proxy"]["binding:host_id"] = "hv1"
    rows["loadbalancers"] = {
        "lb": {**ours, "id": "lb", "vip_port_id": "vip", "vip_network_id": net, "provisioning_status": "ACTIVE",
               "name": "lb", VIP_ADDRESSES: [{"ip_address": VIP, "subnet_id": near}]},
    }  # fmt: skip
    rows["listeners"] = {
        id: {**ours, "id": id, "protocol": protocol, "protocol_port": at, "default_pool_id": "pool"}
        for id, protocol, at in (("flows", "TCP", 80), ("http", "HTTP", 8080))
    }
    pool = {"id": "pool", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "healthmonitor_id": "hm"}
    rows["pools"] = {"pool": {**ours, **pool}}
    rows["healthmonitors"] = {"hm": {**ours, "id": "hm", "pool_id": "pool"}}
    rows["members"] = {
        id: {**ours, "id": id, "pool_id": "pool", "address": address, "protocol_port": 443, "weight": 1,
             "subnet_id": of, STATUS: "ONLINE"}
        for id, address, of in (("near", C, near), ("far", D, far))
    }  # fmt: skip


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
VIP = "10.0.2.100"
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
    "a port by its floating IP": ("", tcp(SOMEBODY, FLOATING), THREE, PORT),
    "to a floating IP from inside": (ONE, tcp(A, FLOATING), "", PORT),
    "to its own floating IP": (THREE, tcp(C, FLOATING), "", PORT),
    "by a load balancer": (ONE, tcp(A, VIP, 80), "vip", PORT),
    "by a load balancer's HAProxy": (ONE, tcp(A, VIP, 8080), "vip", PORT),
    "a member by its own load balancer": (FAR, tcp(D, VIP, 80), "vip", PORT),
    "ping of a load balancer": (ONE, Packet(A, VIP, ICMP), "vip", PORT),
    "the gateway from outside": ("", Packet(SOMEBODY, "203.0.113.2", ICMP), "", ROUTER),
}


class Fault(NamedTuple):
    """On the way `on` of HEALTHY.  breaks: the rows; may say what else is seen.  back: said of the answer."""

    what: str
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


def no_rules_in(rows: Rows) -> None:
    for rule in rows["security_group_rules"].values():
        rule["direction"] = "egress"


def loop(rows: Rows) -> None:
    router(rows, 2)["routes"] = [{"destination": "10.0.9.0/24", "nexthop": "10.0.3.1"}]
    router(rows, 1)["routes"] = [{"destination": "10.0.9.0/24", "nexthop": "10.0.3.2"}]


def silent(rows: Rows) -> dict[str, Any]:
    return {"silent": {"hv1": 99.0, "hv2": 99.0}}


def late(rows: Rows) -> dict[str, Any]:
    return {"lags": {host: Lag(True, 7, 3, 2, 5.0) for host in ("hv1", "hv2")}}


def no_bridges(rows: Rows) -> None:
    port(rows, TWO).update({"binding:vif_type": FAILED, "status": "DOWN"})
    for agent in rows["agents"].values():
        agent["configurations"] |= {"tunnel_ip": None, "bridge_mappings": {}}


def gateway(**values: Any) -> Callable[[Rows], None]:
    def breaks(rows: Rows) -> None:
        its = next(one for one in rows["ports"].values() if one["device_owner"].endswith("router_gateway"))
        its.update({name.replace("__", ":"): value for name, value in values.items()})

    return breaks


def floating(**values: Any) -> Callable[[Rows], None]:
    return lambda rows: next(iter(rows["floatingips"].values())).update(values)


def no_gateway(rows: Rows) -> None:
    router(rows, 1)["external_gateway_info"] = None
    rows["ports"] = {id: one for id, one in rows["ports"].items() if "router_gateway" not in one["device_owner"]}


def twice(rows: Rows) -> None:
    rows["ports"] = {"twin": {**port(rows, TWO), "id": "twin"}, **rows["ports"]}


def gone(id: str) -> Callable[[Rows], None]:
    def breaks(rows: Rows) -> None:
        del rows["ports"][id]

    return breaks


def round_and_round(rows: Rows) -> None:
    without_interface(5)(rows)


def by_the_other_router(rows: Rows) -> None:
    """Whose interface on the second network is the subnet's gateway now."""
    more = {"network_id": network(rows, 2)["id"], "mac_address": "fa:16:3e:ff:00:09", "id": "more"}
    fixed = [{"subnet_id": subnet(rows, 2)["id"], "ip_address": "10.0.2.254"}]
    rows["ports"]["more"] = {**interface(rows, 4), **more, "fixed_ips": fixed}
    subnet(rows, 2)["gateway_ip"] = "10.0.2.254"


def wrong_source(rows: Rows) -> None:
    (fixed,) = port(rows, ONE)["fixed_ips"]
    port(rows, ONE)["fixed_ips"] = [fixed | {"ip_address": "10.0.1.99"}]


def wrong_addresses(rows: Rows) -> None:
    only(rows, "ingress", remote_address_group_id="a")
    rows["address_groups"] = {"a": {"id": "a", "addresses": ["192.168.0.0/16"]}}


def firewall(of: Callable[[Rows, Any], Row], key: Any, **values: Any) -> Callable[[Rows], None]:
    """In a group that lets nothing pass, or as it says."""

    def breaks(rows: Rows) -> None:
        of(rows, key)[FIREWALL_GROUP] = "fw"
        none = {"ingress_firewall_policy_id": None, "egress_firewall_policy_id": None}
        rows["firewall_groups"] = {"fw": {"id": "fw", "admin_state_up": True, **none, **values}}

    return breaks


def trunk(**values: Any) -> Callable[[Rows], None]:
    def breaks(rows: Rows) -> None:
        its = {"id": "t", "port_id": THREE, "admin_state_up": True, "project_id": "p", "name": "t", **values}
        rows["trunks"]["t"] = its
        port(rows, TWO)[PART_OF] = "t"
        if not values:
            port(rows, TWO).update({"binding:host_id": "", "status": "DOWN"})

    return breaks


def of(kind: str, id: str, **values: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[kind][id].update(values)


def both(*breaks: Callable[[Rows], Any]) -> Callable[[Rows], None]:
    def every(rows: Rows) -> None:
        for each in breaks:
            each(rows)

    return every


def in_a_switch(id: str) -> Callable[[Rows], None]:
    """What the switch says of the port, on another host than the other end."""

    def breaks(rows: Rows) -> None:
        port(rows, id)[LACKS] = {"switch:tor1": "VLAN 101 cannot be made: no resources"}

    return breaks


def members(**values: Any) -> Callable[[Rows], None]:
    return both(*(of("members", id, **values) for id in ("near", "far")))


def decided(*rules: str) -> Callable[[Rows], None]:
    """The receiver's firewall has these rules, in this order: an action, and of which port."""

    def breaks(rows: Rows) -> None:
        firewall(port, THREE, ingress_firewall_policy_id="fp")(rows)
        ids = [f"r{at}" for at in range(len(rules))]
        rows["firewall_policies"] = {"fp": {"id": "fp", "firewall_rules": ids}}
        blank = {"source_ip_address": None, "destination_ip_address": None, "source_port": None}
        its = {"enabled": True, "ip_version": 4, **blank}
        rows["firewall_rules"] = {
            id: {**its, "id": id, "action": said.split()[0], "protocol": "tcp", "destination_port": said.split()[1]}
            for id, said in zip(ids, rules, strict=True)
        }

    return breaks


DOWN = {"admin_state_up": False}
BALANCED, PROXIED = "by a load balancer", "by a load balancer's HAProxy"
OUT, INTO, OUTWARDS = "one network", "two networks", "outside, by SNAT"
WEB = {"protocol": "tcp", "port_range_min": 80, "port_range_max": 80}
FAULTS = (
    Fault("the sender is switched off", "port-admin-down", OUT, change(port, ONE, **DOWN)),
    Fault("the receiver is switched off", "port-admin-down", INTO, change(port, THREE, **DOWN)),
    Fault("the receiver is bound nowhere", "port-not-bound", INTO,
          change(port, THREE, binding__host_id="", status="DOWN")),
    Fault("the receiver is a sub-port of a trunk that is nowhere", "port-trunk-not-bound", OUT, trunk()),
    Fault("the receiver's trunk is switched off", "port-trunk-admin-down", OUT, trunk(**DOWN)),
    Fault("the receiver's host has no agent", "port-host-unknown", OUT,
          change(port, TWO, binding__host_id="hv9", binding__vif_type=FAILED, status="DOWN")),
    Fault("the receiver's host has no tunnels", "port-no-segment", OUT, no_bridges),
    Fault("the receiver could not be bound", "port-binding-failed", OUT,
          change(port, TWO, binding__vif_type=FAILED, status="DOWN")),
    Fault("the receiver is plugged in nowhere", "port-not-plugged", INTO, change(port, THREE, status="DOWN")),
    Fault("the receiver cannot be wired", "port-not-wired", INTO,
          change(port, THREE, status="DOWN", status_detail="no br-tun")),
    Fault("the receiver's host is full", "port-not-wired", INTO,
          change(port, THREE, status="DOWN", status_detail="no local VLAN is free on this node")),
    Fault("the switch refuses the receiver's VLAN", "port-switch-lacks-it", OUT, in_a_switch(TWO)),
    Fault("the switch that leads to the sender's host is away", "port-switch-lacks-it", OUT, in_a_switch(ONE)),
    Fault("a bare-metal receiver's switch is behind", "port-switch-pending", OUT,
          change(port, TWO, binding__vnic_type="baremetal", status="DOWN")),
    Fault("the agents do not answer", "port-host-dead", OUT, silent),
    Fault("the agents are behind", "port-host-behind", OUT, late),
    Fault("the receiver's network is switched off", "network-admin-down", INTO, change(network, 2, **DOWN)),
    Fault("rule out for another protocol", "no-rule-lets-it-out", OUT, rule("egress", protocol="udp")),
    Fault("rule out for another port", "no-rule-lets-it-out", OUT, rule("egress", **WEB)),
    Fault("rule out to another prefix", "no-rule-lets-it-out", OUT, rule("egress", remote_ip_prefix="10.9.0.0/16")),
    Fault("rule in for another port", "no-rule-lets-it-in", INTO, rule("ingress", **WEB)),
    Fault("rule in for IPv6", "no-rule-lets-it-in", INTO, rule("ingress", ethertype="IPv6")),
    Fault("rule in from another group", "no-rule-lets-it-in", INTO, rule("ingress", remote_group_id="another")),
    Fault("rule in from other addresses", "no-rule-lets-it-in", INTO, wrong_addresses),
    Fault("rule in from inside only", "no-rule-lets-it-in", "from outside",
          rule("ingress", remote_ip_prefix="10.0.0.0/8")),
    Fault("rule in for another type of ICMP", "no-rule-lets-it-in", "ping",
          rule("ingress", protocol="icmp", port_range_min=13)),
    Fault("rule out instead of in", "no-rule-lets-it-in", INTO, no_rules_in),
    Fault("stateless group without a rule for answers", "no-rule-lets-it-in", INTO, stateless, back=True),
    Fault("the receiver's firewall has no policy", "firewall-refuses", INTO, firewall(port, THREE)),
    Fault("the sender's firewall is down", "firewall-refuses", OUT, firewall(port, ONE, **DOWN)),
    Fault("the firewall of the router's port has no policy", "firewall-refuses", INTO, firewall(interface, 1)),
    Fault("the firewall of the router's other port, by a floating IP", "firewall-refuses", "from outside",
          firewall(interface, 2)),
    Fault("a firewall rule denies", "firewall-refuses", INTO, decided("deny 443:443", "allow 1:65535")),
    Fault("a firewall policy's rules in the wrong order", "firewall-refuses", INTO,
          decided("allow 80:80", "deny 1:1000", "allow 443:443")),
    Fault("the load balancer is switched off", "loadbalancer-admin-down", BALANCED, of("loadbalancers", "lb", **DOWN)),
    Fault("the load balancer does not listen on the port", "loadbalancer-does-not-listen", BALANCED,
          of("listeners", "flows", protocol_port=81)),
    Fault("the listener is switched off", "loadbalancer-does-not-listen", BALANCED, of("listeners", "flows", **DOWN)),
    Fault("the listener is one of UDP", "loadbalancer-does-not-listen", BALANCED,
          of("listeners", "flows", protocol="UDP")),
    Fault("allowed_cidrs are others", "listener-refuses-client", BALANCED,
          of("listeners", "flows", allowed_cidrs=["10.0.4.0/24"])),
    Fault("allowed_cidrs are others, by HAProxy", "listener-refuses-client", PROXIED,
          of("listeners", "http", allowed_cidrs=["10.0.4.0/24"])),
    Fault("the VIP's security group lets nobody in", "no-rule-lets-it-in", BALANCED,
          of("loadbalancers", "lb", vip_sg_ids=["empty"])),
    Fault("the listener leads to no pool", "listener-no-pool", BALANCED,
          of("listeners", "flows", default_pool_id=None)),
    Fault("the pool is switched off", "pool-admin-down", BALANCED, of("pools", "pool", **DOWN)),
    Fault("the pool is empty", "pool-no-member", BALANCED, lambda rows: rows["members"].clear()),
    Fault("all members have failed", "member-failed", BALANCED, members(**{STATUS: "ERROR"})),
    Fault("no member has answered its monitor yet", "member-not-answered-yet", BALANCED,
          members(**{STATUS: "OFFLINE"})),
    Fault("all members are switched off", "member-admin-down", BALANCED, members(**DOWN)),
    Fault("all members are drained", "pool-no-member-well", BALANCED, members(weight=0)),
    Fault("a member's security group lets in others only", "no-rule-lets-it-in", BALANCED,
          rule("ingress", remote_ip_prefix="10.0.2.0/24")),
    Fault("one member of two is plugged in nowhere", "port-not-plugged", BALANCED, change(port, FAR, status="DOWN")),
    Fault("a member's firewall refuses HAProxy", "firewall-refuses", PROXIED, firewall(port, THREE)),
    Fault("HAProxy is dead", "loadbalancer-no-haproxy", PROXIED, change(port, "proxy", status="DOWN")),
    Fault("HAProxy is on no host", "loadbalancer-no-haproxy", PROXIED,
          change(port, "proxy", binding__host_id="", status="DOWN")),
    Fault("no security group", "port-without-security-group", OUT, change(port, TWO, security_groups=[])),
    Fault("the sender uses another address", "source-address-not-its-own", OUT, wrong_source),
    Fault("two ports have the address", "ends-elsewhere", OUT, twice),
    Fault("no port has the address", "address-is-nobodys", OUT, gone(TWO)),
    Fault("no gateway on the sender's subnet", "subnet-no-gateway", INTO, change(subnet, 1, gateway_ip=None)),
    Fault("no gateway on the receiver's subnet", "subnet-no-gateway", INTO, change(subnet, 2, gateway_ip=None),
          back=True),
    Fault("wrong gateway on the sender's subnet", "gateway-address-is-nobodys", INTO,
          change(subnet, 1, gateway_ip="10.0.1.254")),
    Fault("the longest of the sender's subnet's routes leads to nobody", "gateway-address-is-nobodys", INTO,
          change(subnet, 1, host_routes=[{"destination": "10.0.0.0/8", "nexthop": "10.0.1.1"},
                                         {"destination": "10.0.2.0/24", "nexthop": "10.0.1.254"}])),
    Fault("the router is not on the sender's subnet", "gateway-address-is-nobodys", INTO, without_interface(1)),
    Fault("the router is not on the receiver's subnet", "router-not-on-network", INTO, without_interface(2)),
    Fault("the extra route is missing", "router-not-on-network", "by an extra route", change(router, 1, routes=[])),
    Fault("the extra route leads to nobody", "route-to-nobody", "by an extra route", without_interface(4)),
    Fault("the routes lead round and round", "route-loop", "by an extra route", round_and_round),
    Fault("no route outside", "router-no-route", "outside, by two routers", change(router, 2, routes=[])),
    Fault("the router has no gateway", "router-no-route", OUTWARDS, no_gateway),
    Fault("the answer comes by another router", "answer-by-another-router", INTO, by_the_other_router, back=True),
    Fault("the router is switched off", "router-admin-down", INTO, change(router, 1, **DOWN)),
    Fault("an interface of the router is switched off", "router-interface-admin-down", INTO,
          change(interface, 2, **DOWN)),
    Fault("the networks are in different scopes", "address-scopes-differ", INTO,
          change(network, 2, ipv4_address_scope="scope")),
    Fault("another scope outside, and no SNAT", "address-scopes-differ", OUTWARDS, no_snat_outside_scope),
    Fault("no gateway on the external subnet", "external-subnet-no-gateway", OUTWARDS,
          change(subnet, 90, gateway_ip=None)),
    Fault("the gateway is on no host", "router-gateway-nowhere", OUTWARDS, gateway(binding__host_id="")),
    Fault("the gateway's host is dead", "router-gateway-host-dead", OUTWARDS, silent),
    Fault("the gateway's host is behind", "router-gateway-host-behind", OUTWARDS, late),
    Fault("the floating IP leads nowhere", "floatingip-no-port", "from outside",
          floating(port_id=None, router_id=None, status="DOWN")),
    Fault("the floating IP is not ACTIVE", "floatingip-not-active", "from outside", floating(status="DOWN")),
    Fault("the floating IP's router has no gateway", "floatingip-no-gateway", "from outside", no_gateway),
    Fault("the floating IP leads to another port", "ends-elsewhere", "a port by its floating IP",
          floating(port_id=ONE, fixed_ip_address=A)),
    Fault("the floating IP forwards other ports", "floatingip-port-not-forwarded", "from outside", forwarded),
    Fault("larger than a network's MTU", "larger-than-mtu", "a large one", change(network, 2, mtu=1400)),
)  # fmt: skip
AMONG = ("port-host-dead", "port-host-behind", "router-gateway-host-dead", "router-gateway-host-behind")
