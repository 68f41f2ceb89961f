"""What came of OpenStack's own tests, as the page docs/conformance.md."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

DIFFERS = "differs"  # it fails, and is known to
HEAD = """# Conformance

OpenStack's own tests of the Networking API, `tempest.api.network` of tempest {version} and
`neutron_tempest_plugin.api`, of FWaaS v2, `neutron_tempest_plugin.fwaas.api`, and of the load balancers',
`octavia_tempest_plugin.tests.api.v2`; and each command of `openstack firewall group`, `openstack loadbalancer` and
`openstack secret` with each of its options.  Against a `netweft server` with SQLite and nothing else: no Nova, no
Glance, no agent.  Written by `make conformance` on {day}, of commit {commit}, which installs them in an environment of
its own, from a lock with hashes, and ends with an error when a test fails.

**{passed} passed, {failed} failed, {differs} fail where we differ, {skipped} skipped** (tests, or classes of tests that
skip themselves whole), in {seconds} s.

| tests | of | passed | failed | differ | skipped |
|---|---|---|---|---|---|
"""
OUTCOMES = ("passed", "failed", DIFFERS, "skipped")
OF = {
    "tempest.api.network.": "tempest",
    "neutron_tempest_plugin.fwaas.": "FWaaS",
    "neutron_tempest_plugin.": "Neutron's plug-in",
    "octavia_tempest_plugin.": "Octavia's plug-in",
    "openstack ": "the stock client",
}
_TAGS = re.compile(r"\[.*\]$")


class Result(NamedTuple):
    test: str
    outcome: str
    reason: str


class Run(NamedTuple):
    """What was run: tempest's version, ours, and when (a day, ISO 8601); how long it took."""

    version: str
    commit: str
    day: str
    seconds: int


def told(results: Sequence[Result], run: Run) -> str:
    counts = Counter(result.outcome for result in results)
    text = HEAD.format(**run._asdict(), **{name: counts[name] for name in OUTCOMES})
    by_module: dict[tuple[str, str], Counter[str]] = {}
    for result in results:
        by_module.setdefault((_module(result.test), _of(result.test)), Counter())[result.outcome] += 1
    for (module, whose), of in sorted(by_module.items()):
        text += (
            f"| `{module}` | {whose} | {of['passed']} | "
            + " | ".join(str(of[one] or "") for one in OUTCOMES[1:])
            + " |\n"
        )
    text += _listed("Failed", (result for result in results if result.outcome == "failed"))
    text += _listed("Failed, since we differ", (result for result in results if result.outcome == DIFFERS))
    text += _listed("Skipped, and why", (result for result in results if result.outcome == "skipped"))
    return text


def _listed(title: str, results: Iterable[Result]) -> str:
    lines = [f"| `{_name(one.test)}` | {_line(one.reason)} |\n" for one in sorted(results, key=lambda r: _name(r.test))]
    return f"\n## {title}\n\n| test | what it says |\n|---|---|\n{''.join(lines)}" if lines else ""


def _name(test: str) -> str:
    inner = re.search(r"\((.*)\)", test)  # of a class that is skipped whole
    return _TAGS.sub("", inner[1] if inner else test).removeprefix("tempest.api.network.")


def _of(test: str) -> str:
    return next((whose for start, whose in OF.items() if start in test), "")


def _module(test: str) -> str:
    if test.startswith("openstack "):
        return " ".join(test.split()[: 3 if " firewall " in test else 2])
    return next((part for part in _name(test).split(".") if part.startswith("test_")), _name(test))


def _line(reason: str) -> str:
    """Of a failure how its report ends."""
    last = reason.strip().splitlines()[-2:]
    return " ".join(" ".join(last).split()).replace("|", "\\|")[:300]
