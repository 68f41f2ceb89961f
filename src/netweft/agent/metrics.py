"""The agent's own `/metrics`: read from the parts that have them, on each scrape."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from netweft.agent.dns.side import ANSWERED, FORWARDED, UNHEARD
from netweft.agent.metadata import readings as metadata
from netweft.agent.packet_ins import FAILED, TOO_MUCH
from netweft.dataplane.stt.values import DROPS
from netweft.metrics import definitions as metrics
from netweft.metrics.values import Reading
from netweft.services.values import Asked

if TYPE_CHECKING:
    from netweft.agent.loop import Agent


async def read(agent: "Agent") -> list[Reading]:
    await agent.drops.look()
    return [
        *_feed(agent),
        *_ports(agent),
        *_bridges(agent),
        *_answers(agent),
        *_members(agent),
        *_gateways(agent),
        *_stt(agent),
        *_conntrack(agent),
    ]


def _feed(agent: "Agent") -> Iterator[Reading]:
    yield metrics.SESSION.at(agent.feed.link.up)
    yield metrics.VIEW_REVISION.at(agent.desired.view.revision)
    yield metrics.IN_PLACE.at(agent.all_in_place() and not agent.retries.problem)


def _ports(agent: "Agent") -> Iterable[Reading]:
    desired = agent.desired
    statuses = (desired.statuses.get(port_id) for port_id in desired.vifs)
    states = Counter(status.state.value if status else "waiting" for status in statuses)
    yield from metrics.PORTS.each(_all(states, "up", "down", "error", "waiting").items())
    yield from (metrics.WIRING_SECONDS.at(timings, since) for since, timings in agent.wiring.timings.items())


def _bridges(agent: "Agent") -> Iterator[Reading]:
    for role, side in agent.bridges.items():
        yield metrics.BRIDGE_CONNECTED.at(side.connected, role)
        yield metrics.BRIDGE_SESSIONS.at(side.sessions, role)
        yield metrics.FLOWS_REFUSED.at(len(side.refused), role)
    yield from (metrics.FLOWS.at(number, *where) for where, number in agent.drops.flows.items())
    yield from (metrics.DROPPED.at(packets, *where) for where, packets in agent.drops.packets.items())


def _answers(agent: "Agent") -> Iterator[Reading]:
    answers, service = agent.packet_ins, agent.metadata
    for asked in Asked:
        yield metrics.HANDED_UP.at(answers.handed_up[asked], asked)
        yield metrics.ANSWERS.at(answers.said[asked], asked)
        yield from (metrics.UNHEARD.at(answers.unheard[asked, why], asked, why) for why in (TOO_MUCH, FAILED))
    yield from metadata.readings(service)
    yield from metrics.DNS_QUERIES.each(_all(agent.dns.said, ANSWERED, FORWARDED, UNHEARD).items())


def _members(agent: "Agent") -> Iterator[Reading]:
    statuses = Counter((watch.verdict.status or "unknown").lower() for watch in agent.health.watches)
    yield from metrics.MEMBERS.each(_all(statuses, "online", "error", "unknown").items())
    yield from metrics.MEMBERS_ASKED.each(_all(agent.health.asked, "well", "failed").items())


def _stt(agent: "Agent") -> Iterator[Reading]:
    counted = agent.stt.answer.counters if agent.stt.answer else {}
    for direction in ("sent", "received"):
        yield metrics.STT_FRAMES.at(counted.get(f"{direction}_frames", 0), direction)
    yield from (metrics.STT_DROPPED.at(counted.get(why, 0), why) for why in DROPS)
    yield metrics.STT_STARTS.at(agent.stt.starts)


def _conntrack(agent: "Agent") -> Iterator[Reading]:
    limits = agent.zone_limits
    yield metrics.TRACKED.at(limits.tracked)
    yield metrics.MOST_TRACKED.at(limits.most)
    yield metrics.ZONE_LIMIT.at(limits.limit)
    yield from metrics.CROWDED.each(_all(Counter(kind for kind, _ in limits.crowded), "network", "router").items())


def _gateways(agent: "Agent") -> Iterator[Reading]:
    failover = agent.failover
    yield from metrics.GATEWAYS.each(_all(Counter(failover.seats), "here", "asking", "elsewhere", "nowhere").items())
    yield metrics.GATEWAYS_TAKEN.at(failover.taken)
    yield metrics.GATEWAYS_LEFT.at(failover.left)
    seen = Counter(one.value for one in failover.seen.values())
    yield from metrics.WATCHED_NODES.each(_all(seen, "there", "cut", "deaf", "gone", "unknown").items())
    yield metrics.WAYS_CUT.at(failover.cut)
    yield from metrics.BFD_NEXT_HOPS.each(_either(agent.bfd.up, "up", "down").items())
    yield from metrics.NEXT_HOPS.each(_either(agent.resolver.watch.silent, "silent", "answers").items())


def _all(counts: Counter[str], *labels: str) -> dict[str, int]:
    """Also those that there are none of: a series that comes and goes is no alarm's."""
    return dict.fromkeys(labels, 0) | counts


def _either(each: Iterable[bool], yes: str, no: str) -> dict[str, int]:
    return _all(Counter(yes if one else no for one in each), yes, no)
