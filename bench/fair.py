#!/usr/bin/env python3
"""What a quiet client notices while another does its worst: `bench/fair.py` starts a server (SQLite) of its own and
prints a table.  p99 of a quiet project's requests beside each attack, to p99 of those alone just before; the bar is
five times as long.  And how evenly 32 clients that create ports are served: p95 to p50, the bar is 3.

Medians of `--rounds`.  `--control`: the same attacks on a server that does nothing, for what the machine itself does
to a quiet client beside them.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attacks import ATTACKS, Api, Scene, connect, credentials, request, scene, wrong_passwords
from table import Row, percentile, print_table

from api import free_port, server, wait_for

BAR = 5.0
EVEN_BAR = 3.0
EVEN_CLIENTS = 32
REFUSED_MS = 60_000.0


def quiet_times(scene: Scene, seconds: float) -> dict[str, list[float]]:
    """In ms.  Not one request right after the other: it is quiet."""
    times: dict[str, list[float]] = {"GET": [], "POST": [], "DELETE": []}

    def timed(method: str, path: str, body: Any = None) -> Any:
        started = time.perf_counter()
        found = scene.quiet.must(method, path, body)
        times[method].append((time.perf_counter() - started) * 1e3)
        return found

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        port = timed("POST", "/v2.0/ports", {"port": {"network_id": scene.quiet_network}})["port"]["id"]
        for _ in range(3):
            time.sleep(0.005)
            timed("GET", f"/v2.0/ports/{port}")
        timed("DELETE", f"/v2.0/ports/{port}")
        time.sleep(0.005)
    return times


def login_times(scene: Scene, seconds: float) -> dict[str, list[float]]:
    """Of somebody who knows the password, each on a connection of its own; one that is refused counts as never."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        try:
            api = Api(scene.endpoint)
            status, _, _ = api.request("POST", "/identity/v3/auth/tokens", credentials("quiet", "quiet", "quiet"))
        except OSError:
            status = 0
        times.append((time.perf_counter() - started) * 1e3 if status == 201 else REFUSED_MS)
        time.sleep(0.02)
    return {"login": times}


def hello_times(scene: Scene, seconds: float) -> dict[str, list[float]]:
    """Of `--control`: all that its server can say."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        scene.quiet.request("GET", "/")
        times.append((time.perf_counter() - started) * 1e3)
        time.sleep(0.005)
    return {"GET": times}


def even_times(scene: Scene, seconds: float) -> list[float]:
    """In ms: what each of EVEN_CLIENTS waits for its port; each asks again when it is answered."""

    async def client(data: bytes, end: float) -> list[float]:
        reader, writer = await asyncio.open_connection(sock=connect(scene))
        times = []
        while (started := time.perf_counter()) < end:
            writer.write(data)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
            times.append((time.perf_counter() - started) * 1e3)
            assert b" 201 " in head.partition(b"\r\n")[0], head
        writer.close()
        return times

    async def clients() -> list[float]:
        data, end = request(scene, "POST", "/v2.0/ports", port), time.perf_counter() + seconds
        each = await asyncio.gather(*(client(data, end) for _ in range(EVEN_CLIENTS)))
        return [ms for times in each for ms in times]

    port = {"port": {"network_id": scene.loud_network}}
    return asyncio.run(clients())


@contextmanager
def attacked(attack: Callable[[Scene], None], scene: Scene) -> Iterator[None]:
    process = multiprocessing.get_context("fork").Process(target=attack, args=(scene,), daemon=True)
    process.start()
    try:
        time.sleep(1.0)
        yield
    finally:
        process.kill()
        process.join()
        time.sleep(0.5)


def beside(here: Scene, name: str, options: argparse.Namespace) -> list[Row]:
    """One attack, alone and beside in turn."""
    attack = ATTACKS[name]
    measures = [hello_times] if options.control else [quiet_times]
    if attack is wrong_passwords and not options.control:
        measures.append(login_times)
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(options.rounds):
        for measure in measures:
            alone = measure(here, options.seconds)
            with attacked(attack, here):
                loud = measure(here, options.seconds)
            for method, times in loud.items():
                found.setdefault(method, []).append((percentile(times, 99), percentile(alone[method], 99)))
    rows = []
    for method, pairs in found.items():
        ms, quiet = (statistics.median(values) for values in zip(*pairs, strict=True))
        ratio = statistics.median(one / other for one, other in pairs)
        rows.append(Row(f"{name}: {method}, p99 {ms:.3g} ms, alone {quiet:.3g} ms", ratio, "×", BAR))
    return rows


def even(here: Scene, options: argparse.Namespace) -> list[Row]:
    runs = [even_times(here, options.seconds) for _ in range(options.rounds)]
    p50, p95 = (statistics.median(percentile(times, percent) for times in runs) for percent in (50, 95))
    ratio = statistics.median(percentile(times, 95) / percentile(times, 50) for times in runs)
    per_s = statistics.median(len(times) for times in runs) / options.seconds
    text = f"{EVEN_CLIENTS} clients make ports, {per_s:.3g}/s: p95 {p95:.3g} ms to p50 {p50:.3g} ms"
    return [Row(text, ratio, "×", EVEN_BAR)]


@contextmanager
def control() -> Iterator[Scene]:
    """uvicorn, as we run it, and an application that says hello."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    command += ["--app-dir", str(Path(__file__).parent), "--port", endpoint.rpartition(":")[2], "hello:app"]
    process = subprocess.Popen([*command, "--log-level", "error"])
    try:
        wait_for(endpoint)
        quiet, loud = Api(endpoint, "x" * 43), Api(endpoint, "y" * 43)
        yield Scene(endpoint, quiet, loud, "n", "n", "n", "n", "n")
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def ground(options: argparse.Namespace) -> Iterator[Scene]:
    if options.control:
        with control() as here:
            yield here
        return
    with server() as (endpoint, password, _):
        here = scene(endpoint, password)
        quiet_times(here, 1)  # warm
        yield here


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6, help="of each measure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="attacks with this in their name; `even` for the 32 clients")
    parser.add_argument("--control", action="store_true", help="on a server that does nothing")
    parser.add_argument("--json", type=Path, help="append the rows to this file")
    options = parser.parse_args()
    rows = []
    with ground(options) as here:
        for name in ATTACKS:
            if options.only in name:
                rows += beside(here, name, options)
        if not options.control and options.only in "even":
            rows += even(here, options)
    print_table(f"A quiet client beside a loud one, {'control' if options.control else 'SQLite'}", rows, options.json)


if __name__ == "__main__":
    main()
