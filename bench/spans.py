#!/usr/bin/env python3
"""What spans cost, off and on: `bench/spans.py NAME=CHECKOUT ...` measures requests to each checkout's server and,
as root, its wiring, with spans off; of the last one again with spans on, into a collector that takes everything.

In turns, so that what else runs on the machine is everybody's; prints medians over the rounds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import httpx
from hypervisors import busy_ms

from api import server

HERE = Path(__file__).resolve().parents[1]
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
WIRED = ("one at a time, ACTIVE, p50", "one at a time, flows, p50")


class Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def collector() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as taking:
        threading.Thread(target=taking.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{taking.server_address[1]}"
        taking.shutdown()


def requests(count: int) -> dict[str, float]:
    """Ports made one after the other: until the answer, and the server's processor; ms."""
    with server() as (endpoint, password, pid), httpx.Client(base_url=endpoint) as http:
        user = {"name": "admin", "domain": {"id": "default"}, "password": password}
        project = {"name": "admin", "domain": {"id": "default"}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}
        http.headers["X-Auth-Token"] = http.post("/identity/v3/auth/tokens", json={"auth": auth}).headers[
            "X-Subject-Token"
        ]
        network = http.post("/v2.0/networks", json={"network": {}}).json()["network"]["id"]
        http.post("/v2.0/subnets", json={"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/16"}})
        took, busy = [], 0.0
        for number in range(count + 20):
            if number == 20:  # warm
                busy = busy_ms(pid)
            began = time.perf_counter()
            http.post("/v2.0/ports", json={"port": {"network_id": network}}).raise_for_status()
            took.append((time.perf_counter() - began) * 1000)
        return {"a port made, p50, ms": median(took[20:]), "its processor, ms": (busy_ms(pid) - busy) / count}


def wiring(checkout: Path, singles: int) -> dict[str, float]:
    with tempfile.NamedTemporaryFile() as out:
        command = [
            sys.executable,
            str(checkout / "bench/wiring.py"),
            f"--singles={singles}",
            "--burst=20",
            "--json",
            out.name,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        rows = [json.loads(line) for line in Path(out.name).read_text().splitlines()]
    return {f"wired: {row['measure']}, ms": row["value"] for row in rows if "p50" in row["measure"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="*", default=[f"here={HERE}"], metavar="NAME=CHECKOUT")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--singles", type=int, default=40, help="ports wired; 0: none are")
    options = parser.parse_args()
    checkouts = [(name, Path(folder)) for name, _, folder in (one.partition("=") for one in options.checkouts)]
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with collector() as url:
        turns = [(f"{name}, off", folder, "") for name, folder in checkouts]
        turns.append((f"{checkouts[-1][0]}, on", checkouts[-1][1], url))
        for _ in range(options.rounds):
            for name, folder, endpoint in turns:
                os.environ["PYTHONPATH"] = str(folder / "src")
                os.environ[ENDPOINT] = endpoint
                measured = requests(options.requests)
                measured |= wiring(folder, options.singles) if options.singles else {}
                for figure, value in measured.items():
                    found[figure][name].append(value)
    print("| | " + " | ".join(name for name, *_ in turns) + " |")
    print("|---" + "|--:" * len(turns) + "|")
    for figure, values in found.items():
        print(f"| {figure} | " + " | ".join(f"{median(values[name]):.2f}" for name, *_ in turns) + " |")


if __name__ == "__main__":
    main()
