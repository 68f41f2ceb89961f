"""What VMs are told of themselves: who may say it, which node may ask it, and what it looks like."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import given as property_of
from hypothesis import settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from tests.examples import examples

from netweft.api import metadata
from netweft.api.app import routes
from netweft.control.metadata.given import MOST_USER_DATA
from netweft.plugins.identity import nodes
from netweft.plugins.metadata import Instances
from netweft.server.faults import fault
from netweft.server.middleware import RequestFrame
from netweft.settings import ServerSettings
from netweft.store import Object, Store, WriteTransaction
from netweft.wire.metadata import PATH, SEATS_PATH, Ask, Plugged, Said, Seats
from netweft.wire.posted import decode, encode

from .conftest import BLUE, Api, authenticate

KEY = "ssh-ed25519 AAAA me@home"


class Nova:
    """Says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def ask(self, method: str, target: str, body: bytes, **who: str) -> Said:
        self.asked.append({"method": method, "target": target, "body": body, **who})
        return Said(status=200, body=b"Nova's")

    async def close(self) -> None: ...


class Cloud(NamedTuple):
    api: Api
    token: Callable[[str], str]

    def port(self, who: str = "alice", device: str = "d1", host: str = "hv1", **values: Any) -> Object:
        """Of an instance on this host."""
        network = values.pop("network_id", None) or self.api.network(who, "10.0.0.0/24", mtu=1400)["id"]
        port = self.api.make(who, "port", network_id=network, **values)
        bound = {"binding:host_id": host, "device_id": device, "device_owner": "compute:nova"}
        answer = self.api("admin", "PUT", f"/ports/{port['id']}", {"port": bound})
        assert answer.status_code == 200, answer.text
        found: Object = answer.json()["port"]
        return found

    def own(self, who: str, method: str, port_id: str, **given: Any) -> httpx.Response:
        headers = {"X-Auth-Token": who}
        body = {"metadata": given} if method == "PUT" else None
        return self.api.client.request(method, f"{PATH}/{port_id}", json=body, headers=headers)

    def give(self, port: Object, **given: Any) -> None:
        answer = self.own("alice", "PUT", port["id"], **given)
        assert answer.status_code == 200, answer.text

    def asks(self, port: Object, target: str, *, node: str = "hv1", method: str = "GET") -> Said:
        question = Ask(port_id=port["id"], asked_from="10.0.0.9", method=method, target=target)
        headers = {"Authorization": f"Bearer {self.token(node)}"}
        answer = self.api.client.request("POST", PATH, content=encode(question), headers=headers)
        assert answer.status_code == 200, answer.text
        return decode(Said, answer.content)

    def reads(self, port: Object, target: str) -> str:
        said = self.asks(port, target)
        assert said.status == 200, target
        return said.body.decode()

    def json(self, port: Object, name: str) -> Any:
        return json.loads(self.reads(port, f"/openstack/latest/{name}.json"))


MakeCloud = Callable[..., Cloud]


@pytest.fixture
def make_cloud(store: Store) -> MakeCloud:
    def token(node: str) -> str:
        def work(tx: WriteTransaction) -> str:
            return nodes.add(tx, node, rotate=True)

        return store.run(work)

    def make(nova: Instances | None = None) -> Cloud:
        app = Starlette(
            routes=[*routes(store, authenticate, ServerSettings()), *metadata.routes(store, authenticate, nova)],
            middleware=[Middleware(RequestFrame, max_body_bytes=2**20, turns=store.turns)],
            exception_handlers={HTTPException: fault},
        )
        return Cloud(Api(app), token)

    return make


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> Cloud:
    return make_cloud()


# who may


def test_only_the_node_that_has_the_port_is_answered(cloud: Cloud) -> None:
    port = cloud.port(name="web1")
    assert cloud.reads(port, "/latest/meta-data/hostname") == "web1"
    assert cloud.asks(port, "/latest/meta-data/hostname", node="hv2").status == 404
    assert cloud.asks({"id": "nothing"}, "/latest/meta-data/hostname").status == 404


