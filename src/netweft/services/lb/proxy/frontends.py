"""A listener as a frontend of HAProxy."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from netweft.model.load_balancer import Listener
from netweft.services.lb.proxy import policies, tls
from netweft.services.lb.proxy.policies import Policy
from netweft.services.lb.proxy.quoting import cidr, name

_HTTP: Final = frozenset({"HTTP", "TERMINATED_HTTPS", "PROMETHEUS"})
# what a listener can add to a request: header -> HAProxy's log format
_ADDED: Final = {
    "X-Forwarded-IP": "%[src]",
    "X-Client-IP": "%[src]",
    "X-Real-IP": "%[src]",
    "X-Forwarded-Port": "%[dst_port]",
    "X-SSL-Client-Verify": "%[ssl_c_verify]",
    "X-SSL-Client-Has-Cert": "%[ssl_c_used]",
    "X-SSL-Client-DN": "%{+Q}[ssl_c_s_dn]",
    "X-SSL-Client-CN": "%{+Q}[ssl_c_s_dn(cn)]",
    "X-SSL-Issuer": "%{+Q}[ssl_c_i_dn]",
    "X-SSL-Client-SHA1": "%[ssl_c_sha1,hex]",
    "X-SSL-Client-Not-Before": "%{+Q}[ssl_c_notbefore]",
    "X-SSL-Client-Not-After": "%{+Q}[ssl_c_notafter]",
}
_LIMIT: Final = 50  # words of a line


def is_http(listener: Listener) -> bool:
    return listener.protocol in _HTTP


def frontend(
    listener: Listener,
    chosen: Sequence[Policy],
    backend: Callable[[str], str | None],
    *,
    vips: Iterable[str],
    instances: int,
    has_ipv6: bool,
) -> Iterator[str]:
    """vips: the balancer's own addresses, which a client may have been translated to on its way here.
    instances: how many share the listener's connections."""
    port = int(listener.protocol_port)
    options = " ".join(("", *tls.bind_options(listener)))
    yield f"bind 0.0.0.0:{port}{options}"
    if has_ipv6:
        yield f"bind [::]:{port} v6only{options}"
    mode = "http" if is_http(listener) else "tcp"
    yield f"mode {mode}"
    if listener.connection_limit >= 0:
        yield f"maxconn {max(1, -(-listener.connection_limit // max(1, instances)))}"
    yield f"timeout client {int(listener.timeout_client_data)}"
    if not is_http(listener) and listener.timeout_tcp_inspect > 0:
        yield f"tcp-request inspect-delay {int(listener.timeout_tcp_inspect)}"
    yield from _allowed(listener, vips)
    if listener.protocol == "PROMETHEUS":
        yield "http-request use-service prometheus-exporter if { path /metrics }"
        yield "http-request deny deny_status 404"
        return
    if is_http(listener):
        # a client that has nothing under way learns of a reload with its next answer, not by a connection that ends
        yield "option idle-close-on-response"
        yield from policies.lines([one for one in chosen if one.refuses], backend)
        yield from _headers(listener)
        yield from _strict_transport(listener)
        yield from policies.lines([one for one in chosen if not one.refuses], backend)
    usual = backend(listener.default_pool_id) if listener.default_pool_id else None
    yield f"default_backend {name(usual or policies.nobody(mode))}"


def _allowed(listener: Listener, vips: Iterable[str]) -> Iterator[str]:
    if not listener.allowed_cidrs:
        return
    allowed = [cidr(one) for one in (*listener.allowed_cidrs, *vips)]
    for start in range(0, len(allowed), _LIMIT):
        yield f"acl allowed src {' '.join(allowed[start : start + _LIMIT])}"
    yield "tcp-request connection reject if !allowed"


def _headers(listener: Listener) -> Iterator[str]:
    """What a client says in these itself is not handed on."""
    wanted = {key.lower() for key, value in listener.insert_headers.items() if str(value).lower() == "true"}
    if "x-forwarded-for" in wanted:
        yield "option forwardfor"
    if "x-forwarded-proto" in wanted:
        scheme = "https" if listener.protocol == "TERMINATED_HTTPS" else "http"
        yield f"http-request set-header X-Forwarded-Proto {scheme}"
    for header, value in _ADDED.items():
        if header.lower() in wanted:
            yield f"http-request set-header {header} {value}"


def _strict_transport(listener: Listener) -> Iterator[str]:
    if listener.protocol != "TERMINATED_HTTPS" or listener.hsts_max_age is None:
        return
    said = [f"max-age={int(listener.hsts_max_age)}"]
    said += ["includeSubDomains"] if listener.hsts_include_subdomains else []
    said += ["preload"] if listener.hsts_preload else []
    yield f"http-response set-header Strict-Transport-Security '{'; '.join(said)}'"
