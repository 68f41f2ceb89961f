"""The key manager beside the Octavia API and the Networking API, over a real store, in this process."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from tests.api.lb.conftest import Lb
from tests.api.network.conftest import authenticate

from netweft.api import material
from netweft.api.app import routes
from netweft.api.key_manager import app as key_manager
from netweft.api.key_manager.reading import Reading, Stored
from netweft.api.lb import app as load_balancing
from netweft.control.key_manager.keyring import Keyring
from netweft.control.key_manager.secrets import Secrets
from netweft.control.l2.ports import Ports
from netweft.control.security.security_groups import SecurityGroups
from netweft.server.faults import fault
from netweft.server.middleware import RequestFrame
from netweft.settings import ServerSettings
from netweft.store import Store


class Keys:
    """`keys("alice", "GET", "/secrets")`; paths start behind /key-manager/v1, references are taken whole."""

    def __init__(self, lb: Lb) -> None:
        self.lb = lb
        self.http = lb.net.client

    def __call__(self, who: str, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        url = path if "/key-manager" in path else f"/key-manager/v1{path}"
        headers = {"x-auth-token": who} | more.pop("headers", {})
        return self.http.request(method, url, json=body, headers=headers, **more)

    def secret(self, payload: str = "text", who: str = "alice", **more: Any) -> str:
        """Its reference."""
        body = {"payload": payload, "payload_content_type": "text/plain"} | more
        answer = self(who, "POST", "/secrets", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["secret_ref"])

    def container(self, who: str = "alice", kind: str = "certificate", **refs: str) -> str:
        """Of secrets with these names, that are made for it."""
        named = [{"name": name, "secret_ref": self.secret(text, who)} for name, text in refs.items()]
        answer = self(who, "POST", "/containers", {"type": kind, "name": "c", "secret_refs": named})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["container_ref"])


def application(store: Store, key_file: Path) -> Starlette:
    settings = ServerSettings()
    ports = Ports(settings, SecurityGroups())
    secrets = Secrets(Keyring(key_file))
    reading = Reading(Stored(store, secrets))
    return Starlette(
        routes=[
            *routes(store, authenticate, settings),
            *load_balancing.routes(store, authenticate, settings, ports, keys=reading),
            *key_manager.routes(store, authenticate, settings, secrets),
            *material.routes(store, reading),
        ],
        middleware=[Middleware(RequestFrame, max_body_bytes=settings.max_body_bytes, turns=store.turns)],
        exception_handlers={HTTPException: fault},
    )


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "key_manager.key"


@pytest.fixture
def keys(store: Store, key_file: Path) -> Keys:
    return Keys(Lb(application(store, key_file)))
