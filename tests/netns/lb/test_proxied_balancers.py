"""Load balancers that need HAProxy, with real requests: by two instances, changed and killed under load."""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests import certificates
from tests.netns.explain.trace_stage import HTTP, nothing_is_said
from tests.netns.harness import Lab, needs_a_running_clock, until
from tests.netns.l3.test_routing import address
from tests.netns.lb.balancers import Balancer
from tests.netns.lb.proxied import Heard, get, serving_http
from tests.netns.outages import underlay_cut

from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm
from netweft.model.proxy import PROXY_OWNER

VIP, ALONE = "10.62.0.100", "10.62.0.101"
NODES = ("hv1", "hv2")


class Stage(NamedTuple):
    balancer: Balancer
    client: Vm
    members: list[Vm]
    namespace: str  # the client's


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    network = lab.network("10.62.0.0/24")
    lab.let_strangers_in()
    members = [lab.add_vm("hv1", network), lab.add_vm("hv2", network)]
    client = lab.add_vm("hv1", network)
    balancer = Balancer(lab, network, VIP, *map(address, members), protocol="HTTP")
    with contextlib.ExitStack() as stack:
        for one in members:
            stack.enter_context(serving_http(lab, one))
        yield Stage(balancer, client, members, lab.layout.vm_namespace(client.name))
    balancer.close()
    until(lambda: not any(masters(lab, node) for node in NODES), "HAProxy is gone with the balancer")


def masters(lab: Lab, node: str) -> dict[str, int]:
    """By folder: the master process of each instance."""
    found = {}
    for folder in (lab.node(node).folder / "lb").glob("*"):
        with contextlib.suppress(OSError, ValueError):
            pid = int((folder / "pid").read_text())
            os.kill(pid, 0)
            found[str(folder)] = pid
    return found


def ports(lab: Lab, balancer: Balancer) -> list[dict[str, Any]]:
    with lab.cloud() as cloud:
        return cloud.list("ports", device_id=balancer.id, device_owner=PROXY_OWNER)


def change(lab: Lab, balancer: Balancer, method: str, path: str, body: Any = None) -> Any:
    with lab.cloud() as cloud:
        said = cloud.balancing(method, path, body)
    balancer.active()
    return said


def by(heard: list[Heard]) -> set[str]:
    return {one.said["name"] if one.status == 200 else f"{one.status} {one.body}" for one in heard}


def test_two_instances_serve(lab: Lab, stage: Stage) -> None:
    assert {one["binding:host_id"] for one in ports(lab, stage.balancer)} == set(NODES)
    heard = get(stage.namespace, VIP, times=20)
    assert by(heard) == {one.name for one in stage.members}
    for node in NODES:
        (folder,) = masters(lab, node)
        assert {path.stat().st_mode & 0o77 for path in (Path(folder), *Path(folder).iterdir())} == {0}
    told = nothing_is_said(lab, stage.client.port_id, VIP, **HTTP)
    assert any("HAProxy takes it" in step["does"] for step in told["forward"]["steps"])
    assert told["nodes"][-1]["ends"][-1]["port_id"] in {one["id"] for one in ports(lab, stage.balancer)}


@contextlib.contextmanager
def flavor(lab: Lab, **data: str) -> Iterator[str]:
    with lab.cloud() as cloud:
        profile = {"name": "profile", "provider_name": "netweft", "flavor_data": json.dumps(data)}
        made = cloud.balancing("POST", "flavorprofiles", {"flavorprofile": profile})["flavorprofile"]["id"]
        wanted = {"flavor": {"name": "flavor", "flavor_profile_id": made}}
        found: str = cloud.balancing("POST", "flavors", wanted)["flavor"]["id"]
    yield found
    with lab.cloud() as cloud:
        cloud.balancing("DELETE", f"flavors/{found}")
        cloud.balancing("DELETE", f"flavorprofiles/{made}")


def test_a_flavor_says_on_how_many_nodes_it_runs(lab: Lab, stage: Stage) -> None:
    """A failover moves it to the other one, address and all."""
    network, all_ = lab.port(stage.client)["network_id"], {one.name for one in stage.members}
    with flavor(lab, loadbalancer_topology="SINGLE") as single:
        made = Balancer(lab, network, ALONE, *map(address, stage.members), protocol="HTTP", own={"flavor_id": single})
        (its,) = ports(lab, made)
        running = {node: 1 + (its["binding:host_id"] == node) for node in NODES}
        until(lambda: {node: len(masters(lab, node)) for node in NODES} == running, "it runs on that node")
        assert by(get(stage.namespace, ALONE, times=10)) == all_
        change(lab, made, "PUT", f"loadbalancers/{made.id}/failover")
        (moved,) = ports(lab, made)
        assert (moved["id"], moved["fixed_ips"]) == (its["id"], its["fixed_ips"])
        assert moved["binding:host_id"] != its["binding:host_id"]
        assert by(get(stage.namespace, ALONE, times=10)) == all_
        made.close()


