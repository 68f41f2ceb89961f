"""All modules of a start in one file: what `__pycache__` has in 500, each of which is looked for, opened and read.

Holds what Python keeps beside each source, under the same condition: a module's code is used if its source has the time
and the size that it had when it was compiled, as Python looks at them; else the module is loaded as ever.  The file
lies in a `__pycache__`, too, and is nobody's but this Python's with this search path.  Imports nothing of ours.
"""

import importlib.util
import marshal
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple, TypeAlias

FILE = Path(__file__).parent / "__pycache__" / f"start.{sys.implementation.cache_tag}.modules"


class _Kept(NamedTuple):
    """seconds, size: of the source, as in what Python writes itself.  code: marshalled."""

    source: str
    seconds: int
    size: int
    is_package: bool
    code: bytes

    @property
    def is_current(self) -> bool:
        try:
            now = os.stat(self.source)  # noqa: PTH116 - of each of 500 modules
        except OSError:
            return False
        return int(now.st_mtime) == self.seconds and now.st_size == self.size


_Kepts: TypeAlias = dict[str, _Kept]


class _Loader(SourceFileLoader):
    def __init__(self, name: str, kept: _Kept) -> None:
        super().__init__(name, kept.source)
        self._code = kept.code

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = marshal.loads(self._code)
        return code


class _Finder:
    """loaded: before it was asked."""

    def __init__(self, kept: _Kepts) -> None:
        self.kept = kept
        self.loaded = frozenset(sys.modules)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        kept = self.kept.get(name)
        if kept is None or not kept.is_current:
            return None
        places = [os.path.dirname(kept.source)] if kept.is_package else None  # noqa: PTH120
        loader = _Loader(name, kept)
        return importlib.util.spec_from_file_location(
            name, kept.source, loader=loader, submodule_search_locations=places
        )


def use(file: Path = FILE) -> None:
    """From now on."""
    sys.meta_path.insert(0, _Finder(_read(file)))


def keep(file: Path = FILE) -> None:
    """For the next start, if this one has loaded what is not in the file as it is.  Where it cannot be written there is
    none, as Python does."""
    finder = next((finder for finder in sys.meta_path if isinstance(finder, _Finder)), None)
    loaded = [] if finder is None or sys.dont_write_bytecode else _loaded(finder.loaded)
    if finder is None or not loaded:
        return
    kept = {name: one for name, one in finder.kept.items() if one.is_current}
    for name, loader in loaded:
        try:
            source = os.stat(loader.path)  # noqa: PTH116 - before it is read: what is written meanwhile is not current
            code = marshal.dumps(loader.get_code(name))
        except (OSError, ImportError, SyntaxError):
            continue
        is_package = loader.is_package(name)
        kept[name] = _Kept(str(loader.path), int(source.st_mtime), source.st_size, is_package, code)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        draft.write_bytes(marshal.dumps((_whose(), {name: tuple(one) for name, one in kept.items()})))
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)


def _loaded(before: frozenset[str]) -> list[tuple[str, SourceFileLoader]]:
    """What was not taken from the file, but for those that were there before it was asked."""
    modules = ((name, module) for name, module in list(sys.modules.items()) if name not in before)
    specs = [(name, getattr(module, "__spec__", None)) for name, module in modules]
    loaders = [(name, spec.loader) for name, spec in specs if spec is not None and spec.name == name]
    return [(name, loader) for name, loader in loaders if type(loader) is SourceFileLoader]


def _read(file: Path) -> _Kepts:
    try:
        whose, kept = marshal.loads(file.read_bytes())
    except (OSError, EOFError, ValueError, TypeError):
        return {}
    return {name: _Kept(*one) for name, one in kept.items()} if whose == _whose() else {}


def _whose() -> tuple[bytes, int, list[str]]:
    return importlib.util.MAGIC_NUMBER, sys.flags.optimize, sys.path