def test_a_chassis_learns_who_is_plugged_in_there_and_nobody_else(cloud: Cloud) -> None:
    """By iface-id, which anybody on the host may write; sub-ports come by their trunk's port."""
    parent, other = cloud.port(), cloud.port(host="hv2")
    sub = cloud.api.make("alice", "port", network_id=cloud.api.network("alice", "10.1.0.0/24", mtu=1400)["id"])
    sub_ports = [{"port_id": sub["id"], "segmentation_type": "vlan", "segmentation_id": 7}]
    cloud.api.make("alice", "trunk", port_id=parent["id"], sub_ports=sub_ports)
    question = Plugged(ports=(parent["id"], other["id"], "nobody's", "../" * 9))
    headers = {"Authorization": f"Bearer {cloud.token('hv1')}"}
    answer = cloud.api.client.request("POST", SEATS_PATH, content=encode(question), headers=headers)
    seats = {seat.port_id: seat for seat in decode(Seats, answer.content).seats}
    assert seats.keys() == {parent["id"], sub["id"]}
    mine = seats[sub["id"]]
    assert (mine.network_id, mine.mac_address, mine.ip_addresses) == (
        sub["network_id"],
        sub["mac_address"],
        (sub["fixed_ips"][0]["ip_address"],),
    )


@pytest.mark.parametrize("said", ["", "Bearer ", "Bearer hv1.wrong", "Bearer nobody", "Basic aHYxOng="])
def test_who_is_no_node_gets_nothing(cloud: Cloud, said: str) -> None:
    cloud.token("hv1")
    answer = cloud.api.client.request("POST", PATH, content=b"x", headers={"Authorization": said})
    assert answer.status_code == 401


def test_a_nodes_token_is_good_for_no_more(cloud: Cloud) -> None:
    port = cloud.port()
    answer = cloud.own(cloud.token("hv1"), "GET", port["id"])
    assert answer.status_code == 401


def test_what_is_no_question_is_refused(cloud: Cloud) -> None:
    headers = {"Authorization": f"Bearer {cloud.token('hv1')}"}
    for body in (b"", b"\xff", b"\x91" * 100_000, encode(Said(status=1))):
        assert cloud.api.client.request("POST", PATH, content=body, headers=headers).status_code == 400


@pytest.mark.parametrize(("who", "status"), [("admin", 200), ("alice", 200), ("adam", 404), ("bob", 404), ("x", 401)])
def test_members_of_the_ports_project_say_what_there_is_to_tell(cloud: Cloud, who: str, status: int) -> None:
    port = cloud.port()
    assert cloud.own(who, "PUT", port["id"], hostname="a").status_code == status
    assert cloud.own(who, "GET", port["id"]).status_code == status
    assert cloud.own(who, "DELETE", port["id"]).status_code == (204 if status == 200 else status)


# what is given


def test_it_is_for_one_device_and_goes_with_its_port(cloud: Cloud, store: Store) -> None:
    port = cloud.port(name="web1")
    cloud.give(port, hostname="given", user_data=b64encode(b"secret").decode())
    assert cloud.own("alice", "GET", port["id"]).json()["metadata"]["hostname"] == "given"
    changed = {"port": {"device_id": "another"}}
    assert cloud.api("admin", "PUT", f"/ports/{port['id']}", changed).status_code == 200
    assert cloud.asks(port, "/openstack/latest/user_data").status == 404
    assert cloud.reads(port, "/latest/meta-data/hostname") == "web1"
    assert cloud.own("alice", "GET", port["id"]).json() == {"metadata": {}}
    assert cloud.api("admin", "DELETE", f"/ports/{port['id']}").status_code == 204
    with store.read() as tx:
        assert tx.query("metadata") == []


@pytest.mark.parametrize(
    "given",
    [
        {"hostname": "a b"},
        {"hostname": "a\nb"},
        {"hostname": "-a"},
        {"hostname": "a" * 300},
        {"user_data": "!"},
        {"user_data": b64encode(bytes(MOST_USER_DATA + 1)).decode()},
        {"public_keys": {"a\nb": KEY}},
        {"public_keys": {"a": "k" * 20_000}},
        {"public_keys": {str(number): KEY for number in range(100)}},
        {"public_keys": [KEY]},
        {"meta": {"a": 1}},
        {"more": 1},
    ],
)
def test_what_nobody_could_tell_is_refused(cloud: Cloud, given: Any) -> None:
    assert cloud.own("alice", "PUT", cloud.port()["id"], **given).status_code == 400


