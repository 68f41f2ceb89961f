"""OVN_Northbound, read and written by OVSDB: keys and rows as `schema` has them."""

import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from netweft.plugins.mechanisms.database import Remote, from_map, from_set, to_map
from netweft.plugins.mechanisms.ovn.schema import KEY, ORDER, TABLES, As, Columns, row, table_of
from netweft.reconcile.plan import Step

Operation = dict[str, Any]
# What others write while we do is not noticed (`Remote`): so all is read again now and then.
HOLDS_SECONDS: Final = 30.0
_UUID: Final = "uuid:"  # a row that is not ours, on which one of ours hangs by somebody's hand
_BESIDE: Final = ","  # rows on which one hangs, by somebody's hand more than one


class Northbound:
    def __init__(self, remote: str, changed: Callable[[], None], tls: ssl.SSLContext | None = None) -> None:
        watched = {table: ("external_ids", *_columns(table)) for table in TABLES}
        self._remote = Remote(remote, "OVN_Northbound", watched, self._is_news, tls=tls)
        self._changed = changed
        self._uuids: dict[str, str] = {}  # key -> row
        self._there: dict[str, Columns] = {}  # as it was read last, with what we wrote since
        self._holds_until = 0.0

    def _is_news(self) -> None:
        self._holds_until = 0.0
        self._changed()

    async def read(self, keys: Collection[str]) -> dict[str, Columns]:
        """All that carries our mark, whatever is asked for.  What is known holds until somebody else writes, of which
        OVSDB tells: most turns read nothing.  Raises Unreachable."""
        if _clock() >= self._holds_until:
            self._holds_until = _clock() + HOLDS_SECONDS  # before: news may come while it is read
            try:
                self._there = await self._read()
            except BaseException:
                self._holds_until = 0.0
                raise
        return dict(self._there)

    async def _read(self) -> dict[str, Columns]:
        tables = await self._remote.select({table: ("_uuid", "external_ids", *_columns(table)) for table in TABLES})
        names, parents = _named(tables), defaultdict[str, set[str]](set)
        for spec in TABLES.values():
            if spec.parent is not None:
                for one in tables[spec.parent[0]]:
                    for child in from_set(one[spec.parent[1]]):
                        uuid = one["_uuid"][1]
                        parents[child[1]].add(names.get(uuid, f"{_UUID}{uuid}"))
        self._uuids = {key: uuid for uuid, key in names.items()}
        found = {}
        for table, rows in tables.items():
            for one in rows:
                uuid = one["_uuid"][1]
                if key := names.get(uuid):
                    columns = {name: _read(one[name], kind, names) for name, kind in TABLES[table].columns.items()}
                    found[key] = row(columns, _BESIDE.join(sorted(parents[uuid])))
        return found

    async def apply(self, steps: Sequence[Step]) -> dict[str, str]:
        """All in one transaction; when that is refused, each by itself, so that it is known which is the trouble.
        Raises Unreachable."""
        ordered = in_order(steps)
        refused = await self._transact(ordered)
        if not refused or len(ordered) == 1:
            return {str(step.key): refused for step in ordered} if refused else {}
        failed = {str(step.key): await self._transact([step]) for step in ordered}
        return {key: why for key, why in failed.items() if why}

    async def close(self) -> None:
        await self._remote.close()

    async def _transact(self, steps: Sequence[Step]) -> str:
        """Why not; empty when it is done."""
        written = Writing(self._uuids)
        for step in steps:
            written.take(step)
        try:
            answers, refused = await self._remote.transact(written.operations)
        except BaseException:
            self._holds_until = 0.0  # it may have been written
            raise
        if refused:
            return refused
        self._uuids |= {key: answers[at]["uuid"][1] for key, at in written.inserted.items()}
        for key in written.deleted:
            self._uuids.pop(key, None)
        for step in steps:
            if step.now is None:
                self._there.pop(str(step.key), None)
            else:
                self._there[str(step.key)] = step.now
        return ""


