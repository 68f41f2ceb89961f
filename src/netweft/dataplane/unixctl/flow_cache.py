"""What the datapath remembers of packets that came in, as ovs-vswitchd lists it: one flow for packets that were treated
alike, for some ten seconds after the last one.  Values; the commands are `SHOW` and `listing`."""

import re
from collections.abc import Iterator
from typing import NamedTuple

SHOW = "dpctl/show"

_COUNT = re.compile(r"^\s*flows: (\d+)\s*$", re.MULTILINE)
_MAC = r"[0-9a-f:]{17}"
# of the first pass, untagged; a field with a mask (a slash) is of several packets, and is left out, but for ARP's
# operation, of which flows have one byte of two: the kernel's datapath says so
_PASS = rf"recirc_id\(0\),.*?\beth\(src=(?P<mac>{_MAC}),dst=(?P<to>{_MAC})\),"
_WHAT = (
    r"(?:eth_type\(0x0806\),arp\(sip=[^,]+,tip=(?P<asked>[\d.]+),op=1(?:/0xff)?[,)]"
    r"|eth_type\(0x86dd\),.*?nd\(target=(?P<solicited>[0-9a-f:]+)[,)]"
    r"|eth_type\(0x(?:0800|86dd)\),ipv[46]\(src=(?P<src>[0-9a-f:.]+),dst=(?P<dst>[0-9a-f:.]+)[,)])"
)
_FLOW = re.compile(rf"^.*?{_PASS}{_WHAT}.*?\bused:(?P<used>[\d.]+)s,", re.MULTILINE)


class Remembered(NamedTuple):
    """mac, to: of the frame.  asked: the address that it resolves, by ARP or neighbour discovery; empty: it went from
    src to dst.  seconds: since the last one."""

    mac: str
    to: str
    asked: str
    src: str
    dst: str
    seconds: float


def count(shown: str) -> int | None:
    """How many flows there are; None: it does not say."""
    found = _COUNT.findall(shown)
    return sum(map(int, found)) if found else None


def number(shown: str, interface: str) -> int | None:
    """The datapath's number of an interface."""
    found = re.search(rf"^\s*port (\d+): {re.escape(interface)}(?: \(|\s*$)", shown, re.MULTILINE)
    return int(found[1]) if found else None


def listing(number: int) -> tuple[str, str]:
    """The command for what came in by that interface."""
    return "dpctl/dump-flows", f"filter=in_port={number}"


def remembered(listed: str) -> Iterator[Remembered]:
    for flow in _FLOW.finditer(listed):
        asked = flow["asked"] or flow["solicited"] or ""
        ends = ("", "") if asked else (flow["src"], flow["dst"])
        yield Remembered(flow["mac"], flow["to"], asked, *ends, float(flow["used"]))
