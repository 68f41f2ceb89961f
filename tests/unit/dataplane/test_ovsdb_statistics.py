"""What is counted of interfaces, as ovsdb-server says it (RFC 7047)."""

from netweft.dataplane.ovsdb.statistics import select_statistics, statistics_of


def test_counts_by_name() -> None:
    row = {"name": "tap1", "statistics": ["map", [["rx_packets", 3], ["tx_bytes", 10]]]}
    assert dict(statistics_of({"rows": [row]})) == {"tap1": {"rx_packets": 3, "tx_bytes": 10}}


def test_nothing_counted_yet_and_no_such_interface() -> None:
    assert dict(statistics_of({"rows": [{"name": "tap1", "statistics": ["map", []]}]})) == {"tap1": {}}
    assert dict(statistics_of({"rows": []})) == {}
    assert select_statistics("tap1")["where"] == [["name", "==", "tap1"]]
