"""One NETCONF session (RFC 6241) over SSH (RFC 6242): hello, framing, one operation after the other.

Knows no switch and no model.  asyncssh carries it, so it runs in the server's event loop like the command lines do
(decision 0653).
"""

import asyncio
import re
import xml.etree.ElementTree as ET
from typing import Final

import asyncssh

from netweft.plugins.mechanisms.switches.login import WORDS
from netweft.plugins.mechanisms.switches.netconf_lines import BASE

NOTIFICATION: Final = "urn:ietf:params:xml:ns:netconf:notification:1.0"
_CAPABILITY: Final = "urn:ietf:params:netconf:capability:"
_BASE_1_0: Final = "urn:ietf:params:netconf:base:1.0"
_BASE_1_1: Final = "urn:ietf:params:netconf:base:1.1"
_END: Final = b"]]>]]>"  # of a message, until both ends have said that they know chunks
_CHUNK: Final = re.compile(rb"\n#(?:([1-9]\d{0,9})|#)\n")
PROBE_SECONDS: Final = 0.5  # at first
LARGEST: Final = 64 << 20  # bytes of one message: nothing that we ask for is nearly as long


class NetconfError(Exception):
    """The device has refused an operation.  tag: its `error-tag`; the text: its own words."""

    def __init__(self, tag: str, words: str) -> None:
        super().__init__(words)
        self.tag = tag


class NetconfBroken(Exception):
    """What comes is not NETCONF, or ends in the middle: the session is of no use any more."""


