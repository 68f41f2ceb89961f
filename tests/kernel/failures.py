"""A plugin for pytest: why a test fails is said as it fails, so that a run that is ended early has told it."""

import pytest

MOST = 3000  # characters of what the test itself has printed


class Failures:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """After the line that says FAILED."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.write_line(f"\n{report.longreprtext}\n{report.capstdout[-MOST:]}\n{report.capstderr[-MOST:]}")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Failures(config))
