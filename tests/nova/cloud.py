"""A whole Nova beside a `netweft server` that is its Keystone and its Networking: API, conductor, scheduler, a compute
with Nova's own fake driver, and Placement, each a process, over RabbitMQ and PostgreSQL.

Images alone are a stand-in: Nova asks whether an image is there before it makes a VM.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import psycopg
from tests.api.process.conftest import environment, free_port
from tests.api.quiet_http import QuietHttp
from tests.browser.conftest import Cloud

ENVIRONMENT = Path(__file__).parents[2] / ".venv" / "nova"
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
PASSWORD = "secret of nova"
HOST = "hv1"
IMAGE = "70a599e0-31e7-49b7-b260-868f441e862b"
READY_SECONDS = 120.0  # of each of them, on a machine that does other things, too

NOVA = """
[DEFAULT]
transport_url = rabbit://guest:guest@127.0.0.1:{rabbit}/
compute_driver = fake.FakeDriver
host = {host}
my_ip = 127.0.0.1
state_path = {folder}
log_dir = {folder}
[oslo_concurrency]
lock_path = {folder}/locks
[api_database]
connection = {database}/nova_api?host={sockets}
[database]
connection = {database}/nova?host={sockets}
[keystone_authtoken]
www_authenticate_uri = {url}/identity/v3
{login}
[placement]
region_name = RegionOne
{login}
[neutron]
region_name = RegionOne
{login}
[glance]
endpoint_override = {images}
[cinder]
catalog_info = volumev3::publicURL
[vnc]
enabled = false
[oslo_messaging_notifications]
driver = noop
[os_vif_ovs]
isolate_vif = false
"""
PLACEMENT = """
[api]
auth_strategy = keystone
[placement_database]
connection = {database}/placement?host={sockets}
[keystone_authtoken]
www_authenticate_uri = {url}/identity/v3
{login}
"""
LOGIN = """auth_type = password
auth_url = {url}/identity/v3
username = nova
password = {password}
project_name = service
user_domain_name = Default
project_domain_name = Default"""
SERVE = (
    "import sys; from wsgiref import simple_server as s; from socketserver import ThreadingMixIn;"
    " T = type('T', (ThreadingMixIn, s.WSGIServer), {'daemon_threads': True});"
    " port, name = int(sys.argv.pop()), sys.argv.pop(); module = __import__(name, fromlist=['application']);"
    " s.make_server('127.0.0.1', port, module.application, T).serve_forever()"
)


def ready(of: str, condition: Callable[[], Any], log: Callable[[], str] = str) -> Any:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError, httpx.TransportError):
            if found := condition():
                return found
        time.sleep(0.2)
    raise AssertionError(f"{of} did not come up: {log()[-3000:]}")


class Compute:
    """All of it, until `close`.  The folder of a running PostgreSQL's socket is given."""

    def __init__(self, cloud: Cloud, sockets: Path) -> None:
        self.cloud, self._sockets = cloud, sockets
        self.folder = Path(tempfile.mkdtemp(prefix="netweft-nova-"))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._opened = ExitStack()
        self.api, self._placement, self._rabbit = free_port(), free_port(), free_port()
        images = QuietHttp(_image)
        self._opened.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._opened.callback(images.close)
        self._opened.callback(self._end)
        try:
            self._configure(images.url)
            self._set_up()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._opened.close()

    def stop(self, name: str, how: int = signal.SIGKILL) -> None:
        self.processes[name].send_signal(how)

    def as_user(self, token: str, method: str, path: str, body: Any = None) -> Any:
        """At Nova's API."""
        headers = {"X-Auth-Token": token, "OpenStack-API-Version": "compute 2.1"}
        answer = httpx.request(
            method, f"http://127.0.0.1:{self.api}/v2.1{path}", json=body, headers=headers, timeout=READY_SECONDS
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def server(self, token: str, name: str, port: str) -> str:
        """A VM with this port; its id."""
        wanted = {"name": name, "flavorRef": "tiny", "imageRef": IMAGE, "networks": [{"port": port}]}
        id: str = self.as_user(token, "POST", "/servers", {"server": wanted})["server"]["id"]
        return id

    def status(self, token: str, id: str) -> str:
        found = self.as_user(token, "GET", f"/servers/{id}")["server"]
        assert found["status"] != "ERROR", found.get("fault")
        status: str = found["status"]
        return status

    # -- how it is made

    def _configure(self, images: str) -> None:
        values = {
            "rabbit": self._rabbit,
            "host": HOST,
            "folder": self.folder,
            "database": "postgresql+psycopg2://postgres@",
            "sockets": self._sockets,
            "url": self.cloud.url,
            "images": images,
        }
        values["login"] = LOGIN.format(url=self.cloud.url, password=PASSWORD)
        (self.folder / "nova.conf").write_text(NOVA.format(**values))
        (self.folder / "placement.conf").write_text(PLACEMENT.format(**values))
        shutil.copy(ENVIRONMENT / "etc/nova/api-paste.ini", self.folder)

    def _set_up(self) -> None:
        self._register()
        self._start_rabbit()
        with psycopg.connect(f"postgresql://postgres@/postgres?host={self._sockets}", autocommit=True) as connection:
            for name in ("nova_api", "nova", "nova_cell0", "placement"):
                connection.execute(f"CREATE DATABASE {name}")
        self._run("placement-manage", "db", "sync")
        cell0 = f"postgresql+psycopg2://postgres@/nova_cell0?host={self._sockets}"
        self._run("nova-manage", "api_db", "sync")
        self._run("nova-manage", "cell_v2", "map_cell0", "--database_connection", cell0)
        self._run("nova-manage", "db", "sync")
        self._run("nova-manage", "cell_v2", "create_cell", "--name", "cell1")
        self._serve("placement", "placement.wsgi.api", self._placement)
        self.start_api()
        for name in ("nova-conductor", "nova-scheduler", "nova-compute"):
            self._start(name, ENVIRONMENT / "bin" / name, "--config-file", self.folder / "nova.conf")
        ready("nova-compute", self._has_compute, lambda: self.log("nova-compute"))
        self._run("nova-manage", "cell_v2", "discover_hosts")
        flavor = {"name": "tiny", "id": "tiny", "ram": 64, "vcpus": 1, "disk": 1}
        self.as_user(self._admin(), "POST", "/flavors", {"flavor": flavor})

    def start_api(self) -> None:
        self._serve("nova-api", "nova.wsgi.osapi_compute", self.api)

    def _register(self) -> None:
        cloud = self.cloud
        listed = cloud("GET", "/identity/v3/projects?name=service")["projects"]
        project = listed or [cloud("POST", "/identity/v3/projects", {"project": {"name": "service"}})["project"]]
        user = cloud("POST", "/identity/v3/users", {"user": {"name": "nova", "password": PASSWORD}})["user"]["id"]
        for name in ("admin", "service"):
            role = cloud("GET", f"/identity/v3/roles?name={name}")["roles"][0]["id"]
            cloud("PUT", f"/identity/v3/projects/{project[0]['id']}/users/{user}/roles/{role}")
        for kind, url in (
            ("compute", f"http://127.0.0.1:{self.api}/v2.1"),
            ("placement", f"http://127.0.0.1:{self._placement}"),
        ):
            service = cloud("POST", "/identity/v3/services", {"service": {"type": kind, "name": kind}})["service"]
            for interface in ("public", "internal"):
                endpoint = {"service_id": service["id"], "interface": interface, "region_id": "RegionOne", "url": url}
                cloud("POST", "/identity/v3/endpoints", {"endpoint": endpoint})

    def _admin(self) -> str:
        token: str = self.cloud.http.headers["X-Auth-Token"]
        return token

    def _has_compute(self) -> bool:
        found = self.as_user(self._admin(), "GET", "/os-services?binary=nova-compute")["services"]
        return any(one["state"] == "up" for one in found)

    def _start_rabbit(self) -> None:
        name = f"netweft{os.getpid()}@localhost"
        names = free_port()
        variables = {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(names),
            "RABBITMQ_NODENAME": name,
            "RABBITMQ_MNESIA_BASE": f"{self.folder}/rabbit",
            "RABBITMQ_LOG_BASE": f"{self.folder}/rabbit-log",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._rabbit),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_PID_FILE": f"{self.folder}/rabbit.pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/plugins",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        }
        (self.folder / "plugins").write_text("[].\n")
        self._start("epmd", "epmd", "-port", str(names), "-address", "127.0.0.1")  # else it makes one that stays
        self._start("rabbitmq", RABBITMQ, more=variables)
        ready("RabbitMQ", lambda: _listens(self._rabbit), lambda: self.log("rabbitmq"))

    def _serve(self, name: str, module: str, port: int) -> None:
        self._start(name, ENVIRONMENT / "bin/python", "-c", SERVE, module, str(port))
        ready(name, lambda: httpx.get(f"http://127.0.0.1:{port}/", timeout=30.0), lambda: self.log(name))

    def _start(self, name: str, *command: object, more: dict[str, str] | None = None) -> None:
        with (self.folder / f"{name}.out").open("a") as log:
            self.processes[name] = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(more),
                start_new_session=True,
            )

    def _run(self, program: str, *arguments: str) -> None:
        config = self.folder / f"{program.removesuffix('-manage')}.conf"
        command = [str(part) for part in (ENVIRONMENT / "bin" / program, "--config-file", config, *arguments)]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def _environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        folders = {"OS_NOVA_CONFIG_DIR": str(self.folder), "OS_PLACEMENT_CONFIG_DIR": str(self.folder)}
        return environment(folders | (more or {}))

    def log(self, name: str) -> str:
        # what is served by our few lines has no name of its own to Nova
        files = (self.folder / f"{name}.out", self.folder / f"{name}.log", self.folder / "<string>.log")
        return "".join(file.read_text() for file in files if file.exists())

    def _end(self) -> None:
        """Each is the first of a session of its own: what it started goes with it."""
        for process in reversed(self.processes.values()):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5.0):
        return True


def _image(request: BaseHTTPRequestHandler) -> None:
    """As Glance's API 2 tells of the one that there is."""
    image = {
        "id": IMAGE,
        "name": "cirros",
        "status": "active",
        "visibility": "public",
        "protected": False,
        "container_format": "bare",
        "disk_format": "raw",
        "size": 1024,
        "min_disk": 0,
        "min_ram": 0,
        "checksum": "0" * 32,
        "owner": "0" * 32,
        "created_at": "2026-11-29T12:00:00Z",
        "updated_at": "2026-11-29T12:00:00Z",
        "tags": [],
    }
    found: Any = image if IMAGE in request.path else {"images": [image]}
    if "/schemas/" in request.path:
        found = {"name": "image", "properties": {name: {"type": "string"} for name in image}}
    body = json.dumps(found).encode()
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
