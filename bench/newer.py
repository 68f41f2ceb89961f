#!/usr/bin/env python3
"""`netweft` of another version: a table more at the front of our bridges, so that every table has another number."""

from typing import Any

from netweft.services import tables
from netweft.services.tables import OTHERS, Pipeline, Table

_of = Pipeline.of


def _with_one_more(role: str, about: str, *listed: Table) -> Pipeline:
    if listed[0].miss == OTHERS:
        return _of(role, about, *listed)
    return _of(role, about, Table("newer", "nothing yet", frozenset(), miss=listed[0].name), *listed)


if __name__ == "__main__":
    patched: Any = tables.Pipeline
    patched.of = _with_one_more
    from netweft.cli.main import main

    main()
