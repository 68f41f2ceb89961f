"""The server process: sockets, database, application, uvicorn; and how it ends.

SIGTERM and SIGINT: no new connections, answers under way get GRACE_SECONDS, the feed's sessions are told to come back.
There is nothing to be saved at the end, so a kill -9 costs no more than the answers under way.  See also ending.py.
"""

import gc
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import structlog
import uvicorn

from netweft import logs
from netweft.listeners import bind
from netweft.server.accepting import Server, protocols
from netweft.server.app import create_app
from netweft.server.connection import IDLE_SECONDS
from netweft.server.connection_limits import Crowd, room
from netweft.server.metrics import Measured
from netweft.server.shutdown import Ending
from netweft.settings import ServerSettings
from netweft.spans.exporting import exporting
from netweft.store import Store
from netweft.store.address import without_password
from netweft.wire.messages import MAX_UPWARD_BYTES

GRACE_SECONDS = 1
SWITCH_SECONDS = 0.0005  # a thread with a long list gives way to the event loop so soon

log = structlog.get_logger()


class StateError(Exception):
    """The database or the state folder cannot be used."""


def serve(settings: ServerSettings) -> None:
    """Until a signal ends it.  Raises ListenError, StateError, SettingsError, SpansError."""
    logs.configure(settings.log_level)
    ending = Ending()
    os.umask(0o077)  # password hashes are in the database
    with ExitStack() as opened:
        sockets = [opened.enter_context(sock) for sock in bind(settings.listen)]
        metrics = [opened.enter_context(sock) for sock in bind(settings.metrics_listen)]
        opened.enter_context(exporting("netweft-server", settings.otlp_endpoint))
        store = opened.enter_context(closing(open_store(settings)))
        crowd = Crowd(room(), settings.max_connections_per_client)
        server = Server(_config(settings, store, crowd, metrics), crowd, store.turns)
        ending.of(server)
        # what is there now stays: the collector need not look through it again and again
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(SWITCH_SECONDS)
        log.info("listening", on=",".join(settings.listen), history=store.history)
        server.run(sockets)
    ending.now()


def open_store(settings: ServerSettings) -> Store:
    """Raises StateError."""
    try:
        Path(settings.state_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"cannot use state_dir {settings.state_dir}: {error.strerror}") from error
    try:
        return Store.open(settings.database)
    except Exception as error:  # the driver's, of any kind: only the store knows the SQL library
        said = without_password(str(error), settings.database).splitlines()[0]
        raise StateError(f"cannot use the database: {said}") from None


def _config(settings: ServerSettings, store: Store, crowd: Crowd, metrics: Sequence[socket.socket]) -> uvicorn.Config:
    connection, session = protocols(crowd, store.turns)
    measured = Measured(store, crowd, metrics, settings.agent_down_seconds) if metrics else None
    return uvicorn.Config(
        create_app(settings, store, measured),
        loop="uvloop",
        http=connection,
        ws=session,
        ws_max_size=MAX_UPWARD_BYTES,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=int(IDLE_SECONDS),
    )
