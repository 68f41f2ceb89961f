"""What the page works out without a browser: its own tests, by Node.js."""

import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"


@pytest.mark.browser
def test_what_pages_work_out() -> None:
    subprocess.run([WEB.parent / "scripts/web.sh"], check=True, timeout=300)
    ran = subprocess.run(["node", "test/run.mjs"], cwd=WEB, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "# pass" in ran.stdout
