"""Which switches there are: networking-generic-switch's configuration file, unchanged, and a few keys of ours in it.

    [genericswitch:tor1]
    device_type = ovsdb
    netweft_remote = ssl:192.0.2.1:6640
    netweft_bridge = br0
    netweft_hosts = hv1:Ethernet1, hv2:Ethernet2

What is known of networking-generic-switch is what its documentation says; keys of it that say how its own library
works are read over, a wrong key of ours is refused.
"""

import configparser
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from netweft.model import Neighbour
from netweft.settings import SettingsError

SECTION: Final = "genericswitch:"
OURS: Final = "netweft_"
_VLANS: Final = range(1, 4095)
ACL_ENTRIES: Final = 500
_BOND: Final = re.compile(
    r"(?P<name>[A-Za-z][\w./ -]*?\d+)\s*=(?P<members>[\w./: +-]*\w)(?:@(?P<mlag>[1-9]\d{0,3}))?\s*"
)
_OUR_KEYS: Final = frozenset(
    f"{OURS}{key}"
    for key in (
        *("remote", "bridge", "hosts", "transit", "ca_file", "cert_file", "key_file", "known_hosts", "lldp"),
        *("config", "dp", "pid_file", "bonds"),
        *("physical_switch", "tunnel_ip", "acls", "acl_entries"),
    )
)


class Acls(StrEnum):
    """Of bare-metal ports with port security: not filtered, filtered, or not let on."""

    NO = "false"
    YES = "true"
    REFUSE = "refuse"


class Bond(Struct, frozen=True):
    """A port channel.  mlag: its number where two switches are one to the host, 0: it is of this switch only."""

    members: tuple[str, ...]
    mlag: int = 0


class Switch(Struct, frozen=True, kw_only=True):
    """names: what ports' link information may call it: its section's name, its MAC address (small letters).
    hosts: host -> its ports, several for one that is linked twice and no bond.  trunk_ports: to other switches.
    physical_networks: empty for all.  allowed_vlans, allowed_ports: None for all.
    port_form: what names of its ports match, empty for whatever has no characters that a shell would take for its own.
    lldp: hosts that are told of no switch are found by what they hear.
    transit: trunk ports get the VLANs of all hosts that are linked to any switch, not only of those linked to this one.
    default_vlan: of access ports that nobody uses, None: they are in none.
    acl_entries: how many one ACL may have.
    """

    name: str
    device_type: str
    names: frozenset[str]
    hosts: Mapping[str, tuple[str, ...]] = {}
    bonds: Mapping[str, Bond] = {}
    trunk_ports: tuple[str, ...] = ()
    physical_networks: frozenset[str] = frozenset()
    allowed_vlans: frozenset[int] | None = None
    allowed_ports: frozenset[str] | None = None
    port_form: str = ""
    default_vlan: int | None = None
    manage_vlans: bool = True
    disable_inactive_ports: bool = False
    save_configuration: bool = True
    network_name_format: str = "{network_id}"
    transit: bool = False
    lldp: bool = False
    acls: Acls = Acls.NO
    acl_entries: int = ACL_ENTRIES
    options: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Without what is for the device alone: passwords are there."""
        return f"Switch({self.name}, {self.device_type})"

    def on(self, physical_network: str | None) -> bool:
        return not self.physical_networks or physical_network in self.physical_networks

    def carrier(self, port: str) -> str:
        """Where VLANs go of what is plugged in there: the bond that the port is a member of, or itself."""
        return next((name for name, bond in self.bonds.items() if port in bond.members), port)

    def allows(self, port: str) -> bool:
        """A bond, too, all of whose members are named."""
        if self.allowed_ports is None or port in self.allowed_ports:
            return True
        return port in self.bonds and self.allowed_ports.issuperset(self.bonds[port].members)

    def option(self, key: str, default: str = "") -> str:
        return self.options.get(key, default)


def read(path: str) -> dict[str, Switch]:
    """Raises SettingsError, which names section and key."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, default_section="DEFAULT")
    try:
        parser.read_string(Path(path).read_text(), source=path)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        said = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise SettingsError(f"switches_file: {path}: {said}") from None
    sections = [name for name in parser.sections() if name.startswith(SECTION)]
    found = [_switch(name.removeprefix(SECTION).strip(), dict(parser[name])) for name in sections]
    _refuse_twice(found)
    return {switch.name: switch for switch in found}


def _switch(name: str, keys: dict[str, str]) -> Switch:
    section = _Section(name, keys)
    if not name:
        raise SettingsError(f"switches_file: [{SECTION}] has no name")
    if unknown := sorted(key for key in keys if key.startswith(OURS) and key not in _OUR_KEYS):
        raise section.wrong(unknown[0], f"there is no such key; ours are {', '.join(sorted(_OUR_KEYS))}")
    hosts, lldp = section.hosts(), section.flag(f"{OURS}lldp", default=False)
    mac = keys.get("ngs_mac_address", "").strip().lower()
    default = section.vlans("ngs_port_default_vlan")
    return Switch(
        name=name,
        device_type=section.needed("device_type"),
        names=frozenset(filter(None, (name.lower(), mac))),
        hosts=hosts,
        bonds=section.bonds(),
        trunk_ports=tuple(section.words("ngs_trunk_ports")),
        physical_networks=frozenset(section.words("ngs_physical_networks")),
        allowed_vlans=section.vlans("ngs_allowed_vlans"),
        allowed_ports=frozenset(section.words("ngs_allowed_ports")) if "ngs_allowed_ports" in keys else None,
        default_vlan=min(default) if default else None,
        manage_vlans=section.flag("ngs_manage_vlans", default=True),
        disable_inactive_ports=section.flag("ngs_disable_inactive_ports", default=False),
        save_configuration=section.flag("ngs_save_configuration", default=True),
        network_name_format=section.name_format(),
        transit=section.flag(f"{OURS}transit", default=not hosts and not lldp),
        lldp=lldp,
        acls=section.acls(),
        acl_entries=section.number(f"{OURS}acl_entries", ACL_ENTRIES),
        options=keys,
    )


