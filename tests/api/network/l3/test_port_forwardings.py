"""Port forwardings: made, changed, taken away, and everything that needs them or that they need."""

from typing import Any

import pytest
from tests.api.network.conftest import Api, refused
from tests.api.network.test_parts_paged import asked, walk

from netweft.control.l3.forwardings import MOST_FLOWS
from netweft.store import Object

from .test_floating_ips import BAD, FREE, NOWHERE, Place, address, change, get, leads, make, place, try_make
from .test_gateways import external, to
from .test_interfaces import act, add, subnet


@pytest.fixture
def there(api: Api) -> Place:
    return place(api, external(api, "192.0.2.0/24"))


@pytest.fixture
def free(api: Api, there: Place) -> Object:
    return make(api, there.outside)


def path(floating_ip: Object, forwarding: Object | None = None) -> str:
    own = f"/floatingips/{floating_ip['id']}/port_forwardings"
    return f"{own}/{forwarding['id']}" if forwarding else own


def wanted(port: Object, **values: Any) -> Object:
    """80 inside, 8080 outside, in TCP."""
    ports = {} if "external_port_range" in values else {"internal_port": 80, "external_port": 8080}
    inside = {"internal_port_id": port["id"], "internal_ip_address": address(port), "protocol": "tcp"}
    return inside | ports | values


def ask(api: Api, floating_ip: Object, port: Object, who: str = "alice", **values: Any) -> Any:
    return api(who, "POST", path(floating_ip), {"port_forwarding": wanted(port, **values)})


def forward(api: Api, floating_ip: Object, port: Object, who: str = "alice", **values: Any) -> Object:
    answer = ask(api, floating_ip, port, who, **values)
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()["port_forwarding"]
    return made


def test_the_life_of_a_forwarding(api: Api, there: Place, free: Object) -> None:
    assert free["port_forwardings"] == []
    made = forward(api, free, there.port, description="d")
    assert made == {
        "id": made["id"],
        "internal_port_id": there.port["id"],
        "internal_ip_address": address(there.port),
        "internal_port": 80,
        "internal_port_range": "80:80",
        "external_port": 8080,
        "external_port_range": "8080:8080",
        "protocol": "tcp",
        "description": "d",
    }
    assert api.get("alice", path(free, made))["port_forwarding"] == made
    assert api.get("alice", path(free))["port_forwardings"] == [made]
    led = get(api, free)
    assert leads(led) == (None, None, there.router["id"])
    assert led["revision_number"] == free["revision_number"] + 1
    shown = {n: v for n, v in made.items() if n != "description" and not n.endswith("range")}
    assert led["port_forwardings"] == [shown]
    changed = api("alice", "PUT", path(free, made), {"port_forwarding": {"internal_port": 3333, "description": ""}})
    now = made | {"internal_port": 3333, "internal_port_range": "3333:3333", "description": ""}
    assert changed.json()["port_forwarding"] == now
    assert api("alice", "DELETE", path(free, made)).status_code == 204
    assert refused(api("alice", "GET", path(free, made))) == (404, "PortForwardingNotFound")
    assert leads(get(api, free)) == FREE
    assert not [name for name in api.get("alice", f"/ports/{there.port['id']}")["port"] if name.startswith("netweft:")]


@pytest.mark.parametrize(
    ("values", "external", "internal"),
    [
        ({"external_port_range": "100:110", "internal_port_range": "200:210"}, "100:110", "200:210"),
        ({"external_port_range": "100:110", "internal_port": 53}, "100:110", "53:53"),
        ({"external_port_range": "100", "internal_port_range": "53"}, "100:100", "53:53"),
        ({"external_port_range": "1:65535", "internal_port_range": "1:65535"}, "1:65535", "1:65535"),
    ],
)
def test_ranges(api: Api, there: Place, free: Object, values: Object, external: str, internal: str) -> None:
    made = forward(api, free, there.port, **values)
    assert (made["external_port_range"], made["internal_port_range"]) == (external, internal)
    assert ("external_port" in made) == (external == "100:100")
    assert ("internal_port" in made) == (internal == "53:53")


@pytest.mark.parametrize(
    "values",
    [
        {"external_port_range": "100:110", "internal_port_range": "200:209"},
        {"external_port_range": "110:100", "internal_port_range": "110:100"},
        {"external_port_range": "100:70000", "internal_port_range": "100:70000"},
        {"external_port_range": "1:2:3", "internal_port": 1},
        {"external_port_range": "٣:٤", "internal_port": 1},
        {"external_port_range": "100:110", "external_port": 100, "internal_port": 1},
        {"external_port": 0},
        {"internal_port": 65536},
        {"external_port": None},
        {"protocol": "icmp"},
        {"protocol": None},
        {"internal_ip_address": "10.0.0.250"},
        {"internal_ip_address": "fd00::1"},
        {"internal_ip_address": None},
        {"description": "x" * 1025},
        {"external_port_range": f"1:{MOST_FLOWS + 1}", "internal_port_range": f"2:{MOST_FLOWS + 2}"},
    ],
)
def test_what_is_not_taken(api: Api, there: Place, free: Object, values: Object) -> None:
    answer = ask(api, free, there.port, **values)
    assert answer.status_code == 400, answer.text
    assert api.get("alice", path(free))["port_forwardings"] == []
    assert leads(get(api, free)) == FREE


