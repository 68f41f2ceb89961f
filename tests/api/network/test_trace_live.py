"""Real packets at the API: whose are watched, where, and who is told what; nodes are played by a stand-in."""

import base64
import json
from typing import Any

import pytest
from tests.api.network.conftest import Api, refused
from tests.api.network.l3.test_interfaces import subnet
from tests.api.network.test_explain import UNDERLAY
from tests.api.network.test_trace import PATH, TCP, Pair, asking, reports_at

from netweft.feed.queries import Silence
from netweft.store import Object, Store
from netweft.wire.captures import Caught, Frame, Watch
from netweft.wire.queries import Answer, Ask

DATA = b"the frame as the VM sees it"


class Watching:
    """Nodes: the first that is asked for the third time, when all have begun to watch, tells its frames, once."""

    def __init__(self, *frames: Frame) -> None:
        self.frames = frames
        self.asked: list[tuple[str, Watch]] = []
        self.told: set[str] = set()
        self.silent = False

    async def ask(self, node: str, question: Ask) -> Answer | Silence:
        watch = question.watch
        if watch is None or self.silent:
            return Silence("it is silent")
        turn = sum(host == node and one.id == watch.id for host, one in self.asked)
        self.asked.append((node, watch))
        if watch.over:
            return Answer(id="")
        frames = self.frames if turn == 2 and watch.id not in self.told else ()
        self.told |= {watch.id} if frames else set()
        return Answer(id="", caught=Caught(frames=frames, ports=watch.ports, interfaces=("tap",)))


@pytest.fixture
def there(api: Api, store: Store) -> Pair:
    return Pair(api, store)


def ends(there: Pair) -> list[str]:
    return [str(one["fixed_ips"][0]["ip_address"]) for one in (there.other, there.port)]


def frames(there: Pair, *, arrives: bool) -> list[Frame]:
    src, dst = ends(there)
    its: dict[str, Any] = {
        "src": src,
        "dst": dst,
        "protocol": 6,
        "sport": 40000,
        "dport": 443,
        "flags": "S",
        "print": "p",
    }
    sent = Frame(interface="tapdb", port_id=there.other["id"], data=DATA, length=74, at=1.5, **its)
    between = Frame(interface="eth0", out=True, tunnel="vxlan", at=1.55, **its)
    given = Frame(interface="tapweb", port_id=there.port["id"], out=True, data=DATA, length=74, at=1.6, **its)
    return [sent, between, *([given] if arrives else [])]


def live(api: Api, frm: str, to: str, who: str = "alice", **more: Any) -> Object:
    body = {"from": frm, "to": to, **TCP, "live": {"seconds": 60, **more}}
    answer = api(who, "POST", PATH, {"trace": body})
    assert answer.status_code == 200, answer.text
    found: Object = answer.json()["trace"]
    return found


def test_a_packet_and_what_became_of_it(api: Api, store: Store, there: Pair) -> None:
    node = Watching(*frames(there, arrives=True))
    told = live(asking(api, store, node), "db", "web", capture=True)  # type: ignore[arg-type]
    assert (told["passes"], told["live"]["caught"], told["live"]["arrived"]) == (True, 1, True)
    assert told["live"]["packet"]["sport"] == 40000
    assert str(told["forward"]["steps"][0]["packet"]).startswith(f"tcp {ends(there)[0]}:40000 ->"), (
        "what came is traced"
    )
    assert [(one["port_id"], one["out"]) for one in told["live"]["seen"]] == [
        (there.other["id"], False), (there.port["id"], True),
    ]  # fmt: skip
    assert [base64.b64decode(one["data"]) for one in told["live"]["packets"]] == [DATA, DATA]
    assert not [one for one in UNDERLAY if one in json.dumps(told)], "nothing of the underlay"
    assert "eth0" not in json.dumps(told)
    assert node.asked[-1][1].over, "it is ended"
    (started,) = {one.ports for _, one in node.asked if not one.over}
    assert set(started) == {there.other["id"], there.port["id"]}


def test_an_admin_sees_all_places(api: Api, store: Store, there: Pair) -> None:
    told = live(asking(api, store, Watching(*frames(there, arrives=True))), "db", "web", "admin")  # type: ignore[arg-type]
    assert [one["interface"] for one in told["live"]["seen"]] == ["tapdb", "eth0", "tapweb"]
    assert told["live"]["packets"] == [], "not asked for"


