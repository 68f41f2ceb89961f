"""STT's packets as they are on the wire: read by the functions that carry them."""

import shutil

import pytest

from netweft.dataplane.stt import built


def test_it_is_built_where_there_is_a_compiler() -> None:
    if not shutil.which("gcc"):
        pytest.skip("there is no compiler")
    assert built.library() is not None, "run scripts/install.sh test"
