"""The feed for who is no node: whoever follows it from any place on has what the API shows them, and no more."""

import random
from typing import Any

import pytest
from tests.api.network.conftest import PEOPLE, Api
from tests.api.network.test_rbac import share

from netweft.api.app import resources
from netweft.api.stream import reading
from netweft.api.stream.policies import told
from netweft.api.stream.reading import Event, Reading, Told
from netweft.settings import ServerSettings
from netweft.store import ChangesGone, Store
from netweft.store.transaction import ReadTransaction

KINDS = ("networks", "subnets", "ports", "security_groups")


@pytest.fixture
def kinds(api: Api, store: Store) -> dict[str, Told]:
    for who in ("admin", "alice", "bob"):
        api.get(who, "/security-groups")  # makes the project's default one
    found = told(resources(store, ServerSettings()), store)
    return {kind: found[kind] for kind in KINDS}


class Mirror:
    """A follower: what it holds, and its place.  `whole`: how often it was told everything."""

    def __init__(self, store: Store, kinds: dict[str, Told], who: str) -> None:
        self.store, self.kinds, self.who = store, kinds, who
        self.place, self.whole, self.told = "", 0, 0
        self.objects: dict[tuple[str, str], Any] = {}
        self._marked: set[tuple[str, str]] | None = None
        self.come_again()

    def come_again(self) -> None:
        self._marked = None
        self.reading = Reading(self.store, self.kinds, PEOPLE[self.who], self.place)

    def follow(self, most: int = 1000) -> "Mirror":
        """Until there is nothing new, or so many looks were taken."""
        for _ in range(most):
            events = self.reading.more()
            for event in events:
                self._take(event)
            if not events and not self.reading.soon:
                break
        return self

    def _take(self, event: Event) -> None:
        match event:
            case {"event": "whole"}:
                self._marked, self.whole = set(), self.whole + 1
            case {"event": "changed", "kind": kind, "objects": objects}:
                self.told += len(objects)
                self.objects |= {(kind, one["id"]): one for one in objects}
                self._mark((kind, one["id"]) for one in objects)
            case {"event": "unchanged", "kind": kind, "ids": ids}:
                self._mark((kind, id) for id in ids)
            case {"event": "gone", "kind": kind, "ids": ids}:
                for id in ids:
                    self.objects.pop((kind, id), None)
            case {"event": "place", "place": place}:
                if self._marked is not None:
                    self.objects = {key: one for key, one in self.objects.items() if key in self._marked}
                    self._marked = None
                self.place = place

    def _mark(self, keys: Any) -> None:
        if self._marked is not None:
            self._marked |= set(keys)

    def ids(self, kind: str) -> set[str]:
        return {id for of, id in self.objects if of == kind}


def shown(api: Api, who: str) -> dict[tuple[str, str], Any]:
    lists = {kind: api.get(who, f"/{kind.replace('_', '-')}")[kind] for kind in KINDS}
    return {(kind, one["id"]): one for kind, found in lists.items() for one in found}


@pytest.mark.parametrize("who", ["admin", "alice", "bob", "adam"])
def test_it_has_what_the_api_shows(api: Api, store: Store, kinds: dict[str, Told], who: str) -> None:
    mirror = Mirror(store, kinds, who).follow()
    network = api.network("alice", "10.0.0.0/24", name="one")
    api.make("alice", "port", network_id=network["id"], name="p")
    api.network("bob", "10.1.0.0/24", name="bob's")
    assert mirror.follow().objects == shown(api, who) and mirror.whole == 1
    api("alice", "PUT", f"/networks/{network['id']}", {"network": {"name": "two"}})
    assert mirror.follow().objects == shown(api, who)
    assert Mirror(store, kinds, who).follow().objects == shown(api, who)


def test_a_tenant_hears_no_id_of_others(api: Api, store: Store, kinds: dict[str, Told]) -> None:
    heard: list[Event] = []
    bobs = Reading(store, kinds, PEOPLE["bob"])
    network = api.network("alice", "10.0.0.0/24", name="secret")
    port = api.make("alice", "port", network_id=network["id"])
    heard += [event for _ in range(20) for event in bobs.more()]
    api("alice", "DELETE", f"/ports/{port['id']}")
    api("alice", "DELETE", f"/networks/{network['id']}")
    heard += [event for _ in range(20) for event in bobs.more()]
    assert not [one for one in (network["id"], port["id"], "secret") if one in str(heard)]


def test_sharing_begins_and_ends(api: Api, store: Store, kinds: dict[str, Told]) -> None:
    network = api.network("alice", "10.0.0.0/24", name="lent")
    bobs = Mirror(store, kinds, "bob").follow()
    away = Mirror(store, kinds, "bob").follow()
    assert bobs.ids("networks") == set()
    entry = share(api, "network", network)
    assert bobs.follow().ids("networks") == {network["id"]} and len(bobs.ids("subnets")) == 1
    away.come_again()
    assert away.follow().objects == bobs.objects == shown(api, "bob")
    api("alice", "DELETE", f"/rbac-policies/{entry['id']}")
    away.come_again()
    assert bobs.follow().objects == away.follow().objects == shown(api, "bob")
    assert bobs.ids("networks") == set()


