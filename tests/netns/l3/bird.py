"""BIRD, a router that others trust, on a physical host of the lab: it speaks BFD with a router's gateway."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.netns.harness import Lab

from netweft.lab.commands import in_namespace
from netweft.lab.host import Host

_CONFIG: Final = """
router id {own};
protocol device {{}}
protocol bfd {{
    interface "*" {{ min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }};
    neighbor {gateway} dev "{device}" local {own};
}}
"""


class Bird:
    def __init__(self, process: subprocess.Popen[bytes], socket: Path) -> None:
        self._process, self._socket = process, socket

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def session(self) -> str:
        """Its state, and since when."""
        said = subprocess.run(
            ["birdc", "-s", str(self._socket), "show", "bfd", "sessions"], capture_output=True, text=True, check=False
        )
        rows = [line.split() for line in said.stdout.splitlines()]
        return next((f"{row[2]} {row[3]}" for row in rows if len(row) > 4 and row[0][0].isdigit()), "")

    @property
    def up(self) -> bool:
        return self.session().startswith("Up")


@contextmanager
def speaks_bfd(lab: Lab, there: Host, own: str, gateway: str, folder: Path) -> Iterator[Bird]:
    config, socket = folder / f"{there.name}.conf", folder / f"{there.name}.ctl"
    config.write_text(_CONFIG.format(own=own, gateway=gateway, device="eth0"))
    words = in_namespace(lab.layout.host_namespace(there.name), "bird", "-f", "-c", str(config), "-s", str(socket))
    bird = Bird(subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), socket)
    try:
        yield bird
    finally:
        bird.stop()
