"""Faults on nodes, in a lab of three: the true cause comes first; and of healthy pairs not one false word is said."""

import base64
import contextlib
import io
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import redirect_stderr, redirect_stdout
from itertools import permutations
from statistics import median
from typing import Any, Self

import httpx
import pytest
from tests.netns.explain.random_packets import tried
from tests.netns.explain.trace_faults import LAB, Fault, link_down
from tests.netns.explain.trace_stage import HTTP, Stage, codes, is_healthy, nothing_is_said, staged, trace
from tests.netns.harness import MOST_BETWEEN, REAL_MACHINES, Lab, on_the_kernels_datapath, until
from tests.netns.l3.test_routing import address
from tests.netns.outside import OUTSIDE
from tests.waiting import PATIENCE

from netweft.cli.main import main
from netweft.lab.cloud import credentials
from netweft.lab.commands import vsctl

SECONDS = 2.0 if REAL_MACHINES else PATIENCE  # for three nodes; an emulated machine takes its time
HANGS = 1.0  # more, where a node is waited for that hangs


@pytest.fixture(scope="module")
def nodes() -> int:
    return 3


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    with staged(lab) as stage:
        yield stage


def test_how_a_port_is_wired_is_what_open_vswitch_has(lab: Lab, stage: Stage) -> None:
    for name, kind, bridge in (("one", "vxlan", "br-tun"), ("tag", "vlan", "br-eth1")):
        vm = stage.vms[name]
        with lab.cloud() as cloud:
            (port,) = cloud.list("ports", name=name)
            network = cloud.find("networks", port["network_id"])
            told = cloud.request("GET", f"netweft/wiring/{port['id']}")["wiring"]
        node = told["node"]
        assert (told["host"], told["wired"], told["interface"]["link"]) == ("hv1", True, "up")
        switch = lab.node("hv1")
        assert str(node["tag"]) == vsctl(switch, "get", "port", vm.vif, "tag").strip()
        assert str(node["vif"]["ofport"]) == vsctl(switch, "get", "interface", vm.vif, "ofport").strip()
        assert (node["network_type"], node["key"]) == (kind, network["provider:segmentation_id"])
        for station in (*node["link"], *node["out"]):
            assert vsctl(switch, "iface-to-br", station["name"]).strip() == station["bridge"]
        assert [one["bridge"] for one in node["link"]] == ["br-int", bridge]
        assert len(node["out"]) == 1
        far = [{"host": "hv2", "address": lab.node("hv2").tunnel_ip}] if kind == "vxlan" else []
        assert node["far"][: len(far)] == far and bool(node["far"]) == bool(far)
    assert lab.ping(stage.vms["one"], stage.vms["two"].nic.address)
    until(lambda: received(lab, "one") > 0, "what is sent is counted, each 5 s")


def received(lab: Lab, name: str) -> int:
    with lab.cloud() as cloud:
        (port,) = cloud.list("ports", name=name)
        told = cloud.request("GET", f"netweft/wiring/{port['id']}")["wiring"]
    assert told["interface"]["counts"] == told["node"]["vif"]["counts"]
    return int(told["interface"]["counts"]["rx_packets"])


def test_of_healthy_pairs_not_one_false_word(lab: Lab, stage: Stage) -> None:
    pairs = [*permutations(("one", "two", "red", "tag"), 2), ("one", "outside"), ("tag", "outside")]
    asked: list[tuple[str, str, dict[str, Any]]] = [
        (frm, to, HTTP) for frm, to in (*pairs, ("outside", stage.floating))
    ]
    six = address(stage.vms["two"], 6)
    asked += [("one", "red", {"protocol": "udp", "port": 53}), ("tag", "tog", {}), ("one", six, {}), ("one", six, HTTP)]
    others = [pair for name in ("one", "two", "red") for pair in ((name, "tog"), ("tog", name))]
    asked += [(frm, to, {"protocol": "udp", "port": 7}) for frm, to in others]
    asked += [(frm, to, {}) for frm, to in permutations(("one", "two", "red", "tag", "tog"), 2)]
    asked += [("tog", "two", {"probe": True}), ("red", "tag", {"probe": True}), ("two", "outside", {"probe": True})]
    for frm, to, more in asked:
        nothing_is_said(lab, frm, to, **more)
    told = trace(lab, "one", "red", **HTTP)
    assert told["layers"]["openvswitch"] == {"forward": "passes", "return": "passes"}
    assert [(node["host"], node["direction"]) for node in told["nodes"]] == [
        ("hv1", "forward"), ("hv3", "forward"), ("hv3", "return"), ("hv1", "return"),
    ]  # fmt: skip
    through = " ".join(hop["reason"] for hop in told["nodes"][0]["flows"])
    assert "rule permit" in through and "router route" in through
    told = trace(lab, "tag", "outside", **HTTP)
    assert [node["host"] for node in told["nodes"]][-1] == gateway_host(lab, stage), "by the wire to the gateway's node"


