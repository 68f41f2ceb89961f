"""Switches without any switch: the file, what is wanted of which, and what a driver is given."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from netweft.model import Neighbour, Network, Port
from netweft.model.network import Segment
from netweft.plugins.mechanisms import BareMetal, Host, Link, Row, links_of
from netweft.plugins.mechanisms.switches import desired, inventory
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.load import load_switches
from netweft.plugins.mechanisms.switches.switch import ordered
from netweft.reconcile.plan import Step
from netweft.settings import SettingsError

# as an operator of networking-generic-switch has it
NGS = """\
[ngs]
session_log_file = /var/log/ngs.log

[genericswitch:tor1]
device_type = netmiko_arista_eos
ip = 192.0.2.1
username = admin
password = a%b=c#d
secret = enable
ngs_mac_address = 00:53:00:0A:0A:0A
ngs_physical_networks = physnet1, physnet2
ngs_trunk_ports = Ethernet49, Ethernet50
ngs_port_default_vlan = 99
ngs_allowed_vlans = 100-110,200
ngs_allowed_ports = Ethernet1,Ethernet2,Ethernet49,Ethernet50
ngs_manage_vlans = False
ngs_disable_inactive_ports = True
ngs_batch_requests = True
ngs_max_connections = 4
ngs_network_name_format = vlan-{segmentation_id}
global_delay_factor = 2
"""


class Sight:
    """A view of what it is given."""

    def __init__(self, hosts: Mapping[str, Host] | None = None, bare: Sequence[BareMetal] = ()) -> None:
        self._hosts, self._bare = hosts or {}, bare

    def host(self, name: str) -> Host:
        return self._hosts.get(name, Host())

    def bare_metal(self) -> Sequence[BareMetal]:
        return self._bare

    def rows(self, kind: str) -> Mapping[str, Row]:
        return {}


def vlan(vid: int, physical_network: str = "physnet1") -> Network:
    return Network(id=f"net-{vid}", segments=(Segment("vlan", physical_network, vid),))


def having(*networks: Network, ports: bool = True) -> Host:
    made = [Port(id=f"port-{one.id}", network_id=one.id, mac_address="") for one in networks] if ports else []
    return Host({port.id: port for port in made}, {one.id: one for one in networks})


def switch(**values: object) -> Switch:
    return Switch(**({"name": "tor1", "device_type": "ovsdb", "names": frozenset({"tor1"})} | values))  # type: ignore[arg-type]


def wanted(switch: Switch, view: Sight, *hosts: str) -> dict[str, object]:
    found = desired.desired(switch, hosts, view)
    return {key: one.refused or one.value for key, one in found.items()}


def file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "switches.ini"
    path.write_text(text)
    return str(path)


def test_a_file_of_networking_generic_switch_is_read_as_it_is(tmp_path: Path) -> None:
    (found,) = inventory.read(file(tmp_path, NGS)).values()
    assert found.names == {"tor1", "00:53:00:0a:0a:0a"}
    assert (found.trunk_ports, found.default_vlan) == (("Ethernet49", "Ethernet50"), 99)
    assert found.allowed_vlans == frozenset({*range(100, 111), 200})
    assert found.physical_networks == {"physnet1", "physnet2"}
    assert (found.manage_vlans, found.disable_inactive_ports, found.save_configuration) == (False, True, True)
    assert found.option("password") == "a%b=c#d"
    assert found.transit  # no link to a host is told, so all VLANs may have to pass
    assert "a%b" not in repr(found)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("ip = 192.0.2.1", "[genericswitch:s] device_type: is missing"),
        ("device_type = fridge", "[genericswitch:s] device_type: 'fridge' is unknown"),
        ("device_type = ovsdb\nnetweft_hosts = hv1", "netweft_hosts: 'hv1' is not HOST:PORT"),
        ("device_type = ovsdb\nnetweft_host = hv1:1", "netweft_host: there is no such key"),
        ("device_type = ovsdb\nngs_allowed_vlans = 5-x", "ngs_allowed_vlans: '5-x' is no VLAN"),
        ("device_type = ovsdb\nngs_allowed_vlans = 9-5", "ngs_allowed_vlans: '9-5' is not within"),
        ("device_type = ovsdb\nngs_port_default_vlan = 4095", "ngs_port_default_vlan: '4095' is not within"),
        ("device_type = ovsdb\nngs_manage_vlans = maybe", "ngs_manage_vlans: 'maybe' is neither"),
        ("device_type = ovsdb\nngs_network_name_format = {x}", "ngs_network_name_format: may hold"),
        ("device_type = ovsdb\nnetweft_remote = http://x", "netweft_remote: 'http://x' is not"),
        ("device_type = ovsdb\nnetweft_remote = ssl:192.0.2.1:6640", "netweft_ca_file: is needed for ssl:"),
        ("device_type = ovsdb\nnetweft_bonds = po1=e1", "netweft_bonds: ovsdb makes no bonds"),
        ("device_type = netmiko_cisco_ios\nip = x\nnetweft_bonds = po1=e1@7", "netmiko_cisco_ios is told of no MLAG"),
        ("device_type = ovsdb\nnetweft_bonds = po=e1", "netweft_bonds: 'po=e1' is not NAME=PORT+PORT"),
        ("device_type = ovsdb\nnetweft_bonds = po1=e1; reboot", "is not NAME=PORT+PORT"),
        ("device_type = ovsdb\nnetweft_bonds = po1=e1+e2, po2=e2", "netweft_bonds: e2 is there twice"),
        ("nonsense", "switches_file: "),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, keys: str, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_switches(file(tmp_path, f"[genericswitch:s]\n{keys}\n"))
    assert message in str(refused.value)


def test_a_name_is_one_switchs(tmp_path: Path) -> None:
    text = "".join(f"[genericswitch:{name}]\ndevice_type=ovsdb\nngs_mac_address=00:53:00:00:00:01\n" for name in "ab")
    with pytest.raises(SettingsError, match="a and b are both called 00:53"):
        inventory.read(file(tmp_path, text))
    with pytest.raises(SettingsError, match="No such file"):
        inventory.read(str(tmp_path / "nowhere"))


def test_a_links_vlans_are_those_that_its_host_has() -> None:
    tor = switch(hosts={"hv1": ("e1", "e2"), "hv2": ("e3",)}, trunk_ports=("up",), physical_networks={"physnet1"})
    other = vlan(7, "physnet2")
    found = wanted(tor, Sight({"hv1": having(vlan(101), other), "hv3": having(vlan(103))}), "hv1", "hv2", "hv3")
    assert found == {
        "tagged e1 101": True,
        "tagged e2 101": True,
        "tagged up 101": True,
        "vlan 101": "net101",
    }


def test_what_only_passes_is_on_the_trunks_of_switches_that_let_it_pass() -> None:
    spine = switch(name="spine", trunk_ports=("a", "b"), transit=True, manage_vlans=False)
    view = Sight({"hv1": having(vlan(101), ports=False)}, [BareMetal("bm", vlan(102), (Link("e9", "", "tor7"),))])
    assert wanted(spine, view, "hv1") == {f"tagged {port} {vid}": True for port in "ab" for vid in (101, 102)}


def test_bare_metal_is_where_its_links_say() -> None:
    tor = switch(names=frozenset({"tor1", "00:53:00:00:00:01"}), disable_inactive_ports=True, manage_vlans=False)
    links = (Link("e1", "00:53:00:00:00:01"), Link("e2", "", "TOR1"), Link("e3", "", "tor2"), Link("", "", "tor1"))
    bare = BareMetal("bm", vlan(101), links, {"sub": vlan(102)})
    assert wanted(tor, Sight(bare=[bare])) == {
        **{f"native {port}": 101 for port in ("e1", "e2")},
        **{f"enabled {port}": True for port in ("e1", "e2")},
        **{f"tagged {port} 102": True for port in ("e1", "e2")},
    }


def test_vlans_of_a_bonds_ports_are_the_bonds(tmp_path: Path) -> None:
    keys = "device_type = netmiko_arista_eos\nip = x\nngs_manage_vlans = no\nnetweft_hosts = hv1:e1\n"
    keys += "netweft_bonds = Port-Channel3=e1+xe-0/0/1:2, Port-Channel4 = e5@7"
    (tor,) = inventory.read(file(tmp_path, f"[genericswitch:tor1]\n{keys}\n")).values()
    bare = BareMetal("bm", vlan(102), (Link("e5", "", "tor1"),))
    bonds = {"bond Port-Channel3": 0, "bond Port-Channel4": 7}
    bonds |= {"member e1": 3, "member xe-0/0/1:2": 3, "member e5": 4}
    found = wanted(tor, Sight({"hv1": having(vlan(101))}, [bare]))
    assert found == bonds | {"tagged Port-Channel3 101": True, "untagged Port-Channel4": 102}
    assert wanted(tor, Sight()) == bonds


def test_what_is_not_allowed_is_reported_and_not_done() -> None:
    tor = switch(hosts={"hv1": ("e1",)}, allowed_vlans=frozenset({101}), allowed_ports=frozenset({"e9"}))
    found = wanted(tor, Sight({"hv1": having(vlan(102))}))
    assert found == {"tagged e1 102": "switch tor1: VLAN 102 is not among its ngs_allowed_vlans"}
    found = wanted(tor, Sight({"hv1": having(vlan(101))}))
    assert found == {"tagged e1 101": "switch tor1: port e1 is not among its ngs_allowed_ports"}


HOSTILE = ("e1\nno vlan 1", "e1; reboot", "$(reboot)", "-e1", "e1 ", "e1`x`", "é", "e" * 200 + "\r")


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_ports_name_goes_into_no_command(name: str) -> None:
    found = desired.desired(switch(), (), Sight(bare=[BareMetal("bm", vlan(101), (Link(name, "", "tor1"),))]))
    assert all(one.refused.startswith("switch tor1: no port can be called ") for one in found.values())
    assert found


def test_two_machines_in_one_socket() -> None:
    both = [BareMetal(id, vlan(vid), (Link("e1", "", "tor1"),)) for id, vid in (("b", 102), ("a", 101))]
    found = desired.desired(switch(manage_vlans=False), (), Sight(bare=both))
    assert found["untagged e1"].value == 101
    (refused,) = [one for one in found.values() if one.refused]
    assert refused.ports == {"b"}
    assert "on VLAN 101" in refused.refused


def test_vlans_come_before_their_ports_and_go_after_them() -> None:
    keys = ["tagged po1 101", "vlan 101", "untagged e2", "member e1", "bond po1"]
    made = [str(step.key) for step in ordered([Step("device", key, None, True) for key in keys])]
    gone = [str(step.key) for step in ordered([Step("device", key, True, None) for key in keys])]
    assert made[:3] == gone[:-4:-1] == ["bond po1", "member e1", "vlan 101"]


@pytest.mark.parametrize(
    "profile",
    [None, {}, {"local_link_information": None}, {"local_link_information": {"port_id": "e1"}},
     {"local_link_information": ["e1", 7, None]}, "text"],
)  # fmt: skip
def test_a_profile_may_hold_anything(profile: object) -> None:
    assert links_of({"binding:profile": profile}) == ()


TWO_BY_LLDP = """\
[genericswitch:tor1]
device_type = ovsdb
netweft_remote = unix:/nowhere
ngs_mac_address = 00:53:00:0a:0a:0a
ngs_trunk_ports = up1
netweft_hosts = hv1:e1
netweft_bonds = bond1=e11+e12
netweft_lldp = true

