"""What somebody does to a northbound database by hand: our rows copied, taken off, made by nobody; others' stay."""

import asyncio
import contextlib
import json
import random
import subprocess
from typing import Any

import pytest
from tests.ovs.test_ovn_northbound import connected, nbctl, pytestmark, remote, steps, wanted

from netweft.feed.mechanisms import steps as left
from netweft.plugins.mechanisms import Wanted
from netweft.plugins.mechanisms.ovn.northbound import Northbound
from netweft.plugins.mechanisms.ovn.schema import KEY, TABLES, key

__all__ = ["pytestmark", "remote"]
GROUP = key("Port_Group", "neutron_pg_drop")


def rows(remote: str, table: str) -> list[dict[str, Any]]:
    words = ("ovn-nbctl", f"--db={remote}", "--timeout=20", "--format=json", "--columns=_uuid,external_ids", "list")
    found = json.loads(subprocess.run((*words, table), capture_output=True, check=True).stdout)
    return [{"uuid": uuid[1], "ids": dict(ids[1])} for uuid, ids in found["data"]]


async def put_right(north: Northbound, want: dict[str, Any]) -> None:
    """As the follower's turns do, which own what carries our mark."""
    for _ in range(3):
        there = await north.read(want)
        todo = left({name: Wanted(value) for name, value in want.items()}, there, there.keys())
        if not todo:
            return
        assert not await north.apply(todo)
    raise AssertionError(f"three times, and still to do: {todo}")


def run(remote: str, by_hand: Any) -> None:
    """In place, then by hand, then right again."""

    async def work() -> None:
        want, news = wanted(), asyncio.Event()
        async with connected(remote, news.set) as north:
            await put_right(north, want)
            news.clear()
            await asyncio.to_thread(by_hand)
            with contextlib.suppress(TimeoutError):  # it may have come to nothing
                await asyncio.wait_for(news.wait(), 2)
            await asyncio.sleep(0.3)
            await put_right(north, want)
            assert await steps(north, want) == []

    asyncio.run(work())


def test_a_copy_of_a_row_of_ours_goes(remote: str) -> None:
    """An ACL that lets all in, with the mark of one of ours."""
    drop = next(name for name in wanted() if name.startswith(key("ACL", "neutron_pg_drop")))

    def copy() -> None:
        made = ("direction=to-lport", "priority=2000", "match=ip", "action=allow", f'external_ids:{KEY}="{drop}"')
        nbctl(remote, "--id=@a", "create", "ACL", *made, "--", "add", "Port_Group", "neutron_pg_drop", "acls", "@a")

    run(remote, copy)
    assert len([one for one in rows(remote, "ACL") if one["ids"].get(KEY) == drop]) == 1


def test_what_is_ours_by_its_mark_and_wanted_by_nobody_goes(remote: str) -> None:
    """As of a database of ours that was restored from yesterday."""
    old = key("Logical_Switch", "neutron-gone")
    run(remote, lambda: nbctl(remote, "create", "Logical_Switch", "name=neutron-gone", f'external_ids:{KEY}="{old}"'))
    assert [one["ids"][KEY] for one in rows(remote, "Logical_Switch")] == [key("Logical_Switch", "neutron-net-1")]


def test_what_has_no_mark_of_ours_stays(remote: str) -> None:
    run(remote, lambda: nbctl(remote, "ls-add", "theirs", "--", "lsp-add", "neutron-net-1", "their-port"))
    assert len(rows(remote, "Logical_Switch")) == 2
    assert [one for one in rows(remote, "Logical_Switch_Port") if not one["ids"]]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_done_to_it(remote: str, seed: int) -> None:
    """Rows deleted, their marks changed, and taken off what they hang on, at random."""
    chance = random.Random(seed)

    def hand() -> None:
        for _ in range(8):
            table = chance.choice(list(TABLES))
            if not (found := rows(remote, table)):
                continue
            one = chance.choice(found)["uuid"]
            spec = TABLES[table]
            kind = chance.choice(["clear", "mark", "off"])
            if kind == "mark":
                stolen = chance.choice([*wanted(), f"{table} of nobody", "no table at all"])
                nbctl(remote, "set", table, one, f'external_ids:{KEY}="{stolen}"')
            elif kind == "clear" and "options" in spec.columns:
                nbctl(remote, "clear", table, one, "options")
            elif spec.parent is None:
                nbctl(remote, "destroy", table, one)
            else:
                parent, column = spec.parent
                for other in rows(remote, parent):
                    nbctl(remote, "remove", parent, other["uuid"], column, one)

    run(remote, hand)


def test_two_servers_that_both_found_nothing_there_leave_each_row_once(remote: str) -> None:
    """One had been away while the other took over, and writes late."""
    want = wanted()

    async def work() -> None:
        async with connected(remote, lambda: None) as one, connected(remote, lambda: None) as late:
            todo = {north: await steps(north, want) for north in (one, late)}
            assert todo[one] == todo[late] != []
            assert not await one.apply(todo[one])
            await late.apply(todo[late])
            await asyncio.sleep(0.3)
            await put_right(one, want)

    asyncio.run(work())
    for table in TABLES:
        marks = [row["ids"][KEY] for row in rows(remote, table)]
        assert sorted(marks) == sorted(name for name in want if name.startswith(f"{table} "))
