"""Folders of records: what is written is read, what is not there is said."""

import pytest

from netweft.lab import host
from netweft.lab.host import Host
from netweft.lab.layout import LabError, Layout, NoLab


def test_records_come_and_go(layout: Layout) -> None:
    layout.hosts.mkdir()
    records = host.records(layout)
    printer = Host(name="printer", physical_network="physnet1", vlan=7, addresses=("10.0.0.9/24",))
    with pytest.raises(LabError, match="has no host 'printer'; it has none"):
        records.get("printer")
    records.write(printer)
    assert (records.get("printer"), records.all()) == (printer, [printer])
    with pytest.raises(LabError, match="a host 'printer' already"):
        records.refuse_another("printer")
    with pytest.raises(LabError, match="it has printer"):
        records.get("scanner")
    records.remove("printer")
    assert records.all() == []


def test_a_lab_that_is_not_there_is_said() -> None:
    with pytest.raises(NoLab, match="netweft lab up --name nowhere"):
        host.records(Layout("nowhere")).get("printer")
