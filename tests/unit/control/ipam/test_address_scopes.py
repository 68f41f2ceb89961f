"""Whether prefixes overlap, found fast: pools may have thousands."""

from ipaddress import IPv4Network, collapse_addresses, ip_network

from hypothesis import given
from hypothesis import strategies as st

from netweft.control.ipam.address_scopes import _overlap

NETWORKS = st.builds(
    lambda number, length: ip_network((number >> 32 - length << 32 - length, length)),
    st.integers(0, 2**32 - 1),
    st.integers(8, 32),
)


@given(st.lists(NETWORKS, max_size=6), st.lists(NETWORKS, max_size=6))
def test_as_each_with_each(ours: list[IPv4Network], others: list[IPv4Network]) -> None:
    apart = list(collapse_addresses(others))
    expected = any(one.overlaps(other) for one in ours for other in apart)
    assert _overlap(map(str, ours), map(str, apart)) is expected


def test_versions_are_apart() -> None:
    assert not _overlap(["10.0.0.0/8"], ["::/8", "a00::/8"])
    assert not _overlap(["::/96"], ["0.0.0.0/0"])
    assert _overlap(["fd00::/48"], ["10.0.0.0/8", "fd00::/32"])
