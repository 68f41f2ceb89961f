"""Whether the C library of this folder is there.  It is built with the package (setup.py) where there is a compiler."""

from pathlib import Path
from typing import Final

MISSING: Final = (
    "stt: its library is not built: it needs a C compiler when netweft is installed"
    " (apt install gcc libc6-dev, then install netweft again)"
)


def library() -> Path | None:
    """None: it was not built."""
    return next(iter(sorted(Path(__file__).parent.glob("_native*.so"))), None)
