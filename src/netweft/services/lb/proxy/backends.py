"""A pool as a backend of HAProxy, once for each listener that uses it: their timeouts are the listener's.

All that makes a client come back to the same member is the same on every instance, and outlives a reload: a cookie
carries the member, or its address's hash chooses it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from netweft.dataplane.haproxy.values import ServerState
from netweft.model.load_balancer import HEALTHY, LEAST_CONNECTIONS, SOURCE_IP, SOURCE_IP_PORT, Listener, Member, Pool
from netweft.services.lb.proxy import tls
from netweft.services.lb.proxy.frontends import is_http
from netweft.services.lb.proxy.quoting import name, place, quoted, token

_BALANCE: Final = {
    LEAST_CONNECTIONS: "balance leastconn",
    SOURCE_IP: "balance source",
    SOURCE_IP_PORT: "balance hash src,concat(:,txn.port)",
}
_SEND: Final = {"PROXY": "send-proxy", "PROXYV2": "send-proxy-v2"}
COOKIE: Final = "SRV"


def backend_name(pool_id: str, listener_id: str) -> str:
    return name(f"{pool_id}:{listener_id}")


def backend(listener: Listener, pool: Pool, members: Sequence[Member], *, states: bool) -> Iterator[str]:
    """states: with which members get traffic, and how much: what can change without a reload."""
    http = is_http(listener)
    yield f"mode {'http' if http else 'tcp'}"
    yield from _balance(pool)
    yield f"timeout connect {int(listener.timeout_member_connect)}"
    yield f"timeout server {int(listener.timeout_member_data)}"
    yield "option allbackups"
    yield from _persistence(pool, http=http)
    for member in members:
        yield " ".join(_server(listener, pool, member, states=states))


def server_states(listener: Listener, pool: Pool, members: Iterable[Member]) -> Iterator[ServerState]:
    for member in members:
        yield ServerState(
            backend=backend_name(pool.id, listener.id),
            server=name(member.id),
            weight=_weight(member),
            up=_is_up(member),
        )


def _balance(pool: Pool) -> Iterator[str]:
    persistence = pool.session_persistence
    algorithm = pool.lb_algorithm
    if persistence is not None and persistence.type == "SOURCE_IP":
        algorithm = SOURCE_IP
    if algorithm == SOURCE_IP_PORT:
        yield "tcp-request content set-var(txn.port) src_port"
    yield _BALANCE.get(algorithm, "balance roundrobin")
    if algorithm in (SOURCE_IP, SOURCE_IP_PORT):
        yield "hash-type consistent"


def _persistence(pool: Pool, *, http: bool) -> Iterator[str]:
    persistence = pool.session_persistence
    if persistence is None or not http:
        return
    if persistence.type == "HTTP_COOKIE":
        yield f"cookie {COOKIE} insert indirect nocache httponly"
    elif persistence.type == "APP_COOKIE":
        yield f"cookie {quoted(token(persistence.cookie_name))} prefix"


def _server(listener: Listener, pool: Pool, member: Member, *, states: bool) -> Iterator[str]:
    yield f"server {name(member.id)} {place(member.address, member.protocol_port)}"
    if states:
        yield f"weight {_weight(member)}"
        if not _is_up(member):
            yield "disabled"
    if member.backup:
        yield "backup"
    if pool.session_persistence is not None and is_http(listener):
        yield f"cookie {hashlib.blake2s(member.id.encode(), digest_size=8).hexdigest()}"
    if pool.protocol in _SEND:
        yield _SEND[pool.protocol]
    asked_by = "ssl_fc_sni" if listener.protocol == "TERMINATED_HTTPS" else ""
    yield from tls.server_options(pool, is_http=is_http(listener), names=asked_by)


def _weight(member: Member) -> int:
    return min(256, max(0, int(member.weight)))


def _is_up(member: Member) -> bool:
    """One of weight 0 keeps the clients that it has."""
    return member.admin_state_up and member.operating_status in HEALTHY
