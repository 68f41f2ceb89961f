"""A process's start, made short: an agent that starts again is not in sync before it has loaded itself.
Imports nothing of ours."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, Final

# What libraries load wherever it is installed, and what none of our processes uses: rich and greenlet by structlog,
# to draw tracebacks (a sixth of the time) and to tell greenlets apart.
UNUSED: Final = ("rich", "greenlet")
# What they load whole and look into under circumstances that are not ours: websockets asks one for the version of a
# checkout, and the other for the environment's proxies; asyncio reads programs (`inspect` brings the parser) only where
# a signal's handler may be a coroutine.  Each is executed when somebody does look into it.
SELDOM: Final = ("importlib.metadata", "urllib.request", "inspect")


@contextmanager
def loading(*unused: str) -> Iterator[None]:
    """Around the imports of a process: without looking for garbage among what is only just made (a sixth of the time),
    and without what is not used.  unused: further modules that what is imported here can do without."""
    collects = gc.isenabled()
    left_out = [name for name in (*UNUSED, *unused) if name not in sys.modules]
    gc.disable()
    sys.modules.update(dict.fromkeys(left_out, None))  # type: ignore[arg-type]
    for name in SELDOM:
        _put_off(name)
    try:
        yield
    finally:
        for name in left_out:
            del sys.modules[name]
        if collects:
            gc.freeze()  # it stays; else the first collection looks through all of it
            gc.enable()


def without_collector() -> None:
    """Until `begun`: what is made at a start stays, and to look through it again and again took a quarter of the time
    until it is made."""
    gc.disable()


def begun() -> None:
    """What there is stays, and is not looked through any more."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


class _PutOff(ModuleType):
    """Stands for a module until somebody wants something of it.  (The standard library's LazyLoader loads it as soon as
    it is imported a second time.)"""

    def __getattr__(self, attribute: str) -> Any:
        name = self.__name__
        if sys.modules.get(name) is self:
            del sys.modules[name]
        self.__dict__.update(vars(import_module(name)))
        return getattr(sys.modules[name], attribute)


def _put_off(name: str) -> None:
    if name not in sys.modules:
        module = sys.modules[name] = _PutOff(name)
        parent, _, last = name.rpartition(".")
        if parent in sys.modules:  # else whoever loads it finds this one
            setattr(sys.modules[parent], last, module)
