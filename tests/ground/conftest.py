"""What asks the real Open vSwitch needs it, and root."""

import os
import shutil

import pytest

HERE = "ground"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = os.geteuid() != 0 or shutil.which("ovs-vswitchd") is None
    for item in items:
        if item.path.parent.name == HERE and "asked" in item.name:
            item.add_marker(pytest.mark.ovs)
            item.add_marker(pytest.mark.root)
            if missing:
                item.add_marker(pytest.mark.skip(reason="needs root and ovs-vswitchd"))
