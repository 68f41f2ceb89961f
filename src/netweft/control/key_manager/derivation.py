"""How often a passphrase is to be hashed before anything is known of the key that it protects, as the key itself says.

In PBKDF2-params, PBEParameter (RFC 8018) and scrypt-params (RFC 7914) a salt comes first, an OCTET STRING, then how
often, an INTEGER; with scrypt its block size and how many of them follow.  Nothing else of PKCS #8 has an INTEGER
behind an OCTET STRING, so that these are found without all of ASN.1.
"""

from typing import Final

_INTEGER, _OCTETS, _CONSTRUCTED = 0x02, 0x04, 0x20
_DEEPEST: Final = 24
_UNENDING: Final = 2**63  # of what is not DER


def rounds(der: bytes) -> int:
    """All of them together; more than anybody does, where the content is too tangled to be told."""
    return _rounds(der, 0)


def _rounds(der: bytes, depth: int) -> int:
    items = _items(der)
    if items is None or depth > _DEEPEST:
        return _UNENDING
    found, at = 0, 0
    while at < len(items):
        tag, content = items[at]
        at += 1
        if tag & _CONSTRUCTED:
            found += _rounds(content, depth + 1)
        if tag == _OCTETS:
            numbers: list[int] = []
            while at < len(items) and items[at][0] == _INTEGER:
                numbers.append(int.from_bytes(items[at][1], "big"))
                at += 1
            found += _cost(numbers)
    return found


def _cost(numbers: list[int]) -> int:
    """Of PBKDF2 a second number is the key's length."""
    match numbers:
        case [often] | [often, _]:
            return often
        case [memory, block, parallel, *_]:
            return memory * block * parallel
    return 0


def _items(der: bytes) -> list[tuple[int, bytes]] | None:
    """Tag and content of each, one after the other; None: it is not such a sequence."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(der):
        if at + 2 > len(der) or der[at] & 0x1F == 0x1F or der[at + 1] == 0x80:
            return None  # cut off; a tag of many bytes; a length that is not said
        tag, length, at = der[at], der[at + 1], at + 2
        if length > 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        if at + length > len(der):
            return None
        found.append((tag, der[at : at + length]))
        at += length
    return found
