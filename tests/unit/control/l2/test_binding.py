"""What nodes report, and what becomes of it on ports and agents."""

import time
from typing import Any

import pytest
from msgspec.structs import replace

from netweft.control.agents import Agents
from netweft.control.l2 import binding
from netweft.control.l3 import gateway_hosts
from netweft.model import Neighbour, NodeFacts, PortState, PortStatus
from netweft.model.status import PLUGGINGS
from netweft.settings import ServerSettings
from netweft.store import Object, Query

from ..conftest import PORT, Cloud

FACTS = NodeFacts(tunnel_ip="192.0.2.1", datapath_type="netdev")
HOST = "binding:host_id"


def connect(cloud: Cloud, node: str, facts: NodeFacts = FACTS) -> None:
    with cloud.store.write() as tx:
        binding.node_connected(tx, node, facts)


def report(
    cloud: Cloud,
    node: str,
    *ports: Object,
    state: PortState = PortState.UP,
    detail: str = "",
    complete: bool = False,
    anew: bool = False,
    plugging: str = "",
) -> dict[str, str]:
    statuses = [PortStatus(port["id"], state, detail, anew, plugging) for port in ports]
    with cloud.store.write() as tx:
        return binding.report_ports(tx, node, statuses, complete)


def shown(cloud: Cloud, port: Object) -> tuple[Any, ...]:
    now = cloud.get("ports", port)
    return (now["status"], now[HOST], now["binding:vif_type"])


def revision(cloud: Cloud) -> int:
    with cloud.store.read() as tx:
        return tx.revision()


def agents(cloud: Cloud) -> list[Object]:
    with cloud.store.read() as tx:
        return tx.query("agents")


@pytest.fixture
def port(cloud: Cloud) -> Object:
    connect(cloud, "hv1")
    connect(cloud, "hv2")
    return cloud.port(cloud.network())


def test_an_agent_of_another_kind_says_so_and_how_vms_are_plugged_in(cloud: Cloud) -> None:
    connect(cloud, "hv1")
    port = cloud.port(cloud.network(), **{HOST: "hv1"})
    assert port["binding:vif_type"] == "ovs"
    other = NodeFacts(tunnel_ip="192.0.2.1", agent_type="Linux bridge agent", vif_type="bridge", port_filter=False)
    connect(cloud, "hv1", other)
    (agent,) = agents(cloud)
    assert agent["agent_type"] == "Linux bridge agent"
    bound = cloud.get("ports", port)
    assert bound["binding:vif_type"] == "bridge"
    assert bound["binding:vif_details"] == {"connectivity": "l2", "port_filter": False}


def test_a_node_is_one_agent_however_often_it_connects(cloud: Cloud) -> None:
    connect(cloud, "hv1")
    before = revision(cloud)
    connect(cloud, "hv1")
    assert revision(cloud) == before
    connect(cloud, "hv1", NodeFacts(tunnel_ip="192.0.2.9"))
    assert revision(cloud) > before
    (agent,) = agents(cloud)
    assert (agent["host"], agent["configurations"]["tunnel_ip"]) == ("hv1", "192.0.2.9")


def test_a_plugged_in_port_is_claimed_and_active(cloud: Cloud, port: Object) -> None:
    assert report(cloud, "hv1", port) == {}
    assert shown(cloud, port) == ("ACTIVE", "hv1", "ovs")
    assert cloud.get("ports", port)["binding:vif_details"]["datapath_type"] == "netdev"


def test_saying_the_same_again_writes_nothing(cloud: Cloud, port: Object) -> None:
    report(cloud, "hv1", port)
    before = revision(cloud)
    report(cloud, "hv1", port, complete=True)
    assert revision(cloud) == before


def test_a_port_bound_elsewhere_is_denied_and_says_why(cloud: Cloud, port: Object) -> None:
    cloud.update("ports", port, **{HOST: "hv2"})
    denied = report(cloud, "hv1", port)
    assert denied == {port["id"]: "plugged in on hv1, but bound to hv2"}
    assert cloud.get("ports", port)["status_detail"] == denied[port["id"]]
    assert shown(cloud, port) == ("DOWN", "hv2", "ovs")
    before = revision(cloud)
    assert report(cloud, "hv1", port) == denied
    assert revision(cloud) == before
    report(cloud, "hv2", port)
    assert shown(cloud, port) == ("ACTIVE", "hv2", "ovs")
    assert cloud.get("ports", port)["status_detail"] == ""


def test_an_unknown_port_is_denied(cloud: Cloud, port: Object) -> None:
    assert report(cloud, "hv1", {"id": "nothing"}) == {"nothing": "there is no such port"}


