"""Which network a key is, with as many as a node can have."""

import ctypes

import pytest
from tests.unit.dataplane.stt.carried import IS_BUILT

from netweft.dataplane.stt import native
from netweft.dataplane.stt.values import SttNetwork

VLANS = range(1, 4095)


@pytest.mark.skipif(not IS_BUILT, reason="STT's library is not built")
@pytest.mark.parametrize("spread", [1, 2**24, 2**48 + 1])
def test_each_of_all_networks_is_found_by_its_key_and_no_other(spread: int) -> None:
    library = native.library()
    library.stt_vlan_of.argtypes = (ctypes.c_void_p, ctypes.c_uint64)
    library.stt_vlan_of.restype = ctypes.c_uint16
    tables = native.Tables(library)
    tables.put([SttNetwork(vlan, vlan * spread) for vlan in VLANS], [])
    assert [library.stt_vlan_of(tables.pointer, vlan * spread) for vlan in VLANS] == list(VLANS)
    assert not any(library.stt_vlan_of(tables.pointer, key) for key in (0, 4095 * spread, 2**64 - 1))
    tables.put([SttNetwork(7, 5)], [])
    assert [library.stt_vlan_of(tables.pointer, key) for key in (5, 7 * spread)] == [7, 0]
    library.stt_tables_free(tables.pointer)


@pytest.mark.skipif(not IS_BUILT, reason="STT's library is not built")
@pytest.mark.parametrize("count", [0, 1, 2, 500])
@pytest.mark.parametrize("prefix", ["10.0.{}.{}", "fd00::{}:{}"])
def test_who_is_no_peer_is_told_from_all_that_are(count: int, prefix: str) -> None:
    library = native.library()
    library.stt_is_peer.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    tables = native.Tables(library)

    def known(address: str) -> bool:
        return bool(library.stt_is_peer(tables.pointer, ctypes.byref(native.address(address))))

    peers = [prefix.format(at // 250, 1 + at % 250) for at in range(count)]
    assert not any(known(one) for one in peers), "before there are any"
    tables.put([], (native.Peer(address=native.address(one)) for one in peers))
    assert all(known(one) for one in peers)
    assert not any(known(one) for one in (prefix.format(9, 9), "0.0.0.0", "::"))
    tables.put([], [])
    assert not any(known(one) for one in peers)
    library.stt_tables_free(tables.pointer)
