"""Checks of what each role needs of a host.  Pure."""

from collections.abc import Iterator

from netweft.doctor import codes
from netweft.doctor.facts import Facts, Place
from netweft.doctor.results import Found

OLDEST_PYTHON = (3, 11)
FEW_FILES = {"server": 4096, "agent": 1024}
NEEDED = frozenset({"net_admin", "net_raw", "dac_override"})
CLOCK_SECONDS = 5.0


def settings(facts: Facts) -> Iterator[Found]:
    for role, problem in facts.settings.items():
        yield Found(codes.SETTINGS_WRONG, problem, {"role": role})


def python(facts: Facts) -> Iterator[Found]:
    if facts.host.python < OLDEST_PYTHON:
        yield Found(codes.PYTHON_OLD, ".".join(map(str, facts.host.python)))


def packages(facts: Facts) -> Iterator[Found]:
    if facts.host.missing:
        names = " ".join(facts.host.missing)
        yield Found(codes.PACKAGES_MISSING, names, {"names": names})


def open_files(facts: Facts) -> Iterator[Found]:
    for role, limit in facts.host.open_files.items():
        if limit < FEW_FILES[role]:
            yield Found(codes.OPEN_FILES_FEW, f"{role}: {limit}", {"role": role})


def clock(facts: Facts) -> Iterator[Found]:
    if facts.host.clock_kept is False:
        yield Found(codes.CLOCK_NOT_KEPT)
    for url, asked in (facts.agent.servers if facts.agent else {}).items():
        if asked.behind is not None and abs(asked.behind) > CLOCK_SECONDS:
            word = "behind" if asked.behind > 0 else "ahead of"
            yield Found(codes.CLOCK_WRONG, f"{abs(asked.behind):.0f} s {word} {url}")


def capabilities(facts: Facts) -> Iterator[Found]:
    lacking = NEEDED - facts.host.capabilities
    if facts.agent and lacking:
        yield Found(codes.CAPABILITIES_MISSING, ", ".join(f"CAP_{name.upper()}" for name in sorted(lacking)))


def folders(facts: Facts) -> Iterator[Found]:
    own = [one.state_dir for one in (facts.server, facts.agent) if one]
    for place in [*own, *([facts.agent.socket_dir] if facts.agent else [])]:
        if place.problem:
            yield Found(codes.FOLDER_UNUSABLE, f"{place.path}: {place.problem}", {"path": place.path})
    for place in own:
        if not place.problem and place.open_to_all:
            yield Found(codes.FOLDER_OPEN, place.path, {"path": place.path})


def secrets(facts: Facts) -> Iterator[Found]:
    places: list[Place] = [*(facts.server.secrets if facts.server else ())]
    for place in [*places, *([facts.agent.token] if facts.agent else [])]:
        if place.problem and facts.agent and place is facts.agent.token:
            values = {"node": facts.agent.wanted.node, "path": place.path}
            yield Found(codes.TOKEN_MISSING, f"{place.path}: {place.problem}", values)
        elif place.problem:
            yield Found(codes.SECRET_UNREADABLE, f"{place.path}: {place.problem}", {"path": place.path})
        elif place.open_to_all:
            yield Found(codes.SECRET_OPEN, place.path, {"path": place.path})
