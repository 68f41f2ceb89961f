"""What is written of a packet that a flow has handed up for a log."""

from ipaddress import ip_address
from pathlib import Path
from typing import cast

from msgspec import Struct

from netweft.agent.desired import Desired
from netweft.agent.security.firewall_logs import FirewallLogs
from netweft.dataplane.openflow.fields import PROTO_UDP
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets.datagram import IpAddress, packet
from netweft.model import FirewallGroup, FirewallLog, NodeView, SecurityGroup, view_of
from netweft.services.fields import Reason, cookie
from netweft.testing.region import network, port

A = network(1)
P = port(1, A, "10.0.0.1", firewall_group_id="g")
GROUP = FirewallGroup(id="g", project_id="red")
OF_ALL, DROPS = FirewallLog(id="l1", project_id="red"), FirewallLog(id="l2", project_id="red", event="DROP")
OTHERS = FirewallLog(id="l3", project_id="blue")


class Seen(Struct):
    view: NodeView


def up(reason: Reason, frame: bytes) -> PacketIn:
    return PacketIn(frame=frame, cookie=cookie(reason, P.id), fields={})


def udp(src: str, dst: str) -> bytes:
    ends: tuple[IpAddress, IpAddress] = (ip_address(src), ip_address(dst))
    return packet((bytes(6), bytes(6)), ends, PROTO_UDP, (7).to_bytes(2, "big") + (53).to_bytes(2, "big") + bytes(4))


def test_a_line_a_packet(tmp_path: Path) -> None:
    seen = Seen(view_of("h", 1, [P, GROUP, OF_ALL, DROPS, OTHERS]))
    logs = FirewallLogs(cast(Desired, seen), str(tmp_path / "log"))
    for reason, frame in (
        (Reason.PORT_ACCEPTED, udp("10.0.0.1", "10.0.0.2")),
        (Reason.PORT_REFUSED, udp("fd00::1", "fd00::2")),
        (Reason.PORT_REFUSED, b"nonsense"),
    ):
        assert not list(logs.answer(None, up(reason, frame)))
    (tmp_path / "log").rename(tmp_path / "log.1")
    seen.view = seen.view.merged(2, (), [("firewall_log", "l1")])
    logs.answer(None, up(Reason.PORT_REFUSED, b""))
    logs.answer(None, up(Reason.PORT_ACCEPTED, b""))
    seen.view = seen.view.merged(3, (), [("firewall_log", "l2"), ("firewall_log", "l3")])
    logs.answer(None, up(Reason.PORT_REFUSED, b""))
    lines = [line.partition("action=")[2] for line in (tmp_path / "log.1").read_text().splitlines()]
    about = f"port={P.id}"
    assert lines == [
        f"ACCEPT project_id=red log_resource_ids=l1 {about} src=10.0.0.1 dst=10.0.0.2 protocol=17 sport=7 dport=53",
        f"DROP project_id=red log_resource_ids=l1,l2 {about} src=fd00::1 dst=fd00::2 protocol=17 sport=7 dport=53",
        f"DROP project_id=red log_resource_ids=l1,l2 {about}",
    ]
    after = [line.partition("action=")[2] for line in (tmp_path / "log").read_text().splitlines()]
    assert after == [
        f"DROP project_id=red log_resource_ids=l2 {about}",
        f"ACCEPT project_id=red log_resource_ids= {about}",
    ]


def test_security_groups_have_lines_of_their_own(tmp_path: Path) -> None:
    group = SecurityGroup(id="sg", project_id="red")
    guarded = port(1, A, "10.0.0.1", security_groups=("sg",), firewall_group_id="g")
    logged = FirewallLog(id="l4", project_id="red", resource_type="security_group", resource_id="sg")
    seen = Seen(view_of("h", 1, [guarded, GROUP, group, OF_ALL, logged]))
    logs = FirewallLogs(cast(Desired, seen), str(tmp_path / "log"))
    for reason in (Reason.PORT_GROUPS_ACCEPTED, Reason.PORT_GROUPS_REFUSED, Reason.PORT_REFUSED):
        logs.answer(None, up(reason, b""))
    lines = [line.partition("action=")[2].split()[::2] for line in (tmp_path / "log").read_text().splitlines()]
    ids = "log_resource_ids="
    assert lines == [["ACCEPT", f"{ids}l4"], ["DROP", f"{ids}l4"], ["DROP", f"{ids}l1"]]
