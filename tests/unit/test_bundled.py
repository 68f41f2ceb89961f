"""The modules of a start in one file: used for the sources that they were compiled from, and for no other."""

import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from pathlib import Path
sys.dont_write_bytecode = {without}
from netweft import bundled
bundled.use(Path("{file}"))
import one, two.three
print(one.SAID, two.three.SAID, type(one.__spec__.loader).__name__, two.__path__, one.__file__)
bundled.keep(Path("{file}"))
"""


class World:
    """Two modules of somebody's, and the file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder / "modules", folder / "kept"
        (self.folder / "two").mkdir(parents=True)
        self.write("one.py", "SAID = 'a'\n", 1_000_000)
        self.write("two/__init__.py", "", 1_000_000)
        self.write("two/three.py", "SAID = 'b'\n", 1_000_000)

    def write(self, name: str, text: str, seconds: int) -> None:
        path = self.folder / name
        path.write_text(text)
        os.utime(path, (seconds, seconds))

    def start(self, *, without: bool = False, path: tuple[str, ...] = ()) -> list[str]:
        """What the modules say, and who loaded the first."""
        script = SCRIPT.format(file=self.file, without=without)
        paths = os.pathsep.join([*path, str(self.folder)])
        environment = {**os.environ, "PYTHONPATH": paths}
        command = [sys.executable, "-c", script]
        ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        *said, folders, source = ran.stdout.split()
        assert folders == f"['{self.folder / 'two'}']"
        assert Path(source).name == "one.py"
        return said


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_next_start_takes_its_modules_from_the_file(world: World) -> None:
    assert world.start() == ["a", "b", "SourceFileLoader"]
    written = world.file.stat().st_mtime_ns
    assert world.start() == ["a", "b", "_Loader"]
    assert world.file.stat().st_mtime_ns == written, "nothing was new, so nothing is written"


def test_a_source_that_has_changed_is_loaded_as_it_is_and_kept_for_the_next(world: World) -> None:
    world.start()
    world.write("one.py", "SAID = 'A'\n", 1_000_007)
    assert world.start() == ["A", "b", "SourceFileLoader"]
    assert world.start() == ["A", "b", "_Loader"]
    world.write("one.py", "SAID = 'longer'\n", 1_000_007)
    assert world.start() == ["longer", "b", "SourceFileLoader"]


def test_a_source_that_is_gone_is_not_there(world: World) -> None:
    world.start()
    (world.folder / "two" / "three.py").unlink()
    with pytest.raises(subprocess.CalledProcessError, match="status 1"):
        world.start()


def test_another_search_path_has_nothing_of_this_one(world: World, tmp_path: Path) -> None:
    world.start()
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.py").write_text("SAID = 'shadow'\n")
    assert world.start(path=(str(other),)) == ["shadow", "b", "SourceFileLoader"]


@pytest.mark.parametrize(
    "content", [b"", b"torn", marshal.dumps((1, 2)), marshal.dumps(3), marshal.dumps(([], {}))[:-1]]
)
def test_a_file_that_makes_no_sense_is_none(world: World, content: bytes) -> None:
    world.file.write_bytes(content)
    assert world.start() == ["a", "b", "SourceFileLoader"]


def test_who_writes_no_bytecode_writes_none_here(world: World) -> None:
    world.start(without=True)
    assert not world.file.exists()
