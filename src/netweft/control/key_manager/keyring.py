"""The key that secrets are encrypted with: in one file of the deployment's, that no database has.

AES-256-GCM; a secret's id and project are authenticated with it, so that no row's payload can be put into another.
"""

import base64
import hashlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from netweft.control.key_manager.errors import NoKey

_BYTES: Final = 32
_NONCE: Final = 12

log = structlog.get_logger(__name__)


class Keyring:
    """Reads the file when it is first needed.  path: the same content on all servers of a region."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = b""

    def encrypt(self, payload: bytes, about: str, is_first: Callable[[], bool]) -> str:
        """is_first: whether nothing is encrypted yet, so that a key may be made where there is none.  Raises NoKey."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # large, and most servers never need it

        key, nonce = self._read(is_first), os.urandom(_NONCE)
        sealed = nonce + AESGCM(key).encrypt(nonce, payload, about.encode())
        return f"{_name(key)}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, sealed: str, about: str) -> bytes:
        """Raises NoKey."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        named, _, text = sealed.partition(":")
        key, whole = self._read(lambda: False), base64.b64decode(text)
        if named != _name(key):
            raise _no_key(f"a secret was encrypted with another key than that in {self._path}")
        try:
            return AESGCM(key).decrypt(whole[:_NONCE], whole[_NONCE:], about.encode())
        except InvalidTag:
            raise _no_key("a secret is not as it was written") from None

    def _read(self, may_make: Callable[[], bool]) -> bytes:
        if not self._key:
            try:
                self._key = _parsed(self._path.read_bytes(), self._path)
            except FileNotFoundError:
                if not may_make():
                    raise _no_key(f"{self._path} is not there") from None
                self._key = self._made()
            except OSError as error:
                raise _no_key(f"{self._path}: {error.strerror}") from None
        return self._key

    def _made(self) -> bytes:
        """Whoever makes it first has made it."""
        key = os.urandom(_BYTES)
        draft = self._path.with_name(f".{self._path.name}.{uuid.uuid4()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(base64.b64encode(key) + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                os.link(draft, self._path)
            except FileExistsError:
                return _parsed(self._path.read_bytes(), self._path)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise _no_key(f"{self._path}: {error.strerror}") from None
        return key


def _parsed(content: bytes, path: Path) -> bytes:
    try:
        key = base64.b64decode(content.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise _no_key(f"{path} does not hold {_BYTES} bytes in base64")
    return key


def _name(key: bytes) -> str:
    """Says which key, and nothing of it."""
    return hashlib.blake2s(key, person=b"netweft").hexdigest()[:16]


def _no_key(reason: str) -> NoKey:
    log.error("the key manager cannot work", reason=reason)
    return NoKey()
