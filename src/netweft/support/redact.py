"""Takes secrets out of text: those that are known, and whatever looks like one.  Pure.

Too much is taken out rather than too little: a word after `password` goes, whatever it is.
"""

import base64
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote

GONE = "***"
_SHORTEST = 4  # what is shorter would take half of the text with it

_NAMES = (
    r"(?:password|passwd|passphrase|secret|token|user_?data|private_?key|admin_?pass|psk|api_?key|credential"
    r"|authorization|public_?key|netweft-session)[\w.-]{0,64}"
)
_ESCAPED = r"(?P<depth>\\+)\".*?(?<!\\)(?P=depth)\""  # of JSON that is in a string
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_BARE = r"(?!(?:true|false|null)[,\s])[^\s{\[\"'\\](?:\S*[^\s,])?"  # to the next space
_PATTERNS = (
    # a block of PEM or of OpenSSH, also where its lines ends are written as \n
    (re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL), GONE),
    (re.compile(r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\w+|sk-[\w@.-]+)\s+[A-Za-z0-9+/=]{16,}"), GONE),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {GONE}"),
    (re.compile(r"(://)[^/\s@\"']*(@)"), rf"\1{GONE}\2"),
    (re.compile(r"\bgAAAA[\w=-]{20,}"), GONE),  # Keystone's tokens
    (re.compile(r"(?<=\w)\.[\w-]{43}(?![\w-])"), f".{GONE}"),  # a node's token
    (re.compile(rf"(?i)({_NAMES}\\*[\"']?\s*[=:]\s*)(?:{_ESCAPED}|{_QUOTED}|{_BARE})"), rf'\1"{GONE}"'),
    (re.compile(r"#cloud-config.*", re.DOTALL), GONE),
)


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """secrets: known ones; their usual spellings go too."""
    known = sorted({spelt for secret in secrets if len(secret) >= _SHORTEST for spelt in _spellings(secret)}, key=len)
    exact = re.compile("|".join(re.escape(one) for one in reversed(known))) if known else None

    def redact(text: str) -> str:
        if exact:
            text = exact.sub(GONE, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    return redact


def _spellings(secret: str) -> Iterable[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    return (secret, quote(secret, safe=""), quote(secret), encoded, secret.encode("unicode_escape").decode())
