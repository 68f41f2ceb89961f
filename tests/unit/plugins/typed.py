"""A command line behind a real SSH server that answers as a test says, for tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncssh
from tests.unit.plugins.cli_switch import Login


class Typed:
    """greeting: before anything is typed.  answer: to a line, with the prompt after it; None: it hangs up.
    heard: all lines."""

    def __init__(self, greeting: str, answer: Callable[[str], str | None]) -> None:
        self._greeting, self._answer = greeting, answer
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.heard: list[str] = []
        self.port = 0
        self.session: Callable[[asyncssh.SSHServerProcess[str]], Awaitable[None]] = self._session

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        connections = list[asyncssh.SSHServerConnection]()
        server = await asyncssh.create_server(
            lambda: Login(connections),
            "127.0.0.1",
            self.port,
            server_host_keys=[self.key],
            process_factory=self.session,
            line_editor=False,
        )
        self.port = server.get_port()
        try:
            yield
        finally:
            server.close()
            await server.wait_closed()
            for one in connections:
                one.abort()
                await one.wait_closed()

    async def _session(self, process: "asyncssh.SSHServerProcess[str]") -> None:
        process.stdout.write(self._greeting)
        while line := await process.stdin.readline():
            self.heard.append(line.strip())
            if (answer := self._answer(line.strip())) is None:
                process.exit(0)
                return
            process.stdout.write(f"{line.strip()}\r\n{answer}")