class NetconfSession:
    """capabilities: short names of what the device can do: `candidate`, `confirmed-commit`, `validate`, ..."""

    def __init__(self, reader: "asyncssh.SSHReader[bytes]", writer: "asyncssh.SSHWriter[bytes]") -> None:
        self._reader, self._writer = reader, writer
        self._buffer = bytearray()
        self._chunked = False
        self._number = 0
        self._probes: set[str] = set()  # of which no answer has come yet
        self.capabilities: frozenset[str] = frozenset()
        self.id = ""

    async def hello(self) -> None:
        """Raises NetconfBroken, asyncssh.Error."""
        hello = ET.Element("hello", {"xmlns": BASE})
        offered = ET.SubElement(hello, "capabilities")
        for name in (_BASE_1_0, _BASE_1_1):
            ET.SubElement(offered, "capability").text = name
        await self._send(hello)
        answer = _parsed(await self._message())
        said = [(one.text or "").strip() for one in answer.iter(f"{{{BASE}}}capability")]
        if answer.tag != f"{{{BASE}}}hello" or not {_BASE_1_0, _BASE_1_1} & set(said):
            raise NetconfBroken("it said no NETCONF hello")
        self.id = answer.findtext(f"{{{BASE}}}session-id", "")
        self._chunked = _BASE_1_1 in said
        self.capabilities = frozenset(_short(name) for name in said if name.startswith(_CAPABILITY))
        await self._is_heard()

    async def _is_heard(self) -> None:
        """netconfd 2.13 loses what it reads together with our hello: nothing that matters is asked before a request for
        nothing has been answered.  Until then that is sent again; the caller has a deadline."""
        waiting, seconds = asyncio.ensure_future(self._message()), PROBE_SECONDS
        try:
            while True:
                self._probes.add(await self._send_rpc(element("get", element("filter", type="subtree"))))
                if (await asyncio.wait({waiting}, timeout=seconds))[0]:
                    break
                seconds *= 2
            self._probes.discard(_parsed(waiting.result()).get("message-id", ""))
        finally:
            waiting.cancel()

    @property
    def can_remove(self) -> bool:
        """What is not there can be taken away without an error (base 1.1)."""
        return self._chunked

    async def ask(self, operation: ET.Element) -> ET.Element:
        """The `rpc-reply`.  Warnings in it are no errors.  Raises NetconfError, NetconfBroken, asyncssh.Error."""
        number = await self._send_rpc(operation)
        while True:
            answer = _parsed(await self._message())
            if answer.tag == f"{{{BASE}}}rpc-reply" and answer.get("message-id") not in self._probes:
                break  # anything else, such as a notification, is no answer
        if answer.get("message-id", number) != number:
            raise NetconfBroken("it answered something else")
        for error in answer.iter(f"{{{BASE}}}rpc-error"):
            if error.findtext(f"{{{BASE}}}error-severity", "error").strip() != "warning":
                raise _refusal(error)
        return answer

    async def notified(self) -> ET.Element:
        """The next notification, of a session that has asked for them.  Raises NetconfBroken, asyncssh.Error."""
        while True:
            answer = _parsed(await self._message())
            if answer.tag == f"{{{NOTIFICATION}}}notification":
                return answer

    async def _send_rpc(self, operation: ET.Element) -> str:
        """Its number."""
        self._number += 1
        rpc = ET.Element("rpc", {"xmlns": BASE, "message-id": str(self._number)})
        rpc.append(operation)
        await self._send(rpc)
        return str(self._number)

    async def _send(self, message: ET.Element) -> None:
        data = ET.tostring(message, encoding="utf-8", xml_declaration=True)
        framed = b"\n#%d\n%b\n##\n" % (len(data), data) if self._chunked else data + _END
        self._writer.write(framed)
        await self._writer.drain()

    # -- what comes, framed

    async def _message(self) -> bytes:
        return await (self._chunks() if self._chunked else self._until_end())

    async def _until_end(self) -> bytes:
        looked_at = 0
        while (found := self._buffer.find(_END, looked_at)) < 0:
            looked_at = max(0, len(self._buffer) - len(_END))
            await self._more()
        message = bytes(self._buffer[:found])
        del self._buffer[: found + len(_END)]
        return message

    async def _chunks(self) -> bytes:
        message = bytearray()
        while True:
            while not (header := _CHUNK.match(self._buffer)):
                if len(self._buffer) > 16:
                    raise NetconfBroken("it sent a chunk without its length")
                await self._more()
            length = int(header[1] or 0)
            del self._buffer[: header.end()]
            if not length:
                return bytes(message)
            if len(message) + length > LARGEST:
                raise NetconfBroken("it sent too long a message")
            while len(self._buffer) < length:
                await self._more()
            message += self._buffer[:length]
            del self._buffer[:length]

    async def _more(self) -> None:
        if len(self._buffer) > LARGEST:
            raise NetconfBroken("it sent too long a message")
        if not (data := await self._reader.read(1 << 16)):
            raise NetconfBroken("it closed the connection")
        self._buffer += data


def element(name: str, *children: ET.Element, text: str | None = None, **attributes: str) -> ET.Element:
    """Of NETCONF itself."""
    made = ET.Element(name, attributes)
    made.text = text
    made.extend(children)
    return made


def _parsed(message: bytes) -> ET.Element:
    """It is UTF-8.  A document type, which could let a small message grow large, has no place in NETCONF."""
    try:
        text = message.decode().strip()
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise NetconfBroken("it sent a document type")
        return ET.fromstring(text)
    except (ET.ParseError, ValueError, LookupError):
        raise NetconfBroken("it sent what is no XML") from None


def _short(capability: str) -> str:
    """urn:ietf:params:netconf:capability:candidate:1.0?... -> candidate"""
    return capability.removeprefix(_CAPABILITY).partition(":")[0]


def _refusal(error: ET.Element) -> NetconfError:
    """Its message, and where in the configuration it was."""
    names = ("error-tag", "error-message", "error-path")
    tag, message, path = (" ".join(error.findtext(f"{{{BASE}}}{name}", "").split()) for name in names)
    where = f" (at {path})" if path else ""
    return NetconfError(tag, ((message or tag or "refused") + where)[:WORDS])
