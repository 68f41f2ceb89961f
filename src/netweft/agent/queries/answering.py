"""Answers a server's questions, a few at a time: vswitchd, which answers them, has packets to forward."""

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from netweft.agent.queries.captures import Watches
from netweft.agent.queries.differences import differences, interfaces
from netweft.agent.queries.probing import probed
from netweft.agent.queries.recent_traffic import recent
from netweft.agent.queries.trace_input import NotHere
from netweft.agent.queries.tracing import traced
from netweft.agent.queries.underlay import silent
from netweft.agent.queries.vm_setup import listened
from netweft.agent.queries.wiring import wiring
from netweft.dataplane.host.address_lookup import having
from netweft.dataplane.ovsdb.errors import OvsdbError
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.services.addresses import octets, parsed
from netweft.wire.captures import Watch
from netweft.wire.queries import MOST_WATCHED, SECONDS, Answer, Ask, Exit, Seen

if TYPE_CHECKING:
    from netweft.agent.loop import Agent

PER_SECOND: Final = 20.0  # questions, for long
BURST: Final = 60.0
LOOK_SECONDS: Final = 0.005  # whether all is in place yet
MOST_PROBES: Final = 8  # three of one trace


class Answering:
    def __init__(self, agent: "Agent") -> None:
        self._agent = agent
        self._command = partial(command, Path(agent.settings.ovs_run_dir))
        self._turn = asyncio.Semaphore(1)
        self._left, self._since = BURST, float("-inf")
        self._probing = 0
        self._watches = Watches(agent)

    async def answer(self, question: Ask) -> Answer:
        if question.watch is not None:  # frequent, and cheap
            return self._watched(question.id, question.watch)
        if question.settled:  # likewise
            return await self._settled(question)
        if not self._may():
            return Answer(id=question.id, error="too much is asked of this node")
        if question.tunnels:
            return self._seen(question.id)
        try:
            async with asyncio.timeout(SECONDS):
                if question.probe is not None or question.listen is not None:  # needs nothing of vswitchd
                    return await self._probed(question)
                async with self._turn:
                    return await self._answer(question)
        except TimeoutError:
            return Answer(id=question.id, error="Open vSwitch does not answer in time")

    async def _settled(self, question: Ask) -> Answer:
        """Once all is in place; or how it is when nobody waits for the answer any more."""
        agent, deadline = self._agent, asyncio.get_running_loop().time() + SECONDS
        while not (agent.desired.view.revision >= question.settled and agent.in_place() and agent.proxies.in_place):
            if asyncio.get_running_loop().time() > deadline:
                return Answer(id=question.id, revision=agent.desired.view.revision, in_place=False)
            await asyncio.sleep(LOOK_SECONDS)
        return Answer(id=question.id, revision=agent.desired.view.revision)

    def _seen(self, id: str) -> Answer:
        """By what this node decides about gateways."""
        seen = sorted(self._agent.failover.seen.items())[:MOST_WATCHED]
        watched = tuple(Seen(host=host, state=sight.value) for host, sight in seen)
        return Answer(id=id, revision=self._agent.desired.view.revision, watched=watched)

    def _watched(self, id: str, watch: Watch) -> Answer:
        try:
            return Answer(id=id, caught=self._watches.take(watch))
        except NotHere as problem:
            return Answer(id=id, error=str(problem))

    async def _probed(self, question: Ask) -> Answer:
        if self._probing >= MOST_PROBES:
            return Answer(id=question.id, error="too many probes at once")
        self._probing += 1
        try:
            if question.listen is not None:
                heard, dropped = await listened(self._agent, question, question.listen)
                return Answer(id=question.id, heard=heard, dropped=dropped)
            assert question.probe is not None
            return Answer(id=question.id, seen=await probed(self._agent, question, question.probe))
        except NotHere as problem:
            return Answer(id=question.id, error=str(problem))
        finally:
            self._probing -= 1

    async def _answer(self, question: Ask) -> Answer:
        try:
            found = Answer(id=question.id)
            if question.wiring:
                revision = self._agent.desired.view.revision
                return replace(found, revision=revision, wiring=await wiring(self._agent, question.port_id))
            if question.packet is not None:
                found = await traced(self._agent, question, question.packet, self._command)
                found = replace(found, exits=tuple(await asyncio.gather(*map(self._looked_after, found.exits))))
                if question.port_id:
                    heard = await recent(self._agent, question.port_id, question.packet, self._command)
                    found = replace(found, heard=heard)
        except (CommandFailed, NotHere, OvsdbError) as problem:
            found = Answer(id=question.id, error=str(problem))
        return replace(
            found,
            revision=self._agent.desired.view.revision,
            in_place=self._agent.in_place(),
            differs=await differences(self._agent),
            interfaces=interfaces(self._agent, question, found.exits),
            silent=await silent(self._agent, found.exits),
            homeless=self._homeless() if question.tunnel_src or any(out.tunnel for out in found.exits) else "",
        )

    async def _looked_after(self, out: Exit) -> Exit:
        """Who does not answer any more stays in flows, while routes lead there."""
        if out.kind != "wire" or out.packet is None:
            return out
        address = await self._agent.resolver.silent(octets(out.packet.eth_dst), parsed(out.packet.dst))
        return replace(out, asked=str(address)) if address else out

    def _homeless(self) -> str:
        """What leaves by a tunnel has it as its source, and what comes in is for it."""
        own = self._agent.settings.tunnel_ip or ""
        return "" if having(own) else own

    def _may(self) -> bool:
        now = asyncio.get_running_loop().time()
        self._left = min(BURST, self._left + (now - self._since) * PER_SECOND)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
