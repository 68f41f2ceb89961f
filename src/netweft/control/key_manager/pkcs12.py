"""PKCS #12 without a passphrase: read by a process of its own, which may take so much of the processor and no more.

The content says how often a passphrase is to be hashed, an empty one too, and the library looks for prime factors of
RSA keys, which takes half a minute for large ones; it cannot be told not to, nor be stopped.
"""

import subprocess
import sys
from functools import lru_cache
from typing import Final

CPU_SECONDS: Final = 2  # Python alone takes a fifth of one
_MEMORY: Final = 1 << 30  # bytes of addresses
_SECONDS: Final = 120.0  # on a machine on which forty others wait for a turn


@lru_cache(maxsize=64)
def pem_of(payload: bytes) -> bytes:
    """The private key, the certificate, those behind it; empty: it cannot be read."""
    if payload[:1] != b"\x30":  # DER of a sequence
        return b""
    command = [sys.executable, "-I", "-m", __name__]
    try:
        done = subprocess.run(command, input=payload, capture_output=True, env={}, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return b""
    return b"" if done.returncode else done.stdout


def main() -> None:
    import os
    import resource

    os.nice(10)  # whoever is served goes before
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

    try:
        key, certificate, more = pkcs12.load_key_and_certificates(sys.stdin.buffer.read(), None)
    except (ValueError, UnsupportedAlgorithm):
        raise SystemExit(1) from None
    if key is not None:
        sys.stdout.buffer.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for one in (certificate, *more) if certificate is not None else ():
        sys.stdout.buffer.write(one.public_bytes(Encoding.PEM))


if __name__ == "__main__":
    main()
