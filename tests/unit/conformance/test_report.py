"""The page of what came of OpenStack's own tests."""

from tests.conformance.report import Result, Run, told

ONE = "tempest.api.network.test_routers.RoutersTest.test_show[id-1,smoke]"
TWO = "tempest.api.network.test_routers.RoutersTest.test_update[id-2]"
RUN = Run("47.0.0", "abc", "30 November 2026", 9)


def test_each_outcome_is_reported() -> None:
    page = told(
        [
            Result(ONE, "passed", ""),
            Result(TWO, "failed", "a trace\nof | lines\nBad request\nDetails: x"),
            Result("setUpClass (tempest.api.network.admin.test_metering.Labels)", "skipped", "metering not enabled."),
            Result("tempest.api.network.admin.test_metering.Labels.test_one", "differs", "we do not"),
            Result("openstack firewall group list -f json", "passed", ""),
        ],
        RUN,
    )
    assert "**2 passed, 1 failed, 1 fail where we differ, 1 skipped**" in page
    assert "| `test_routers` | tempest | 1 | 1 |  |  |\n" in page
    assert "| `test_metering` | tempest | 0 |  | 1 | 1 |\n" in page
    assert "| `openstack firewall group` | the stock client | 1 |  |  |  |\n" in page
    assert "| `test_routers.RoutersTest.test_update` | Bad request Details: x |\n" in page
    assert "## Failed, since we differ" in page
    assert "| `admin.test_metering.Labels.test_one` | we do not |\n" in page
    assert "| `admin.test_metering.Labels` | metering not enabled. |\n" in page


def test_nothing_failed_nothing_listed() -> None:
    assert "## " not in told([Result(ONE, "passed", "")], RUN)
