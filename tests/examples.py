"""How many examples a property is tried with: of what it says three fifths in `make test`, which is run often and takes
others each time, a fifth in `make check`, 20 times as many with `--hypothesis-profile=deep`."""

from hypothesis import settings

_ALL = 100

settings.register_profile("all", max_examples=_ALL * 3 // 5, deadline=None)
settings.register_profile("check", max_examples=_ALL // 5, deadline=None)
settings.register_profile("deep", max_examples=_ALL * 20, deadline=None)
settings.load_profile("all")


def examples(count: int) -> int:
    return max(1, count * settings().max_examples // _ALL)


def rounds(count: int) -> int:
    """Of a race: as many as it says, 20 times as many in a deep run."""
    return max(count, examples(count))
