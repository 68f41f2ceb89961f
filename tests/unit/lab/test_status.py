"""`lab env` and `lab status`, without a lab."""

import subprocess
from pathlib import Path

import pytest

from netweft.lab import hypervisor, status
from netweft.lab.layout import Layout


def test_env_in_a_shell(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell's own PATH is kept, and ours is put before it once."""
    monkeypatch.setattr(status, "NETWEFT", Path("/opt/net weft/bin/netweft"))
    layout.server_folder.mkdir()
    layout.openrc.write_text("export OS_PASSWORD='a b'\n")
    script = status.shell_variables(layout)
    shown = 'printf "%s|%s" "$OS_PASSWORD" "$PATH"'
    command = ("/bin/sh", "-c", f"{script}\n{script}\n{shown}")
    done = subprocess.run(command, env={"PATH": "/theirs:/bin"}, capture_output=True, text=True, check=True)
    assert done.stdout == "a b|/opt/net weft/bin:/theirs:/bin"


def test_status_says_that_the_supervisor_is_gone() -> None:
    found: dict[str, object] = {
        "name": "lab",
        "folder": "/x",
        "auth_url": None,
        "supervisor": None,
        "nodes": [],
        "vms": [],
        "hosts": [],
    }
    assert "supervisor is gone" in status.as_text(found | {"processes": []})


def test_the_commands_of_the_lab_are_those_of_this_installation() -> None:
    assert hypervisor.NETWEFT.exists()
