"""Whether anybody answers an echo, with the kernel's own answers."""

import asyncio

import pytest

from netweft.dataplane.host.echo import anybody_answers

NOBODY = "192.0.2.1"  # TEST-NET-1 (RFC 5737)


@pytest.mark.root
@pytest.mark.parametrize("own", ["127.0.0.1", "::1"])
def test_one_that_answers_is_enough(own: str) -> None:
    others = [own] if ":" in own else [NOBODY, own]
    assert asyncio.run(anybody_answers(own, others, seconds=10))


def test_nobody_answers() -> None:
    assert not asyncio.run(anybody_answers("127.0.0.1", [NOBODY], seconds=0.05))


def test_an_address_that_is_not_here_asks_nobody() -> None:
    assert not asyncio.run(anybody_answers(NOBODY, ["127.0.0.1"], seconds=10))
