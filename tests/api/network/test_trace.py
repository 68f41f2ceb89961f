"""Traces at the API: by the rows, for whoever sees the ends; nodes are asked by a stand-in."""

import asyncio
import json
from typing import Any

import pytest
from starlette.applications import Starlette
from tests.api.network.conftest import Api, authenticate, refused
from tests.api.network.l3.test_gateways import to as by_gateway
from tests.api.network.l3.test_interfaces import subnet
from tests.api.network.test_explain import UNDERLAY, Place, reports

from netweft.api.app import routes
from netweft.control.trace.codes import UNDERLAY as UNDERLAY_CODES
from netweft.feed.queries import Silence
from netweft.settings import ServerSettings
from netweft.store import Object, Store
from netweft.wire.queries import Answer, Ask, Differs, Exit, Heard, Hop, Interface

PATH = "/netweft/trace"


class Nodes:
    """Answers as nodes would; what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Ask]] = []
        self.answer = Answer(id="")
        self.silence = ""
        self.most = self.now = 0

    async def ask(self, node: str, question: Ask) -> Answer | Silence:
        self.asked.append((node, question))
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return Silence(self.silence) if self.silence else self.answer


class Pair(Place):
    """A second port beside the first."""

    def __init__(self, api: Api, store: Store) -> None:
        super().__init__(api, store)
        self.other = api.make("alice", "port", network_id=self.network["id"], name="db")
        reports(store, self.other)

    def delivered(self, **more: Any) -> Answer:
        ours = Hop(bridge="br-int", table="deliver", flow="reg1=0x5", object=self.other["id"].replace("-", "")[:10])
        interfaces = tuple(
            Interface(name=f"tap{one['name']}", port_id=one["id"], ofport=5, link="up")
            for one in (self.port, self.other)
        )
        exits = (Exit(kind="port", port_id=self.other["id"], interface="tapdb"),)
        return Answer(id="", **{"exits": exits, "hops": (ours,), "interfaces": interfaces, **more})


@pytest.fixture
def there(api: Api, store: Store) -> Pair:
    return Pair(api, store)


def trace(api: Api, frm: str, to: str, who: str = "alice", **more: Any) -> Object:
    answer = api(who, "POST", PATH, {"trace": {"from": frm, "to": to, **more}})
    assert answer.status_code == 200, answer.text
    found: Object = answer.json()["trace"]
    return found


def codes(found: Object) -> list[str]:
    return [one["code"] for one in found["findings"]]


TCP: dict[str, Any] = {"protocol": "tcp", "port": 443}


def test_what_passes(api: Api, there: Pair) -> None:
    address = there.floating_ip["floating_ip_address"]
    for frm, to in (
        ("db", "web"), (there.port["id"], there.other["id"]), ("db", there.port["fixed_ips"][0]["ip_address"]),
        ("web", "outside"), ("db", "8.8.8.8"), ("db", "192.0.2.77"), (address, "db"),
    ):  # fmt: skip
        for who in ("alice", "adam", "admin"):
            found = trace(api, frm, to, who, **TCP)
            assert (found["passes"], found["findings"], found["parts_at"]) == (True, [], None), found
    found = trace(api, "db", "8.8.8.8", **TCP)
    assert found["forward"]["ends"] == "outside"
    assert found["forward"]["translations"][0]["side"] == "src"
    assert found["layers"]["openvswitch"] == {"forward": "not found out", "return": "not found out"}


def test_from_outside_no_rule_lets_it_in(api: Api, there: Pair) -> None:
    address = there.floating_ip["floating_ip_address"]
    for to in (address, "web"):
        found = trace(api, "outside", to, **TCP)
        assert (found["passes"], codes(found)) == (False, ["no-rule-lets-it-in"]), found
    found = trace(api, "8.8.8.8", address, **TCP)
    (finding,) = found["findings"]
    assert finding["changed"]["by"] in ("user alice", "node hv-secret", "server")
    assert "from " + there.group["id"] in finding["detail"]
    command = "openstack security group rule create --ingress --ethertype IPv4 --protocol tcp --dst-port=443"
    assert finding["fix"] == f"{command} --remote-ip 8.8.8.8/32 {there.group['id']}"
    rule: dict[str, Any] = {"security_group_id": there.group["id"], "direction": "ingress", "protocol": "tcp"}
    made = rule | {"port_range_min": 443, "port_range_max": 443}
    before = api.get("alice", "/security-group-rules")
    supposed = trace(api, "outside", address, what_if={"security_group_rules": [made]}, **TCP)
    assert supposed["passes"]
    assert api.get("alice", "/security-group-rules") == before, "it was only supposed"
    api.make("alice", "security_group_rule", **made)
    assert trace(api, "outside", address, **TCP)["passes"]
    assert codes(trace(api, "outside", address, protocol="tcp", port=22)) == ["no-rule-lets-it-in"]


def test_a_route_that_is_not_there_yet(api: Api, there: Pair) -> None:
    far = subnet(api, "10.9.0.0/24")
    port = api.make("alice", "port", network_id=far["network_id"], name="far")
    reports_at(api, port)
    found = trace(api, "web", "far")
    assert "router-not-on-network" in codes(found)
    hop = there.other["fixed_ips"][0]["ip_address"]
    routes_ = [{"router_id": there.router["id"], "destination": "10.9.0.0/24", "nexthop": hop}]
    found = trace(api, "web", "far", what_if={"routes": routes_})
    assert (found["passes"], codes(found)) == (None, [])
    assert any("forwards it" in one for one in found["assumptions"])
    by_name = [one | {"router_id": there.router["name"]} for one in routes_]
    assert trace(api, "web", "far", what_if={"routes": by_name})["forward"] == found["forward"]
    nowhere = {"routes": [routes_[0] | {"nexthop": "172.16.0.1"}]}
    asked = {"from": "web", "to": "far", "what_if": nowhere}
    answer = api("alice", "POST", PATH, {"trace": asked})
    assert refused(answer)[0] == 400 and "172.16.0.1" in answer.text, "the API would refuse such a route"


def test_of_what_is_not_seen_it_says_so(api: Api, there: Pair) -> None:
    found = trace(api, "198.51.100.7", "198.51.100.8", who="bob")
    assert (found["passes"], found["forward"]["steps"]) == (None, [])
    assert any("198.51.100.7" in one and "not known" in one for one in found["assumptions"])


def reports_at(api: Api, port: Object) -> None:
    answer = api("admin", "PUT", f"/ports/{port['id']}", {"port": {"binding:host_id": "hv-secret"}})
    assert answer.status_code == 200, answer.text


def asking(api: Api, store: Store, nodes: Nodes) -> Api:
    return Api(Starlette(routes=routes(store, authenticate, ServerSettings(), dict, nodes)))


def test_nodes_are_queried_there_and_back(api: Api, store: Store, there: Pair) -> None:
    nodes = Nodes()
    nodes.answer = there.delivered()
    found = trace(asking(api, store, nodes), "web", "db", "admin", **TCP)
    (one, first), (two, second), *_ = nodes.asked
    assert (one, two) == ("hv-secret", "hv-secret")
    assert (first.port_id, second.port_id) == (there.port["id"], there.other["id"])
    assert (first.reply, second.reply) == (False, True)
    assert first.packet is not None
    assert (first.packet.eth_dst, first.packet.dport) == (there.other["mac_address"], 443)
    assert second.packet is not None
    assert second.packet.sport == 443
    assert found["layers"]["openvswitch"]["forward"] == "passes"
    assert found["nodes"][0]["flows"][0]["table"] == "deliver"
    assert codes(found) == ["openvswitch-sends-elsewhere"], "of the answer: the stand-in says the same to both"


FAULTS: dict[str, dict[str, Any]] = {
    "openvswitch-drops": {"exits": (Exit(kind="drop", why="br-int table 4: no flow"),)},
    "openvswitch-not-as-wanted": {
        "exits": (Exit(kind="drop"),), "differs": (Differs(what="flow", wanted="deliver reg1=5"),),
    },
    "openvswitch-foreign-flow": {
        "exits": (Exit(kind="drop"),), "hops": (Hop(bridge="br-int", table="classify", flow="ip", foreign=True),),
    },
    "tunnel-to-nobody": {"exits": (Exit(kind="tunnel", tunnel="198.51.100.99", key=7, packet=None),)},
    "interface-not-in-openvswitch": {"interfaces": ()},
    "tunnel-address-not-here": {"homeless": "198.51.100.9"},
}  # fmt: skip


@pytest.mark.parametrize("code", FAULTS)
def test_what_nodes_say_is_shown_to_admins_alone(api: Api, store: Store, there: Pair, code: str) -> None:
    nodes = Nodes()
    nodes.answer = there.delivered(**FAULTS[code])
    asked = asking(api, store, nodes)
    if code == "tunnel-to-nobody":
        packet = trace_packet(nodes, asked)
        nodes.answer = there.delivered(exits=(Exit(kind="tunnel", tunnel="198.51.100.99", key=7, packet=packet),))
    found = trace(asked, "web", "db", "admin", **TCP)
    assert found["passes"] is False
    assert codes(found)[0] == code
    assert "hv-secret" in json.dumps(found["findings"])
    answer = asked("alice", "POST", PATH, {"trace": {"from": "web", "to": "db", **TCP}})
    told = answer.json()["trace"]
    its = "underlay-fault" if code in {one.code for one in UNDERLAY_CODES} else code
    assert (told["passes"], codes(told)[0], told["nodes"]) == (False, its, [])
    for word in (*UNDERLAY, "classify", "198.51.100", "tapdb"):
        if word not in ("ovs", "br-int"):
            assert word not in answer.text
    assert all((one["detail"], one["fix"], one["fixed_by"]) == ("", "", "admin") for one in told["findings"])


def test_a_vm_is_listened_to_where_a_probe_is_sent(api: Api, store: Store, there: Pair) -> None:
    """What it does is told of its own port, to its tenant too; where it sends it to, to admins alone."""
    nodes = Nodes()
    mac, address = there.port["mac_address"], there.port["fixed_ips"][0]["ip_address"]
    other = there.other["mac_address"]
    heard = (
        Heard(kind="has", address=address, mac=mac),
        Heard(kind="sends", address=address, mac=mac, to="02:00:00:00:00:77"),
        Heard(kind="has", address=there.other["fixed_ips"][0]["ip_address"], mac=other),
        Heard(kind="sends", address=there.other["fixed_ips"][0]["ip_address"], mac=other, to=mac),
    )
    nodes.answer = there.delivered(seen=("tapdb",))
    asked = asking(api, store, nodes)
    found = trace(asked, "web", "db", "admin", probe=True)
    assert "vm-silent" not in codes(found), "nobody has listened"
    nodes.answer = there.delivered(seen=("tapdb",), heard=heard)
    found = trace(asked, "web", "db", "admin", probe=True)
    (told,) = [one for one in found["findings"] if one["layer"] == "vm"]
    assert (told["code"], told["object"]["id"]) == ("vm-wrong-neighbour", there.port["id"])
    assert "02:00:00:00:00:77" in told["detail"]
    (told,) = [one for one in trace(asked, "web", "db", probe=True)["findings"] if one["layer"] == "vm"]
    assert (told["code"], told["detail"], told["fixed_by"]) == ("vm-wrong-neighbour", "", "owner")
    listened = [question for _, question in nodes.asked if question.listen is not None]
    assert {one.port_id for one in listened if one.listen and one.listen.sends} == {there.port["id"]}, "its own port"


def trace_packet(nodes: Nodes, asked: Api) -> Any:
    trace(asked, "web", "db", "admin", **TCP)
    return nodes.asked[0][1].packet


def test_a_node_that_says_nothing(api: Api, store: Store, there: Pair) -> None:
    nodes = Nodes()
    nodes.silence = "its agent does not answer within 2 s"
    asked = asking(api, store, nodes)
    found = trace(asked, "web", "db", "admin", **TCP)
    assert (found["passes"], found["findings"]) == (None, [])
    assert found["unseen"] == ["hv-secret: its agent does not answer within 2 s"]
    assert trace(asked, "web", "db", **TCP)["unseen"] == ["openvswitch"]


def test_what_becomes_of_it_at_others_is_not_shown(api: Api, store: Store, there: Pair) -> None:
    """By a floating IP of somebody else that is on the same node: for bob that is outside."""
    mine = subnet(api, "10.0.0.0/24", "bob")
    router = api.make("bob", "router", **by_gateway(there.outside))
    assert (
        api("bob", "PUT", f"/routers/{router['id']}/add_router_interface", {"subnet_id": mine["id"]}).status_code == 200
    )
    port = api.make("bob", "port", network_id=mine["network_id"], name="bobs")
    reports(store, port)
    nodes = Nodes()
    asked = asking(api, store, nodes)
    theirs = Hop(bridge="br-int", table="ingress_rules", flow="x", object=there.port["id"].replace("-", "")[:10])
    for exits, passes in (
        ((Exit(kind="port", port_id=there.port["id"]),), True),
        ((Exit(kind="drop", why="br-int table 39"),), None),
    ):
        interface = Interface(name="tap", port_id=port["id"], ofport=5, link="up")
        nodes.answer = Answer(id="", hops=(theirs,), exits=exits, interfaces=(interface,))
        answer = asked("bob", "POST", PATH, {"trace": {"from": "bobs", "to": there.floating_ip["floating_ip_address"]}})
        found = answer.json()["trace"]
        assert (found["findings"], found["layers"]["openvswitch"]["forward"]) == (
            [], "passes" if passes else "not found out",
        )  # fmt: skip
        assert there.port["id"][:8] not in answer.text


def test_an_end_by_its_name_in_dns(api: Api, store: Store, there: Pair) -> None:
    """As the sender's VM finds it: of its own network first, and it says where the VM does not."""
    api("alice", "PUT", f"/networks/{there.network['id']}", {"network": {"dns_domain": "corp.example."}})
    api("alice", "PUT", f"/ports/{there.other['id']}", {"port": {"dns_name": "db1"}})
    far = subnet(api, "10.9.0.0/24")
    api("alice", "PUT", f"/networks/{far['network_id']}", {"network": {"dns_domain": "corp.example."}})
    names = ("db1", "web9")
    its = [api.make("alice", "port", network_id=far["network_id"], dns_name=name)["id"] for name in names]
    unnamed = f"host-{there.other['fixed_ips'][0]['ip_address'].replace('.', '-')}.openstacklocal"
    for name in ("db1.corp.example", "DB1.corp.example.", "db1"):
        found = trace(api, "web", name)
        assert (found["to"]["id"], found["assumptions"][0]) == (
            there.other["id"],
            f"{name} is port {there.other['id']}",
        )
        assert "does not find" not in str(found["assumptions"])
    assert "does not find web9.corp.example" in str(trace(api, "web", "web9.corp.example")["assumptions"])
    assert trace(api, "web9.corp.example", "db1")["to"]["id"] == its[0], "of its own network"
    body = {"trace": {"from": "outside", "to": "db1.corp.example"}}
    assert refused(api("alice", "POST", PATH, body)) == (400, "SeveralOfThatName")
    for name in ("db1.example", "corp.example", unnamed, "host-.openstacklocal", "host-10-0-0-99.openstacklocal"):
        assert refused(api("alice", "POST", PATH, {"trace": {"from": "web", "to": name}}))[0] == 404, name
    assert refused(api("bob", "POST", PATH, {"trace": {"from": "db1.corp.example", "to": "web"}}))[0] == 404
    api("alice", "PUT", f"/ports/{there.other['id']}", {"port": {"dns_name": ""}})
    assert trace(api, "web", unnamed)["to"]["id"] == there.other["id"]
    api("alice", "PUT", f"/subnets/{there.subnet['id']}", {"subnet": {"dns_nameservers": ["192.0.2.53"]}})
    assert f"asks 192.0.2.53 for {unnamed}" in str(trace(api, "web", unnamed)["assumptions"])


