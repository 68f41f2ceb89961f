"""The lab as a user of the API: a few requests with the admin's credentials.  HTTP only."""

import shlex
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from netweft.lab.layout import LabError, Layout, NoLab


def credentials(layout: Layout) -> dict[str, str]:
    """The OS_* variables of the admin that the server made at its first start."""
    try:
        text = layout.openrc.read_text()
    except FileNotFoundError:
        raise NoLab(layout.lab) from None
    words = (shlex.split(line, comments=True) for line in text.splitlines())
    pairs = (word.partition("=") for line in words for word in line if word.startswith("OS_"))
    return {name: value for name, _, value in pairs}


class Session(NamedTuple):
    token: str
    network_url: str


_kept: dict[frozenset[tuple[str, str]], Session] = {}  # by credentials: a login costs more than most requests


class Cloud:
    """A context manager; not for more than one thread.  Each method raises LabError."""

    def __init__(self, layout: Layout) -> None:
        self._given = credentials(layout)
        self._auth_url = self._given["OS_AUTH_URL"].rstrip("/")
        # a lab's server speaks plain HTTP on the loopback: to read all authorities' certificates takes 50 ms
        self._http = httpx.Client(timeout=30, trust_env=False, verify=False)
        self._session = _kept.get(frozenset(self._given.items())) or self._log_in()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def _log_in(self) -> Session:
        given = self._given
        user = {
            "name": given["OS_USERNAME"],
            "password": given["OS_PASSWORD"],
            "domain": {"name": given.get("OS_USER_DOMAIN_NAME", "Default")},
        }
        project = {"name": given["OS_PROJECT_NAME"], "domain": {"name": given.get("OS_PROJECT_DOMAIN_NAME", "Default")}}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": project},
        }
        response = self._checked(self._ask("POST", f"{self._auth_url}/auth/tokens", {"auth": auth}))
        endpoints = {entry["type"]: entry["endpoints"] for entry in response.json()["token"]["catalog"]}
        public = next(e["url"] for e in endpoints["network"] if e["interface"] == "public")
        network_url = public.rstrip("/").removesuffix("/v2.0") + "/v2.0"
        _kept[frozenset(given.items())] = session = Session(response.headers["X-Subject-Token"], network_url)
        return session

    @property
    def session(self) -> Session:
        """For who asks in other words."""
        return self._session

    @property
    def _network_url(self) -> str:
        return self._session.network_url

    def _send(self, method: str, url: str, body: object = None) -> httpx.Response:
        response = self._ask(method, url, body, self._session.token)
        if response.status_code == 401:  # the token has been kept for too long
            self._session = self._log_in()
            response = self._ask(method, url, body, self._session.token)
        return self._checked(response)

    def _ask(self, method: str, url: str, body: object, token: str = "") -> httpx.Response:
        try:
            return self._http.request(method, url, json=body, headers={"X-Auth-Token": token} if token else {})
        except httpx.HTTPError as error:
            raise LabError(f"the server does not answer ({error}); see netweft lab status") from None

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.status_code >= 400:
            request = response.request
            raise LabError(f"{request.method} {request.url.path}: {response.status_code} {_message(response)}")
        return response

    def _url(self, collection: str) -> str:
        return f"{self._network_url}/{collection.replace('_', '-')}"

    def list(self, collection: str, **filters: str) -> list[dict[str, Any]]:
        """collection: as in the bodies (`ports`, `security_groups`)."""
        url = httpx.URL(self._url(collection), params=filters)
        found: list[dict[str, Any]] = self._send("GET", str(url)).json()[collection.replace("-", "_")]
        return found

    def find(self, collection: str, name_or_id: str) -> dict[str, Any]:
        for key in ("id", "name"):
            found = self.list(collection, **{key: name_or_id})
            if len(found) == 1:
                return found[0]
            if found:
                raise LabError(f"there are {len(found)} {collection} named {name_or_id!r}: give the id")
        raise LabError(f"there is no {collection[:-1]} {name_or_id!r}")

    def create(self, collection: str, **attributes: object) -> dict[str, Any]:
        singular = collection[:-1].replace("-", "_")
        response = self._send("POST", self._url(collection), {singular: attributes})
        created: dict[str, Any] = response.json()[singular]
        return created

    def update(self, collection: str, object_id: str, changes: Mapping[str, object]) -> dict[str, Any]:
        singular = collection[:-1].replace("-", "_")
        response = self._send("PUT", f"{self._url(collection)}/{object_id}", {singular: changes})
        updated: dict[str, Any] = response.json()[singular]
        return updated

    def delete(self, collection: str, object_id: str) -> None:
        self._send("DELETE", f"{self._url(collection)}/{object_id}")

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Anything else of the network API; path: what follows /v2.0/.  The answer's body, None when it has none."""
        response = self._send(method, f"{self._network_url}/{path}", body)
        return response.json() if response.content else None

    def balancing(self, method: str, path: str, body: object = None) -> Any:
        """Of Octavia's API; path: what follows /v2/lbaas/.  As `request`."""
        base = self._network_url.removesuffix("/v2.0")
        response = self._send(method, f"{base}/load-balancer/v2/lbaas/{path}", body)
        return response.json() if response.content else None

    def keeping(self, method: str, path: str, body: object = None) -> Any:
        """Of the key manager's API; path: what follows /v1/.  As `request`."""
        base = self._network_url.removesuffix("/v2.0")
        response = self._send(method, f"{base}/key-manager/v1/{path}", body)
        return response.json() if response.content else None

    def act(self, collection: str, object_id: str, verb: str, body: object) -> None:
        """PUT /ports/ID/verb, for what is more than new values of attributes."""
        self._send("PUT", f"{self._network_url}/{collection}/{object_id}/{verb}", body)

    def give_metadata(self, port_id: str, given: Mapping[str, object]) -> None:
        """What the VM behind the port is to hear of itself."""
        base = self._network_url.removesuffix("/v2.0")
        self._send("PUT", f"{base}/netweft/v1/metadata/{port_id}", {"metadata": given})

    def admit(self, node: str) -> str:
        """A hypervisor; its token."""
        base = self._network_url.removesuffix("/v2.0")
        response = self._send("POST", f"{base}/netweft/v1/nodes", {"node": {"name": node}})
        token: str = response.json()["node"]["token"]
        return token

    def bind_ahead(self, port_id: str, host: str) -> None:
        """A second binding, which is not active."""
        self._send("POST", f"{self._network_url}/ports/{port_id}/bindings", {"binding": {"host": host}})

    def activate(self, port_id: str, host: str) -> None:
        """The binding there; the one that was active no longer is."""
        self.act("ports", port_id, f"bindings/{host}/activate", None)

    def unbind(self, port_id: str, host: str) -> None:
        self._send("DELETE", f"{self._network_url}/ports/{port_id}/bindings/{host}")

    def wait_active(self, port_id: str, seconds: float) -> None:
        start = time.monotonic()
        while (port := self.find("ports", port_id))["status"] != "ACTIVE":
            if (waited := time.monotonic() - start) > seconds:
                detail = port.get("status_detail") or "it says no more; see the agent's log"
                raise LabError(f"port {port_id} is {port['status']} after {seconds:.0f} s: {detail}")
            time.sleep(min(0.02 + waited / 10, 0.2))


def _message(response: httpx.Response) -> str:
    """Neutron's and Keystone's errors in words."""
    try:
        error = next(iter(response.json().values()))
        return str(error["message"])
    except (ValueError, KeyError, TypeError, StopIteration, AttributeError):
        return response.text[:200]
