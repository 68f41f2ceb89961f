"""A lab comes up whole and goes without a trace, however it was interrupted; and its commands."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tests.netns.harness import Lab, new_name, until
from tests.waiting import PATIENCE

from netweft.lab import build, fabric, hypervisor, processes
from netweft.lab.layout import LabError, Layout

NETWEFT = str(hypervisor.NETWEFT)
ONE = build.Plan(nodes=1)


def nothing_is_left(layout: Layout) -> bool:
    interfaces = subprocess.run(("ip", "-o", "link"), capture_output=True, text=True, check=True).stdout
    return not (
        layout.folder.exists()
        or fabric.namespaces(layout)
        or processes.find(layout.lab)
        or layout.namespace_prefix in interfaces
    )


def run(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run((NETWEFT, "lab", *words), capture_output=True, text=True, check=check, timeout=120)


@pytest.fixture(scope="module")
def name() -> Iterator[str]:
    name = new_name()
    run("up", "--nodes", "1", "--name", name)
    yield name
    run("down", "--name", name)
    assert nothing_is_left(Layout(name))


def status(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("status", "--json", "--name", name).stdout)
    return found


def test_status_for_programs(name: str) -> None:
    found = status(name)
    assert [node["name"] for node in found["nodes"]] == ["hv1"]
    kinds = sorted((process["kind"], process["node"]) for process in found["processes"])
    assert kinds == [("agent", "hv1"), ("ovs-vswitchd", "hv1"), ("ovsdb-server", "hv1"), ("server", None)]
    for process in found["processes"]:
        os.kill(process["pid"], 0)


def test_env_is_all_that_the_stock_client_needs(name: str) -> None:
    script = f'eval "$({NETWEFT} lab env --name {name})"; openstack network agent list -f json'
    done = subprocess.run(("bash", "-c", script), capture_output=True, text=True, check=True)
    assert [(agent["Host"], agent["Alive"]) for agent in json.loads(done.stdout)] == [("hv1", True)]


def test_a_vm_from_first_to_last(name: str) -> None:
    lab = Lab(name)
    network = lab.network("10.9.9.0/24")
    run("vm", "add", "web-1", "--node", "hv1", "--network", network, "--name", name)
    (machine,) = status(name)["vms"]
    done = run("vm", "exec", "web-1", "--name", name, "--", "ip", "-o", "address", "show", "eth0")
    assert machine["addresses"][0] in done.stdout
    assert run("vm", "exec", "web-1", "--name", name, "--", "sh", "-c", "exit 7", check=False).returncode == 7
    run("vm", "rm", "web-1", "--name", name)
    assert status(name)["vms"] == []
    assert not lab.vsctl("hv1", "--bare", "find", "Interface", "external_ids:iface-id!=''").count(machine["tap"])


def test_a_real_machine_takes_commands_too(name: str) -> None:
    network = Lab(name).network("10.9.8.0/24")
    run("vm", "add", "real", "--kind", "qemu", "--node", "hv1", "--network", network, "--name", name)
    assert run("vm", "exec", "real", "--name", name, "--", "hostname").stdout == "real\n"
    assert run("vm", "exec", "real", "--name", name, "--", "sh", "-c", "exit 7", check=False).returncode == 7
    run("vm", "rm", "real", "--name", name)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("up",), "already"),
        (("vm", "add", "x", "--node", "hv9", "--network", "n"), "no node 'hv9'"),
        (("vm", "add", "x", "--node", "hv1", "--network", "none"), "no network 'none'"),
        (("vm", "add", "x", "--node", "hv1"), "either --port or --network"),
        (("vm", "rm", "x"), "no VM 'x'"),
        (("vm", "exec", "x", "--", "true"), "no VM 'x'"),
    ],
)
def test_mistakes_are_one_line(name: str, words: tuple[str, ...], message: str) -> None:
    split = words.index("--") if "--" in words else len(words)
    done = run(*words[:split], "--name", name, *words[split:], check=False)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("status",), ("env",), ("vm", "rm", "x")])
def test_without_a_lab(words: tuple[str, ...]) -> None:
    done = run(*words, "--name", "nothere", check=False)
    assert done.returncode == 1
    assert "nothere" in done.stderr


def test_two_labs_side_by_side_and_a_name_that_begins_alike(layout: Layout) -> None:
    other = Layout(f"{layout.lab}a")
    try:
        build.up(layout, ONE)
        build.up(other, ONE)
        build.down(layout)
        assert nothing_is_left(layout)
        assert len(processes.supervised(other.lab)) == 7
        assert len(fabric.namespaces(other)) == 2
    finally:
        build.down(other)


def test_down_after_the_supervisor_was_killed_and_the_files_are_gone(layout: Layout) -> None:
    build.up(layout, ONE)
    supervisor = next(p.pid for p in processes.find(layout.lab) if p.kind == "supervisor")
    os.kill(supervisor, signal.SIGKILL)
    shutil.rmtree(layout.folder)
    assert not nothing_is_left(layout)
    build.down(layout)
    assert nothing_is_left(layout)


def test_down_takes_a_shell_inside_a_machine_with_it(layout: Layout) -> None:
    fabric.machine(layout.vm_namespace("web"))
    with subprocess.Popen(("ip", "netns", "exec", layout.vm_namespace("web"), "sleep", "60")) as shell:
        until(lambda: subprocess.check_output(("ip", "netns", "pids", layout.vm_namespace("web"))), "the shell runs")
        build.down(layout)
        assert shell.wait(PATIENCE) == -signal.SIGKILL
    assert nothing_is_left(layout)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.0])
def test_down_after_up_was_killed_half_way(layout: Layout, seconds: float) -> None:
    up = subprocess.Popen((NETWEFT, "lab", "up", "--name", layout.lab), stderr=subprocess.DEVNULL)
    until(lambda: build.exists(layout), "begun")
    with pytest.raises(subprocess.TimeoutExpired):
        up.wait(seconds)
    up.kill()
    up.wait()
    build.down(layout)
    assert nothing_is_left(layout)
    assert build.down(layout) == []


def test_an_up_that_fails_leaves_nothing_but_the_reason(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hypervisor, "server_settings", lambda *_: "[server]\nno_such_setting = 1\n")
    monkeypatch.setattr(build, "PATIENCE", 2.0)
    with pytest.raises(LabError, match="no_such_setting"):
        build.up(layout, ONE)
    assert nothing_is_left(layout)
