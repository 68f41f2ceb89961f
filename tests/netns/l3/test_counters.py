"""What is sent by floating IPs, forwardings and gateways is what their counters say, in packets and in bytes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.metrics import described, said
from tests.netns.harness import Lab, until
from tests.netns.l3.test_gateways import BEHIND, Stage, gateway_port
from tests.netns.l3.test_gateways import stage as stage
from tests.netns.l3.test_port_forwarding import Forwarded, forward
from tests.netns.l3.test_routing import address
from tests.netns.outside import OUTSIDE
from tests.waiting import PATIENCE

from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm
from netweft.metrics.definitions import AGENT, REFUSED, SERVER

HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP or ICMP
SEND = (
    "import socket,sys; a,p,n,s=sys.argv[1:]; k=socket.socket(2,2); "
    "[k.sendto(bytes(int(s)),(a,int(p))) for _ in range(int(n))]"
)
NOTHING = {"packets_in": 0, "bytes_in": 0, "packets_out": 0, "bytes_out": 0}


@pytest.fixture(scope="module")
def counting(lab: Lab, stage: Stage) -> Iterator[None]:
    """Often, and every next hop is known; and everybody has metrics."""
    with (lab.layout.server_folder / "netweft.toml").open("a") as file:
        file.write(f'metrics_listen = ["unix:{metrics_socket(lab)}"]\n')
    lab.kill("server")
    for node in ("hv1", "hv2"):
        lab.configure_agent(node, count_seconds="0.5", metrics_listen=[f"unix:{metrics_socket(lab, node)}"])
    for one in (stage.one, stage.two, stage.red):
        assert lab.ping(one, BEHIND)
    yield


def metrics_socket(lab: Lab, node: str = "") -> Path:
    return (lab.node(node).folder if node else lab.layout.server_folder) / "metrics.sock"


def scrape(lab: Lab, node: str = "") -> str:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(metrics_socket(lab, node)))) as client:
        answer = client.get("http://metrics/metrics", timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    return answer.text


def counters(lab: Lab, id: str) -> dict[str, int]:
    with lab.cloud() as cloud:
        found: dict[str, Any] = cloud.request("GET", f"netweft/counters/{id}")["counter"]
    return {name: found[name] for name in NOTHING}


def settled(lab: Lab, *ids: str, seconds: float = 3.0) -> list[dict[str, int]]:
    """As they are when nothing has come for longer than the switch, a report and the server take together."""
    seen = [counters(lab, id) for id in ids]
    since = time.monotonic()

    def still() -> bool:
        nonlocal seen, since
        now = [counters(lab, id) for id in ids]
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > seconds

    until(still, "the counters are still")
    return seen


def grown(lab: Lab, before: dict[str, int], id: str, **by: int) -> None:
    """By exactly so much, and by nothing else: it comes to that, and no further."""
    wanted = {name: value + by.get(name, 0) for name, value in before.items()}
    with suppress(AssertionError):
        until(lambda: counters(lab, id) == wanted, "all of it is there", seconds=10)
    (now,) = settled(lab, id, seconds=1.5)
    assert now == wanted


def ping(namespace: str, to: str, count: int, size: int = 56) -> None:
    command = ("ping", "-n", "-q", "-c", str(count), "-i", "0.01", "-s", str(size), "-W", "30", to)
    done = subprocess.run(in_namespace(namespace, *command), capture_output=True, text=True, check=False)
    assert f"{count} received" in done.stdout, done.stdout


def pour(namespace: str, to: str, port: int, count: int, size: int) -> None:
    subprocess.run(in_namespace(namespace, sys.executable, "-c", SEND, to, *map(str, (port, count, size))), check=True)


def there(lab: Lab, vm: Vm | None = None) -> str:
    return lab.layout.vm_namespace(vm.name) if vm else lab.layout.host_namespace("outside")


def both_ways(count: int, size: int) -> dict[str, int]:
    return {"packets_in": count, "packets_out": count, "bytes_in": count * size, "bytes_out": count * size}


def test_what_the_gateway_translates(lab: Lab, stage: Stage, counting: None) -> None:
    """From each node; and what is sent while the agent of the gateway's node is away."""
    (before,) = settled(lab, stage.router["id"])
    ping(there(lab, stage.one), BEHIND, 20)
    ping(there(lab, stage.two), BEHIND, 30)
    grown(lab, before, stage.router["id"], **both_ways(50, 56 + HEADERS))
    node = gateway_port(lab, stage)["binding:host_id"]
    with lab.away("agent", node):
        ping(there(lab, stage.two), BEHIND, 40)
    until(lambda: lab.in_sync(node), "the agent is back")
    grown(lab, before, stage.router["id"], **both_ways(90, 56 + HEADERS))
    lab.kill("agent", node)
    pour(there(lab, stage.one), BEHIND, 9, 100, 500)
    until(lambda: lab.in_sync(node), "the agent is back")
    until(lambda: counters(lab, stage.router["id"])["packets_out"] >= before["packets_out"] + 190, "it is all there")
    (now,) = settled(lab, stage.router["id"], seconds=1.5)
    assert now["packets_out"] - before["packets_out"] == 190
    assert now["bytes_out"] - before["bytes_out"] == 90 * (56 + HEADERS) + 100 * (500 + HEADERS)


