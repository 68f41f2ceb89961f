"""Who watches whom: whoever may take over and whoever uses it, both ways; nobody where there is nothing to choose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from netweft.model import GatewayPort, Node
from netweft.services.l3.watch import interface_to, session, watched
from netweft.services.values import HostFacts

HOSTS, ROUTERS, NETWORKS = [f"hv{n}" for n in range(6)], ["r1", "r2", "r3"], ["n1", "n2", "n3", "n4"]
orders = st.lists(st.sampled_from(HOSTS), max_size=3, unique=True)
BFD = {"enable": "true", "min_rx": "70", "min_tx": "70", "mult": "3"}
some_networks = st.sets(st.sampled_from(NETWORKS), max_size=3)


def gateway(router: str, order: list[str]) -> GatewayPort:
    mac = "02:00:00:00:00:01"
    return GatewayPort(id=f"p{router}", network_id="ext", mac_address=mac, router_id=router, hosts=tuple(order))


@given(
    st.fixed_dictionaries(dict.fromkeys(ROUTERS, orders)),
    st.fixed_dictionaries(dict.fromkeys(ROUTERS, some_networks)),
    st.fixed_dictionaries(dict.fromkeys(NETWORKS, st.sets(st.sampled_from(HOSTS)))),
)
def test_both_ends_have_a_session(
    order: dict[str, list[str]], networks_of: dict[str, set[str]], hosts_on: dict[str, set[str]]
) -> None:
    """Each sees the networks that it is led to, and other nodes' ports on them."""
    sees = {}
    for node in HOSTS:
        own = {network for network in NETWORKS if node in hosts_on[network]}
        known = {router for router in ROUTERS if networks_of[router] & own or node in order[router]}
        while more := {r for r in ROUTERS for k in known if networks_of[r] & networks_of[k]} - known:
            known |= more
        gateways = [gateway(router, order[router]) for router in sorted(known) if order[router]]
        elsewhere = {network: hosts_on[network] - {node} for network in NETWORKS}
        sees[node] = watched(node, gateways, {router: networks_of[router] for router in known}, elsewhere)
    for one in HOSTS:
        for other in HOSTS:
            assert (other in sees[one]) == (one in sees[other]), (one, other)
        assert one not in sees[one]
        for router in ROUTERS:
            candidates = order[router] if len(order[router]) > 1 else []
            if one in candidates or any(one in hosts_on[network] for network in networks_of[router]):
                assert sees[one] >= set(candidates) - {one}


def test_where_one_alone_can_nobody_is_watched() -> None:
    assert watched("hv0", [gateway("r1", ["hv1"])], {"r1": ["n1"]}, {"n1": ["hv1", "hv2"]}) == frozenset()


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


def test_others_are_told_that_the_way_outside_is_cut() -> None:
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