@pytest.mark.parametrize("who", ["admin", "alice"])
def test_a_returning_caller_gets_the_difference(api: Api, store: Store, kinds: dict[str, Told], who: str) -> None:
    kept = api.network("alice", "10.0.0.0/24", name="kept")
    gone = api.network("alice", "10.1.0.0/24", name="gone")
    mirror = Mirror(store, kinds, who).follow()
    mirror.told = 0
    api("alice", "DELETE", f"/networks/{gone['id']}")
    new = api.network("alice", name="new")
    mirror.come_again()
    assert mirror.follow().ids("networks") == {kept["id"], new["id"]} and mirror.told == 1
    assert mirror.objects == shown(api, who)


def test_a_place_of_somebody_else_or_of_another_database_is_worth_nothing(
    api: Api, store: Store, kinds: dict[str, Told]
) -> None:
    api.network("alice", name="hers")
    place = Mirror(store, kinds, "alice").follow().place
    history, revision, view = place.split(".")
    for given in (place, f"other.{revision}.{view}", f"{history}.{10**30}.{view}", "x", "..", f"{history}.-1.{view}"):
        bobs = Mirror(store, kinds, "bob")
        bobs.place = given
        bobs.come_again()
        assert bobs.follow().whole == 1 and bobs.objects == shown(api, "bob")
    fewer = {"ports": kinds["ports"]}
    alices = Mirror(store, fewer, "alice")
    alices.place = place
    alices.come_again()
    assert alices.follow().whole == 1


def test_who_is_away_for_longer_than_the_log_reaches(
    api: Api, store: Store, kinds: dict[str, Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = Mirror(store, kinds, "admin").follow()
    api.network("alice", name="n")
    reads, pruned = ReadTransaction.changes, int(mirror.place.split(".")[1])

    def gone(self: ReadTransaction, after: int, limit: int = 1000) -> Any:
        if after <= pruned:
            raise ChangesGone
        return reads(self, after, limit)

    monkeypatch.setattr(ReadTransaction, "changes", gone)
    assert mirror.follow().whole == 2 and mirror.objects == shown(api, "admin")


def test_it_is_sent_in_pieces_of_bounded_size(
    api: Api, store: Store, kinds: dict[str, Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE", 3)
    monkeypatch.setattr(reading, "IDS", 4)
    made = api.make_many("alice", "network", [{"name": f"n{at}"} for at in range(10)])
    mirror = Mirror(store, kinds, "alice")
    sizes = [len(event.get("objects", ())) for _ in range(30) for event in mirror.reading.more()]
    assert max(sizes) == 3 and sum(sizes) >= 10
    mirror.come_again()
    mirror.follow()
    for one in made:
        api("alice", "DELETE", f"/networks/{one['id']}")
    assert mirror.follow().objects == shown(api, "alice")


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_and_wherever_it_is_cut_off(
    api: Api, store: Store, kinds: dict[str, Told], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Followers of three projects, one of them slow, all cut off now and then, agree with the API in the end."""
    monkeypatch.setattr(reading, "PAGE", 2)
    dice = random.Random(seed)
    mirrors = [Mirror(store, kinds, who) for who in ("admin", "alice", "bob")]
    networks: list[Any] = []
    shares: list[Any] = []
    for _ in range(25):
        match dice.randrange(6):
            case 0 | 1:
                networks.append(api.network(dice.choice(["alice", "bob"]), name="n"))
            case 2 if networks:
                one = dice.choice(networks)
                api("admin", "PUT", f"/networks/{one['id']}", {"network": {"name": str(dice.random())}})
            case 3 if networks:
                one = networks.pop(dice.randrange(len(networks)))
                api("admin", "DELETE", f"/networks/{one['id']}")
            case 4 if networks:
                one = dice.choice(networks)
                wanted = {"object_type": "network", "object_id": one["id"], "action": "access_as_shared"}
                answer = api("admin", "POST", "/rbac-policies", {"rbac_policy": wanted | {"target_tenant": "*"}})
                shares += [answer.json()["rbac_policy"]] if answer.status_code == 201 else []
            case 5 if shares:
                api("admin", "DELETE", f"/rbac-policies/{shares.pop()['id']}")
        for mirror in mirrors:
            mirror.follow(most=dice.randrange(3))
            if dice.random() < 0.2:
                mirror.come_again()
    for mirror in mirrors:
        assert mirror.follow().objects.keys() == shown(api, mirror.who).keys()
        names = {id: one["name"] for (kind, id), one in mirror.objects.items() if kind == "networks"}
        assert names == {one["id"]: one["name"] for one in api.get(mirror.who, "/networks")["networks"]}


@pytest.mark.parametrize(
    "query", ["kinds=ports,nothing", "kinds=", "wait=x", "wait=-1", "wait=100000", "since=1", "wait=1.5"]
)
def test_a_bad_argument_is_named(api: Api, query: str) -> None:
    answer = api("alice", "GET", f"/netweft/feed?{query}")
    assert answer.status_code == 400
    assert query.split("=")[0] in answer.json()["NeutronError"]["message"]
    assert api("nobody", "GET", "/netweft/feed").status_code == 401
