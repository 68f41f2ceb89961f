"""NETCONF without a device: lines as XML and back, and what a hostile or broken device sends."""

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import asyncssh
import pytest

from netweft.plugins.mechanisms.switches import netconf_session
from netweft.plugins.mechanisms.switches.dialect import dialects
from netweft.plugins.mechanisms.switches.load import load_switches
from netweft.plugins.mechanisms.switches.netconf_lines import BASE, OPERATION, to_lines, to_xml
from netweft.plugins.mechanisms.switches.netconf_session import NetconfBroken, NetconfError, NetconfSession, element
from netweft.settings import SettingsError

SCHEMA = dialects()["netconf_openconfig"].schema
VLANS = "interfaces/interface[name={}]/ethernet/switched-vlan/config"
HELLO = (
    f'<hello xmlns="{BASE}"><capabilities><capability>urn:ietf:params:netconf:base:1.{{}}</capability>{{}}'
    "</capabilities><session-id>7</session-id></hello>]]>]]>"
)
HEARD = f'<rpc-reply xmlns="{BASE}" message-id="1"><data/></rpc-reply>'
ERROR = (
    "<rpc-error><error-severity>{}</error-severity><error-tag>invalid-value</error-tag>"
    "<error-message> no\n room </error-message><error-path>/vlans</error-path></rpc-error>"
)


@pytest.mark.parametrize("port", ["Ethernet1", "Ethernet1/1/1", "Port Channel 3", "xe-0/0/1:2"])
def test_lines_are_the_same_as_xml(port: str) -> None:
    where = VLANS.format(port)
    lines = [f"{where}/interface-mode TRUNK", f"{where}/trunk-vlans 101", f"{where}/trunk-vlans 102"]
    root = to_xml(SCHEMA, [f"set {line}" for line in lines], ET.Element("config"))
    (interface,) = root.findall(".//{http://openconfig.net/yang/interfaces}interface")
    assert interface[0].text == port  # its key is first
    assert [line for line in to_lines(SCHEMA, root) if line.startswith(where)] == lines


def test_what_is_taken_away_says_so_and_the_last_word_holds() -> None:
    where = VLANS.format("e1")
    lines = [f"delete {where}/interface-mode", f"delete {where}/trunk-vlans 101", f"set {where}/interface-mode ACCESS"]
    lines += [f"set {where}/trunk-vlans 102", f"delete {where}/trunk-vlans 102"]
    root = to_xml(SCHEMA, lines, ET.Element("config"))
    found = [(one.tag.rpartition("}")[2], one.text, one.get(OPERATION)) for one in root.iter() if not len(one)]
    assert found == [
        ("name", "e1", None),
        ("interface-mode", "ACCESS", None),
        ("trunk-vlans", "101", "remove"),
        ("trunk-vlans", "102", "remove"),
    ]


async def session(said: Sequence[bytes]) -> NetconfSession:
    """With a device that has said all of this already."""
    reader = asyncio.StreamReader()
    for one in said:
        reader.feed_data(one)
    reader.feed_eof()
    return NetconfSession(cast("asyncssh.SSHReader[bytes]", reader), cast("asyncssh.SSHWriter[bytes]", Nowhere()))


class Nowhere:
    def write(self, data: bytes) -> None:
        pass

    async def drain(self) -> None:
        pass


def chunked(text: str, size: int = 7) -> bytes:
    data = text.encode()
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"\n#%d\n%b" % (len(part), part) for part in parts) + b"\n##\n"


def reply(inside: str) -> str:
    return f'<rpc-reply xmlns="{BASE}" message-id="2">{inside}</rpc-reply>'