@pytest.mark.skipif("NETWEFT_HEALTHY_PAIRS" not in os.environ, reason="minutes, asked for by NETWEFT_HEALTHY_PAIRS=1")
def test_of_two_hundred_healthy_pairs_not_one_false_word(lab: Lab, stage: Stage) -> None:
    """By rows and nodes, and some by a probe.  A pair is asked again only where a node was too busy to say anything."""
    with lab.cloud() as cloud:
        for group in cloud.list("security-groups", name="default"):
            cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress", protocol="icmp")
    asked = list(many_pairs(stage))
    assert len({repr(one) for one in asked}) == len(asked) >= 200
    for frm, to in permutations(stage.vms, 2):
        nothing_is_said(lab, frm, to)  # all is in place
    took, unsaid = [], 0
    for frm, to, more in asked:
        if met := {"outside": OUTSIDE, stage.floating: stage.floating}.get(to):  # in no row: its MAC address
            assert frm not in stage.vms or lab.ping(stage.vms[frm], met), (frm, to)
        begun = time.monotonic()
        told = trace(lab, frm, to, **more)
        took.append(time.monotonic() - begun)
        assert (told["passes"] is not False, told["findings"]) == (True, []), (frm, to, more, told["findings"])
        unsaid += not is_healthy(told)
        nothing_is_said(lab, frm, to, **more)
    print(f"{len(asked)} healthy pairs, {unsaid} asked again; median {median(took):.2f} s, at most {max(took):.2f} s")


def test_the_verdict_is_what_a_real_packet_does(lab: Lab, stage: Stage) -> None:
    """There and back, by the rows and by Open vSwitch.  NETWEFT_RANDOM_PACKETS=500: with as many."""
    became = tried(lab, stage, int(os.environ.get("NETWEFT_RANDOM_PACKETS", "20")))
    print(became)
    nothing_is_said(lab, "one", "red", **HTTP)


def many_pairs(stage: Stage) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every two VMs by every protocol, by name and address; IPv6; outside and the floating IP."""
    protocols: list[dict[str, Any]] = [{}, HTTP, {"protocol": "udp", "port": 53}, {"protocol": "sctp", "port": 7}]
    for frm, to in permutations(stage.vms, 2):
        for way in protocols:
            yield frm, to, way
            yield frm, address(stage.vms[to]), way
        yield frm, to, {"probe": True}
    for frm, to in permutations(("one", "two"), 2):
        yield from ((frm, address(stage.vms[to], 6), way) for way in protocols)
    for name in stage.vms:
        yield from ((name, "outside", way) for way in protocols[:3])
        yield from ((name, stage.floating, way) for way in protocols[:2] if name != "two")
    yield from (("outside", stage.floating, way) for way in protocols[:2])


def gateway_host(lab: Lab, stage: Stage) -> str:
    with lab.cloud() as cloud:
        (port,) = cloud.list("ports", device_id=stage.router, device_owner="network:router_gateway")
    return str(port["binding:host_id"])


@pytest.mark.parametrize("fault", LAB, ids=lambda fault: fault.what)
def test_the_true_cause_comes_first(lab: Lab, stage: Stage, fault: Fault) -> None:
    if fault.netdev and on_the_kernels_datapath():
        pytest.skip("no fault there: docs/datapaths.md")
    asked = {"probe": fault.probe} | (HTTP if fault.http else {})
    with fault.breaks(lab, stage):
        end = time.monotonic() + PATIENCE
        while True:
            begun = time.monotonic()
            told = trace(lab, fault.frm, fault.to, **asked)
            took = time.monotonic() - begun
            if fault.is_told(told) and took <= SECONDS + (HANGS if fault.unseen else 0.0):
                break
            assert time.monotonic() < end, (fault.code, took, told["passes"], told["findings"], told["unseen"])
            time.sleep(MOST_BETWEEN)
    nothing_is_said(lab, fault.frm, fault.to)


def test_a_probe_arrives_as_any_packet_would(lab: Lab, stage: Stage) -> None:
    """On the other node's VIF, through the overlay, a router, a wire; and nothing else is told of it."""
    for frm, to, more in (("one", "two", {}), ("one", "red", HTTP), ("tag", "tog", {"protocol": "udp", "port": 53})):
        nothing_is_said(lab, frm, to, probe=True, **more)
        told = trace(lab, frm, to, probe=True, **more)
        assert told["probe"]["arrived"]
        assert told["probe"]["seen"][-1]["interface"].startswith("tap")
        assert told["layers"]["probe"] == {"forward": "passes"}


