"""How a switch is logged in to by SSH, be it for its command line or for NETCONF."""

from pathlib import Path
from typing import Any, Final

from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.switch import refuse

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
KEEPALIVE_SECONDS: Final = 10.0
WORDS: Final = 300  # characters of a refusal


def options(switch: Switch, default_port: int) -> dict[str, Any]:
    """Of `asyncssh.connect`.  Raises SettingsError."""
    if not switch.option("ip"):
        raise refuse(switch, "ip", "is missing")
    key, known = switch.option("key_file"), switch.option("netweft_known_hosts")
    for name, path in (("key_file", key), ("netweft_known_hosts", known)):
        if path and not Path(path).is_file():
            raise refuse(switch, name, f"there is no file {path}")
    port = switch.option("port", str(default_port))
    if not port.isdigit():
        raise refuse(switch, "port", f"{port!r} is no number")
    return {
        "host": switch.option("ip"),
        "port": int(port),
        "username": switch.option("username") or "root",
        "password": switch.option("password") or None,
        "client_keys": [key] if key else (),
        "known_hosts": known or None,
        "config": None,
        "agent_path": None,
        "connect_timeout": float(switch.option("ngs_ssh_connect_timeout") or CONNECT_SECONDS),
        "keepalive_interval": KEEPALIVE_SECONDS,
    }


def why(error: BaseException) -> str:
    """Of a connection that cannot be had, or is lost."""
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, EOFError):
        return "it closed the connection"
    return (str(error).splitlines() or [type(error).__name__])[0][:WORDS]
