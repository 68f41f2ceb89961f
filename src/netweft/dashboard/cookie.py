"""The session's cookie: the token itself, which no script can read (decision 0523).  Pure."""

import re

NAME = "netweft-session"
_TOKEN = re.compile(r"[A-Za-z0-9_.~=+/-]{1,3800}")  # what a cookie takes as it is


def token_of(header: str) -> str:
    """Empty where there is none; and where there are two, since somebody has put one of them there."""
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    found = [value for name, equals, value in pairs if equals and name == NAME]
    return found[0] if len(found) == 1 and can_hold(found[0]) else ""


def can_hold(token: str) -> bool:
    return _TOKEN.fullmatch(token) is not None


def kept(token: str, path: str, *, encrypted: bool) -> str:
    """Until the browser is closed; the token ends before, if that comes first."""
    return f"{NAME}={token}; Path={path}; HttpOnly; SameSite=Strict{'; Secure' if encrypted else ''}"


def gone(path: str, *, encrypted: bool) -> str:
    return f"{kept('', path, encrypted=encrypted)}; Max-Age=0"