def test_a_routers_port_has_none(cloud: Cloud) -> None:
    port = cloud.api.make("admin", "port", network_id=cloud.api.network()["id"], device_owner="network:dhcp")
    assert cloud.own("admin", "PUT", port["id"], hostname="a").status_code == 409


def test_64_kib_of_user_data_are_served_as_they_are(cloud: Cloud) -> None:
    port, data = cloud.port(), bytes(range(256)) * (MOST_USER_DATA // 256)
    cloud.give(port, user_data=b64encode(data).decode())
    assert cloud.asks(port, "/openstack/latest/user_data").body == data
    assert cloud.asks(port, "/latest/user-data").body == data


# the forms


def test_openstacks_form(cloud: Cloud) -> None:
    port = cloud.port(name="web1", device="d1")
    versions = cloud.reads(port, "/openstack").split("\n")
    assert versions[0] == "2012-08-10" and versions[-1] == "latest"
    assert (
        cloud.reads(port, "/openstack/latest/")
        == "meta_data.json\nnetwork_data.json\nvendor_data.json\nvendor_data2.json"
    )
    cloud.give(port, hostname="h", public_keys={"me": KEY}, user_data=b64encode(b"#!").decode(), meta={"role": "web"})
    assert "user_data" in cloud.reads(port, "/openstack/2018-08-27").split()
    told = cloud.json(port, "meta_data")
    assert told["uuid"] == "d1" and told["hostname"] == "h" and told["project_id"] == "red"
    assert told["public_keys"] == {"me": KEY} and told["meta"] == {"role": "web"}
    assert told["keys"] == [{"name": "me", "type": "ssh", "data": KEY}]
    assert cloud.json(port, "vendor_data") == {}
    assert told["random_seed"] != cloud.json(port, "meta_data")["random_seed"]


def test_ec2s_form(cloud: Cloud) -> None:
    port = cloud.port(name="web1")
    assert cloud.reads(port, "/").split("\n")[-1] == "latest"
    assert cloud.reads(port, "/latest") == "meta-data/"
    cloud.give(port, public_keys={"me": KEY, "you": "ssh-rsa B"})
    names = cloud.reads(port, "/2009-04-04/meta-data/").split("\n")
    assert {"hostname", "instance-id", "local-ipv4", "placement/", "public-keys/"} <= set(names)
    assert cloud.reads(port, "/latest/meta-data/local-ipv4") == port["fixed_ips"][0]["ip_address"]
    assert cloud.reads(port, "/latest/meta-data/public-keys/") == "0=me\n1=you"
    assert cloud.reads(port, "/latest/meta-data/public-keys/1/") == "openssh-key"
    assert cloud.reads(port, "/latest/meta-data/public-keys/1/openssh-key") == "ssh-rsa B"
    assert cloud.reads(port, "/latest/meta-data/instance-id").startswith("i-")


def test_the_networks_of_an_instance_are_its_own_ports(cloud: Cloud) -> None:
    six = {"ip_version": 6, "cidr": "2001:db8::/64", "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}
    first = cloud.port(device="d1")
    cloud.api.make("alice", "subnet", network_id=first["network_id"], **six)
    still = cloud.api.network("alice")
    route = {"destination": "192.168.0.0/16", "nexthop": "10.9.0.9"}
    cloud.api.make(
        "alice", "subnet", network_id=still["id"], ip_version=4, cidr="10.9.0.0/24", enable_dhcp=False,
        dns_nameservers=["10.9.0.53"], host_routes=[route],
    )  # fmt: skip
    second = cloud.port(device="d1", network_id=still["id"])
    cloud.port("bob", device="d1")
    told = cloud.json(first, "network_data")
    assert [link["vif_id"] for link in told["links"]] == [first["id"], second["id"]]
    assert told["links"][0]["ethernet_mac_address"] == first["mac_address"] and told["links"][0]["mtu"] == 1400
    assert told["networks"][0]["type"] == "ipv4_dhcp"
    fixed = told["networks"][-1]
    assert (fixed["type"], fixed["netmask"], fixed["link"]) == ("ipv4", "255.255.255.0", told["links"][1]["id"])
    assert fixed["ip_address"] == second["fixed_ips"][0]["ip_address"]
    everywhere = {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.9.0.1"}
    assert fixed["routes"] == [everywhere, {"network": "192.168.0.0", "netmask": "255.255.0.0", "gateway": "10.9.0.9"}]
    assert told["services"] == [{"type": "dns", "address": "10.9.0.53"}]


def test_a_sub_port_is_its_trunks_instance(cloud: Cloud) -> None:
    network = cloud.api.network("alice", "10.0.0.0/24")["id"]
    parent = cloud.api.make("alice", "port", network_id=network)
    sub = cloud.api.make("alice", "port", network_id=network)
    tagged = {"port_id": sub["id"], "segmentation_type": "vlan", "segmentation_id": 7}
    cloud.api.make("alice", "trunk", port_id=parent["id"], sub_ports=[tagged])
    bound = {"binding:host_id": "hv1", "device_id": "d1", "device_owner": "compute:nova", "name": "parent"}
    assert cloud.api("admin", "PUT", f"/ports/{parent['id']}", {"port": bound}).status_code == 200
    assert cloud.json(sub, "meta_data")["uuid"] == "d1"
    cloud.give(parent, hostname="trunk")
    assert cloud.reads(sub, "/latest/meta-data/hostname") == "trunk"


@pytest.mark.parametrize(
    ("name", "told"), [("web 1", "web-1"), ("_", "host-10-0-0-"), ("", "host-10-0-0-"), ("ö" * 80, "host-10-0-0-")]
)
def test_a_host_name_is_made_of_what_there_is(cloud: Cloud, name: str, told: str) -> None:
    assert cloud.reads(cloud.port(name=name), "/latest/meta-data/hostname").startswith(told)


@pytest.mark.parametrize(
    "target",
    [
        "/latest/meta-data/hostname/more",
        "/nothing",
        "/openstack/1999",
        "/openstack/latest/../../etc",
        "/latest/user-data",
    ],
)
def test_what_is_not_there_is_not_found(cloud: Cloud, target: str) -> None:
    assert cloud.asks(cloud.port(), target).status == 404


def test_nothing_is_written_this_way(cloud: Cloud) -> None:
    assert cloud.asks(cloud.port(), "/openstack/latest/password", method="POST").status == 405


@settings(max_examples=examples(60))
@property_of(target=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
def test_any_path_has_an_answer(target: str) -> None:
    """Whatever a VM writes: urlsplit raises for some."""
    from netweft.control.metadata.documents import parts

    assert all(isinstance(part, str) and "/" not in part for part in parts(f"/{target}"))


# Nova


def test_with_a_nova_requests_are_in_the_instances_name(make_cloud: MakeCloud) -> None:
    nova = Nova()
    cloud = make_cloud(nova)
    port = cloud.port(device="d1")
    assert cloud.asks(port, "/openstack/latest/meta_data.json?x=1").body == b"Nova's"
    assert nova.asked == [
        {
            "method": "GET",
            "target": "/openstack/latest/meta_data.json?x=1",
            "body": b"",
            "instance_id": "d1",
            "project_id": "red",
            "address": "10.0.0.9",
        }
    ]
    assert cloud.asks(port, "/", node="hv2").status == 404
    assert cloud.asks(cloud.port(device=""), "/").status == 404
    assert len(nova.asked) == 1


def test_nova_gets_the_project_of_the_port_not_of_the_instance_it_names(make_cloud: MakeCloud) -> None:
    """Who writes another's instance into his port is not taken for him: Nova compares."""
    nova = Nova()
    cloud = make_cloud(nova)
    cloud.port("alice", device="d1")
    cloud.asks(cloud.port("bob", device="d1"), "/")
    assert nova.asked[0]["project_id"] == BLUE