def test_what_a_flow_deleted_by_hand_comes_to(lab: Lab, stage: Stage) -> None:
    """The agent puts it back before anybody can ask."""
    lab.ofctl("hv2", "del-flows", "br-int", "table=2")
    nothing_is_said(lab, "one", "two")


def test_explain_queries_the_node_too(lab: Lab, stage: Stage) -> None:
    port = stage.vms["two"].port_id

    def told() -> dict[str, Any]:
        with lab.cloud() as cloud:
            found: dict[str, Any] = cloud.request("GET", f"netweft/explain/{port}")["explanation"]
        return found

    until(lambda: (told()["works"], told()["unseen"]) == (True, []), "all is seen, and well")
    with link_down("two")(lab, stage):
        until(lambda: codes(told()) == ["vm-link-down"], "its NIC is down")
        assert not told()["works"]


# -- real packets


def caught(lab: Lab, stage: Stage, frm: str, to: str, **more: Any) -> dict[str, Any]:
    """What a live trace tells, while the first VM pings the other's address."""
    target = stage.vms[to].nic.address
    with ThreadPoolExecutor(1) as waiting:
        told = waiting.submit(trace, lab, frm, to, live={"seconds": 2 * PATIENCE, **more})
        while not wait([told], timeout=0.1).done:  # not without a pause: docs/datapaths.md
            lab.ping(stage.vms[frm], target, seconds=1)
        return told.result()


def test_the_next_real_packet_is_caught_at_both_ends(lab: Lab, stage: Stage) -> None:
    """Over the overlay and a router; the packets are those that the VMs see, and nothing is left behind."""
    assert lab.ping(stage.vms["one"], stage.vms["red"].nic.address)
    before = lab.flows("hv1", "br-int")
    told = caught(lab, stage, "one", "red", capture=True)
    live = told["live"]
    assert (told["passes"], live["caught"], live["arrived"], live["lost"]) == (True, 1, True, 0)
    assert [(one["host"], one["out"], one["tunnel"]) for one in live["seen"]] == [
        ("hv1", False, None), ("hv1", True, "vxlan"), ("hv3", False, "vxlan"), ("hv3", True, None),
    ]  # fmt: skip
    assert [one["ttl"] for one in live["seen"]] == [64, 63, 63, 63]
    ports = [stage.vms[name].port_id for name in ("one", "red")]
    assert [one["port_id"] for one in live["packets"]] == ports
    frames = [base64.b64decode(one["data"]) for one in live["packets"]]
    assert frames[0][6:12].hex(":") == stage.vms["one"].nic.mac
    assert frames[1][:6].hex(":") == stage.vms["red"].nic.mac
    assert lab.flows("hv1", "br-int") == before


