"""`make conformance`: OpenStack's own tests of the Networking API, against a server that is started for them.

Nothing but the server runs: no Nova, no Glance, no agent.  What came of it is written to docs/conformance.md.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.api.process.conftest import Server, environment
from tests.conformance.cloud import configure
from tests.conformance.report import Result, told

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv" / "conformance" / "bin" / "python"  # `scripts/install.sh conformance` makes it
DOCUMENT = HERE.parents[1] / "docs" / "conformance.md"
SUITES = {
    "tempest.api.network": "",
    "neutron_tempest_plugin.fwaas.api": "",
    "octavia_tempest_plugin.tests.api.v2": "load-balancer",
}  # and where its settings are


def results(suite: str, folder: Path) -> Iterator[Result]:
    command = [str(PYTHON), str(HERE / "inside.py"), suite]
    settings = next((where for name, where in SUITES.items() if suite.startswith(name)), "")
    variables = environment({"TEMPEST_CONFIG_DIR": str(folder / settings)})
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, env=variables) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                result = Result(**json.loads(line))
                print(f"{result.outcome:8} {result.test}", flush=True)
                yield result


def main() -> int:
    suites = sys.argv[1:] or SUITES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder)
        server.start()
        try:
            configure(server, folder)
            begun = time.monotonic()
            found = [result for suite in suites for result in results(suite, folder)]
        finally:
            server.stop()
    seconds = round(time.monotonic() - begun)
    versions = subprocess.run([PYTHON, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    (version,) = (line.partition("==")[2] for line in versions.splitlines() if line.startswith("tempest=="))
    if not sys.argv[1:]:
        DOCUMENT.write_text(told(found, version, seconds))
    failed = [result for result in found if result.outcome == "failed"]
    for result in failed:
        print(f"\n{result.test}\n{result.reason}")
    print(f"\n{len(found)} results in {seconds} s, {len(failed)} failed")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
