"""Balancers whose HAProxy, or whose member, is attacked, while clients of another tenant's go on."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests import certificates
from tests.netns.harness import Lab, until
from tests.netns.l3.test_routing import address
from tests.netns.lb.balancers import Balancer
from tests.netns.lb.proxied import Request, ask, get, serving_http
from tests.netns.lb.test_proxied_balancers import NODES, by, masters, secret

from netweft.lab.commands import in_namespace

SCRIPT = Path(__file__).parents[2] / "proxy_attacks.py"
OURS, THEIRS = "10.63.0.100", "10.64.0.100"
SECONDS = 2.0  # of each attack
CLIENTS = ("connections", "half-open", "slow", "resets", "continued", "garbage", "requests")


class Stage(NamedTuple):
    client: str  # namespaces
    attacker: str
    member: str  # the attacker's, on another node
    members: set[str]
    balancer: Balancer  # the attacker's
    authority: certificates.Certificate


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    """Both have HAProxy on both nodes."""
    network, other = lab.network("10.63.0.0/24"), lab.network("10.64.0.0/24")
    lab.let_strangers_in()
    members = [lab.add_vm(node, network) for node in NODES]
    client, attacker, bad = lab.add_vm("hv1", network), lab.add_vm("hv1", other), lab.add_vm("hv2", other)
    ours = Balancer(lab, network, OURS, *map(address, members), protocol="HTTP")
    theirs = Balancer(lab, other, THEIRS, address(bad), protocol="HTTP")
    authority = certificates.authority()
    server = certificates.signed(authority, "www.example.com")
    with contextlib.ExitStack() as stack:
        for one in members:
            stack.enter_context(serving_http(lab, one))
        with lab.cloud() as cloud:
            tls = {"protocol": "TERMINATED_HTTPS", "protocol_port": 443, "loadbalancer_id": theirs.id}
            held = secret(lab, server.pem + server.key_pem)
            tls |= {"default_pool_id": theirs.pool, "default_tls_container_ref": held}
            cloud.balancing("POST", "listeners", {"listener": tls})
        theirs.active()
        own, attackers, its = (lab.layout.vm_namespace(one.name) for one in (client, attacker, bad))
        yield Stage(own, attackers, its, {one.name for one in members}, theirs, authority)
    ours.close()
    theirs.close()
    with lab.cloud() as cloud:
        cloud.keeping("DELETE", f"secrets/{held.rpartition('/')[2]}")
    until(lambda: not any(masters(lab, node) for node in NODES), "HAProxy is gone with the balancers")


@contextlib.contextmanager
def attack(namespace: str, kind: str, port: int = 80) -> Iterator[None]:
    command = in_namespace(namespace, sys.executable, str(SCRIPT), kind, THEIRS, str(port))
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            os.killpg(running.pid, signal.SIGKILL)  # who answers has forked


def others_go_on(lab: Lab, stage: Stage, what: str) -> None:
    """Each of their requests is answered, on connections of their own."""
    before = {node: masters(lab, node) for node in NODES}
    end, took = time.monotonic() + SECONDS, []
    said: Counter[str] = Counter()
    while time.monotonic() < end:
        start = time.monotonic()
        said += Counter(next(iter(by([one]))) for one in ask(stage.client, [Request(OURS, seconds=10)] * 5))
        took.append(time.monotonic() - start)
    print(f"{what}: {said.total()} requests, five at once {max(took):.2f} s at most")
    assert set(said) == stage.members, said
    assert {node: masters(lab, node) for node in NODES} == before


@pytest.mark.parametrize("kind", CLIENTS)
def test_of_a_client(lab: Lab, stage: Stage, kind: str) -> None:
    """And once it is over, the one that was attacked serves."""
    with attack(stage.attacker, kind):
        others_go_on(lab, stage, kind)
    with attack(stage.member, "never", 8080):  # the member takes connections: HAProxy has to take a new one
        until(lambda: get(stage.attacker, THEIRS, seconds=1)[0].body.startswith("TimeoutError"), "it serves again")


def test_of_garbage_as_tls(lab: Lab, stage: Stage) -> None:
    with attack(stage.attacker, "garbage", 443):
        others_go_on(lab, stage, "garbage as TLS")
    heard = get(stage.attacker, THEIRS, port=443, tls=stage.authority.pem, name="www.example.com")
    assert heard[0].status == 503  # it has no member now: TLS was done


@pytest.mark.parametrize("how", ["nonsense", "never", "endless"])
def test_of_a_member(lab: Lab, stage: Stage, how: str) -> None:
    with attack(stage.member, how, 8080), attack(stage.attacker, "requests"):
        others_go_on(lab, stage, f"a member that answers: {how}")
        if how == "nonsense":
            assert get(stage.attacker, THEIRS)[0].status == 502
