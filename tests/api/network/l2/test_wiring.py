"""How a port is wired: what its node says, told to each as far as they may know; nodes are a stand-in."""

import json

import pytest
from starlette.applications import Starlette
from tests.api.network.conftest import Api, authenticate
from tests.api.network.test_explain import UNDERLAY, Place
from tests.api.network.test_trace import Nodes

from netweft.api.app import routes
from netweft.api.resources.l2.wiring import AtOnce
from netweft.control.explain.snapshot import Lag
from netweft.settings import ServerSettings
from netweft.store import Object, Store
from netweft.wire.queries import Answer, Seen
from netweft.wire.wiring import Counts, Far, Station, Wiring


@pytest.fixture
def there(api: Api, store: Store) -> Place:
    return Place(api, store)


@pytest.fixture
def nodes(there: Place) -> Nodes:
    nodes = Nodes()
    vif = Station(
        name="tap1", bridge="br-int", ofport=7, link="up", mtu=1450, counts=Counts(rx_packets=3, rx_bytes=300)
    )
    link = (Station(name="patch-tun", bridge="br-int"), Station(name="patch-int", bridge="br-tun"))
    found = Wiring(
        vif=vif, port_id=there.port["id"], tag=9, network_type="vxlan", key=987654, link=link,
        out=(Station(name="vxlan-overlay", bridge="br-tun"),), tunnel_ip="198.51.100.7",
        far=(Far(host="hv-secret-2", address="198.51.100.8"),),
    )  # fmt: skip
    nodes.answer = Answer(id="", revision=5, wiring=found)
    return nodes


@pytest.fixture
def asking(store: Store, nodes: Nodes) -> Api:
    return Api(Starlette(routes=routes(store, authenticate, ServerSettings(), dict, nodes)))


def wired(api: Api, who: str, port: Object) -> Object:
    found: Object = api.get(who, f"/netweft/wiring/{port['id']}")["wiring"]
    return found


def test_who_sees_agents_sees_all(asking: Api, nodes: Nodes, there: Place) -> None:
    found = wired(asking, "admin", there.port)
    ((host, question),) = nodes.asked
    assert (host, question.port_id, question.wiring, question.packet) == ("hv-secret", there.port["id"], True, None)
    assert (found["host"], found["wired"], found["revision"], found["feed"]) == ("hv-secret", True, 5, None)
    node = found["node"]
    assert (node["tag"], node["key"], node["vif"]["name"], node["vif"]["counts"]["rx_bytes"]) == (
        9,
        987654,
        "tap1",
        300,
    )
    assert [one["name"] for one in node["link"]] == ["patch-tun", "patch-int"]
    assert node["far"] == [{"host": "hv-secret-2", "address": "198.51.100.8"}]
    assert node["vif"]["counts"]["tx_errors"] == 0, "what is not on the wire is 0"


def test_a_tenant_learns_nothing_of_the_underlay(asking: Api, nodes: Nodes, there: Place) -> None:
    found = wired(asking, "alice", there.port)
    assert found["wired"] and found["interface"]["link"] == "up" and found["interface"]["counts"]["rx_packets"] == 3
    text = json.dumps(found)
    assert not [word for word in (*UNDERLAY, "tap1", "br-", "987654", "patch", "198.51") if word in text]
    nodes.silence = "the agent of hv-secret is not connected"
    assert wired(asking, "alice", there.port) == {"port_id": there.port["id"], "wired": False}
    assert wired(asking, "admin", there.port)["why_not"] == nodes.silence


def test_who_does_not_see_the_port_learns_nothing(asking: Api, nodes: Nodes, there: Place) -> None:
    for id in (there.port["id"], "nothing"):
        assert asking("bob", "GET", f"/netweft/wiring/{id}").status_code == 404
    assert nodes.asked == []


def test_counts_are_the_owners_and_not_of_a_shared_interface(asking: Api, nodes: Nodes, there: Place) -> None:
    shared = asking.make("admin", "port", network_id=there.network["id"])
    asking("admin", "PUT", f"/ports/{shared['id']}", {"port": {"binding:host_id": "hv-secret"}})
    assert wired(asking, "alice", shared)["interface"]["counts"] is None, "seen by the network's owner"
    assert wired(asking, "admin", shared)["interface"]["counts"] is None, "the interface is another port's"


def test_what_is_bound_nowhere_and_what_is_too_old(asking: Api, nodes: Nodes, there: Place) -> None:
    loose = asking.make("alice", "port", network_id=there.network["id"])
    assert wired(asking, "admin", loose)["why_not"] == "the port is bound to no host"
    nodes.answer = Answer(id="")
    assert "too old" in wired(asking, "admin", there.port)["why_not"]
    nodes.answer = Answer(id="", error="the port is not wired here")
    assert wired(asking, "admin", there.port)["why_not"] == "the port is not wired here"


def test_what_nodes_see_of_each_other(asking: Api, nodes: Nodes) -> None:
    nodes.answer = Answer(id="", watched=(Seen(host="hv-secret-2", state="gone"),))
    path = "/netweft/fabric/tunnels"
    found = asking.get("admin", f"{path}?host=hv-secret&host=hv-secret")["tunnels"]
    assert found == [{"host": "hv-secret", "watched": [{"host": "hv-secret-2", "state": "gone"}], "why_not": ""}]
    assert [(host, question.tunnels) for host, question in nodes.asked] == [("hv-secret", True)]
    for said, why in ((Answer(id=""), "too old"), (Answer(id="", error="too much"), "too much")):
        nodes.answer = said
        (one,) = asking.get("admin", f"{path}?host=hv-secret")["tunnels"]
        assert one["watched"] is None and why in one["why_not"]
    nodes.silence = "it is not connected"
    assert asking.get("admin", f"{path}?host=x")["tunnels"][0]["why_not"] == "it is not connected"
    for wrong in ("", "?host=", "?node=a", "?host=a&limit=1", "?" + "&".join(f"host=h{at}" for at in range(41))):
        assert asking("admin", "GET", path + wrong).status_code == 400
    for who in ("alice", "bob"):
        assert asking(who, "GET", f"{path}?host=hv-secret").status_code == 403


def test_one_user_has_a_limit_of_queries_at_once() -> None:
    gate = AtOnce(2)
    with gate.one("a") as first, gate.one("a") as second, gate.one("a") as third, gate.one("b") as another:
        assert (first, second, third, another) == (True, True, False, True)
    with gate.one("a") as again:
        assert again


def test_a_node_behind_is_shown_to_who_sees_agents(store: Store, there: Place) -> None:
    lag = Lag(connected=True, revision=4, revisions=2, objects=3, seconds=1.5)
    asking = Api(Starlette(routes=routes(store, authenticate, ServerSettings(), lambda: {"hv-secret": lag})))
    assert asking.get("admin", "/netweft/fabric")["fabric"]["nodes"] == [{"host": "hv-secret", "feed": lag._asdict()}]
    for who in ("alice", "bob"):
        answer = asking(who, "GET", "/netweft/fabric")
        assert answer.status_code == 403 and "hv-secret" not in answer.text
