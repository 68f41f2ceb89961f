"""What Nova is told, and what becomes of its answers."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.model.status import PLUGGED
from netweft.plugins.followers import Unreachable
from netweft.plugins.followers.nova.events import Event, Told, desired, events
from netweft.plugins.followers.nova.follower import TRIES, Answer, NovaEvents
from netweft.reconcile.plan import Step

SERVER, OTHER = "a" * 8 + "-0000-4000-8000-000000000001", "b" * 8 + "-0000-4000-8000-000000000002"
ROW: dict[str, Any] = {
    "id": "p", "device_id": SERVER, "device_owner": "compute:nova", "status": "DOWN",
    "mac_address": "fa:16:3e:00:00:01",
    "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.3"}],
}  # fmt: skip
UP = ROW | {"status": "ACTIVE", PLUGGED: 1}


def names(was: dict[str, Any], now: dict[str, Any] | None) -> list[str]:
    found = list(events("p", desired(was), None if now is None else desired(now)))
    assert all(set(event) == {"name", "server_uuid", "tag", "status"} and event["tag"] == "p" for event in found)
    return [event["name"] for event in found]


def test_each_moment_in_the_life_of_a_port_has_its_event() -> None:
    free = ROW | {"device_id": "", "device_owner": ""}
    moved = UP | {"fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.9"}]}
    assert names(free, ROW) == []
    assert names(ROW, UP) == ["network-vif-plugged"]
    assert names(free, UP) == ["network-vif-plugged"]
    assert names(UP, ROW) == ["network-vif-unplugged"]
    assert names(UP, UP | {PLUGGED: 2}) == ["network-vif-unplugged", "network-vif-plugged"]
    assert names(UP, moved) == ["network-changed"]
    assert names(ROW, moved) == ["network-changed", "network-vif-plugged"]
    assert names(UP, None) == ["network-vif-deleted"]
    assert names(UP, free) == ["network-changed"]
    assert names(UP, UP | {"device_id": OTHER}) == ["network-changed", "network-vif-plugged"]
    assert names(UP, UP | {"name": "x", "security_groups": ["g"]}) == []


@pytest.mark.parametrize(
    "other", [{"device_owner": "network:dhcp"}, {"device_id": "dhcp-1"}, {"device_owner": ""}, {"device_id": None}]
)
def test_of_others_ports_it_gets_nothing(other: dict[str, Any]) -> None:
    assert desired(UP | other) == Told()


def test_a_port_that_was_active_before_pluggings_were_counted_is_plugged() -> None:
    assert desired(ROW | {"status": "ACTIVE"}).plugged == 1


states = st.builds(Told, st.sampled_from(["", SERVER, OTHER]), st.integers(0, 2), st.sampled_from(["a", "b"])).map(
    lambda told: told if told.server else Told()
)


@given(states, st.none() | states)
def test_equal_states_need_no_event_and_a_plugging_is_always_sent(was: Told, now: Told | None) -> None:
    found = list(events("p", was, now))
    if was == now:
        assert found == []
    plugged = [event["server_uuid"] for event in found if event["name"] == "network-vif-plugged"]
    news = now is not None and now.plugged and (was.server, was.plugged) != (now.server, now.plugged)
    assert plugged == ([now.server] if news and now and now.server else [])


class Nova:
    """Answers as told, one answer a request; in the end with 200."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers, self.asked = list(answers), list[list[Event]]()

    async def post(self, told: Sequence[Event]) -> Answer:
        self.asked.append(list(told))
        answer = self.answers.pop(0) if self.answers else Answer(200)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        pass


def step(key: str, was: dict[str, Any], now: dict[str, Any] | None) -> Step:
    follower = NovaEvents(Nova())
    return Step("ports", key, follower.desired(was), None if now is None else follower.desired(now))


PLUG = [step(key, ROW, UP) for key in "abc"]


async def test_ports_share_requests_and_each_ports_events_stay_in_order() -> None:
    nova = Nova()
    outcome = await NovaEvents(nova).apply([*PLUG, step("d", UP, UP | {PLUGGED: 2})])
    assert outcome.done == {"a", "b", "c", "d"}
    assert [[(event["tag"], event["name"]) for event in batch] for batch in nova.asked] == [
        [("a", "network-vif-plugged"), ("b", "network-vif-plugged"), ("c", "network-vif-plugged"),
         ("d", "network-vif-unplugged")],
        [("d", "network-vif-plugged")],
    ]  # fmt: skip


async def test_what_nova_cannot_take_yet_comes_again_and_not_for_ever() -> None:
    nova = Nova(*[Answer(207, (200, 422, 404))], *[Answer(422)] * TRIES)
    follower = NovaEvents(nova)
    outcome = await follower.apply(PLUG)
    assert (set(outcome.done), set(outcome.again), set(outcome.dropped)) == ({"a"}, {"b"}, {"c"})
    for _ in range(TRIES - 2):
        assert set((await follower.apply([PLUG[1]])).again) == {"b"}
    assert set((await follower.apply([PLUG[1]])).dropped) == {"b"}


async def test_a_second_event_waits_for_the_first() -> None:
    nova = Nova(Answer(207, (422,)))
    outcome = await NovaEvents(nova).apply([step("a", UP, UP | {PLUGGED: 2})])
    assert len(nova.asked) == 1
    assert set(outcome.again) == {"a"}


@pytest.mark.parametrize("gone", [404, 422])
async def test_a_server_that_is_gone_keeps_the_next_one_with_its_port_from_nothing(gone: int) -> None:
    """Both while Nova was away: it would wait for the plugging, and fail."""
    moved = step("a", UP, UP | {"device_id": OTHER, PLUGGED: 2})
    nova = Nova(*[Answer(207, (gone,))] * (1 if gone == 404 else TRIES))
    follower = NovaEvents(nova)
    for _ in range(TRIES if gone == 422 else 1):
        outcome = await follower.apply([moved])
    assert set(outcome.dropped) == {"a"}
    assert nova.asked[-1] == [event for event in nova.asked[-1] if event["name"] == "network-vif-plugged"] != []


async def test_none_of_them_known_is_the_end_of_it() -> None:
    assert set((await NovaEvents(Nova(Answer(404))).apply(PLUG)).dropped) == {"a", "b", "c"}


async def test_one_bad_event_does_not_spoil_the_others() -> None:
    nova = Nova(Answer(400), Answer(200, (200,)), Answer(400), Answer(400), Answer(200, (200,)))
    outcome = await NovaEvents(nova).apply(PLUG)
    assert (set(outcome.done), set(outcome.dropped)) == ({"a", "c"}, {"b"})


async def test_one_that_breaks_nova_does_not_keep_the_others_waiting() -> None:
    """A server whose cell is away: Nova says 500, of all that it was told at once."""

    class OfCells(Nova):
        async def post(self, told: Sequence[Event]) -> Answer:
            self.asked.append(list(told))
            return Answer(500 if any(event["tag"] == "b" for event in told) else 200)

    follower = NovaEvents(nova := OfCells())
    for _ in range(2 * TRIES):
        outcome = await follower.apply(PLUG)
        assert (set(outcome.done), set(outcome.again)) == ({"a", "c"}, {"b"})
    assert len(nova.asked) == 2 * TRIES * 5
    with pytest.raises(Unreachable):
        await follower.apply([PLUG[1]])


async def test_a_nova_that_is_away_gets_everything_again() -> None:
    with pytest.raises(Unreachable):
        await NovaEvents(Nova(Unreachable("no"))).apply(PLUG)
