"""VMs configure themselves from what routers advertise: real kernels, no address told by anybody else."""

import re
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.netns import frames
from tests.netns.harness import Lab, until
from tests.netns.l3.test_routing import make_router, subnet_of
from tests.netns.services.test_dhcp import dhclient, inside, ip, namespace, tentative
from tests.unit.dataplane.test_router_advert import body, options

from netweft.agent import packet_ins
from netweft.lab import vm
from netweft.lab.commands import in_namespace, run
from netweft.lab.layout import Kind
from netweft.lab.vm import Vm
from netweft.services.addresses import link_local, mac

SERVER = "2001:db8::53"
ALL_ROUTERS = ("33:33:00:00:00:02", "ff02::2")


def network(lab: Lab, cidr: str, ra: str = "slaac", address: str | None = "slaac") -> str:
    """With one subnet, IPv6, that routers advertise."""
    made = lab.network()
    modes = {"ipv6_ra_mode": ra} | ({"ipv6_address_mode": address} if address else {})
    with lab.cloud() as cloud:
        cloud.create("subnets", network_id=made, cidr=cidr, ip_version=6, dns_nameservers=[SERVER], **modes)
    return made


def bare(lab: Lab, node: str, of: str, kind: Kind = "netns") -> Vm:
    """A VM that is told no address."""
    described = lab.describe_vm(node, of, kind=kind)
    nic = replace(described.nic, addresses=(), gateways=(), dhcp=False)
    with lab.cloud() as cloud:
        return vm.create(cloud, lab.layout, replace(described, nic=nic))


def fixed(lab: Lab, machine: Vm) -> str:
    """The port's IPv6 address, as the database knows it."""
    found = [one["ip_address"] for one in lab.port(machine)["fixed_ips"]]
    return str(next(one for one in found if ":" in one))


def addresses(lab: Lab, machine: Vm) -> dict[str, dict[str, Any]]:
    """Those that it has formed for itself."""
    links = ip(lab, machine, "-6", "address", "show", "dev", "eth0", "scope", "global")
    return {one["local"]: one for link in links for one in link.get("addr_info", ()) if one.get("local")}


def gateways(lab: Lab, machine: Vm) -> list[str]:
    """Of its default routes."""
    routes = ip(lab, machine, "-6", "route", "show", "default")
    hops = [hop for route in routes for hop in route.get("nexthops", [route])]
    return sorted(str(hop["gateway"]) for hop in hops)


def link_local_of(mac_address: str) -> str:
    return str(IPv6Address(link_local(mac(mac_address))))


def at_network(lab: Lab, router: dict[str, Any], network_id: str) -> dict[str, Any]:
    """The router's interface on it."""
    with lab.cloud() as cloud:
        ports = cloud.list("ports", network_id=network_id)
    return next(one for one in ports if one["device_id"] == router["id"])


def attach(lab: Lab, router: dict[str, Any], network_id: str, verb: str = "add") -> None:
    with lab.cloud() as cloud:
        subnet = subnet_of(lab, network_id, 6)
        cloud.act("routers", router["id"], f"{verb}_router_interface", {"subnet_id": subnet["id"]})


def delete(lab: Lab, router: dict[str, Any]) -> None:
    with lab.cloud() as cloud:
        cloud.delete("routers", router["id"])


def solicitation(machine: Vm) -> bytes:
    macs = (machine.nic.mac, ALL_ROUTERS[0])
    return frames.icmp6(macs, (link_local_of(machine.nic.mac), ALL_ROUTERS[1]), 133, bytes(4))


def is_advertisement(frame: bytes) -> bool:
    return frame[12:14] == bytes.fromhex("86dd") and frame[20] == 58 and frame[54] == 134


def advertised(lab: Lab, machine: Vm) -> bytes:
    """The answer to its asking."""
    with lab.inside(machine, "capture") as capture:
        lab.send_frames(machine, solicitation(machine))
        while True:
            frame = bytes.fromhex(capture.line())
            if is_advertisement(frame) and frame[:6] == frames.mac(machine.nic.mac):
                return body(frame)


