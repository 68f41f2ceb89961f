"""Checks of what a server needs: its database, where it listens, who tells it of users.  Pure."""

from collections.abc import Iterator

from netweft.doctor import codes
from netweft.doctor.facts import Facts
from netweft.doctor.results import Found


def database(facts: Facts) -> Iterator[Found]:
    if facts.server is None:
        return
    found = facts.server.database
    if found.problem:
        yield Found(codes.DATABASE_UNREACHABLE, found.problem)
    elif found.schema > found.newest or (found.schema and not found.schema.isdigit()):
        yield Found(codes.DATABASE_NEWER, f"schema {found.schema}, known up to {found.newest}")
    elif found.schema and found.schema < found.newest:
        yield Found(codes.DATABASE_OLDER, f"schema {found.schema}, newest {found.newest}")


def listen(facts: Facts) -> Iterator[Found]:
    for address, problem in (facts.server.listen if facts.server else {}).items():
        if problem:
            yield Found(codes.LISTEN_TAKEN, f"{address}: {problem}")


def keystone(facts: Facts) -> Iterator[Found]:
    if facts.server and facts.server.keystone:
        url, _, problem = facts.server.keystone.partition(" ")
        yield Found(codes.KEYSTONE_UNREACHABLE, f"{url}: {problem}", {"url": url})
