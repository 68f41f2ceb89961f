"""Nova's metadata service: asked in the instance's name, as neutron-metadata-agent asks it.

That it is the instance is vouched for by a secret which Nova has too (`metadata_proxy_shared_secret` there).  It never
leaves the servers: nodes have none.
"""

import hashlib
import hmac
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import httpx
import structlog

from netweft.settings import ServerSettings, SettingsError
from netweft.wire.metadata import Said

TIMEOUT_SECONDS: Final = 8.0  # less than an agent waits
CONNECTIONS: Final = 64
AS_THEY_ARE: Final = (400, 404, 409, 502, 503, 504)

log = structlog.get_logger(__name__)


class NovaMetadata:
    """Constructing it does no I/O but to read the secret.  Raises SettingsError."""

    def __init__(self, settings: ServerSettings) -> None:
        self._url = settings.nova_metadata_url.rstrip("/")
        self._secret = _secret(settings.metadata_secret_file)
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False)

    async def ask(
        self, method: str, target: str, body: bytes, *, instance_id: str, project_id: str, address: str
    ) -> Said:
        """Always an answer.  address: the instance's."""
        headers = {
            "X-Forwarded-For": address,
            "X-Instance-ID": instance_id,
            "X-Tenant-ID": project_id,
            "X-Instance-ID-Signature": hmac.new(self._secret, instance_id.encode(), hashlib.sha256).hexdigest(),
        }
        if {".", ".."} & set(unquote(target.partition("?")[0]).split("/")):
            return Said(status=404, body=b"There is nothing of that name.\n")  # it could lead to what is beside Nova
        try:
            # else the path goes as it was written: what it means is Nova's business
            url = httpx.URL(self._url)
            whole = f"{url.path.rstrip('/')}/{target.removeprefix('/')}"
            url = url.copy_with(raw_path=whole.encode("ascii"))
            found = await self._http.request(method, url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            log.warning("Nova's metadata service does not answer", problem=str(error) or type(error).__name__)
            return Said(status=503, body=b"The metadata service does not answer. Try again.\n")
        if found.status_code == 403:
            log.warning("Nova's metadata service refuses: it may have another shared secret")
        if found.status_code in (200, 403) or found.status_code in AS_THEY_ARE:
            kind = found.headers.get("content-type", "text/plain")
            return Said(status=found.status_code, body=found.content, content_type=kind)
        log.warning("Nova's metadata service fails", status=found.status_code)
        return Said(status=500, body=b"The metadata service failed.\n")

    async def close(self) -> None:
        await self._http.aclose()


def _secret(file: str) -> bytes:
    try:
        found = Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"metadata_secret_file: {file}: {error}") from None
    if not found:
        raise SettingsError(f"metadata_secret_file: {file} is empty")
    return found.encode()
