"""Command lines as devices have them: prompts, names of ports, what a port carries by itself; what goes wrong."""

from collections.abc import Callable
from pathlib import Path

import asyncssh
import pytest
from tests.unit.plugins.cli_switch import PASSWORD, CliSwitch
from tests.unit.plugins.test_switches_by_ssh import driver, gone, made
from tests.unit.plugins.typed import Typed

from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.switches import desired, ssh
from netweft.plugins.mechanisms.switches.dialect import dialects, expanded
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.load import load_switches
from netweft.plugins.mechanisms.switches.spelling import Spelling
from netweft.plugins.mechanisms.switches.ssh import SshSwitch

KEYS = ["tagged Ethernet1 101", "vlan 101"]
PATIENCE = "120"  # seconds, for a login on a busy machine


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "ANSWER_SECONDS", float(PATIENCE))


def driven(device_type: str, port: int, **options: str) -> SshSwitch:
    given = {"ip": "127.0.0.1", "port": str(port), "username": "admin", "password": PASSWORD}
    given["ngs_ssh_connect_timeout"] = PATIENCE
    switch = Switch(name="tor1", device_type=device_type, names=frozenset({"tor1"}), options=given | options)
    return SshSwitch(dialects()[device_type], switch, lambda: None)


def switch_of(device_type: str) -> Switch:
    return Switch(name="s", device_type=device_type, names=frozenset())


# -- what a port carries by itself


async def test_a_port_that_becomes_a_trunk_carries_nothing_else() -> None:
    cli = CliSwitch()
    async with cli.listening():
        device = driver(cli)
        assert await device.apply(made("tagged Ethernet1 101", "tagged Ethernet1 102")) == {}
        assert cli.allowed["Ethernet1"] == {101, 102}
        cli.trunks.add("Ethernet9")  # somebody else's, with all VLANs
        await device.read(["tagged Ethernet9 5"], anew=True)
        assert await device.apply(made("tagged Ethernet1 103", "tagged Ethernet9 103")) == {}
        assert (cli.allowed["Ethernet1"], "Ethernet9" in cli.trunks) == ({101, 102, 103}, True)
        assert len(cli.allowed["Ethernet9"]) == 4094
        assert await device.apply(made("untagged Ethernet1", value=7)) == {}
        assert await device.apply(made("tagged Ethernet1 104")) == {}
        assert cli.allowed["Ethernet1"] == {104}
        await device.close()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("netmiko_cisco_ios", ["interface e1", "switchport trunk allowed vlan none"]),
        ("netmiko_hpe_comware", ["interface e1", "port link-type trunk", "undo port trunk permit vlan 1", "quit"]),
        ("netmiko_juniper", ["delete interfaces e1 unit 0 family ethernet-switching vlan members"]),
        ("netmiko_dell_os10", []),
    ],
)
def test_what_is_said_before_a_port_becomes_a_trunk(name: str, said: list[str]) -> None:
    dialect, (step,) = dialects()[name], made("tagged e1 101")
    assert dialect.opens(step, switch_of(name), {}) == said
    assert dialect.opens(step, switch_of(name), {"trunk e1": True}) == []
    assert dialect.opens(gone("tagged e1 101")[0], switch_of(name), {}) == []


@pytest.mark.parametrize("name", ["netmiko_arista_eos", "netmiko_hpe_comware", "netmiko_juniper", "netmiko_dell_os10"])
def test_a_native_vlan_goes_with_all_that_was_said_of_it(name: str) -> None:
    """What was let on for it would else stay there, with a tag."""
    dialect = dialects()[name]
    (on,), (off,) = made("native e1", value=101), gone("native e1", value=101)
    let_on = [line for line in dialect.say(on, switch_of(name)) if line.endswith(" 101") and "native" not in line]
    named = [line for line in let_on if " pvid " not in line and "access vlan" not in line]
    assert len([line for line in dialect.say(off, switch_of(name)) if line.endswith(" 101")]) == len(named)


def test_a_cumulus_port_without_vlans_leaves_the_bridge() -> None:
    dialect, switch = dialects()["netmiko_cumulus_nvue"], switch_of("netmiko_cumulus_nvue")
    there = {"tagged swp1 101": True, "tagged swp1 102": True}
    assert dialect.idle(gone("tagged swp1 101"), switch, there) == []
    assert dialect.idle(gone(*there), switch, there) == ["nv unset interface swp1 bridge domain br_default"]


