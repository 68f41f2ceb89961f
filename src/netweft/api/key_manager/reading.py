"""What references lead to, read outside of transactions and of the event loop: PKCS #12 takes seconds to parse.

A project has one parsed at a time, whatever it asks for, and all together two: nobody waits for another's hundred.
"""

import asyncio
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias
from weakref import WeakValueDictionary

import structlog

from netweft.api.running import Run
from netweft.control.key_manager.contents import Content, Reference, Unusable, meaning, stored
from netweft.control.key_manager.errors import KeyManagerAway
from netweft.control.key_manager.secrets import Secrets
from netweft.plugins.key_manager import KeyManager, KeyManagerUnavailable
from netweft.store import Store

Read: TypeAlias = Mapping[Reference, bytes | Exception]  # PEM; LookupError or Unusable
AT_ONCE: Final = 2

log = structlog.get_logger(__name__)


class Stored:
    """This server's own key manager, as plug-ins are."""

    def __init__(self, store: Store, secrets: Secrets) -> None:
        self._store, self._secrets, self._run = store, secrets, Run(store)

    async def contents(self, project_id: str, refs: Collection[str], token: str) -> Mapping[str, Content]:
        """Raises NoKey."""

        def work() -> Mapping[str, Content]:
            with self._store.read() as tx:
                return stored(tx, self._secrets, project_id, refs)

        return await self._run.read(work)

    def close(self) -> None:
        pass


class Reading:
    def __init__(self, key_manager: KeyManager) -> None:
        self._key_manager = key_manager
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="netweft-keys")
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, project_id: str, references: Collection[Reference], token: str = "") -> Read:
        """token: see `KeyManager`.  Raises KeyManagerAway, NoKey."""
        loop, found = asyncio.get_running_loop(), dict[Reference, bytes | Exception]()
        turn = self._turns.setdefault(project_id, asyncio.Lock())
        async with turn:
            try:
                contents = await self._key_manager.contents(project_id, {one.ref for one in references}, token)
            except KeyManagerUnavailable as problem:
                log.warning("the key manager does not answer", problem=str(problem))
                raise KeyManagerAway() from None
            for one in references:
                found[one] = await loop.run_in_executor(self._threads, _meaning, contents.get(one.ref), one)
        return found

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._key_manager.close()


def _meaning(content: Content | None, reference: Reference) -> bytes | Exception:
    try:
        return LookupError(reference.ref) if content is None else meaning(content, reference)
    except (LookupError, Unusable) as problem:
        return problem
