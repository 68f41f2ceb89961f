"""What a VM learns by DHCP from the agent beside it, with real clients; and what it cannot learn, or let others."""

import io
import json
import signal
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from tests.netns.frames import BROADCAST, mac
from tests.netns.harness import Lab, until
from tests.waiting import PATIENCE

from netweft.dataplane.dhcp import message4
from netweft.dataplane.dhcp.message4 import Message, Option, Type
from netweft.dataplane.packets import datagram
from netweft.dataplane.packets.datagram import Datagram
from netweft.lab import guest_qemu, guest_serial, vm
from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm

MTU = {"vxlan": 1450, "gre": 1458, "geneve": 1450, "vlan": 1500, "flat": 1400}
PHYSICAL = {"provider:physical_network": "physnet1"}
SERVER = "169.254.169.254"
SHORT = [{"opt_name": "lease-time", "opt_value": "6"}]


def namespace(lab: Lab, machine: Vm) -> str:
    return lab.layout.vm_namespace(machine.name)


def ip(lab: Lab, machine: Vm, *words: str) -> Any:
    return json.loads(run("ip", "-json", "-n", namespace(lab, machine), *words))


def learnt(lab: Lab, machine: Vm) -> tuple[list[str], int]:
    """Its IPv4 addresses and its MTU."""
    (link,) = ip(lab, machine, "-4", "address", "show", "dev", "eth0") or [{"addr_info": [], "mtu": 0}]
    return [f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"]], link["mtu"]


@pytest.fixture(scope="module")
def blue(lab: Lab) -> str:
    network = lab.network("10.5.5.0/24")
    with lab.cloud() as cloud:
        (subnet,) = cloud.list("subnets", network_id=network)
        routes = [{"destination": "172.16.0.0/12", "nexthop": "10.5.5.9"}]
        cloud.update("subnets", subnet["id"], {"dns_nameservers": ["9.9.9.9"], "host_routes": routes})
    return network


@pytest.mark.parametrize("kind", MTU)
def test_a_vm_learns_its_address_and_the_networks_mtu(lab: Lab, kind: str) -> None:
    number = list(MTU).index(kind)
    provider: dict[str, object] = {"provider:network_type": kind, **(PHYSICAL if kind in ("vlan", "flat") else {})}
    network = lab.network(f"10.{number}.0.0/24", **provider, **({"mtu": MTU[kind]} if kind == "flat" else {}))
    here, there = lab.add_vm("hv1", network, dhcp=True), lab.add_vm("hv2", network, dhcp=True)
    for machine in (here, there):
        assert learnt(lab, machine) == ([machine.nic.addresses[0]], MTU[kind])
    full = ("ping", "-n", "-c", "3", "-i", "0.2", "-W", "5", "-M", "do", "-s", str(MTU[kind] - 28), there.nic.address)
    run(*in_namespace(namespace(lab, here), *full))


def test_it_learns_routes_and_servers(lab: Lab, blue: str) -> None:
    machine = lab.add_vm("hv1", blue, dhcp=True)
    routes = {route["dst"]: route.get("gateway") for route in ip(lab, machine, "-4", "route")}
    assert routes == {"default": "10.5.5.1", "10.5.5.0/24": None, "172.16.0.0/12": "10.5.5.9", SERVER: None}
    resolver = (lab.layout.vms / f"{machine.name}.d/resolv.conf").read_text()
    assert resolver == "search openstacklocal\nnameserver 9.9.9.9\n"


def test_a_real_machine_learns_all_of_it(lab: Lab, blue: str) -> None:
    machine = lab.add_vm("hv2", blue, kind="qemu", port_security_enabled=True)
    assert machine.nic.dhcp
    seen = inside(lab, machine, "ip -4 address show dev eth0; ip route; cat /etc/resolv.conf")
    for line in (f"inet {machine.nic.addresses[0]}", "mtu 1450", "default via 10.5.5.1", "nameserver 9.9.9.9"):
        assert line in seen, seen
    lab.remove_vm(machine)


def inside(lab: Lab, machine: Vm, command: str) -> str:
    output = io.BytesIO()
    commands = guest_qemu.commands(lab.node(machine.node), machine.name)
    guest_serial.execute(commands, ("sh", "-c", command), output, guest_serial.TAKEN_WITHIN)
    return output.getvalue().decode()


def test_so_does_a_sub_port_of_a_trunk(lab: Lab, blue: str) -> None:
    machine = lab.describe_vm("hv1", lab.network("10.7.0.0/24"))
    with lab.cloud() as cloud:
        port = cloud.create("ports", network_id=blue)
        sub_port = {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": 77}
        cloud.create("trunks", port_id=machine.port_id, sub_ports=[sub_port])
        vm.create(cloud, lab.layout, machine)
        cloud.wait_active(port["id"], PATIENCE)
    asked = request_of(port["mac_address"], Type.DISCOVER)
    offered = ask(lab, machine, asked[:12] + struct.pack("!HH", 0x8100, 77) + asked[12:])
    assert offered is not None
    assert str(IPv4Address(offered.yiaddr)) == port["fixed_ips"][0]["ip_address"]


# renewing


@contextmanager
def dhclient(lab: Lab, machine: Vm, folder: Path, *options: str) -> Iterator[Path]:
    """ISC's client, in the foreground of its own; the file where it says what it does."""
    if not Path("/usr/sbin/dhclient").exists():
        pytest.skip("isc-dhcp-client is not installed")
    said, leases = folder / "dhclient.log", folder / "leases"
    leases.touch()
    files = ("-lf", str(leases), "-pf", str(folder / "pid"), "-sf", "/bin/true", "-cf", "/dev/null")
    command = in_namespace(namespace(lab, machine), "dhclient", "-d", "-v", *options, *files, "eth0")
    with said.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as client:
        try:
            yield said
        finally:
            client.send_signal(signal.SIGTERM)


def test_a_lease_is_renewed_by_unicast(lab: Lab, blue: str, tmp_path: Path) -> None:
    """Every three seconds: ISC's client asks the address that it knows for the server."""
    machine = lab.add_vm("hv1", blue, dhcp=True, extra_dhcp_opts=SHORT)
    with dhclient(lab, machine, tmp_path) as said:
        until(lambda: f"DHCPREQUEST for {machine.nic.address} on eth0 to {SERVER}" in said.read_text(), "asks it")
        until(lambda: said.read_text().count(f"DHCPACK of {machine.nic.address} from {SERVER}") > 1, "is answered")
    (entry,) = ip(lab, machine, "neighbour", "show", "to", SERVER)
    assert entry["lladdr"] == "02:4e:57:a9:fe:fe"


def test_dhcp_of_version_6(lab: Lab, tmp_path: Path) -> None:
    network = lab.network("2001:db8:6::/64")
    machine = lab.add_vm("hv1", network)
    until(lambda: not tentative(lab, machine), "its link-local address can be used")
    with dhclient(lab, machine, tmp_path, "-6") as said:
        until(lambda: "RCV: Reply message" in said.read_text(), "is answered")
    assert machine.nic.address in (tmp_path / "leases").read_text()


def tentative(lab: Lab, machine: Vm) -> bool:
    (link,) = ip(lab, machine, "-6", "address", "show", "dev", "eth0")
    return any(one.get("tentative") for one in link["addr_info"])


# what holds while something is away


def test_the_agent_answers_while_the_server_is_away_and_right_after_its_own_restart(lab: Lab, blue: str) -> None:
    machine = lab.add_vm("hv1", blue)
    until(lambda: lab.on_disk("hv1"), "the view is on the disk")
    with lab.away("server"):
        lab.kill("agent", "hv1")
        assert kind_of(ask(lab, machine, request(machine, Type.DISCOVER))) == Type.OFFER
    until(lambda: lab.agent_alive("hv1"), "the agent is back")


def test_requests_are_answered_again_after_vswitchd_was_killed(lab: Lab, blue: str) -> None:
    machine = lab.add_vm("hv1", blue)
    lab.kill("ovs-vswitchd", "hv1")
    assert kind_of(ask(lab, machine, request(machine, Type.DISCOVER))) == Type.OFFER


def test_dhcp_can_be_switched_off_and_on_while_vms_run(lab: Lab) -> None:
    network = lab.network("10.8.0.0/24")
    machine = lab.add_vm("hv1", network)
    other = lab.add_vm("hv2", network, port_security_enabled=False)
    with lab.cloud() as cloud:
        (subnet,) = cloud.list("subnets", network_id=network)
        for enabled in (False, True):
            cloud.update("subnets", subnet["id"], {"enable_dhcp": enabled})
            until(lambda enabled=enabled: is_answered(lab, machine) is enabled, "the node knows")  # type: ignore[misc]
            with lab.inside(other, "capture") as heard:
                assert is_answered(lab, machine) is enabled
                frames = [bytes.fromhex(line) for line in heard.finish()]
            assert any(is_request(frame) for frame in frames) is not enabled, "whom else it may concern"


def is_answered(lab: Lab, machine: Vm) -> bool:
    return kind_of(ask(lab, machine, request(machine, Type.DISCOVER), tries=1)) == Type.OFFER


# what must not be


def test_no_vm_gets_anothers_address(lab: Lab, blue: str) -> None:
    thief, other = lab.add_vm("hv1", blue), lab.add_vm("hv1", blue)
    wanted: dict[int, bytes] = {Option.REQUESTED_ADDRESS: IPv4Address(other.nic.address).packed}
    assert kind_of(ask(lab, thief, request(thief, Type.REQUEST, wanted))) == Type.NAK
    offered = ask(lab, thief, request(thief, Type.DISCOVER, wanted))
    assert offered is not None
    assert str(IPv4Address(offered.yiaddr)) == thief.nic.address
    assert ask(lab, thief, request(other, Type.DISCOVER), tries=2) is None


def test_a_vm_that_plays_the_server_is_not_heard_and_hears_nothing(lab: Lab, blue: str) -> None:
    victim, rogue = lab.add_vm("hv1", blue), lab.add_vm("hv1", blue)
    listener = lab.add_vm("hv1", blue, port_security_enabled=False, security_groups=[])
    reply = message4.encode(Message(op=2, xid=7, chaddr=mac(victim.nic.mac), options={53: bytes((Type.OFFER,))}))
    offer = datagram.encode(
        Datagram(
            eth_src=mac(rogue.nic.mac), eth_dst=mac(victim.nic.mac), src=IPv4Address(rogue.nic.address),
            dst=IPv4Address(victim.nic.address), sport=67, dport=68, payload=reply,
        )
    )  # fmt: skip
    with lab.inside(listener, "capture") as heard:
        lab.send_frames(rogue, offer)
        got = ask(lab, victim, request(victim, Type.DISCOVER))
        assert got is not None
        assert got.options[Option.SERVER_ID] == IPv4Address(SERVER).packed
        assert not [line for line in heard.finish() if is_request(bytes.fromhex(line))]


def test_a_flood_keeps_no_other_from_an_answer(lab: Lab, blue: str) -> None:
    hasty, other = lab.add_vm("hv1", blue), lab.add_vm("hv1", blue)
    lab.send_frames(hasty, *[request(hasty, Type.DISCOVER)] * 2000)
    assert kind_of(ask(lab, other, request(other, Type.DISCOVER))) == Type.OFFER
    own = f"cookie=0x4e5717{hasty.port_id.replace('-', '')[:10]}"
    until(lambda: any(own in flow and "actions=drop" in flow for flow in lab.flows("hv1", "br-int")), "it is not heard")
    assert ask(lab, hasty, request(hasty, Type.DISCOVER), tries=1) is None


# frames by hand


def request(machine: Vm, kind: Type, options: dict[int, bytes] | None = None) -> bytes:
    return request_of(machine.nic.mac, kind, options)


def request_of(address: str, kind: Type, options: dict[int, bytes] | None = None) -> bytes:
    """As a client would send it that has this MAC."""
    own = mac(address)
    asked = Message(op=1, xid=7, chaddr=own, options={Option.MESSAGE_TYPE: bytes((kind,)), **(options or {})})
    return datagram.encode(
        Datagram(
            eth_src=own, eth_dst=mac(BROADCAST), src=IPv4Address("0.0.0.0"), dst=IPv4Address("255.255.255.255"),
            sport=68, dport=67, payload=message4.encode(asked),
        )
    )  # fmt: skip


def is_request(frame: bytes) -> bool:
    found = datagram.decode(frame)
    return found is not None and found.dport == 67


def ask(lab: Lab, machine: Vm, frame: bytes, *, tries: int = 20) -> Message | None:
    """Says it again twice a second, as a client would; the first answer that comes."""
    with lab.inside(machine, "capture") as heard:
        for _ in range(tries):
            lab.send_frames(machine, frame)
            while line := heard.line_within(0.5):
                found = datagram.decode(bytes.fromhex(line))
                if found is not None and found.dport == 68:
                    return message4.decode(found.payload)
    return None


def kind_of(reply: Message | None) -> Type | None:
    return Type(reply.options[Option.MESSAGE_TYPE][0]) if reply else None
