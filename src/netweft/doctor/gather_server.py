"""Facts about what a server needs."""

from pathlib import Path

import httpx

from netweft.doctor.facts import Database, Server
from netweft.doctor.gather_host import folder, secret
from netweft.doctor.processes import holders
from netweft.listeners import ListenError, bind
from netweft.settings import ServerSettings
from netweft.store.inspection import look

ANSWER_SECONDS = 5.0


def gather(settings: ServerSettings) -> Server:
    looked = look(settings.database)
    return Server(
        state_dir=folder(settings.state_dir),
        database=Database(_writable(settings.database) or looked.problem, looked.schema, looked.newest),
        listen={one: _listen(one) for one in (*settings.listen, *settings.metrics_listen)},
        secrets=tuple(secret(path) for path in _secrets(settings)),
        keystone=_keystone(settings.keystone_url),
    )


def _writable(database: str) -> str:
    """Why SQLite could not make its file."""
    scheme, _, path = database.partition(":///")
    if scheme != "sqlite":
        return ""
    parent = Path(path).absolute().parent
    return folder(str(parent)).problem if not Path(path).exists() else ""


def _listen(address: str) -> str:
    """Why it cannot; a server of ours that listens there already is no reason."""
    if address.startswith("unix:"):
        return folder(str(Path(address[5:]).parent)).problem
    try:
        for sock in bind([address]):
            sock.close()
    except ListenError as error:
        holder = holders("tcp").get(int(address.rpartition(":")[2]), "")
        return "" if holder == "netweft" else f"{error}{f' ({holder} does)' if holder else ''}"
    return ""


def _secrets(settings: ServerSettings) -> list[str]:
    """The files that will be read."""
    as_user = settings.keystone_url or settings.nova_events
    wanted = [(as_user, settings.service_password_file), (settings.nova_metadata_url, settings.metadata_secret_file)]
    return [path for asked, path in wanted if asked]


def _keystone(url: str) -> str:
    """The address and why it does not answer; empty if it does, or is not asked."""
    if not url:
        return ""
    try:
        answer = httpx.get(url, timeout=ANSWER_SECONDS, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{_bare(url)} {error or type(error).__name__}"
    return f"{_bare(url)} answers {answer.status_code}" if answer.status_code >= 500 else ""


def _bare(url: str) -> str:
    """Without what may be a user and a password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
