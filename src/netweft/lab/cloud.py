"""The lab as a user of the API: a few requests with the admin's credentials.  HTTP only."""

import shlex
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from netweft.lab.layout import LabError, Layout


def credentials(layout: Layout) -> dict[str, str]:
    """The OS_* variables of the admin that the server made at its first start."""
    try:
        text = layout.openrc.read_text()
    except FileNotFoundError:
        raise LabError(f"no lab {layout.lab!r} here; make one: netweft lab up --name {layout.lab}") from None
    words = (shlex.split(line, comments=True) for line in text.splitlines())
    pairs = (word.partition("=") for line in words for word in line if word.startswith("OS_"))
    return {name: value for name, _, value in pairs}


class Cloud:
    """A context manager; not for more than one thread.  Each method raises LabError."""

    def __init__(self, layout: Layout) -> None:
        given = credentials(layout)
        self._auth_url = given["OS_AUTH_URL"].rstrip("/")
        self._http = httpx.Client(timeout=30, trust_env=False)
        self._http.headers["X-Auth-Token"] = self._login(given)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def _login(self, given: Mapping[str, str]) -> str:
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
        response = self._send("POST", f"{self._auth_url}/auth/tokens", {"auth": auth})
        endpoints = {entry["type"]: entry["endpoints"] for entry in response.json()["token"]["catalog"]}
        public = next(e["url"] for e in endpoints["network"] if e["interface"] == "public")
        self._network_url = public.rstrip("/").removesuffix("/v2.0") + "/v2.0"
        return response.headers["X-Subject-Token"]

    def _send(self, method: str, url: str, body: object = None) -> httpx.Response:
        try:
            response = self._http.request(method, url, json=body)
        except httpx.HTTPError as error:
            raise LabError(f"the server does not answer ({error}); see netweft lab status") from None
        if response.status_code >= 400:
            raise LabError(f"{method} {httpx.URL(url).path}: {response.status_code} {_message(response)}")
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

    def act(self, collection: str, object_id: str, verb: str, body: object) -> None:
        """PUT /ports/ID/verb, for what is more than new values of attributes."""
        self._send("PUT", f"{self._network_url}/{collection}/{object_id}/{verb}", body)

    def give_metadata(self, port_id: str, given: Mapping[str, object]) -> None:
        """What the VM behind the port is to hear of itself."""
        base = self._network_url.removesuffix("/v2.0")
        self._send("PUT", f"{base}/netweft/v1/metadata/{port_id}", {"metadata": given})

    def bind_ahead(self, port_id: str, host: str) -> None:
        """A second binding, which is not active."""
        self._send("POST", f"{self._network_url}/ports/{port_id}/bindings", {"binding": {"host": host}})

    def activate(self, port_id: str, host: str) -> None:
        """The binding there; the one that was active no longer is."""
        self.act("ports", port_id, f"bindings/{host}/activate", None)

    def unbind(self, port_id: str, host: str) -> None:
        self._send("DELETE", f"{self._network_url}/ports/{port_id}/bindings/{host}")

    def wait_active(self, port_id: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (port := self.find("ports", port_id))["status"] != "ACTIVE":
            if time.monotonic() > end:
                detail = port.get("status_detail") or "it says no more; see the agent's log"
                raise LabError(f"port {port_id} is {port['status']} after {seconds:.0f} s: {detail}")
            time.sleep(0.02)


def _message(response: httpx.Response) -> str:
    """Neutron's and Keystone's errors in words."""
    try:
        error = next(iter(response.json().values()))
        return str(error["message"])
    except (ValueError, KeyError, TypeError, StopIteration, AttributeError):
        return response.text[:200]
