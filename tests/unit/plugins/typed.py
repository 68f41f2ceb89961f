"""A command line behind a real SSH server that answers as a test says, for tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncssh
from tests.unit.plugins.cli_switch import Session, served


class Typed:
    """greeting: before anything is typed.  answer: to a line, with the prompt after it; None: it hangs up.
    heard: all lines."""

    def __init__(self, greeting: str, answer: Callable[[str], str | None]) -> None:
        self._greeting, self._answer = greeting, answer
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.heard: list[str] = []
        self.port = 0
        self.session: Session = self._session

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with served(self.session, self.key, self.port) as self.port:
            yield

    async def _session(self, process: "asyncssh.SSHServerProcess[str]") -> None:
        process.stdout.write(self._greeting)
        while line := await process.stdin.readline():
            self.heard.append(line.strip())
            if (answer := self._answer(line.strip())) is None:
                process.exit(0)
                return
            process.stdout.write(f"{line.strip()}\r\n{answer}")
