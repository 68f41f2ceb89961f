"""Security groups as Junos' firewall filters: what is said, and what a configuration that is paths shows of it."""

from collections.abc import Iterable
from typing import Any

import pytest

from netweft.plugins.mechanisms.switches.acl_lines import AclState, Foreign
from netweft.plugins.mechanisms.switches.acl_terms import TermWords
from netweft.plugins.mechanisms.switches.dialect import dialects

FILTER = "firewall family ethernet-switching filter"
KEY, OUT = "acl-in ge-0/0/7", "acl-out ge-0/0/7"
PORT = "interfaces ge-0/0/7 unit 0 family ethernet-switching filter"
REST = ["from ether-type ipv4", "then discard"], ["from ether-type ipv6", "then discard"], ["then accept"]


def words() -> TermWords:
    found = dialects()["netmiko_juniper"].acl
    assert isinstance(found, TermWords)
    return found


def value(*texts: str) -> dict[str, Any]:
    return {"mac": "00:53:00:00:00:07", "vid": 101, "entries": list(texts)}


class Junos:
    """What `set` and `delete` leave in a configuration."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def take(self, said: Iterable[str]) -> None:
        for line in said:
            verb, _, path = line.partition(" ")
            if verb == "delete":
                assert any(f"{one} ".startswith(f"{path} ") for one in self.lines), f"nothing to delete: {path}"
                self.lines = [one for one in self.lines if not f"{one} ".startswith(f"{path} ")]
            elif path not in self.lines:
                if path.startswith("interfaces "):  # a port has one filter each way
                    self.lines = [one for one in self.lines if one.rpartition(" ")[0] != path.rpartition(" ")[0]]
                self.lines.append(path)

    def state(self) -> AclState:
        return words().understand("\n".join(f"set {line}" for line in self.lines))

    def shows(self, key: str, wanted: dict[str, Any]) -> bool:
        return words().shows(key, wanted, dict(self.state().said()).get(key, {}))


def test_an_entry_is_a_term() -> None:
    every = value("ipv4 6 192.0.2.0/24 1024 80-90 - established", "ipv4 any 192.0.2.7/32 - - -", "ipv4 any any - - -",
                  "ipv4 1 any - - 3.4", "ipv6 58 2001:db8::/64 - - 128", "ipv6 any any - - -")  # fmt: skip
    (*out, a, b, c), (_, to, *_) = words().terms("acl-out", every), words().terms("acl-in", every)
    v4, v6 = "from ip-version ipv4", "from ip-version ipv6"
    assert (a, b, c) == REST
    assert out == [
        [f"{v4} ip-protocol 6", f"{v4} ip-source-address 192.0.2.0/24", f"{v4} source-port 1024",
         f"{v4} destination-port 80-90", f"{v4} tcp-established", "then accept"],
        [f"{v4} ip-source-address 192.0.2.7/32", "then accept"],
        ["from ether-type ipv4", "then accept"],
        [f"{v4} ip-protocol 1", f"{v4} icmp-type 3", f"{v4} icmp-code 4", "then accept"],
        [f"{v6} next-header 58", f"{v6} ip6-source-address 2001:db8::/64", f"{v6} icmp-type 128", "then accept"],
        ["from ether-type ipv6", "then accept"],
    ]  # fmt: skip
    assert to == [f"{v4} ip-destination-address 192.0.2.7/32", "then accept"]


def test_what_junos_gets_and_that_nothing_is_left() -> None:
    device, wanted = Junos(), value("ipv4 6 any - 80 -")
    said = words().say(KEY, wanted, device.state())
    name = said[-1].split()[-1]
    assert said == [
        f"set {FILTER} {name} term 10 from ip-version ipv4 ip-protocol 6",
        f"set {FILTER} {name} term 10 from ip-version ipv4 destination-port 80",
        f"set {FILTER} {name} term 10 then accept",
        *(f"set {FILTER} {name} term {number} {line}" for number, term in zip((20, 30, 40), REST, strict=True)
          for line in term),
        f"set {PORT} input {name}",
    ]  # fmt: skip
    device.take([*said, *words().say(OUT, wanted, device.state())])
    assert device.shows(KEY, wanted) and device.shows(OUT, wanted)
    assert not device.shows(KEY, value("ipv4 6 any - 81 -"))
    other = value("ipv4 6 any - 22 -")
    device.take(words().say(KEY, other, device.state()))
    assert device.shows(KEY, other) and device.shows(OUT, wanted)
    assert not any(f" {name} " in f"{line} " for line in device.lines)  # the old one went
    for key in (KEY, OUT):
        device.take(words().say(key, None, device.state()))
    assert device.lines == []


@pytest.mark.parametrize(
    ("was", "now", "is_right"),
    [
        ("destination-port 80", "destination-port http", True),
        ("ip-protocol 6", "ip-protocol tcp", True),
        ("destination-port 80", "destination-port 81", False),
        ("destination-port 80", "source-port 80", False),
        ("term 10 then accept", "term 10 then discard", False),
        ("192.0.2.7/32", "192.0.2.8/32", False),
        ("term 40 then accept", "term 5 then accept", False),
    ],
)
def test_what_is_changed_by_hand_is_seen_and_made_anew(was: str, now: str, is_right: bool) -> None:
    device, wanted = Junos(), value("ipv4 6 192.0.2.7/32 - 80 -")
    device.take(words().say(KEY, wanted, device.state()))
    device.lines = [line.replace(was, now) for line in device.lines]
    assert device.shows(KEY, wanted) is is_right
    device.take(words().say(KEY, wanted, device.state()))
    assert device.shows(KEY, wanted)
    assert len({line.split()[4] for line in device.lines if line.startswith(FILTER)}) == 1


def test_one_more_term_or_line_is_seen() -> None:
    device, wanted = Junos(), value("ipv4 6 any - 80 -")
    device.take(words().say(KEY, wanted, device.state()))
    name = device.lines[-1].split()[-1]
    for more in (f"{FILTER} {name} term by-hand then accept", f"{FILTER} {name} term 10 from source-port 5"):
        changed = Junos()
        changed.lines = [*device.lines, more]
        assert not changed.shows(KEY, wanted)


def test_a_filter_that_is_not_ours_stays() -> None:
    device = Junos()
    before = [f"{PORT} input operators", f"{FILTER} operators term 1 then accept"]
    device.lines = list(before)
    with pytest.raises(Foreign, match="filter operators is on ge-0/0/7 already"):
        words().say(KEY, value(), device.state())
    assert words().say(KEY, None, device.state()) == []
    device.take(words().say(OUT, value("ipv4 any any - - -"), device.state()))  # the other way is free
    device.take(words().say(OUT, None, device.state()))
    assert device.lines == before


def test_what_a_filter_before_has_left_goes_first() -> None:
    """Of somebody who was cut off: terms of it are not mixed with ours."""
    device, wanted = Junos(), value("ipv4 6 any - 80 -")
    said = words().say(KEY, wanted, device.state())
    device.take(["set " + said[0].removeprefix("set ").replace("term 10", "term 5")])
    device.take(words().say(KEY, wanted, device.state()))
    assert device.shows(KEY, wanted)


@pytest.mark.parametrize("answer", ["", "set", "set firewall", f"set {FILTER}", f"set {PORT} input", "\x00\nset \n" * 3,
                                    f"set {FILTER} x term", f"set {PORT} sideways x"])  # fmt: skip
def test_what_makes_no_sense_is_no_list(answer: str) -> None:
    assert words().understand(answer) == AclState({}, {})
