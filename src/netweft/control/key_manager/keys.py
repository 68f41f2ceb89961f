"""What the balancers' API asks of the key manager (`control/lb/tls.Keys`)."""

from netweft.control.key_manager import certificates
from netweft.control.key_manager.held import Held, Pkcs12Unreadable, Unusable
from netweft.control.lb.errors import UnreadablePkcs12
from netweft.store import ReadTransaction


class StoredKeys:
    def __init__(self, held: Held) -> None:
        self._held = held

    def certificate(self, tx: ReadTransaction, project_id: str, ref: str) -> bool:
        try:
            return bool(self._held.certificate(tx, project_id, ref))
        except Pkcs12Unreadable:
            raise UnreadablePkcs12(ref=ref) from None
        except (LookupError, Unusable):
            return False

    def authority(self, tx: ReadTransaction, project_id: str, ref: str, crl: str | None) -> str:
        """Raises LookupError."""
        try:
            authorities = self._held.authorities(tx, project_id, ref)
            revoked = self._held.revoked(tx, project_id, crl) if crl else b""
        except Unusable as problem:
            return str(problem)
        if not revoked or certificates.is_issued_by(revoked, authorities):
            return ""
        return f"{crl} was not issued by an authority of {ref}"
