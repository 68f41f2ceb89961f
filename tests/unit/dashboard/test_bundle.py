"""The page's files: what may be in them, how long they are kept, how large they are."""

import gzip
import re
from pathlib import Path

from netweft.dashboard.bundle import bundle

INDEX = "index.html"


def test_files_are_named_by_what_is_in_them_and_kept_for_ever() -> None:
    files = bundle()
    assert {name.rpartition(".")[2] for name in files} == {"html", "js", "css", "svg"}
    for name, file in files.items():
        if name != INDEX:
            assert re.fullmatch(r"\w+-[0-9a-f]{16}\.\w+", name)
            assert "immutable" in file.headers["cache-control"]
        assert gzip.decompress(file.packed) == file.content
    assert files[INDEX].headers["cache-control"] == "no-cache"


def test_the_page_names_its_own_files_and_nobody_elses() -> None:
    files = bundle()
    text = files[INDEX].content.decode()
    named = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(named) == 3 and set(named) == files.keys() - {INDEX}
    assert "<script>" not in text and "style=" not in text


def test_all_together_are_small() -> None:
    assert sum(len(file.packed) for file in bundle().values()) < 150_000


def test_every_file_forbids_frames_foreign_scripts_and_guessing_its_type() -> None:
    for file in bundle().values():
        policy = dict(part.split(" ", 1) for part in file.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert "unsafe" not in str(policy)
        assert file.headers["x-content-type-options"] == "nosniff"


def test_the_lock_file_names_versions_and_no_addresses() -> None:
    lock = (Path(__file__).parents[3] / "web/package-lock.json").read_text()
    assert '"integrity"' in lock and "://" not in lock
