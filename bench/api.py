#!/usr/bin/env python3
"""API latency and throughput, authentication on: `bench/api.py` starts a server of its own and prints a table.

On SQLite, or on an empty PostgreSQL that `--database` names.

The instrument is `api_bench.py` of the shared folder beside the checkout (`--instrument` names another place): the one
that Neutron's figures were taken with.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypervisors import resident_mb
from table import Row, print_table

HERE = Path(__file__).resolve().parent
INSTRUMENT = HERE.parents[1] / "shared" / "bench" / "api_bench.py"
NETWEFT = Path(sys.executable).parent / "netweft"

# measure of the instrument, at so many clients -> (figure, unit, bar, higher, Neutron 29's)
BARS = {
    ("port_create", 1): ("p50_ms", "ms", 6, False, "Neutron 118 ms"),
    ("port_create", 8): ("per_s", "/s", 250, True, "Neutron 15 /s"),
    ("port_create", 32): ("per_s", "/s", None, True, ""),
    ("port_bulk_create_100", 1): ("items_per_s", "ports/s", 1500, True, "Neutron 7.6 /s"),
    ("port_get", 1): ("p50_ms", "ms", 2, False, "Neutron 15 ms"),
    ("network_get", 1): ("p50_ms", "ms", 2, False, ""),
    ("network_create", 1): ("p50_ms", "ms", None, False, ""),
    ("port_delete", 1): ("p50_ms", "ms", None, False, ""),
    ("port_list_all_of_1000", 1): ("p50_ms", "ms", 25, False, "Neutron 728 ms"),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(database: str = "") -> Iterator[tuple[str, str, int]]:
    """-> endpoint, admin's password, pid."""
    with tempfile.TemporaryDirectory(prefix="netweft-bench-") as folder:
        endpoint = f"http://127.0.0.1:{free_port()}"
        settings = Path(folder, "netweft.toml")
        settings.write_text(
            f'[server]\nlisten = ["{endpoint.removeprefix("http://")}"]\n'
            f'database = "{database or f"sqlite:///{folder}/netweft.db"}"\nstate_dir = "{folder}"\n'
        )
        process = subprocess.Popen([NETWEFT, "server", "--config", settings])
        try:
            wait_for(f"{endpoint}/healthz")
            password = re.search(r"OS_PASSWORD=['\"]?([^'\"\n]+)", Path(folder, "admin-openrc").read_text())
            assert password
            yield endpoint, password[1], process.pid
        finally:
            process.terminate()
            process.wait(10)


def wait_for(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"bench: no answer from {url} after {seconds:.0f} s")
            time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instrument", type=Path, default=INSTRUMENT)
    parser.add_argument("--n", default="200", help="requests per measure")
    parser.add_argument("--database", default="", help="an empty PostgreSQL database; else SQLite")
    parser.add_argument("--clients", default="1,8", help="so many at a time")
    parser.add_argument("--json", type=Path, help="append the rows to this file")
    options = parser.parse_args()
    if not options.instrument.exists():
        sys.exit(f"bench: {options.instrument.name} is not there; name it with --instrument")
    with server(options.database) as (endpoint, password, pid), tempfile.NamedTemporaryFile() as out:
        idle = resident_mb(pid)
        command = [sys.executable, options.instrument, "--auth-url", f"{endpoint}/identity/v3", "--endpoint", endpoint]
        command += ["--user", "admin", "--password", password, "--project", "admin", "--n", options.n]
        command += ["--concurrency", options.clients, "--list-sizes", "1000", "--label", "netweft", "--out", out.name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": ""})
        measured = [json.loads(line) for line in Path(out.name).read_text().splitlines()]
        rows = []
        for entry in measured:
            wanted = BARS.get((entry["measure"], entry["concurrency"]))
            if wanted:
                figure, unit, bar, higher, peers = wanted
                name = f"{entry['measure']}, {entry['concurrency']} client(s), {figure}"
                rows.append(Row(name, entry[figure], unit, bar, higher, peers))
            if wanted and figure != "p50_ms":
                rows.append(Row(f"{name.rpartition(',')[0]}, p50", entry["p50_ms"], "ms"))
            if entry["err"]:
                print(f"bench: {entry['measure']}: {entry['err']} requests failed", file=sys.stderr)
        rows.append(Row("server resident, just started", idle, "MB"))
        rows.append(Row("server resident, after this load", resident_mb(pid), "MB", 150, False, "Neutron 1,500 MB"))
    print_table(f"API, authentication on, {'PostgreSQL' if options.database else 'SQLite'}", rows, options.json)


if __name__ == "__main__":
    main()
