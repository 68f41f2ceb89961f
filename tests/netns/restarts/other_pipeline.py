"""`netweft` as another version of it: its integration bridge has a table more in front, so all others have other ids.

A script; the words after it are netweft's.
"""

import importlib.util
import sys
from pathlib import Path

NAME = "netweft.services.integration_tables"
FRONT = '    Table(\n        "priority_tag",'
MORE = """    Table(
        "admission",
        "of a version to come",
        match=fields("in_port"),
        next=("priority_tag",),
        miss="priority_tag",
    ),
"""


def install() -> None:
    """Before anything else imports the pipeline."""
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text()
    assert source.count(FRONT) == 1
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    exec(compile(source.replace(FRONT, MORE + FRONT), spec.origin, "exec"), module.__dict__)


if __name__ == "__main__":
    install()
    from netweft.cli.main import main

    main()
