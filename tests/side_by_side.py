"""Who runs what when tests run in parallel (pytest-xdist): labs, which mostly wait, beside tests that compute.

`-n auto` is a worker for each core, and some more when there are labs to run; these begin with labs, the others with
everything else, and who has nothing left helps the others.  A file stays together, since its tests share a lab or a
server; the longest begin.  See docs/decisions/0310-labs-side-by-side.md.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

LABS = 4  # at once, while the cores have other work
FOLDER = Path(__file__).parents[1]
LAB_TESTS = "tests/netns/"
# longest first, of those with labs and of those that compute: else the last one would go on when all others are done
LONGEST = (
    *("test_keystone.py", "test_faults.py", "test_l2_matrix.py", "test_l2_trunk.py", "test_agent.py"),
    *("test_segments.py", "test_connections.py", "test_routers_at_each_step.py", "test_floating.py"),
    *("test_routed_mtu.py", "test_unknown_hosts.py", "test_firewall.py", "test_failover.py", "test_dashboard.py"),
    *("test_l2_move.py", "test_races_floating_ips.py", "test_l2_migrate.py", "test_keeps_working.py"),
    *("test_counters.py", "test_demo.py", "test_metadata.py", "test_ground.py", "test_topology.py", "test_daily.py"),
    *("test_fragments.py", "test_l2_this_machine.py", "test_several_next_hops.py", "test_routing_attacked.py"),
    *("test_trace.py", "test_qos.py", "test_advertisements.py", "test_dhcp.py", "test_lab.py"),
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return _cores() + (0 if "not root" in config.option.markexpr else LABS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return SideBySide(config, log)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def is_lab(unit: str) -> bool:
    return unit.startswith(LAB_TESTS)


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]
    """A unit of work is a file."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0]

    def _assign_work_unit(self, node: "WorkerController") -> None:
        self.workqueue.move_to_end(self._next_for(node), last=False)
        super()._assign_work_unit(node)

    def _next_for(self, node: "WorkerController") -> str:
        wanted = self._begins_with_labs(node)
        liked = [unit for unit in self.workqueue if is_lab(unit) == wanted]
        found: str = max(liked or self.workqueue, key=self._length)
        return found

    def _begins_with_labs(self, node: "WorkerController") -> bool:
        return int(node.gateway.id.removeprefix("gw")) >= _cores()

    def _length(self, unit: str) -> tuple[int, int]:
        name = unit.rpartition("/")[2]
        return -LONGEST.index(name) if name in LONGEST else -len(LONGEST), len(self.workqueue[unit])

    def _reschedule(self, node: "WorkerController") -> None:
        """A worker begins its last test when it knows what comes next, and not sooner is it told."""
        if self.workqueue and self._pending_of(self.assigned_work[node]) > 1:
            return
        super()._reschedule(node)
