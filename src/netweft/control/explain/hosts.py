"""What is said of an agent, and of whatever needs its host."""

from collections.abc import Iterator

from netweft.control.explain import codes
from netweft.control.explain.codes import Code
from netweft.control.explain.snapshot import Find, Row, Snapshot, Told
from netweft.control.l2 import dynamic_segments, hosts
from netweft.model.node import OVN_AGENT

PATIENCE = 1.0  # seconds that a change may wait for a node: shorter is on its way


def dead(seen: Snapshot, host: str, code: Code) -> Iterator[Told]:
    if is_dead(seen, host):
        silent = seen.silent.get(host)
        since = f"nothing was heard of {host}" + (f" for {silent:.0f} s" if silent is not None else "")
        agent = seen.agent(host) or {}
        yield Told(code, "; ".join(filter(None, [since, agent.get("status_detail")])), {"host": host})


def behind(seen: Snapshot, host: str, code: Code) -> Iterator[Told]:
    lag = seen.lags.get(host)
    if lag is not None and lag.objects and lag.seconds >= PATIENCE:
        why = "it reads too slowly" if lag.connected else "its session has ended"
        detail = f"{host} has revision {lag.revision}, {lag.revisions} behind ({lag.objects} objects): {why}"
        yield Told(code, detail, {"host": host})


def problems(seen: Snapshot, host: str, code: Code) -> Iterator[Told]:
    """That its agent has told, but for what has a code of its own."""
    agent = seen.agent(host)
    if agent is None or not hosts.is_there(dict(agent)):
        return
    why = metadata(agent)
    told = str(agent.get("status_detail") or "").removeprefix(f"metadata: {why}" if why else "").removeprefix("; ")
    if told:
        yield Told(code, told, {"host": host})


def metadata(agent: Row) -> str:
    """Why VMs there are not told theirs."""
    return (agent.get("configurations") or {}).get("metadata") or ""


def metadata_down(seen: Snapshot, host: str, code: Code) -> Iterator[Told]:
    agent = seen.agent(host)
    is_ours = agent is not None and agent.get("agent_type") != OVN_AGENT
    why = metadata(agent) if agent is not None and is_ours else ""
    if why and not is_dead(seen, host):
        yield Told(code, why, {"host": host})


def crowded(code: Code) -> Find:
    """Whether a host that is there has as many connections of the object as it may."""

    def find(seen: Snapshot, row: Row) -> Iterator[Told]:
        for agent in seen.all("agents"):
            full = (agent.get("configurations") or {}).get("crowded") or ()
            if row["id"] in full and not is_dead(seen, agent["host"]):
                yield Told(code, f"on {agent['host']}", {"host": agent["host"]})

    return find


def is_dead(seen: Snapshot, host: str) -> bool:
    agent = seen.agent(host)
    return agent is not None and (host in seen.silent or not hosts.is_there(dict(agent)))


def is_able(agent: Row, network: Row) -> bool:
    """Whether it can carry the network."""
    return hosts.can_wire(dict(agent), dict(network)) or dynamic_segments.is_led(dict(agent), dict(network))


# -- checks of agents


def agent_dead(seen: Snapshot, agent: Row) -> Iterator[Told]:
    yield from dead(seen, agent["host"], codes.AGENT_DEAD)


def agent_disabled(seen: Snapshot, agent: Row) -> Iterator[Told]:
    if not agent["admin_state_up"]:
        yield Told(codes.AGENT_DISABLED)


def agent_behind(seen: Snapshot, agent: Row) -> Iterator[Told]:
    yield from behind(seen, agent["host"], codes.AGENT_BEHIND)


def agent_metadata_down(seen: Snapshot, agent: Row) -> Iterator[Told]:
    yield from metadata_down(seen, agent["host"], codes.AGENT_METADATA_DOWN)


def agent_problems(seen: Snapshot, agent: Row) -> Iterator[Told]:
    yield from problems(seen, agent["host"], codes.AGENT_PROBLEMS)


def agent_tunnel_shared(seen: Snapshot, agent: Row) -> Iterator[Told]:
    rivals = ", ".join(seen.rivals.get(agent["host"], ()))
    if rivals:
        detail = f"tunnel_ip {agent.get(hosts.TUNNEL_END)} is also that of {rivals}"
        yield Told(codes.AGENT_TUNNEL_SHARED, detail, {"host": agent["host"], "rivals": rivals})
