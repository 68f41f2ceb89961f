"""A switch with a REST API that has the VLANs of hosts' ports, and of no others.

GET    /vlans             {"Ethernet1": [101, 102], ...}
PUT    /vlans/PORT/VLAN   and DELETE; 409 with a sentence where it cannot
"""

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec

from netweft.model import Network
from netweft.plugins.mechanisms import Link, Unreachable, View, Wanted
from netweft.reconcile.plan import Step
from netweft.settings import ServerSettings

FILE = "NETWEFT_REST_SWITCHES"
SECONDS = 5.0


class Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """links: host -> its port.  vlans: the first and the last that it may have."""

    name: str
    url: str
    links: dict[str, str]
    vlans: tuple[int, int] = (1, 4094)


class Switches(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    switch: tuple[Described, ...] = ()


def create(settings: ServerSettings) -> Sequence["RestSwitch"]:
    path = os.environ.get(FILE)
    return (
        [RestSwitch(one) for one in msgspec.toml.decode(Path(path).read_bytes(), type=Switches).switch] if path else []
    )


class RestSwitch:
    kinds: frozenset[str] = frozenset()

    def __init__(self, described: Described) -> None:
        self.name, self.hosts = f"rest:{described.name}", frozenset(described.links)
        self.changed = asyncio.Event()
        self._of = described

    def desired(self, view: View) -> Mapping[str, Wanted]:
        found: dict[str, Wanted] = {}
        for host, port in self._of.links.items():
            there = view.host(host)
            for network in there.networks.values():
                if vlan := _vlan(network):
                    ports = frozenset(one.id for one in there.ports.values() if one.network_id == network.id)
                    found[f"{port} {vlan}"] = Wanted(True, ports, self.can_bind(host, network, ()) or "")
        return found

    def can_bind(self, host: str, network: Network, links: Sequence[Link]) -> str | None:
        vlan, (first, last) = _vlan(network), self._of.vlans
        if host not in self._of.links or vlan is None:
            return None
        return "" if first <= vlan <= last else f"{self.name} may have VLANs {first} to {last} only"

    async def read(self, keys: Collection[str], *, anew: bool) -> Mapping[str, Any]:
        said = await self._ask("GET", "/vlans")
        try:
            ports = msgspec.json.decode(said, type=dict[str, list[int]])
        except msgspec.DecodeError as error:
            raise Unreachable(f"it answers something else: {error}") from None
        there = {f"{port} {vlan}" for port, vlans in ports.items() for vlan in vlans}
        return {key: True for key in keys if key in there}

    def commands(self, steps: Sequence[Step]) -> list[str]:
        return [f"{'DELETE' if step.now is None else 'PUT'} /vlans/{str(step.key).replace(' ', '/')}" for step in steps]

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        refused = {}
        for step, command in zip(steps, self.commands(steps), strict=True):
            try:
                await self._ask(*command.split())
            except HTTPError as error:
                refused[str(step.key)] = error.read(300).decode(errors="replace")
        return refused

    async def close(self) -> None:
        pass

    async def _ask(self, method: str, path: str) -> bytes:
        def asked() -> bytes:
            with urlopen(Request(self._of.url + path, method=method), timeout=SECONDS) as answer:
                return bytes(answer.read(1 << 20))

        try:
            return await asyncio.to_thread(asked)
        except HTTPError as error:
            if error.code != 409:
                raise Unreachable(f"it answers {error.code}") from None
            raise
        except (OSError, HTTPException) as error:
            raise Unreachable(f"{self._of.url}: {error}") from None


def _vlan(network: Network) -> int | None:
    return next((one.segmentation_id for one in network.segments if one.network_type == "vlan"), None)