@pytest.fixture(scope="module")
def red(lab: Lab) -> str:
    return lab.network("fd00:41::/64")


@pytest.fixture(scope="module")
def far(lab: Lab, red: str) -> Vm:
    """In a network that is not advertised, on the other hypervisor."""
    lab.let_strangers_in()
    return lab.add_vm("hv2", red)


@pytest.fixture(scope="module")
def blue(lab: Lab) -> str:
    return network(lab, "fd00:40::/64")


@pytest.fixture(scope="module")
def router(lab: Lab, blue: str, red: str) -> dict[str, Any]:
    return make_router(lab, blue, red)


def test_a_vm_configures_itself_and_reaches_another_network(
    lab: Lab, blue: str, router: dict[str, Any], far: Vm
) -> None:
    machine = bare(lab, "hv1", blue)
    until(lambda: fixed(lab, machine) in addresses(lab, machine) and gateways(lab, machine), "it has configured itself")
    assert gateways(lab, machine) == [link_local_of(at_network(lab, router, blue)["mac_address"])]
    assert list(addresses(lab, machine)) == [fixed(lab, machine)], "the very address that the port has"
    assert lab.ping(machine, far.nic.address)
    (route,) = ip(lab, machine, "-6", "route", "show", "default")
    assert 1700 < route["expires"] <= 1800
    (address,) = addresses(lab, machine).values()
    assert (address["valid_life_time"] > 86000, address["preferred_life_time"] > 14000) == (True, True)
    lab.remove_vm(machine)


def test_what_the_requester_gets(lab: Lab, blue: str, router: dict[str, Any]) -> None:
    machine = bare(lab, "hv2", blue)
    said = advertised(lab, machine)
    interface = at_network(lab, router, blue)
    found = {option[0]: option for option in options(said)}
    assert said[4:8] == bytes((64, 0)) + (1800).to_bytes(2, "big")
    assert found[1][2:] == frames.mac(interface["mac_address"])
    assert int.from_bytes(found[5][4:], "big") == 1450
    assert found[3][2:4] == bytes((64, 0xC0))
    assert found[25][8:] == IPv6Address(SERVER).packed
    lab.remove_vm(machine)


FLAGS = {"slaac": (0, 0xC0), "dhcpv6-stateless": (0x40, 0xC0), "dhcpv6-stateful": (0xC0, 0x80)}


@pytest.mark.parametrize("address", ["the same", None])
@pytest.mark.parametrize("ra", FLAGS)
def test_each_mode_leads_to_the_address_that_the_port_has(
    lab: Lab, tmp_path: Path, request: pytest.FixtureRequest, ra: str, address: str | None
) -> None:
    """Without a mode of its own the address is for another DHCP server to give, if the router does not say it."""
    net = network(lab, f"fd00:{50 + list(FLAGS).index(ra)}::/64", ra, address and ra)
    router = make_router(lab, net)
    request.addfinalizer(partial(delete, lab, router))
    request.addfinalizer(partial(attach, lab, router, net, "remove"))
    machine = bare(lab, "hv1", net)
    said = advertised(lab, machine)
    assert (said[5], next(option for option in options(said) if option[0] == 3)[3]) == FLAGS[ra]
    until(lambda: gateways(lab, machine), "it knows the way out")
    if ra != "dhcpv6-stateful":
        until(lambda: fixed(lab, machine) in addresses(lab, machine), "it forms the address")
        return
    assert not addresses(lab, machine), "it forms none"
    if address:
        until(lambda: not tentative(lab, machine), "its link-local address can be used")
        with dhclient(lab, machine, tmp_path, "-6") as log:
            until(lambda: "RCV: Reply message" in log.read_text(), "is answered")
        assert fixed(lab, machine) in (tmp_path / "leases").read_text()


