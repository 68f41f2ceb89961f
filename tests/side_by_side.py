"""Who runs what when tests run in parallel (pytest-xdist): labs, which mostly wait, beside tests that compute.

`-n auto` is a worker for each core, and some more when there are labs to run; these begin with labs, the others with
everything else, and who has nothing left helps the others.  A file stays together, since its tests share a lab or a
server; the longest begin.  Who has a lab goes on with files that want one of its plan, which it keeps for them.
A worker that begins with labs has collected no more than it may be given (`tests/collecting.py`).  See
docs/decisions/0310-labs-side-by-side.md, 0538 and 0680.
"""

import ast
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

LABS = 3  # at once, while the cores have other work
FOLDER = Path(__file__).parents[1]
LAB_TESTS = "tests/netns/"
# where tests start real programs, and wait for them
PROGRAMS = (LAB_TESTS, *(f"tests/{one}/" for one in ("ovs", "ground", "api/process", "browser", "netconf", "faucet")))
DEFAULT = "as most"
# longest first, of those with labs and of those that compute: else the last one would go on when all others are done
LONGEST = (
    *("netns/restarts/test_faults.py", "api/process/test_keystone.py", "netns/l2/test_matrix.py"),
    *("netns/l2/test_trunk.py", "netns/test_demo.py", "ovs/test_agent.py", "ovs/test_segments.py"),
    *("netns/security/test_connections.py", "netns/security/test_firewall.py", "netns/l2/test_this_machine.py"),
    *("netns/l3/test_routed_mtu.py", "netns/l3/test_counters.py", "ground/test_ground.py"),
    *("browser/test_dashboard.py", "netns/services/test_metadata.py", "netns/restarts/test_keeps_working.py"),
    *("netns/explain/test_trace.py", "convergence/test_outside_at_each_step.py", "netns/l3/test_floating.py"),
    *("api/process/test_ending.py", "api/network/postgres/test_races_floating_ips.py"),
    *("convergence/test_gateways_at_each_step.py", "netns/services/test_qos.py", "netns/l3/test_several_next_hops.py"),
    *("netns/l3/test_routing_attacked.py", "convergence/test_nat66_at_each_step.py"),
    *("api/network/postgres/test_races.py", "netns/l2/test_migrate.py", "unit/feed/test_followers.py"),
    *("netns/security/test_fragments.py", "netns/test_lab.py", "netns/l3/test_failover.py"),
    *("netns/security/test_connections_move.py", "netns/l2/test_move.py", "netns/services/test_dhcp.py"),
    *("netns/l3/test_routers_keep_working.py", "netns/l3/test_advertisements.py"),
    *("convergence/test_killed_at_each_step.py", "browser/test_topology.py", "api/process/test_feed.py"),
    *("browser/test_daily.py", "netns/l2/test_bad_input.py", "netns/l2/test_mtu.py"),
    *("netns/l3/test_limits_outside.py", "convergence/test_routers_at_each_step.py"),
    *("netns/security/test_connections_end.py", "netns/l3/test_unknown_hosts.py", "netns/l3/test_port_forwarding.py"),
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


def waits_for_programs(unit: str) -> bool:
    return unit.startswith(PROGRAMS)


def begins_with_labs(worker: str) -> bool:
    """worker: gw0, gw1, ..."""
    return int(worker.removeprefix("gw")) >= _cores()


@cache
def plan_of(unit: str) -> str:
    """What its file says of the lab that it wants, as source; empty: none, or one of its own."""
    if not is_lab(unit):
        return ""
    file = FOLDER / unit
    said = ast.parse(file.read_text() if file.exists() else "").body
    fixtures = {one.name: ast.unparse(one.body[-1]) for one in said if isinstance(one, ast.FunctionDef)}
    if "lab" in fixtures or not any(
        isinstance(one, ast.arg) and one.arg == "lab" for top in said for one in ast.walk(top)
    ):
        return ""
    return fixtures.get("plan") or fixtures.get("nodes") or DEFAULT


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]
    """A unit of work is a file."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._plans: dict[str, str] = {}  # of each worker's lab
        self._collected: dict[str, frozenset[str]] = {}  # by each worker, of units
        self.registered_collections: dict[WorkerController, list[str]] = {}
        self.assigned_work: dict[WorkerController, dict[str, dict[str, bool]]] = {}

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0]

    def add_node_collection(self, node: "WorkerController", collection: Sequence[str]) -> None:
        """One that replaces a worker that died, too, whatever it has collected."""
        self._collected[node.gateway.id] = frozenset(map(self._split_scope, collection))
        self.registered_collections[node] = [*collection]

    def _check_nodes_have_same_collection(self) -> bool:
        """Or those of whoever begins with labs.  The largest is the first, and is what has to be done."""
        found = sorted(self.registered_collections.items(), key=lambda one: len(one[1]), reverse=True)
        self.registered_collections = dict(found)
        self.assigned_work = {node: self.assigned_work[node] for node, _ in found}  # the last are the first to go
        everything = {*found[0][1]} if found else set()
        programs = {one for one in everything if waits_for_programs(one)}
        if all(
            {*tests} in (everything, programs if begins_with_labs(node.gateway.id) else everything)
            for node, tests in found
        ):
            return True
        same: bool = super()._check_nodes_have_same_collection()
        return same

    def _assign_work_unit(self, node: "WorkerController") -> None:
        found = self._next_for(node)
        if not found:
            node.shutdown()
            return
        self.workqueue.move_to_end(found, last=False)
        super()._assign_work_unit(node)

    def _next_for(self, node: "WorkerController") -> str:
        """Empty: nothing that it has collected is left."""
        known = [unit for unit in self.workqueue if unit in self._collected[node.gateway.id]]
        if not known:
            return ""
        wanted = begins_with_labs(node.gateway.id)
        liked = [unit for unit in known if is_lab(unit) == wanted] or known
        plan = self._plan_for(node, liked)
        found: str = max((unit for unit in liked if plan_of(unit) in ("", plan)), key=self._length)
        self._plans[node.gateway.id] = plan_of(found) or self._plans.get(node.gateway.id, "")
        return found

    def _plan_for(self, node: "WorkerController", units: list[str]) -> str:
        """Its own as long as some want it; then one that nobody has, so that the last to be made is not made late."""
        wanted = [plan for unit in units if (plan := plan_of(unit))]
        own: str = self._plans.get(node.gateway.id, "")
        if not wanted or own in wanted:
            return own
        taken = {*self._plans.values()}
        return max(wanted, key=lambda plan: (plan not in taken, wanted.count(plan), plan))

    def _length(self, unit: str) -> tuple[int, int]:
        name = unit.removeprefix("tests/")
        return -LONGEST.index(name) if name in LONGEST else -len(LONGEST), len(self.workqueue[unit])

    def _reschedule(self, node: "WorkerController") -> None:
        """A worker begins its last test when it knows what comes next, and not sooner is it told."""
        if self.workqueue and self._pending_of(self.assigned_work[node]) > 1:
            return
        super()._reschedule(node)