def test_the_client_is_known_and_policies_decide(lab: Lab, stage: Stage) -> None:
    balancer = stage.balancer
    headers = {"X-Forwarded-For": "true", "X-Forwarded-Port": "true"}
    change(lab, balancer, "PUT", f"listeners/{balancer.listener}", {"listener": {"insert_headers": headers}})
    rule = {"type": "HEADER", "compare_type": "EQUAL_TO", "key": "X-Wh'o", "value": '"it\'s } $HOME %[src] #"'}
    policy = {"listener_id": balancer.listener, "action": "REJECT"}
    made = change(lab, balancer, "POST", "l7policies", {"l7policy": policy})["l7policy"]
    change(lab, balancer, "POST", f"l7policies/{made['id']}/rules", {"rule": rule})
    (heard,) = get(stage.namespace, VIP, "/x")
    assert heard.asked["x-forwarded-for"] == address(stage.client)
    assert heard.asked["x-forwarded-port"] == "80"
    assert get(stage.namespace, VIP, headers={"X-Wh'o": rule["value"][1:-1]})[0].status == 403
    assert get(stage.namespace, VIP, headers={"X-Wh'o": "it's"})[0].status == 200
    change(lab, balancer, "DELETE", f"l7policies/{made['id']}")
    assert get(stage.namespace, VIP, headers={"X-Wh'o": rule["value"][1:-1]})[0].status == 200


def load(stage: Stage, seconds: int) -> "subprocess.Popen[str]":
    words = ("wrk", "-t1", "-c16", f"-d{seconds}s", "--timeout", "20s", f"http://{VIP}/")
    return subprocess.Popen(in_namespace(stage.namespace, *words), stdout=subprocess.PIPE, text=True)


def errors(running: "subprocess.Popen[str]") -> tuple[int, int]:
    """Requests that were answered, and what failed: connections, and answers other than 2xx."""
    said, _ = running.communicate(timeout=60)
    answered = int(re.findall(r"(\d+) requests in", said)[0])
    wrong = sum(map(int, re.findall(r"(?:connect|read|write|timeout|responses:) (\d+)", said)))
    return answered, wrong


@needs_a_running_clock
def test_nothing_is_lost_by_a_change_nor_with_an_agent(lab: Lab, stage: Stage) -> None:
    """Reloads, states alone, and an agent that is killed, while requests come."""
    balancer, leaving = stage.balancer, address(stage.members[1])
    before = {node: masters(lab, node) for node in NODES}
    running = load(stage, 5)
    for number in range(2):
        changes = {"insert_headers": {"X-Forwarded-For": "true"} if number % 2 else {}}
        change(lab, balancer, "PUT", f"listeners/{balancer.listener}", {"listener": changes})
    balancer.update(leaving, weight=0)
    balancer.update(leaving, weight=5)
    lab.kill("agent", "hv2")
    stopped = lab.pid("agent", "hv1")
    assert stopped
    os.kill(stopped, signal.SIGTERM)
    answered, wrong = errors(running)
    assert (answered > 100, wrong) == (True, 0)
    assert {node: masters(lab, node) for node in NODES} == before
    until(lambda: lab.pid("agent", "hv1") not in (None, stopped), "an agent that was stopped is there again")
    until(lambda: all(map(lab.in_sync, NODES)), "both are in sync")
    assert {node: masters(lab, node) for node in NODES} == before


def test_one_that_is_killed_is_started_again(lab: Lab, stage: Stage) -> None:
    (folder, pid), *_ = masters(lab, "hv2").items()
    os.kill(pid, signal.SIGKILL)
    until(lambda: masters(lab, "hv2").get(folder) not in (None, pid), "HAProxy runs again")
    until(lambda: all(one["status"] == "ACTIVE" for one in ports(lab, stage.balancer)), "both are up")
    until(lambda: by(get(stage.namespace, VIP, times=10)) == {one.name for one in stage.members}, "all is answered")


