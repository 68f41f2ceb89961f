"""What the database refuses is counted by its kind; what we refuse is not."""

import pytest

from netweft.store import Busy, Missing, Store


def test_by_kind(store: Store) -> None:
    driver = store._driver
    with pytest.raises(Busy), store.read():
        raise driver.OperationalError("database is locked")
    with pytest.raises(driver.Error), store.write():
        raise driver.OperationalError("disk I/O error")
    with pytest.raises(Missing), store.write():
        raise Missing("ports")
    assert store.errors == {"busy": 1, "fault": 1}
