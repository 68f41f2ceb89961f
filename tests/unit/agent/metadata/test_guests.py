"""Each port has its own few connections; where there is no room at all, who has most gives one up."""

import resource

import pytest

from netweft.agent.metadata.guests import EACH, Guests, room


class Guest:
    def __init__(self, guests: Guests, port_id: str) -> None:
        self.guests, self.port_id, self.gone = guests, port_id, False

    def leave(self) -> None:
        self.gone = True
        self.guests.left(self.port_id, self)


def come(guests: Guests, port_id: str, number: int) -> list[Guest]:
    """Those that are let in."""
    wanted = [Guest(guests, port_id) for _ in range(number)]
    return [one for one in wanted if guests.enter(port_id, one)]


def test_one_port_has_its_few_and_others_theirs() -> None:
    guests = Guests(1000)
    hostile = come(guests, "a", 1000)
    assert len(hostile) == EACH
    assert len(come(guests, "b", 3)) == 3
    hostile[0].leave()
    assert len(come(guests, "a", 1000)) == 1


def test_where_all_is_full_who_has_most_gives_way() -> None:
    guests = Guests(EACH + 2)
    greedy, modest = come(guests, "a", EACH), come(guests, "b", 2)
    assert len(come(guests, "c", 1)) == 1
    assert [one.gone for one in greedy] == [True] + [False] * (EACH - 1)
    assert not any(one.gone for one in modest)
    assert come(guests, "a", 1) == [], "nobody throws himself out"


def test_nobody_leaves_twice() -> None:
    guests = Guests(EACH)
    [one] = come(guests, "a", 1)
    one.leave()
    one.leave()
    assert len(come(guests, "b", EACH)) == EACH


def test_there_is_room_within_what_the_process_may_open(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: told.append(limits))
    assert room() == 4096 - 256
    assert told == [(4096, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (20, 20))
    assert room() == EACH
