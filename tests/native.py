"""STT's library as its sources are, where there is a compiler: whoever has the newest sources tests those."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from netweft.dataplane.stt import built

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src/netweft/dataplane/stt/native"


def pytest_configure(config: pytest.Config) -> None:
    """Before any of xdist's workers."""
    if not hasattr(config, "workerinput") and shutil.which("gcc") and not _is_current():
        command = (sys.executable, "setup.py", "--quiet", "build_ext", "--inplace")
        subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # without it the tests of STT say so


def _is_current() -> bool:
    found = built.library()
    return found is not None and found.stat().st_mtime >= max(one.stat().st_mtime for one in SOURCES.iterdir())
