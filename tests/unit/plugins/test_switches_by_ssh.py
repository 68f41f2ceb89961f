"""Switches by SSH: a command line that answers, refuses, and goes away; and what each dialect says and reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.cli_switch import PASSWORD, SECRET, CliSwitch

from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.switches.dialect import dialects, vids
from netweft.plugins.mechanisms.switches.inventory import Bond, Switch
from netweft.plugins.mechanisms.switches.load import load_switches
from netweft.plugins.mechanisms.switches.ssh import SshSwitch, _failed
from netweft.plugins.mechanisms.switches.switch import ordered
from netweft.reconcile.plan import Step
from netweft.settings import SettingsError

KEYS = [
    "vlan 101",
    "vlan 102",
    "tagged Ethernet1 101",
    "tagged Ethernet1 102",
    "untagged Ethernet7",
    "tagged Ethernet9 5",
]


def driver(cli: CliSwitch, **options: str) -> SshSwitch:
    given = {"ip": "127.0.0.1", "port": str(cli.port), "username": "admin", "password": PASSWORD, "secret": SECRET}
    given["ngs_ssh_connect_timeout"] = "60"  # a login on a busy machine
    switch = Switch(name="tor1", device_type="netmiko_arista_eos", names=frozenset({"tor1"}), options=given | options)
    return SshSwitch(dialects()["netmiko_arista_eos"], switch, lambda: None)


def made(*keys: str, value: Any = True) -> list[Step]:
    return ordered([Step("device", key, None, "net101" if key.startswith("vlan") else value) for key in keys])


def gone(*keys: str, value: Any = True) -> list[Step]:
    return ordered([Step("device", key, value, None) for key in keys])


async def test_what_is_said_is_there_and_read_back_over_one_connection() -> None:
    cli = CliSwitch()
    async with cli.listening():
        device = driver(cli)
        assert await device.read(KEYS, anew=True) == {}
        assert await device.apply(made("vlan 101", "tagged Ethernet1 101")) == {}
        assert await device.apply(made("untagged Ethernet7", value=101)) == {}
        there = {"vlan 101": "net101", "tagged Ethernet1 101": True, "untagged Ethernet7": 101}
        assert await device.read(KEYS, anew=True) == there
        asked = cli.heard.count("show running-config")
        assert await device.read(KEYS, anew=False) == there
        assert cli.heard.count("show running-config") == asked
        cli.trunks.add("Ethernet9")  # a trunk without a list
        assert await device.read(KEYS, anew=True) == there | {"tagged Ethernet9 5": True}
        assert await device.apply(gone("vlan 101", "tagged Ethernet1 101", "untagged Ethernet7", value=101)) == {}
        assert (cli.vlans, cli.access, cli.allowed["Ethernet1"]) == ({1: "default"}, {}, set())
        assert (cli.sessions, cli.saved) == (1, 3)
        await device.close()


async def test_its_words_are_reported_and_the_rest_is_done() -> None:
    cli = CliSwitch()
    cli.full = {102}
    async with cli.listening():
        device = driver(cli)
        refused = await device.apply(made("vlan 101", "vlan 102", "tagged Ethernet1 101"))
        assert refused == {"vlan 102": "% VLAN 102 cannot be made: no resources"}
        assert cli.allowed["Ethernet1"] == {101}
        await device.close()


async def test_one_that_goes_away_is_met_again() -> None:
    cli = CliSwitch()
    async with cli.listening():
        device = driver(cli, ngs_ssh_connect_timeout="5")
        await device.read(KEYS, anew=True)
    with pytest.raises(Unreachable, match=rf"127.0.0.1:{cli.port}: "):
        await device.read(KEYS, anew=True)
    async with cli.listening():
        assert await device.apply(made("vlan 101")) == {}
        await device.close()


async def test_a_password_is_in_no_message() -> None:
    cli = CliSwitch()
    async with cli.listening():
        device = driver(cli, password="wrong-9155")
        with pytest.raises(Unreachable) as refused:
            await device.read(KEYS, anew=True)
    assert "wrong-9155" not in str(refused.value)
    assert "wrong-9155" not in repr(device._switch)


def test_steps_of_a_script_are_told_apart() -> None:
    said = "netweft-step 0 0\nno such\nport\nnetweft-step 1 1\nnetweft-step 2 7\n"
    assert _failed(said, 4) == {1: "no such port", 2: "exit status 7", 3: "the shell ended before it was done"}


def test_an_access_port_goes_back_to_the_default_vlan() -> None:
    switch = Switch(name="s", device_type="", names=frozenset(), default_vlan=99)
    (step,) = gone("untagged Ethernet7", value=101)
    said = dialects()["netmiko_arista_eos"].say(step, switch)
    assert said == ["interface Ethernet7", "switchport mode access", "switchport access vlan 99"]


@pytest.mark.parametrize("name", sorted(dialects()))
def test_a_dialect_can_say_all_that_it_has(name: str) -> None:
    dialect, switch = dialects()[name], Switch(name="s", device_type=name, names=frozenset())
    assert dialect.how in ("cli", "posix", "netconf")
    assert dialect.set.keys() == dialect.unset.keys() >= {"tagged", "untagged"}
    for way in dialect.set:
        key = {"vlan": "vlan 101", "tagged": "tagged e1 101", "bond": "bond po101"}.get(way, f"{way} e1")
        for steps in (made(key, value=101), gone(key, value="net101" if way == "vlan" else 101)):
            for line in dialect.say(steps[0], switch):
                assert "{" not in line
                assert "\n" not in line


SAID: Mapping[str, tuple[str, dict[str, Any]]] = {
    "netmiko_cisco_nxos": (
        "vlan 1,101-102\nvlan 101\n  name net101\ninterface Ethernet1/1\n  switchport mode trunk\n"
        "  switchport trunk allowed vlan 5,101-102\ninterface Ethernet1/2\n  switchport access vlan 101\n",
        {"vlan 1": "", "vlan 101": "net101", "vlan 102": "", "tagged Ethernet1/1 5": True, "trunk Ethernet1/1": True,
         "tagged Ethernet1/1 101": True, "tagged Ethernet1/1 102": True, "untagged Ethernet1/2": 101},
    ),
    "netmiko_juniper": (
        "set vlans net101 vlan-id 101\nset interfaces xe-0/0/1 unit 0 family ethernet-switching interface-mode trunk\n"
        "set interfaces xe-0/0/1 unit 0 family ethernet-switching vlan members 101\nset interfaces xe-0/0/2 disable\n"
        "set interfaces xe-0/0/2 unit 0 family ethernet-switching interface-mode access\n"
        "set interfaces xe-0/0/2 unit 0 family ethernet-switching vlan members 102\n",
        {"vlan 101": "net101", "trunk xe-0/0/1": True, "tagged xe-0/0/1 101": True,
         "untagged xe-0/0/2": 102, "enabled xe-0/0/2": False},
    ),
    "netmiko_sonic": (
        "VLAN|Vlan101\nVLAN_MEMBER|Vlan101|Ethernet0 tagged\nVLAN_MEMBER|Vlan101|Ethernet4 untagged\n",
        {"vlan 101": "", "tagged Ethernet0 101": True, "untagged Ethernet4": 101},
    ),
    "netmiko_cumulus_nvue": (
        "nv set bridge domain br_default vlan 101-102\nnv set interface swp1 bridge domain br_default vlan 101\n"
        "nv set interface swp2 bridge domain br_default access 102\n",
        {"vlan 101": "", "vlan 102": "", "tagged swp1 101": True, "untagged swp2": 102},
    ),
    "netmiko_dell_os10": (
        'interface vlan101\n description net101\ninterface ethernet1/1/1\n switchport mode trunk\n'
        " switchport trunk allowed vlan 101\n",
        {"vlan 101": "net101", "trunk ethernet1/1/1": True, "tagged ethernet1/1/1 101": True},
    ),
    "netmiko_hpe_comware": (
        "vlan 101\n name net101\ninterface Twenty-FiveGigE1/0/1\n port link-type trunk\n"
        " port trunk permit vlan 1 101 to 103\ninterface Twenty-FiveGigE1/0/2\n port access vlan 101\n",
        {"vlan 101": "net101", "trunk Twenty-FiveGigE1/0/1": True,
         **{f"tagged Twenty-FiveGigE1/0/1 {vid}": True for vid in (1, 101, 102, 103)},
         "untagged Twenty-FiveGigE1/0/2": 101},
    ),
    "netweft_linux_bridge": (
        "port              vlan-id\nswp1              1 PVID Egress Untagged\n                  101\n"
        "                  200-201\nswp2              102 PVID Egress Untagged\n",
        {"untagged swp1": 1, **{f"tagged swp1 {vid}": True for vid in (101, 200, 201)}, "untagged swp2": 102},
    ),
    "netmiko_ovs_linux": (
        "name                : p1\ntag                 : []\ntrunks              : [101, 4095]\n\n"
        'name                : "p2"\ntag                 : 102\ntrunks              : []\n',
        {"tagged p1 101": True, "tagged p1 4095": True, "untagged p2": 102},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SAID))
def test_a_dialect_understands_what_its_switch_says(name: str) -> None:
    said, found = SAID[name]
    assert dialects()[name].understand(said) == found


def test_what_a_port_would_have_in_another_mode_is_not_there() -> None:
    said = (
        "interface Ethernet1\n  switchport mode trunk\n  switchport access vlan 101\n"
        "  switchport trunk allowed vlan 7\n"
        "interface Ethernet2\n  switchport access vlan 102\n  switchport trunk allowed vlan 8\n"
        "interface Ethernet3\n  switchport mode trunk\n"
    )
    found = dialects()["netmiko_arista_eos"].understand(said)
    trunks = {"trunk Ethernet1": True, "trunk Ethernet3": True}
    assert found == trunks | {"tagged Ethernet1 7": True, "untagged Ethernet2": 102, "all Ethernet3": True}


@pytest.mark.parametrize(
    ("name", "bond", "lines", "said"),
    [
        ("netmiko_arista_eos", "Port-Channel3",
         ["interface Port-Channel3", "interface Port-Channel3", "mlag 7",
          "interface e1", "channel-group 3 mode active"],
         "interface Port-Channel3\n   mlag 7\ninterface e1\n   channel-group 3 mode active\n"),
        ("netmiko_cisco_nxos", "port-channel3",
         ["interface port-channel3", "interface port-channel3", "vpc 7", "interface e1", "channel-group 3 mode active"],
         "interface port-channel3\n  vpc 7\ninterface e1\n  channel-group 3 mode active\n"),
        ("netmiko_juniper", "ae3",
         ["set interfaces ae3 aggregated-ether-options lacp active", "set interfaces e1 ether-options 802.3ad ae3"],
         "set interfaces ae3 aggregated-ether-options lacp active\nset interfaces e1 ether-options 802.3ad ae3\n"),
    ],
)  # fmt: skip
def test_a_bond_is_made_of_its_ports(name: str, bond: str, lines: list[str], said: str) -> None:
    dialect, mlag = dialects()[name], 7 if dialects()[name].mlag else 0
    switch = Switch(name="s", device_type=name, names=frozenset(), bonds={bond: Bond(("e1",), mlag)})
    steps = [Step("device", "member e1", None, 3), Step("device", f"bond {bond}", None, mlag)]
    assert [line for step in ordered(steps) for line in dialect.say(step, switch)] == lines
    assert dialect.understand(said) == {f"bond {bond}": mlag, "member e1": 3}


def test_lists_of_vlans() -> None:
    assert list(vids("1,5-7")) == [1, 5, 6, 7]
    assert list(vids("105..107")) == [105, 106, 107]
    assert list(vids("none")) == []
    assert len(list(vids("1-99999999"))) == 4095


@pytest.mark.parametrize(
    ("keys", "message"),
    [("", "ip: is missing"), ("ip = x\nkey_file = /nowhere", "key_file: there is no file /nowhere"),
     ("ip = x\nport = ssh", "port: 'ssh' is no number")],
)  # fmt: skip
def test_what_it_needs_is_requested_at_once(tmp_path: Path, keys: str, message: str) -> None:
    path = tmp_path / "switches.ini"
    path.write_text(f"[genericswitch:s]\ndevice_type = netmiko_sonic\n{keys}\n")
    with pytest.raises(SettingsError, match=message):
        load_switches(str(path))