def test_what_dell_has_beside_a_trunk_is_its_native_vlan() -> None:
    said = "interface ethernet1/1/1\n switchport mode trunk\n switchport access vlan 7\ninterface ethernet1/1/2\n"
    found = dialects()["netmiko_dell_os10"].understand(f"{said} switchport access vlan 8\n")
    assert found == {"trunk ethernet1/1/1": True, "native ethernet1/1/1": 7, "untagged ethernet1/1/2": 8}


def test_vlans_of_ios_are_read_though_its_configuration_has_none() -> None:
    said = (
        "interface GigabitEthernet1/0/1\n switchport mode trunk\n switchport trunk allowed vlan 101\n"
        "VLAN Name                             Status    Ports\n---- ----------------- ----\n"
        "1    default                          active    Gi1/0/2, Gi1/0/3\n"
        "101  net101                           active    \n1002 fddi-default                     act/unsup \n"
    )
    found = dialects()["netmiko_cisco_ios"].understand(said)
    assert {key: found[key] for key in found if key.startswith("vlan")} == {"vlan 1": "default", "vlan 101": "net101"}


def test_ranges_of_ports_and_vlans_of_junos_and_cumulus() -> None:
    assert list(expanded("swp1-2,5,lo,swp3s0-1")) == ["swp1", "swp2", "swp5", "lo", "swp3s0", "swp3s1"]
    assert len(list(expanded("swp1-99999999999"))) == 1025
    found = dialects()["netmiko_cumulus_nvue"].understand("nv set interface swp1-2 bridge domain br_default access 7\n")
    assert found == {"untagged swp1": 7, "untagged swp2": 7}
    port = "set interfaces xe-0/0/1 unit 0 family ethernet-switching"
    said = f"{port} interface-mode trunk\n{port} vlan members 101-102\n"
    found = dialects()["netmiko_juniper"].understand(said)
    assert found == {"trunk xe-0/0/1": True, "tagged xe-0/0/1 101": True, "tagged xe-0/0/1 102": True}
    found = dialects()["netmiko_juniper"].understand(f"{port} interface-mode trunk\n{port} vlan members all\n")
    assert dialects()["netmiko_juniper"].having(found, ["tagged xe-0/0/1 7"]) == {"tagged xe-0/0/1 7": True}


# -- names of ports


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("Gi1/0/1", "GigabitEthernet1/0/1"), ("ethernet 1/1", "Ethernet1/1"), ("Po3", "Port-channel3"),
     ("Te1/0/1", "TenGigabitEthernet1/0/1"), ("XGE1/0/1", "Ten-GigabitEthernet1/0/1"), ("Et1", "Ethernet1")],
)  # fmt: skip
def test_a_port_by_another_name(ours: str, theirs: str) -> None:
    others = {"GigabitEthernet1/0/2", "FortyGigabitEthernet1/0/1", "Ethernet1/2", "Vlan1", "mgmt0"}
    spelling = Spelling.of([ours], {theirs, *others}, dialects()["netmiko_hpe_comware"].aliases)
    assert spelling.theirs(f"tagged {ours} 101") == f"tagged {theirs} 101"
    assert spelling.theirs("vlan 101") == "vlan 101"


def test_a_name_that_may_be_two_is_nobodys() -> None:
    assert Spelling.of(["T1"], {"Ten1", "Twenty1"}, {}).ports == {}
    assert Spelling.of(["Ethernet1"], {"Ethernet11", "Ethernet1/1"}, {}).ports == {}


async def test_what_was_made_by_a_short_name_is_seen_and_taken_away() -> None:
    cli = CliSwitch()
    cli.allowed["Ethernet1"] = {5}
    cli.trunks.add("Ethernet1")
    async with cli.listening():
        device = driver(cli)
        assert await device.read(["tagged Et1 5"], anew=True) == {"tagged Et1 5": True}
        assert await device.apply(made("tagged Et1 101")) == {}
        assert cli.allowed == {"Ethernet1": {5, 101}}
        assert await device.read(["tagged Et1 101"], anew=False) == {"tagged Et1 101": True}
        assert await device.apply(gone("tagged Et1 101")) == {}
        assert cli.allowed == {"Ethernet1": {5}}
        await device.close()


