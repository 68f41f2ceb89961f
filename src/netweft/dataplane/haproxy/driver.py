"""Instances against what runs: each in a folder of its own, by which a restarted driver finds it again.

    folder/NAME/   haproxy.cfg, its certificates, pid, and the sockets of master and worker

A configuration's name is the hash of all that a reload is needed for: a running instance reports it.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from netweft.dataplane.haproxy import files, namespace, process, runtime
from netweft.dataplane.haproxy.process import CONFIG, ProxyError
from netweft.dataplane.haproxy.runtime import NotThere
from netweft.dataplane.haproxy.values import PROGRAM, WORKER, Instance
from netweft.dataplane.host.errors import HostError

T = TypeVar("T")


class ProxyDriver:
    """Idempotent.  Constructing it does nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, id: str) -> Path:
        return self._folder / name_of(id)

    def interface(self, id: str) -> str:
        """The end of its veth that is plugged into a bridge."""
        return self.interface_named(name_of(id))

    def interface_named(self, name: str) -> str:
        return f"nwp{name}"

    def there(self) -> set[str]:
        """Names of all that have a folder."""
        return {one.name for one in self._folder.iterdir() if one.is_dir()} if self._folder.is_dir() else set()

    async def ensure(
        self, instance: Instance, material: Mapping[str, bytes], wired: Callable[[], Awaitable[None]]
    ) -> str:
        """material: contents, by file.  wired: awaited once its interface is there, while HAProxy may still start.
        Returns what was done; empty: nothing.  Raises ProxyError, HostError."""
        folder = self.place(instance.id)
        description = _hash(instance.structure, material)
        config = process.settings(folder, description) + instance.config
        done = ""
        if process.running(folder) is None:
            done = "started"
            await asyncio.to_thread(self._start, folder, instance, config, material)
            await wired()
            await process.until(folder, description)  # its servers are as its configuration says
        else:
            await asyncio.to_thread(self._keep, folder, instance, material)
            await wired()
            if await _runs(folder) != description:
                done = "reloaded"
                await self._put(folder, config)
                await process.reload(folder)
                await process.until(folder, description)
            else:
                await asyncio.to_thread(files.write, folder / CONFIG, config.encode())
        changed = 0 if done == "started" else await _put_servers(folder, instance)
        files.keep_only(folder, ".pem", frozenset(material))
        return done or ("servers changed" if changed else "")

    async def remove(self, name: str) -> None:
        """By its name.  Raises HostError."""
        folder = self._folder / name
        process.stop(folder)
        await asyncio.to_thread(namespace.remove, self.interface_named(name))
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def pid(self, id: str) -> int | None:
        return process.running(self.place(id))

    def is_stopped(self, id: str) -> bool:
        return process.is_stopped(self.place(id))

    def within(self, id: str, work: Callable[[], T]) -> T:
        """Work done in its network namespace; not for long.  Raises HostError, OSError."""
        pid = self.pid(id)
        if pid is None or not namespace.is_apart(pid):
            raise HostError(f"{PROGRAM} does not run")
        return namespace.inside(pid, work)

    def ended(self, pid: int) -> None:
        process.ended(pid)

    def _start(self, folder: Path, instance: Instance, config: str, material: Mapping[str, bytes]) -> None:
        """All in one thread: whoever waits for a load balancer waits for this.  The configuration is not checked:
        nothing runs that a wrong one could stop."""
        self._write_material(folder, material)
        files.write(folder / CONFIG, config.encode())
        self._wire(process.start(folder), instance)

    def _keep(self, folder: Path, instance: Instance, material: Mapping[str, bytes]) -> None:
        self._write_material(folder, material)
        if (pid := process.running(folder)) is not None:
            self._wire(pid, instance)

    def _wire(self, pid: int, instance: Instance) -> None:
        try:
            namespace.ensure(pid, self.interface(instance.id), instance.nic)
        except HostError:
            if process.running(self.place(instance.id)) is not None:
                raise  # else it has ended, and says why

    async def _put(self, folder: Path, config: str) -> None:
        """What HAProxy does not take never stands where it would be read.  Raises ProxyError."""
        draft = folder / "draft.cfg"
        await asyncio.to_thread(files.write, draft, config.encode())
        try:
            await process.check(folder, draft)
        except OSError as error:
            raise ProxyError(f"{PROGRAM} cannot be started: {error.strerror}") from None
        draft.replace(folder / CONFIG)

    def _write_material(self, folder: Path, material: Mapping[str, bytes]) -> None:
        files.folder(self._folder)
        files.folder(folder)
        for name, content in material.items():
            files.write(folder / name, content)


def name_of(id: str) -> str:
    """Short: it is in the name of an interface, and of a socket."""
    return hashlib.blake2s(id.encode(), digest_size=6).hexdigest()


async def _put_servers(folder: Path, instance: Instance) -> int:
    """Raises ProxyError."""
    try:
        return await runtime.put(folder / WORKER, instance.servers)
    except NotThere as error:
        raise ProxyError(str(error)) from None


async def _runs(folder: Path) -> str:
    try:
        return await runtime.described(folder / WORKER)
    except NotThere:
        return ""


def _hash(structure: str, material: Mapping[str, bytes]) -> str:
    """Contents, too: what is served under a name may be another certificate now."""
    whole = hashlib.blake2s(structure.encode(), digest_size=16)
    for name in sorted(material):
        whole.update(name.encode() + hashlib.blake2s(material[name]).digest())
    return whole.hexdigest()
