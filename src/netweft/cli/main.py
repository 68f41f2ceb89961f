"""The `netweft` command: where errors become text, and no traceback is printed but with NETWEFT_DEBUG=1.

An agent that a service manager starts has no option but its file, and does not wait for the library that
reads command lines.
"""

import os
import sys
from pathlib import Path

from netweft.cli.errors import CommandError


def main(arguments: list[str] | None = None) -> None:
    """Never returns: ends the process with 0, 1 (it did not work) or 2 (wrong usage)."""
    try:
        sys.exit(_called(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except CommandError as error:
        _fail(str(error))
    except BrokenPipeError:
        # the reader of our output is gone (`| head`); nothing is left to be flushed into the closed pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("NETWEFT_DEBUG"):
            raise
        _fail(f"{type(error).__name__}: {error} (NETWEFT_DEBUG=1 shows where)")


def _called(arguments: list[str]) -> int:
    match arguments:
        case ["agent", "--config", path] if not path.startswith("-"):
            from netweft import bundled

            bundled.use()
            from netweft.cli.agent_start import start_by

            start_by(Path(path))
            return 0
    from netweft.cli.commands import called

    return called(arguments)


def _fail(message: str, status: int = 1) -> None:
    from netweft.cli.printing import printable

    print(printable(f"netweft: {' '.join(message.split())}"), file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