def test_one_that_is_stopped_gets_nothing_new(lab: Lab, stage: Stage) -> None:
    """The kernel takes connections for it, and nobody answers: others are sent what comes until it goes on."""
    ((folder, pid),) = masters(lab, "hv2").items()
    os.killpg(pid, signal.SIGSTOP)
    try:
        until(lambda: status(lab, stage, "hv2") == "DOWN", "who is stopped is down")
        until(lambda: all(one.status == 200 for one in get(stage.namespace, VIP, times=10, seconds=0.5)), "all answer")
        until(lambda: "is stopped" in said_of(lab, "hv2"), "its agent says why")
    finally:
        os.killpg(pid, signal.SIGCONT)
    until(lambda: status(lab, stage, "hv2") == "ACTIVE", "who goes on is up")
    assert masters(lab, "hv2") == {folder: pid}
    until(lambda: by(get(stage.namespace, VIP, times=10)) == {one.name for one in stage.members}, "all is answered")


def said_of(lab: Lab, node: str) -> str:
    with lab.cloud() as cloud:
        return str(cloud.list("agents", host=node))


def status(lab: Lab, stage: Stage, node: str) -> str:
    (found,) = (one["status"] for one in ports(lab, stage.balancer) if one["binding:host_id"] == node)
    return str(found)


def test_a_node_that_is_cut_off_gets_nothing_new_though_the_server_knows_nothing(lab: Lab, stage: Stage) -> None:
    """Its clients' nodes watch it by BFD."""
    balancer, (near, far) = stage.balancer, stage.members

    def answered(times: int) -> set[str]:
        return by(get(stage.namespace, VIP, times=times, seconds=0.5))

    balancer.update(address(far), weight=0)
    until(lambda: all("state=up" in watched(lab, node) for node in NODES), "they watch each other")
    assert answered(10) == {near.name}
    with underlay_cut(lab, "hv2"):
        until(lambda: answered(10) == {near.name}, "all are answered")
        assert {one["status"] for one in ports(lab, balancer)} == {"ACTIVE"}
    until(lambda: all("state=up" in watched(lab, node) for node in NODES), "they see each other again")
    balancer.update(address(far), weight=1)
    until(lambda: answered(10) == {near.name, far.name}, "all is answered by both")


def watched(lab: Lab, node: str) -> str:
    """What sessions of BFD there say."""
    return lab.vsctl(node, "--columns=bfd_status", "find", "Interface", "bfd:enable=true")


def test_tls_ends_at_haproxy(lab: Lab, stage: Stage) -> None:
    balancer, authority = stage.balancer, certificates.authority()
    server = certificates.signed(authority, "www.example.com")
    more = certificates.signed(authority, "more.example.com")
    refs = [secret(lab, one.pem + one.key_pem) for one in (server, more)]
    listener = {
        "loadbalancer_id": balancer.id,
        "protocol": "TERMINATED_HTTPS",
        "protocol_port": 443,
        "default_pool_id": balancer.pool,
        "default_tls_container_ref": refs[0],
        "sni_container_refs": refs[1:],
        "hsts_max_age": 100,
    }
    made = change(lab, balancer, "POST", "listeners", {"listener": listener})["listener"]
    for name in ("www.example.com", "more.example.com"):
        heard = get(stage.namespace, VIP, times=4, port=443, tls=authority.pem, name=name)
        assert by(heard) <= {one.name for one in stage.members}
        assert {one.headers.get("strict-transport-security") for one in heard} == {"max-age=100"}
    for node in NODES:
        assert server.key_pem not in lab.plan(node)
        view = lab.node(node).folder / "agent" / "view"
        kept = [one.read_bytes() for one in (view, view.with_name("view.journal")) if one.exists()]
        assert not any(b"PRIVATE KEY" in one for one in kept)
    change(lab, balancer, "DELETE", f"listeners/{made['id']}")
    with lab.cloud() as cloud:
        for ref in refs:
            cloud.keeping("DELETE", f"secrets/{ref.rpartition('/')[2]}")
    until(
        lambda: not [one for folder in masters(lab, "hv1") for one in Path(folder).glob("*.pem")], "the keys are gone"
    )


def secret(lab: Lab, payload: str) -> str:
    with lab.cloud() as cloud:
        body = {"payload": payload, "payload_content_type": "text/plain"}
        return str(cloud.keeping("POST", "secrets", body)["secret_ref"])
