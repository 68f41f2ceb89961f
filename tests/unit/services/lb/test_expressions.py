"""Regular expressions of L7 rules in a real HAProxy: what they cost of its processor, and that usual ones match."""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from tests.api.process.conftest import free_port
from tests.unit.services.lb.trees import policy, rule

from netweft.services.lb.proxy import policies

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="needs HAProxy")


def lines(expressions: list[str]) -> list[str]:
    made = [policy(f"p{at}", "REJECT") for at in range(len(expressions))]
    rules = [rule(f"r{at}", f"p{at}", "PATH", "REGEX", one) for at, one in enumerate(expressions)]
    return list(policies.lines(policies.in_order(made, rules), lambda _: None))


def asked(folder: Path, said: list[str], path: str) -> tuple[int, float]:
    """The status of one request, and the seconds of processor that it took HAProxy."""
    port, config = free_port(), folder / "haproxy.cfg"
    head = ["global", "nbthread 1", "defaults", "mode http", *(f"timeout {one} 60s" for one in ("client", "server"))]
    more = ["timeout connect 5s", "frontend f", f"bind 127.0.0.1:{port}", *said, "http-request return status 200"]
    config.write_text("\n".join([*head, *more]) + "\n")
    with subprocess.Popen(["haproxy", "-db", "-f", str(config)], stderr=subprocess.DEVNULL) as running:
        try:
            with connected(port) as one:
                before = seconds(running.pid)
                one.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                status = int(one.recv(1000).split()[1])
            return status, seconds(running.pid) - before
        finally:
            running.kill()


def connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("bad", "times"), [("^/(a+)+$", 10), ("(.*)(.*)(.*)(.*)(.*)[^ab]$", 10), ("[a-z]{1,9000}a[0-9]", 2)]
)
def test_one_that_goes_back_without_end_is_given_up(tmp_path: Path, bad: str, times: int) -> None:
    """times: a tenth of a second in all can be counted, and after two seconds HAProxy would end itself."""
    limited = lines([bad] * times)
    free = [re.sub(r"\(\*LIMIT_MATCH=\d+\)", "", line) for line in limited]
    assert free != limited
    path = f"/{'a' * 15_000}b"
    status, costs = asked(tmp_path, limited, path)
    _, would_cost = asked(tmp_path, free, path)
    print(f"{bad}: {costs:.2f} s, without a limit {would_cost:.2f} s")
    assert status == 200
    assert costs < would_cost / 4


@pytest.mark.parametrize(
    ("usual", "path"),
    [
        (r"^/api/v[0-9]+/.*\.(php|jsp)$", f"/api/v2/{'directory/' * 1000}index.php"),
        (r"^/(?:[a-z]+/)*x$", f"/{'directory/' * 1000}x"),
        ("(?:foo|bar)+$", f"/{'x' * 9000}foobar"),
    ],
)
def test_usual_ones_match_what_is_long(tmp_path: Path, usual: str, path: str) -> None:
    assert asked(tmp_path, lines([usual]), path)[0] == 403