def test_what_is_dropped_is_shown_with_its_cause(api: Api, store: Store, there: Pair) -> None:
    for one in api.get("alice", "/security-group-rules")["security_group_rules"]:
        if one["direction"] == "ingress":
            assert api("alice", "DELETE", f"/security-group-rules/{one['id']}").status_code == 204
    told = live(asking(api, store, Watching(*frames(there, arrives=False))), "db", "web")  # type: ignore[arg-type]
    assert (told["passes"], told["live"]["arrived"]) == (False, False)
    assert told["findings"][0]["code"] == "no-rule-lets-it-in"


def test_what_is_lost_for_no_reason_that_is_seen(api: Api, store: Store, there: Pair) -> None:
    asks = asking(api, store, Watching(*frames(there, arrives=False)))  # type: ignore[arg-type]
    told = live(asks, "db", "web", "admin")
    assert (told["passes"], [one["code"] for one in told["findings"]]) == (False, ["packet-lost"])
    assert "tapdb" in told["findings"][0]["detail"]
    told = live(asking(api, store, Watching()), "db", "web", seconds=1)  # type: ignore[arg-type]
    assert told["live"]["caught"] == 0
    assert (told["passes"], told["live"]["why"]) == (None, "no such packet came")


def test_a_node_that_says_nothing(api: Api, store: Store, there: Pair) -> None:
    node = Watching()
    node.silent = True
    told = live(asking(api, store, node), "db", "web", "admin", seconds=1)  # type: ignore[arg-type]
    assert told["passes"] is None
    assert "live: hv-secret: it is silent" in told["unseen"]
    assert live(asking(api, store, node), "db", "web", seconds=1)["unseen"] == ["openvswitch"]  # type: ignore[arg-type]


def test_anothers_packets_are_not_watched_whatever_addresses_are_given(api: Api, store: Store, there: Pair) -> None:
    """Bob has the same addresses on a network of his own: his port's interface is watched, and segments of his."""
    mine = subnet(api, "10.0.0.0/24", "bob")
    port = api.make("bob", "port", network_id=mine["network_id"], name="bobs")
    reports_at(api, port)
    network = api.get("admin", f"/networks/{mine['network_id']}")["network"]
    node = Watching(*frames(there, arrives=True))
    asks = asking(api, store, node)  # type: ignore[arg-type]
    address = next(one for one in ends(there) if one != port["fixed_ips"][0]["ip_address"])
    pairs = (("bobs", address), (address, "bobs"), ("bobs", there.floating_ip["floating_ip_address"]))
    for frm, to in pairs:
        answer = asks("bob", "POST", PATH, {"trace": {"from": frm, "to": to, **TCP, "live": {"seconds": 1}}})
        assert answer.status_code in (200, 404), answer.text
        for one in (there.port["id"], there.other["id"], base64.b64encode(DATA).decode()):
            assert one not in answer.text
    assert node.asked
    for _, watch in node.asked:
        assert set(watch.ports) <= {port["id"]}
        assert {one.key for one in watch.of} <= {network["provider:segmentation_id"]}


def test_who_may_not_change_a_port_sees_no_packet_of_it(api: Api, store: Store, there: Pair) -> None:
    node = Watching(*frames(there, arrives=True))
    body = {"trace": {"from": "db", "to": "web", **TCP, "live": {}}}
    assert refused(asking(api, store, node)("adam", "POST", PATH, body))[0] == 403  # type: ignore[arg-type]
    assert node.asked == []


WRONG: list[dict[str, Any]] = [
    {"seconds": 0}, {"seconds": 121}, {"seconds": "x"}, {"packets": 0}, {"packets": 101}, {"bytes": 1}, {"bytes": 9999},
    {"more": 1}, {"dropped": "yes"}, {"seconds": None},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_is_refused(api: Api, there: Pair, wrong: dict[str, Any]) -> None:
    body = {"trace": {"from": "db", "to": "web", **TCP, "live": wrong}}
    assert refused(api("alice", "POST", PATH, body))[0] == 400


def test_it_goes_with_nothing_that_is_not_real(api: Api, there: Pair) -> None:
    real: list[dict[str, Any]] = [{"probe": True}, {"what_if": {}}]
    for more in real:
        body = {"trace": {"from": "db", "to": "web", **TCP, "live": {}, **more}}
        assert refused(api("alice", "POST", PATH, body))[0] == 400
