"""What is given for the VM behind a port: its name, keys, user data.  Of its own kind, so that no list of ports has it.

    metadata: {"id": port, "device_id", "hostname", "public_keys": {name: key}, "user_data": base64,
               "meta": {name: text}}

It is for the device that the port had when it was given; another that the port is given to later gets none of it.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Final

from netweft.control.errors import Conflict, InvalidInput
from netweft.model.qos import NETWORK_OWNED
from netweft.store import Object, ReadTransaction, WriteTransaction

KIND: Final = "metadata"
MOST_USER_DATA: Final = 64 * 1024  # bytes, as in Nova
MOST_KEYS: Final = 64
MOST_META: Final = 128
MOST_TEXT: Final = 16 * 1024  # bytes of a key
_HOSTNAME: Final = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*")


class NotForInstances(Conflict):
    message = "Port %(port_id)s is no instance's: it has no metadata."


def give(tx: WriteTransaction, port: Object, wanted: Object) -> Object:
    """In place of what was given before.  port: locked.  Raises InvalidInput, NotForInstances."""
    if port["device_owner"].startswith(NETWORK_OWNED):
        raise NotForInstances(port_id=port["id"])
    _check(wanted)
    row = {"id": port["id"], "device_id": port["device_id"], **wanted}
    if tx.lock(KIND, port["id"]) is None:
        tx.insert(KIND, row)
        return row
    return tx.update(KIND, port["id"], row)


def take(tx: WriteTransaction, port_id: str) -> bool:
    """What was given is forgotten; False: nothing was."""
    if tx.lock(KIND, port_id) is None:
        return False
    tx.delete(KIND, port_id)
    return True


def of(tx: ReadTransaction, port: Object) -> Object:
    """What holds for the device that the port has now; empty: nothing was given."""
    found = tx.get(KIND, port["id"])
    return found if found and found["device_id"] == port["device_id"] else {}


def user_data(given: Object) -> bytes:
    return b64decode(given.get("user_data") or "")


def _check(wanted: Object) -> None:
    if wanted["hostname"] and not _HOSTNAME.fullmatch(wanted["hostname"]):
        raise InvalidInput(f"'{wanted['hostname'][:80]}' is not a host name")
    try:
        size = len(b64decode(wanted["user_data"], validate=True))
    except (Base64Error, ValueError):
        raise InvalidInput("user_data is not base64") from None
    if size > MOST_USER_DATA:
        raise InvalidInput(f"user_data is longer than {MOST_USER_DATA} bytes")
    for name, most in (("public_keys", MOST_KEYS), ("meta", MOST_META)):
        if len(wanted[name]) > most:
            raise InvalidInput(f"{name}: more than {most}")
        if any(len(key) > 255 or "\n" in key or len(text) > MOST_TEXT for key, text in wanted[name].items()):
            raise InvalidInput(f"{name}: names have up to 255 characters in one line, texts {MOST_TEXT}")
