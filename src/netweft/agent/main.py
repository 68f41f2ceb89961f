"""The agent process: settings in, one event loop until a signal ends it.  SIGTERM leaves everything in place."""

import asyncio
import contextlib
import gc
import signal
import socket
from asyncio import Server
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import structlog

from netweft import logs
from netweft.agent import facts
from netweft.agent.facts import node_name
from netweft.agent.local_socket import SocketInUse, listen, serve
from netweft.agent.plugin import Factory, L2Agent, l2_agent
from netweft.listeners import ListenError, bind
from netweft.metrics.definitions import AGENT
from netweft.services.addresses import endpoint
from netweft.services.values import TUNNEL, TUNNELLED
from netweft.settings import AgentSettings, SettingsError
from netweft.spans.exporting import SpansError, exporting
from netweft.starting import loading, without_collector

log = structlog.get_logger(__name__)


class AgentError(Exception):
    """The agent cannot start; one sentence."""


def run(settings: AgentSettings) -> None:
    """Until SIGTERM or SIGINT.  Raises AgentError."""
    logs.configure(settings.log_level)
    check(settings)
    gc.set_threshold(50_000, 20, 100)  # flows are many, live long and hold no cycles
    without_collector()
    try:
        with loading():
            factory = l2_agent(settings.driver)
    except SettingsError as error:
        raise AgentError(str(error)) from None
    path = Path(settings.socket)
    try:
        listener = listen(path)
    except (SocketInUse, OSError) as error:
        raise AgentError(f"cannot listen on {path}: {error}") from None
    try:
        metrics = bind(settings.metrics_listen)
    except ListenError as error:
        listener.close()
        path.unlink(missing_ok=True)
        raise AgentError(f"metrics_listen: {error}") from None
    settings = msgspec.structs.replace(settings, node=node_name(settings))
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # else asyncio sets a handler of its own first, which loads `inspect`
    try:
        with exporting("netweft-agent", settings.otlp_endpoint, {"host.name": settings.node}):
            asyncio.run(_run(factory, settings, listener, metrics))
    except SpansError as error:
        raise AgentError(str(error)) from None
    finally:
        path.unlink(missing_ok=True)
        gc.freeze()  # a process that ends need not look for cycles among all it has


def check(settings: AgentSettings) -> None:
    """Of values that no single setting shows to be wrong.  Raises AgentError."""
    if settings.tunnel_ip and endpoint(settings.tunnel_ip) is None:
        raise AgentError(f"tunnel_ip: {settings.tunnel_ip} is not an IP address")
    for mapping in settings.bridge_mappings:
        if ":" not in mapping:
            raise AgentError(f"bridge_mappings: {mapping} is not PHYSICAL_NETWORK:BRIDGE")
    bridges = [*facts.bridge_mappings(settings).values(), settings.integration_bridge, settings.tunnel_bridge]
    if len(set(bridges)) < len(settings.bridge_mappings) + 2:
        raise AgentError(f"bridge_mappings: {', '.join(settings.bridge_mappings)}: something is there twice")
    _check_uplinks(settings)
    for kind in settings.tunnel_types:
        if kind not in TUNNELLED:
            raise AgentError(f"tunnel_types: {kind}: not supported; there are {', '.join(TUNNELLED)}")
    first, _, last = settings.local_vlans.partition(":")
    if not 1 <= int(first) <= int(last) <= 4094:
        raise AgentError(f"local_vlans: {settings.local_vlans} is not within 1:4094")


def _check_uplinks(settings: AgentSettings) -> None:
    known = {*facts.bridge_mappings(settings), TUNNEL}
    rates: dict[str, int] = {}
    for name, nic in facts.uplink_bandwidths(settings).items():
        if name not in known:
            raise AgentError(f"uplink_bandwidths: {name}: there are {', '.join(sorted(known))}")
        if rates.setdefault(nic.interface, nic.kbps) != nic.kbps:
            raise AgentError(f"uplink_bandwidths: {nic.interface} has two bandwidths")


async def _run(
    factory: Factory, settings: AgentSettings, listener: socket.socket, metrics: Sequence[socket.socket]
) -> None:
    stop = asyncio.Event()
    agent = factory(settings)
    with _signals(stop):
        async with _measured(agent, metrics):
            await _until_stopped(agent, settings, stop, await serve(agent, listener))


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Not by the loop's own way, which loads `inspect` to see that this is no coroutine: 4 ms of each start."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _measured(agent: L2Agent, sockets: Sequence[socket.socket]) -> AbstractAsyncContextManager[None]:
    """What it says at /metrics."""
    if not sockets:
        return contextlib.nullcontext()
    from netweft.metrics.serving import served  # Prometheus' library, and a web server

    return served(sockets, AGENT, agent.readings)


async def _until_stopped(agent: L2Agent, settings: AgentSettings, stop: asyncio.Event, questions: Server) -> None:
    log.info("agent started", node=settings.node, driver=settings.driver)
    work, stopping = asyncio.create_task(agent.run()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await agent.stop()
            work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        stopping.cancel()
        questions.close()
        log.info("agent stopped", node=settings.node)
