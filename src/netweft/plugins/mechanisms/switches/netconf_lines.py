"""Configuration as lines, and as XML: pure.  `dialects.toml` has the lines, NETCONF wants the XML.

    set interfaces/interface[name=Ethernet1]/config/enabled true
    delete interfaces/interface[name=Ethernet1]/ethernet/switched-vlan/config/trunk-vlans 101

A step of a path is an element's name, with the key of a list's entry where it is one.  Which namespace an element
begins, what the keys of lists are called, and which leaves may be there several times, is the dialect's.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

BASE: Final = "urn:ietf:params:xml:ns:netconf:base:1.0"
_STEP: Final = re.compile(r"(?P<name>[\w-]+)(?P<keys>(?:\[[\w-]+=[^\]]*\])*)(?:/|$)")
_KEY: Final = re.compile(r"\[(?P<key>[\w-]+)=(?P<value>[^\]]*)\]")
_PREFIX: Final = re.compile(r"(?P<prefix>[a-z][\w-]*):[A-Za-z]")  # of an identity: ianaift:ieee8023adLag
OPERATION: Final = f"{{{BASE}}}operation"


class Schema(Struct, frozen=True, forbid_unknown_fields=True):
    """What has to be known of a model.  namespaces: of an element's name, or of ABOVE/NAME, where it is not that of the
    element above.
    keys: of an element that is a list's entry.  several: leaves that may be there more than once.
    prefixes: of identities in values."""

    namespaces: Mapping[str, str] = {}
    keys: Mapping[str, tuple[str, ...]] = {}
    several: tuple[str, ...] = ()
    prefixes: Mapping[str, str] = {}


def to_xml(schema: Schema, lines: Iterable[str], root: ET.Element, *, remove: str = "remove") -> ET.Element:
    """Below root.  Of two lines about the same thing the last one holds.  remove: the operation that takes away."""
    for line in lines:
        verb, _, rest = line.partition(" ")
        path, value = _split(rest)
        _put(schema, root, path, value, remove if verb == "delete" else "")
    return root


def _split(text: str) -> tuple[list[tuple[str, list[tuple[str, str]]]], str | None]:
    """The steps of the path, and the value behind it: keys may have spaces and slashes in them."""
    steps, at = [], 0
    while at < len(text) and text[at] != " ":
        end = text.find("]", at) if (opened := text.find("[", at)) >= 0 and "/" not in text[at:opened] else at
        while text[end + 1 : end + 2] == "[":
            end = text.index("]", end + 1)
        stop = min((found for mark in "/ " if (found := text.find(mark, end)) >= 0), default=len(text))
        step = _STEP.fullmatch(text[at:stop])
        if step is None:
            raise ValueError(f"no path: {text[at:stop]!r}")
        steps.append((step["name"], [(key["key"], key["value"]) for key in _KEY.finditer(step["keys"])]))
        at = stop + 1 if text[stop : stop + 1] == "/" else stop
    return steps, text[at + 1 :] if at < len(text) else None


def _put(
    schema: Schema,
    at: ET.Element,
    path: list[tuple[str, list[tuple[str, str]]]],
    value: str | None,
    operation: str,
) -> None:
    namespace, above = "", ""
    for number, (name, keys) in enumerate(path):
        namespace = schema.namespaces.get(f"{above}/{name}") or schema.namespaces.get(name, namespace)
        is_several, above = number == len(path) - 1 and name in schema.several, name
        at = _child(schema, at, (name, namespace), keys, value if is_several else None)
    at.attrib.pop(OPERATION, None)
    if operation:
        at.set(OPERATION, operation)
    if value is not None and (not operation or path[-1][0] in schema.several):
        _write(schema, at, value)
    elif value is None or operation:
        at.text = None


def _child(
    schema: Schema, at: ET.Element, name: tuple[str, str], keys: list[tuple[str, str]], text: str | None
) -> ET.Element:
    """name: with its namespace."""
    tag, namespace = f"{{{name[1]}}}{name[0]}", name[1]
    for one in at.findall(tag):
        same = all(one.findtext(f"{{{namespace}}}{key}") == value for key, value in keys)
        if same and (text is None or one.text == text):
            return one
    made = ET.SubElement(at, tag)
    for key, value in keys:
        _write(schema, ET.SubElement(made, f"{{{namespace}}}{key}"), value)
    return made


def _write(schema: Schema, at: ET.Element, value: str) -> None:
    at.text = value
    if (found := _PREFIX.match(value)) and (uri := schema.prefixes.get(found["prefix"])):
        at.set(f"xmlns:{found['prefix']}", uri)


def to_lines(schema: Schema, root: ET.Element) -> Iterator[str]:
    """`interfaces/interface[name=Ethernet1]/config/enabled true`: of each leaf below root."""
    for child in root:
        yield from _leaves(schema, child, "")


def _leaves(schema: Schema, at: ET.Element, above: str) -> Iterator[str]:
    name = at.tag.rpartition("}")[2]
    keys = "".join(f"[{key}={_text(at, key)}]" for key in schema.keys.get(name, ()) if _text(at, key) is not None)
    path = f"{above}{name}{keys}"
    if len(at):
        for child in at:
            yield from _leaves(schema, child, f"{path}/")
    else:
        yield f"{path} {(at.text or '').strip()}"


def _text(at: ET.Element, name: str) -> str | None:
    """Of the child of that name, whatever its namespace."""
    found = next((one for one in at if one.tag.rpartition("}")[2] == name), None)
    return None if found is None else (found.text or "").strip()