def test_others_see_nothing(api: Api, there: Pair) -> None:
    """What is another project's is as if it were not there: the same is said of it as of nothing."""
    mine = subnet(api, "10.0.0.0/24", "bob")
    port = api.make("bob", "port", network_id=mine["network_id"], name="bobs")
    for name in ("web", there.port["id"], there.floating_ip["id"], there.other["device_id"] or "none"):
        for pair in ({"from": name, "to": "bobs"}, {"from": "bobs", "to": name}):
            answer = api("bob", "POST", PATH, {"trace": pair})
            assert refused(answer) == (404, "NothingOfThatName")
    to_theirs = trace(api, "bobs", there.floating_ip["floating_ip_address"], "bob")
    to_nobody = trace(api, "bobs", "192.0.2.250", "bob")
    assert codes(to_theirs) == codes(to_nobody)
    assert there.router["id"] not in json.dumps(to_theirs)
    taken = port["fixed_ips"][0]["ip_address"]  # the same ranges, each project's own
    addresses = (one["fixed_ips"][0]["ip_address"] for one in (there.port, there.other))
    address = next(one for one in addresses if one != taken)
    assert trace(api, "bobs", address, "bob")["to"] == {"type": "address", "address": address}
    assert port["id"] in json.dumps(trace(api, "bobs", "192.0.2.250", "bob"))


