"""What is committed of the dashboard is what its source builds."""

import subprocess
from pathlib import Path

from tests.browser.conftest import REPOSITORY

BUILT = REPOSITORY / "src/netweft/dashboard/static"


def test_the_bundle_is_what_the_source_builds(tmp_path: Path) -> None:
    """Else: `make web`."""
    built = subprocess.run([REPOSITORY / "scripts/web.sh", tmp_path], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    made = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert made.keys() == {"app.js", "app.css", "LICENSES.txt"}
    assert {name: (BUILT / name).read_bytes() for name in made} == made
