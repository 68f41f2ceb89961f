"""Taps that are off are switched on once each, and only those of ports of ours."""

import pytest
from msgspec.structs import replace

from netweft.agent.host.taps import TapsSide
from netweft.dataplane.host.errors import HostError
from netweft.dataplane.ovsdb.rows import Vif

OFF = Vif(iface_id="p", port_name="tap1", name="tap1", ofport=1, ifindex=7, down=True)


class Kernel:
    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.fault: HostError | None = None

    def switch_on(self, interface: str, ifindex: int) -> bool:
        self.asked.append((interface, ifindex))
        if self.fault:
            raise self.fault
        return True


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def side(kernel: Kernel) -> TapsSide:
    return TapsSide(kernel.switch_on)


async def test_once_each(side: TapsSide, kernel: Kernel) -> None:
    side.observe({"p": OFF})
    for _ in range(3):
        await side.see_to({"p"})
    assert kernel.asked == [("tap1", 7)]
    side.observe({"p": replace(OFF, down=False)})
    side.observe({"p": OFF})
    await side.see_to({"p"})
    assert kernel.asked == [("tap1", 7)], "somebody has switched it off again"
    side.observe({"p": replace(OFF, ifindex=8)})
    await side.see_to({"p"})
    assert kernel.asked[1:] == [("tap1", 8)], "another device"


async def test_not_what_is_nobodys_nor_what_is_gone(side: TapsSide, kernel: Kernel) -> None:
    side.observe({"p": OFF, "q": replace(OFF, iface_id="q", ifindex=0)})
    await side.see_to({"q"})
    assert kernel.asked == []
    await side.see_to({"p", "q"})
    assert kernel.asked == [("tap1", 7)], "once it is ours"


async def test_plugged_in_anew_it_is_seen_to_again(side: TapsSide, kernel: Kernel) -> None:
    for vif in (OFF, None, OFF):
        side.observe({"p": vif})
        await side.see_to({"p"})
    assert kernel.asked == [("tap1", 7)] * 2


async def test_a_kernel_that_says_no_stops_nothing(side: TapsSide, kernel: Kernel) -> None:
    kernel.fault = HostError("tap1: not permitted")
    side.observe({"p": OFF})
    await side.see_to({"p"})
    assert kernel.asked == [("tap1", 7)]
