"""What is so with PostgreSQL alone: its driver, and the thread that is notified of other servers' commits.

Imported when a database is one: nobody else waits for the driver.
"""

import select
import socket
import threading
from typing import Any

import psycopg
import structlog
from psycopg.types.json import set_json_loads
from sqlalchemy import URL, Engine, create_engine, event

from netweft.store import server_messages
from netweft.store.address import without_password
from netweft.store.changelog import CHANNEL
from netweft.store.doorbell import Doorbell
from netweft.store.pool import Pool
from netweft.store.server_messages import ServerMessages

__all__ = ["Listener", "as_it_is", "connect", "set_json_loads"]

_LOOK_SECONDS = 1.0
_log = structlog.get_logger(__name__)


def connect(url: URL) -> Engine:
    engine = create_engine(url, poolclass=Pool, pool_size=8, max_overflow=32, pool_pre_ping=True, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: psycopg.Connection[Any], record: object) -> None:
        set_json_loads(as_it_is, connection)  # decoded by whoever reads it, see sql.py
        # nobody waits for ever for somebody who is stuck, or whose machine stands still
        connection.execute("SELECT set_config('lock_timeout', '10s', false)")
        connection.execute("SELECT set_config('idle_in_transaction_session_timeout', '60s', false)")
        connection.commit()

    return engine


def as_it_is(value: str | bytes) -> str | bytes:
    return value


class Listener:
    """Rings the doorbell when another process commits, and after a lost connection: something may have been missed.
    Messages go to whoever reads them."""

    def __init__(self, engine: Engine, doorbell: Doorbell, of: ServerMessages) -> None:
        self._url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._doorbell, self._server_messages = doorbell, of
        self._stopped = threading.Event()
        self._ended, self._end = socket.socketpair()  # readable once the other one is closed
        self._thread = threading.Thread(target=self._run, name="netweft-listen", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._end.close()
        self._thread.join(2 * _LOOK_SECONDS)  # one that is just connecting is not waited for

    def _run(self) -> None:
        with self._ended:
            while not self._stopped.is_set():
                try:
                    self._listen()
                except psycopg.Error as error:
                    said = without_password(str(error), self._url)
                    _log.warning("lost the connection that listens for changes", error=said)
                    self._stopped.wait(1.0)

    def _listen(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            connection.execute(f"LISTEN {server_messages.CHANNEL}")
            self._doorbell.ring()
            something = select.poll()
            for what in (connection, self._ended):
                something.register(what, select.POLLIN)
            while not self._stopped.is_set():
                for told in connection.notifies(timeout=0):
                    if told.channel == server_messages.CHANNEL:
                        self._server_messages.heard(told.payload)
                    else:
                        self._doorbell.ring()
                something.poll(_LOOK_SECONDS * 1000)
