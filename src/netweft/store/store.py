"""The store itself: opening it, its transactions, its doorbell."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Engine, select

from netweft.spans.recording import Span, child
from netweft.store import changelog
from netweft.store.counters import Counters
from netweft.store.doorbell import Doorbell
from netweft.store.driver_errors import translating
from netweft.store.engine import connect, migrate
from netweft.store.errors import Busy, StoreError
from netweft.store.schema import meta, metadata
from netweft.store.server_messages import ServerMessages
from netweft.store.sql import Statement, transaction
from netweft.store.transaction import ReadTransaction, WriteTransaction
from netweft.store.turns import Turns

KEEP_CHANGES = 200_000
KEEP_SECONDS = 7 * 86400.0
_PRUNE_EVERY = 4096  # write transactions
# of a transaction that others were in the way of: each time another one got through, of as many as are at one row;
# what is refused otherwise more often than that is no contention
_ATTEMPTS = {True: 64, False: 3}  # Busy, another refusal
_SECONDS = 15.0
_LONGEST_PAUSE = 0.1
_COPIED = 1000  # rows at a time
_history = Statement(select(meta.c.value).where(meta.c.key == "history"))
T = TypeVar("T")

if TYPE_CHECKING:
    from netweft.store.postgresql import Listener


class Store:
    """Thread-safe.  history: names this database's life; revisions of another one mean nothing here.
    kind: `sqlite` or `postgresql`.  errors: transactions that failed by the database, `busy` or by another `fault`."""

    def __init__(self, engine: Engine) -> None:
        """For a migrated database; use `open`."""
        self._engine = engine
        self._driver = engine.dialect.loaded_dbapi
        # in this process: a transaction takes no longer than the call that makes it
        self.kind = engine.dialect.name
        self.embedded = self.kind == "sqlite"
        self._described = {"db.system.name": self.kind}  # a span
        self._turn = threading.Lock() if self.embedded else nullcontext()
        self._writes = 0
        self.errors: Counter[str] = Counter()
        self._counting = threading.Lock()
        self.doorbell = Doorbell()
        self.turns = Turns(embedded=self.embedded)
        with transaction(engine, writing=False) as connection:
            self.history: str = connection.scalar(_history)
        self.server_messages = None if self.embedded else ServerMessages(engine)  # None: there is no other server
        self._listener = (
            None if self.server_messages is None else _listener(engine, self.doorbell, self.server_messages)
        )

    @classmethod
    def open(cls, url: str) -> "Store":
        """`sqlite:///file` or `postgresql+psycopg://...`; brings the schema up to date."""
        engine = connect(url)
        try:
            migrate(engine)
            with transaction(engine, writing=True) as connection:
                changelog.begin_again_if_restored(connection)
            return cls(engine)
        except BaseException:
            engine.dispose()
            raise

    def close(self) -> None:
        self.turns.close()
        if self._listener is not None:
            self._listener.stop()
        self._engine.dispose()

    def copy_into(self, target: Engine) -> None:
        """All rows, of one snapshot; target has today's tables.  Blocks nobody on PostgreSQL, writers on SQLite."""
        with self._engine.connect() as reading, target.begin() as writing:
            if not self.embedded:
                reading = reading.execution_options(isolation_level="REPEATABLE READ")
            for table in reversed(metadata.sorted_tables):
                writing.execute(table.delete())
            for table in metadata.sorted_tables:
                for part in reading.execute(table.select()).mappings().partitions(_COPIED):
                    writing.execute(table.insert(), [dict(row) for row in part])

    @contextmanager
    def read(self) -> Iterator[ReadTransaction]:
        reading = transaction(self._engine, writing=False)
        with child("read transaction", self._described), translating(self._driver, self._failed), reading as connection:
            yield ReadTransaction(connection)

    @contextmanager
    def write(self) -> Iterator[WriteTransaction]:
        """Commits at the end, unless an exception leaves the block.  Raises Busy; `run` tries again."""
        with translating(self._driver, self._failed), self._turn:
            with transaction(self._engine, writing=True) as connection:
                tx = WriteTransaction(connection)
                yield tx
                changed = tx.finish()
            self._writes += 1
        if changed:
            self.doorbell.ring()
        if self._writes % _PRUNE_EVERY == 0:
            self.prune()

    def run(self, work: Callable[[WriteTransaction], T]) -> T:
        """In a write transaction; in another one, when others were in the way: what had just been checked, the store
        refused.  Where there is one writer, what is refused once is refused always.  Raises StoreError."""
        with child("write transaction", self._described) as span:
            return self._run(work, span)

    def _run(self, work: Callable[[WriteTransaction], T], span: Span | None) -> T:
        failed = {True: 0, False: 0}
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                with self.write() as tx:
                    return work(tx)
            except StoreError as error:
                busy = isinstance(error, Busy)
                failed[busy] += 1
                if self.embedded or failed[busy] >= _ATTEMPTS[busy] or time.monotonic() > deadline:
                    raise
            if span is not None:
                span.set({"netweft.attempts_failed": sum(failed.values())})
            time.sleep(random.uniform(0, min(0.004 * 2 ** sum(failed.values()), _LONGEST_PAUSE)))

    def _failed(self, kind: str) -> None:
        with self._counting:
            self.errors[kind] += 1

    def prune(self, *, keep: int = KEEP_CHANGES, seconds: float = KEEP_SECONDS) -> None:
        """Shorten the change log.  A follower that is further behind than that gets a snapshot.  And forget what was
        counted of objects that are gone."""
        writing = transaction(self._engine, writing=True)
        with translating(self._driver, self._failed), self._turn, writing as connection:
            changelog.prune(connection, older_than=time.time() - seconds, keep=keep)
            Counters(connection).tidy_up()


def _listener(engine: Engine, doorbell: Doorbell, messages: ServerMessages) -> "Listener":
    from netweft.store.postgresql import Listener  # only who has one waits for its driver

    return Listener(engine, doorbell, messages)
