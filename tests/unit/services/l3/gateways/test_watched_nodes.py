"""Who watches whom: whoever may take over and whoever uses it, both ways; nobody where there is nothing to choose."""

from collections.abc import Mapping, Set
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from netweft.model import GatewayPort, Node, Proxy, RouterPort
from netweft.services.l3.gateways.watched_nodes import interface_to, session
from netweft.services.l3.neighbours.unknown_locations import Domains
from netweft.services.values import HostFacts

HOSTS, ROUTERS, NETWORKS = [f"hv{n}" for n in range(6)], ["r1", "r2", "r3"], ["n1", "n2", "n3", "n4"]
orders = st.lists(st.sampled_from(HOSTS), max_size=3, unique=True)
BFD = {"enable": "true", "min_rx": "70", "min_tx": "70", "mult": "3"}
some_networks = st.sets(st.sampled_from(NETWORKS), max_size=3)


def gateway(router: str, order: list[str]) -> GatewayPort:
    mac = "02:00:00:00:00:01"
    return GatewayPort(id=f"p{router}", network_id="ext", mac_address=mac, router_id=router, hosts=tuple(order))


def interface(router: str, network: str) -> RouterPort:
    return RouterPort(id=f"{router} {network}", network_id=network, router_id=router, mac_address="02:00:00:00:00:02")


class Sight:
    """What one node is told, and whom it watches for it."""

    def __init__(self, node: str) -> None:
        self.domains = Domains(node)
        self.gateways: dict[str, GatewayPort] = {}
        self.interfaces: dict[tuple[str, str], RouterPort] = {}

    def told(
        self, order: Mapping[str, list[str]], networks_of: Mapping[str, Set[str]], hosts_on: Mapping[str, Set[str]]
    ) -> frozenset[str]:
        """All of it; what was told before and is not named holds no longer."""
        gateways = {router: gateway(router, hosts) for router, hosts in order.items() if hosts}
        wanted = {(router, network) for router, networks in networks_of.items() for network in networks}
        for router in self.gateways.keys() | gateways.keys():
            list(self.domains.changed(self.gateways.get(router), gateways.get(router)))
        for key in self.interfaces.keys() ^ wanted:
            before, after = self.interfaces.pop(key, None), interface(*key) if key in wanted else None
            list(self.domains.changed(before, after))
            if after:
                self.interfaces[key] = after
        self.gateways = gateways
        for network in NETWORKS:
            self.domains.has_hosts(network, hosts_on.get(network, ()))
        list(self.domains.refresh())
        return self.domains.watched.hosts


regions = st.tuples(
    st.fixed_dictionaries(dict.fromkeys(ROUTERS, orders)),
    st.fixed_dictionaries(dict.fromkeys(ROUTERS, some_networks)),
    st.fixed_dictionaries(dict.fromkeys(NETWORKS, st.sets(st.sampled_from(HOSTS)))),
)
_Region: TypeAlias = tuple[dict[str, list[str]], dict[str, set[str]], dict[str, set[str]]]


@given(regions)
def test_both_ends_have_a_session(region: _Region) -> None:
    """Each sees the networks that it is led to, and other nodes' ports on them."""
    order, networks_of, hosts_on = region
    sees = {}
    for node in HOSTS:
        own = {network for network in NETWORKS if node in hosts_on[network]}
        known = {router for router in ROUTERS if networks_of[router] & own or node in order[router]}
        while more := {r for r in ROUTERS for k in known if networks_of[r] & networks_of[k]} - known:
            known |= more
        elsewhere = {network: hosts_on[network] - {node} for network in NETWORKS}
        there = {router: networks_of[router] for router in sorted(known)}
        sees[node] = Sight(node).told({router: order[router] for router in there}, there, elsewhere)
    for one in HOSTS:
        for other in HOSTS:
            assert (other in sees[one]) == (one in sees[other]), (one, other)
        assert one not in sees[one]
        for router in ROUTERS:
            candidates = order[router] if len(order[router]) > 1 else []
            if one in candidates or any(one in hosts_on[network] for network in networks_of[router]):
                assert sees[one] >= set(candidates) - {one}


