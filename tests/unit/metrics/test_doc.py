"""docs/metrics.md and deploy/ say what there is."""

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from netweft.metrics.definitions import AGENT, SERVER
from netweft.metrics.doc import document
from netweft.metrics.values import Metric

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "prometheus" / "netweft.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "netweft.json"
LABELS = {series: {*metric.labels, "le"} for metric in (*SERVER, *AGENT) for series in metric.series}
EVERYWHERE = {"instance", "job"}


def expressions() -> Iterator[str]:
    yield from re.findall(r"expr: '(.+)'$", RULES.read_text(), re.M)
    dashboard = json.loads(DASHBOARD.read_text())
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ()))
    yield from (one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query")


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert page == document(), "run: python -m netweft.metrics.doc > docs/metrics.md"


@pytest.mark.parametrize("metric", [*SERVER, *AGENT], ids=lambda metric: metric.name)
def test_each_is_named_as_prometheus_has_it(metric: Metric) -> None:
    name, kind = metric.name, metric.kind
    assert re.fullmatch(r"netweft_(server|agent)_[a-z_]+", name)
    assert name.endswith("_total") == (kind == "counter")
    assert name.endswith("_seconds") or kind != "histogram"


def test_no_name_is_there_twice() -> None:
    names = [metric.name for metric in (*SERVER, *AGENT)]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_alerts_and_dashboard_ask_for_what_there_is(expression: str) -> None:
    names = set(re.findall(r"netweft_[a-z_]+", expression))
    assert names <= LABELS.keys()
    asked = {*re.findall(r"([a-z_]+)=~?\"", expression), *_grouped(expression)}
    assert asked <= EVERYWHERE.union(*(LABELS[name] for name in names))


def test_each_metric_is_on_the_dashboard() -> None:
    """Or in an alert: what nobody looks at need not be there."""
    shown = "\n".join(expressions())
    assert [metric.name for metric in (*SERVER, *AGENT) if metric.name not in shown] == []


def _grouped(expression: str) -> Iterator[str]:
    return chain.from_iterable(re.split(r", *", labels) for labels in re.findall(r"by \(([a-z_, ]+)\)", expression))