@pytest.mark.parametrize(
    "name",
    ["Ethernet1-48", "range Ethernet1", "Ethernet1,Ethernet2", "Ethernet1\nno vlan 5", "Ethernet1; reload",
     "Ethernet1 | tee x", "Ethernet1 Ethernet2", "vlan 5\r", "\u0661", "Ethernet\u0661"],
)  # fmt: skip
@pytest.mark.parametrize("device_type", [name for name, one in dialects().items() if one.how == "cli"])
def test_what_is_no_single_port_is_typed_nowhere(tmp_path: Path, device_type: str, name: str) -> None:
    path = tmp_path / "switches.ini"
    path.write_text(f"[genericswitch:s]\ndevice_type = {device_type}\nip = 192.0.2.1\n")
    (mechanism,) = load_switches(str(path))
    assert desired.port_refusal(mechanism._switch, name) == f"switch s: no port can be called {name!r}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("device_type", [name for name, one in dialects().items() if one.how == "posix"])
def test_a_name_with_blanks_is_one_word_of_a_script(device_type: str) -> None:
    dialect = dialects()[device_type]
    for line in dialect.say(made("tagged eth0 vid 7 101")[0], switch_of(device_type)):
        assert "eth0 vid 7" not in line.replace("'eth0 vid 7'", "")


def test_a_list_without_anything_allows_nothing(tmp_path: Path) -> None:
    """As in networking-generic-switch."""
    path = tmp_path / "switches.ini"
    path.write_text("[genericswitch:s]\ndevice_type = ovsdb\nip = x\nngs_allowed_ports =\nngs_allowed_vlans =\n")
    (mechanism,) = load_switches(str(path))
    assert (mechanism._switch.allowed_ports, mechanism._switch.allowed_vlans) == (frozenset(), frozenset())  # type: ignore[attr-defined]


# -- devices as they are


async def test_prompts_of_comware_are_known() -> None:
    where = "<HPE>"

    def answer(line: str) -> str:
        nonlocal where
        if line == "system-view":
            where = "[HPE]"
        elif line == "return":
            where = "<HPE>"
        elif line.startswith("interface "):
            where = "[HPE-Ten-GigabitEthernet1/0/1]"
        elif line == "quit":
            where = "[HPE]"
        if line == "display current-configuration":
            return f"#\r\ninterface Ten-GigabitEthernet1/0/1\r\n port link-type access\r\n shutdown\r\n#\r\n{where}"
        return where

    cli = Typed("\r\n*** no unauthorised use ***\r\n<HPE>", answer)
    async with cli.listening():
        device = driven("netmiko_hpe_comware", cli.port)
        assert await device.apply(made("tagged XGE1/0/1 101")) == {}
        await device.close()
    assert cli.heard[-10:] == [
        "interface Ten-GigabitEthernet1/0/1", "port link-type trunk", "undo port trunk permit vlan 1", "quit",
        "interface Ten-GigabitEthernet1/0/1", "port link-type trunk", "port trunk permit vlan 101", "quit",
        "return", "save force",
    ]  # fmt: skip


async def test_a_line_that_looks_like_a_prompt_is_none() -> None:
    """However the answer is cut into pieces."""
    said = "".join(f"interface Ethernet{n}\r\n   description to rack #\r\n" for n in range(3000)) + "tor1#"

    def answer(line: str) -> str:
        return said if line == "show running-config" else "tor1#"

    cli = Typed("tor1#", answer)
    async with cli.listening():
        device = driven("netmiko_arista_eos", cli.port)
        heard = await device._answer()
        await device.close()
    assert heard.count("description") == 3000


async def test_nothing_is_said_where_nobody_may_configure() -> None:
    def answer(line: str) -> str:
        return (
            "error: configuration database locked by: jane\r\nadmin@sw> "
            if line == "configure private"
            else "admin@sw> "
        )

    cli = Typed("admin@sw> ", answer)
    async with cli.listening():
        device = driven("netmiko_juniper", cli.port)
        with pytest.raises(Unreachable, match="configuration database locked by: jane"):
            await device.apply(made("vlan 101"))
        await device.close()
    assert not [line for line in cli.heard if line.startswith("set vlans")]