def test_the_next_dropped_packet_is_caught_with_its_cause(lab: Lab, stage: Stage) -> None:
    with lab.cloud() as cloud:
        (port,) = cloud.list("ports", name="red")
        empty = cloud.create("security-groups", name="nothing comes in")
        cloud.update("ports", port["id"], {"security_groups": [empty["id"]]})
    try:
        until(lambda: not lab.ping(stage.vms["one"], stage.vms["red"].nic.address, seconds=1), "nothing comes in")
        told = caught(lab, stage, "one", "red", dropped=True)
        assert (told["passes"], told["live"]["arrived"], codes(told)[0]) == (False, False, "no-rule-lets-it-in")
        assert [one["host"] for one in told["live"]["seen"]] == ["hv1", "hv1", "hv3"], "it reaches the node"
        assert told["live"]["dropped_by"]["host"] == "hv3"
        assert told["live"]["dropped_by"]["bridge"] == "br-int"
    finally:
        with lab.cloud() as cloud:
            cloud.update("ports", port["id"], {"security_groups": port["security_groups"]})
            cloud.delete("security-groups", empty["id"])
    nothing_is_said(lab, "one", "red")


class Tenant:
    """A project's member, with a VM on each of two nodes; what they are told as text."""

    def __init__(self, lab: Lab) -> None:
        given = credentials(lab.layout)
        self._identity = given["OS_AUTH_URL"].rstrip("/")
        with lab.cloud() as cloud:
            self._admin, self._network_url = cloud.session
        self._http = httpx.Client(timeout=60, headers={"X-Auth-Token": self._admin})
        self.project = self._made("projects", "project", name="tenants")["id"]
        self._user = self._made("users", "user", name="tenant", password="a tenant's own")["id"]
        (role,) = self._http.get(f"{self._identity}/roles?name=member").json()["roles"]
        path = f"{self._identity}/projects/{self.project}/users/{self._user}/roles/{role['id']}"
        assert self._http.put(path).is_success
        password = {"user": {"id": self._user, "password": "a tenant's own"}}
        auth = {"identity": {"methods": ["password"], "password": password}, "scope": {"project": {"id": self.project}}}
        answer = self._http.post(f"{self._identity}/auth/tokens", json={"auth": auth})
        self._http.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.headers["X-Auth-Token"] = self._admin
        with contextlib.closing(self._http):
            for kind, id in (("users", self._user), ("projects", self.project)):
                answer = self._http.delete(f"{self._identity}/{kind}/{id}")
                assert answer.is_success, answer.text

    def _made(self, kind: str, member: str, **values: str) -> dict[str, Any]:
        made: dict[str, Any] = self._http.post(f"{self._identity}/{kind}", json={member: values}).json()[member]
        return made

    def trace(self, frm: str, to: str, **more: Any) -> httpx.Response:
        return self._http.post(f"{self._network_url}/netweft/trace", json={"trace": {"from": frm, "to": to, **more}})


def test_a_tenant_sees_real_packets_and_nothing_below(lab: Lab, stage: Stage) -> None:
    """Live, dropped, and probed, between their own ports on two nodes; others' ports are not there."""
    with Tenant(lab) as tenant:
        owned = {"project_id": tenant.project}
        network = lab.network("10.43.0.0/24", **owned)
        near, far = (lab.add_vm(node, network, name=name, **owned) for node, name in (("hv1", "near"), ("hv2", "far")))
        live = {"live": {"seconds": 2 * PATIENCE, "capture": True}}

        def told(**more: Any) -> dict[str, Any]:
            with ThreadPoolExecutor(1) as waiting:
                asked = waiting.submit(tenant.trace, "near", "far", **more)
                while "live" in more and not wait([asked], timeout=0.1).done:
                    lab.ping(near, far.nic.address, seconds=1)
                answer = asked.result()
            assert answer.status_code == 200, answer.text
            with lab.cloud() as cloud:
                ends = [agent["configurations"]["tunnel_ip"] for agent in cloud.list("agents")]
            secrets = ["hv1", "hv2", "hv3", "br-int", "br-tun", "tap", "vxlan", "provider:", *ends]
            assert [word for word in secrets if word in answer.text] == []
            found: dict[str, Any] = answer.json()["trace"]
            return found

        until(lambda: told(probe=True)["passes"] is True, "a probe arrives")
        found = told(**live)
        assert (found["passes"], found["nodes"], found["live"]["arrived"]) == (True, [], True)
        assert [one["port_id"] for one in found["live"]["seen"]] == [near.port_id, far.port_id]
        assert len(found["live"]["packets"]) == 2
        with lab.cloud() as cloud:
            empty = cloud.create("security-groups", name="nothing comes in", **owned)
            cloud.update("ports", far.port_id, {"security_groups": [empty["id"]]})
        until(lambda: not lab.ping(near, far.nic.address, seconds=1), "nothing comes in")
        found = told(live=live["live"] | {"dropped": True})
        assert (found["live"]["arrived"], codes(found)[0], found["live"]["dropped_by"]) == (
            False, "no-rule-lets-it-in", None,
        )  # fmt: skip
        for others in ("one", stage.vms["one"].port_id):
            assert tenant.trace(others, "far", **live).status_code == 404
            assert tenant.trace("near", others).status_code == 404


