"""How many connections a zone may have: as many as is set, and so few that none takes what is left."""

import pytest

from netweft.dataplane.unixctl.zone_limits import Zone, asked, setting, zones
from netweft.services.fields import BALANCED_ZONE, LED_ZONE, PIECES_ZONE
from netweft.services.metadata import ends
from netweft.services.security.zone_limits import LEAST, NODE, SHARE, crowded, limit, problems, wanting, zones_of

MOST = 3_000_000


@pytest.mark.parametrize(
    ("most", "tracked", "expected"),
    [(MOST, 0, 250_000), (MOST, 2_900_000, 100_000), (262_144, 0, 32_768), (MOST, MOST, LEAST), (0, 5, LEAST)],
)
def test_a_limit(most: int, tracked: int, expected: int) -> None:
    assert limit(most, tracked, 250_000) == expected


@pytest.mark.parametrize("floods", [1, SHARE, 40, 1000])
def test_none_grows_that_has_as_many_as_are_left(floods: int) -> None:
    """However many are flooded, one more can have what the largest has."""
    for each in range(LEAST, MOST // floods, 997):
        left = MOST - floods * each
        assert limit(MOST, floods * each, MOST) <= max(left, LEAST)


def test_whose_the_zones_are() -> None:
    found = zones_of({"n": 7}, {5000: "r"})
    network, router = ("network", "n"), ("router", "r")
    assert found == {
        ends.ZONE: NODE, 5000: router, 5000 | PIECES_ZONE: router,
        7: network, 7 | BALANCED_ZONE: network, 7 | LED_ZONE: network,
    }  # fmt: skip


def test_what_is_near_enough_stays() -> None:
    there = [Zone(1, 0, 0), Zone(2, 95, 3), Zone(3, 80, 3), Zone(4, 200, 3)]
    assert wanting(there, 100) == {1: 100, 3: 100, 4: 100}
    assert wanting([Zone(2, 109, 0), Zone(3, 111, 0)], 100) == {3: 100}


def test_who_has_as_many_as_may_be() -> None:
    whose = zones_of({"n": 7, "m": 8}, {5000: "r"})
    there = [
        Zone(7 | BALANCED_ZONE, 10, 10), Zone(7, 10, 12), Zone(8, 10, 9), Zone(5000, 10, 11), Zone(ends.ZONE, 0, 0)
    ]  # fmt: skip
    found = tuple(crowded(there, whose))
    assert found == (("network", "n"), ("router", "r"))
    assert [one.partition(":")[0] for one in problems((*found, NODE))] == [
        "network n",
        "router r",
        "the metadata service",
    ]


def test_requests_and_answers() -> None:
    """Of many not in one command."""
    assert list(asked([8, 7])) == [("dpctl/ct-get-limits", "zone=7,8")]
    assert [len(words) - 1 for words in setting(dict.fromkeys(range(450), 9))] == [200, 200, 50]
    assert next(setting({7: 9, 3: 8})) == ("dpctl/ct-set-limits", "zone=3,limit=8", "zone=7,limit=9")
    said = "default limit=0\nzone=5,limit=10,count=3\nzone=6,limit=0,count=0\n"
    assert list(zones(said)) == [Zone(5, 10, 3), Zone(6, 0, 0)]
