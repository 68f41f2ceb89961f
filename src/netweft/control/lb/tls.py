"""What TLS of listeners and pools may be asked for; and where the key manager is asked whether a reference is one.

`Keys` is the whole of what the balancers' API wants of a key manager.  `NO_KEYS` is that of a server that has none.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from netweft.control.lb import vocabulary
from netweft.control.lb.errors import CertificateRetrieval, ValidationFailure
from netweft.store import Object, ReadTransaction

_CIPHERS = re.compile(r"[A-Za-z0-9\-+!:@=_.]+")


class Keys(Protocol):
    def certificate(self, tx: ReadTransaction, project_id: str, ref: str) -> bool:
        """Whether this is a certificate with its key, for this project to use.  Raises UnreadablePkcs12."""
        ...

    def authority(self, tx: ReadTransaction, project_id: str, ref: str, crl: str | None) -> str:
        """Why this is no certificate of an authority, or its list of revoked ones is none; empty when all is well.
        Raises LookupError when a reference leads nowhere."""
        ...


class _NoKeys:
    def certificate(self, tx: ReadTransaction, project_id: str, ref: str) -> bool:
        return False

    def authority(self, tx: ReadTransaction, project_id: str, ref: str, crl: str | None) -> str:
        raise LookupError(ref)


NO_KEYS: Final[Keys] = _NoKeys()


def defaults(values: Object) -> Object:
    """Of what terminates TLS, or begins it, what nobody has said."""
    return {
        "tls_ciphers": values["tls_ciphers"] or vocabulary.DEFAULT_CIPHERS,
        "tls_versions": values["tls_versions"] or list(vocabulary.DEFAULT_TLS_VERSIONS),
        "alpn_protocols": values["alpn_protocols"] or list(vocabulary.DEFAULT_ALPN),
    }


def check_certificates(keys: Keys, tx: ReadTransaction, project_id: str, refs: Iterable[str | None]) -> None:
    bad = [ref for ref in dict.fromkeys(refs) if ref and not keys.certificate(tx, project_id, ref)]
    if bad:
        raise CertificateRetrieval(ref=bad)


def check_authority(
    keys: Keys, tx: ReadTransaction, project_id: str, after: Object, changes: Object, names: tuple[str, str]
) -> None:
    """names: of the authority's attribute, and of its revoked ones'.  Each of them is looked at with the other."""
    authority, revoked = (after[name] for name in names)
    if not authority or not any(changes.get(name) for name in names):
        return
    try:
        problem = keys.authority(tx, project_id, authority, revoked)
    except LookupError:
        raise CertificateRetrieval(ref=[ref for ref in (authority, revoked) if ref]) from None
    if problem:
        raise ValidationFailure(detail=problem)


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
