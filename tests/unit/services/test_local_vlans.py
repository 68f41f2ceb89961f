"""Which local VLANs are new: somebody else may have had them."""

from netweft.dataplane.ovsdb.rows import Vif
from netweft.services.local_vlans import LocalVlans
from netweft.services.switching import NETWORK_KEY


def test_what_is_given_out_is_told_once_and_what_is_taken_over_is_not() -> None:
    vlans = LocalVlans(1, 4094)
    vlans.restore(
        [Vif(iface_id="p", port_name="tap", name="tap", ofport=1, tag=1, external_ids=((NETWORK_KEY, "old"),))]
    )
    vlans.want("old")
    vlans.want("new")
    assert vlans.take_given() == {2}
    assert vlans.take_given() == frozenset()
