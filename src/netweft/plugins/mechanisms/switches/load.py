"""From the inventory to mechanisms: which driver a `device_type` means."""

from netweft.plugins.mechanisms.switches import inventory
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.ovsdb import OvsdbSwitch
from netweft.plugins.mechanisms.switches.switch import MakeDriver, SwitchMechanism, refuse


def load_switches(path: str) -> list[SwitchMechanism]:
    """Raises SettingsError."""
    switches = inventory.read(path).values()
    hosts = {host for switch in switches for host in switch.hosts}
    return [SwitchMechanism(switch, hosts, _driver(switch)) for switch in switches]


def _driver(switch: Switch) -> MakeDriver:
    if switch.device_type == "ovsdb":
        return OvsdbSwitch
    raise refuse(switch, "device_type", f"{switch.device_type!r} is unknown")
