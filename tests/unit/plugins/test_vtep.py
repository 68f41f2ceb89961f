"""What a VTEP should have, without one: from what is behind it and its neighbours."""

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from netweft.model import Network, Node, Peer, Port, RouterPort
from netweft.model.network import Segment
from netweft.model.wire_macs import wire_mac
from netweft.plugins.mechanisms import BareMetal, Host, Link, Row
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.vtep.database import There
from netweft.plugins.mechanisms.vtep.desired import desired
from netweft.plugins.mechanisms.vtep.mechanism import VtepMechanism
from netweft.reconcile.plan import Step
from netweft.settings import SettingsError

OWN = "switch:tor1"
NET = Network(id="net1", segments=(Segment("vxlan", None, 5001),))
OTHER = Network(id="net2", segments=(Segment("vxlan", None, 5002),))
PLAIN = Network(id="net3", segments=(Segment("vlan", "physnet1", 3),))
SWITCH = Switch(
    name="tor1",
    device_type="hardware_vtep",
    names=frozenset({"tor1"}),
    options={"netweft_remote": "unix:/nowhere"},
)


class Sight:
    """A view of what it is given."""

    def __init__(self, hosts: Mapping[str, Host], *bare: BareMetal) -> None:
        self._hosts, self._bare = hosts, bare

    def host(self, name: str) -> Host:
        return self._hosts.get(name, Host())

    def bare_metal(self) -> Sequence[BareMetal]:
        return self._bare

    def rows(self, kind: str) -> Mapping[str, Row]:
        return {}


def bare(number: int, network: Network, port: str = "e1", switch: str = "tor1") -> BareMetal:
    return BareMetal(f"port{number}", network, (Link(port, switch_info=switch),))


def peer(number: int, host: str, network: Network = NET) -> Peer:
    return Peer(id=f"peer{number}", network_id=network.id, mac_address=f"FA:16:3E:00:00:{number:02}", host_id=host)


def neighbours(*peers: Peer, **nodes: Node) -> Host:
    return Host(peers={one.id: one for one in peers}, nodes=nodes)


def values(view: Sight) -> dict[str, object]:
    return {key: one.value for key, one in desired(SWITCH, OWN, view).items() if not one.refused}


def test_what_is_behind_it_has_a_logical_switch_and_its_neighbours() -> None:
    there = neighbours(
        *(peer(1, "hv1"), peer(2, "hv2"), peer(3, "hv3"), peer(4, OWN), peer(5, "hv1", OTHER)),
        hv1=Node(name="hv1", tunnel_ip="192.0.2.1", tunnel_types=("vxlan", "gre")),
        hv2=Node(name="hv2", tunnel_ip="192.0.2.2", tunnel_types=("geneve",)),
        hv3=Node(name="hv3", tunnel_ip="2001:db8::3", tunnel_types=("vxlan",)),
    )
    assert values(Sight({OWN: there}, bare(1, NET), bare(2, NET, switch="tor2"))) == {
        "switch net1": [5001, "source_node"],
        "binding e1 0": "net1",
        "flood net1": ["192.0.2.1"],
        "mac net1 fa:16:3e:00:00:01": "192.0.2.1",
    }


def test_it_knows_by_which_macs_nodes_answer_for_routers_there() -> None:
    """All of the order, so that who takes over is reached at once; also where nobody else is on the network."""
    macs = {host: wire_mac(host, "if1").to_bytes(6).hex(":") for host in ("hv1", "hv2", "hv3")}
    there = Host(
        nodes={
            **{f"hv{n}": Node(name=f"hv{n}", tunnel_ip=f"192.0.2.{n}", tunnel_types=("vxlan",)) for n in (1, 2)},
            "hv3": Node(name="hv3", tunnel_types=("vxlan",)),
        },
        interfaces={
            "if1": RouterPort(id="if1", network_id=NET.id, mac_address="fa:16:3e:00:00:09", hosts=tuple(macs)),
            "if2": RouterPort(id="if2", network_id=OTHER.id, mac_address="fa:16:3e:00:00:08", hosts=("hv1",)),
        },
    )
    view = Sight({OWN: there}, bare(1, NET))
    assert values(view) == {
        "switch net1": [5001, "source_node"],
        "binding e1 0": "net1",
        "flood net1": ["192.0.2.1", "192.0.2.2"],
        f"mac net1 {macs['hv1']}": "192.0.2.1",
        f"mac net1 {macs['hv2']}": "192.0.2.2",
        "mac net1 fa:16:3e:00:00:09": "192.0.2.1",  # the router's own, with which nodes ask
    }
    assert vtep().answered(view) == {"if1"}
    assert vtep().answered(Sight({OWN: there})) == frozenset()


