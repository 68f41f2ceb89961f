"""Conntrack zones have their limits: given out, after vswitchd began anew, and as room gets less."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from netweft.agent.security import zone_limits
from netweft.agent.security.zone_limits import ZoneLimits
from netweft.dataplane.unixctl.client import CommandFailed, CommandRefused
from netweft.services.fields import BALANCED_ZONE, LED_ZONE, PIECES_ZONE
from netweft.services.metadata.ends import ZONE as METADATA
from netweft.services.security.zone_limits import zones_of

SETTING, MOST = 1000, 1_000_000


class Conntrack:
    def __init__(self) -> None:
        self.limits: dict[int, int] = {}
        self.tracked: dict[int, int] = {}
        self.most: int | None = MOST
        self.asked: list[str] = []

    async def ask(self, verb: str, *words: str) -> str:
        self.asked.append(verb)
        if self.most is None:
            raise CommandFailed("gone")
        match verb:
            case "dpctl/ct-get-maxconns":
                return f"{self.most}\n"
            case "dpctl/ct-get-nconns":
                return f"{sum(self.tracked.values())}\n"
            case "dpctl/ct-set-limits":
                for word in words:
                    zone, at_most = word.removeprefix("zone=").split(",limit=")
                    self.limits[int(zone)] = int(at_most)
                return ""
            case "dpctl/ct-del-limits":
                for zone in words[0].removeprefix("zone=").split(","):
                    self.limits.pop(int(zone), None)
                return ""
        wanted = map(int, words[0].removeprefix("zone=").split(","))
        lines = (f"zone={one},limit={self.limits.get(one, 0)},count={self.tracked.get(one, 0)}" for one in wanted)
        return "default limit=0\n" + "\n".join(lines)


class Stage:
    def __init__(self, folder: Path) -> None:
        self.conntrack = Conntrack()
        self.networks, self.routers = {"blue": 7}, {5000: "r"}
        self.told = 0
        self.side = ZoneLimits(folder, SETTING, lambda: zones_of(self.networks, self.routers), self._changed)
        self.side.ask = self.conntrack.ask

    def _changed(self) -> None:
        self.told += 1


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


ALL = (METADATA, 7, 7 | BALANCED_ZONE, 7 | LED_ZONE, 5000, 5000 | PIECES_ZONE)


async def test_all_have_one(stage: Stage) -> None:
    await stage.side.look()
    assert stage.conntrack.limits == dict.fromkeys(ALL, SETTING)
    assert (stage.side.limit, stage.side.most, stage.side.tracked) == (SETTING, MOST, 0)


async def test_one_that_is_given_out_has_its_own_at_once(stage: Stage) -> None:
    """And nobody else is asked for."""
    await stage.side.look()
    stage.networks["red"] = 8
    stage.routers[5001] = "s"
    stage.conntrack.asked.clear()
    stage.side.see({8, 5001}, 0)
    await stage.side.look()
    given = (8, 8 | BALANCED_ZONE, 8 | LED_ZONE, 5001, 5001 | PIECES_ZONE)
    assert stage.conntrack.limits == dict.fromkeys((*ALL, *given), SETTING)
    assert stage.conntrack.asked == ["dpctl/ct-set-limits"]


async def test_as_there_is_less_room(stage: Stage) -> None:
    await stage.side.look()
    stage.conntrack.most, stage.conntrack.tracked = 8000, {9: 7400}
    stage.side.see((), 1)
    await stage.side.look()
    assert stage.conntrack.limits == dict.fromkeys(ALL, 600)
    stage.conntrack.tracked.clear()
    stage.side.see((), 2)
    await stage.side.look()
    assert stage.conntrack.limits == dict.fromkeys(ALL, SETTING)


async def test_crowded_zones_are_reported_and_their_end(stage: Stage) -> None:
    stage.conntrack.tracked[7 | BALANCED_ZONE] = SETTING
    for session in (1, 2, 3, 4):
        stage.side.see((), session)
        await stage.side.look()
        if session == 2:
            assert stage.side.crowded == (("network", "blue"),)
            stage.conntrack.tracked.clear()
    assert stage.side.crowded == ()
    assert stage.told == 2


@contextlib.contextmanager
def running(stage: Stage) -> Iterator[None]:
    task = asyncio.create_task(stage.side.run())
    try:
        yield
    finally:
        task.cancel()


async def have(stage: Stage, *zones: int) -> None:
    async with asyncio.timeout(10):
        while not all(stage.conntrack.limits.get(zone) == SETTING for zone in zones):
            await asyncio.sleep(0.001)


async def test_a_restarted_vswitchd_gets_them_and_one_that_forgot(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(stage):
        stage.side.see((), 1)
        await have(stage, *ALL)
        stage.conntrack.limits.clear()
        stage.side.see((), 2)
        await have(stage, *ALL)
    monkeypatch.setattr(zone_limits, "LOOK_SECONDS", 0.01)
    with running(stage):
        stage.conntrack.limits.clear()
        await have(stage, *ALL)


async def test_what_was_refused_is_tried_again(stage: Stage) -> None:
    await stage.side.look()
    stage.conntrack.most = None
    stage.side.see((), 1)
    await stage.side.look()
    assert stage.side.limit == 0
    stage.conntrack.most, stage.networks["red"] = MOST, 8
    stage.side.see({8}, 1)
    await stage.side.look()
    assert stage.conntrack.limits == dict.fromkeys((*ALL, 8, 8 | BALANCED_ZONE, 8 | LED_ZONE), SETTING)


class Kernel:
    """Its conntrack, on whose datapath vswitchd is not asked for it."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most: int | None = 400_000
        self.tracked = 0
        self.limits = True
        self._ask = stage.conntrack.ask
        stage.side.ask = self._refused
        monkeypatch.setattr(zone_limits, "kernel_may_track", lambda: self.most)
        monkeypatch.setattr(zone_limits, "kernel_tracks", lambda: self.tracked)

    async def _refused(self, verb: str, *words: str) -> str:
        if not self.limits or verb in ("dpctl/ct-get-maxconns", "dpctl/ct-get-nconns"):
            raise CommandRefused("Operation not supported")
        return await self._ask(verb, *words)


