"""What a trace asks of conntrack: on the kernel's datapath, whose vswitchd cannot count, as elsewhere."""

import asyncio

import pytest

from netweft.agent.queries import tracing
from netweft.agent.queries.tracing import COUNT, KNOWN, NEW
from netweft.dataplane.unixctl.client import CommandFailed
from netweft.dataplane.unixctl.conntrack import LISTING
from netweft.dataplane.unixctl.ofproto_trace import Part

LISTED = (
    "tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=5,dport=80),reply=(src=10.0.0.2,dst=10.0.0.1,sport=80,dport=5),zone=7\n"
)
ASKED = Part(flow="tcp,ct_zone=7,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=5,tp_dst=80")


async def _kernels(command: str, *_: str) -> str:
    if command == COUNT:
        raise CommandFailed("ovs-vswitchd: dpctl/ct-get-nconns: Operation not supported")
    assert command == LISTING
    return LISTED


@pytest.mark.parametrize(("tracked", "state"), [(1, KNOWN), (tracing.MOST_TRACKED + 1, NEW)])
def test_where_vswitchd_cannot_count_the_kernel_does(tracked: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "kernel_tracks", lambda: tracked)
    assert asyncio.run(tracing._known(ASKED, _kernels)) == state