def test_a_claim_is_loose_once_unplugged(cloud: Cloud, port: Object) -> None:
    report(cloud, "hv1", port)
    assert report(cloud, "hv2", port)
    report(cloud, "hv1", port, state=PortState.DOWN)
    assert shown(cloud, port) == ("DOWN", "hv1", "ovs")
    assert report(cloud, "hv2", port) == {}
    assert shown(cloud, port) == ("ACTIVE", "hv2", "ovs")


def test_a_complete_report_takes_down_what_is_not_in_it(cloud: Cloud, port: Object) -> None:
    other = cloud.port({"id": port["network_id"]})
    report(cloud, "hv1", port, other)
    report(cloud, "hv1", other)
    assert shown(cloud, port)[0] == "ACTIVE"
    report(cloud, "hv1", other, complete=True)
    assert (shown(cloud, port)[0], shown(cloud, other)[0]) == ("DOWN", "ACTIVE")


def test_an_error_is_shown(cloud: Cloud, port: Object) -> None:
    report(cloud, "hv1", port, state=PortState.ERROR, detail="no free VLAN")
    now = cloud.get("ports", port)
    assert (now["status"], now["status_detail"]) == ("DOWN", "no free VLAN")


def test_a_port_that_waits_for_its_node(cloud: Cloud) -> None:
    port = cloud.port(cloud.network(), **{HOST: "hv9"})
    assert shown(cloud, port) == ("DOWN", "hv9", "binding_failed")
    connect(cloud, "hv9")
    assert shown(cloud, port) == ("DOWN", "hv9", "ovs")


def test_signs_of_life_are_no_news(cloud: Cloud) -> None:
    connect(cloud, "hv1")
    before = revision(cloud)
    with cloud.store.write() as tx:
        binding.node_seen(tx, "hv1")
        binding.node_gone(tx, "hv1")
        binding.node_seen(tx, "nobody")
    assert revision(cloud) == before
    (agent,) = agents(cloud)
    assert agent["status_detail"].startswith("disconnected since")
    assert Agents(ServerSettings()).is_alive(agent)
    assert not Agents(ServerSettings(agent_down_seconds=-1)).is_alive(agent)


def test_a_burst_of_200_ports(cloud: Cloud) -> None:
    connect(cloud, "hv1")
    network = cloud.network()
    with cloud.store.write() as tx:
        ports = cloud.ports.create(tx, [PORT | {"network_id": network["id"]} for _ in range(200)])
    before, start = revision(cloud), time.process_time()
    assert report(cloud, "hv1", *ports, complete=True) == {}
    assert time.process_time() - start < 0.3  # some 10 ms alone on a quiet machine
    with cloud.store.read() as tx:
        assert tx.count("ports", {HOST: ["hv1"], "status": ["ACTIVE"]}) == 200
        assert len({change.revision for change in tx.changes(before, 10**6)}) == 1
        assert len(tx.query("ports", Query({HOST: ["hv1"]}))) == 200


# unbound while it is plugged in


@pytest.fixture
def unbound(cloud: Cloud, port: Object) -> Object:
    """As Nova shelves: while it is plugged in on hv1."""
    cloud.update("ports", port, **{HOST: "hv1"})
    report(cloud, "hv1", port)
    assert shown(cloud, port) == ("ACTIVE", "hv1", "ovs")
    cloud.update("ports", port, **{HOST: None})
    return port


FREE = ("DOWN", "", "unbound")


def test_what_is_plugged_in_still_claims_nothing(cloud: Cloud, unbound: Object) -> None:
    for complete in (False, True):
        for state in (PortState.ERROR, PortState.UP):
            denied = report(cloud, "hv1", unbound, state=state, complete=complete)
            assert "while it was plugged in" in denied[unbound["id"]]
    assert shown(cloud, unbound) == FREE
    assert cloud.get("ports", unbound)["status_detail"] == ""


@pytest.mark.parametrize("complete", [False, True])
def test_once_it_is_unplugged_it_may_be_plugged_in_again(cloud: Cloud, unbound: Object, complete: bool) -> None:
    gone = [] if complete else [unbound]
    assert report(cloud, "hv1", *gone, state=PortState.DOWN, complete=complete) == {}
    assert shown(cloud, unbound) == FREE
    assert report(cloud, "hv1", unbound) == {}
    assert shown(cloud, unbound) == ("ACTIVE", "hv1", "ovs")


def test_what_the_server_did_not_hear_in_between_counts(cloud: Cloud, unbound: Object) -> None:
    """It was away, or the node's newest word is all that it took."""
    assert report(cloud, "hv1", unbound, anew=True, complete=True) == {}
    assert shown(cloud, unbound) == ("ACTIVE", "hv1", "ovs")