async def test_it_speaks_as_the_device_does() -> None:
    capability = "<capability>urn:ietf:params:netconf:capability:candidate:1.0</capability>"
    old = await session(
        [HELLO.format(0, capability).encode(), f"{HEARD}]]>]]>".encode(), f"{reply('<ok/>')}]]>]]>".encode()]
    )
    await old.hello()
    assert (old.capabilities, old.id, old.can_remove) == (frozenset({"candidate"}), "7", False)
    assert (await old.ask(element("commit"))).find(f"{{{BASE}}}ok") is not None
    new = await session([HELLO.format(1, "").encode(), chunked(HEARD), chunked(reply("<ok/>"))])
    await new.hello()
    assert (await new.ask(element("commit"))).find(f"{{{BASE}}}ok") is not None


async def test_an_error_is_its_words_and_a_warning_is_none() -> None:
    found = await session([HELLO.format(1, "").encode(), chunked(HEARD), chunked(reply(ERROR.format("error")))])
    await found.hello()
    with pytest.raises(NetconfError, match=r"no room \(at /vlans\)") as refused:
        await found.ask(element("commit"))
    assert refused.value.tag == "invalid-value"
    found = await session([HELLO.format(1, "").encode(), chunked(HEARD), chunked(reply(ERROR.format("warning")))])
    await found.hello()
    await found.ask(element("commit"))


async def test_a_device_that_loses_the_first_request_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netconf_session, "PROBE_SECONDS", 0.01)
    reader = asyncio.StreamReader()

    class Loses(Nowhere):
        """Answers the third request, and only then the second: it was late."""

        def write(self, data: bytes) -> None:
            if b'message-id="3"' in data:
                for number in "32":
                    reader.feed_data(chunked(HEARD.replace('"1"', f'"{number}"')))
            elif b"<commit" in data:
                number = data.partition(b'message-id="')[2].partition(b'"')[0].decode()
                reader.feed_data(chunked(HEARD.replace('"1"', f'"{number}"').replace("<data/>", "<ok/>")))

    reader.feed_data(HELLO.format(1, "").encode())
    found = NetconfSession(cast("asyncssh.SSHReader[bytes]", reader), cast("asyncssh.SSHWriter[bytes]", Loses()))
    async with asyncio.timeout(20):
        await found.hello()
        assert (await found.ask(element("commit"))).find(f"{{{BASE}}}ok") is not None


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "closed the connection"),
        (b"\n#999999999\n", "too long a message"),
        (b"\n#12\nshort", "closed the connection"),
        (b"\n#x" + b"y" * 40, "without its length"),
        (b"nothing of the kind at all", "without its length"),
        (chunked("<rpc-reply"), "no XML"),
        (chunked(f'<!DOCTYPE a [<!ENTITY b "c">]>{reply("&b;")}'), "document type"),
        (chunked(reply("<ok/>").replace('"2"', '"9"')), "something else"),
    ],
)
async def test_what_is_no_netconf_is_reported(answer: bytes, message: str) -> None:
    found = await session([HELLO.format(1, "").encode(), chunked(HEARD), answer])
    await found.hello()
    with pytest.raises(NetconfBroken, match=message):
        await found.ask(element("commit"))


async def test_one_that_never_ends_its_hello_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netconf_session, "LARGEST", 1000)
    found = await session([b"x" * 5000])
    with pytest.raises(NetconfBroken, match="too long"):
        await found.hello()
    found = await session([b"<html/>]]>]]>"])
    with pytest.raises(NetconfBroken, match="no NETCONF hello"):
        await found.hello()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("", "ip: is missing"),
        ("ip = x\nngs_netconf_target = startup", "ngs_netconf_target: 'startup' is neither"),
        ("ip = x\nngs_netconf_confirmed_commit_timeout = soon", "'soon' is no number of seconds"),
    ],
)
def test_what_it_needs_is_requested_at_once(tmp_path: Path, keys: str, message: str) -> None:
    path = tmp_path / "switches.ini"
    path.write_text(f"[genericswitch:s]\ndevice_type = netconf_openconfig\n{keys}\n")
    with pytest.raises(SettingsError, match=message):
        load_switches(str(path))
