"""TLS on either side of HAProxy: options of `bind` and of `server` lines.  Material is named by its reference's hash:
the node that serves it has it in files of these names, nobody else."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from netweft.dataplane.haproxy.values import Material, MaterialKind
from netweft.model.load_balancer import Listener, Pool
from netweft.services.lb.proxy.quoting import ciphers

_VERSIONS = {"SSLv3": "sslv3", "TLSv1": "tlsv10", "TLSv1.1": "tlsv11", "TLSv1.2": "tlsv12", "TLSv1.3": "tlsv13"}
_VERIFY = {"OPTIONAL": "optional", "MANDATORY": "required"}
_ALPN = ("h2", "http/1.1", "http/1.0")
_MOST_OF_A_LINE: Final = 8  # certificates: HAProxy reads 64 words of a line


def material(ref: str, kind: MaterialKind) -> Material:
    digest = hashlib.blake2s(f"{kind} {ref}".encode(), digest_size=12).hexdigest()
    return Material(file=f"{digest}.pem", ref=ref, kind=kind)


def of_listener(listener: Listener) -> Iterator[Material]:
    """The default certificate first."""
    if listener.protocol != "TERMINATED_HTTPS":
        return
    if not listener.default_tls_container_ref:
        raise ValueError(f"listener {listener.id} has no certificate")
    for ref in dict.fromkeys((listener.default_tls_container_ref, *listener.sni_container_refs)):
        yield material(ref, "certificate")
    if listener.client_authentication in _VERIFY:
        yield from _trusted(listener.client_ca_tls_container_ref, listener.client_crl_container_ref)


def listed(listener: Listener) -> tuple[str, str] | None:
    """A file of HAProxy's and what it says: the certificates, where they are too many for a line."""
    found = [one.file for one in of_listener(listener) if one.kind == "certificate"]
    if len(found) <= _MOST_OF_A_LINE:
        return None
    text = "".join(f"{file}\n" for file in found)
    return f"{hashlib.blake2s(text.encode(), digest_size=12).hexdigest()}-list.pem", text


def of_pool(pool: Pool) -> Iterator[Material]:
    if not pool.tls_enabled:
        return
    if pool.tls_container_ref:
        yield material(pool.tls_container_ref, "certificate")
    yield from _trusted(pool.ca_tls_container_ref, pool.crl_container_ref)


def _trusted(authorities: str | None, revoked: str | None) -> Iterator[Material]:
    if authorities:
        yield material(authorities, "authorities")
        if revoked:
            yield material(revoked, "revoked")


def bind_options(listener: Listener) -> Iterator[str]:
    found = tuple(of_listener(listener))
    if not found:
        return
    yield "ssl"
    if listing := listed(listener):
        yield f"crt-list {listing[0]}"
    else:
        yield from (f"crt {one.file}" for one in found if one.kind == "certificate")
    if verify := _VERIFY.get(listener.client_authentication):
        if not listener.client_ca_tls_container_ref:
            raise ValueError(f"listener {listener.id} asks clients for certificates and has no authority")
        yield f"verify {verify}"
        yield from _trust(found)
        if verify == "optional":  # a client with a bad one is let in, and rules can see it: ssl_c_verify
            yield "crt-ignore-err all ca-ignore-err all"
    yield from _offers(listener.tls_ciphers, listener.tls_versions, listener.alpn_protocols)


def server_options(pool: Pool, *, is_http: bool, names: str) -> Iterator[str]:
    """names: the sample fetch that gives the server name (SNI) for members; empty: none."""
    if not pool.tls_enabled:
        return
    found = tuple(of_pool(pool))
    yield "ssl"
    yield from (f"crt {one.file}" for one in found if one.kind == "certificate")
    if pool.ca_tls_container_ref:
        yield "verify required"
        yield from _trust(found)
    else:
        yield "verify none"
    if names:
        yield f"sni {names}"
    yield from _offers(pool.tls_ciphers, pool.tls_versions, pool.alpn_protocols if is_http else ())


def _trust(found: Iterable[Material]) -> Iterator[str]:
    for one in found:
        if one.kind == "authorities":
            yield f"ca-file {one.file}"
        elif one.kind == "revoked":
            yield f"crl-file {one.file}"


def _offers(tls_ciphers: str | None, versions: Iterable[str], alpn: Iterable[str]) -> Iterator[str]:
    if tls_ciphers:
        old, suites = ciphers(tls_ciphers)
        yield from filter(None, (old and f"ciphers {old}", suites and f"ciphersuites {suites}"))
    wanted = {_VERSIONS[one] for one in versions if one in _VERSIONS}
    if wanted:
        yield from (f"no-{one}" for one in _VERSIONS.values() if one not in wanted)
    if spoken := [one for one in alpn if one in _ALPN]:
        yield f"alpn {','.join(spoken)}"