@pytest.mark.parametrize("state", [PortState.ERROR, PortState.UP])
@pytest.mark.parametrize("complete", [False, True])
def test_each_plugging_claims_once(cloud: Cloud, unbound: Object, state: PortState, complete: bool) -> None:
    """A report of it that comes after the port was unbound once more says nothing new (decision 0537)."""
    for plugging in ("one", "two"):
        assert report(cloud, "hv1", unbound, state=PortState.ERROR, anew=True, plugging=plugging) == {}
        assert shown(cloud, unbound)[1] == "hv1"
        cloud.update("ports", unbound, **{HOST: None})
        again = report(cloud, "hv1", unbound, state=state, anew=True, plugging=plugging, complete=complete)
        assert again.keys() == {unbound["id"]}
        assert shown(cloud, unbound) == FREE


def test_so_does_that_of_a_port_that_was_bound_to_the_node(cloud: Cloud, port: Object) -> None:
    cloud.update("ports", port, **{HOST: "hv1"})
    report(cloud, "hv1", port, anew=True, plugging="one")
    cloud.update("ports", port, **{HOST: None})
    assert report(cloud, "hv1", port, anew=True, plugging="one").keys() == {port["id"]}
    assert shown(cloud, port) == FREE
    assert report(cloud, "hv1", port, anew=True, plugging="two") == {}
    assert shown(cloud, port) == ("ACTIVE", "hv1", "ovs")


def test_what_is_remembered_of_pluggings_has_an_end(cloud: Cloud, port: Object) -> None:
    for number in range(10):
        report(cloud, "hv1", port, state=PortState.DOWN)
        report(cloud, "hv1", port, anew=True, plugging=str(number))
    assert cloud.get("ports", port)[PLUGGINGS] == ["6", "7", "8", "9"]


def test_elsewhere_it_may_be_plugged_in_at_once(cloud: Cloud, unbound: Object) -> None:
    assert report(cloud, "hv2", unbound) == {}
    assert shown(cloud, unbound) == ("ACTIVE", "hv2", "ovs")
    assert report(cloud, "hv1", unbound).keys() == {unbound["id"]}


def test_who_binds_it_again_means_it(cloud: Cloud, unbound: Object) -> None:
    cloud.update("ports", unbound, **{HOST: "hv1"})
    assert report(cloud, "hv1", unbound) == {}
    assert shown(cloud, unbound) == ("ACTIVE", "hv1", "ovs")


def test_so_too_after_a_move(cloud: Cloud, port: Object) -> None:
    cloud.update("ports", port, **{HOST: "hv1"})
    report(cloud, "hv1", port)
    cloud.update("ports", port, **{HOST: "hv2"})
    cloud.update("ports", port, **{HOST: ""})
    for node in ("hv1", "hv2"):
        assert report(cloud, node, port, state=PortState.ERROR).keys() == {port["id"]}
        assert report(cloud, node, port, state=PortState.DOWN) == {}
    assert shown(cloud, port) == FREE


def test_a_port_that_is_not_plugged_in_is_nobodys_business(cloud: Cloud, port: Object) -> None:
    """Nor one that is not there."""
    assert report(cloud, "hv1", port, {"id": "none"}, state=PortState.DOWN) == {}
    assert shown(cloud, port) == FREE
    before = revision(cloud)
    report(cloud, "hv1", port, state=PortState.DOWN)
    assert revision(cloud) == before


@pytest.mark.parametrize(
    ("facts", "news"),
    [
        (FACTS, False),
        (replace(FACTS, floating_ips=("public",)), False),
        (replace(FACTS, bridge_mappings={"public": "br-ex"}), True),
    ],
)
def test_what_a_node_says_of_floating_ips_moves_no_gateway(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, facts: NodeFacts, *, news: bool
) -> None:
    """It goes with each carrier.  But it is there for other nodes."""
    connect(cloud, "hv1")
    told: list[bool] = []
    monkeypatch.setattr(gateway_hosts, "host_came", lambda *_, news: told.append(news))
    connect(cloud, "hv1", facts)
    assert told == [news]
    (agent,) = agents(cloud)
    assert agent["configurations"]["floating_ips"] == list(facts.floating_ips)


def test_what_a_nic_is_plugged_into_stays_until_something_else_is_heard(cloud: Cloud) -> None:
    def heard(*found: Neighbour) -> list[tuple[str, str]]:
        connect(cloud, "hv1", replace(FACTS, neighbours=found))
        (agent,) = agents(cloud)
        return [(one["interface"], one["port"]) for one in agent["configurations"]["neighbours"]]

    assert heard(Neighbour("eth1", "", "tor1", "e1"), Neighbour("eth2", "", "tor1", "e2"))
    assert heard() == [("eth1", "e1"), ("eth2", "e2")]  # it has begun anew
    assert heard(Neighbour("eth1", "", "tor2", "e7")) == [("eth1", "e7"), ("eth2", "e2")]
