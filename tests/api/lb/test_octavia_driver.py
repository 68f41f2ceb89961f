"""The Octavia provider in examples/, called as Octavia's API calls it, over Netweft's real API."""

from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from msgspec import toml
from octavia_lib.api.drivers import data_models, exceptions, provider_base
from tests.api.lb.conftest import Lb

from netweft_octavia.agent import Follower
from netweft_octavia.driver import Driver
from netweft_octavia.netweft import Netweft, Requests

EXAMPLE = Path(__file__).parents[3] / "examples" / "octavia-driver"
PROJECT = "red"


class Stage:
    """told: what Octavia was told."""

    def __init__(self, lb: Lb) -> None:
        self.lb = lb
        requests = Requests(partial(lb, "admin"), partial(lb.net, "admin"))
        self.driver = Driver(requests)
        self.told: list[tuple[str, Any]] = []
        self.follower = Follower(Netweft(requests), self)
        self.subnet = lb.network()
        wanted = {"vip_network_id": self.subnet["network_id"], "vip_address": "10.0.0.200"}
        self.vip, _ = self.driver.create_vip_port("octavia-1", PROJECT, wanted, [])

    def update_loadbalancer_status(self, status: Any) -> None:
        self.told.append(("status", status))

    def update_listener_statistics(self, statistics: Any) -> None:
        self.told.append(("statistics", statistics))

    def balancer(self, id: str = "octavia-1", **more: Any) -> Any:
        return data_models.LoadBalancer(loadbalancer_id=id, name="web", project_id=PROJECT, **self.vip, **more)


@pytest.fixture
def stage(lb: Lb) -> Stage:
    return Stage(lb)


def test_the_entry_points_are_what_octavia_looks_for() -> None:
    project = toml.decode((EXAMPLE / "pyproject.toml").read_bytes())["project"]
    points = project["entry-points"]
    driver = EntryPoint("netweft", points["octavia.api.drivers"]["netweft"], "octavia.api.drivers").load()
    assert issubclass(driver, provider_base.ProviderDriver) and driver()
    follow = points["octavia.driver_agent.provider_agents"]["netweft"]
    assert callable(EntryPoint("netweft", follow, "octavia.driver_agent.provider_agents").load())


def test_object_by_object(stage: Stage) -> None:
    driver, lb = stage.driver, stage.lb
    driver.loadbalancer_create(stage.balancer())
    own = {"loadbalancer_id": "octavia-1", "project_id": PROJECT}
    pool = data_models.Pool(pool_id="pool-1", protocol="HTTP", lb_algorithm="ROUND_ROBIN", **own)
    driver.pool_create(pool)
    listener = data_models.Listener(
        listener_id="listener-1", protocol="HTTP", protocol_port=80, default_pool_id="pool-1", **own
    )
    driver.listener_create(listener)
    member = data_models.Member(member_id="member-1", pool_id="pool-1", address="10.0.0.9", protocol_port=80, weight=3)
    driver.member_create(member)
    monitor = data_models.HealthMonitor(
        healthmonitor_id="hm-1", pool_id="pool-1", type="HTTP", delay=5, timeout=2, max_retries=2, url_path="/up"
    )
    driver.health_monitor_create(monitor)
    policy = data_models.L7Policy(
        l7policy_id="policy-1", listener_id="listener-1", action="REDIRECT_TO_POOL", redirect_pool_id="pool-1"
    )
    driver.l7policy_create(policy)
    rule = data_models.L7Rule(
        l7rule_id="rule-1", l7policy_id="policy-1", type="PATH", compare_type="STARTS_WITH", value="/a"
    )
    driver.l7rule_create(rule)
    (shown,) = lb.get("/loadbalancers")
    assert (shown["vip_port_id"], shown["project_id"], shown["name"]) == (stage.vip["vip_port_id"], PROJECT, "web")
    (found,) = lb.get(f"/pools/{lb.get('/pools')[0]['id']}/members")
    assert (found["address"], found["weight"]) == ("10.0.0.9", 3)
    assert lb.get("/healthmonitors")[0]["url_path"] == "/up"
    assert lb.get("/listeners")[0]["default_pool_id"] == lb.get("/pools")[0]["id"]
    driver.member_update(member, data_models.Member(member_id="member-1", weight=0))
    driver.listener_update(listener, data_models.Listener(listener_id="listener-1", default_pool_id=None))
    assert lb.get(f"/pools/{lb.get('/pools')[0]['id']}/members")[0]["weight"] == 0
    assert lb.get("/listeners")[0]["default_pool_id"] is None
    others = [
        data_models.Member(member_id=f"m-{n}", pool_id="pool-1", address=f"10.0.0.{n}", protocol_port=80)
        for n in range(20, 23)
    ]
    driver.member_batch_update("pool-1", others)
    assert len(lb.get(f"/pools/{lb.get('/pools')[0]['id']}/members")) == 3
    driver.member_delete(others[0])
    for delete, one in (
        (driver.l7rule_delete, rule),
        (driver.l7policy_delete, policy),
        (driver.health_monitor_delete, monitor),
        (driver.listener_delete, listener),
        (driver.pool_delete, pool),
        (driver.loadbalancer_delete, stage.balancer()),
        (driver.loadbalancer_delete, stage.balancer()),  # once more: it is gone
    ):
        delete(one)
    assert lb.get("/loadbalancers") == []
    assert lb.net("admin", "GET", f"/ports/{stage.vip['vip_port_id']}").status_code == 404


