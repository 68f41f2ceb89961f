"""Requests to Netweft's load balancing API.  Its objects are found by the tag with Octavia's id."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from keystoneauth1 import session
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity import v3
from octavia_lib.api.drivers import exceptions

from netweft_octavia import translate
from netweft_octavia.translate import Body

PENDING_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 0.05
_BASE: Final = "/v2/lbaas"
_MEMBERS: Final = {"loadbalancers": "loadbalancer", "l7policies": "l7policy"}


class Answer(Protocol):
    @property
    def status_code(self) -> int: ...

    @property
    def text(self) -> str: ...

    def json(self) -> Any: ...


Request = Callable[[str, str, Body | None], Answer]  # method, path behind /v2/lbaas, body


class Requests(NamedTuple):
    """network: of the Networking API, for the VIP's port; path behind /v2.0."""

    balancing: Request
    network: Request


def from_environment() -> Requests:
    """By the OS_* variables of an admin of Netweft's."""
    own = v3.Password(
        auth_url=os.environ["OS_AUTH_URL"],
        username=os.environ["OS_USERNAME"],
        password=os.environ["OS_PASSWORD"],
        project_name=os.environ["OS_PROJECT_NAME"],
        user_domain_name=os.environ.get("OS_USER_DOMAIN_NAME", "Default"),
        project_domain_name=os.environ.get("OS_PROJECT_DOMAIN_NAME", "Default"),
    )
    opened = session.Session(auth=own)

    def of(service_type: str, base: str) -> Request:
        adapter = Adapter(opened, service_type=service_type, raise_exc=False)
        return lambda method, path, body: adapter.request(f"{base}{path}", method, json=body)

    return Requests(of("load-balancer", _BASE), of("network", "/v2.0"))


class Netweft:
    def __init__(self, requests: Requests, sleep: Callable[[float], None] = time.sleep) -> None:
        self._request, self._network, self._sleep = requests.balancing, requests.network, sleep

    def make_port(self, body: Body) -> Body:
        found: Body = self._checked(self._network("POST", "/ports", {"port": body})).json()["port"]
        return found

    def delete_port(self, id: str) -> None:
        answer = self._network("DELETE", f"/ports/{id}", None)
        if answer.status_code != 404:
            self._checked(answer)

    def find(self, collection: str, octavia_id: str) -> str:
        """collection: its path, `/pools/ID/members` for a pool's members.  Raises DriverError when it is not there."""
        found = self.list(f"{collection}?tags={translate.tag(octavia_id)}&fields=id")
        if not found:
            raise _failed(f"{collection} {octavia_id} is not known to Netweft")
        return str(found[0]["id"])

    def list(self, path: str) -> list[dict[str, Any]]:
        answer = self._checked(self._request("GET", path, None))
        found: list[dict[str, Any]] = next(value for value in answer.json().values() if isinstance(value, list))
        return found

    def create(self, collection: str, body: Body) -> None:
        self.change("POST", collection, {_member(collection): body})

    def update(self, collection: str, id: str, body: Body) -> None:
        self.change("PUT", f"{collection}/{id}", {_member(collection): body})

    def delete(self, collection: str, id: str, *, cascade: bool = False) -> None:
        self.change("DELETE", f"{collection}/{id}{'?cascade=true' if cascade else ''}", None)

    def change(self, method: str, path: str, body: Body | None) -> None:
        """As soon as the change before is in place."""
        until = time.monotonic() + PENDING_SECONDS
        while True:
            answer = self._request(method, path, body)
            if answer.status_code != 409 or not _is_pending(answer) or time.monotonic() > until:
                break
            self._sleep(PAUSE_SECONDS)
        if not (method == "DELETE" and answer.status_code == 404):
            self._checked(answer)

    def get(self, path: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = next(iter(self._checked(self._request("GET", path, None)).json().values()))
        return found

    def _checked(self, answer: Answer) -> Answer:
        if answer.status_code in (400, 409, 501):
            words = _words(answer)
            raise exceptions.UnsupportedOptionError(user_fault_string=words, operator_fault_string=words)
        if answer.status_code >= 300:
            raise _failed(f"Netweft answers {answer.status_code}: {_words(answer)}")
        return answer


def _member(collection: str) -> str:
    name = collection.rpartition("/")[2]
    return _MEMBERS.get(name, name.removesuffix("s"))


def _is_pending(answer: Answer) -> bool:
    return "immutable" in _words(answer) or "Invalid state" in _words(answer)


def _words(answer: Answer) -> str:
    try:
        told = answer.json()
        return str(told["faultstring"] if "faultstring" in told else told["NeutronError"]["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


def _failed(words: str) -> exceptions.DriverError:
    return exceptions.DriverError(
        user_fault_string="The load balancer could not be changed.", operator_fault_string=words
    )
