"""From the inventory to mechanisms: which driver a `device_type` means."""

from collections.abc import Iterable
from functools import partial

import msgspec

from netweft.model import Neighbour
from netweft.plugins.mechanisms import Mechanism
from netweft.plugins.mechanisms.switches import inventory
from netweft.plugins.mechanisms.switches.dialect import Dialect, dialects
from netweft.plugins.mechanisms.switches.inventory import Acls, Switch
from netweft.plugins.mechanisms.switches.ovsdb import OvsdbSwitch
from netweft.plugins.mechanisms.switches.switch import MakeDriver, SwitchMechanism, refuse
from netweft.plugins.mechanisms.vtep.mechanism import VtepMechanism

OVSDB, FAUCET, VTEP = "ovsdb", "faucet", "hardware_vtep"


def load_switches(path: str, heard: Iterable[tuple[str, Neighbour]] = ()) -> list[Mechanism]:
    """heard: by hosts, by LLDP.  Raises SettingsError."""
    switches = inventory.with_heard(inventory.read(path), heard).values()
    hosts = {host for switch in switches for host in switch.hosts}
    for switch in switches:
        if switch.device_type == VTEP and switch.acls != Acls.NO:
            raise refuse(switch, "netweft_acls", "a VTEP has no ACLs that we know how to write")
    return [
        VtepMechanism(switch)
        if switch.device_type == VTEP
        else SwitchMechanism(_formed(switch), hosts, _driver(switch))
        for switch in switches
    ]


def _formed(switch: Switch) -> Switch:
    dialect = dialects().get(switch.device_type)
    return msgspec.structs.replace(switch, port_form=dialect.port) if dialect is not None else switch


def _driver(switch: Switch) -> MakeDriver:
    if (dialect := dialects().get(switch.device_type)) is not None:
        _refuse_bonds(switch, dialect)
        return _by_netconf(switch, dialect) if dialect.how == "netconf" else _by_ssh(switch, dialect)
    if switch.device_type not in (OVSDB, FAUCET):
        known = ", ".join([OVSDB, FAUCET, VTEP, *sorted(dialects())])
        raise refuse(switch, "device_type", f"{switch.device_type!r} is unknown; known are {known}")
    _refuse_bonds(switch, None)
    return OvsdbSwitch if switch.device_type == OVSDB else _by_faucet(switch)


def _refuse_bonds(switch: Switch, dialect: Dialect | None) -> None:
    why = ""
    if switch.bonds and (dialect is None or "bond" not in dialect.ways):
        why = f"{switch.device_type} makes no bonds: make them there, and use their names"
    elif dialect is not None and not dialect.mlag and any(bond.mlag for bond in switch.bonds.values()):
        why = f"{switch.device_type} is told of no MLAG"
    if why:
        raise refuse(switch, "netweft_bonds", why)


def _by_faucet(switch: Switch) -> MakeDriver:
    try:
        from netweft.plugins.mechanisms.switches.faucet import FaucetSwitch
    except ModuleNotFoundError:
        raise refuse(switch, "device_type", "Faucet's files need PyYAML: pip install 'netweft[switches]'") from None
    return FaucetSwitch


def _by_ssh(switch: Switch, dialect: Dialect) -> MakeDriver:
    try:
        from netweft.plugins.mechanisms.switches.ssh import SshSwitch  # its library is for who has such a switch
    except ModuleNotFoundError:
        raise refuse(switch, "device_type", "SSH needs asyncssh: pip install 'netweft[switches]'") from None
    return partial(SshSwitch, dialect)


def _by_netconf(switch: Switch, dialect: Dialect) -> MakeDriver:
    try:
        from netweft.plugins.mechanisms.switches.netconf import NetconfSwitch
    except ModuleNotFoundError:
        raise refuse(switch, "device_type", "NETCONF needs asyncssh: pip install 'netweft[switches]'") from None
    return partial(NetconfSwitch, dialect)
