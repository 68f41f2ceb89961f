"""Which checks a change concerns: those that have looked at the object, or at anything that it names.  Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netweft.control.l3.owners import GATEWAY, INTERFACE

_TEXTS = ("name", "device_id", "floating_ip_address", "host")
_ROUTERS = (INTERFACE, GATEWAY)


class Concerns:
    """What each check depends on: ids, addresses, and the words by which its ends are called."""

    def __init__(self) -> None:
        self._of: dict[str, frozenset[str]] = {}
        self._by: dict[str, set[str]] = {}

    def depends(self, check: str, on: Iterable[str]) -> None:
        self.forget(check)
        self._of[check] = frozenset(on)
        for one in self._of[check]:
            self._by.setdefault(one, set()).add(check)

    def forget(self, check: str) -> None:
        for one in self._of.pop(check, ()):
            self._by[one].discard(check)
            if not self._by[one]:
                del self._by[one]

    def concerned(self, kind: str, id: str, row: Mapping[str, Any] | None) -> set[str]:
        """row: None: it is gone."""
        found = set(self._by.get(id, ()))
        for one in named(kind, row) if row is not None else ():
            found |= self._by.get(one, set())
        return found


def named(kind: str, row: Mapping[str, Any]) -> Iterator[str]:
    """A port that comes to a network concerns nobody there who does not know its address: networks have many."""
    yield from (str(row[name]) for name in _TEXTS if row.get(name))
    if kind == "ports":
        yield from addresses(row)
        yield from (str(row["network_id"]),) if row.get("device_owner") in _ROUTERS else ()
        return
    yield from (str(value) for name, value in row.items() if name.endswith("_id") and value and name != "project_id")


def addresses(port: Mapping[str, Any]) -> Iterator[str]:
    yield from (one["ip_address"] for one in port.get("fixed_ips") or ())
    yield from (one["ip_address"] for one in port.get("allowed_address_pairs") or ())


def looked_at(rows: Mapping[str, Mapping[str, Mapping[str, Any]]], ends: Iterable[str]) -> Iterator[str]:
    """All that a trace has read, and by what its ends are called: what comes under that name changes it too."""
    for kind, of_kind in rows.items():
        yield from of_kind
        if kind == "agents":
            yield from (str(agent["host"]) for agent in of_kind.values())
    yield from ends
    ports = rows.get("ports", {}).values()
    yield from (address for port in ports if port["id"] in ends or port["name"] in ends for address in addresses(port))