def test_a_port_of_the_switch_is_on_one_network_and_only_a_vxlan_can_be_there() -> None:
    found = desired(SWITCH, OWN, Sight({}, bare(1, NET), bare(2, OTHER), bare(3, PLAIN, "e3"), bare(4, NET, "e 4;x")))
    assert {key: one.value for key, one in found.items() if not one.refused} == {
        "switch net1": [5001, "source_node"],
        "binding e1 0": "net1",
    }
    assert sorted(one.refused for one in found.values() if one.refused) == [
        "switch tor1 is a VTEP, and network net3 has no VXLAN",
        "switch tor1: another port is plugged in at e1",
        "switch tor1: no port can be called 'e 4;x'",
    ]


def test_a_plan_is_what_vtep_ctl_would_do() -> None:
    made = {"switch net1": [5001, "source_node"], "binding e1 0": "net1", "flood net1": ["192.0.2.1"]}
    steps = [Step("device", key, None, value) for key, value in made.items()]
    gone = Step("device", "mac net2 fa:16:3e:00:00:01", "192.0.2.1", None)
    assert vtep().commands([*steps, gone]) == [
        "vtep-ctl del-ucast-remote netweft-net2 fa:16:3e:00:00:01",
        "vtep-ctl --may-exist add-ls netweft-net1"
        " -- set Logical_Switch netweft-net1 tunnel_key=5001 replication_mode=source_node",
        "vtep-ctl bind-ls tor1 e1 0 netweft-net1",
        "vtep-ctl add-mcast-remote netweft-net1 unknown-dst 192.0.2.1",
    ]


class Learned:
    """A VTEP's database in which these MAC addresses were learned."""

    def __init__(self, *macs: tuple[str, str]) -> None:
        self._macs = macs

    async def read(self) -> There:
        return There(("192.0.2.9",), {}, {}, {}, {}, {}, {})

    async def local_macs(self) -> list[tuple[str, str]]:
        return list(self._macs)


def vtep() -> VtepMechanism:
    return VtepMechanism(SWITCH)


async def test_a_claim_of_another_ports_address_is_reported_and_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    mechanism, there = vtep(), neighbours(*(peer(number, "hv1") for number in range(1, 7)))
    before = mechanism.desired(Sight({OWN: there}, bare(1, NET)))
    stolen = [("net1", f"fa:16:3e:00:00:{number:02}") for number in range(1, 6)]
    monkeypatch.setattr(mechanism, "_database", Learned(*stolen, ("net1", "fa:16:3e:00:00:99"), ("net2", stolen[0][1])))
    (seen,) = (await mechanism.seen()).values()
    assert seen.facts.problems == (
        *(
            f"fa:16:3e:00:00:0{one} of port peer{one}, which is on hv1, is claimed behind this switch"
            for one in (1, 2, 3)
        ),
        "and 2 more",
    )
    assert (seen.facts.tunnel_ip, seen.facts.tunnel_types) == ("192.0.2.9", ("vxlan",))
    assert mechanism.desired(Sight({OWN: there}, bare(1, NET))) == before


def test_vlans_of_hosts_behind_it_are_led_into_their_networks() -> None:
    switch = msgspec.structs.replace(SWITCH, hosts={"hv8": ("e8",)}, physical_networks=frozenset({"rack1"}))
    rack = (Segment("vxlan", None, 5001), Segment("vlan", "rack1", 100))
    there = Host(
        ports={"port8": Port(id="port8", network_id="net1", mac_address="fa:16:3e:00:00:08", host_id="hv8")},
        networks={"net1": Network(id="net1", segments=rack), "net2": OTHER, "net3": PLAIN},
        peers={"peer1": peer(1, "hv1"), "peer9": peer(9, OWN)},
        nodes={"hv1": Node(name="hv1", tunnel_ip="192.0.2.1", tunnel_types=("vxlan",))},
    )
    found = desired(switch, OWN, Sight({"hv8": there}))
    assert {key: one.value for key, one in found.items()} == {
        "switch net1": [5001, "source_node"],
        "binding e8 100": "net1",
        "flood net1": ["192.0.2.1"],
        "mac net1 fa:16:3e:00:00:01": "192.0.2.1",
    }
    assert found["binding e8 100"].ports == {"port8"}
    assert VtepMechanism(switch).racked(Sight({"hv8": there})) == {"net1": "rack1", "net2": "rack1"}


def test_a_rack_is_one_physical_network() -> None:
    switch = msgspec.structs.replace(SWITCH, hosts={"hv8": ("e8",)}, physical_networks=frozenset({"a", "b"}))
    with pytest.raises(SettingsError, match=r"\[genericswitch:tor1\] ngs_physical_networks: has to name the one"):
        VtepMechanism(switch)


def test_a_machine_behind_it_shows_what_it_does_not_have() -> None:
    tor = VtepMechanism(SWITCH)
    link = {"binding:profile": {"local_link_information": [{"switch_info": "tor1", "port_id": "e1"}]}}
    assert tor.noted(link) == ""
    guarded = tor.noted({**link, "port_security_enabled": True})
    assert guarded == "switch:tor1: security groups are not in force there"
    assert tor.noted({"binding:profile": {"local_link_information": [{"switch_info": "tor2", "port_id": "e1"}]}}) == ""
    assert tor.noted({"binding:profile": {}}) == ""
