"""Security groups as OpenConfig's ACL sets: what is said, and what a configuration shows of it."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

import pytest

from netweft.plugins.mechanisms.switches import netconf_lines
from netweft.plugins.mechanisms.switches.acl_lines import AclState, CannotSay, Foreign
from netweft.plugins.mechanisms.switches.acl_paths import PathWords
from netweft.plugins.mechanisms.switches.dialect import dialects

KEY, OUT = "acl-in Ethernet7", "acl-out Ethernet7"
DIALECT = dialects()["netconf_openconfig"]


def words() -> PathWords:
    assert isinstance(DIALECT.acl, PathWords)
    return DIALECT.acl


def value(*texts: str) -> dict[str, Any]:
    return {"mac": "00:53:00:00:00:07", "vid": 101, "entries": list(texts)}


VALUE = value("ipv4 6 192.0.2.0/24 - 80-90 -", "ipv4 6 any 22 - - established", "ipv6 58 2001:db8::/64 - - 128")


def shown(said: Iterable[str]) -> list[str]:
    """As a device that has taken it says it: by XML, and back."""
    root = netconf_lines.to_xml(DIALECT.schema, said, ET.Element("config"))
    return list(netconf_lines.to_lines(DIALECT.schema, ET.fromstring(ET.tostring(root))))


def state(lines: Iterable[str]) -> AclState:
    return words().understand("\n".join(lines))


def shows(key: str, wanted: dict[str, Any], lines: Iterable[str]) -> bool:
    return words().shows(key, wanted, dict(state(lines).said()).get(key, {}))


def test_an_entry_is_its_fields_and_the_last_one_drops() -> None:
    assert words().entries("acl-out", VALUE, "ipv4") == [
        "10 ipv4/config/protocol 6", "10 ipv4/config/source-address 192.0.2.0/24",
        "10 transport/config/destination-port 80..90", "10 actions/config/forwarding-action oc-acl:ACCEPT",
        "20 ipv4/config/protocol 6", "20 transport/config/source-port 22", "20 transport/config/detail-mode BUILTIN",
        "20 transport/config/builtin-detail TCP_ESTABLISHED", "20 actions/config/forwarding-action oc-acl:ACCEPT",
        "30 actions/config/forwarding-action oc-acl:DROP",
    ]  # fmt: skip
    assert words().entries("acl-in", VALUE, "ipv6")[1] == "10 ipv6/config/destination-address 2001:db8::/64"


def test_the_namespaces_are_those_of_the_model() -> None:
    text = ET.tostring(netconf_lines.to_xml(DIALECT.schema, words().say(KEY, VALUE, AclState({}, {})), ET.Element("c")))
    assert b"http://openconfig.net/yang/interfaces" not in text
    assert b'xmlns:oc-icmpv6-types="http://openconfig.net/yang/openconfig-icmpv6-types"' in text
    assert text.count(b"<ns0:type xmlns:oc-acl=") == 8  # keys, too


def test_what_was_said_is_shown_whatever_the_device_calls_it() -> None:
    lines = shown(words().say(KEY, VALUE, AclState({}, {})))
    assert shows(KEY, VALUE, lines)
    assert shows(
        KEY, VALUE, [line.replace("oc-acl:", "x:").replace("protocol 6", "protocol y:IP_TCP") for line in lines]
    )
    assert not shows(OUT, VALUE, lines)
    assert not shows(KEY, value("ipv4 6 any - - -"), lines)


@pytest.mark.parametrize("change", ["drop", "more", "other"])
def test_what_is_changed_by_hand_is_seen(change: str) -> None:
    lines = shown(words().say(KEY, VALUE, AclState({}, {})))
    at = next(number for number, line in enumerate(lines) if "destination-port" in line)
    if change == "drop":
        del lines[at]
    elif change == "more":
        lines.append(lines[at].replace("sequence-id=10", "sequence-id=5"))
    else:
        lines[at] = lines[at].replace("80..90", "80..9000")
    assert not shows(KEY, VALUE, lines)


def test_a_new_set_comes_before_the_old_one_goes() -> None:
    before = shown(words().say(KEY, VALUE, AclState({}, {})))
    said = words().say(KEY, value("ipv4 6 any - - -"), state(before))
    gone = [number for number, line in enumerate(said) if line.startswith("delete ")]
    assert gone == list(range(len(said) - 4, len(said)))
    again = words().say(KEY, VALUE, state(before))  # changed by hand: the same list under another name
    assert "-2]" in again[0]
    assert [line.partition(" ")[0] for line in words().say(KEY, None, state(before))] == ["delete"] * 4


def test_a_set_of_somebody_else_stays() -> None:
    theirs = shown(words().say(KEY, VALUE, AclState({}, {})))
    theirs = [line.replace("netweft-", "edge-") for line in theirs]
    with pytest.raises(Foreign, match="is on Ethernet7 already, and is not ours"):
        words().say(KEY, VALUE, state(theirs))
    assert words().say(KEY, None, state(theirs)) == []


@pytest.mark.parametrize(("entry", "why"), [("ipv4 1 any - - 3.4", "no number of an ICMP code, such as 3.4"),
                                            ("ipv6 58 any - - 200", "no name of ICMP type 200 of IPv6")])  # fmt: skip
def test_what_has_no_name_there_is_reported_and_not_left_open(entry: str, why: str) -> None:
    with pytest.raises(CannotSay, match=why):
        words().say(KEY, value(entry), AclState({}, {}))
    assert not words().shows(KEY, value(entry), {})
