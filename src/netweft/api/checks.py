"""Checks of attribute values: each takes a value from a JSON body and gives it back as it is kept, or raises Invalid.

The words are Neutron's, as far as clients show them to people.
"""

import ipaddress
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from netweft.api.encoding import whole_number
from netweft.control.errors import (
    AllowedAddressPairExhausted,
    BadRequest,
    DNSNameServersExhausted,
    HostRoutesExhausted,
    InvalidInputSubnetServiceType,
    InvalidSubnetServiceType,
    Refused,
)

Check: TypeAlias = Callable[[Any], Any]
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NOBODYS_MACS = ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff")
# Neutron's max_allowed_address_pair, max_dns_nameservers, max_subnet_host_routes, MAX_TAGS_COUNT
PAIRS, NAMESERVERS, HOST_ROUTES, TAGS = 10, 5, 20, 50
FIXED_IPS = 64
_TRUE = frozenset({"true", "t", "1", "yes", "on", "y"})
_FALSE = frozenset({"false", "f", "0", "no", "off", "n"})


ITEMS = 1000  # in a list of which Neutron does not say how long it may be
_ECHO = 500


class Invalid(BadRequest):
    """A value that cannot be kept: the reason, without the attribute's name, and no more of the value than it takes."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason if len(reason) <= _ECHO else f"{reason[:_ECHO]}...")


def string(most: int = 255) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise Invalid(f"'{value}' is not a valid string")
        if len(value) > most:
            raise Invalid(f"'{value}' exceeds maximum length of {most}")
        if "\x00" in value:
            raise Invalid(f"'{value!r}' contains a null character")
        return value

    return check


def not_blank(most: int = 255) -> Check:
    def check(value: Any) -> str:
        text: str = string(most)(value)
        if not text.strip():
            raise Invalid(f"'{text}' Blank strings are not permitted")
        return text

    return check


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise Invalid(f"'{value}' cannot be converted to boolean")


def integer(value: Any) -> int:
    number = whole_number(value.strip()) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int):
        raise Invalid(f"'{value}' is not an integer")
    if not -(2**63) <= number < 2**63:
        raise Invalid(f"'{value}' is too large")  # for a database
    return number


def non_negative(value: Any) -> int:
    number = integer(value)
    if not 0 <= number < 2**63:
        raise Invalid(f"'{value}' should be non-negative")
    return number


def between(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        number = integer(value)
        if not least <= number <= most:
            raise Invalid(f"'{value}' is not in range {least} through {most}")
        return number

    return check


def uuid_text(value: Any) -> str:
    try:
        return str(uuid.UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise Invalid(f"'{value}' is not a valid UUID") from None


def or_none(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def one_of(*allowed: Any) -> Check:
    def check(value: Any) -> Any:
        if not any(value == one and type(value) is type(one) for one in allowed):
            raise Invalid(f"'{value}' is not in {list(allowed)}")
        return value

    return check


def ip_version(value: Any) -> int:
    version: int = one_of(4, 6)(integer(value))
    return version


def dictionary(value: Any) -> Any:
    if not isinstance(value, dict):
        raise Invalid(f"'{value}' is not a dictionary")
    return value


def mac_address(value: Any) -> str:
    text = str(value).lower().replace("-", ":")
    if not isinstance(value, str) or not _MAC.fullmatch(text) or text in _NOBODYS_MACS:
        raise Invalid(f"'{value}' is not a valid MAC address")
    return text


def unicast_mac_address(value: Any) -> str:
    text = mac_address(value)
    if int(text[1], 16) & 1:
        raise Invalid(f"MAC address {value} is a multicast address, which is not supported.")
    return text


def ip_address(value: Any) -> str:
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise Invalid(f"'{value}' is not a valid IP address") from None


def cidr(value: Any) -> str:
    """A prefix; host bits do not stay."""
    try:
        if not isinstance(value, str) or "%" in value or "/" not in value:
            raise ValueError
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise Invalid(f"'{value}' is not a valid IP subnet") from None


def route_cidr(value: Any) -> str:
    """A route's destination: what has host bits is taken for a mistake."""
    network = ipaddress.ip_network(cidr(value))
    if ipaddress.ip_address(value.partition("/")[0]) != network.network_address:
        raise Invalid(f"'{value}' is not a valid CIDR")
    if network.is_loopback:
        raise Invalid(f"'{value}' is not a routable CIDR")
    return str(network)


def ip_prefix(value: Any) -> str:
    """An address or a prefix, host bits allowed: as security group rules and address pairs have them."""
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise Invalid(f"'{value}' is not a valid CIDR") from None
    return value if "/" in value else ip_address(value)


def unicast_prefix(value: Any) -> str:
    """An address or a prefix of them.  All addresses of a version are taken, though there are multicast ones among
    them: Neutron refuses ::/0, and takes 0.0.0.0/0."""
    text = ip_prefix(value)
    found = ipaddress.ip_network(text, strict=False)
    multicast = ipaddress.ip_network("224.0.0.0/4" if found.version == 4 else "ff00::/8")
    if found.prefixlen and found.overlaps(multicast):
        if "/" in text:
            raise Invalid(f"Subnet {text} overlaps with multicast range {multicast}, which is not supported.")
        raise Invalid(f"IP {text} is a multicast address, which is not supported.")
    return text


