"""A lab as the benchmarks use it: its commands, its API, its processes and what they cost."""

import http.client
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every start that is measured compiles what has changed
NETWEFT = str(Path(sys.executable).parent / "netweft")
BULK = 100  # objects in a request, at the most


class Api:
    """One kept connection, one token."""

    def __init__(self, env: dict[str, str]) -> None:
        auth = urlsplit(env["OS_AUTH_URL"])
        self.connection = http.client.HTTPConnection(auth.hostname or "", auth.port)
        user = {"name": env["OS_USERNAME"], "domain": {"name": "Default"}, "password": env["OS_PASSWORD"]}
        scope = {"project": {"name": env["OS_PROJECT_NAME"], "domain": {"name": "Default"}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        path = f"{auth.path.rstrip('/')}/auth/tokens"
        self.token = ""
        self.request("POST", path, {"auth": {"identity": identity, "scope": scope}})

    def request(self, method: str, path: str, body: object = None) -> Any:
        headers = {"X-Auth-Token": self.token, "Content-Type": "application/json"}
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            sys.exit(f"bench: {method} {path}: {answer.status} {content[:300]!r}")
        self.token = answer.getheader("X-Subject-Token") or self.token
        return json.loads(content) if content else None


class Lab:
    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *words: str) -> str:
        command = [NETWEFT, "lab", *words, "--name", self.name]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def up(self, nodes: int = 1) -> None:
        """Whatever an earlier run has left goes first."""
        subprocess.run([NETWEFT, "lab", "down", "--name", self.name], check=False, stderr=subprocess.DEVNULL)
        self("up", "--nodes", str(nodes))

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("status", "--json"))
        return found

    def node(self, name: str = "hv1") -> dict[str, Any]:
        return next(node for node in self.status()["nodes"] if node["name"] == name)

    def api(self) -> Api:
        words = (shlex.split(line) for line in self("env").splitlines() if line.startswith("export "))
        return Api(dict(word[1].split("=", 1) for word in words if len(word) > 1))

    def pid_of(self, kind: str, node: str | None = None) -> int:
        processes = self.status()["processes"]
        return next(int(p["pid"]) for p in processes if p["kind"] == kind and node in (None, p["node"]))


def make_ports(api: Api, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for start in range(0, len(wanted), BULK):
        made += api.request("POST", "/v2.0/ports", {"ports": wanted[start : start + BULK]})["ports"]
    return made


def add_port(name: str, port: dict[str, Any]) -> list[str]:
    """What tells ovs-vsctl to plug in a VIF; several may follow each other, behind the first "--"."""
    words = ["--", "add-port", "br-int", name, "--", "set", "Interface", name, "type=internal"]
    return [*words, f"external_ids:iface-id={port['id']}", f'external_ids:attached-mac="{port["mac_address"]}"']


def until_in_sync(path: str, *, other: int = 0, seconds: float = 60) -> float:
    """other: an agent whose word does not count, by its pid.  Returns when the agent, with a session to its server,
    said that all is in place; that it would change nothing is asked after that."""
    deadline = time.monotonic() + seconds
    while True:
        text = ask(path, "show").get("text", "") if not Path(f"/proc/{other}").exists() else ""
        if "\nall is in place\n" in text and re.search(r"^server \S+ up$", text, re.MULTILINE):
            said = time.perf_counter()
            if ask(path, "plan") == {"text": ""}:
                return said
        check(deadline, "in sync")
        time.sleep(0.01)


def ask(path: str, question: str) -> dict[str, str]:
    """Empty when nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            connection.sendall(f"{question}\n".encode())
            answer = connection.makefile("rb").read()
        except OSError:
            return {}
    return json.loads(answer) if answer else {}


def age(pid: int) -> float:
    """Seconds since the process was started (proc(5), field 22: ticks since boot)."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def busy_ms(pid: int) -> float:
    """Processor time of the process so far, by its own clock (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e6


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def check(deadline: float, what: str) -> None:
    if time.monotonic() > deadline:
        sys.exit(f"bench: not {what} after its deadline")
