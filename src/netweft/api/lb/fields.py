"""What a body may say of one attribute, and how; with the words in which Octavia refuses."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from netweft.api import checks
from netweft.api.checks import Check, Invalid

REQUIRED: Final = object()


_SHORT = checks.string()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """default: where a POST does not say it, or says null; a PUT's null means it, too.  REQUIRED: it has to.
    post, put: whether such a body may say it.  filter, sort: whether lists take it as filter, as sort key.
    parse: of a query string's text.  kept: the store's name, where that is another.
    shown: whether answers have it."""

    check: Check = _SHORT
    default: Any = None
    post: bool = True
    put: bool = True
    filter: bool = True
    sort: bool = True
    parse: Callable[[str], Any] = str
    kept: str = ""
    shown: bool = True


Fields: TypeAlias = Mapping[str, Field]
MOST_TAGS: Final = 200


def _text(pattern: str, what: str, most: int = 255) -> Check:
    compiled = re.compile(pattern)

    def check(value: Any) -> str:
        text: str = checks.string(most)(value)
        if not compiled.fullmatch(text):
            raise Invalid(f"Value should be {what}")
        return text

    return check


def number(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        found = checks.integer(value)
        if not least <= found <= most:
            bound = f"greater or equal to {least}" if found < least else f"lower or equal to {most}"
            raise Invalid(f"Value should be {bound}")
        return found

    return check


@dataclass(frozen=True, slots=True)
class OneOf:
    """A check that tells what it allows."""

    allowed: tuple[Any, ...]

    def __call__(self, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = next((one for one in self.allowed if one == value), value)
        if not isinstance(value, str | int | float) or value not in self.allowed:
            raise Invalid(f"Value should be one of: {', '.join(map(str, self.allowed))}")
        return value


def one_of(*allowed: Any) -> OneOf:
    return OneOf(allowed)


def boolean(value: Any) -> bool:
    if not isinstance(value, bool) and not isinstance(value, str):
        raise Invalid("Wrong type. Expected '<class 'bool'>'")
    return checks.boolean(value)


def url(value: Any) -> str:
    """http or https, without what could be more than a URL where it is written down."""
    text: str = checks.string()(value)
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not re.fullmatch(r"[\x21-\x7e]+", text):
        raise Invalid("Value must be a valid URL string")
    return text


def url_path(value: Any) -> str:
    text: str = checks.string()(value)
    if not re.fullmatch(r"/[\x21-\x7e]*", text) or text.startswith("//") or "#" in text:
        raise Invalid("Value must be a valid URL Path string")
    return text


def netmask(value: Any) -> str:
    return checks.ip_address(value)


def cidrs(value: Any) -> list[str] | None:
    """None: from anywhere."""
    found: list[str] = checks.list_of(checks.cidr_or_address, most=1000)(value)
    return list(dict.fromkeys(str(ip_network(one, strict=False)) for one in found)) or None


def headers(value: Any) -> dict[str, str]:
    """Names and values, of which all are texts."""
    found = checks.dictionary(value)
    if len(found) > 100:
        raise Invalid("there are more than 100 items")
    return {
        checks.string()(name): checks.string()(str(of) if isinstance(of, bool) else of) for name, of in found.items()
    }


def tags(value: Any) -> list[str]:
    found: list[str] = checks.list_of(checks.string(), most=MOST_TAGS)(value)
    return list(dict.fromkeys(found))


def texts(most: int = 255) -> Check:
    return checks.list_of(checks.string(most), most=100)


def address_as_said(value: Any) -> str:
    """It is kept as everybody writes it, and shown as it was sent."""
    checks.ip_address(value)
    return str(value)


cookie_name = _text(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "a cookie's name")
expected_codes = _text(r"\d{3}(\s*,\s*\d{3})*|\d{3}-\d{3}", "codes: 200; 200, 202; or 200-204")
domain_name = _text(r"(?=.{1,253}\.?$)(?:(?!-|[^.]+_)[A-Za-z0-9-_]{1,63}(?<!-)(?:\.|$))+", "a domain name", most=254)
line = _text(r"[^\r\n]*", "one line")
uuid = checks.uuid_text
ip_address = checks.ip_address
PORT = number(1, 65535)
TIMEOUT = number(0, 24 * 24 * 3600 * 1000)
_persistence = {
    "cookie_name": cookie_name,
    "persistence_timeout": number(0, 2**31 - 1),
    "persistence_granularity": netmask,
}


def persistence(types: tuple[str, ...]) -> Check:
    """All of it, with null for what is not said; an empty one is none."""

    def check(value: Any) -> Any:
        found = checks.record({}, {"type": one_of(*types), **_persistence})(value)
        return {name: found.get(name) for name in ("type", *_persistence)} if found else None

    return check


def flag(default: bool | None, **more: Any) -> Field:
    return Field(check=boolean, default=default, parse=checks.boolean, **more)


def whole(check: Check, default: Any = None, **more: Any) -> Field:
    return Field(check=check, default=default, parse=checks.integer, **more)


def shown(**more: Any) -> Field:
    return Field(post=False, put=False, **more)
