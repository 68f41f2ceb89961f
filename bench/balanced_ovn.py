"""OVN's load balancer, for `bench/load_balancers.py`: two hypervisors as ours, client and server; OVN writes the flows.

It has no API in front of it: what is timed is its northbound database, and `--wait=hv`.  No weights, nothing of HTTP.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count

from balanced import Stand
from contenders import Stage, nbctl, ovn


class Ovn(Stand):
    """A VIP has a logical port that is plugged in nowhere, as with Octavia: ARP is answered for it."""

    def __init__(self, stage: Stage, stack: ExitStack) -> None:
        self._stage, self._central = stage, stage.layout.folder / "ovn"
        self._numbers = count(10)
        super().__init__(stack, stage.addresses["there"].partition("/")[0], server="there")

    def inside(self, machine: str, *words: str) -> Sequence[str]:
        return self._stage.command(machine, *words)

    def free_vip(self, number: int) -> str:
        return f"10.9.0.{100 + number}"

    def create(
        self, *members: tuple[str, int], port: int = 80, vip: str = "", protocol: str = "TCP"
    ) -> tuple[str, str]:
        number = next(self._numbers)
        id, vip = f"lb{number}", vip or f"10.9.0.{number}"
        ends = ",".join(f"{address}:{at}" for address, at in members)
        port_of_vip = (
            "lsp-add",
            "net",
            f"vip-{id}",
            "--",
            "lsp-set-addresses",
            f"vip-{id}",
            f"0a:00:00:00:00:{number:02x} {vip}",
        )
        balances = ("lb-add", id, f"{vip}:{port}", ends, protocol.lower(), "--", "ls-lb-add", "net", id)
        nbctl(self._central, *port_of_vip, "--", *balances)
        return id, vip

    def active(self, id: str) -> None:
        nbctl(self._central, "--wait=hv", "sync")

    def delete(self, id: str) -> None:
        nbctl(self._central, "--wait=hv", "lsp-del", f"vip-{id}", "--", "lb-del", id)


@contextmanager
def stand() -> Iterator[Stand]:
    with ovn() as stage, ExitStack() as stack:
        yield Ovn(stage, stack)


def is_there() -> bool:
    return not subprocess.call(["sh", "-c", "command -v ovn-nbctl ovn-northd >/dev/null"])
