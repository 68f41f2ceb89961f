"""Security groups as ACLs of switches: what a rule becomes, what is said to a device, and what is not let on."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.plugins.cli_switch import CliSwitch
from tests.unit.plugins.test_faucet import FILE
from tests.unit.plugins.test_faucet import driver as faucet
from tests.unit.plugins.test_switches import Sight, file, vlan
from tests.unit.plugins.test_switches_by_ssh import driver

from netweft.plugins.mechanisms import KIND, BareMetal, Link, Notes, Row
from netweft.plugins.mechanisms.switches import acl_lines, acls, faucet_acls
from netweft.plugins.mechanisms.switches.acls import Entry
from netweft.plugins.mechanisms.switches.dialect import dialects
from netweft.plugins.mechanisms.switches.inventory import Acls, Switch
from netweft.plugins.mechanisms.switches.load import load_switches
from netweft.plugins.mechanisms.switches.switch import SwitchMechanism
from netweft.reconcile.plan import Step
from netweft.settings import SettingsError

MAC = "fa:16:3e:00:00:07"
KEY, OUT = "acl-in Ethernet7", "acl-out Ethernet7"


class Region(Sight):
    def __init__(self, bare: Sequence[BareMetal], **rows: Sequence[Row]) -> None:
        super().__init__(bare=bare)
        self._kinds = {kind: {row["id"]: row for row in every} for kind, every in rows.items()}

    def rows(self, kind: str) -> Mapping[str, Row]:
        return self._kinds.get(kind, {})


def machine(**values: Any) -> BareMetal:
    links = (Link("Ethernet7", "", "tor1"),)
    given: dict[str, Any] = {"mac": MAC, "guarded": True, "groups": ("web",)} | values
    return BareMetal("port-1", vlan(101), links, **given)


def rule(direction: str, protocol: str | None = None, *ports: int, ethertype: str = "IPv4", **remote: str) -> Row:
    first, last = (ports[0], ports[-1]) if ports else (None, None)
    id = f"{direction} {protocol} {ports} {ethertype} {remote}"
    return {
        "id": id,
        "security_group_id": "web",
        "direction": direction,
        "ethertype": ethertype,
        "protocol": protocol,
        "port_range_min": first,
        "port_range_max": last,
        **remote,
    }


def become(*rules: Row, stateful: bool = False, **rows: Sequence[Row]) -> dict[str, list[str]]:
    """Without what every machine may."""
    group = {"id": "web", "stateful": stateful}
    region = Region([], security_groups=[group], security_group_rules=rules, **rows)
    implied = acls.entries(machine(groups=()), region)
    return {way: [one for one in every if one not in implied[way]]
            for way, every in acls.entries(machine(), region).items()}  # fmt: skip


def test_a_stateless_rule_is_one_entry_and_nothing_else() -> None:
    rules = rule("ingress", "tcp", 80, 90), rule("egress", "icmp", 8, 0, remote_ip_prefix="192.0.2.0/24")
    v6 = {**rule("ingress", "icmp", 128, ethertype="IPv6"), "port_range_max": None}
    assert become(*rules, v6) == {
        "acl-out": ["ipv4 6 any - 80-90 -", "ipv6 58 any - - 128"],
        "acl-in": ["ipv4 1 192.0.2.0/24 - - 8.0"],
    }


def test_who_is_meant_by_a_group_are_its_members_addresses() -> None:
    pairs = [{"ip_address": "10.9.0.0/24"}, {"ip_address": "2001:db8::9"}]
    member = {"id": "p2", "security_groups": ["peers"], "fixed_ips": [{"ip_address": "10.0.0.9"}]}
    member |= {"allowed_address_pairs": pairs}
    listed = {"id": "ag", "addresses": ["198.51.100.0/24", "2001:db8::/64"]}
    by_group, by_list = rule("ingress", remote_group_id="peers"), rule("egress", "17", 53, remote_address_group_id="ag")
    found = become(by_group, by_list, ports=[member], address_groups=[listed])
    assert found == {
        "acl-out": ["ipv4 any 10.0.0.9/32 - - -", "ipv4 any 10.9.0.0/24 - - -"],
        "acl-in": ["ipv4 17 198.51.100.0/24 - 53 -"],
    }
    assert become(by_group)["acl-out"] == []  # nobody is in it: nobody, and not anybody


def test_replies_of_a_stateful_group_begin_nothing() -> None:
    replies = become(rule("egress"), stateful=True)["acl-out"]
    assert "ipv4 6 any - - - established" in replies
    assert "ipv4 1 any - - 0" in replies
    assert all(Entry.parse(one).established or Entry.parse(one).protocol == "1" for one in replies)
    assert not any(Entry.parse(one).icmp in ("-", "8") for one in replies if not Entry.parse(one).established)
    assert become(rule("ingress", "tcp", 22), stateful=True)["acl-in"] == ["ipv4 6 any 22 - - established"]
    assert become(rule("egress", "udp", 53), stateful=True)["acl-out"] == [
        f"ipv4 1 any - - {one}" for one in (11, 12, 3)
    ]


def test_a_text_is_its_entry_again() -> None:
    for one in (Entry(4), Entry(6, "6", "2001:db8::/64", "1", "2-3", established=True), Entry(4, "1", icmp="3.4")):
        assert Entry.parse(one.text()) == one


def value(*texts: str) -> dict[str, Any]:
    return {"mac": MAC, "vid": 101, "entries": list(texts)}


def test_what_eos_gets() -> None:
    words = dialects()["netmiko_arista_eos"].acl
    assert isinstance(words, acl_lines.AclWords)
    every = value("ipv4 6 192.0.2.0/24 1024 80-90 - established", "ipv4 any 192.0.2.7/32 - - -", "ipv4 1 any - - 3.4",
                  "ipv6 58 2001:db8::/64 - - 128", "ipv4 132 any - 5 -")  # fmt: skip
    assert words.entries("acl-out", every, 4) == [
        "permit tcp 192.0.2.0/24 eq 1024 any range 80 90 established",
        "permit ip host 192.0.2.7 any",
        "permit icmp any any 3 4",
        "permit 132 any any eq 5",
        "deny ip any any",
    ]
    assert words.entries("acl-in", every, 6) == ["permit icmpv6 any 2001:db8::/64 128", "deny ipv6 any any"]


IOS = """
interface GigabitEthernet1/0/7
 switchport access vlan 101
 ip access-group {v4} in
 ipv6 traffic-filter {v6} in
