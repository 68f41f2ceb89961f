"""A Nova to ask for servers, over HTTP: answers in the form of the real one's (compute API 2.1), to each token what its
project has, and, when told to, whatever else a broken or hostile one might say."""

import gzip
import json
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.api.quiet_http import QuietHttp

Who = Callable[[str], tuple[str, bool] | None]
HANG_SECONDS = 30.0


def server(project: str, name: str, **values: Any) -> dict[str, Any]:
    """As `GET /servers/detail` has it; the host is an admin's."""
    id = values.pop("id", "") or str(uuid.uuid4())
    return {
        "id": id,
        "name": name,
        "status": "ACTIVE",
        "tenant_id": project,
        "user_id": "c6f0ad07a8c94e8fb2f5f2f0e2ac2e0c",
        "metadata": {},
        "hostId": "2091634baaccdc4c5a1d57069c833e402921df696b7f970791b12ec6",
        "image": {"id": "70a599e0-31e7-49b7-b260-868f441e862b", "links": []},
        "flavor": {"id": "1", "links": []},
        "created": "2026-11-29T12:00:00Z",
        "updated": "2026-11-29T12:00:09Z",
        "addresses": {"net": [{"addr": "10.0.0.5", "version": 4, "OS-EXT-IPS:type": "fixed"}]},
        "accessIPv4": "",
        "accessIPv6": "",
        "links": [],
        "OS-DCF:diskConfig": "AUTO",
        "progress": 0,
        "OS-EXT-AZ:availability_zone": "nova",
        "config_drive": "",
        "key_name": None,
        "OS-SRV-USG:launched_at": "2026-11-29T12:00:09.000000",
        "OS-SRV-USG:terminated_at": None,
        "OS-EXT-SRV-ATTR:host": "hv-of-nova",
        "OS-EXT-SRV-ATTR:instance_name": "instance-00000001",
        "OS-EXT-SRV-ATTR:hypervisor_hostname": "hv-of-nova",
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:power_state": 1,
        "os-extended-volumes:volumes_attached": [],
        "security_groups": [{"name": "default"}],
    } | values


class Nova:
    """who: a token's project, and whether it is an admin's; None: it is no good.  Without it, as `known` says.
    says: what it answers instead: a name below, or a function from a request's path to a status and a body."""

    def __init__(self, who: Who | None = None) -> None:
        self.known: dict[str, tuple[str, bool]] = {}
        self.servers: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []  # path with query, token
        self.says: Any = None
        self._who = who or self.known.get
        self.http = QuietHttp(self.answer)
        self.url = f"{self.http.url}/v2.1"
        self.close = self.http.close

    def add(self, project: str, name: str, **values: Any) -> str:
        self.servers.append(server(project, name, **values))
        id: str = self.servers[-1]["id"]
        return id

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.path, request.headers["X-Auth-Token"]))
        headers: dict[str, str] = {}
        if callable(self.says):
            status, content = self.says(request.path)
        elif self.says:
            status, content, headers = getattr(self, f"_{self.says}")()
        else:
            status, content = self._told(request)
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        request.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    def _told(self, request: BaseHTTPRequestHandler) -> tuple[int, Any]:
        asked = urlsplit(request.path)
        known = self._who(request.headers["X-Auth-Token"])
        if known is None:
            return 401, {"error": {"code": 401, "message": "The request you have made requires authentication."}}
        project, admin = known
        query = parse_qs(asked.query)
        if "all_tenants" in query and not admin:
            return 403, {"forbidden": {"code": 403, "message": "Policy doesn't allow all_tenants."}}
        seen = [one for one in self.servers if one["tenant_id"] == project or (admin and "all_tenants" in query)]
        if not admin:
            seen = [{name: one[name] for name in one if "SRV-ATTR" not in name} for one in seen]
        if asked.path == "/v2.1/servers/detail":
            return 200, {"servers": seen[: int(query["limit"][0])]}
        its = seen if not admin else self.servers
        found = next((one for one in its if asked.path == f"/v2.1/servers/{one['id']}"), None)
        return (200, {"server": found}) if found else (404, {"itemNotFound": {"code": 404, "message": "not found"}})

    def _hang(self) -> tuple[int, bytes, dict[str, str]]:
        self.http.ended.wait(HANG_SECONDS)
        return 200, b"{}", {}

    def _html(self) -> tuple[int, bytes, dict[str, str]]:
        return 200, b"<html><script>alert(1)</script></html>", {"Content-Type": "text/html"}

    def _large(self) -> tuple[int, bytes, dict[str, str]]:
        return 200, b'{"servers": [' + b" " * 10_000_000 + b"]}", {}

    def _packed(self) -> tuple[int, bytes, dict[str, str]]:
        return 200, gzip.compress(b" " * 10_000_000), {"Content-Encoding": "gzip"}

    def _redirect(self) -> tuple[int, bytes, dict[str, str]]:
        return 302, b"", {"Location": f"{self.url}/elsewhere"}

    def _fault(self) -> tuple[int, bytes, dict[str, str]]:
        return 500, b"secret of Nova", {}
