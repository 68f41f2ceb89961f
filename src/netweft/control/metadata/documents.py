"""What an instance reads of itself, by path, in OpenStack's form and in EC2's: pure, from a subject to a text.

/openstack                 versions           /                      versions
/openstack/V/              documents          /V/                    meta-data/, user-data
/openstack/V/meta_data.json, user_data, ...   /V/meta-data/...       a tree of texts, lists at its forks
"""

import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import unquote
from zlib import crc32

import msgspec

from netweft.control.metadata.given import user_data
from netweft.control.metadata.network_data import network_data
from netweft.control.metadata.subject import Subject

Tree: TypeAlias = Mapping[str, "Tree | str"]

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=UTF-8"
BYTES: Final = "application/octet-stream"
LATEST: Final = "latest"
OPENSTACK_VERSIONS: Final = (
    *("2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30"),
    *("2016-10-06", "2017-02-22", "2018-08-27", "2020-10-14", LATEST),
)
EC2_VERSIONS: Final = (
    *("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10"),
    *("2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04", LATEST),
)
SEED_BYTES: Final = 512


class Document(NamedTuple):
    body: bytes
    type: str = TEXT


def document(subject: Subject, target: str) -> Document | None:
    """None: there is nothing of that name."""
    path = parts(target)
    if path[:1] == ["openstack"]:
        return _openstack(subject, path[1:])
    return _ec2(subject, path)


def parts(target: str) -> list[str]:
    """Of a path, whatever it is: a query is nothing to us, and neither is a host before it."""
    path = target.partition("?")[0].partition("#")[0]
    return [part for part in unquote(path).split("/") if part]


# OpenStack's form


def _openstack(subject: Subject, path: list[str]) -> Document | None:
    match path:
        case []:
            return _list(OPENSTACK_VERSIONS)
        case [version] if version in OPENSTACK_VERSIONS:
            return _list([name for name in _DOCUMENTS if name != "user_data" or user_data(subject.given)])
        case [version, name] if version in OPENSTACK_VERSIONS and name in _DOCUMENTS:
            return _DOCUMENTS[name](subject)
    return None


def _meta_data(subject: Subject) -> Document:
    keys, who = subject.keys, subject.requester
    return _json(
        {
            "uuid": who.instance_id or who.instance["id"],
            "name": subject.given.get("hostname") or who.instance["name"] or subject.hostname,
            "hostname": subject.hostname,
            "launch_index": 0,
            "availability_zone": "nova",
            "project_id": who.project_id,
            "meta": subject.given.get("meta") or {},
            "public_keys": keys,
            "keys": [{"name": name, "type": "ssh", "data": key} for name, key in keys.items()],
            "devices": [],
            "random_seed": b64encode(secrets.token_bytes(SEED_BYTES)).decode(),
        }
    )


def _user_data(subject: Subject) -> Document | None:
    data = user_data(subject.given)
    return Document(data, BYTES) if data else None


def _json(value: Any) -> Document:
    return Document(msgspec.json.encode(value), JSON)


_DOCUMENTS: Final[Mapping[str, Callable[[Subject], Document | None]]] = {
    "meta_data.json": _meta_data,
    "user_data": _user_data,
    "network_data.json": lambda subject: _json(network_data(subject)),
    "vendor_data.json": lambda _: _json({}),
    "vendor_data2.json": lambda _: _json({}),
}


# EC2's form


def _ec2(subject: Subject, path: list[str]) -> Document | None:
    match path:
        case []:
            return _list(EC2_VERSIONS)
        case [version] if version in EC2_VERSIONS:
            return _list(["meta-data/", *(["user-data"] if user_data(subject.given) else [])])
        case [version, "user-data"] if version in EC2_VERSIONS:
            return _user_data(subject)
        case [version, "meta-data", *names] if version in EC2_VERSIONS:
            return _leaf(_tree(subject), names)
    return None


def _tree(subject: Subject) -> Tree:
    who = subject.requester
    keys = subject.keys
    tree: dict[str, Tree | str] = {
        "ami-id": "",
        "ami-launch-index": "0",
        "hostname": subject.hostname,
        "instance-id": _ec2_id(who.instance_id or who.instance["id"]),
        "instance-type": "",
        "local-hostname": subject.hostname,
        "local-ipv4": next((address for address in subject.addresses if ":" not in address), ""),
        "mac": who.instance["mac_address"],
        "placement": {"availability-zone": "nova"},
        "public-hostname": subject.hostname,
        "public-ipv4": "",
        "reservation-id": "",
    }
    if keys:
        numbered = enumerate(keys.items())
        tree["public-keys"] = {f"{number}={name}": {"openssh-key": key} for number, (name, key) in numbered}
    return tree


def _leaf(tree: Tree | str, names: list[str]) -> Document | None:
    for name in names:
        if not isinstance(tree, Mapping):
            return None
        branch = tree.get(name)
        if branch is None:  # a key's fork is listed as 0=NAME, and asked for as 0
            branch = next((below for key, below in tree.items() if key.partition("=")[0] == name and "=" in key), None)
        if branch is None:
            return None
        tree = branch
    if isinstance(tree, str):
        return Document(tree.encode())
    return _list([name if isinstance(below, str) or "=" in name else f"{name}/" for name, below in tree.items()])


def _ec2_id(id: str) -> str:
    return f"i-{crc32(id.encode()):08x}"


def _list(lines: list[str] | tuple[str, ...]) -> Document:
    return Document("\n".join(lines).encode())
