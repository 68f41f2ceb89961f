"""Which secrets this host knows of, so that they can be taken out.  They are kept nowhere."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from netweft.settings import SECRET_FILES, AgentSettings, ServerSettings

_VARIABLE = re.compile(r"^\s*(?:export\s+)?OS_\w*(?:PASSWORD|SECRET|TOKEN)=(.*)$", re.MULTILINE)

_OPTION = re.compile(r"^\s*\w*(?:password|secret|token|passphrase)\w*\s*[=:]\s*(.+)$", re.MULTILINE | re.IGNORECASE)


def secrets(server: ServerSettings | None, agent: AgentSettings | None, environ: Mapping[str, str]) -> Iterator[str]:
    yield from (
        value for name, value in environ.items() if re.search("PASSWORD|SECRET|TOKEN", name) and "FILE" not in name
    )
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        yield from _of_headers(environ.get(name, ""))
    if server:
        yield from _of_address(server.database)
        for name in SECRET_FILES & {*server.__struct_fields__}:
            yield from _of_file(getattr(server, name))
        yield from _of_file(str(Path(server.state_dir) / "key_manager.key"))
        for text in _of_file(server.switches_file):
            yield from (found.strip("\"' ") for found in _OPTION.findall(text))
        yield from (behind for url in server.webhooks if len(behind := _behind_host(url)) > 1)
        for line in _of_file(str(Path(server.state_dir) / "admin-openrc")):
            yield from (found.strip("\"' ") for found in _VARIABLE.findall(line))
    if agent:
        yield from (token for token in (agent.token, *_of_file(agent.token_file)) if token)
        yield from (token.rpartition(".")[2] for token in (agent.token, *_of_file(agent.token_file)))


def _of_address(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        password = None
    raw = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    yield from {one for one in (password, unquote(password or ""), raw) if one}
    yield from re.findall(r"password=([^&]+)", url)


def _behind_host(url: str) -> str:
    """Of where changes are posted: many services know who posts by the path alone."""
    return url.partition("://")[2].partition("/")[2]


def _of_headers(text: str) -> Iterator[str]:
    """`name=value,name=value`, as in URLs; of a value with its scheme (`Bearer ...`), what follows it, too."""
    for pair in text.split(","):
        value = pair.partition("=")[2].strip()
        yield from {one for one in (value, unquote(value), unquote(value).rpartition(" ")[2]) if one}


def _of_file(path: str) -> Iterator[str]:
    try:
        yield Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return