ip access-list extended {v4}
 10 permit icmp any host 192.0.2.7 echo
 20 permit tcp any 192.0.2.0 0.0.0.127 range www 90
 30 deny   ip any any
ipv6 access-list {v6}
 sequence 10 permit icmp any 2001:DB8::/64 nd-ns
 sequence 20 deny ipv6 any any
"""


def test_what_ios_gets_and_what_it_shows() -> None:
    """Bits that do not matter where others have a prefix; names for numbers, spaces, and a number for each line."""
    words = dialects()["netmiko_cisco_ios"].acl
    key = "acl-in GigabitEthernet1/0/7"
    every = value("ipv4 1 192.0.2.7/32 - - 8.0", "ipv4 6 192.0.2.0/25 - 80-90 -", "ipv6 58 2001:db8::/64 - - 135")
    said = words.say(key, every, acl_lines.AclState({}, {}))
    v4, v6 = (line.split()[-2] for line in said if "access-group" in line or "traffic-filter" in line)
    assert said == [
        f"ip access-list extended {v4}",
        "permit icmp any host 192.0.2.7 8 0",
        "permit tcp any 192.0.2.0 0.0.0.127 range 80 90",
        "deny ip any any",
        f"ipv6 access-list {v6}",
        "permit icmp any 2001:db8::/64 135",
        "deny ipv6 any any",
        "interface GigabitEthernet1/0/7",
        f"ip access-group {v4} in",
        f"ipv6 traffic-filter {v6} in",
    ]
    shown = dict(words.understand(IOS.format(v4=v4, v6=v6)).said())
    assert words.shows(key, every, shown[key])
    for changed in ("host 192.0.2.8 echo", "host 192.0.2.7 echo 5"):
        other = IOS.replace("host 192.0.2.7 echo", changed).format(v4=v4, v6=v6)
        assert not words.shows(key, every, dict(words.understand(other).said())[key])


async def test_a_list_is_whole_before_the_port_is_led_to_it_and_the_old_one_goes_last() -> None:
    cli = CliSwitch()
    async with cli.listening():
        device = driver(cli)
        first, second = value("ipv4 6 any - 80 -", "ipv4 1 any - - 8.0"), value("ipv4 6 any - 22 -")
        assert await device.apply([Step(KIND, KEY, None, first)]) == {}
        cli.words = {
            "permit tcp any any eq 80": "permit tcp any any eq www",
            "permit icmp any any 8 0": "permit icmp any any echo",
        }
        said = (await device.read([KEY], anew=True))[KEY]
        assert device.shows(KEY, first, said) and not device.shows(KEY, second, said)
        old = set(cli.lists)
        cli.heard.clear()
        assert await device.apply([Step(KIND, KEY, first, second)]) == {}
        heard = [line for line in cli.heard if "access-" in line or line.startswith("permit")]
        made = heard.index("permit tcp any any eq 22")
        led = next(place for place, line in enumerate(heard) if "-group" in line)
        gone = next(place for place, line in enumerate(heard) if line.startswith("no "))
        assert made < led < gone
        assert len(cli.lists) == 2 and not any(f"no {one}" not in heard for one in old - set(cli.lists))
        (name,) = (one for one in cli.lists if one.startswith("ip "))
        cli.lists[name].append("permit ip any any")  # by hand
        drifted = (await device.read([KEY], anew=True))[KEY]
        assert not device.shows(KEY, second, drifted)
        assert await device.apply([Step(KIND, KEY, drifted, second)]) == {}
        assert device.shows(KEY, second, (await device.read([KEY], anew=True))[KEY])
        assert await device.apply([Step(KIND, KEY, second, None)]) == {}
        assert (cli.lists, cli.groups["Ethernet7"]) == ({}, [])
        await device.close()


async def test_an_acl_that_is_not_ours_stays() -> None:
    cli = CliSwitch()
    cli.groups["Ethernet7"] = ["ip access-group operators in"]
    cli.lists["ip access-list operators"] = ["permit ip any any"]
    async with cli.listening():
        device = driver(cli)
        refused = await device.apply([Step(KIND, KEY, None, value("ipv4 6 any - 80 -"))])
        assert refused == {KEY: "ACL operators is on Ethernet7 already, and is not ours"}
        assert await device.apply([Step(KIND, KEY, value(), None)]) == {}
        assert cli.groups["Ethernet7"] == ["ip access-group operators in"]
        await device.close()


def mechanism(cli: CliSwitch) -> SwitchMechanism:
    switch = Switch(name="tor1", device_type="netmiko_arista_eos", names=frozenset({"tor1"}), acls=Acls.YES)
    return SwitchMechanism(switch, (), lambda _switch, _changed: driver(cli))


def a_region(*rules: Row, **values: Any) -> Region:
    return Region([machine(**values)], security_groups=[{"id": "web", "stateful": False}], security_group_rules=rules)


async def test_a_machine_whose_acl_is_refused_is_not_let_on() -> None:
    cli = CliSwitch()
    async with cli.listening():
        tor = mechanism(cli)
        for rules, let_on in (((rule("ingress", "tcp", 6666),), False), ((rule("ingress", "tcp", 80),), True)):
            wanted = tor.desired(a_region(*rules))
            there = await tor.read(wanted.keys(), anew=True)
            steps = [Step(KIND, key, there.get(key), one.value) for key, one in wanted.items() if key not in there]
            refused = await tor.apply(steps)
            assert ("Ethernet7" in cli.access) is let_on
            words = "% Error: no room for this entry"
            assert refused == ({} if let_on else {OUT: words, "untagged Ethernet7": words})
        wanted = tor.desired(a_region(rule("ingress", "tcp", 80)))
        assert await tor.read(wanted.keys(), anew=True) == {key: one.value for key, one in wanted.items()}
        await tor.close()


@pytest.mark.parametrize(
    ("how", "values", "entries", "why"),
    [
        (Acls.YES, {}, 3, "8 entries of an ACL; netweft_acl_entries is 3"),
        (Acls.YES, {"tagged": {"sub": vlan(102)}}, 500, "an ACL cannot tell the networks of a trunk apart"),
        (Acls.REFUSE, {}, 500, "no port with port security is let on"),
    ],
)
def test_what_cannot_be_filtered_is_not_let_on(how: Acls, values: dict[str, Any], entries: int, why: str) -> None:
    switch = Switch(
        name="tor1", device_type="netmiko_arista_eos", names=frozenset({"tor1"}), acls=how, acl_entries=entries
    )
    tor = SwitchMechanism(switch, (), lambda _switch, _changed: driver(CliSwitch()))
    wanted = tor.desired(a_region(**values))
    (key,) = (key for key in wanted if key.startswith(("untagged", "native")))
    assert why in wanted[key].refused
    free = tor.desired(a_region(**values, guarded=False))
    assert not any(one.refused for one in free.values())
    assert not any(acls.is_acl(key) for key in free)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("device_type = ovsdb\nnetweft_remote = tcp:192.0.2.1:6640\nnetweft_acls = true", "ovsdb has no ACLs"),
        (
            "device_type = hardware_vtep\nnetweft_remote = tcp:192.0.2.1:6640\nnetweft_acls = refuse",
            "a VTEP has no ACLs",
        ),
        ("device_type = ovsdb\nnetweft_acls = yes", "'yes' is none of false, true, refuse"),
        ("device_type = ovsdb\nnetweft_acl_entries = 0", "is no number from 1 to 999999"),
    ],
)
def test_a_wrong_key_is_reported(tmp_path: Path, keys: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load_switches(file(tmp_path, f"[genericswitch:tor1]\n{keys}\n"))


def test_a_port_shows_that_its_groups_are_not_in_force(tmp_path: Path) -> None:
    profile = {"local_link_information": [{"switch_info": "tor1", "port_id": "Ethernet7"}]}
    port = {"port_security_enabled": True, "binding:profile": profile}
    login = "ip = 192.0.2.1\nusername = u\npassword = p"

    def noted(keys: str, port: Row = port) -> str:
        (tor,) = load_switches(file(tmp_path, f"[genericswitch:tor1]\n{keys}\n"))
        assert isinstance(tor, Notes)
        return tor.noted(port)

    ovsdb = "device_type = ovsdb\nnetweft_remote = tcp:192.0.2.1:6640"
    assert noted(ovsdb) == "switch:tor1: security groups are not in force there"
    assert noted(ovsdb, port | {"port_security_enabled": False}) == ""
    assert noted(f"{ovsdb}\nnetweft_acls = refuse") == ""
    assert noted(f"device_type = netmiko_arista_eos\n{login}\nnetweft_acls = true") == ""
    only = noted(f"device_type = netmiko_cisco_nxos\n{login}\nnetweft_acls = true")
    assert only == "switch:tor1: filters only what the machine sends"


# -- Faucet


def test_acls_in_faucets_file_come_and_go_and_the_rest_stays(tmp_path: Path) -> None:
    config = tmp_path / "faucet.yaml"
    config.write_text(FILE)
    device = faucet(config)
    keys = {"acl-in hv1": value("ipv4 6 192.0.2.0/24 - 80-83 -"), "acl-out hv1": value("ipv4 1 any - - 8")}
    steps = [Step(KIND, key, None, wanted) for key, wanted in keys.items()]
    assert asyncio.run(device.apply(steps)) == {}
    written = yaml.safe_load(config.read_text())
    assert written["dps"]["campus"]["interfaces"][1]["acls_in"] == ["netweft-campus-hv1-in"]
    assert written["vlans"][101] == {"acls_in": ["netweft-campus-hv1-out", "netweft-rest"]}
    sent = written["acls"]["netweft-campus-hv1-in"]
    assert sent[0]["rule"] == {
        "eth_type": 0x800,
        "ipv4_dst": "192.0.2.0/24",
        "ip_proto": 6,
        "tcp_dst": "0x0050/0xfffc",
        "actions": {"allow": 1},
    }
    assert sent[-1]["rule"] == {"actions": {"allow": 1}}  # what is no IP
    got = written["acls"]["netweft-campus-hv1-out"]
    assert {one["rule"]["eth_dst"] for one in got} == {MAC}
    said = asyncio.run(device.read(list(keys), anew=True))
    assert all(device.shows(key, keys[key], said[key]) for key in keys)
    assert asyncio.run(device.apply(steps)) == {}  # once more: nothing is there twice
    assert yaml.safe_load(config.read_text()) == written
    assert asyncio.run(device.apply([Step(KIND, key, wanted, None) for key, wanted in keys.items()])) == {}
    before = yaml.safe_load(FILE)
    after = yaml.safe_load(config.read_text())
    assert after == before


def test_an_interfaces_own_acl_in_faucets_file_stays(tmp_path: Path) -> None:
    config = tmp_path / "faucet.yaml"
    config.write_text(FILE)
    refused = asyncio.run(faucet(config).apply([Step(KIND, "acl-in 2", None, value())]))
    assert refused == {"acl-in 2": "ACL deny is on it already, and is not ours"}
    before = yaml.safe_load(FILE)
    assert yaml.safe_load(config.read_text())["dps"]["campus"]["interfaces"][2] == {"acl_in": "deny"}
    assert yaml.safe_load(config.read_text())["acls"] == before["acls"]


@pytest.mark.parametrize(("first", "last"), [(0, 65535), (1, 1), (80, 90), (1024, 65535), (5, 6), (65535, 65535)])
def test_masks_are_the_range_and_nothing_else(first: int, last: int) -> None:
    found: list[int] = []
    for one in faucet_acls._masks(f"{first}-{last}"):
        start, mask = (int(word, 16) for word in one.split("/")) if isinstance(one, str) else (one, 0xFFFF)
        found += range(start, start + 0x10000 - mask)
    assert found == list(range(first, last + 1))
