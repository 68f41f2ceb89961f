"""Words of haproxy.cfg.  What a tenant wrote gets into a configuration by these functions only.

HAProxy reads lines, splits them into words, and knows quotes as a shell does: between single quotes nothing has a
meaning.  Two things no quote can carry: a control character (a line would end there), and a `}` that stands alone
(an anonymous ACL would end there; so all of ours have names).
"""

import re
from ipaddress import ip_address, ip_network

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~,-]+", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_.:-]+", re.ASCII)
_CIPHERS = re.compile(r"[A-Za-z0-9_:+!@=.,-]+", re.ASCII)


def quoted(text: str) -> str:
    """One word, whatever it says.  Raises ValueError for control characters, and what is no Unicode."""
    if any((ord(char) < 32 and char != "\t") or ord(char) == 127 for char in text):
        raise ValueError(f"{text!r} has a control character")
    text.encode()
    return "'" + text.replace("'", "'\\''") + "'"


def formatted(text: str) -> str:
    """The same where HAProxy expects a log format: no `%` is one of its variables."""
    return quoted(text.replace("%", "%%"))


def token(text: str | None) -> str:
    """A name of a header, a cookie or a field.  Raises ValueError."""
    if text is None or not _TOKEN.fullmatch(text):
        raise ValueError(f"{text!r} is no name of a header, a cookie or a field")
    return text


def sample(fetch: str, text: str | None) -> str:
    """A word that fetches what has this name.  Raises ValueError."""
    return quoted(f'{fetch}("{token(text)}")')


def name(text: str) -> str:
    """Of a section, a server, an ACL: made of ids.  Raises ValueError."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no id")
    return text


def place(address: str, port: int) -> str:
    """Raises ValueError."""
    found = ip_address(address)
    if found.version == 6 and found.scope_id:
        raise ValueError(f"{address} has a scope")
    if not 1 <= int(port) <= 65535:
        raise ValueError(f"{port} is no port")
    return f"[{found}]:{int(port)}" if found.version == 6 else f"{found}:{int(port)}"


def cidr(text: str) -> str:
    """Raises ValueError."""
    return str(ip_network(text, strict=False))


def ciphers(text: str) -> tuple[str, str]:
    """OpenSSL's list, parted as HAProxy has it: up to TLS 1.2, and TLS 1.3's suites.  Raises ValueError."""
    if not _CIPHERS.fullmatch(text):
        raise ValueError(f"{text!r} is no list of ciphers")
    known = [one for one in re.split("[:,]", text) if one]
    suites = [one for one in known if one.startswith("TLS_")]
    return ":".join(one for one in known if one not in suites), ":".join(suites)
