"""Keeps a lab's processes running, as systemd would: one that dies is started again within a second.

Level-triggered: what should run is a folder with one file per process.  SIGHUP makes it look again, SIGTERM ends it and
its children.  It knows nothing of networks.
"""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from netweft.lab.commands import clean_environment, in_namespace
from netweft.lab.layout import Layout
from netweft.lab.processes import SUPERVISOR, find, mark

FIRST_DELAY, LAST_DELAY = 0.05, 0.8  # seconds before a start; it doubles while a process dies young
YOUNG = 5.0
PATIENCE = 3.0  # seconds between SIGTERM and SIGKILL


class Command(Struct, frozen=True, kw_only=True):
    """What to run.  namespace: empty for the machine's own."""

    kind: str
    node: str = ""
    argv: tuple[str, ...]
    namespace: str = ""
    environment: Mapping[str, str] = {}

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.node}" if self.node else self.kind


def declare(layout: Layout, command: Command) -> None:
    """Says that this is to run.  Takes effect with `reload`."""
    path = layout.processes / f"{command.name}.json"
    path.with_suffix(".new").write_bytes(msgspec.json.encode(command))
    path.with_suffix(".new").rename(path)


def _read(declared: Path) -> Command | None:
    with suppress(FileNotFoundError):
        return msgspec.json.decode(declared.read_bytes(), type=Command)
    return None


def withdraw(layout: Layout, name: str) -> None:
    (layout.processes / f"{name}.json").unlink(missing_ok=True)


def start(layout: Layout, netweft: Path) -> None:
    """The supervisor as a process of its own that outlives the caller."""
    os.posix_spawn(
        netweft,
        [str(netweft), "lab", "supervise", "--name", layout.lab],
        clean_environment() | mark(layout.lab, SUPERVISOR),
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, layout.logs / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )


def reload(layout: Layout) -> bool:
    """Whether there is a supervisor to look at the folder again."""
    for process in find(layout.lab):
        if process.kind == SUPERVISOR:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGHUP)
                return True
    return False


class Supervisor:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._look = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._look.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        while not self._stopping:
            self._look.clear()
            await self._adjust()
            await self._look.wait()
        await self._end(list(self._keepers.values()))

    def _stop(self) -> None:
        self._stopping = True
        self._look.set()

    async def _adjust(self) -> None:
        wanted = {path.stem: path for path in self._layout.processes.glob("*.json")}
        ended = {name for name, keeper in self._keepers.items() if name not in wanted or keeper.done()}
        await self._end([self._keepers.pop(name) for name in ended])
        for name in wanted.keys() - self._keepers.keys():
            self._keepers[name] = asyncio.create_task(self._keep(name, wanted[name]), name=name)

    async def _end(self, keepers: list[asyncio.Task[None]]) -> None:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)

    async def _keep(self, name: str, declared: Path) -> None:
        """Started again, it is what is declared by then; nothing when that was withdrawn."""
        delay = FIRST_DELAY
        while command := _read(declared):
            born = time.monotonic()
            status = await self._run_once(command)
            delay = FIRST_DELAY if time.monotonic() - born > YOUNG else min(2 * delay, LAST_DELAY)
            print(f"{time.strftime('%H:%M:%S')} {name} ended ({status}); starting it again", flush=True)
            await asyncio.sleep(delay)

    async def _run_once(self, command: Command) -> int:
        """The exit status.  Cancelled, it ends the process first."""
        environment = (
            clean_environment() | dict(command.environment) | mark(self._layout.lab, command.kind, command.node)
        )
        with (self._layout.logs / f"{command.name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *in_namespace(command.namespace, *command.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._layout.folder,
                start_new_session=True,
            )
        try:
            return await process.wait()
        except asyncio.CancelledError:
            await _finish(process)
            raise


async def _finish(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            process.kill()
            await process.wait()


def main(layout: Layout) -> None:
    """The body of `netweft lab supervise`."""
    asyncio.run(Supervisor(layout).run())
