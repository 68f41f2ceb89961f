"""kill -9 loses no answered write, and leaves no half of one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.waiting import PATIENCE

from netweft.store import Store

WRITER = """
import sys
from netweft.store import Claim, Link, Store
store = Store.open(sys.argv[1])
with store.write() as tx:
    tx.insert("networks", {"id": "n"})
for number in range(10**9):
    with store.write() as tx:
        for part in "ab":
            id = f"{number}{part}"
            tx.insert("ports", {"id": id}, [Link("network_id", "networks", "n")], [Claim("scope", id)])
    print(number, flush=True)
"""


def test_a_killed_writer(url: str, tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    with answers.open("wb") as output, subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=output) as writer:
        deadline = time.monotonic() + 2 * PATIENCE
        while answers.read_bytes().count(b"\n") < 50 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(writer.pid, signal.SIGKILL)
    answered = int(answers.read_text().split()[-1])
    assert answered >= 49
    store = Store.open(url)
    with store.read() as tx:
        there = {port["id"] for port in tx.query("ports")}
        changed = {change.id for change in tx.changes(0, 10**6)}
        held = tx.holders("scope", there)
        linked = {referrer.id for referrer in tx.referrers("networks", "n")}
    store.close()
    assert there >= {f"{number}{part}" for number in range(answered + 1) for part in "ab"}
    assert {id[:-1] for id in there if id.endswith("a")} == {id[:-1] for id in there if id.endswith("b")}
    assert there == changed - {"n"} == held.keys() == linked