[genericswitch:tor2]
device_type = ovsdb
netweft_remote = unix:/nowhere
netweft_hosts = hv2:e2
"""


def test_hosts_without_configured_links_are_found_by_lldp(tmp_path: Path) -> None:
    (tmp_path / "switches.ini").write_text(TWO_BY_LLDP)
    switches = inventory.read(f"{tmp_path}/switches.ini")

    def heard(host: str, port: str, switch_id: str = "00:53:00:0A:0A:0A", name: str = "") -> tuple[str, Neighbour]:
        return host, Neighbour("eth1", switch_id, name, port)

    found = inventory.with_heard(
        switches,
        [
            *(heard("hv3", "e3"), heard("hv3", "e4", "", "TOR1")),  # linked twice
            *(heard("hv1", "e9"), heard("hv2", "e9")),  # told of: here, and elsewhere
            *(heard("hv4", "e1"), heard("hv4", "up1")),  # ports that are told
            *(heard("hv8", "e11"), heard("hv8", "e12")),  # a bond
            *(heard("hv5", "e5"), heard("hv6", "e5")),  # two that claim one
            *(heard("hv7", "e2", "", "tor2"), heard("hv7", "e7", "", "tor9")),  # a switch that does not ask, or is none
        ],
    )
    assert found["tor1"].hosts == {"hv1": ("e1",), "hv3": ("e3", "e4"), "hv8": ("bond1",)}
    assert found["tor2"].hosts == {"hv2": ("e2",)}


def test_a_bond_is_allowed_by_its_name_or_by_all_of_its_members(tmp_path: Path) -> None:
    text = "[genericswitch:tor1]\ndevice_type = netmiko_arista_eos\nip = 192.0.2.1\nusername = u\npassword = p\n"
    text += "netweft_bonds = Port-Channel3=e1+e2, Port-Channel4=e3+e4, Port-Channel5=e5\n"
    text += "netweft_hosts = hv1:e1, hv2:e3, hv3:Port-Channel5\nngs_allowed_ports = e1, e2, e3, Port-Channel5\n"
    (tor,) = load_switches(file(tmp_path, text))
    assert [tor.can_bind(host, vlan(101), ()) for host in ("hv1", "hv3")] == ["", ""]
    assert tor.can_bind("hv2", vlan(101), ()) == "switch tor1: port Port-Channel4 is not among its ngs_allowed_ports"
    found = tor.desired(Sight({host: having(vlan(101)) for host in ("hv1", "hv2", "hv3")}))
    refused = {key: bool(one.refused) for key, one in found.items() if key.startswith("tagged")}
    assert refused == {f"tagged Port-Channel{number} 101": number == 4 for number in (3, 4, 5)}
