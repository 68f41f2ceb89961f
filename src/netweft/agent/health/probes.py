"""One question to a member, and whether its answer is well.

What a member sends is trusted in nothing: it has as long as the monitor's timeout says, all in all, and of what it
says no more than HEAD_BYTES are read.  Nothing that it says leads anywhere: a redirect is a status like any other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from netweft.agent.health import datagrams, streams
from netweft.agent.health.ground import CannotAsk, Ground
from netweft.agent.health.outcomes import Heard, failed
from netweft.services.health.watched import HTTP, HTTPS, PING, SCTP, TCP, TLS_HELLO, UDP_CONNECT, Watched

Asking = Callable[[Ground, Watched, int], Awaitable[Heard]]

ASKING: Final[Mapping[str, Asking]] = {
    TCP: streams.connect,
    HTTP: streams.http,
    HTTPS: streams.https,
    TLS_HELLO: streams.hello,
    UDP_CONNECT: datagrams.connect,
    PING: datagrams.ping,
    SCTP: datagrams.sctp,
}


async def ask(ground: Ground, watched: Watched, port: int) -> Heard | None:
    """port: the source port.  None: no probe could be sent, for a fault of this host."""
    try:
        async with asyncio.timeout(watched.check.timeout):
            return await ASKING[watched.check.type](ground, watched, port)
    except CannotAsk:
        return None
    except TimeoutError:
        return Heard(well=False, why=f"no answer within {watched.check.timeout:g} s")
    except OSError as error:
        return failed(error)
