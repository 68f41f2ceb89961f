"""What nodes say of members: who is heard, what users see of it, and what becomes of a node that is gone."""

from typing import Any

import pytest
from tests.api.lb.conftest import Lb

from netweft.control.l2 import binding
from netweft.control.lb import health
from netweft.model import NodeFacts
from netweft.model.health import MemberHealth
from netweft.model.proxy import PROXY_OWNER
from netweft.store import Object, Store

MONITOR = {"type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1}


class Stage:
    """Two members with ports: on hv1, on hv2."""

    def __init__(self, lb: Lb, store: Store, *, named: bool = True) -> None:
        self.lb, self.store = lb, store
        subnet = lb.network()
        with store.write() as tx:
            for node in ("hv1", "hv2"):
                binding.node_connected(tx, node, NodeFacts(tunnel_ip=f"192.0.2.{node[-1]}", tunnel_types=("vxlan",)))
        ports = [self.port(subnet, node) for node in ("hv1", "hv2")]
        of_subnet = {"subnet_id": subnet["id"]} if named else {}
        members = [{"address": port["fixed_ips"][0]["ip_address"], "protocol_port": 80, **of_subnet} for port in ports]
        pool = {
            "name": "p",
            "protocol": "TCP",
            "lb_algorithm": "ROUND_ROBIN",
            "healthmonitor": MONITOR,
            "members": members,
        }
        listener = {"protocol": "TCP", "protocol_port": 80, "default_pool": pool}
        self.balancer = lb.make("/loadbalancers", vip_subnet_id=subnet["id"], listeners=[listener])
        self.pool = lb.get("/pools")[0]["id"]
        self.ids = [one["id"] for one in sorted(self.members(), key=lambda one: one["address"])]

    def port(self, subnet: Object, node: str) -> Any:
        more = {"network_id": subnet["network_id"], "project_id": "red", "binding:host_id": node}
        return self.lb.net.make("admin", "port", **more)

    def members(self) -> Any:
        return self.lb.get(f"/pools/{self.pool}/members")

    def says(self, node: str, *told: tuple[str, Any, str]) -> int:
        found = [MemberHealth(member_id=id, status=status, why=why) for id, status, why in told]
        with self.store.write() as tx:
            return health.report(tx, node, found)

    def gone(self, node: str, *, really: bool = True) -> None:
        """really: no other server has heard of it."""
        with self.store.write() as tx:
            binding.node_gone(tx, node, 0 if really else 1000)
        with self.store.write() as tx:
            health.node_gone(tx, node)

    def statuses(self) -> list[str]:
        by_id = {one["id"]: one["operating_status"] for one in self.members()}
        pool, balancer = self.lb.get(f"/pools/{self.pool}"), self.lb.get(f"/loadbalancers/{self.balancer['id']}")
        return [*(by_id[id] for id in self.ids), pool["operating_status"], balancer["operating_status"]]

    def revision(self) -> int:
        with self.store.read() as tx:
            return tx.revision()


@pytest.fixture(params=[True, False], ids=["by subnet", "by address"])
def stage(lb: Lb, store: Store, request: pytest.FixtureRequest) -> Stage:
    return Stage(lb, store, named=request.param)


def test_what_members_are_pools_and_balancers_are(stage: Stage) -> None:
    one, two = stage.ids
    assert stage.statuses()[:2] == ["OFFLINE", "OFFLINE"]
    assert stage.says("hv1", (one, "ONLINE", "")) == 1 == stage.says("hv2", (two, "ONLINE", ""))
    assert stage.statuses() == ["ONLINE"] * 4
    stage.says("hv1", (one, "ERROR", "connection refused"))
    assert stage.statuses() == ["ERROR", "ONLINE", "DEGRADED", "DEGRADED"]
    stage.says("hv2", (two, "ERROR", "connection refused"))
    assert stage.statuses() == ["ERROR"] * 4
    stage.says("hv1", (one, "ONLINE", ""))
    stage.lb.put(f"/pools/{stage.pool}/members/{one}", weight=0)
    assert stage.statuses()[0] == "DRAINING"


def test_what_is_known_is_not_written_again(stage: Stage) -> None:
    told = ((stage.ids[0], "ERROR", "HTTP status 500"),)
    stage.says("hv1", *told)
    before = stage.revision()
    assert stage.says("hv1", *told) == 0 and stage.revision() == before


def test_a_node_says_nothing_of_others_members(stage: Stage) -> None:
    before = stage.revision()
    assert stage.says("hv2", (stage.ids[0], "ERROR", ""), ("none", "ERROR", "")) == 0
    assert stage.says("hv3", (stage.ids[0], "ERROR", "")) == 0
    assert stage.statuses()[:2] == ["OFFLINE", "OFFLINE"] and stage.revision() == before


def test_of_a_node_that_is_gone_no_member_is_well(stage: Stage) -> None:
    for node, id in zip(("hv1", "hv2"), stage.ids, strict=True):
        stage.says(node, (id, "ONLINE", ""))
    stage.gone("hv1", really=False)
    assert stage.statuses()[:2] == ["ONLINE", "ONLINE"]
    stage.gone("hv1")
    assert stage.statuses()[:2] == ["ERROR", "ONLINE"]
    stage.says("hv1", (stage.ids[0], "ONLINE", ""))  # it is back, and has watched all the time
    assert stage.statuses()[:2] == ["ONLINE", "ONLINE"]


def test_without_a_monitor_a_gone_node_changes_nothing(stage: Stage) -> None:
    monitor = stage.lb.get("/healthmonitors")[0]["id"]
    stage.lb.delete(f"/healthmonitors/{monitor}")
    stage.gone("hv1")
    assert stage.statuses() == ["NO_MONITOR", "NO_MONITOR", "ONLINE", "ONLINE"]


def test_of_a_member_that_is_no_port_who_runs_haproxy_is_heard(lb: Lb, store: Store) -> None:
    """And only of members of the balancer that it runs it for."""
    with store.write() as tx:
        for node in ("hv1", "hv2", "hv3"):
            facts = NodeFacts(tunnel_ip=f"192.0.2.{node[-1]}", tunnel_types=("vxlan",), proxies=node != "hv3")
            binding.node_connected(tx, node, facts)
    subnet = lb.network()
    pools = [
        {
            "name": f"p{number}",
            "protocol": "TCP",
            "lb_algorithm": "ROUND_ROBIN",
            "healthmonitor": MONITOR if number else None,
            "members": [{"address": "10.0.0.77", "protocol_port": 80}],
        }
        for number in range(2)
    ]
    plain, asked = [lb.make("/loadbalancers", vip_subnet_id=subnet["id"], pools=[pool]) for pool in pools]
    members = {}
    for balancer in (plain, asked):
        (pool,) = lb.get(f"/pools?loadbalancer_id={balancer['id']}")
        members[balancer["id"]] = lb.get(f"/pools/{pool['id']}/members")[0]["id"]
    proxies = lb.net.get("admin", f"/ports?device_owner={PROXY_OWNER}")["ports"]
    assert {(one["device_id"], one["binding:host_id"]) for one in proxies} == {(asked["id"], n) for n in ("hv1", "hv2")}

    def says(node: str, of: Any, status: Any = "ONLINE") -> int:
        with store.write() as tx:
            return health.report(tx, node, [MemberHealth(member_id=members[of["id"]], status=status)])

    assert [says("hv3", asked), says("hv1", plain), says("hv1", asked)] == [0, 0, 1]
    fixed = [{"subnet_id": subnet["id"], "ip_address": "10.0.0.77"}]
    lb.net.make("admin", "port", network_id=subnet["network_id"], project_id="red", fixed_ips=fixed)
    assert says("hv1", asked, "ERROR") == 0, "its own node knows better from now on"