def here(lab: Lab, node: str, *words: str) -> tuple[int, str]:
    """`netweft` as on that node, which knows no server: exit code, what it prints."""
    config = f"{lab.node(node).folder}/netweft.toml"
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed), pytest.raises(SystemExit) as ended:
        main([*words, "--config", config])
    return int(str(ended.value.code)), printed.getvalue()


def test_without_a_server_a_node_says_what_it_knows(lab: Lab, stage: Stage) -> None:
    """From its agent; while that is away from Open vSwitch, the view on the disk and the cookies."""
    one, two = stage.vms["one"].port_id, address(stage.vms["two"])
    status, said = here(lab, "hv1", "explain", one)
    assert (status, "nothing is wrong with it here" in said, "OS_AUTH_URL is not set" in said) == (2, True, True), said
    status, said = here(lab, "hv1", "trace", stage.vms["one"].vif, two, "--here")
    assert status == 2 and f"not seen: hv2: it goes there by a tunnel to {lab.node('hv2').tunnel_ip}" in said, said
    with link_down("one")(lab, stage):
        until(lambda: here(lab, "hv1", "explain", one)[0] == 1, "its NIC is down")
        assert "! vm-link-down: port" in here(lab, "hv1", "explain", one)[1]
    until(lambda: lab.in_sync("hv1") and lab.on_disk("hv1"), "all is written down")
    with lab.away("agent", "hv1"):
        status, said = here(lab, "hv1", "explain", one)
        assert (status, "not seen: the agent, which does not run" in said) == (2, True), said
        assert "MTU 0" not in said, said
        status, said = here(lab, "hv1", "trace", one, two)
        assert status == 2 and "hv2: it goes there by a tunnel" in said, said
        lab.ofctl("hv1", "del-flows", "br-tun")
        status, said = here(lab, "hv1", "trace", one, two)
        assert (status, "it does not pass" in said, "! openvswitch-drops" in said) == (1, True, True), said
        status, said = here(lab, "hv1", "explain", "10.99.0.1")
        assert (status, "no port here with the id, address or interface 10.99.0.1" in said) == (2, True), said
        (unseen,) = trace(lab, "two", "one")["unseen"]
        assert unseen.startswith("hv1: its agent "), "the server says who was not seen"
    nothing_is_said(lab, "one", "two")


def test_a_saved_check_follows_what_it_depends_on(lab: Lab, stage: Stage) -> None:
    """By the rows, and by what is in Open vSwitch only."""
    with lab.cloud() as cloud:
        asked: dict[str, Any] = {"from": "one", "to": "red", "protocol": "udp", "port": 53}
        check = cloud.request("POST", "netweft/checks", {"check": {"name": "dns", **asked}})["check"]

    def state() -> tuple[str, str | None]:
        with lab.cloud() as cloud:
            found = cloud.request("GET", f"netweft/checks/{check['id']}")["check"]
        return found["status"], found["code"]

    try:
        until(lambda: state() == ("PASSING", None), f"it passes, and nobody has asked: {state()}", 2 * PATIENCE)
        with lab.cloud() as cloud:
            (port,) = cloud.list("ports", name="red")
            cloud.update("ports", port["id"], {"admin_state_up": False})
        until(lambda: state()[0] == "FAILING", f"the port is switched off: {state()}", 2 * PATIENCE)
        with lab.cloud() as cloud:
            cloud.update("ports", port["id"], {"admin_state_up": True})
        until(lambda: state() == ("PASSING", None), f"it is on again: {state()}", 2 * PATIENCE)
    finally:
        with lab.cloud() as cloud:
            cloud.request("DELETE", f"netweft/checks/{check['id']}")
    nothing_is_said(lab, "one", "red")
