"""What HAProxy is told while it runs, and the files that it reads."""

import stat
from pathlib import Path

from netweft.dataplane.haproxy import files
from netweft.dataplane.haproxy.driver import name_of
from netweft.dataplane.haproxy.process import complaint, running
from netweft.dataplane.haproxy.runtime import Actual, commands
from netweft.dataplane.haproxy.values import ServerState


def state(server: str, weight: int = 1, *, up: bool = True) -> ServerState:
    return ServerState(backend="o1:l1", server=server, weight=weight, up=up)


def test_who_gets_nothing_any_more_is_first() -> None:
    actual = {
        ("o1:l1", "m1"): Actual(1, maintained=False),
        ("o1:l1", "m2"): Actual(1, maintained=True),
        ("o1:l1", "m3"): Actual(9, maintained=False),
        ("o1:l1", "m4"): Actual(1, maintained=False),
    }
    wanted = [state("m2"), state("m3", 3), state("m1", up=False), state("m4"), state("unknown")]
    assert commands(wanted, actual) == [
        "set server o1:l1/m1 state maint",
        "set server o1:l1/m3 weight 3",
        "set server o1:l1/m2 state ready",
    ]


def test_files_are_roots_alone(tmp_path: Path) -> None:
    folder = tmp_path / "lb"
    files.folder(folder)
    assert files.write(folder / "x.pem", b"secret")
    assert not files.write(folder / "x.pem", b"secret")
    assert stat.S_IMODE((folder / "x.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / ".x.pem.new").symlink_to(tmp_path / "elsewhere")
    assert files.write(folder / "x.pem", b"other")
    assert not (tmp_path / "elsewhere").exists()
    files.keep_only(folder, ".pem", frozenset())
    assert not list(folder.glob("*.pem"))


def test_a_process_of_that_number_is_not_it(tmp_path: Path) -> None:
    assert running(tmp_path) is None
    for text in ("1", "x", ""):
        (tmp_path / "pid").write_text(text)
        assert running(tmp_path) is None


def test_what_haproxy_complains_of() -> None:
    said = "[NOTICE]   (1) : haproxy version\n[ALERT]    (1) : config : parsing [x:3] : bad\n[ALERT]    (1) : more"
    assert complaint(said) == "config : parsing [x:3] : bad"
    assert complaint("") == "it says nothing"


def test_names_fit_into_an_interfaces() -> None:
    assert len(f"nwp{name_of('9f0ae3e2-8d2e-4f2b-b3a0-111111111111')}") == 15
