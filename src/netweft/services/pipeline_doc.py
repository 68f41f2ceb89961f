"""Writes `docs/pipeline.md` from the records: `python -m netweft.services.pipeline_doc > docs/pipeline.md`."""

from collections.abc import Iterator

from netweft.services import fields
from netweft.services.pipeline import DROP, PIPELINES, RECIRCULATIONS, Pipeline, Table

HEAD = """\
# The pipeline

Generated from `src/netweft/services/pipeline.py` and `fields.py`; a test checks that it is current.  Do not edit:
`python -m netweft.services.pipeline_doc > docs/pipeline.md`.
"""


def document() -> str:
    return "\n".join(
        (
            HEAD,
            *_fields(),
            *_recirculations(),
            *_epochs(),
            *(line for pipeline in PIPELINES.values() for line in _pipeline(pipeline)),
        )
    )


def _fields() -> Iterator[str]:
    yield "## Registers, zones, cookies\n"
    yield "```"
    yield (fields.__doc__ or "").strip()
    yield "```\n"
    yield "| reason in the cookie | number | the object is a |"
    yield "|---|---|---|"
    for reason in fields.Reason:
        yield f"| {reason.name.lower().replace('_', ' ')} | {reason.value} | {reason.kind or '–'} |"
    yield ""


def _recirculations() -> Iterator[str]:
    yield "## Recirculations\n"
    yield "| a packet | recirculations on a node |"
    yield "|---|---|"
    for path, times in RECIRCULATIONS.items():
        yield f"| {path} | {times} |"
    yield ""
    yield "Besides, in the userspace datapath a packet out of a tunnel passes the cache twice, whoever writes flows:"
    yield "as the tunnel's packet, then as what it carried (`tnl_pop`).  Patch ports cost nothing in the cache."
    yield ""


def _epochs() -> Iterator[str]:
    entries = [f"`{table}`" for pipeline in PIPELINES.values() for table in pipeline.tables.values() if table.entry]
    yield "## Epochs\n"
    yield f"A packet begins, or goes on when it has been tracked, in {', '.join(entries)}."
    yield "Each of them has one flow of reason `epoch`, at the highest priority, that no packet matches.  In"
    yield "every bundle that takes something away it moves to other bits of its field, which empties the cache:"
    yield "docs/decisions/0125."
    yield ""


def _pipeline(pipeline: Pipeline) -> Iterator[str]:
    yield f"## `{pipeline.role}`: {pipeline.about}\n"
    yield "| id | table | may match | may set | goes on to | a miss |"
    yield "|---|---|---|---|---|---|"
    for table in pipeline.tables.values():
        can = f"{_names(table.match)} | {_names(table.set)} | {_next(table)}"
        yield f"| {table.id} | `{table.name}` | {can} | {table.miss} |"
    yield ""
    for table in pipeline.tables.values():
        yield f"- **{table.name}**: {table.about}"
    yield ""


def _names(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "–"


def _next(table: Table) -> str:
    onward = [f"`{name}`" for name in table.next if name != DROP]
    return ", ".join([*onward, *(["a port"] if table.output else []), *(["the agent"] if table.agent else [])]) or "–"


if __name__ == "__main__":
    print(document(), end="")
