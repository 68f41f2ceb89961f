"""Commands to ovs-vswitchd, and what may come instead of an answer."""

import asyncio
from pathlib import Path

import pytest

from netweft.dataplane.unixctl.client import CommandFailed, CommandRefused, command


async def serve(folder: Path, answer: bytes) -> tuple[asyncio.Server, list[bytes]]:
    """Something that takes one request on the socket of a daemon with pid 7."""
    heard: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.write(answer[:5])
        await writer.drain()
        writer.write(answer[5:])
        writer.close()

    (folder / "ovs-vswitchd.pid").write_text("7\n")
    return await asyncio.start_unix_server(handle, folder / "ovs-vswitchd.7.ctl"), heard


async def test_a_command_and_its_answer(tmp_path: Path) -> None:
    server, heard = await serve(tmp_path, b'{"id":0,"result":"done","error":null}')
    assert await command(tmp_path, "revalidator/purge", "now") == "done"
    assert heard == [b'{"id": 0, "method": "revalidator/purge", "params": ["now"]}']
    server.close()


@pytest.mark.parametrize("answer", [b'{"id":0,"result":null,"error":"no such command"}', b"garbage", b"", b"[1, 2]"])
async def test_anything_else_is_said_to_have_failed(tmp_path: Path, answer: bytes) -> None:
    server, _ = await serve(tmp_path, answer)
    with pytest.raises(CommandFailed, match="revalidator/purge") as failed:
        await command(tmp_path, "revalidator/purge")
    assert isinstance(failed.value, CommandRefused) is answer.startswith(b"{"), "it has answered"
    server.close()


async def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="No such file"):
        await command(tmp_path, "revalidator/purge")
