"""What TLS of listeners and pools may be requested, and which references to a key manager they name.

What those lead to was read before the transaction (`Looked`): it may take long, and other services.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from netweft.control.key_manager import certificates
from netweft.control.key_manager.contents import Pkcs12Unreadable, Reference
from netweft.control.lb import vocabulary
from netweft.control.lb.errors import CertificateRetrieval, ReferencesChanged, UnreadablePkcs12, ValidationFailure
from netweft.store import Object

Looked: TypeAlias = Mapping[Reference, bytes | Exception]  # PEM; LookupError or Unusable
KINDS: Final = {
    "default_tls_container_ref": "certificate",
    "sni_container_refs": "certificate",
    "tls_container_ref": "certificate",
    "client_ca_tls_container_ref": "authorities",
    "ca_tls_container_ref": "authorities",
    "client_crl_container_ref": "revoked",
    "crl_container_ref": "revoked",
}
_CIPHERS = re.compile(r"[A-Za-z0-9\-+!:@=_.]+")


def references(values: Any) -> Iterator[Reference]:
    """Of a listener or a pool, and of those in it, or in a list."""
    if isinstance(values, list):
        for one in values:
            yield from references(one)
    for name, value in values.items() if isinstance(values, dict) else ():
        if name in KINDS:
            refs = value if isinstance(value, list) else [value]
            yield from (Reference(KINDS[name], ref) for ref in refs if ref)
        else:
            yield from references(value)


def defaults(values: Object) -> Object:
    """Of what terminates TLS, or begins it, what nobody has said."""
    return {
        "tls_ciphers": values["tls_ciphers"] or vocabulary.DEFAULT_CIPHERS,
        "tls_versions": values["tls_versions"] or list(vocabulary.DEFAULT_TLS_VERSIONS),
        "alpn_protocols": values["alpn_protocols"] or list(vocabulary.DEFAULT_ALPN),
    }


def check_certificates(looked: Looked, refs: Iterable[str | None]) -> None:
    found = {ref: _read(looked, "certificate", ref) for ref in refs if ref}
    for ref, one in found.items():
        if isinstance(one, Pkcs12Unreadable):
            raise UnreadablePkcs12(ref=ref)
    if bad := [ref for ref, one in found.items() if isinstance(one, Exception)]:
        raise CertificateRetrieval(ref=bad)


def check_authority(looked: Looked, after: Object, changes: Object, names: tuple[str, str]) -> None:
    """names: of the authority's attribute, and of its revoked ones'.  Each of them is looked at with the other."""
    ref, crl = (after[name] for name in names)
    if not ref or not any(changes.get(name) for name in names):
        return
    authorities = _pem(_read(looked, "authorities", ref))
    if crl and not certificates.is_issued_by(_pem(_read(looked, "revoked", crl)), authorities):
        raise ValidationFailure(detail=f"{crl} was not issued by an authority of {ref}")


def _pem(found: bytes | Exception) -> bytes:
    if isinstance(found, LookupError):
        raise CertificateRetrieval(ref=list(found.args))
    if isinstance(found, Exception):
        raise ValidationFailure(detail=str(found))
    return found


def _read(looked: Looked, kind: str, ref: str) -> bytes | Exception:
    try:
        return looked[Reference(kind, ref)]
    except KeyError:  # who else has changed it since we looked
        raise ReferencesChanged() from None


def check_ciphers(ciphers: str | None) -> None:
    if ciphers and not _CIPHERS.fullmatch(ciphers):
        detail = "Invalid characters in cipher string. Only alphanumeric, -, +, !, :, @, =, _, and . are allowed."
        raise ValidationFailure(detail=detail)


def check_offers(values: Object) -> None:
    """Versions and protocols; an empty list is not `as usual`, null is."""
    _check_versions(values.get("tls_versions"))
    protocols = values.get("alpn_protocols")
    if protocols == []:
        detail = (
            "Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the "
            "default."
        )
        raise ValidationFailure(detail=detail)
    if wrong := [one for one in protocols or () if one not in vocabulary.ALPN]:
        raise ValidationFailure(detail=f"Invalid ALPN protocol: {', '.join(wrong)}")


def _check_versions(versions: Sequence[str] | None) -> None:
    if versions == []:
        detail = (
            "Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the "
            "default."
        )
        raise ValidationFailure(detail=detail)
    if wrong := [one for one in versions or () if one not in vocabulary.TLS_VERSIONS]:
        raise ValidationFailure(detail=f"Invalid TLS versions: {', '.join(wrong)}")
