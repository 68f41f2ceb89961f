"""What doctor finds out of a real host: databases and sockets as they are, and no secret in what it says."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from netweft.cli.main import main
from netweft.doctor import gather_host, processes
from netweft.doctor.server_probe import ask
from netweft.store import Store
from netweft.store.inspection import look


def test_a_database_is_looked_at_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "netweft.db"
    url = f"sqlite:///{file}"
    assert (look(url).schema, look(url).problem, file.exists()) == ("", "", False)
    store = Store.open(url)
    assert look(url).schema == look(url).newest
    store.close()
    before = sorted(tmp_path.iterdir())
    assert look(url).schema == look(url).newest
    assert sorted(tmp_path.iterdir()) == before
    file.write_bytes(b"no database" * 1000)
    assert "not a database" in look(url).problem


def test_a_password_is_said_nowhere(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("hv1.SeededToken")
    config = tmp_path / "netweft.toml"
    config.write_text(
        '[server]\ndatabase = "postgresql+psycopg://u:SeededPassword@127.0.0.1:1/x"\nlisten = ["127.0.0.1:0"]\n'
        f'state_dir = "{tmp_path}"\n[agent]\nnode = "hv1"\ntoken_file = "{token}"\nserver = ["http://127.0.0.1:1"]\n'
        f'ovs_run_dir = "{tmp_path}"\nstate_dir = "{tmp_path}"\nsocket = "{tmp_path}/s"\n'
    )
    for arguments in (["--json"], []):
        with pytest.raises(SystemExit) as ended:
            main(["doctor", "--config", str(config), *arguments])
        said = capsys.readouterr()
        assert ended.value.code == 1
        assert "Seeded" not in said.out + said.err
        if arguments:
            told = json.loads(said.out)
            assert told["roles"] == ["server", "agent"]
            found = {one["code"] for one in told["findings"]}
            assert {"database-unreachable", "server-unreachable", "ovsdb-unreachable"} <= found


def test_wrong_settings_are_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "agent", "--tunnel-types", "nonsense", "--json"])
    assert (ended.value.code, json.loads(capsys.readouterr().out)["findings"][0]["code"]) == (1, "settings-wrong")


def test_who_has_a_port() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        assert taken.getsockname()[1] in processes.holders("udp")


def test_folders_and_secrets(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("secret")
    file.chmod(0o644)
    assert gather_host.secret(str(file)).open_to_all
    assert gather_host.secret(str(tmp_path / "none")).problem
    assert gather_host.folder(str(file)).problem
    assert not gather_host.folder(str(tmp_path / "made" / "later")).problem


@pytest.mark.parametrize(("status", "refused"), [(401, True), (404, False)])
def test_a_server_that_refuses_the_token(status: int, refused: bool) -> None:
    class Refuses(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(status if "Upgrade" in self.headers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = ask(f"http://127.0.0.1:{server.server_port}", "hv1.token")
        server.shutdown()
    assert asked.token_refused == refused
    assert bool(asked.problem) != refused
    assert asked.behind is not None and abs(asked.behind) < 10
