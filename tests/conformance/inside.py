"""Runs OpenStack's own API tests and says what became of each, a JSON line a test.  Run by the Python of their virtual
environment: `inside.py PACKAGE`, or a module or class of it, with tempest.conf in TEMPEST_CONFIG_DIR.  Standard library
and tempest, nothing else.
"""

import json
import sys
import traceback
import unittest
import warnings
from pathlib import Path
from typing import Any

from oslo_config import cfg
from tempest import config  # type: ignore[import-not-found]

warnings.simplefilter("ignore")  # its libraries' own


class Said(unittest.TestResult):
    """Hands on what each test comes to.  A class that is skipped whole is one line, named after it."""

    def _say(self, test: Any, outcome: str, reason: str = "") -> None:
        print(json.dumps({"test": test.id(), "outcome": outcome, "reason": reason}), flush=True)

    def addSuccess(self, test: Any) -> None:
        self._say(test, "passed")

    def addSkip(self, test: Any, reason: str) -> None:
        self._say(test, "skipped", reason)

    def addError(self, test: Any, err: Any) -> None:
        self._say(test, "failed", "".join(traceback.format_exception_only(*err[:2])))

    addFailure = addError


# Barbican's own plug-in would; Octavia's tests look whether it has
config.ServiceAvailableGroup.append(cfg.BoolOpt("barbican", default=False))


def _tests(name: str) -> unittest.TestSuite:
    """Of a package all, in its folders."""
    folder = Path(*name.split("."))
    top = next((Path(one) for one in sys.path if (Path(one) / folder).is_dir()), None)
    if top is None:
        return unittest.TestLoader().loadTestsFromName(name)
    return unittest.TestLoader().discover(str(top / folder), "test_*.py", str(top))


_tests(sys.argv[1]).run(Said())
