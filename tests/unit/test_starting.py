"""What a process of ours loads before it does anything."""

import gc
import subprocess
import sys

from netweft.starting import loading

SCRIPT = """
import sys
import netweft.cli.main
from netweft.cli.agent_start import UNUSED
from netweft.starting import loading
with loading(UNUSED):
    import netweft.agent.main, netweft.agent.loop
LONG = ("rich", "sqlalchemy", "pyroute2", "h11", "email", "http.client", "greenlet", "click", "typing_extensions")
LONG += ("ctypes", "netweft.agent.packet_in_handlers", "netweft.agent.queries", "netweft.services.lb.proxy.config")
assert not [name for name in sys.modules if name.startswith(LONG)]
import rich.console, greenlet, urllib.request, importlib.metadata
assert importlib.metadata.version("msgspec") and urllib.request.urlopen
"""


def test_what_takes_long_is_not_loaded_and_can_still_be() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)


def test_garbage_is_collected_again_afterwards() -> None:
    was = gc.isenabled()
    try:
        gc.enable()
        with loading():
            assert not gc.isenabled()
        assert gc.isenabled()
    finally:
        (gc.enable if was else gc.disable)()