def whole(stage: Stage) -> Any:
    monitor = data_models.HealthMonitor(
        healthmonitor_id="hm-1", pool_id="pool-1", type="TCP", delay=5, timeout=2, max_retries=2
    )
    members = [data_models.Member(member_id="member-1", address="10.0.0.9", protocol_port=80)]
    pool = data_models.Pool(
        pool_id="pool-1", protocol="TCP", lb_algorithm="ROUND_ROBIN", members=members, healthmonitor=monitor
    )
    listener = data_models.Listener(listener_id="listener-1", protocol="TCP", protocol_port=80, default_pool=pool)
    return stage.balancer(listeners=[listener], pools=[pool])


def test_all_at_once_and_its_statuses_in_octavia(stage: Stage) -> None:
    stage.driver.loadbalancer_create(whole(stage))
    stage.follower.tell_statuses()
    (_, status), *_ = stage.told
    ids = {kind: [one["id"] for one in found] for kind, found in status.items()}
    assert ids == {
        "loadbalancers": ["octavia-1"],
        "listeners": ["listener-1"],
        "pools": ["pool-1"],
        "members": ["member-1"],
        "healthmonitors": ["hm-1"],
    }
    assert {one["provisioning_status"] for found in status.values() for one in found} == {"ACTIVE"}
    assert status["members"][0]["operating_status"] == "OFFLINE"
    stage.told.clear()
    stage.follower.tell_statuses()
    assert stage.told == []  # nothing is otherwise
    stage.follower.tell_statistics()
    assert stage.told[0][1]["listeners"][0]["id"] == "listener-1"
    stage.told.clear()
    stage.driver.loadbalancer_delete(stage.balancer(), cascade=True)
    stage.follower.tell_statuses()
    assert {"id": "octavia-1", "provisioning_status": "DELETED"} in stage.told[0][1]["loadbalancers"]


def test_what_netweft_refuses_octavia_gets_in_words(stage: Stage) -> None:
    stage.driver.loadbalancer_create(stage.balancer())
    pool = data_models.Pool(
        pool_id="p", loadbalancer_id="octavia-1", protocol="TCP", lb_algorithm="WORST", project_id=PROJECT
    )
    with pytest.raises(exceptions.UnsupportedOptionError) as refused:
        stage.driver.pool_create(pool)
    assert "lb_algorithm" in refused.value.user_fault_string
    with pytest.raises(exceptions.DriverError):
        stage.driver.loadbalancer_failover("unknown")
    with pytest.raises(exceptions.UnsupportedOptionError):
        stage.driver.create_vip_port("octavia-2", PROJECT, {"vip_network_id": "none"}, [])
