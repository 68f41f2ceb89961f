"""A cloud's Keystone for tests: set up, started, and asked by an admin of it."""

import subprocess
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parents[1] / ".venv" / "keystone"  # `scripts/install.sh test` makes it from requirements.lock
PASSWORD = "secret"
READY_SECONDS = 60.0
CONFIG = """
[DEFAULT]
log_file = {folder}/keystone.log
[database]
connection = sqlite:///{folder}/keystone.db
[fernet_tokens]
key_repository = {folder}/fernet
[credential]
key_repository = {folder}/credential
[cache]
enabled = false
[identity]
password_hash_rounds = 4
"""


class Keystone:
    """url: with /v3."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{port}/v3"
        (folder / "keystone.conf").write_text(CONFIG.format(folder=folder))
        self._manage(
            "db_sync",
            *(f"{what} --keystone-user root --keystone-group root" for what in ("fernet_setup", "credential_setup")),
            f"bootstrap --bootstrap-password {PASSWORD} --bootstrap-public-url {self.url} "
            "--bootstrap-region-id RegionOne",
        )

    def _manage(self, *commands: str) -> None:
        command = [f"{ENVIRONMENT}/bin/python", f"{HERE}/set_up.py", str(self.folder)]
        subprocess.run(command, input="\n".join(commands), text=True, check=True, capture_output=True)

    def start(self) -> None:
        command = [f"{ENVIRONMENT}/bin/python", f"{HERE}/serve.py", str(self.folder), str(self.port)]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait(self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                httpx.get(self.url, timeout=5.0)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def token(self, user: str = "admin", *, scope: object = None) -> str:
        """scope: as in Keystone's body; None: the project admin."""
        domain = {"id": "default"}
        proof = {"user": {"name": user, "domain": domain, "password": PASSWORD}}
        where = {"project": {"name": "admin", "domain": domain}} if scope is None else scope
        return self.log_in({"methods": ["password"], "password": proof}, where)

    def log_in(self, identity: Any, scope: object = None) -> str:
        auth = {"identity": identity} | ({"scope": scope} if scope else {})
        answer = httpx.post(f"{self.url}/auth/tokens", json={"auth": auth}, timeout=30.0)
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    @cached_property
    def _admin(self) -> str:
        return self.token()

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        headers = {"X-Auth-Token": token or self._admin}
        answer = httpx.request(method, f"{self.url}/{path}", json=body, headers=headers, timeout=30.0)
        assert answer.is_success, (method, path, answer.text)
        return answer.json() if answer.content else None

    def make(self, kind: str, **attributes: Any) -> str:
        """Its id.  kind: `user`, `project`, ..."""
        made: str = self.call("POST", f"{kind}s", {kind: attributes})[kind]["id"]
        return made

    def role(self, name: str) -> str:
        found: str = self.call("GET", f"roles?name={name}")["roles"][0]["id"]
        return found

    def grant(self, user: str, project: str, *roles: str) -> None:
        for role in roles:
            self.call("PUT", f"projects/{project}/users/{user}/roles/{self.role(role)}")