def cidr_or_address(value: Any) -> str:
    text = ip_prefix(value)
    return text if "/" in text else str(ipaddress.ip_network(text))


def list_of(
    check: Check, *, unique: bool = False, most: int = ITEMS, refusal: Callable[[], Refused] | None = None
) -> Check:
    """None counts as empty.  refusal: of a list with more than `most`, before any of it is looked at."""

    def checked(value: Any) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise Invalid(f"'{value}' is not a list")
        if len(value) > most:
            raise refusal() if refusal else Invalid(f"there are more than {most} items")
        items = [check(item) for item in value]
        if unique:
            refuse_twice(items)
        return items

    return checked


def record(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    """A dictionary with these keys and no others; optional ones may be None, and then count as absent."""
    every = required | (optional or {})

    def check(value: Any) -> Any:
        dictionary(value)
        unknown = sorted(value.keys() - every.keys())
        if unknown:
            raise Invalid(f"Unexpected keys supplied: {', '.join(unknown)}")
        missing = sorted(required.keys() - value.keys())
        if missing:
            raise Invalid(f"Expected keys not found: {', '.join(missing)}")
        return {k: every[k](v) for k, v in value.items() if k in required or v is not None}

    return check


def refuse_twice(items: Iterable[Any]) -> None:
    """Items: texts, or dictionaries of texts."""
    seen: set[Any] = set()
    for item in items:
        key = frozenset(item.items()) if isinstance(item, dict) else item
        if key in seen:
            raise Invalid(f"Duplicate items in the list: '{item}'")
        seen.add(key)


fixed_ip = record({}, {"subnet_id": uuid_text, "ip_address": ip_address})


def fixed_ips(value: Any) -> Any:
    """None: to be chosen."""
    if value is None:
        return None
    items = list_of(fixed_ip, most=FIXED_IPS)(value)
    if not all(items):
        raise Invalid("IP allocation requires subnet_id or ip_address")
    refuse_twice(item["ip_address"] for item in items if "ip_address" in item)
    return items


allocation_pools = list_of(record({"start": ip_address, "end": ip_address}))
host_routes = list_of(
    record({"destination": route_cidr, "nexthop": ip_address}),
    unique=True,
    most=HOST_ROUTES,
    refusal=lambda: HostRoutesExhausted(quota=HOST_ROUTES),
)
nameservers = list_of(
    ip_address, unique=True, most=NAMESERVERS, refusal=lambda: DNSNameServersExhausted(quota=NAMESERVERS)
)
security_groups = list_of(uuid_text, unique=True)
address_pairs = list_of(
    record({"ip_address": unicast_prefix}, {"mac_address": unicast_mac_address}),
    unique=True,
    most=PAIRS,
    refusal=lambda: AllowedAddressPairExhausted(quota=PAIRS),
)


_SERVICES = ("network:", "neutron:", "compute:", "baremetal:")  # what a device_owner begins with


def service_type(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInputSubnetServiceType(service_type=value)
    if not value.startswith(_SERVICES) or len(value) > 255:
        raise InvalidSubnetServiceType(service_type=value)
    return value


def service_types(value: Any) -> list[str]:
    """Each once, in their order."""
    return list(dict.fromkeys(list_of(service_type)(value)))


_MAY_BE_EMPTY = ("router", "classless-static-route")  # an empty value: not to be told by DHCP at all


def line(most: int) -> Check:
    """Text of one line, not empty."""

    def check(value: Any) -> str:
        text: str = not_blank(most)(value)
        if "\n" in text:
            raise Invalid(f"Multiple lines are not permitted in '{text}'")
        return text

    return check


def dhcp_option(value: Any) -> Any:
    option = record({"opt_name": line(64), "opt_value": lambda found: found}, {"ip_version": ip_version})(value)
    of_value = string(255) if option["opt_name"] in _MAY_BE_EMPTY else line(255)
    return option | {"opt_value": or_none(of_value)(option["opt_value"])}


dhcp_options = or_none(list_of(dhcp_option))


def tag(value: Any) -> str:
    text: str = string(255)(value)
    if not text or "," in text or "/" in text:
        raise Invalid(f"'{value}' is not a valid tag")
    return text


def too_many_tags() -> Refused:
    return Invalid(f"The number of tags exceed the per-resource limit of {TAGS}")


tags = list_of(tag, unique=True, most=TAGS, refusal=too_many_tags)


def ethertype(value: Any) -> str:
    for known in ("IPv4", "IPv6"):
        if isinstance(value, str) and value.lower() == known.lower():
            return known
    return str(value)


def protocol(value: Any) -> str | None:
    """A name or a number, as text.  Any number that has a name stays a number, as Neutron keeps it; 0 is any."""
    if value is None or str(value).lower() in ("", "any", "-1", "0"):
        return None
    return str(value).lower()


def port_number(value: Any) -> int | None:
    if value is None:
        return None
    try:
        return integer(value)
    except Invalid:
        raise Invalid(f"'{value}' is not a valid port") from None
