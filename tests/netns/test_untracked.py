"""The host's conntrack and its tunnels, with real packets: what tunnels send takes no place there, all else does."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.netns.harness import new_name

from netweft.lab.commands import in_namespace, run

# as Open vSwitch's module makes every network namespace track, which not every kernel here has
SCRIPT = """
import asyncio, socket, sys
from netweft.agent.host import untracked as side
from netweft.dataplane.host import nftables
from netweft.services.untracked import untracked
from netweft.services.values import HostFacts

address, version = sys.argv[1], 6 if ":" in sys.argv[1] else 4
family = nftables.IP if version == 4 else nftables.IP6
looks = nftables.expression("ct", (1, nftables.REGISTER), (2, bytes(4)))
try:
    nftables.replace(family, "tracks", (nftables.Chain("output", nftables.OUTPUT, 0, ((looks,),)),))
except OSError as error:
    sys.exit(f"none: {error}")
udp, tcp = socket.SOCK_DGRAM, socket.SOCK_STREAM
inet = socket.AF_INET if version == 4 else socket.AF_INET6
heard = [socket.create_server((address, port), family=inet) for port in (7471, 443)]  # a reset would end it at once
kept = []

def tracked() -> int:
    with open("/proc/sys/net/netfilter/nf_conntrack_count") as count:
        return int(count.read())

def new(kind: int, port: int) -> int:
    before = tracked()
    kept.append(socket.socket(inet, kind))
    kept[-1].connect((address, port))
    if kind == udp:
        kept[-1].send(b"?")
    return tracked() - before

def all_new() -> str:
    ends = (udp, 4789), (udp, 6081), (tcp, 7471), (udp, 4790), (tcp, 443)
    return " ".join(str(new(*end)) for end in ends)

async def main() -> None:
    print('new', all_new())
    keeper = side.UntrackedSide()
    side.LOOK_SECONDS = 0.01
    task = asyncio.create_task(keeper.run())
    for turn in range(2):
        keeper.want(untracked(HostFacts(tunnel_ip=address, tunnel_types=("vxlan", "gre", "geneve", "stt"))))
        async with asyncio.timeout(10):
            while not nftables.is_there(family, side.TABLE):
                await asyncio.sleep(0.01)
        print('new', all_new() + keeper.problem)
        nftables.replace(family, side.TABLE, ())  # somebody loads his own rules
    task.cancel()

asyncio.run(main())
"""


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"nw-{new_name()}"
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "set", "lo", "up")
    yield name
    run("ip", "netns", "delete", name)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_tunnels_take_no_place_and_it_stays_so(namespace: str, address: str) -> None:
    words = in_namespace(namespace, sys.executable, "-c", SCRIPT, address)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.stderr.startswith("none: "):
        pytest.skip("this kernel has no nftables, or tracks nothing")
    said = [line for line in done.stdout.splitlines() if line.startswith("new ")]  # beside what is logged
    assert said == ["new 1 1 1 1 1", "new 0 0 0 1 1", "new 0 0 0 1 1"], done.stderr
