"""A change of what a node should have, step by step: what passes at each, and after an agent that was killed there."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.convergence.stepwise import Killed, Outcome, Probe, Situation, SteppedWorld

from netweft.agent.l3 import address_probes, failover
from netweft.model import view_of

Passes = dict[str, Outcome]


def taken_at_once(patch: pytest.MonkeyPatch) -> None:
    """Gateways, and left at once: no time passes here."""
    for time in ("WAIT", "MOST_PAUSE"):
        patch.setattr(address_probes, time, 0.0)
    for time in ("LEAVES_FOR", "HEARS_FOR"):
        patch.setattr(failover, time, -1.0)


class Story:
    """One change, as often as a test wants it, from a world like the last."""

    def __init__(
        self,
        situations: tuple[Situation, Situation],
        probes: Sequence[Probe],
        folder: Path,
        local_vlans: str = "1:9",
        world: type[SteppedWorld] = SteppedWorld,
    ) -> None:
        self._world = world
        self.situations = situations
        self.probes = probes
        self.answers = {probe.name: probe.answers for probe in probes}
        self.folder = folder
        self.local_vlans = local_vlans
        self.before: Passes = {}
        self.after: Passes = {}
        self.asked: set[str] = set()  # before; answers to these may pass still

    async def begin(self) -> SteppedWorld:
        """Where the change begins; connections are open."""
        world = self._world(self.folder, self.local_vlans)
        await world.run(self.situations[0], new=True)
        for probe in filter(world.is_there, self.probes):
            if probe.name in self.answers.values():
                world.send(probe)
                self.asked.add(probe.name)
        return world

    async def look(self) -> None:
        """Before: with the connections that are open.  After: as a node that has never known anything else."""
        self.before = (await self.begin()).passes(self.probes)
        fresh = self._world(self.folder, self.local_vlans)
        await fresh.run(self.situations[1], new=True)
        self.after = fresh.passes(self.probes)
        assert any(self.before.values()) and any(self.after.values()), "else nothing is shown"

    def follow(
        self,
        world: SteppedWorld,
        choose: Callable[[list[str]], str],
        last: int | None = None,
        known: Sequence[str] = (),
    ) -> list[str]:
        """From now on each step is checked, but for those up to the last one that were checked before.  Returns the
        steps, once they are done."""
        steps: list[str] = []

        def chosen(names: list[str]) -> str:
            steps.append(choose(names))
            return steps[-1]

        def check() -> None:
            if world.last_step is not None and steps == known[: len(steps)]:
                return
            now = world.passes(self.probes)
            for name, passes in now.items():
                was, will = self.before.get(name, frozenset()), self.after.get(name, frozenset())
                assert passes <= was | will or self.answers[name] in self.asked, f"{name}: {passes} after {steps}"
                assert was & will <= passes, f"{name}: not {was & will} after {steps}"

        world.choose, world.checked = chosen, check
        world.steps, world.last_step = 0, last
        return steps

    def is_over(self, world: SteppedWorld) -> None:
        for name, passes in world.passes(self.probes).items():
            assert passes == self.after[name] or self.answers[name] in self.asked, f"{name}: {passes} in the end"

    async def tell(self, choose: Callable[[list[str]], str], *, on_disk: bool) -> None:
        """To its end, and as often as it has steps only so far, where the agent is killed and the next one begins.
        on_disk: whether that one finds what there was before the change."""
        await self.look()
        world = await self.begin()
        steps = self.follow(world, choose)
        await world.run(self.situations[1])
        self.is_over(world)
        assert steps, "something has to change"
        for last in range(len(steps)):
            found = view_of("h", 1, self.situations[0].objects) if on_disk else None
            world = await self.begin()
            self.follow(world, choose, last, steps[:last])
            with pytest.raises(Killed):
                await world.run(self.situations[1])
            world.last_step = None
            await world.run(self.situations[1], found, new=True)
            self.is_over(world)