def test_a_floating_ip_and_forwarded_ports(lab: Lab, stage: Stage, counting: None) -> None:
    """Each packet once: the gateway's counters stand still meanwhile, but for the forwarding VM's own traffic."""
    with lab.cloud() as cloud:
        lent = cloud.create("floatingips", floating_network_id=stage.external, port_id=stage.one.port_id)
        ports = cloud.create("floatingips", floating_network_id=stage.external)
        for group in cloud.list("security-groups", name="default"):
            cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress", protocol="icmp")
    forwarding = forward(lab, Forwarded(ports["id"], ports["floating_ip_address"]), stage.two, "udp",
                         internal_port=5000, external_port=9000)  # fmt: skip
    outside, ip = there(lab), lent["floating_ip_address"]
    until(lambda: lab.ping(stage.one, BEHIND), "it is there")
    subprocess.run(in_namespace(outside, "ping", "-c", "1", "-w", "30", ip), check=True, capture_output=True)
    gateway, floating, forwarded = settled(lab, stage.router["id"], lent["id"], forwarding)
    ping(outside, ip, 25, 1000)
    ping(there(lab, stage.one), BEHIND, 15)
    pour(outside, ip, 9, 60, 200)
    pour(outside, ports["floating_ip_address"], 9000, 70, 300)
    pour(outside, ports["floating_ip_address"], 9001, 10, 300)  # forwarded nowhere
    pings = 25 * (1000 + HEADERS) + 15 * (56 + HEADERS)
    got = {"packets_in": 100, "bytes_in": pings + 60 * (200 + HEADERS)}
    grown(lab, floating, lent["id"], **got, packets_out=40, bytes_out=pings)
    grown(lab, forwarded, forwarding, packets_in=70, bytes_in=70 * (300 + HEADERS))
    grown(lab, gateway, stage.router["id"])
    with lab.cloud() as cloud:  # what its VM sends is the gateway's to count again
        cloud.delete("floatingips", lent["id"])


def test_metering_labels(lab: Lab, stage: Stage, counting: None) -> None:
    """By addresses inside, of what passes the gateway, whoever translates it; not from one network to the other."""
    with lab.cloud() as cloud:
        label = cloud.request("POST", "metering/metering-labels", {"metering_label": {"shared": True}})
        id = label["metering_label"]["id"]
        for rule in (
            {"direction": "egress", "remote_ip_prefix": "10.40.0.0/24"},
            {"direction": "egress", "source_ip_prefix": f"{address(stage.two)}/32", "excluded": True},
            {"direction": "ingress", "source_ip_prefix": f"{BEHIND}/32", "destination_ip_prefix": "10.40.0.0/15"},
        ):
            body = {"metering_label_rule": {"metering_label_id": id} | rule}
            cloud.request("POST", "metering/metering-label-rules", body)
    until(lambda: lab.in_sync("hv1") and lab.in_sync("hv2"), "all is in place")
    until(lambda: lab.ping(stage.one, BEHIND) and counters(lab, id)["packets_out"], "it counts")
    (before,) = settled(lab, id)
    ping(there(lab, stage.one), BEHIND, 11)
    ping(there(lab, stage.one), OUTSIDE, 12)
    ping(there(lab, stage.two), BEHIND, 13)
    ping(there(lab, stage.red), BEHIND, 14)
    ping(there(lab, stage.one), address(stage.red), 15)
    size = 56 + HEADERS
    grown(lab, before, id, packets_out=23, bytes_out=23 * size, packets_in=38, bytes_in=38 * size)
    with lab.cloud() as cloud:
        cloud.delete("metering/metering-labels", id)