def with_heard(switches: Mapping[str, Switch], heard: Iterable[tuple[str, Neighbour]]) -> dict[str, Switch]:
    """heard: host, and what it heard on a NIC.  What is told wins: of a host that the file links to any switch nothing
    is believed, nor of a port that it names.  A port that two hosts claim is nobody's.  Bonds are heard by
    their members."""
    hosts = {host for switch in switches.values() for host in switch.hosts}
    claims: dict[tuple[str, str], set[str]] = {}
    for host, one in heard:
        named = {one.switch_id.lower(), one.switch_name.lower()}
        for switch in switches.values():
            told = {*switch.trunk_ports, *(port for ports in switch.hosts.values() for port in ports)}
            port = switch.carrier(one.port)
            if switch.lldp and named & switch.names and host not in hosts and told.isdisjoint((port, one.port)):
                claims.setdefault((switch.name, port), set()).add(host)
    found: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in switches}
    for (name, port), (host, *others) in sorted((place, sorted(who)) for place, who in claims.items()):
        if not others:
            found[name][host] = (*found[name].get(host, ()), port)
    return {
        name: msgspec.structs.replace(switch, hosts={**switch.hosts, **found[name]})
        for name, switch in switches.items()
    }


class _Section:
    def __init__(self, name: str, keys: Mapping[str, str]) -> None:
        self._name, self._keys = name, keys

    def wrong(self, key: str, why: str) -> SettingsError:
        return SettingsError(f"switches_file: [{SECTION}{self._name}] {key}: {why}")

    def needed(self, key: str) -> str:
        if not (text := self._keys.get(key, "").strip()):
            raise self.wrong(key, "is missing")
        return text

    def words(self, key: str) -> Iterator[str]:
        return filter(None, map(str.strip, self._keys.get(key, "").split(",")))

    def flag(self, key: str, *, default: bool) -> bool:
        text = self._keys.get(key, "").strip().lower()
        if text and text not in configparser.ConfigParser.BOOLEAN_STATES:
            raise self.wrong(key, f"{text!r} is neither true nor false")
        return configparser.ConfigParser.BOOLEAN_STATES[text] if text else default

    def acls(self) -> Acls:
        text = self._keys.get(key := f"{OURS}acls", "").strip().lower() or Acls.NO
        if text not in (known := [str(one) for one in Acls]):
            raise self.wrong(key, f"{text!r} is none of {', '.join(known)}")
        return Acls(text)

    def number(self, key: str, default: int) -> int:
        text = self._keys.get(key, "").strip() or str(default)
        if not re.fullmatch(r"[1-9]\d{0,5}", text):
            raise self.wrong(key, f"{text!r} is no number from 1 to 999999")
        return int(text)

    def vlans(self, key: str) -> frozenset[int] | None:
        """`300,500-502`; None where there is no such key."""
        found: set[int] = set()
        for word in self.words(key):
            first, _, last = word.partition("-")
            if not (first.strip().isdigit() and (last or first).strip().isdigit()):
                raise self.wrong(key, f"{word!r} is no VLAN and no range of VLANs")
            ids = range(int(first), int(last or first) + 1)
            if not ids or ids[0] not in _VLANS or ids[-1] not in _VLANS:
                raise self.wrong(key, f"{word!r} is not within 1 to 4094")
            found.update(ids)
        return frozenset(found) if key in self._keys else None

    def hosts(self) -> dict[str, tuple[str, ...]]:
        """`hv1:Ethernet1/1, hv1:Ethernet1/2, hv2:Port-Channel7`"""
        found: dict[str, tuple[str, ...]] = {}
        for word in self.words(f"{OURS}hosts"):
            host, _, port = (part.strip() for part in word.partition(":"))
            if not host or not port:
                raise self.wrong(f"{OURS}hosts", f"{word!r} is not HOST:PORT")
            found[host] = (*found.get(host, ()), port)
        return found

    def bonds(self) -> dict[str, Bond]:
        """`Port-Channel3=Ethernet1+Ethernet2, Port-Channel4=Ethernet3@7`"""
        key, found, taken = f"{OURS}bonds", dict[str, Bond](), set[str]()
        for word in self.words(key):
            if (bond := _BOND.fullmatch(word)) is None:
                raise self.wrong(key, f"{word!r} is not NAME=PORT+PORT, or NAME=PORT@MLAG, with a number in NAME's end")
            members = tuple(filter(None, map(str.strip, bond["members"].split("+"))))
            for port in (bond["name"], *members):
                if port in taken:
                    raise self.wrong(key, f"{port} is there twice")
                taken.add(port)
            found[bond["name"]] = Bond(members, int(bond["mlag"] or 0))
        return found

    def name_format(self) -> str:
        text = self._keys.get("ngs_network_name_format", "").strip() or "{network_id}"
        try:
            text.format(network_id="", segmentation_id="")
        except (KeyError, IndexError, ValueError):
            raise self.wrong("ngs_network_name_format", "may hold {network_id} and {segmentation_id} only") from None
        if not text.isprintable():
            raise self.wrong("ngs_network_name_format", "is several lines")
        return text


def _refuse_twice(switches: list[Switch]) -> None:
    """A name or a MAC address that two have: ports could not say which is meant."""
    seen: dict[str, str] = {}
    for switch in switches:
        for name in switch.names:
            if seen.setdefault(name, switch.name) != switch.name:
                raise SettingsError(f"switches_file: {seen[name]} and {switch.name} are both called {name}")
