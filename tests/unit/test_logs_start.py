"""What a process of ours loads to log."""

import subprocess
import sys

SCRIPT = """
import sys, netweft.logs
assert not [name for name in sys.modules if name.split(".")[0] == "rich"]
import rich.console
"""


def test_rich_is_not_loaded_and_can_still_be() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