class Writing:
    """The operations of one transaction.  What is inserted in it can be named in it."""

    def __init__(self, uuids: Mapping[str, str]) -> None:
        self._uuids = uuids
        self.operations: list[Operation] = []
        self.inserted: dict[str, int] = {}
        self.deleted: list[str] = []

    def take(self, step: Step) -> None:
        key = str(step.key)
        if step.now is None:
            self._delete(key, step.was)
        elif key in self._uuids:
            self._update(key, step.was or {}, step.now)
        else:
            self._insert(key, step.now)

    def _insert(self, key: str, now: Columns) -> None:
        table = table_of(key)
        self.inserted[key] = len(self.operations)
        values: Operation = {"external_ids": to_map({KEY: key})}
        values |= {name: self._value(kind, now[name]) for name, kind in TABLES[table].columns.items() if name in now}
        self.operations.append({"op": "insert", "table": table, "row": values, "uuid-name": self._name(key)})
        self._hang(key, now.get("in", ""), "insert")

    def _update(self, key: str, was: Columns, now: Columns) -> None:
        spec, values, mutations = TABLES[table_of(key)], Operation(), list[Any]()
        for name, kind in spec.columns.items():
            if was.get(name) == now.get(name):
                continue
            if kind is As.REFS:  # the difference: a group may have thousands of ports
                before, after = set(was.get(name) or ()), set(now.get(name) or ())
                mutations += [
                    [name, verb, ["set", self._refs(keys)]]
                    for verb, keys in (("delete", before - after), ("insert", after - before))
                    if keys
                ]
            elif kind is As.ENTRIES:
                mutations += _entries(name, was.get(name) or {}, now.get(name) or {})
            else:
                values[name] = self._value(kind, now.get(name))
        where = [["_uuid", "==", ["uuid", self._uuids[key]]]]
        if values:
            self.operations.append({"op": "update", "table": table_of(key), "where": where, "row": values})
        if mutations:
            self.operations.append({"op": "mutate", "table": table_of(key), "where": where, "mutations": mutations})
        if was.get("in", "") != now.get("in", ""):
            hung = set(was.get("in", "").split(_BESIDE))
            for parent in hung - {now.get("in", "")}:
                self._hang(key, parent, "delete")
            if now.get("in", "") not in hung:
                self._hang(key, now.get("in", ""), "insert")

    def _delete(self, key: str, was: Columns) -> None:
        """What hangs on another row goes when it no longer does."""
        if key not in self._uuids:
            return
        self.deleted.append(key)
        if TABLES[table_of(key)].parent is not None:
            for parent in (was or {}).get("in", "").split(_BESIDE):
                self._hang(key, parent, "delete")
        else:
            where = [["_uuid", "==", ["uuid", self._uuids[key]]]]
            self.operations.append({"op": "delete", "table": table_of(key), "where": where})

    def _hang(self, key: str, parent: str, verb: str) -> None:
        spec = TABLES[table_of(key)]
        if not parent or spec.parent is None:
            return
        table, column = spec.parent
        if (ref := self._ref(parent)) is None or (own := self._ref(key)) is None:
            return
        where = [["_uuid", "==", ref]]
        mutation = [column, verb, ["set", [own]]]
        self.operations.append({"op": "mutate", "table": table, "where": where, "mutations": [mutation]})

    def _ref(self, key: str) -> list[str] | None:
        if key.startswith(_UUID):
            return ["uuid", key.removeprefix(_UUID)]
        if key in self.inserted:
            return ["named-uuid", self._name(key)]
        return ["uuid", self._uuids[key]] if key in self._uuids else None

    def _refs(self, keys: Iterable[str]) -> list[Any]:
        """Of those that are there."""
        return [ref for key in sorted(keys) if (ref := self._ref(key)) is not None]

    def _name(self, key: str) -> str:
        return f"row{self.inserted[key]}"

    def _value(self, kind: As, value: Any) -> Any:
        if kind is As.REFS:
            return ["set", self._refs(value or ())]
        if kind in (As.MAP, As.ENTRIES):
            return to_map(value or {})
        if kind is As.SET:
            return ["set", list(value or ())]
        if value is None:
            return ["set", []] if kind is As.OPTIONAL else ""
        return value


def _entries(column: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterable[list[Any]]:
    """What is there is not replaced by an insertion (RFC 7047, 5.1): it goes first."""
    gone = sorted(key for key, value in was.items() if now.get(key) != value)
    new = {key: value for key, value in now.items() if was.get(key) != value}
    if gone:
        yield [column, "delete", ["set", gone]]
    if new:
        yield [column, "insert", to_map(new)]


def in_order(steps: Iterable[Step]) -> list[Step]:
    """What others hang on, or name, is made before them and goes after them."""
    rank = {table: at for at, table in enumerate(ORDER)}
    made: list[Step] = []
    gone: list[Step] = []
    for step in sorted(steps, key=lambda step: (rank[table_of(str(step.key))], str(step.key))):
        (gone if step.now is None else made).append(step)
    return [*made, *reversed(gone)]


def _named(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """uuid -> key.  A row with the mark of another, or with one that no such row can have, gets a key that nobody
    wants: somebody's copy, or what a server wrote that had been away while another took over."""
    names, taken = dict[str, str](), set[str]()
    for table, rows in tables.items():
        for one in sorted(rows, key=lambda one: str(one["_uuid"][1])):
            if key := from_map(one["external_ids"]).get(KEY):
                uuid = one["_uuid"][1]
                is_its = key not in taken and table_of(key) == table
                names[uuid] = key if is_its else f"{table} {_UUID}{uuid}"
                taken.add(key)
    return names


def _columns(table: str) -> tuple[str, ...]:
    """Those that are read: ours, and by which others hang on the row."""
    children = [spec.parent[1] for spec in TABLES.values() if spec.parent is not None and spec.parent[0] == table]
    return (*TABLES[table].columns, *children)


def _read(value: Any, kind: As, names: Mapping[str, str]) -> Any:
    if kind in (As.MAP, As.ENTRIES):
        return from_map(value)
    if kind is As.SET:
        return from_set(value)
    if kind is As.REFS:
        return [names[ref[1]] for ref in from_set(value) if ref[1] in names]
    if kind is As.OPTIONAL:
        return next(iter(from_set(value)), None)
    return value


_clock = time.monotonic