def hangs_up(line: str) -> str | None:
    return None if line.startswith("switchport") else "tor1#"


def floods(line: str) -> str:
    return "x" * 2_000_000 if line == "show running-config" else "tor1#"


def says_nonsense(line: str) -> str:
    return "\x00\xff\x1b[2J\ufffd vlan 99999999 name\r\ninterface\r\n  switchport trunk allowed vlan 1-9999999\r\ntor1#"


def never_ends(line: str) -> str:
    return "still working" if line == "show running-config" else "tor1#"


@pytest.mark.parametrize(
    ("answer", "why"),
    [(hangs_up, "it closed the connection"), (floods, "its answer has more than 1 MiB"), (never_ends, "no answer")],
)
async def test_faults_are_reported_and_nothing_waits(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], str | None], why: str
) -> None:
    monkeypatch.setattr(ssh, "LARGEST", 1 << 20)
    if answer is never_ends:
        monkeypatch.setattr(ssh, "ANSWER_SECONDS", 0.5)
    cli = Typed("tor1#", answer)
    async with cli.listening():
        device = driven("netmiko_arista_eos", cli.port)
        with pytest.raises(Unreachable, match=why) as told:
            await device.apply(made(*KEYS))
        await device.close()
    assert PASSWORD not in str(told.value)


async def test_nonsense_is_nothing() -> None:
    cli = Typed("tor1#", says_nonsense)
    async with cli.listening():
        device = driven("netmiko_arista_eos", cli.port)
        assert await device.read(KEYS, anew=True) == {}
        await device.close()


async def test_another_host_key_is_not_spoken_to(tmp_path: Path) -> None:
    cli, known = Typed("tor1#", lambda line: "tor1#"), tmp_path / "known_hosts"
    async with cli.listening():
        known.write_text(f"[127.0.0.1]:{cli.port} {cli.key.export_public_key().decode()}")
        device = driven("netmiko_arista_eos", cli.port, netweft_known_hosts=str(known))
        assert await device.read(KEYS, anew=True) == {}
        await device.close()
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        known.write_text(f"[127.0.0.1]:{cli.port} {other}")
        cli.heard.clear()
        device = driven("netmiko_arista_eos", cli.port, netweft_known_hosts=str(known))
        with pytest.raises(Unreachable, match=r"[Hh]ost key"):
            await device.read(KEYS, anew=True)
        await device.close()
    assert cli.heard == []


async def test_a_vlan_that_somebody_else_uses_stays() -> None:
    """Of ours, when our last port leaves it."""
    cli = CliSwitch()
    async with cli.listening():
        device = driver(cli)
        assert await device.apply(made("vlan 101", "vlan 102", "tagged Ethernet1 101")) == {}
        cli.access["Ethernet5"] = 101  # by hand
        await device.read(["vlan 101"], anew=True)
        assert await device.apply(gone("vlan 101", "vlan 102", "tagged Ethernet1 101")) == {}
        assert (set(cli.vlans), cli.allowed["Ethernet1"]) == ({1, 101}, set())
        assert await device.apply(gone("vlan 101")) == {}
        await device.close()


@pytest.mark.parametrize("free", [True, False])
async def test_sudo_gets_its_password_where_it_wants_one(free: bool) -> None:
    """As networking-generic-switch has it for SONiC.  Where it wants none nobody is told: a shell would run it."""
    heard = list[str]()

    async def shell(process: "asyncssh.SSHServerProcess[str]") -> None:
        heard.append(process.command or "")
        if process.command == "sudo -n true":
            process.exit(0 if free else 1)
            return
        while line := await process.stdin.readline():
            heard.append(line.strip())
            if line.startswith("echo netweft-over"):
                process.stdout.write("VLAN|Vlan101\n\nnetweft-over\n")

    cli = Typed("", lambda line: "")
    cli.session = shell
    async with cli.listening():
        device = driven("netmiko_sonic", cli.port, secret="hush-1")
        assert await device.read(["vlan 101"], anew=True) == {"vlan 101": ""}
        await device.close()
    assert heard[:3] == (["sudo -n true", "sh", "{"] if free else ["sudo -n true", "sudo -S -p '' sh", "hush-1"])
    assert heard.count("hush-1") == (0 if free else 1)