def test_a_gateway_that_moves_takes_nothing_along(lab: Lab, stage: Stage, counting: None) -> None:
    """By the agents' API: what either node has counted is in the sum, and none of it twice."""
    (before,) = settled(lab, stage.router["id"])
    ping(there(lab, stage.two), BEHIND, 20)
    grown(lab, before, stage.router["id"], **both_ways(20, 56 + HEADERS))
    other = "hv1" if gateway_port(lab, stage)["binding:host_id"] == "hv2" else "hv2"
    with lab.cloud() as cloud:
        (agent,) = cloud.list("agents", host=other)
        cloud.request("POST", f"agents/{agent['id']}/l3-routers", {"router_id": stage.router["id"]})
    assert gateway_port(lab, stage)["binding:host_id"] == other
    until(lambda: lab.ping(stage.one, BEHIND) and lab.ping(stage.two, BEHIND), "it is there")
    (after,) = settled(lab, stage.router["id"])
    assert all(after[name] >= before[name] + value for name, value in both_ways(20, 56 + HEADERS).items())
    ping(there(lab, stage.two), BEHIND, 30)
    grown(lab, after, stage.router["id"], **both_ways(30, 56 + HEADERS))


def test_metrics(lab: Lab, stage: Stage, counting: None) -> None:
    """Of a server and two agents that have something to say: all that is defined is there, and true."""
    before = said(scrape(lab, "hv1"))
    with lab.cloud() as cloud:
        (subnet,) = cloud.list("subnets", name="", cidr="10.40.0.0/24")
    vm = lab.add_vm("hv1", subnet["network_id"], dhcp=True)
    pages = {node: scrape(lab, node) for node in ("", "hv1", "hv2")}
    found = {node: said(page) for node, page in pages.items()}
    assert {metric.name for metric in SERVER} <= described(pages[""])
    assert {metric.name for metric in AGENT} <= described(pages["hv1"])
    samples = {name for page in found.values() for name in page}
    assert [one for one in (*SERVER, *AGENT) if one.series[-1] not in samples and one is not REFUSED] == []
    assert not any(id in page for id in (vm.port_id, stage.router["id"]) for page in pages.values())

    wired = "netweft_agent_wiring_seconds_count"
    assert found["hv1"][wired]["plugged",] == before[wired]["plugged",] + 1
    assert found["hv1"][wired]["bound",] == before[wired]["bound",] + 1
    answers = "netweft_agent_answers_total"
    assert found["hv1"][answers]["dhcp",] >= before[answers]["dhcp",] + 2, "an offer and an acknowledgement"
    has_it = gateway_port(lab, stage)["binding:host_id"]
    for node in ("hv1", "hv2"):
        assert found[node]["netweft_agent_gateways"]["here",] == (node == has_it)
        assert found[""]["netweft_server_feed_session"][node,] == found[""]["netweft_server_node_alive"][node,] == 1

    def flows() -> float:
        listed = said(scrape(lab, "hv1"))["netweft_agent_flows"]
        return sum(number for (bridge, _), number in listed.items() if bridge == "int")

    until(lambda: flows() == len(lab.flows("hv1", "br-int")), "as many flows as Open vSwitch has")
    namespace, stranger = there(lab, vm), "10.40.0.250"
    in_it = ("ip", "-n", namespace, "address", "add", f"{stranger}/32", "dev", "eth0")
    subprocess.run(in_it, check=True)
    assert lab.ping(vm, BEHIND), "the gateway's MAC is known: nobody is asked for it by the stranger's address"
    spoofing = ("ping", "-c", "20", "-i", "0.01", "-W", "1", "-I", stranger, BEHIND)
    assert subprocess.run(in_namespace(namespace, *spoofing), capture_output=True, check=False).returncode == 1
    place = ("int", "pipeline", "source_address")

    def dropped() -> float:
        return said(scrape(lab, "hv1"))["netweft_agent_dropped_packets_total"].get(place, 0.0)

    until(lambda: dropped() >= 20 + before["netweft_agent_dropped_packets_total"].get(place, 0.0), "all are counted")
    lab.remove_vm(vm)
