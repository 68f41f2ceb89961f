"""Nova's metadata service is asked as neutron-metadata-agent asks it, and whatever it does there is an answer."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from netweft.plugins.metadata.nova import NovaMetadata
from netweft.settings import ServerSettings, SettingsError
from netweft.wire.metadata import Said

SECRET = "a secret"


class Heard:
    def __init__(self) -> None:
        self.requests: list[bytes] = []


@asynccontextmanager
async def nova(tmp_path: Path, answer: bytes) -> AsyncIterator[tuple[NovaMetadata, Heard]]:
    """Somebody who says this to whatever he is asked."""
    heard = Heard()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    settings = ServerSettings(nova_metadata_url=f"http://127.0.0.1:{port}/", metadata_secret_file=str(file))
    found = NovaMetadata(settings)
    try:
        yield found, heard
    finally:
        await found.close()
        server.close()


def answer(status: str, body: bytes = b"hello", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


async def ask(one: NovaMetadata, target: str = "/latest", method: str = "GET", body: bytes = b"") -> Said:
    return await one.ask(method, target, body, instance_id="i1", project_id="p1", address="10.0.0.3")


async def test_it_gets_the_user_and_that_we_vouch_for_it(tmp_path: Path) -> None:
    async with nova(tmp_path, answer("200 OK")) as (one, heard):
        said = await ask(one, "/openstack/latest/meta_data.json")
    assert said == Said(status=200, body=b"hello", content_type="application/json")
    line, *headers = heard.requests[0].decode().split("\r\n")
    assert line == "GET /openstack/latest/meta_data.json HTTP/1.1"
    told = {name.lower(): value for name, _, value in (header.partition(": ") for header in headers)}
    signature = hmac.new(SECRET.encode(), b"i1", hashlib.sha256).hexdigest()
    assert told["x-instance-id"] == "i1" and told["x-tenant-id"] == "p1" and told["x-forwarded-for"] == "10.0.0.3"
    assert told["x-instance-id-signature"] == signature
    assert "authorization" not in told


@pytest.mark.parametrize("target", ["//evil.test/x", "/a/..b", "/a%2fb?c=%0d%0aX-Instance-ID:%20i2", "latest"])
async def test_a_path_is_a_path_whatever_it_says(tmp_path: Path, target: str) -> None:
    async with nova(tmp_path, answer("200 OK")) as (one, heard):
        assert (await ask(one, target)).status == 200
    line = heard.requests[0].decode().split("\r\n")[0]
    assert line == f"GET {target if target.startswith('/') else '/' + target} HTTP/1.1"
    assert heard.requests[0].lower().count(b"\r\nx-instance-id:") == 1


@pytest.mark.parametrize("target", ["/../admin", "/a/%2e%2E/b", "/./x", "/a%2f..%2fb", ".."])
async def test_no_path_leads_beside_it(tmp_path: Path, target: str) -> None:
    async with nova(tmp_path, answer("200 OK")) as (one, heard):
        assert (await ask(one, target)).status == 404
    assert not heard.requests


@pytest.mark.parametrize(
    ("theirs", "ours"), [("404 Not Found", 404), ("403 Forbidden", 403), ("409 Conflict", 409), ("418 Tea", 500)]
)
async def test_what_it_refuses_is_refused(tmp_path: Path, theirs: str, ours: int) -> None:
    async with nova(tmp_path, answer(theirs)) as (one, _):
        assert (await ask(one)).status == ours


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n"])
async def test_when_it_makes_no_sense_there_is_an_answer(tmp_path: Path, said: bytes) -> None:
    async with nova(tmp_path, said) as (one, _):
        assert (await ask(one)).status == 503


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_it_needs_a_secret(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match="metadata_secret_file"):
        NovaMetadata(ServerSettings(nova_metadata_url="http://nova", metadata_secret_file=str(file)))