@pytest.fixture
def kernel(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(stage, monkeypatch)


async def test_zones_of_the_kernel_have_limits_while_its_conntrack_fills(stage: Stage, kernel: Kernel) -> None:
    """A limit there makes each new connection dearer the more there are."""
    stage.conntrack.limits[7] = 99  # a former agent's
    looks = ((0, 0), (199_999, 0), (200_000, SETTING), (150_000, SETTING), (99_999, 0), (150_000, 0))
    for session, (tracked, limit) in enumerate(looks, 1):
        kernel.tracked = tracked
        stage.side.see((), session)
        await stage.side.look()
        assert (stage.side.limit, stage.side.tracked) == (limit, tracked)
        assert stage.conntrack.limits == (dict.fromkeys(ALL, limit) if limit else {})


async def test_a_flood_is_seen_before_conntrack_is_half_full(stage: Stage, kernel: Kernel) -> None:
    """Until limits are in place as much may come as came since the last look, and once more."""
    for tracked, limit in ((0, 0), (66_000, 0), (133_000, SETTING)):
        kernel.tracked = tracked
        await stage.side.look()
        assert stage.side.limit == limit


async def test_while_there_is_room_vswitchd_gets_no_requests(stage: Stage, kernel: Kernel) -> None:
    await stage.side.look()
    stage.conntrack.asked.clear()
    stage.networks["red"] = 8
    stage.side.see({8}, 0)
    await stage.side.look()
    assert stage.conntrack.asked == []
    stage.side.see((), 1)  # it may be on another datapath
    await stage.side.look()
    assert "dpctl/ct-get-limits" in stage.conntrack.asked


async def test_limits_of_the_kernel_are_taken_away_when_vswitchd_answers_again(stage: Stage, kernel: Kernel) -> None:
    kernel.tracked = 300_000
    await stage.side.look()
    most, stage.conntrack.most = stage.conntrack.most, None
    stage.side.see((), 1)
    await stage.side.look()
    kernel.tracked, stage.conntrack.most = 0, most
    await stage.side.look()
    assert stage.conntrack.limits == {}


@pytest.mark.parametrize("most", [0, None])
async def test_a_kernel_that_tracks_any_number_or_none(stage: Stage, kernel: Kernel, most: int | None) -> None:
    kernel.most, kernel.tracked = most, 1_000_000
    await stage.side.look()
    assert (stage.side.limit, stage.conntrack.limits) == (0, {})


async def test_a_kernel_without_limits_is_reported_once(stage: Stage, kernel: Kernel) -> None:
    kernel.limits, kernel.tracked = False, 300_000
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await stage.side.look()
    assert [one["log_level"] for one in logs].count("warning") == 1
    assert (stage.side.limit, stage.side.tracked) == (0, 300_000)
    kernel.limits = True
    await stage.side.look()
    assert stage.conntrack.limits == dict.fromkeys(ALL, SETTING)


async def test_a_flood_of_the_zone_that_all_vms_share_is_ended_while_there_is_room(stage: Stage) -> None:
    ended = []

    async def end() -> None:
        ended.append(stage.conntrack.tracked[METADATA])

    stage.side.on_shared_flood = end
    for tracked in (SETTING // 2, SETTING // 2 + 1):
        stage.conntrack.tracked = {METADATA: tracked, 7: SETTING}
        stage.side._all = True
        await stage.side.look()
    assert ended == [SETTING // 2 + 1]
