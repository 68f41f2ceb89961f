"""OVN's load balancer, for `bench/load_balancers.py`: two hypervisors as ours, client and server; OVN writes the flows.

It has no API in front of it: what is timed is its northbound database, and `--wait=hv`.  No weights, nothing of HTTP.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count

from balanced import Stand
from contenders import Stage, nbctl, ovn

ROUTER_MAC = "0a:00:00:00:00:01"


class Ovn(Stand):
    """A router answers ARP for VIPs, and leads back into the network: OVN's switch changes no MAC."""

    def __init__(self, stage: Stage, stack: ExitStack) -> None:
        self._stage, self._central = stage, stage.layout.folder / "ovn"
        self._numbers = count(10)
        nbctl(self._central, "lr-add", "router", "--", "lrp-add", "router", "to-net", ROUTER_MAC, "10.9.0.254/24")
        port = ("lsp-add", "net", "router", "--", "lsp-set-type", "router", "router")
        told = ("lsp-set-addresses", "router", "router", "--", "lsp-set-options", "router", "router-port=to-net")
        nbctl(self._central, *port, "--", *told)
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
        balances = ("lb-add", id, f"{vip}:{port}", ends, protocol.lower())
        nbctl(self._central, *balances, "--", "ls-lb-add", "net", id, "--", "lr-lb-add", "router", id)
        return id, vip

    def active(self, id: str) -> None:
        nbctl(self._central, "--wait=hv", "sync")

    def delete(self, id: str) -> None:
        nbctl(self._central, "--wait=hv", "lb-del", id)


@contextmanager
def stand() -> Iterator[Stand]:
    with ovn() as stage, ExitStack() as stack:
        yield Ovn(stage, stack)


def is_there() -> bool:
    return not subprocess.call(["sh", "-c", "command -v ovn-nbctl ovn-northd >/dev/null"])
