"""A cloud's Barbican for tests: set up, started, and asked by its users.  Whose tokens it takes a Keystone says."""

import base64
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
from tests.keystone.cloud import PASSWORD, Keystone

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parents[1] / ".venv" / "barbican"  # `scripts/install.sh barbican` makes it from requirements.lock
READY_SECONDS = 120.0
CONFIG = """
[DEFAULT]
log_file = {folder}/barbican.log
host_href = {url}
db_auto_create = true
[database]
connection = sqlite:///{folder}/barbican.db
[simple_crypto_plugin]
kek = {key}
[keystone_authtoken]
www_authenticate_uri = {keystone}
auth_url = {keystone}
auth_type = password
interface = public
username = barbican
password = {password}
user_domain_id = default
project_name = service
project_domain_id = default
"""


class Barbican:
    """Keystone has a user barbican with the role service in the project service."""

    def __init__(self, folder: Path, port: int, keystone: Keystone) -> None:
        self.folder, self.port = folder, port
        self.url = f"http://127.0.0.1:{port}"
        key = base64.b64encode(bytes(32)).decode()
        config = CONFIG.format(folder=folder, url=self.url, key=key, keystone=keystone.url, password=PASSWORD)
        (folder / "barbican.conf").write_text(config)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [f"{ENVIRONMENT}/bin/python", f"{HERE}/serve.py", str(self.folder), str(self.port)]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                httpx.get(self.url, timeout=5.0)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def call(self, token: str, method: str, path: str, body: Any = None) -> Any:
        """path: behind /v1, or a reference."""
        url = path if path.startswith(self.url) else f"{self.url}/v1{path}"
        answer = httpx.request(method, url, json=body, headers={"X-Auth-Token": token}, timeout=60.0)
        assert answer.is_success, (method, path, answer.text)
        return answer.json() if answer.content else None

    def secret(self, token: str, payload: bytes, *, octets: bool = False) -> str:
        """Its reference."""
        if octets:
            text, kind = base64.b64encode(payload).decode(), "application/octet-stream"
            body = {"payload": text, "payload_content_type": kind, "payload_content_encoding": "base64"}
        else:
            body = {"payload": payload.decode(), "payload_content_type": "text/plain"}
        made: str = self.call(token, "POST", "/secrets", body)["secret_ref"]
        return made

    def container(self, token: str, **parts: bytes) -> str:
        refs = [{"name": name, "secret_ref": self.secret(token, part)} for name, part in parts.items()]
        body = {"type": "certificate", "name": "c", "secret_refs": refs}
        made: str = self.call(token, "POST", "/containers", body)["container_ref"]
        return made