WRONG: list[Any] = [
    {}, {"trace": {}}, {"trace": {"from": "web"}}, {"trace": {"from": "", "to": "web"}}, {"trace": []}, [],
    {"trace": {"from": "web", "to": "x" * 300}}, {"trace": {"from": "outside", "to": "outside"}},
    {"trace": {"from": "web", "to": "db", "protocol": "tcp"}}, {"trace": {"from": "web", "to": "db", "port": 80}},
    {"trace": {"from": "web", "to": "db", "protocol": "tcp", "port": 0}},
    {"trace": {"from": "web", "to": "db", "protocol": "nonsense"}},
    {"trace": {"from": "web", "to": "224.0.0.1"}}, {"trace": {"from": "web", "to": "255.255.255.255"}},
    {"trace": {"from": "web", "to": "db", "source_address": "x"}}, {"trace": {"from": "web", "to": "db", "more": 1}},
    {"trace": {"from": "web", "to": "db", "what_if": {"rules": []}}},
    {"trace": {"from": "web", "to": "db", "what_if": {"security_group_rules": [{"direction": "up"}]}}},
    {"trace": {"from": "web", "to": "db", "what_if": {"routes": [{"router_id": "r", "destination": "x",
                                                                 "nexthop": "10.0.0.9"}]}}},
    {"trace": {"from": "web", "to": "db", "what_if": {"security_group_rules": [
        {"security_group_id": "nobodys", "direction": "ingress"}]}}},
    {"trace": {"from": "web", "to": "fe80::1%eth0"}}, {"trace": {"from": "web", "to": "169.254.169.254"}},
    {"trace": {"from": "web", "to": "web"}}, {"trace": {"from": "web", "to": "db", "size": 70000}},
    {"trace": {"from": "outside", "to": "web", "probe": True}},
]  # fmt: skip


@pytest.mark.parametrize("body", WRONG, ids=lambda body: json.dumps(body)[:60])
def test_what_is_refused(api: Api, there: Pair, body: Any) -> None:
    assert refused(api("alice", "POST", PATH, body))[0] in (400, 404)