def test_more_flows_than_one_address_may_have(api: Api, there: Place, free: Object) -> None:
    """Of ports that keep their numbers there may be any number."""
    half = MOST_FLOWS // 2
    forward(api, free, there.port, external_port_range=f"1:{half}", internal_port_range=f"2:{half + 1}")
    shifted = {"external_port_range": f"5000:{5000 + half}", "internal_port_range": f"7000:{7000 + half}"}
    assert refused(ask(api, free, there.port, **shifted)) == BAD
    same = f"5000:{5000 + 9 * half}"
    forward(api, free, there.port, external_port_range=same, internal_port_range=same)


@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp", 6, "17", "SCTP"])
def test_protocols(api: Api, there: Place, free: Object, protocol: Any) -> None:
    made = forward(api, free, there.port, protocol=protocol)
    assert made["protocol"] in ("tcp", "udp", "sctp")


def test_one_port_leads_to_one_place(api: Api, there: Place, free: Object) -> None:
    """Of the same protocol; and one place is led to by one port."""
    other = api.make("alice", "port", network_id=there.port["network_id"])
    second = make(api, there.outside)
    forward(api, free, there.port, external_port_range="100:110", internal_port_range="100:110")
    assert refused(ask(api, free, other, external_port=110)) == BAD
    assert refused(ask(api, free, there.port, external_port=200, internal_port=105)) == BAD
    assert refused(ask(api, second, there.port, external_port=200, internal_port=105)) == BAD
    forward(api, free, other, external_port=110, internal_port=105, protocol="udp")
    forward(api, second, other, external_port=110, internal_port=105)
    moved = forward(api, free, other, external_port=111, internal_port=111)
    for clash in ({"external_port": 105}, {"external_port_range": "90:120", "internal_port_range": "290:320"}):
        assert refused(api("alice", "PUT", path(free, moved), {"port_forwarding": clash})) == BAD
    assert api("alice", "PUT", path(free, moved), {"port_forwarding": {"protocol": "sctp"}}).status_code == 200


def test_it_goes_to_another_port(api: Api, there: Place, free: Object) -> None:
    other = api.make("alice", "port", network_id=there.port["network_id"])
    made = forward(api, free, there.port)
    changed = api("alice", "PUT", path(free, made), {"port_forwarding": {"internal_port_id": other["id"]}}).json()
    assert changed["port_forwarding"]["internal_ip_address"] == address(other)
    assert api("alice", "DELETE", f"/ports/{there.port['id']}").status_code == 204
    assert api.get("alice", path(free))["port_forwardings"] == [changed["port_forwarding"]]
    assert api("alice", "DELETE", f"/ports/{other['id']}").status_code == 204
    assert api.get("alice", path(free))["port_forwardings"] == []
    assert leads(get(api, free)) == FREE


def test_its_address_goes_and_so_does_it(api: Api, there: Place, free: Object) -> None:
    """Nothing else of the floating IP does."""
    two = [{"subnet_id": there.subnet["id"]}, {"subnet_id": there.subnet["id"]}]
    port = api.make("alice", "port", network_id=there.port["network_id"], fixed_ips=two)
    one, other = (fixed["ip_address"] for fixed in port["fixed_ips"])
    forward(api, free, port, internal_ip_address=one, external_port=1)
    kept = forward(api, free, port, internal_ip_address=other, external_port=2)
    fixed = {"fixed_ips": [{"subnet_id": there.subnet["id"], "ip_address": other}]}
    assert api("alice", "PUT", f"/ports/{port['id']}", {"port": fixed}).status_code == 200
    assert api.get("alice", path(free))["port_forwardings"] == [kept]
    assert leads(get(api, free))[2] == there.router["id"]


def test_a_floating_ip_forwards_or_leads_to_a_port(api: Api, there: Place, free: Object) -> None:
    forward(api, free, there.port)
    other = api.make("alice", "port", network_id=there.port["network_id"])
    in_use = (409, "FipInUseByPortForwarding")
    assert refused(change(api, free, port_id=other["id"])) == in_use
    assert refused(api("alice", "DELETE", f"/floatingips/{free['id']}")) == in_use
    assert change(api, free, port_id=None, description="x").status_code == 200
    assert leads(get(api, free))[2] == there.router["id"], "it leads nowhere else, and goes on forwarding"
    second = make(api, there.outside)
    has = (400, "PortHasPortForwarding")
    assert refused(change(api, second, port_id=there.port["id"])) == has
    assert refused(try_make(api, there.outside, port_id=there.port["id"])) == has
    led = make(api, there.outside, port_id=other["id"])
    assert refused(ask(api, led, there.port, external_port=1, internal_port=1)) == (
        409,
        "FloatingIPPortAlreadyAssociated",
    )
    assert refused(ask(api, second, other)) == (409, "PortHasBindingFloatingIP")


