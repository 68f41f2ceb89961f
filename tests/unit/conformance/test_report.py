"""The page of what came of OpenStack's own tests."""

from tests.conformance.report import Result, told

ONE = "tempest.api.network.test_routers.RoutersTest.test_show[id-1,smoke]"
TWO = "tempest.api.network.test_routers.RoutersTest.test_update[id-2]"


def test_each_outcome_is_told() -> None:
    page = told(
        [
            Result(ONE, "passed", ""),
            Result(TWO, "failed", "a trace\nof | lines\nBad request\nDetails: x"),
            Result("setUpClass (tempest.api.network.admin.test_metering.Labels)", "skipped", "metering not enabled."),
        ],
        "47.0.0",
        9,
    )
    assert "**1 passed, 1 failed, 1 skipped**" in page
    assert "| `test_routers` | 1 | 1 |  |\n" in page
    assert "| `test_metering` | 0 |  | 1 |\n" in page
    assert "| `test_routers.RoutersTest.test_update` | Bad request Details: x |\n" in page
    assert "| `admin.test_metering.Labels` | metering not enabled. |\n" in page


def test_nothing_failed_nothing_listed() -> None:
    assert "## " not in told([Result(ONE, "passed", "")], "47.0.0", 9)
