"""GET /dashboard/servers?id=...: the VMs that ports belong to, for the page that shows those ports."""

import re
from typing import Final

import msgspec
from starlette.requests import Request

from netweft.api import querystring
from netweft.dashboard.compute.servers import MOST, Servers
from netweft.dashboard.login import Ask, NotLoggedIn
from netweft.plugins.identity import Authenticate, IdentityUnavailable, Unauthorized
from netweft.settings import ServerSettings

_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Compute:
    def __init__(self, settings: ServerSettings, authenticate: Authenticate) -> None:
        self._servers = Servers(settings)
        self._authenticate = authenticate
        self.close = self._servers.close

    async def answer(self, request: Request, ask: Ask, token: str) -> bytes:
        """The body.  Raises NotLoggedIn."""
        asked = querystring.parse(request.url.query)
        ids = [value.lower() for name, value in asked if name == "id"]
        if len(ids) != len(asked) or not 0 < len(ids) <= MOST or not all(map(_ID.fullmatch, ids)):
            raise NotLoggedIn(400, f"Give the ids of at most {MOST} servers.")
        try:
            context = await self._authenticate(token)
        except Unauthorized:
            raise NotLoggedIn(401, "There is no session, or it is over.") from None
        except IdentityUnavailable:
            raise NotLoggedIn(503, "The identity service does not answer.") from None
        told = await self._servers.told(ask, token, ids, of_all_projects=context.is_admin)
        return msgspec.json.encode(told)