def test_what_it_needs_stays(api: Api, there: Place, free: Object) -> None:
    forward(api, free, there.port)
    router, interface = there.router, {"subnet_id": there.subnet["id"]}
    assert refused(act(api, router, "remove", "alice", **interface)) == (
        409,
        "RouterInterfaceInUseByFloatingIP",
    )
    answer = api("alice", "PUT", f"/routers/{router['id']}", {"router": {"external_gateway_info": None}})
    assert refused(answer) == (409, "RouterExternalGatewayInUseByFloatingIp")
    assert api("alice", "DELETE", f"/routers/{router['id']}").status_code == 409


def test_by_one_router(api: Api, there: Place, free: Object) -> None:
    beside = subnet(api, "10.9.0.0/24", "alice")
    port = api.make("alice", "port", network_id=beside["network_id"])
    assert refused(ask(api, free, port)) == BAD, "no router between"
    second = api.make("alice", "router", **to(there.outside))
    add(api, second, "alice", subnet_id=beside["id"])
    forward(api, free, there.port)
    assert refused(ask(api, free, port, external_port=1)) == BAD
    forward(api, make(api, there.outside), port)


def test_others(api: Api, there: Place, free: Object) -> None:
    """Whose it is not finds nothing; and nobody forwards to what is not theirs, though they see it."""
    made = forward(api, free, there.port)
    for method, at in (("GET", path(free)), ("POST", path(free)), ("GET", path(free, made)), ("PUT", path(free, made))):
        body = {"port_forwarding": wanted(there.port, external_port=1, internal_port=2)}
        answer = api("bob", method, at, None if method == "GET" else body)
        assert refused(answer) == (404, "FloatingIPNotFound")
    assert refused(api("bob", "DELETE", path(free, made))) == (404, "FloatingIPNotFound")
    theirs = make(api, there.outside, "bob")
    assert refused(ask(api, theirs, there.port, "bob", external_port=1, internal_port=2)) == (404, "PortNotFound")
    assert refused(api("bob", "GET", path(theirs, made))) == (404, "PortForwardingNotFound")
    assert refused(api("bob", "DELETE", path(theirs, made))) == (404, "PortForwardingNotFound")
    given = api.make("admin", "port", network_id=there.port["network_id"], project_id="green")
    assert refused(ask(api, free, given, external_port=1)) == BAD
    assert refused(api("alice", "PUT", path(free, made), {"port_forwarding": {"internal_port_id": given["id"]}})) == BAD
    forward(api, free, given, "admin", external_port=1)


def test_many_at_once_and_all_or_nothing(api: Api, there: Place, free: Object) -> None:
    def post(*ports: int) -> Any:
        every = [wanted(there.port, external_port=port, internal_port=port) for port in ports]
        return api("alice", "POST", path(free), {"port_forwardings": every})

    assert refused(post(1, 2, 1)) == BAD
    assert api.get("alice", path(free))["port_forwardings"] == []
    assert len(post(1, 2, 3).json()["port_forwardings"]) == 3
    assert len(get(api, free)["port_forwardings"]) == 3


def test_lists(api: Api, there: Place, free: Object) -> None:
    for port in (30, 10, 20):
        forward(api, free, there.port, external_port=port, internal_port=port + 1)
    whole = forward(api, free, there.port, external_port_range="40:50", internal_port_range="40:50")

    def listed(query: str) -> list[Any]:
        return [one.get("external_port") for one in asked(api, path(free), query)[0]]

    assert listed("sort_key=external_port") == [None, 10, 20, 30]
    assert listed("external_port=20") == [20]
    assert listed("external_port_range=40:50") == [None]
    assert sorted(listed(f"protocol=tcp&internal_port_id={there.port['id']}&limit=9"), key=str) == [10, 20, 30, None]
    pages = walk(api, path(free), "sort_key=external_port&sort_dir=desc&limit=3", "next")
    assert [[one.get("external_port") for one in page] for page in pages] == [[30, 20, 10], [None]]
    assert asked(api, path(free), f"id={whole['id']}&fields=protocol")[0] == [{"protocol": "tcp"}]
    for unfiltered in ("internal_port=1", "internal_ip_address=10.0.0.1", "project_id=x"):
        assert api("alice", "GET", f"{path(free)}?{unfiltered}").status_code == 400


def test_no_such_floating_ip_or_forwarding(api: Api, there: Place, free: Object) -> None:
    nowhere = {"id": NOWHERE}
    assert refused(api("alice", "GET", path(nowhere))) == (404, "FloatingIPNotFound")
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"port_forwarding": {"description": "x"}})):
        assert refused(api("alice", method, path(free, nowhere), body)) == (404, "PortForwardingNotFound")
    gone = there.port | {"id": NOWHERE}
    assert refused(ask(api, free, gone)) == (404, "PortNotFound")
