"""docs/doctor.md out of the table of codes: `python -m netweft.doctor.codes_doc > docs/doctor.md`."""

from collections.abc import Iterator

from netweft.doctor.codes import CODES


def document() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# What doctor finds"
    yield ""
    yield "Generated from `doctor/codes.py` (`python -m netweft.doctor.codes_doc > docs/doctor.md`)."
    yield "What [`netweft doctor`](operate.md) finds has one of these codes; a code never changes its meaning."
    yield ""
    yield "*Blocks*: the exit code is 1. Words in braces are filled in; those in capitals are for you to choose."
    yield ""
    yield "| code | meaning | blocks | fix |"
    yield "|---|---|---|---|"
    for code in CODES:
        fix = code.fix.replace("|", "\\|")
        yield f"| `{code.code}` | {code.meaning} | {'yes' if code.blocks else 'no'} | `{fix}` |"


if __name__ == "__main__":
    print(document(), end="")
