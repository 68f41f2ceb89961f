"""`make test-deploy`: Prometheus' own tool looks at deploy/prometheus, and tries the alerts with `alerts.yml`; at a
page that has all metrics; and at each query of deploy/grafana's dashboard, as the expression of a rule.

Not in `make test`: Debian's package has 19 MB.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from netweft.metrics.definitions import AGENT, SERVER
from netweft.metrics.page import render
from netweft.metrics.values import Metric, Reading, Timings

PROMTOOL = "/var/lib/netweft/bin/promtool"
HERE = Path(__file__).parent
DEPLOY = HERE.parents[1] / "deploy" / "prometheus"
DASHBOARD = DEPLOY.parent / "grafana" / "netweft.json"


def main() -> int:
    tries = (
        ("check", "config", "--lint-fatal", DEPLOY / "prometheus.yml"),
        ("check", "rules", "--lint-fatal", DEPLOY / "netweft.rules.yml"),
        ("test", "rules", HERE / "alerts.yml"),
    )
    with TemporaryDirectory() as folder:
        asked = Path(folder, "dashboard.yml")
        asked.write_bytes(queries())
        refused = subprocess.run((PROMTOOL, "check", "rules", str(asked)), check=False).returncode
    page, _ = render((*SERVER, *AGENT), map(some, (*SERVER, *AGENT)))
    return max(
        *(subprocess.run((PROMTOOL, *map(str, words)), check=False).returncode for words in tries),
        subprocess.run((PROMTOOL, "check", "metrics"), input=page, check=False).returncode,
        refused,
    )


def queries() -> bytes:
    """Those of the dashboard's panels, with Grafana's own words filled in."""
    rules = [{"record": f"panel:{at}", "expr": asked} for at, asked in enumerate(_expressions())]
    return json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}).encode()


def _expressions() -> Iterator[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    for expression in (target["expr"] for panel in panels for target in panel.get("targets", ())):
        yield expression.replace("$__rate_interval", "5m").replace("$node", ".*")


def some(metric: Metric) -> Reading:
    return metric.at(Timings(metric.bounds) if metric.kind == "histogram" else 1, *metric.labels)


if __name__ == "__main__":
    sys.exit(main())
