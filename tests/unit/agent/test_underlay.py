"""By whom a tunnel's far end is reached, in the kernel's words."""

import pytest

from netweft.agent.queries.underlay import next_hop

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
ROUTES = HEAD + "".join(
    "\t".join((name, destination, gateway, "0001", "0", "0", metric, mask, "0", "0", "0")) + "\n"
    for name, destination, gateway, metric, mask in (
        ("eth9", "00000000", "010200C0", "100", "00000000"),  # default by 192.0.2.1
        ("br-phy", "000012C6", "00000000", "0", "0000FFFF"),  # 198.18.0.0/16
        ("eth1", "000013C6", "FE0012C6", "0", "00FFFFFF"),  # 198.19.0.0/24 by 198.18.0.254
        ("eth8", "000012C6", "00000000", "600", "0000FFFF"),
    )
)


@pytest.mark.parametrize(
    ("end", "by"),
    [
        ("198.18.0.3", ("br-phy", "198.18.0.3")),
        ("198.19.0.7", ("eth1", "198.18.0.254")),
        ("203.0.113.9", ("eth9", "192.0.2.1")),
    ],
)
def test_the_longest_prefix_then_the_least_metric(end: str, by: tuple[str, str]) -> None:
    assert next_hop(ROUTES, end) == by


def test_there_is_no_route() -> None:
    assert next_hop(HEAD, "198.18.0.3") == ("", "")
