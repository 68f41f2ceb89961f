"""How many examples a property is tried with: as many as it says in `make test`, fewer in `make check`,
20 times as many with `--hypothesis-profile=deep`."""

from hypothesis import settings

_ALL = 100

settings.register_profile("all", max_examples=_ALL, deadline=None)
settings.register_profile("check", max_examples=_ALL // 5, deadline=None)
settings.register_profile("deep", max_examples=_ALL * 20, deadline=None)
settings.load_profile("all")


def examples(count: int) -> int:
    return max(1, count * settings().max_examples // _ALL)
