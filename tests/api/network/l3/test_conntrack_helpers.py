"""A router's conntrack helpers: made, changed, taken away; those that the datapath has, and no others."""

from typing import Any

import pytest
from tests.api.network.conftest import Api, refused

from netweft.control.l3.conntrack_helpers import MOST
from netweft.store import Object

FTP = {"helper": "ftp", "protocol": "tcp", "port": 21}
TFTP = {"helper": "tftp", "protocol": "udp", "port": 69}


@pytest.fixture
def router(api: Api) -> Object:
    return api.make("alice", "router")


def path(router: Object, helper: Object | None = None) -> str:
    own = f"/routers/{router['id']}/conntrack_helpers"
    return f"{own}/{helper['id']}" if helper else own


def ask(api: Api, router: Object, wanted: Any, who: str = "alice") -> Any:
    return api(who, "POST", path(router), {"conntrack_helper": wanted})


def make(api: Api, router: Object, wanted: Object) -> Object:
    answer = ask(api, router, wanted)
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()["conntrack_helper"]
    return made


def listed(api: Api, router: Object, query: str = "", who: str = "alice") -> list[Object]:
    found: list[Object] = api.get(who, path(router) + query)["conntrack_helpers"]
    return found


def message(answer: Any) -> str:
    return str(answer.json()["NeutronError"]["message"])


def test_the_aliases(api: Api) -> None:
    for alias in ("l3-conntrack-helper", "expose-l3-conntrack-helper"):
        assert api.get("alice", f"/extensions/{alias}")["extension"]["alias"] == alias


def test_the_life_of_a_helper(api: Api, router: Object) -> None:
    assert router["conntrack_helpers"] == []
    made = make(api, router, FTP)
    assert made == {"id": made["id"], **FTP}
    assert api.get("alice", path(router, made)) == {"conntrack_helper": made}
    after = api.get("alice", f"/routers/{router['id']}")["router"]
    assert after["conntrack_helpers"] == [FTP]
    assert after["revision_number"] == router["revision_number"] + 1
    (seen,) = api.get("alice", f"/routers?id={router['id']}&fields=conntrack_helpers")["routers"]
    assert seen == {"conntrack_helpers": [FTP]}
    changed = api("alice", "PUT", path(router, made), {"conntrack_helper": {"port": "2121"}})
    assert changed.json() == {"conntrack_helper": made | {"port": 2121}}
    assert api("alice", "DELETE", path(router, made)).status_code == 204
    assert listed(api, router) == []
    assert refused(api("alice", "GET", path(router, made))) == (404, "ConntrackHelperNotFound")


def test_what_there_is_not_is_refused_with_what_there_is(api: Api, router: Object) -> None:
    answer = ask(api, router, FTP | {"helper": "sip"})
    assert refused(answer) == (400, "ConntrackHelperNotAllowed")
    assert message(answer) == "Conntrack Helper sip is not allowed. Allowed are: ftp, tftp."
    answer = ask(api, router, FTP | {"protocol": "udp"})
    assert refused(answer) == (400, "InvalidProtocolForHelper")
    assert message(answer).endswith("does not support the protocol udp. Supported are: tcp.")
    made = make(api, router, TFTP)
    answer = api("alice", "PUT", path(router, made), {"conntrack_helper": {"protocol": "tcp"}})
    assert refused(answer) == (400, "InvalidProtocolForHelper")
    assert listed(api, router) == [made]


def test_two_of_the_same(api: Api, router: Object) -> None:
    make(api, router, FTP)
    answer = ask(api, router, FTP | {"protocol": 6})
    assert refused(answer) == (400, "BadRequest")
    assert "conflicting values are protocol=tcp, port=21, helper=ftp" in message(answer)
    other = make(api, router, FTP | {"port": 2121})
    answer = api("alice", "PUT", path(router, other), {"conntrack_helper": {"port": 21}})
    assert refused(answer) == (400, "BadRequest")
    same = api("alice", "PUT", path(router, other), {"conntrack_helper": {"port": 2121}})
    assert same.json() == {"conntrack_helper": other}
    assert ask(api, api.make("alice", "router"), FTP).status_code == 201, "on another router"


def test_lists(api: Api, router: Object) -> None:
    both = [make(api, router, FTP), make(api, router, TFTP)]
    assert listed(api, router) == sorted(both, key=lambda one: str(one["id"])) or listed(api, router) == both
    assert listed(api, router, "?helper=tftp") == [both[1]]
    assert listed(api, router, "?port=21&fields=port") == [{"port": 21}]
    assert [one["port"] for one in listed(api, router, "?sort_key=port&sort_dir=desc")] == [69, 21]
    page = api.get("alice", path(router) + "?limit=1&sort_key=port")
    assert [one["port"] for one in page["conntrack_helpers"]] == [21]
    assert page["conntrack_helpers_links"][0]["rel"] == "next"


def test_in_bulk(api: Api, router: Object) -> None:
    answer = api("alice", "POST", path(router), {"conntrack_helpers": [FTP, TFTP]})
    assert [one["helper"] for one in answer.json()["conntrack_helpers"]] == ["ftp", "tftp"]
    assert refused(api("alice", "POST", path(router), {"conntrack_helpers": [TFTP | {"port": 7}, FTP]}))[0] == 400
    assert len(listed(api, router)) == 2, "all or none"


def test_no_more_than_so_many(api: Api, router: Object) -> None:
    every = [FTP | {"port": 2000 + number} for number in range(MOST)]
    assert api("alice", "POST", path(router), {"conntrack_helpers": every}).status_code == 201
    assert refused(ask(api, router, FTP)) == (400, "BadRequest")


def test_who_may(api: Api, router: Object) -> None:
    made = make(api, router, FTP)
    assert listed(api, router, who="adam") == [made], "a reader of the project"
    for method, where, body in (
        ("POST", path(router), {"conntrack_helper": TFTP}),
        ("PUT", path(router, made), {"conntrack_helper": {"port": 22}}),
        ("DELETE", path(router, made), None),
    ):
        assert refused(api("adam", method, where, body)) == (403, "PolicyNotAuthorized")
        assert refused(api("bob", method, where, body)) == (404, "RouterNotFound")
    assert refused(api("bob", "GET", path(router))) == (404, "RouterNotFound")
    other = api.make("alice", "router")
    assert refused(api("alice", "GET", path(other, made))) == (404, "ConntrackHelperNotFound")


@pytest.mark.parametrize(
    "wrong",
    [
        *({}, 5, [], {"helper": "ftp", "protocol": "tcp"}),
        *(FTP | {"port": port} for port in (0, 65536, "x")),
        *(FTP | {"helper": helper} for helper in ("x" * 65, {"x": "%s"})),
        *(FTP | more for more in ({"protocol": None}, {"id": "x"})),
    ],
)
def test_what_makes_no_sense(api: Api, router: Object, wrong: Any) -> None:
    assert ask(api, router, wrong).status_code == 400
    assert listed(api, router) == []


def test_routers_do_not_take_them(api: Api, router: Object) -> None:
    update = {"router": {"conntrack_helpers": [FTP]}}
    assert refused(api("alice", "PUT", f"/routers/{router['id']}", update)) == (400, "HTTPBadRequest")
