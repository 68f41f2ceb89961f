"""SQL on its way to the database: written with SQLAlchemy, compiled once a dialect, and given to the driver as it is.

What is looked up many times in a request costs what the database takes for it, and little more (decision 0320).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import msgspec
from sqlalchemy import JSON, Boolean, ClauseElement, ColumnElement, Engine, Select, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.operators import OperatorType

from netweft.store.schema import Json

Row = tuple[Any, ...]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Among(ColumnElement[bool]):
    """A column's value is one of a parameter's, however many these are: the SQL is the same."""

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column, self.values = column, bindparam(name, type_=ARRAY(Text))

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Among others, as it is: for SQLite it would be compared with 1, which no index is used for."""
        return self


@compiles(Among, "sqlite")
def _among_json(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in (element.column, element.values))
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(Among, "postgresql")
def _among_array(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in (element.column, element.values))
    return f"{column} = ANY ({values})"


class _Compiled(NamedTuple):
    """fixed: parameters that stand in the statement.  encoded, decoded: parameters and columns that are JSON here."""

    sql: str
    fixed: Mapping[str, Any]
    encoded: Sequence[str]
    decoded: Sequence[int]


class Statement:
    """The same SQL each time; only its parameters differ."""

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause
        self._compiled: dict[str, _Compiled] = {}

    def on(self, dialect: Dialect) -> _Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compile(self._clause, dialect)
        return found


def _compile(clause: ClauseElement, dialect: Dialect) -> _Compiled:
    compiled = clause.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    in_text, out_of_text = ((Json, JSON), (Json, JSON)) if dialect.name == "postgresql" else ((Json, JSON, ARRAY), Json)
    columns = clause.selected_columns if isinstance(clause, Select) else ()
    return _Compiled(
        str(compiled),
        {name: value for name, value in compiled.params.items() if value is not None},
        [name for name, bind in compiled.binds.items() if isinstance(bind.type, in_text)],
        [at for at, column in enumerate(columns) if isinstance(column.type, out_of_text)],
    )


class Connection:
    """The database, within one transaction."""

    def __init__(self, driver: Any, dialect: Dialect) -> None:
        self._cursor = driver.cursor()
        self._dialect = dialect
        self.driver = dialect.loaded_dbapi
        self.is_postgresql = dialect.name == "postgresql"

    def rows(self, statement: Statement, **parameters: Any) -> list[Row]:
        compiled = statement.on(self._dialect)
        found: list[Row] = self._cursor.execute(compiled.sql, _given(compiled, parameters)).fetchall()
        for at in compiled.decoded:
            found = [(*row[:at], _decode(row[at]), *row[at + 1 :]) for row in found]
        return found

    def first(self, statement: Statement, **parameters: Any) -> Row | None:
        return next(iter(self.rows(statement, **parameters)), None)

    def column(self, statement: Statement, **parameters: Any) -> list[Any]:
        return [value for (value,) in self.rows(statement, **parameters)]

    def parts(self, statement: Statement, size: int, *, backwards: bool, **parameters: Any) -> Iterator[list[Any]]:
        """A column's values, so many at a time.  They are all fetched at once, and decoded on use."""
        compiled = statement.on(self._dialect)
        rows: list[Row] = self._cursor.execute(compiled.sql, _given(compiled, parameters)).fetchall()
        if backwards:
            rows.reverse()
        decode: Callable[[Any], Any] = _decode if compiled.decoded else _as_it_is
        return ([decode(value) for (value,) in rows[at : at + size]] for at in range(0, len(rows), size))

    def scalar(self, statement: Statement, **parameters: Any) -> Any:
        """None: there is no row, or no value."""
        row = self.first(statement, **parameters)
        return row[0] if row else None

    def run(self, statement: Statement, *each: Mapping[str, Any]) -> int:
        """How many rows were changed, with all of these parameters together."""
        compiled = statement.on(self._dialect)
        if len(each) > 1:
            self._cursor.executemany(compiled.sql, [_given(compiled, parameters) for parameters in each])
        else:
            self._cursor.execute(compiled.sql, _given(compiled, *each))
        return int(self._cursor.rowcount)


def _as_it_is(value: Any) -> Any:
    return value


def _given(compiled: _Compiled, parameters: Mapping[str, Any] = {}) -> Mapping[str, Any]:
    if not compiled.fixed and not compiled.encoded:
        return parameters
    encoded = {name: _encode(parameters[name]).decode() for name in compiled.encoded}
    return {**compiled.fixed, **parameters, **encoded}


@contextmanager
def transaction(engine: Engine, *, writing: bool) -> Iterator[Connection]:
    """Committed when the block ends; after an exception the pool rolls it back."""
    pooled = engine.raw_connection()
    try:
        driver: Any = pooled.dbapi_connection
        if engine.dialect.name == "postgresql":
            repeatable = engine.dialect.loaded_dbapi.IsolationLevel.REPEATABLE_READ
            driver.isolation_level = None if writing else repeatable
            driver.read_only = None if writing else True
        else:
            # a deferred transaction that turns from reading to writing fails at once when another one wrote meanwhile
            driver.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
        yield Connection(driver, engine.dialect)
        driver.commit()
    finally:
        pooled.close()
