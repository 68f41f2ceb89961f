"""Doctor's checks: a healthy host has no finding, each fault has its code, docs/doctor.md is made of the codes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netweft.control.explain.codes import CODES as EXPLAINED
from netweft.doctor import codes
from netweft.doctor.codes_doc import document
from netweft.doctor.examine import examine
from netweft.doctor.facts import Agent, Asked, Bridge, Database, Facts, Host, Link, OpenVSwitch, Place, Server, Wanted
from netweft.findings import Code

DOC = Path(__file__).parents[3] / "docs" / "doctor.md"
EX = {"eth1": "", "br-ex": "internal"}
OVS = OpenVSwitch(True, version="3.1.0", most_tracked=2**20, bridges={"br-ex": Bridge("system", EX)})
WANTED = Wanted("hv1", "/run/ovs", tunnel_ip="192.0.2.1", mappings={"public": "br-ex"})
URL, OTHER = "http://192.0.2.10:9696", "http://192.0.2.11:9696"
AGENT = Agent(
    wanted=WANTED,
    token=Place("/etc/netweft/node.token"),
    token_node="hv1",
    state_dir=Place("/var/lib/netweft/agent"),
    socket_dir=Place("/run/netweft"),
    ovs=OVS,
    links={"eth0": Link(1500, addresses=("192.0.2.1", "2001:db8::1")), "vxlan_sys_4789": Link(65000, vxlan_port=4789)},
    udp={4789: "ovs-vswitchd", 53: "dnsmasq"},
    servers={URL: Asked(behind=0.4), OTHER: Asked(behind=-0.4)},
    haproxy="2.6.12-1+deb12u2",
)
SERVER = Server(Place("/var/lib/netweft"), Database(schema="0042", newest="0042"), {"127.0.0.1:9696": ""})
HOST = Host(
    (3, 11), {}, (), frozenset({"net_admin", "net_raw", "dac_override"}), {"server": 65536, "agent": 1024}, True
)
HEALTHY = Facts(HOST, SERVER, AGENT)
USERSPACE = replace(OVS, kernel=False)
BY_ITSELF = replace(WANTED, datapath_type="netdev", underlay="eth0")


def host(**changes: Any) -> Facts:
    return replace(HEALTHY, host=replace(HOST, **changes))


def server(**changes: Any) -> Facts:
    return replace(HEALTHY, server=replace(SERVER, **changes))


def agent(**changes: Any) -> Facts:
    return replace(HEALTHY, agent=replace(AGENT, **changes))


def wanted(**changes: Any) -> Facts:
    return agent(wanted=replace(WANTED, **changes))


def ovs(**changes: Any) -> Facts:
    return agent(ovs=replace(OVS, **changes))


def link(**changes: Any) -> Facts:
    return agent(links={"eth0": replace(AGENT.links["eth0"], **changes)})


FAULTS: list[tuple[Code, Facts]] = [
    (codes.SETTINGS_WRONG, replace(HEALTHY, agent=None, settings={"agent": "tunnel_ip: x is not an IP address"})),
    (codes.PYTHON_OLD, host(python=(3, 9))),
    (codes.PACKAGES_MISSING, host(missing=("msgspec",))),
    (codes.CAPABILITIES_MISSING, host(capabilities=frozenset({"net_raw", "dac_override"}))),
    (codes.OPEN_FILES_FEW, host(open_files={"server": 1024})),
    (codes.CLOCK_NOT_KEPT, host(clock_kept=False)),
    (codes.CLOCK_WRONG, agent(servers={URL: Asked(behind=-3600.0)})),
    (codes.FOLDER_UNUSABLE, server(state_dir=Place("/var/lib/netweft", "/var is not writable"))),
    (codes.FOLDER_UNUSABLE, agent(socket_dir=Place("/run/netweft", "it is no folder"))),
    (codes.FOLDER_OPEN, agent(state_dir=Place("/var/lib/netweft/agent", open_to_all=True))),
    (codes.SECRET_UNREADABLE, server(secrets=(Place("/etc/netweft/service.password", "No such file"),))),
    (codes.SECRET_OPEN, agent(token=Place("/etc/netweft/node.token", open_to_all=True))),
    (codes.STT_NOT_BUILT, agent(wanted=replace(WANTED, tunnel_types=("vxlan", "stt")), stt_built=False)),
    (codes.TOKEN_MISSING, agent(token=Place("/etc/netweft/node.token", "No such file"), token_node="")),
    (codes.DATABASE_UNREACHABLE, server(database=Database("connection refused", newest="0042"))),
    (codes.DATABASE_NEWER, server(database=Database(schema="0043", newest="0042"))),
    (codes.DATABASE_NEWER, server(database=Database(schema="1c2b3a", newest="0042"))),
    (codes.DATABASE_OLDER, server(database=Database(schema="0041", newest="0042"))),
    (codes.LISTEN_TAKEN, server(listen={"127.0.0.1:80": "Address already in use"})),
    (codes.KEYSTONE_UNREACHABLE, server(keystone="http://192.0.2.9:5000 connection refused")),
    (codes.OVS_MISSING, ovs(installed=False, ovsdb="no such file", vswitchd="no such file", bridges={})),
    (codes.OVSDB_UNREACHABLE, ovs(ovsdb="no such file", vswitchd="no such file", bridges={})),
    (codes.VSWITCHD_UNREACHABLE, ovs(vswitchd="no answer")),
    (codes.OVS_OLD, ovs(version="2.17.9")),
    (codes.KERNEL_DATAPATH_MISSING, agent(ovs=USERSPACE, wanted=replace(WANTED, datapath_type="system"))),
    (codes.USERSPACE_DATAPATH, agent(ovs=USERSPACE, wanted=replace(WANTED, underlay="eth0"))),
    (codes.TUN_MISSING, agent(ovs=replace(OVS, tun=False), wanted=BY_ITSELF)),
    (codes.CONNTRACK_SMALL, ovs(most_tracked=262_144)),
    (codes.CONNTRACK_FULL, ovs(most_tracked=262_144, tracked=250_000)),
    (codes.CONNTRACK_FULL, ovs(tracked=2**20)),
    (codes.CONNTRACK_STRICT, ovs(loose=False)),
    (codes.CONNTRACK_UNLIMITED, ovs(limits_zones=False)),
    (codes.CONNTRACK_UNREACHABLE, ovs(ends_connections=False)),
    (codes.DATAPATH_LACKS, ovs(lacking=("CT state NAT",))),
    (
        codes.BRIDGES_FILTERED,
        agent(ovs=replace(OVS, filters_bridges=True), links=dict(AGENT.links) | {"qbr0a0a0a0a-0a": Link(1500)}),
    ),
    (codes.BRIDGE_MISSING, wanted(mappings={"public": "br-ex", "physnet1": "br-eth1"})),
    (codes.BRIDGE_NO_NIC, ovs(bridges={"br-ex": Bridge("system", {"br-ex": "internal", "int-br-ex": "patch"})})),
    (codes.TUNNEL_UNSET, wanted(tunnel_ip="")),
    (codes.TUNNEL_NOWHERE, wanted(tunnel_ip="192.0.2.77")),
    (codes.TUNNEL_NOT_ON_BRIDGE, wanted(datapath_type="netdev")),
    (codes.UNDERLAY_MISSING, wanted(underlay="eth7")),
    (codes.UNDERLAY_DOWN, link(up=False)),
    (codes.UNDERLAY_MTU, link(mtu=1450)),
    (codes.UNDERLAY_MTU, wanted(physical_mtu=9000)),
    (codes.TUNNEL_PORT_TAKEN, agent(udp={4789: "java"})),
    (codes.TUNNEL_PORT_TAKEN, agent(links=dict(AGENT.links) | {"flannel.1": Link(1450, vxlan_port=4789)})),
    (codes.TOKEN_OTHERS, agent(token_node="hv2")),
    (codes.SERVER_UNREACHABLE, agent(servers={URL: Asked("Connection refused")})),
    (codes.SERVER_ONE_UNREACHABLE, agent(servers={URL: Asked("Connection refused"), OTHER: Asked()})),
    (codes.TOKEN_REFUSED, agent(servers={URL: Asked(token_refused=True)})),
    (codes.HAPROXY_MISSING, agent(haproxy="")),
    (codes.HAPROXY_OLD, agent(haproxy="2.2.9-2+deb11u6")),
    (codes.SERVICE_CONFLICT, agent(rivals=("neutron-openvswitch-agent",))),
    (codes.NETWORKMANAGER, agent(managed=("br-ex",))),
]  # fmt: skip


def test_a_healthy_host_lacks_nothing() -> None:
    bridged = agent(
        wanted=replace(WANTED, datapath_type="netdev", tunnel_ip="2001:db8::1"),
        ovs=replace(OVS, bridges=dict(OVS.bridges) | {"br-phy": Bridge("netdev", {"eth0": "internal"})}),
    )
    for facts in (
        HEALTHY,
        bridged,
        agent(wanted=BY_ITSELF, ovs=replace(OVS, most_tracked=262_144)),
        ovs(most_tracked=None),
        ovs(filters_bridges=True),
        agent(wanted=BY_ITSELF, ovs=replace(OVS, loose=False, limits_zones=False, ends_connections=False)),
        ovs(most_tracked=0, tracked=2**20),
        Facts(HOST),
        replace(HEALTHY, agent=None),
        server(database=Database(newest="0042")),
    ):
        assert examine(facts) == []


@pytest.mark.parametrize(("code", "facts"), FAULTS, ids=lambda value: value.code if isinstance(value, Code) else "")
def test_a_fault_has_its_code_and_no_other(code: Code, facts: Facts) -> None:
    found = examine(facts)
    assert [one.code for one in found] == [code]
    assert found[0].fix and "{" not in found[0].fix


def test_each_code_is_of_one_check_and_means_one_thing() -> None:
    assert {code for code, _ in FAULTS} == set(codes.CODES)
    names = [code.code for code in (*codes.CODES, *EXPLAINED)]
    assert sorted(set(names)) == sorted(names)


def test_what_blocks_comes_first() -> None:
    found = examine(replace(agent(servers={URL: Asked(token_refused=True)}), host=replace(HOST, clock_kept=False)))
    assert [one.code.blocks for one in found] == [True, False]


def test_the_document_is_current() -> None:
    assert DOC.read_text() == document(), "run: python -m netweft.doctor.codes_doc > docs/doctor.md"
