"""`make test-deploy`: Prometheus' own tool looks at deploy/prometheus, and tries the alerts with `alerts.yml`;
and at a page that has all metrics.

Not in `make test`: Debian's package has 19 MB.
"""

import subprocess
import sys
from pathlib import Path

from netweft.metrics.definitions import AGENT, SERVER
from netweft.metrics.page import render
from netweft.metrics.values import Metric, Reading, Timings

PROMTOOL = "/var/lib/netweft/bin/promtool"
HERE = Path(__file__).parent
DEPLOY = HERE.parents[1] / "deploy" / "prometheus"


def main() -> int:
    tries = (
        ("check", "config", "--lint-fatal", DEPLOY / "prometheus.yml"),
        ("check", "rules", "--lint-fatal", DEPLOY / "netweft.rules.yml"),
        ("test", "rules", HERE / "alerts.yml"),
    )
    page, _ = render((*SERVER, *AGENT), map(some, (*SERVER, *AGENT)))
    return max(
        *(subprocess.run((PROMTOOL, *map(str, words)), check=False).returncode for words in tries),
        subprocess.run((PROMTOOL, "check", "metrics"), input=page, check=False).returncode,
    )


def some(metric: Metric) -> Reading:
    return metric.at(Timings(metric.bounds) if metric.kind == "histogram" else 1, *metric.labels)


if __name__ == "__main__":
    sys.exit(main())
