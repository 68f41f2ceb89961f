"""What users sent as certificates and keys: read, or refused with a sentence, and nothing of it takes long."""

import base64
import resource
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests import certificates as made

from netweft.control.key_manager import certificates
from netweft.control.key_manager.certificates import MOST_ROUNDS, Unreadable
from netweft.control.key_manager.derivation import rounds
from netweft.control.key_manager.pkcs12 import CPU_SECONDS, pem_of

CA = made.authority()
SERVER = made.signed(CA, "www.example.com")
P256 = bytes.fromhex("2a8648ce3d030107")  # the curve's object identifier
UNKNOWN = bytes.fromhex("2a8648ce3d030108")


def pem(label: str, der: bytes) -> bytes:
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(der) + f"-----END {label}-----\n".encode()


def der(pem: str) -> bytes:
    return base64.b64decode("".join(line for line in pem.splitlines() if "-----" not in line))


def item(tag: int, *content: bytes) -> bytes:
    joined = b"".join(content)
    size = len(joined)
    length = bytes([size]) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + joined


def number(value: int) -> bytes:
    return item(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def pbkdf2(often: int) -> bytes:
    """A private key behind a passphrase that is hashed so often; AES and a content of nothing."""
    derived = item(0x30, item(4, b"saltsalt"), number(often))
    derivation = item(0x30, bytes.fromhex("06092a864886f70d01050c"), derived)
    cipher = item(0x30, bytes.fromhex("060960864801650304012a"), item(4, b"i" * 16))
    scheme = item(0x30, bytes.fromhex("06092a864886f70d01050d"), item(0x30, derivation, cipher))
    return item(0x30, scheme, item(4, b"c" * 64))


def scrypt(memory: int, block: int) -> bytes:
    return item(0x30, item(4, b"salt"), number(memory), number(block), number(1))


def read(certificate: bytes = SERVER.pem.encode(), key: bytes = SERVER.key_pem.encode(), **more: bytes) -> bytes:
    return certificates.bundle({"certificate": certificate, "private_key": key} | more)


@pytest.mark.parametrize(
    "key",
    [
        pem("PRIVATE KEY", der(SERVER.key_pem).replace(P256, UNKNOWN)),
        pem("PRIVATE KEY", b"\x30\x03\x02\x01\x00"),
        pem("OPENSSH PRIVATE KEY", b"openssh-key-v1\0"),
        pem("PUBLIC KEY", b""),
        b"",
    ],
)
def test_a_key_that_nobody_can_read(key: bytes) -> None:
    with pytest.raises(Unreadable):
        read(key=key)


def test_certificates_that_nobody_can_read() -> None:
    certificate = der(SERVER.pem)
    version = certificate.index(bytes.fromhex("a003020102")) + 4
    for broken in (
        certificate.replace(P256, UNKNOWN),
        certificate[:version] + b"\x09" + certificate[version + 1 :],
    ):
        with pytest.raises(Unreadable):
            read(certificate=pem("CERTIFICATE", broken))
    wrong = certificate[:version] + b"\x09" + certificate[version + 1 :]
    with pytest.raises(Unreadable):
        certificates.authorities(pem("CERTIFICATE", wrong))
    gone = der(made.revoked(CA, SERVER))
    with pytest.raises(Unreadable):
        certificates.revoked(pem("X509 CRL", gone.replace(b"\x02\x01\x01\x30", b"\x02\x01\x09\x30", 1)))


def test_a_passphrase_that_is_hashed_too_often() -> None:
    """Were it begun, this test would not end."""
    assert rounds(pbkdf2(2048)) == 2048
    for key in (pem("ENCRYPTED PRIVATE KEY", pbkdf2(2**31 - 1)), pem("ENCRYPTED PRIVATE KEY", pbkdf2(MOST_ROUNDS + 1))):
        with pytest.raises(Unreadable, match="hashed more than"):
            read(key=key, private_key_passphrase=b"pass")
    assert read(key=SERVER.locked_key(b"pass").encode(), private_key_passphrase=b"pass")


@pytest.mark.parametrize(
    "der",
    [
        scrypt(2**20, 8),
        scrypt(1024, 2**20),
        item(0x30, item(4, b"salt"), item(2, b"\x01" * 5000)),
        b"\x30\x80" + scrypt(1, 1),
        b"\x30\x84\xff\xff\xff\xff",
        b"\x3f\x81\x01\x00",
        item(0x30, item(0x30, b"\x30")),
    ],
    ids=range(7),
)
def test_what_is_beyond_all_use(der: bytes) -> None:
    assert rounds(der) > MOST_ROUNDS


def test_a_tangle() -> None:
    tangle = b""
    for _ in range(900):
        tangle = item(0x30, tangle)
    assert rounds(tangle) > MOST_ROUNDS


def test_lines_before_a_key_hide_nothing() -> None:
    key = pem("ENCRYPTED PRIVATE KEY", pbkdf2(2**31 - 1)).replace(b"-----\n", b"-----\nX: y\n\n", 1)
    with pytest.raises(Unreadable, match="lines before"):
        read(key=key, private_key_passphrase=b"pass")


def test_rsa() -> None:
    """Nobody looks for prime factors; numbers that do not belong together are seen all the same."""
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.private_numbers()
    certificate = _signed_for(key)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert read(certificate, text).endswith(text)
    e, n = numbers.public_numbers.e, numbers.public_numbers.n
    values: dict[str, Any] = {"p": numbers.p, "q": numbers.q, "d": numbers.d, "dmp1": numbers.dmp1}
    values |= {"dmq1": numbers.dmq1, "iqmp": numbers.iqmp}
    for name in values:
        wrong = rsa.RSAPrivateNumbers(**values | {name: values[name] - 2}, public_numbers=rsa.RSAPublicNumbers(e, n))
        text = _traditional(wrong)
        with pytest.raises(Unreadable):
            read(certificate, text)


def _traditional(numbers: rsa.RSAPrivateNumbers) -> bytes:
    """As nobody checks it."""
    public = numbers.public_numbers
    all = (0, public.n, public.e, numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    return pem("RSA PRIVATE KEY", item(0x30, *map(number, all)))


def _signed_for(key: Any) -> bytes:
    from cryptography import x509

    old = SERVER.certificate
    builder = x509.CertificateBuilder().subject_name(old.subject).issuer_name(CA.certificate.subject)
    builder = builder.public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(old.not_valid_before_utc).not_valid_after(old.not_valid_after_utc)
    return builder.sign(CA.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_pkcs12_is_read_by_another_process() -> None:
    """What takes too long ends there, and what is no PKCS #12 is not begun."""
    given = SERVER.pkcs12(CA)
    assert read(**certificates.parts(given)).startswith(SERVER.pem.encode())
    assert pem_of(SERVER.pem.encode()) == b""
    assert pem_of(given[:-1] + b"\x01") == b"", "its check sum is another one"
    assert given.endswith(b"\x02\x02\x08\x00"), "how often an empty passphrase is hashed"
    often = b"\x02\x04\x7f\xff\xff\xff"
    longer = bytearray(given[:-4] + often)
    longer[2:4] = (len(longer) - 4).to_bytes(2, "big")
    mac = max(at for at in range(len(given) - 8) if given[at] == 0x30 and given[at + 1] == len(given) - at - 2)
    longer[mac + 1] += len(often) - 4
    before = _seconds_of_children()
    assert pem_of(bytes(longer)) == b""
    assert 1 < _seconds_of_children() - before < CPU_SECONDS + 2


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
