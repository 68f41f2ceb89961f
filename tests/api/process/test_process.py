"""The server as a process: how it starts, what stops it from starting, how it ends."""

import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from tests.api.process.conftest import Server, environment
from tests.waiting import PATIENCE
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from netweft.cli.main import main
from netweft.model import NodeFacts
from netweft.wire import messages as wire

END_SECONDS = 4.5  # 3, and what a busy machine adds


def netweft(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "netweft", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment(variables), timeout=30, check=False)


def test_it_answers_on_all_its_listeners(server: Server) -> None:
    server.start()
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(server.socket))) as client:
        assert client.get("http://server/healthz").text.startswith("ok")
    assert httpx.get(f"{server.url}/identity/v3").json()["version"]["links"][0]["href"].startswith(server.url)


def test_the_first_start_makes_its_folder_and_keeps_it_to_itself(server: Server) -> None:
    new = server.folder / "var" / "lib"
    server.start("--state-dir", str(new), "--database", f"sqlite:///{new}/netweft.db")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (new, new / "admin-openrc", new / "netweft.db")}
    assert modes == {"lib": 0o700, "admin-openrc": 0o600, "netweft.db": 0o600}


def test_sigterm_ends_it_soon_with_sessions_and_requests_open(server: Server) -> None:
    process = server.start()
    token = add_node(server, "hv1")
    idle = httpx.Client()
    assert idle.get(f"{server.url}/healthz").status_code == 200
    with connect(
        f"{server.url.replace('http', 'ws')}{wire.FEED_PATH}", additional_headers={"Authorization": f"Bearer {token}"}
    ) as session:
        session.send(wire.encode(wire.Subscribe(node="hv1", facts=NodeFacts())))
        assert isinstance(wire.decode_downward(received(session.recv())), wire.Snapshot)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0
        assert time.monotonic() - started < END_SECONDS
        with pytest.raises(ConnectionClosed):
            session.recv(timeout=PATIENCE)
    idle.close()
    assert "Traceback" not in server.log()


def test_kill_9_loses_nothing_that_was_answered(server: Server) -> None:
    process = server.start()
    headers = {"X-Auth-Token": server.token()}
    made = []
    with httpx.Client(base_url=f"{server.url}/identity/v3", headers=headers) as client:
        for number in range(20):
            answer = client.post("/projects", json={"project": {"name": f"p{number}"}})
            made.append(answer.json()["project"]["id"])
        process.kill()
        process.wait()
    before = server.openrc()
    server.start()
    projects = httpx.get(f"{server.url}/identity/v3/projects", headers=headers).json()["projects"]
    assert set(made) <= {project["id"] for project in projects}
    assert server.openrc() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--database", "sqlite:////no/such/folder/x.db"], "database"),
        (["--database", "sqlite:///{folder}/rubbish.db"], "database"),
        (["--database", "sqlite:///{folder}/newer.db"], "newer"),
        (["--database", "mysql://x"], "database"),
        (["--database", "sqlite://"], "sqlite:///PATH"),
        (["--token-hours", "soon"], "--token-hours"),
        (["--config", "{folder}/bad.toml"], "bad.toml"),
        (["--config", "{folder}/unknown.toml"], "portt"),
        (["--identity", "ldap"], "ldap"),
        (["--vlan-ranges", "physnet1:100:199,physnet1:150:250"], "vlan_ranges: 150:250 overlaps 100:199"),
        (["--vlan-ranges", "physnet1:100:4095"], "vlan_ranges: 100:4095"),
        (["--vni-ranges", "1:1000,1000:2000"], "vni_ranges: 1000:2000 overlaps 1:1000"),
        (["--listen", "{taken}"], "Address already in use"),
    ],
)
def test_what_stops_it_is_said_in_one_line(
    tmp_path: Path,
    options: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In this process, which starting one would take longer than."""
    for kept in ("netweft.server.run.Ending", "os.umask"):
        monkeypatch.setattr(kept, lambda *_: None)
    for name in [name for name in os.environ if name.startswith("NETWEFT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "rubbish.db").write_text("this is no database " * 100)
    with closing(sqlite3.connect(tmp_path / "newer.db")) as newer, newer:
        newer.execute("CREATE TABLE alembic_version AS SELECT 'made-tomorrow' AS version_num")
    for name in ("rubbish.db", "newer.db"):
        (tmp_path / name).chmod(0o600)
    (tmp_path / "bad.toml").write_text("[server")
    (tmp_path / "unknown.toml").write_text("[server]\nportt = 1\n")
    defaults = {"--database": f"sqlite:///{tmp_path}/other.db", "--listen": "127.0.0.1:0", "--state-dir": str(tmp_path)}
    rest = [part for name, value in defaults.items() if name not in options for part in (name, value)]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        fill = {"folder": str(tmp_path), "taken": f"127.0.0.1:{taken.getsockname()[1]}"}
        with pytest.raises(SystemExit) as ended:
            main(["server", *(option.format(**fill) for option in options), *rest])
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said.startswith("netweft: ")
    assert said.count("\n") == 1
    assert words in said


def test_a_server_that_cannot_start_ends(tmp_path: Path) -> None:
    ended = netweft("server", "--database", "sqlite:////no/such/folder/x.db", "--state-dir", str(tmp_path))
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)


def test_the_node_command(server: Server) -> None:
    server.start()
    variables = server.openrc()
    added = netweft("node", "add", "hv1", **variables)
    assert (added.returncode, added.stderr) == (0, "")
    assert added.stdout.startswith("hv1.")
    assert added.stdout.count("\n") == 1
    again = netweft("node", "add", "hv1", **variables)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("netweft: There is a node hv1")
    assert netweft("node", "add", "--rotate", "hv1", **variables).stdout != added.stdout
    assert netweft("node", "list", **variables).stdout.split("\t")[0] == "hv1"
    assert netweft("node", "rm", "hv1", **variables).returncode == 0
    assert netweft("node", "list", **variables).stdout == ""


def add_node(server: Server, name: str) -> str:
    headers = {"X-Auth-Token": server.token()}
    answer = httpx.post(f"{server.url}/netweft/v1/nodes", json={"node": {"name": name}}, headers=headers)
    return str(answer.json()["node"]["token"])


def received(frame: str | bytes) -> bytes:
    assert isinstance(frame, bytes)
    return frame
