"""What this node runs HAProxy for, from the facts that it has."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.services.lb.trees import BALANCER, HTTP, rule

from netweft.dataplane.haproxy.values import Instance
from netweft.model import FixedIp, Network, Proxy, Subnet
from netweft.reconcile.memo import Fact
from netweft.services.lb.proxy.instances import proxy
from netweft.services.lb.trees import Parts
from netweft.services.values import HostFacts

HERE = Proxy(
    id="x1",
    load_balancer_id="b1",
    network_id="n1",
    mac_address="fa:16:3e:00:00:01",
    fixed_ips=(FixedIp("s1", "10.0.0.20"), FixedIp("s2", "fd00::20"), FixedIp("s3", "10.1.0.20")),
    host_id="hv1",
)
SUBNETS = (
    Subnet(id="s1", network_id="n1", ip_version=4, cidr="10.0.0.0/24", gateway_ip="10.0.0.1"),
    Subnet(id="s2", network_id="n1", ip_version=6, cidr="fd00::/64", gateway_ip="fd00::1"),
    Subnet(id="s3", network_id="n1", ip_version=4, cidr="10.1.0.0/24", gateway_ip="10.1.0.1"),
)


class Facts:
    def __init__(self, facts: Mapping[Fact, Any]) -> None:
        self._facts = facts

    def get(self, fact: Fact) -> Any:
        return self._facts.get(fact)


def instances(node: str = "hv1", **otherwise: Any) -> list[Instance]:
    parts = (*HTTP.listeners, *HTTP.pools, *HTTP.members, *HTTP.policies, *otherwise.get("rules", HTTP.rules), HERE)
    facts: dict[Fact, Any] = {
        "host": HostFacts(name=node),
        ("proxy", "x1"): HERE,
        ("load_balancer", "b1"): BALANCER,
        ("tree", "b1"): Parts(parts),
        ("network", "n1"): Network(id="n1", mtu=1450),
        ("subnets", "n1"): SUBNETS,
    }
    for name in otherwise.get("without", ()):
        del facts[name]
    return list(proxy(Facts(facts), "x1"))


def test_one_that_is_bound_here() -> None:
    (found,) = instances()
    assert (found.id, found.nic.port_id, found.nic.mtu, found.problem) == ("b1", "x1", 1450, "")
    assert found.nic.addresses == (("10.0.0.20", 24), ("fd00::20", 64), ("10.1.0.20", 24))
    assert found.nic.gateways == ("10.0.0.1", "fd00::1")  # one of each version
    assert "frontend l1" in found.config
    assert "maxconn 101" in found.config  # it is the only one that there is
    assert "disabled" not in found.structure


def test_another_nodes_is_none_of_ours() -> None:
    assert instances("hv2") == []


@pytest.mark.parametrize("missing", [("load_balancer", "b1"), ("tree", "b1"), ("network", "n1")])
def test_what_is_not_known_yet(missing: Fact) -> None:
    assert instances(without=[missing]) == []


def test_what_cannot_be_said_leaves_what_runs() -> None:
    (found,) = instances(rules=(rule("r1", "y4", "PATH", "EQUAL_TO", "a\nb"),))
    assert "control character" in found.problem
    assert found.config == ""
