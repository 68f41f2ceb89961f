"""The view on disk: no fault of file or disk keeps the agent from starting and going on."""

import asyncio
from pathlib import Path
from zlib import crc32

import msgspec
import pytest
from tests.waiting import PATIENCE, until

from netweft.agent import journal, state
from netweft.agent.state import MAGIC, StateFile
from netweft.agent.sync import Changes, changes_by
from netweft.model import EMPTY_VIEW, Network, Node, NodeView, Peer, Port, view_of
from netweft.services.security.endings import Ended, ended
from netweft.wire.messages import Delta, Snapshot

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


def to(view: NodeView, before: NodeView = EMPTY_VIEW) -> Changes:
    return changes_by(before, Snapshot(history=view.history, revision=view.revision, objects=tuple(view.objects())))


def kept(file: StateFile, view: NodeView = VIEW) -> bytes:
    file.keep(to(view))
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


def test_a_view_of_another_shape_is_no_state(file: StateFile) -> None:
    kept(file)
    body = msgspec.msgpack.encode({"node": "hv1", "view": {"ports": [1, 2]}})
    file._path.write_bytes(MAGIC + crc32(body).to_bytes(4, "big") + body)
    assert file.load() == EMPTY_VIEW


def test_another_nodes_file_is_no_state(file: StateFile) -> None:
    kept(file)
    assert StateFile(file._path, "hv2").load() == EMPTY_VIEW


def test_a_file_that_cannot_be_read_or_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "view").mkdir()
    file = StateFile(tmp_path / "view", "hv1")
    assert file.load() == EMPTY_VIEW
    file.keep(to(VIEW))
    file.flush()


def test_a_full_disk_leaves_the_old_file(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(file)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("os.fsync", full)
        disk.setattr(journal.Journal, "append", lambda *_: full(0))
        file.keep(to(EMPTY_VIEW, VIEW))
        file.flush()
    assert StateFile(file._path, "hv1").load() == VIEW
    assert not file.on_disk
    file.flush()
    assert file.load() == EMPTY_VIEW
    assert file.on_disk


async def test_what_could_not_be_written_is_tried_again(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SETTLE_SECONDS", "RETRY_SECONDS"):
        monkeypatch.setattr(state, name, 0.01)
    file._path.parent.write_text("in the way")
    running = asyncio.create_task(file.run())
    file.keep(to(VIEW))
    await asyncio.sleep(0.1)
    assert not file.on_disk
    file._path.parent.unlink()
    async with asyncio.timeout(PATIENCE):
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
        file.keep(to(VIEW))
        await asyncio.sleep(0)
    await until(lambda: bool(written))
    await asyncio.sleep(0.1)  # in which a second one would be written
    assert len(written) == 1
    file.keep(to(EMPTY_VIEW, VIEW))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(written) == 2


# the journal: what was kept since the file was written


STEPS = [Delta(revision=n, upserts=(Network(id=f"n{n}"),), deletes=(("network", f"n{n - 2}"),)) for n in range(8, 14)]


def followed(file: StateFile, view: NodeView, steps: list[Delta], *, flushed_at: int = -1) -> list[NodeView]:
    """All the views on the way."""
    views = [view]
    for number, step in enumerate(steps):
        changes = changes_by(views[-1], step)
        file.keep(changes)
        views.append(changes.view)
        if number == flushed_at:
            file.flush()
    return views


@pytest.mark.parametrize("flushed_at", range(-1, 6))
def test_what_an_agent_knew_when_it_was_killed_comes_back(file: StateFile, flushed_at: int) -> None:
    """Also when it had been written in between."""
    kept(file)
    views = followed(file, VIEW, STEPS, flushed_at=flushed_at)
    again = StateFile(file._path, "hv1")
    assert again.load() == views[-1]
    views = followed(again, views[-1], [Delta(revision=20, upserts=(Network(id="n20"),))])
    assert StateFile(file._path, "hv1").load() == views[-1]


async def test_a_change_is_not_the_view_written_whole_until_there_are_many(
    file: StateFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(file)
    file = StateFile(file._path, "hv1")
    file.load()
    written: list[bytes] = []
    monkeypatch.setattr(state, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(state, "_replace", lambda path, data: written.append(data))
    running = asyncio.create_task(file.run())
    views = followed(file, VIEW, STEPS)
    await asyncio.sleep(0.05)
    assert not written
    assert StateFile(file._path, "hv1").load() == views[-1]
    name = "n" * (state.JOURNAL_BYTES // 8)
    followed(file, views[-1], [Delta(revision=20 + n, upserts=(Network(id=f"{n}{name}"),)) for n in range(9)])
    await until(lambda: bool(written))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_has_ended_is_paid_once(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address may be another's by now, with connections of its own: the journal would have the next agent end
    them."""
    owed: set[Ended] = set()
    file = StateFile(file._path, "hv1", lambda: frozenset(owed))
    kept(file)
    monkeypatch.setattr(state, "SETTLE_SECONDS", 0.05)
    running = asyncio.create_task(file.run())
    gone = changes_by(VIEW, Delta(revision=8, deletes=(("peer", "p2"),)))
    owed |= ended(VIEW, gone.view, gone.deletes)
    assert owed
    file.keep(gone)
    dead = StateFile(file._path, "hv1")
    dead.load()
    assert dead.left == owed
    owed.clear()
    file.settled()
    await until(lambda: not file._path.with_name("view.journal").exists())
    after = StateFile(file._path, "hv1")
    assert after.load() == gone.view
    assert not after.left
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_first_view_that_was_never_written_whole_comes_back(file: StateFile) -> None:
    file.keep(to(VIEW))
    assert file.on_disk
    assert StateFile(file._path, "hv1").load() == VIEW


def test_a_journal_that_outlived_what_it_led_to_changes_nothing(file: StateFile) -> None:
    """Killed after the file was written, before the journal was cleared."""
    kept(file)
    views = followed(file, VIEW, STEPS)
    left = file._path.with_name("view.journal").read_bytes()
    file.flush()
    file._path.with_name("view.journal").write_bytes(left)
    assert StateFile(file._path, "hv1").load() == views[-1]


def test_a_torn_journal_counts_up_to_there(file: StateFile) -> None:
    kept(file)
    views = followed(file, VIEW, STEPS)
    path = file._path.with_name("view.journal")
    whole = path.read_bytes()
    seen = []
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        seen.append(StateFile(file._path, "hv1").load())
    assert [seen[n] for n in range(len(seen)) if n == 0 or seen[n] != seen[n - 1]] == views[:-1]


def test_after_a_torn_journal_the_view_is_written_whole(file: StateFile) -> None:
    kept(file)
    views = followed(file, VIEW, STEPS)
    path = file._path.with_name("view.journal")
    path.write_bytes(path.read_bytes()[:-1])
    again = StateFile(file._path, "hv1")
    assert again.load() == views[-2]
    again.flush()
    assert not path.exists()
    views = followed(again, views[-2], STEPS[-1:])
    assert StateFile(file._path, "hv1").load() == views[-1]


@pytest.mark.parametrize("content", [b"", b"{}", b"netweft-journal-0\n" + bytes(40), b"\xff" * 1000])
def test_a_foreign_journal_is_none(file: StateFile, content: bytes) -> None:
    kept(file)
    file._path.with_name("view.journal").write_bytes(content)
    assert StateFile(file._path, "hv1").load() == VIEW