def test_a_router_that_comes_and_goes_while_vms_run(lab: Lab) -> None:
    """Nobody asks: their kernels have given up.  Between them nothing changes when it goes."""
    net = network(lab, "fd00:44::/64")
    here, there = bare(lab, "hv1", net), bare(lab, "hv2", net)
    other, behind = lab.network("fd00:45::/64"), None
    behind = lab.add_vm("hv2", other)
    router = make_router(lab, other)
    for machine in (here, there):
        run(*in_namespace(namespace(lab, machine), "sysctl", "-qw", "net.ipv6.conf.eth0.router_solicitations=0"))
    attach(lab, router, net)
    for machine in (here, there):
        until(lambda machine=machine: fixed(lab, machine) in addresses(lab, machine), "it forms its address")  # type: ignore[misc]
        assert lab.ping(machine, behind.nic.address)
    attach(lab, router, net, "remove")
    for machine in (here, there):
        until(lambda machine=machine: not gateways(lab, machine), "it has no router any more")  # type: ignore[misc]
        (address,) = addresses(lab, machine).values()
        assert address["preferred_life_time"] == 0
        assert address["valid_life_time"] > 86000
    assert lab.ping(here, fixed(lab, there)), "the prefix is still on the link"


@pytest.mark.parametrize("what", ["down", "while the agent was dead"])
def test_a_router_that_ends(lab: Lab, what: str) -> None:
    net = network(lab, "fd00:46::/64")
    router = make_router(lab, net)
    machine = bare(lab, "hv1", net)
    until(lambda: gateways(lab, machine), "it knows the way out")
    until(lambda: lab.on_disk("hv1"), "the view is on the disk")
    if what == "down":
        with lab.cloud() as cloud:
            cloud.update("routers", router["id"], {"admin_state_up": False})
        until(lambda: not gateways(lab, machine), "it has no router any more")
        with lab.cloud() as cloud:
            cloud.update("routers", router["id"], {"admin_state_up": True})
        until(lambda: gateways(lab, machine), "it knows the way out again")
        return
    with lab.away("agent", "hv1"):
        attach(lab, router, net, "remove")
        assert gateways(lab, machine)
    until(lambda: not gateways(lab, machine), "it has no router any more")


def test_what_its_subnet_and_network_say_otherwise_is_said_at_once(lab: Lab, blue: str, router: dict[str, Any]) -> None:
    net = network(lab, "fd00:47::/64")
    make_router(lab, net)
    machine = bare(lab, "hv1", net)
    until(lambda: gateways(lab, machine), "it knows the way out")
    with lab.inside(machine, "capture") as capture, lab.cloud() as cloud:
        cloud.update("subnets", subnet_of(lab, net, 6)["id"], {"dns_nameservers": ["2001:db8::54"]})
        while (
            not is_advertisement(frame := bytes.fromhex(capture.line()))
            or IPv6Address("2001:db8::54").packed not in frame
        ):
            pass
    servers = {option[8:]: int.from_bytes(option[4:8], "big") for option in options(body(frame)) if option[0] == 25}
    assert servers == {IPv6Address("2001:db8::54").packed: 1800, IPv6Address(SERVER).packed: 0}
    with lab.cloud() as cloud:
        cloud.update("networks", net, {"mtu": 1400})
    mtu = ("sysctl", "-n", "net.ipv6.conf.eth0.mtu")
    until(lambda: run(*in_namespace(namespace(lab, machine), *mtu)).strip() == "1400", "it knows the MTU")


def test_two_tenants_with_the_same_prefix(lab: Lab) -> None:
    nets = [network(lab, "fd00:48::/64") for _ in range(2)]
    routers = [make_router(lab, net) for net in nets]
    machines = [bare(lab, "hv1", net) for net in nets]
    for machine in machines:
        until(lambda machine=machine: gateways(lab, machine), "it knows the way out")  # type: ignore[misc]
    for machine, net, router in zip(machines, nets, routers, strict=True):
        assert gateways(lab, machine) == [link_local_of(at_network(lab, router, net)["mac_address"])]