@given(st.lists(regions, min_size=2, max_size=4))
def test_who_is_watched_is_what_holds_now(regions: list[_Region]) -> None:
    """Whatever was told before: routers that came to hang together, and parted."""
    sight = Sight("hv0")
    before: dict[str, bool] = {}
    for region in regions:
        found = sight.told(*region)
        assert found == Sight("hv0").told(*region)
        before |= dict(sight.domains.watched.take_changed())
        assert {host for host, is_watched in before.items() if is_watched} == found, "each change is told"


def test_where_one_alone_can_nobody_is_watched() -> None:
    assert Sight("hv0").told({"r1": ["hv1"]}, {"r1": {"n1"}}, {"n1": {"hv1", "hv2"}}) == frozenset()


def proxy(host: str) -> Proxy:
    return Proxy(id=f"x {host}", load_balancer_id="b", network_id="n2", mac_address="02:00:00:00:00:03", host_id=host)


def test_haproxy_is_watched_by_who_may_send_there_and_watches_them() -> None:
    """hv1, hv2: its nodes.  hv0: has the network, hv3: one behind a router, hv4: the router's gateway."""
    on = {"n1": {"hv3"}, "n2": {"hv0", "hv1", "hv2"}}
    sees = {}
    for node in HOSTS[:5]:
        sight = Sight(node)
        for host in ("hv1", "hv2"):
            list(sight.domains.changed(None, proxy(host)))
        elsewhere = {network: hosts - {node} for network, hosts in on.items()}
        sees[node] = sight.told({"r1": ["hv4"]}, {"r1": {"n1", "n2"}}, elsewhere)
        list(sight.domains.changed(proxy("hv2"), None))
        list(sight.domains.refresh())
        assert sight.domains.watched.hosts == frozenset(), "one alone"
    assert sees == {
        "hv0": {"hv1", "hv2"},
        "hv1": {"hv0", "hv2", "hv3", "hv4"},
        "hv2": {"hv0", "hv1", "hv3", "hv4"},
        "hv3": {"hv1", "hv2"},
        "hv4": {"hv1", "hv2"},
    }


def test_who_answers_on_a_wire_watches_who_may() -> None:
    domains, port = Domains("hv0"), replace(interface("r1", "n1"), hosts=("hv0", "hv1"))
    list(domains.changed(None, port))
    assert domains.watched.hosts == {"hv1"}
    list(domains.changed(port, replace(port, hosts=("hv1", "hv2"))))
    assert not domains.watched.hosts, "nor who only sends there"
    list(domains.changed(port, None))
    assert domains.watched.take_changed() == [("hv1", False)]


HERE = HostFacts(name="hv0", tunnel_ip="198.18.0.1", tunnel_types=("gre", "vxlan"))


def test_a_session_is_a_tunnel_port_with_bfd() -> None:
    row = session(HERE, Node(name="hv1", tunnel_ip="198.18.0.2", tunnel_types=("vxlan", "gre")), cut=False)
    assert row is not None
    assert (row.name, row.bridge, row.type) == (interface_to("hv1"), "br-tun", "vxlan")
    assert dict(row.options) == {"local_ip": "198.18.0.1", "remote_ip": "198.18.0.2", "key": "0", "tos": "inherit"}
    assert dict(row.bfd) == BFD


def test_an_operator_says_how_patient_it_is() -> None:
    """Where hypervisors have no processor to spare (`bfd_interval`)."""
    patient = replace(HERE, bfd_interval=300)
    row = session(patient, Node(name="hv1", tunnel_ip="198.18.0.2", tunnel_types=("gre",)), cut=False)
    assert row is not None
    assert dict(row.bfd) == BFD | {"min_rx": "300", "min_tx": "300"}


def test_others_learn_that_the_uplink_is_cut() -> None:
    row = session(HERE, Node(name="hv1", tunnel_ip="198.18.0.2", tunnel_types=("gre",)), cut=True)
    assert row is not None
    assert dict(row.bfd) == BFD | {"cpath_down": "true"}


@pytest.mark.parametrize(
    "there",
    [
        Node(name="hv1", tunnel_ip=None, tunnel_types=("vxlan",)),
        Node(name="hv1", tunnel_ip="198.18.0.2", tunnel_types=("geneve",)),
        Node(name="hv1", tunnel_ip="198.18.0.1", tunnel_types=("vxlan",)),
        Node(name="hv1", tunnel_ip="2001:db8::1", tunnel_types=("vxlan",)),
    ],
)
def test_without_a_tunnel_there_is_none(there: Node) -> None:
    assert session(HERE, there, cut=False) is None
