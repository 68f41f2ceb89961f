"""Listeners: a protocol and a port of a balancer, and where what comes there goes."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from netweft.control.lb import tls, vocabulary
from netweft.control.lb.errors import (
    DuplicateListener,
    InvalidOption,
    LbNotFound,
    ListenerNoChildren,
    ValidationFailure,
)
from netweft.control.lb.tls import Looked
from netweft.control.lb.tree import Tree
from netweft.control.lb.vocabulary import L7RULES, LISTENERS, POLICIES, POOLS, PROMETHEUS, TERMINATED_HTTPS
from netweft.model.load_balancer import VIP_ADDRESSES
from netweft.store import Object

_AUTHORITY = ("client_ca_tls_container_ref", "client_crl_container_ref")
CERTIFICATES = ("default_tls_container_ref", "client_ca_tls_container_ref", "sni_container_refs")


def create(tree: Tree, wanted: Object, looked: Looked) -> Object:
    """default_pool_id: of a pool of the tree."""
    check_pool(tree, wanted["protocol"], wanted["default_pool_id"])
    tree.begin()
    return made(tree, wanted, looked)


def made(tree: Tree, wanted: Object, looked: Looked) -> Object:
    """In a tree that may change."""
    check_pool(tree, wanted["protocol"], wanted["default_pool_id"])
    _check_new(tree, wanted, looked)
    protocol = wanted["protocol"]
    if _terminates(protocol, wanted):
        wanted = wanted | tls.defaults(wanted)
    tree.affects([wanted["default_pool_id"]])
    (listener,) = tree.insert(LISTENERS, [wanted])
    return listener


def update(tree: Tree, current: Object, changes: Object, looked: Looked) -> Object:
    _check_changes(tree, current, changes, looked)
    if changes.get("default_pool_id"):
        check_pool(tree, current["protocol"], changes["default_pool_id"])
    tree.begin()
    tree.affects([current["default_pool_id"], changes.get("default_pool_id")])
    return tree.update(LISTENERS, current["id"], changes)


def delete(tree: Tree, current: Object) -> None:
    """With its L7 policies and their rules."""
    tree.begin()
    policies = {id for id, one in tree.rows(POLICIES).items() if one["listener_id"] == current["id"]}
    tree.delete(L7RULES, [id for id, one in tree.rows(L7RULES).items() if one["l7policy_id"] in policies])
    tree.delete(POLICIES, policies)
    tree.affects([current["default_pool_id"]])
    tree.delete(LISTENERS, [current["id"]])


def check_pool(tree: Tree, protocol: str, pool_id: str | None) -> None:
    if not pool_id:
        return
    if protocol == PROMETHEUS:
        raise ListenerNoChildren(protocol=PROMETHEUS)
    pool = tree.rows(POOLS).get(pool_id)
    if pool is None:
        raise LbNotFound(resource="Pool", id=pool_id)
    check_protocols(protocol, pool["protocol"])


def check_protocols(listener: str, pool: str) -> None:
    if pool not in vocabulary.LEADS_TO[listener]:
        detail = f"The pool protocol '{pool}' is invalid while the listener protocol is '{listener}'."
        raise ValidationFailure(detail=detail)


def _terminates(protocol: str, values: Object) -> bool:
    return protocol == TERMINATED_HTTPS or (protocol == PROMETHEUS and any(values.get(name) for name in CERTIFICATES))


def _check_new(tree: Tree, wanted: Object, looked: Looked) -> None:
    protocol, values = wanted["protocol"], wanted
    _check_headers(protocol, wanted["insert_headers"])
    if protocol in vocabulary.DATAGRAMS and (_has_certificates(values) or wanted["insert_headers"]):
        raise ValidationFailure(detail=f"{protocol} protocol listener does not support TLS.")
    _check_certificates(protocol, values)
    _check_has_certificate(protocol, values)
    _check_client_authority(values)
    _check_references(values, values, looked)
    _refuse_taken_port(tree, wanted)
    check_cidrs(tree, wanted["allowed_cidrs"])
    if _terminates(protocol, values):
        tls.check_offers(values)
    _check_hsts(protocol, values)


def _check_changes(tree: Tree, current: Object, changes: Object, looked: Looked) -> None:
    protocol, after = current["protocol"], current | changes
    if protocol in vocabulary.DATAGRAMS and (_has_certificates(changes) or changes.get("insert_headers")):
        raise ValidationFailure(detail=f"{protocol} protocol listener does not support TLS or header insertion.")
    _check_headers(protocol, changes.get("insert_headers") or {})
    _check_certificates(protocol, changes)
    if not changes.keys().isdisjoint(CERTIFICATES):
        _check_has_certificate(protocol, after)
    _check_client_authority(after)
    _check_references(after, changes, looked)
    check_cidrs(tree, changes.get("allowed_cidrs"))
    tls.check_offers(changes)
    _check_hsts(protocol, after)


def _has_certificates(values: Object) -> bool:
    return any(values.get(name) for name in CERTIFICATES)


def _check_certificates(protocol: str, values: Object) -> None:
    if _has_certificates(values) and protocol not in (TERMINATED_HTTPS, PROMETHEUS):
        detail = f"Certificate container references are not allowed on {protocol} protocol listeners."
        raise ValidationFailure(detail=detail)


def _check_has_certificate(protocol: str, values: Object) -> None:
    """Without one nobody could connect: also not by taking it away, which Octavia lets pass."""
    if _terminates(protocol, values) and not (values["default_tls_container_ref"] or values["sni_container_refs"]):
        named = f"{PROMETHEUS} with TLS" if protocol == PROMETHEUS else protocol
        detail = f"An SNI or default certificate container reference must be provided for {named} protocol listeners."
        raise ValidationFailure(detail=detail)


def _check_client_authority(values: Object) -> None:
    authority = values["client_ca_tls_container_ref"]
    if authority and not (values["default_tls_container_ref"] or values["sni_container_refs"]):
        detail = (
            "An SNI or default certificate container reference must be provided with a client CA container reference."
        )
        raise ValidationFailure(detail=detail)
    mode = values["client_authentication"]
    if mode != "NONE" and not authority:
        detail = f"Client authentication setting {mode} requires a client CA container reference."
        raise ValidationFailure(detail=detail)
    if values["client_crl_container_ref"] and not authority:
        detail = "A client authentication CA reference is required to specify a client authentication revocation list."
        raise ValidationFailure(detail=detail)


def _check_references(after: Object, changes: Object, looked: Looked) -> None:
    tls.check_ciphers(changes.get("tls_ciphers"))
    refs = [*(changes.get("sni_container_refs") or ()), changes.get("default_tls_container_ref")]
    tls.check_certificates(looked, refs)
    tls.check_authority(looked, after, changes, _AUTHORITY)


def _check_headers(protocol: str, headers: Object) -> None:
    if not headers:
        return
    if protocol not in (vocabulary.HTTP, TERMINATED_HTTPS):
        raise InvalidOption(value="insert-headers", option=f"a {protocol} protocol listener.")
    if headers.keys() - vocabulary.HEADERS - vocabulary.SSL_HEADERS:
        raise InvalidOption(value=sorted(headers), option="insert_headers")
    of_tls = sorted(headers.keys() & vocabulary.SSL_HEADERS)
    if of_tls and protocol != TERMINATED_HTTPS:
        raise InvalidOption(value=of_tls, option=f"{protocol} protocol listener.")
    if wrong := [value for value in headers.values() if not value.isprintable()]:
        raise InvalidOption(value=wrong, option="insert_headers")


def _refuse_taken_port(tree: Tree, wanted: Object) -> None:
    port, transport = wanted["protocol_port"], vocabulary.transport(wanted["protocol"])
    for one in tree.rows(LISTENERS).values():
        if one["protocol_port"] == port and vocabulary.transport(one["protocol"]) == transport:
            raise DuplicateListener(protocol=one["protocol"], port=port)


def check_cidrs(tree: Tree, cidrs: Iterable[str] | None) -> None:
    if cidrs and tree.balancer["vip_sg_ids"]:
        raise ValidationFailure(detail="Allowed CIDRs are not allowed when using custom VIP Security Groups.")
    vips = [vip["ip_address"] for vip in tree.balancer[VIP_ADDRESSES]]
    versions: set[Any] = {ip_address(vip).version for vip in vips}
    for cidr in cidrs or ():
        if ip_network(cidr).version not in versions:
            raise ValidationFailure(detail=f"CIDR {cidr} IP version incompatible with all VIPs {vips} IP version.")


def _check_hsts(protocol: str, values: Object) -> None:
    age = values["hsts_max_age"]
    if (values["hsts_include_subdomains"] or values["hsts_preload"]) and age is None:
        detail = (
            "HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if hsts_max_age is "
            "set as well."
        )
        raise ValidationFailure(detail=detail)
    if age is not None and protocol != TERMINATED_HTTPS:
        detail = "The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol."
        raise ValidationFailure(detail=detail)