def test_what_vms_advertise_is_dropped(lab: Lab, blue: str, router: dict[str, Any]) -> None:
    """A guarded VM is no router, in whose name ever."""
    hostile, victim = lab.add_vm("hv1", blue), bare(lab, "hv1", blue)
    until(lambda: gateways(lab, victim), "it knows the way out")
    true = link_local_of(at_network(lab, router, blue)["mac_address"])
    content = bytes((64, 0)) + (9000).to_bytes(2, "big") + bytes(8)
    everybody = ("33:33:00:00:00:01", "ff02::1")
    lies = [
        frames.icmp6((hostile.nic.mac, everybody[0]), (source, everybody[1]), 134, content)
        for source in (link_local_of(hostile.nic.mac), true)
    ]
    last = frames.icmp6(
        (hostile.nic.mac, everybody[0]),
        (link_local_of(hostile.nic.mac), everybody[1]),
        136,
        b"\x20\0\0\0" + IPv6Address(link_local_of(hostile.nic.mac)).packed + b"\x02\x01" + frames.mac(hostile.nic.mac),
    )
    with lab.inside(victim, "capture") as capture:
        lab.send_frames(hostile, *lies, last)
        seen = capture.frames_until(last)
    assert not [frame for frame in seen if frame in lies]
    assert gateways(lab, victim) == [true]


def test_one_that_floods_solicitations(lab: Lab, blue: str, router: dict[str, Any]) -> None:
    """It is not heard for a while, and costs nobody else his answer."""
    hostile, other = bare(lab, "hv1", blue), bare(lab, "hv1", blue)
    with lab.inside(hostile, "capture") as capture:
        lab.send_frames(hostile, *[solicitation(hostile)] * 6 * packet_ins.MANY)
        until(lambda: deaf(lab), "a flow takes care of it")
        assert advertised(lab, other)
        capture.stop()
        heard = [frame for frame in map(bytes.fromhex, capture.finish()) if is_advertisement(frame)]
    assert 0 < len(heard) <= 2 * packet_ins.MANY
    until(lambda: not deaf(lab), "it is heard again")
    assert advertised(lab, hostile)


def deaf(lab: Lab) -> bool:
    """Of one port; what a firewall refuses of all of them is another flow."""
    flows = (flow for flow in lab.flows("hv1", "br-int") if "icmp_type=133" in flow)
    return any(re.search("reg2=0x[0-9a-f]+[, ]", flow) for flow in flows)


def test_a_sub_port_of_a_trunk_hears_the_router_of_its_own_network(lab: Lab, blue: str, router: dict[str, Any]) -> None:
    machine = lab.describe_vm("hv1", lab.network("10.49.0.0/24"))
    with lab.cloud() as cloud:
        port = cloud.create("ports", network_id=blue)
        sub_port = {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": 77}
        cloud.create("trunks", port_id=machine.port_id, sub_ports=[sub_port])
        vm.create(cloud, lab.layout, machine)
        cloud.wait_active(port["id"], 30)
    macs, ends = (port["mac_address"], ALL_ROUTERS[0]), (link_local_of(port["mac_address"]), ALL_ROUTERS[1])
    asks = frames.tag(frames.icmp6(macs, ends, 133, bytes(4)), 77)
    own = frames.mac(port["mac_address"])
    with lab.inside(machine, "capture") as capture:

        def answered() -> bool:
            """It asks again, as hosts do (RFC 4861, 6.3.7): routers limit how often they answer."""
            lab.send_frames(machine, asks)
            heard = iter(lambda: bytes.fromhex(capture.line_within(2)), b"")
            return any(frame[:6] == own and is_advertisement(frame) for frame in heard)

        until(answered, "its router answers")


def test_a_real_machine_configures_itself(lab: Lab, blue: str, router: dict[str, Any], far: Vm) -> None:
    machine = bare(lab, "hv1", blue, "qemu")
    wanted = (
        f"inet6 {fixed(lab, machine)}/64",
        f"default via {link_local_of(at_network(lab, router, blue)['mac_address'])}",
    )
    until(
        lambda: all(line in inside(lab, machine, "ip -6 address; ip -6 route") for line in wanted), "it has learnt it"
    )
    # its address is tentative for a second (RFC 4862)
    ping = f"ping -6 -c 1 -W 1 {far.nic.address}"
    until(lambda: "1 packets received" in inside(lab, machine, ping), "it reaches a VM behind the router")
    lab.remove_vm(machine)
