"""What stands around every request."""

import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from netweft import logs
from netweft.server.faults import fault
from netweft.server.middleware import RequestFrame
from netweft.store import Unavailable, changelog
from netweft.store.turns import Turns

LIMIT = 100


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.state.request_id} {len(await request.body())}")


async def broken(request: Request) -> PlainTextResponse:
    raise ValueError("secret")


async def away(request: Request) -> PlainTextResponse:
    raise Unavailable("connection to 192.0.2.1 refused")


@pytest.fixture
async def client() -> httpx.AsyncClient:
    app = Starlette(
        routes=[
            Route("/echo", echo, methods=["POST"]),
            Route("/v2.0/x", broken),
            Route("/identity/v3/x", broken),
            Route("/v2.0/y", away),
        ],
        middleware=[Middleware(RequestFrame, max_body_bytes=LIMIT, turns=Turns(embedded=True))],
        exception_handlers={HTTPException: fault},
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_each_request_has_an_id_of_its_own(client: httpx.AsyncClient) -> None:
    first, second = [await client.post("/echo", content=b"x" * LIMIT) for _ in range(2)]
    assert first.text == f"{first.headers['x-openstack-request-id']} {LIMIT}"
    assert first.headers["x-openstack-request-id"] != second.headers["x-openstack-request-id"]


async def test_a_large_body_is_refused_whether_announced_or_not(client: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(LIMIT + 1):
            yield b"x"

    announced = await client.post("/echo", content=b"x" * (LIMIT + 1))
    unannounced = await client.post("/echo", content=parts())
    assert [announced.status_code, unannounced.status_code] == [413, 413]
    assert announced.json() == unannounced.json()


@pytest.mark.parametrize("path", ["/v2.0/x", "/identity/v3/x"])
async def test_a_bug_is_logged_with_the_id_and_reveals_nothing(
    client: httpx.AsyncClient, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert list(answer.json()) == (["error"] if path.startswith("/identity") else ["NeutronError"])
    shown = capsys.readouterr()
    assert answer.headers["x-openstack-request-id"] in shown.out + shown.err
    assert "ValueError" in shown.out + shown.err


async def test_a_database_that_is_away_is_one_line_and_no_traceback(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await client.get("/v2.0/y")
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (503, "HTTPServiceUnavailable")
    assert "192.0.2.1" not in answer.text
    shown = "".join(capsys.readouterr())
    assert "192.0.2.1 refused" in shown
    assert "Traceback" not in shown


async def test_unknown_path_and_wrong_method_are_answered_in_json(client: httpx.AsyncClient) -> None:
    assert (await client.get("/none")).json()["NeutronError"]["type"] == "HTTPNotFound"
    assert (await client.get("/identity/none")).json()["error"]["code"] == 404
    barbicans = {"code": 404, "title": "Not Found", "description": "Not Found"}
    assert (await client.get("/key-manager/v1/cas")).json() == barbicans
    octavias = {"faultcode": "Client", "faultstring": "Not Found", "debuginfo": None}
    assert (await client.get("/load-balancer/v2/none")).json() == octavias
    assert (await client.get("/echo")).status_code == 405


async def test_each_line_about_a_request_has_its_id_in_threads_too(capsys: pytest.CaptureFixture[str]) -> None:
    turns = Turns(embedded=False)

    async def telling(request: Request) -> PlainTextResponse:
        await turns.read(lambda: structlog.get_logger().warning("read"))
        await turns.write(lambda: structlog.get_logger().warning("written"))
        return PlainTextResponse(str(changelog.request.get()))

    async def whispering(scope: Scope, receive: Receive, send: Send) -> None:
        structlog.get_logger().warning("whispered", request=changelog.request.get())

    app = Starlette(routes=[Route("/x", telling)], middleware=[Middleware(RequestFrame, max_body_bytes=9, turns=turns)])
    logs.configure("info")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        first, second = [await client.get("/x") for _ in range(2)]
    with structlog.contextvars.bound_contextvars(request_id="another's", trace_id="another's"):
        await RequestFrame(whispering, 9, turns)({"type": "websocket"}, nothing, nothing)
    turns.close()
    ids = [answer.headers["x-openstack-request-id"] for answer in (first, second)]
    assert [first.text, second.text] == ids
    said = [line.partition("event=")[2] for line in capsys.readouterr().err.splitlines()]
    assert said == [f"{event} request_id={id}" for id in ids for event in ("read", "written")] + ["whispered request="]


async def nothing(*_: Any) -> Any: ...


def test_a_full_disk_behind_the_log_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    logs.configure("info")
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        structlog.get_logger().error("x" * 100_000)
        structlog.get_logger().error("and another one")
        monkeypatch.undo()
        with suppress(OSError):
            full.close()
