"""Which datapath it is that the other tests here try; and that the kernel's lacks what tests/ovs takes it to lack."""

import pytest
from tests.netns.harness import Lab, on_the_kernels_datapath
from tests.ovs.features import LINUX_6_1


def test_all_bridges_are_on_the_datapath_that_this_machine_has(lab: Lab) -> None:
    datapaths = {line.partition("@")[0] for line in lab.appctl("hv1", "dpif/show").splitlines() if "@" in line}
    assert datapaths == {"system" if on_the_kernels_datapath() else "netdev"}


def test_the_kernel_lacks_what_the_test_of_our_flows_says(lab: Lab) -> None:
    if not on_the_kernels_datapath():
        pytest.skip("this machine's kernel has no Open vSwitch")
    said = dict(line.partition(": ")[::2] for line in lab.appctl("hv1", "dpif/show-dp-features", "br-int").splitlines())
    assert {name for name, value in said.items() if value == "No"} == set(LINUX_6_1.values())
