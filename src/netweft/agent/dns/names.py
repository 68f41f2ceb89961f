"""The ports' DNS names, by network: a VM can look up names of its own networks only."""

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final, TypeAlias

from netweft.agent.desired import Part
from netweft.model.names import fully_qualified, host_name, pointer, rooted
from netweft.services.names import Named, Place

Key: TypeAlias = tuple[str, Place]  # of a port, as services/kinds defines it
HOST: Final = "host-"


class Names:
    """domain: the node's, of what has no other one; may be empty."""

    def __init__(self, domain: str) -> None:
        self.domain = rooted(domain.lower())
        self._named: dict[Key, Named] = {}
        self._keys: defaultdict[tuple[str, str], dict[Key, None]] = defaultdict(dict)  # network, name -> who has it

    def change(self, part: Part[Key, Named]) -> None:
        for key in (*part.deletes, *((one.port_id, one.place) for one in part.upserts)):
            if was := self._named.pop(key, None):
                for name in self._of(was):
                    self._keys[was.network_id, name].pop(key, None)
                    if not self._keys[was.network_id, name]:
                        del self._keys[was.network_id, name]
        for one in part.upserts:
            key = one.port_id, one.place
            self._named[key] = one
            for name in self._of(one):
                self._keys[one.network_id, name][key] = None

    def addresses(self, network_id: str, name: str) -> list[str]:
        """name: in lower case, with its dot.  Empty: nobody there is called so."""
        found = {address: None for one in self._who(network_id, name) for address in one.addresses}
        if found or not name.startswith(HOST):
            return list(found)
        # of a port without a name, the address is in the name
        label, _, domain = name.partition(".")
        who = self._who(network_id, label)
        return [
            address
            for one in who
            for address in one.addresses
            if host_name(address) == label and domain in (*self._domains(one), "")
        ]

    def name(self, network_id: str, name: str) -> str:
        """name: of an address's PTR record.  Empty: no port there has the address."""
        for one in self._who(network_id, name):
            own = next(address for address in one.addresses if pointer(address) == name)
            return fully_qualified(one.name or host_name(own), self._domains(one)[0])
        return ""

    def _who(self, network_id: str, name: str) -> list[Named]:
        return [self._named[key] for key in self._keys.get((network_id, name), ())]

    def _domains(self, one: Named) -> tuple[str, ...]:
        return (one.domain or self.domain, self.domain) if one.name else (self.domain, one.domain or self.domain)

    def _of(self, one: Named) -> Iterator[str]:
        """All by which it is looked up."""
        if one.name:
            yield from dict.fromkeys(fully_qualified(one.name, domain) for domain in (*self._domains(one), ""))
        for address in one.addresses:
            yield pointer(address)
            if not one.name:
                yield host_name(str(ip_address(address)))
