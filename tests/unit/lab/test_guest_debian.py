"""A VM of Debian's: without its disk it says what to do; and the table of what it says of itself."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cloud_init.run import Check, Seen, document, text, tried

from netweft.lab import guest_debian, guest_qemu
from netweft.lab.layout import LabError


def test_without_a_disk_it_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(guest_qemu, "check", lambda: None)
    monkeypatch.setattr(guest_debian, "DISK", tmp_path / "root.ext4")
    with pytest.raises(LabError, match=r"scripts/install.sh cloud-init"):
        guest_debian.check()
    (tmp_path / "root.ext4").touch()
    guest_debian.check()


def test_what_is_not_said_is_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.cloud_init.run.PATIENCE", 0.0)
    check = Check("host name", "hostname", "web1")
    assert tried(check, lambda: "localhost\nweb1\n") == Seen(check, "web1", True)
    assert tried(check, lambda: "localhost\n") == Seen(check, "localhost", False)
    assert tried(check, lambda: "") == Seen(check, "", False)


def test_the_table_is_put_between_its_marks() -> None:
    seen = [Seen(Check("host name", "hostname", "web1"), "a|b", False)]
    page = "before\n<!-- written by make test-cloud-init -->\nold\n<!-- so far -->\nafter\n"
    told = document(page, text(seen, "Debian", 80, datetime(2026, 11, 29, tzinfo=UTC)))
    assert told.startswith("before\n") and told.endswith("after\n") and "old" not in told
    assert "2026-11-29, Debian, booted and set up in 80 s: 0 passed, 1 failed." in told
    assert "| host name | `hostname` | **not `web1`**, but `a\\|b` |" in told
    assert document(told, "x\n") == document(page, "x\n")
