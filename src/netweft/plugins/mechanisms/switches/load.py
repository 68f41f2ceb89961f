"""From the inventory to mechanisms: which driver a `device_type` means."""

from functools import partial

from netweft.plugins.mechanisms import Mechanism
from netweft.plugins.mechanisms.switches import inventory
from netweft.plugins.mechanisms.switches.dialect import Dialect, dialects
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.ovsdb import OvsdbSwitch
from netweft.plugins.mechanisms.switches.switch import MakeDriver, SwitchMechanism, refuse
from netweft.plugins.mechanisms.vtep.mechanism import VtepMechanism

OVSDB, FAUCET, VTEP = "ovsdb", "faucet", "hardware_vtep"


def load_switches(path: str) -> list[Mechanism]:
    """Raises SettingsError."""
    switches = inventory.read(path).values()
    hosts = {host for switch in switches for host in switch.hosts}
    return [
        VtepMechanism(switch) if switch.device_type == VTEP else SwitchMechanism(switch, hosts, _driver(switch))
        for switch in switches
    ]


def _driver(switch: Switch) -> MakeDriver:
    if switch.device_type == OVSDB:
        return OvsdbSwitch
    if switch.device_type == FAUCET:
        return _by_faucet(switch)
    if dialect := dialects().get(switch.device_type):
        return _by_netconf(switch, dialect) if dialect.how == "netconf" else _by_ssh(switch, dialect)
    known = ", ".join([OVSDB, FAUCET, VTEP, *sorted(dialects())])
    raise refuse(switch, "device_type", f"{switch.device_type!r} is unknown; known are {known}")


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
