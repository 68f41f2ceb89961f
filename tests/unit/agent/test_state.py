"""The view on disk: no fault of file or disk keeps the agent from starting and going on."""

import asyncio
from pathlib import Path

import pytest

from netweft.agent import state
from netweft.agent.state import MAGIC, StateFile
from netweft.model import EMPTY_VIEW, Network, Node, NodeView, Peer, Port, view_of

VIEW = view_of(
    "life",
    7,
    [
        Network(id="n1"),
        Port(id="p1", network_id="n1", mac_address="fa:16:3e:00:00:01", host_id="hv1"),
        Peer(id="p2", network_id="n1", mac_address="fa:16:3e:00:00:02", host_id="hv2"),
        Node(name="hv2", tunnel_ip="192.0.2.2"),
    ],
)


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "agent" / "view", "hv1")


def kept(file: StateFile, view: NodeView = VIEW) -> bytes:
    file.keep(view)
    file.flush()
    return file._path.read_bytes()


def test_what_is_kept_comes_back(file: StateFile) -> None:
    assert file.load() == EMPTY_VIEW
    kept(file)
    assert file.load() == VIEW
    assert [path.name for path in file._path.parent.iterdir()] == ["view"]


def test_every_torn_file_is_no_state(file: StateFile) -> None:
    whole = kept(file)
    for length in range(len(whole)):
        file._path.write_bytes(whole[:length])
        assert file.load() == EMPTY_VIEW


def test_a_flipped_bit_is_no_state(file: StateFile) -> None:
    whole = kept(file)
    for place in range(len(whole)):
        file._path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert file.load() == EMPTY_VIEW


@pytest.mark.parametrize("content", [b"", b"{}", MAGIC, b"netweft-view-0\n" + bytes(40), b"\xff" * 1000])
def test_a_foreign_file_is_no_state(file: StateFile, content: bytes) -> None:
    kept(file)
    file._path.write_bytes(content)
    assert file.load() == EMPTY_VIEW


def test_a_view_of_another_shape_is_no_state(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as other:
        other.setattr(state, "_Content", lambda node, view: {"node": node, "view": {"ports": [1, 2]}})
        kept(file)
    assert file.load() == EMPTY_VIEW


def test_another_nodes_file_is_no_state(file: StateFile) -> None:
    kept(file)
    assert StateFile(file._path, "hv2").load() == EMPTY_VIEW


def test_a_file_that_cannot_be_read_or_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "view").mkdir()
    file = StateFile(tmp_path / "view", "hv1")
    assert file.load() == EMPTY_VIEW
    file.keep(VIEW)
    file.flush()


def test_a_full_disk_leaves_the_old_file(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(file)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("os.fsync", full)
        file.keep(EMPTY_VIEW)
        file.flush()
    assert file.load() == VIEW
    assert not file.on_disk
    file.flush()
    assert file.load() == EMPTY_VIEW
    assert file.on_disk


async def test_what_could_not_be_written_is_tried_again(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SETTLE_SECONDS", "RETRY_SECONDS"):
        monkeypatch.setattr(state, name, 0.01)
    file._path.parent.write_text("in the way")
    running = asyncio.create_task(file.run())
    file.keep(VIEW)
    await asyncio.sleep(0.1)
    assert not file.on_disk
    file._path.parent.unlink()
    async with asyncio.timeout(5):
        while not file.on_disk:
            await asyncio.sleep(0.01)
    assert file.load() == VIEW
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_burst_is_written_once_and_the_end_at_last(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(state, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(state, "_replace", lambda path, data: written.append(data))
    running = asyncio.create_task(file.run())
    for _ in range(10):
        file.keep(VIEW)
        await asyncio.sleep(0)
    await asyncio.sleep(0.2)
    assert len(written) == 1
    file.keep(EMPTY_VIEW)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(written) == 2
