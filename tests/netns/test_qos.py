"""Each form of a QoS rule measured, and docs/qos.md written from what was seen.

`NETWEFT_WRITE_DOCS=1 pytest tests/netns/test_qos.py` writes the table; without it rows and verdicts are compared, since
the figures differ from run to run.
"""

import os
from collections.abc import Iterator

import pytest
from tests.netns.harness import Lab
from tests.netns.qos_stage import (
    DOCUMENT,
    FULL,
    SETTINGS,
    SMALL,
    Flow,
    Row,
    Stage,
    document,
    written,
)

from netweft.lab.cloud import Cloud


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    for node in ("hv1", "hv2"):
        with (lab.node(node).folder / "netweft.toml").open("a") as settings:
            settings.write(SETTINGS)
        lab.kill("agent", node)
    with Cloud(lab.layout) as cloud:
        yield Stage(lab, cloud)


def bandwidth(stage: Stage, kbps: int) -> Iterator[Row]:
    """Both directions at once, on VMs of their own."""
    rules = [("bandwidth_limit", {"max_kbps": kbps, "direction": direction}) for direction in ("egress", "ingress")]
    policies = [stage.policy(rule) for rule in rules]
    stage.give(stage.sender, policies[0])
    stage.give(stage.receiver, policies[1])
    for node in ("hv1", "hv2"):
        stage.limited(node, 1)
    for traffic, words in (("UDP", ("flood", kbps * 3, FULL)), ("TCP", ("stream",))):
        flows = (Flow(stage.sender, stage.ears, words), Flow(stage.talker, stage.receiver, words))
        for direction, got in zip(("egress", "ingress"), stage.kept("kbps", kbps, *flows), strict=True):
            yield Row.of(f"bandwidth limit, {direction}", traffic, kbps, got, "kbit/s")
    forget(stage, *policies)


def packets(stage: Stage, kpps: int) -> Iterator[Row]:
    rules = [("packet_rate_limit", {"max_kpps": kpps, "direction": direction}) for direction in ("egress", "ingress")]
    policies = [stage.policy(rule) for rule in rules]
    stage.give(stage.sender, policies[0])
    stage.give(stage.receiver, policies[1])
    for node in ("hv1", "hv2"):
        stage.limited(node, 1)
    words = ("flood", kpps * 3 * (SMALL + 42) * 8, SMALL)
    flows = (Flow(stage.sender, stage.ears, words), Flow(stage.talker, stage.receiver, words))
    for direction, got in zip(("egress", "ingress"), stage.kept("pps", kpps * 1000, *flows), strict=True):
        yield Row.of(f"packet rate limit, {direction}", "UDP, small", kpps * 1000, got, "packets/s")
    forget(stage, *policies)


def forget(stage: Stage, *policies: str) -> None:
    stage.give(stage.sender, None)
    stage.give(stage.receiver, None)
    for node in ("hv1", "hv2"):
        stage.limited(node, 0)
    stage.drop(*policies)


def test_what_was_asked_is_kept(stage: Stage) -> None:
    rows = [row for kbps in (1000, 10000, 50000) for row in bandwidth(stage, kbps)]
    rows += [row for kpps in (1, 3) for row in packets(stage, kpps)]
    print("".join(map(str, rows)))
    assert all(row.verdict == "kept" for row in rows), "".join(map(str, rows))
    if os.environ.get("NETWEFT_WRITE_DOCS"):
        DOCUMENT.write_text(document(rows))
    assert written() == [row[:4] for row in rows]
