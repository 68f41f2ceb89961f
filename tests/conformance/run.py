"""`make conformance`: OpenStack's own tests of the Networking API, against a server that is started for them.

Nothing but the server runs: no Nova, no Glance, no agent.  What came of it is written to docs/conformance.md.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.api.process.conftest import Server, environment
from tests.conformance import stock
from tests.conformance.cloud import configure
from tests.conformance.report import DIFFERS, Result, Run, told

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv" / "conformance" / "bin" / "python"  # `scripts/install.sh conformance` makes it
DOCUMENT = HERE.parents[1] / "docs" / "conformance.md"
SUITES = {
    "tempest.api.network": "",
    "neutron_tempest_plugin.api": "",
    "neutron_tempest_plugin.fwaas.api": "",
    "octavia_tempest_plugin.tests.api.v2": "load-balancer",
}  # and where its settings are
DIFFERENCES = {
    "QosMinimumPpsRule": "minimum packet rates are not offered (docs/api.md); the test asks for `qos` alone",
    "test_qos.QosSearchCriteriaTest.test_list_pagination_with_href_links": "asks by a marker that the user does not "
    "see: 404 here, an empty page there",
    "test_allocate_ips_are_from_correct_subnet": "takes `test:` for the start of a device owner, as Neutron does since "
    "it begins with a letter of `compute:`",
    "test_regular_client_blocked_from_updating_shared_address_group": "who sees a shared group is told that it is not "
    "theirs (403, as of other shared objects); the test wants 404",
    "test_update_router_set_gateway_without_snat": "needs more routers than the default quota of ten",
    "neutron_tempest_plugin.api.admin.test_agent_management": "asks for an agent, of which none runs",
    "neutron_tempest_plugin.api.admin.test_l3_agent_scheduler": "asks for an agent, of which none runs",
    "test_delete_ha_router_keeps_ha_network_segment_data": "there are no HA networks (with OVN it skips itself)",
    "test_logging.LoggingTestJSON": "what a log names is of the log's project, also an admin's (decision 0607)",
}  # parts of names of what fails, and why that is so


def results(suite: str, folder: Path) -> Iterator[Result]:
    command = [str(PYTHON), str(HERE / "inside.py"), suite]
    settings = next((where for name, where in SUITES.items() if suite.startswith(name)), "")
    variables = environment({"TEMPEST_CONFIG_DIR": str(folder / settings)})
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, env=variables) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                result = _judged(Result(**json.loads(line)))
                print(f"{result.outcome:8} {result.test}", flush=True)
                yield result


def _judged(result: Result) -> Result:
    why = next((why for part, why in DIFFERENCES.items() if part in result.test), "")
    return result._replace(outcome=DIFFERS, reason=why) if why and result.outcome == "failed" else result


def _stock(folder: Path) -> Iterator[Result]:
    """On a server of their own."""
    server = Server(folder)
    server.start()
    try:
        for result in stock.results(server):
            print(f"{result.outcome:8} {result.test}", flush=True)
            yield result
    finally:
        server.stop()


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
    if not sys.argv[1:]:
        with tempfile.TemporaryDirectory() as name:
            found += _stock(Path(name))
    seconds = round(time.monotonic() - begun)
    versions = subprocess.run([PYTHON, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    (version,) = (line.partition("==")[2] for line in versions.splitlines() if line.startswith("tempest=="))
    if not sys.argv[1:]:
        commit = subprocess.run(["git", "describe", "--always"], capture_output=True, text=True).stdout.strip()
        DOCUMENT.write_text(told(found, Run(version, commit, f"{datetime.now(UTC):%d %B %Y}", seconds)))
    failed = [result for result in found if result.outcome == "failed"]
    for result in failed:
        print(f"\n{result.test}\n{result.reason}")
    print(f"\n{len(found)} results in {seconds} s, {len(failed)} failed")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
