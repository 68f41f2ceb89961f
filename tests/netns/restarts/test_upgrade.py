"""An agent of another version, whose pipeline has other tables, takes over while VMs talk; and the old one again."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec
from tests.netns.harness import Lab, until

from netweft.lab import build, supervisor
from netweft.lab.supervisor import Command

OTHER = Path(__file__).with_name("other_pipeline.py")
PINGS = 3  # of each pair: at 300 packets/s the moment of the change is not missed by chance


def run_agent(lab: Lab, command: Command) -> None:
    supervisor.withdraw(lab.layout, command.name)
    supervisor.reload(lab.layout)
    until(lambda: lab.pid("agent", command.node) is None, "the agent stopped")
    supervisor.declare(lab.layout, command)
    supervisor.reload(lab.layout)
    until(lambda: lab.in_sync(command.node), "another agent in sync", 30)


def admitting(lab: Lab) -> bool:
    """Whether the table that is one more is there: what it sends on stands in front."""
    return any(
        "priority=0 actions=goto_table:1" in flow and "table=" not in flow for flow in lab.flows("hv1", "br-int")
    )


def test_an_upgrade_loses_no_packet(lab: Lab) -> None:
    network = lab.network("10.5.5.0/24")
    here, beside, there = (lab.add_vm(node, network) for node in ("hv1", "hv1", "hv2"))
    for other in (beside, there):
        assert lab.ping(here, other.nic.address)
    until(lambda: lab.in_sync("hv1"), "in sync")
    ours = msgspec.json.decode((lab.layout.processes / "agent-hv1.json").read_bytes(), type=Command)
    newer = msgspec.structs.replace(ours, argv=(sys.executable, str(OTHER), *ours.argv[1:]))
    before, overrun = lab.flows("hv1", "br-int"), lab.overrun()
    with ExitStack() as stack:
        pings = [
            stack.enter_context(lab.inside(here, "ping", other.nic.address))
            for other in (beside, there)
            for _ in range(PINGS)
        ]
        for command in (newer, ours, newer, ours):
            run_agent(lab, command)
            assert admitting(lab) == (command is newer)
            time.sleep(0.3)
        for ping in pings:
            ping.stop()
        results = [ping.result() for ping in pings]
    overrun = lab.overrun(overrun)
    print(f"\n{results}; {overrun} had nobody to take them")
    assert lab.flows("hv1", "br-int") == before
    assert sum(result["lost"] for result in results) <= overrun
    assert build.server_answers(lab.layout)
