"""Rows of OVN's northbound database, and what Neutron wrote into them."""

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from netweft.importing.cloud import Unreadable
from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.database import Remote, from_map, from_set

Row: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = Mapping[str, list[Row]]
TABLES = (
    *("Logical_Switch", "Logical_Switch_Port", "Logical_Router", "Logical_Router_Port", "Logical_Router_Static_Route"),
    *("NAT", "DHCP_Options", "Port_Group", "ACL", "Address_Set", "Load_Balancer", "QoS", "DNS"),
)
_OURS = uuid.UUID("5b0c3ed0-3d3e-4f0c-8d55-6d2b8f3c9a10")  # the namespace of ids that a northbound does not have


def rows_of(remote: str) -> Rows:
    """remote: unix:PATH or tcp:HOST:PORT, as `ovn-nbctl --db` has it; a bare path is a socket.  Raises Unreadable."""
    if remote.startswith("/"):
        remote = f"unix:{remote}"
    if not remote.startswith(("unix:/", "tcp:")):
        raise Unreadable(f"{remote!r} is not unix:/PATH or tcp:HOST:PORT")
    return asyncio.run(_rows(remote))


async def _rows(remote: str) -> Rows:
    database = Remote(remote, "OVN_Northbound", {}, lambda: None)
    try:
        answers, refused = await database.transact([{"op": "select", "table": one, "where": []} for one in TABLES])
    except (Unreachable, OSError, ValueError) as error:
        raise Unreadable(f"the northbound database: {error}") from None
    finally:
        await database.close()
    if refused:
        raise Unreadable(f"this is no northbound database of OVN's: {refused}")
    return {table: answer["rows"] for table, answer in zip(TABLES, answers, strict=True)}


def said(row: Row, name: str) -> str:
    """What Neutron noted of it, empty when nothing."""
    return str(from_map(row["external_ids"]).get(f"neutron:{name}") or "")


def named(row: Row) -> str:
    """The id of a network or router, of a row called neutron-ID."""
    return str(row["name"]).removeprefix("neutron-")


def network_of(row: Row) -> str:
    return said(row, "network_name").removeprefix("neutron-")


def row_id(row: Row) -> str:
    return str(row["_uuid"][1])


def refs(value: Any) -> list[str]:
    return [one[1] for one in from_set(value)]


def optional(value: Any) -> Any:
    """A column of at most one value; None when it has none."""
    return next(iter(from_set(value)), None)


def made_id(*words: str) -> str:
    """The same at each import."""
    return str(uuid.uuid5(_OURS, " ".join(words)))


def first_of(names: Iterable[str]) -> str:
    """Whose most of them are; empty when nobody's."""
    counted = [name for name in names if name]
    return max(sorted(set(counted)), key=counted.count, default="")
