"""A gateway's node dies, is cut off, or loses its way outside: another takes over while packets flow."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.netns.harness import Lab, until
from tests.netns.l3.failover_stage import (
    NODES,
    Stage,
    Traffic,
    apart,
    found_anew,
    holder,
    sees_all,
    staged,
)
from tests.netns.l3.test_gateways import BEHIND, BEHIND_6
from tests.netns.outages import OUTAGES
from tests.netns.sessions import again_if_disturbed, undisturbed

from netweft.lab import build

# Far below what a node that is only thought deaf gets (4 s), and one that BFD does not watch (75 s), and no more: here
# other tests run beside, and each step waits for its turn of a processor.  The 0.5 s are `bench/failover.py`'s to show
MOST_MS = 2000
CONNECTIONS, CONNECTIONS_6, GO_ON = 200, 60, 0.95
PORT = 7


@pytest.fixture(scope="module")
def plan() -> build.Plan:
    return build.Plan(nodes=3)


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    with staged(lab) as found:
        yield found


def test_the_fabric_shows_which_nodes_see_each_other(lab: Lab, stage: Stage) -> None:
    """The VM's node sees those that may have its gateway, and they each other and that one."""
    there = {(one, other): "there" for one in NODES for other in NODES if one != other}
    until(lambda: _seen(lab) == there, "each says that it sees the others")


def _seen(lab: Lab) -> dict[tuple[str, str], str]:
    with lab.cloud() as cloud:
        told = cloud.request("GET", f"netweft/fabric/tunnels?{'&'.join(f'host={node}' for node in NODES)}")
    return {(one["host"], seen["host"]): seen["state"] for one in told["tunnels"] for seen in one["watched"] or ()}


@pytest.mark.parametrize("outage", OUTAGES)
def test_another_takes_over(lab: Lab, stage: Stage, outage: str) -> None:
    """By BFD, for what goes out, comes in, NAT66; nothing of another gateway's is lost; connections go on.  Two
    nodes never answer for one address.  Nothing is lost when the first comes back: it gets nothing."""
    again_if_disturbed(lambda: _taken_over(lab, stage, outage))


def _taken_over(lab: Lab, stage: Stage, outage: str) -> None:
    with ExitStack() as open_:
        first = open_.enter_context(apart(lab, stage))
        open_.enter_context(undisturbed(lab, first))
        there = lab.layout.host_namespace("outside")
        open_.enter_context(lab.inside_namespace(there, "mirror", str(PORT)))
        words = ((BEHIND, str(PORT), str(CONNECTIONS)), (BEHIND_6, str(PORT), str(CONNECTIONS_6)))
        chat, chat6 = (open_.enter_context(lab.inside(stage.vm, "chat", *one)) for one in words)
        assert (chat.line(), chat6.line()) == ("here", "here")
        traffic, overrun = Traffic(lab, stage, open_), lab.overrun()
        with OUTAGES[outage](lab, first):
            until(lambda: holder(lab, stage.router) != first, "the server knows who has taken over")
            chat.say("")
            went_on = int(chat.line(60))
            chat6.say("")
            went_on6 = int(chat6.line(60))
            found = traffic.end()
            overrun = lab.overrun(overrun)
            print(outage, found, went_on, went_on6, f"overrun {overrun}")
            assert max(found["out"]["lost_span_ms"], found["in"]["lost_span_ms"], found["6"]) <= MOST_MS
            assert went_on >= GO_ON * CONNECTIONS
            assert went_on6 >= GO_ON * CONNECTIONS_6
            assert found["other"]["lost"] <= overrun, "it has another gateway"
            assert len(found["who"]) <= 2, "one after the other, never both"
            assert found["answers"]
            assert found_anew(lab, stage)
            back = Traffic(lab, stage, open_)
        until(lambda: all(sees_all(lab, node) for node in NODES), "all sessions are up again")
        time.sleep(4)
        found = back.end()
        print("back", outage, found)
        assert [found[way]["lost"] for way in ("out", "in", "other")] == [0, 0, 0]
        assert len(found["who"]) == 1
        assert found_anew(lab, stage)
        assert holder(lab, stage.router) != first
