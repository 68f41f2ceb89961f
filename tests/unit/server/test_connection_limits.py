"""Who counts as one client, how many there may be, and how what is refused gets into the log."""

import asyncio
import resource

import pytest
from structlog.testing import capture_logs

from netweft.server.connection_limits import LOCAL, SPARE_DESCRIPTORS, WANTED_DESCRIPTORS, key_of, room
from netweft.tally import Tally


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        (("192.0.2.1", 1234), "192.0.2.1"),
        (("::ffff:192.0.2.1", 1234, 0, 0), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1234, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1234, 0, 2), "fe80::/64"),
        ("", LOCAL),
        (None, LOCAL),
    ],
)
def test_who_counts_as_one_client(peer: object, key: str) -> None:
    assert key_of(peer) == key


@pytest.mark.parametrize(
    ("limits", "raised_to", "expected"),
    [
        ((1024, 524_288), WANTED_DESCRIPTORS, WANTED_DESCRIPTORS - SPARE_DESCRIPTORS),
        ((256, 256), None, 128),
        ((100, 100), None, 50),
        ((1024, resource.RLIM_INFINITY), WANTED_DESCRIPTORS, WANTED_DESCRIPTORS - SPARE_DESCRIPTORS),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None, WANTED_DESCRIPTORS - SPARE_DESCRIPTORS),
    ],
)
def test_there_is_room_for_as_many_as_the_system_lets(
    limits: tuple[int, int], raised_to: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[int] = []
    monkeypatch.setattr("resource.getrlimit", lambda _: limits)
    monkeypatch.setattr("resource.setrlimit", lambda _, wanted: raised.append(wanted[0]))
    assert room() == expected
    assert raised == ([] if raised_to is None else [raised_to])


async def test_a_flood_of_refusals_is_few_lines_with_all_of_them() -> None:
    tally = Tally("refused", seconds=0.1)
    with capture_logs() as logs:
        for _ in range(1000):
            tally.count("slow_head")
        tally.count("malformed")
        await asyncio.sleep(0.5)
        tally.count("slow_head")
    counted = [(line.get("slow_head", 0), line.get("malformed", 0)) for line in logs]
    assert counted == [(1, 0), (999, 1), (1, 0)]
