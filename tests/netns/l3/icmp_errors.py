"""Which ICMP error a datagram meets on its way, as its own socket hears it (`hops.py`)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from netweft.lab.commands import in_namespace

CLOSED = 9  # a port that nobody listens on
_HOPS = Path(__file__).with_name("hops.py")


def icmp_error(
    namespace: str, to: str, port: int = CLOSED, ttl: int = 64, size: int | str = 100, source: int = 0
) -> dict[str, Any]:
    command = in_namespace(namespace, sys.executable, str(_HOPS), to, *map(str, (port, ttl, size, source)))
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def heard(namespace: str, to: str, **how: int | str) -> tuple[Any, tuple[Any, Any]]:
    """Who says what: an address, type and code.  Asked again where the first had to wait for its next hop's address."""
    for _ in range(3):
        if (found := icmp_error(namespace, to, **how)).get("from"):  # type: ignore[arg-type]
            break
    return found.get("from"), (found.get("type"), found.get("code"))
