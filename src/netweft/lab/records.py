"""A folder with a file of JSON per thing of the lab: its VMs, its hosts.  Whoever reads it next is another process."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from netweft.lab.layout import LabError, NoLab


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class Records(Generic[T]):
    """file: a name's, or LabError where it is none.  noun: what one is called."""

    def __init__(self, kind: type[T], noun: str, folder: Path, file: Callable[[str], Path]) -> None:
        self._kind, self._noun, self._folder, self._file = kind, noun, folder, file

    def all(self) -> list[T]:
        return [self._read(path) for path in sorted(self._folder.glob("*.json"))]

    def get(self, name: str) -> T:
        lab = self._folder.parent
        if not lab.exists():
            raise NoLab(lab.name)
        if name not in self:
            known = ", ".join(one.name for one in self.all()) or "none"
            raise LabError(f"lab {lab.name!r} has no {self._noun} {name!r}; it has {known}")
        return self._read(self._file(name))

    def __contains__(self, name: str) -> bool:
        return self._file(name).exists()

    def refuse_another(self, name: str) -> None:
        if name in self:
            raise LabError(f"there is a {self._noun} {name!r} already")

    def write(self, record: T) -> None:
        self._file(record.name).write_bytes(msgspec.json.format(msgspec.json.encode(record)))

    def remove(self, name: str) -> None:
        self._file(name).unlink(missing_ok=True)

    def _read(self, path: Path) -> T:
        return msgspec.json.decode(path.read_bytes(), type=self._kind)
