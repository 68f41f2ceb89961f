"""`make test-deploy`: Prometheus' own tool looks at deploy/prometheus, and tries the alerts with `alerts.yml`.

Not in `make test`: Debian's package has 19 MB.
"""

import subprocess
import sys
from pathlib import Path

PROMTOOL = "/var/lib/netweft/bin/promtool"
HERE = Path(__file__).parent
DEPLOY = HERE.parents[1] / "deploy" / "prometheus"


def main() -> int:
    tries = (
        ("check", "config", "--lint-fatal", DEPLOY / "prometheus.yml"),
        ("check", "rules", "--lint-fatal", DEPLOY / "netweft.rules.yml"),
        ("test", "rules", HERE / "alerts.yml"),
    )
    return max(subprocess.run((PROMTOOL, *map(str, words)), check=False).returncode for words in tries)


if __name__ == "__main__":
    sys.exit(main())
