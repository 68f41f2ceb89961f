"""Switches driven by SSH: one kept connection, what is said is the dialect's.

Nothing that is said or heard is logged; of a refusal only the line that refused, which holds no password since none is
ever in a line.  asyncssh is imported only where there is such a switch (decision 0622).
"""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import asyncssh
import structlog

from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.switches import login
from netweft.plugins.mechanisms.switches.acl_lines import AclState, CannotSay
from netweft.plugins.mechanisms.switches.acls import is_acl
from netweft.plugins.mechanisms.switches.dialect import Dialect, after
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.login import ANSWER_SECONDS, WORDS
from netweft.plugins.mechanisms.switches.spelling import Spelling
from netweft.reconcile.plan import Step

PORT: Final = 22
_PROMPT: Final = re.compile(r"(?:^|[\r\n])[^\r\n]{0,120}[>#$%\]] ?$")
_PROMPT_NAME: Final = re.compile(
    r"[\[<({~*]*([\w@-]{1,16})"
)  # what all prompts of a session begin with, long ones cut short
_PASSWORD: Final = re.compile(r"[Pp]assword: ?$")
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")
_DONE: Final = "netweft-step"
_OVER: Final = "netweft-over"
LARGEST: Final = 8 << 20  # characters of one answer: no configuration is nearly as long

log = structlog.get_logger(__name__)


class SshSwitch:
    def __init__(self, dialect: Dialect, switch: Switch, changed: Callable[[], None]) -> None:
        """Raises SettingsError."""
        self._dialect, self._switch = dialect, switch
        self.ways = dialect.ways
        self._refused = re.compile(dialect.refused)
        self._options = login.options(switch, PORT)
        self._connection: asyncssh.SSHClientConnection | None = None
        self._terminal: _Terminal | None = None
        self._shell: _Shell | None = None
        self._turn = asyncio.Lock()
        # what it said lately, with what we have done since
        self._said: dict[str, Any] | None = None

    async def read(self, keys: Collection[str], *, anew: bool) -> Mapping[str, Any]:
        async with self._turn:
            found = await self._look() if anew or self._said is None else self._said
        return self._dialect.having(found, keys)

    def commands(self, steps: Sequence[Step]) -> list[str]:
        if not steps:
            return []
        there, said = self._said or {}, list[str]()
        spelling = self._dialect.spelling(there, [str(step.key) for step in steps])
        for step in steps:
            said += self._said_of(step, AclState({}, {}), spelling, there)
            there = after([spelling.of_theirs(step)], there)
        said += self._dialect.idle(steps, self._switch, self._said or {})
        return [*self._dialect.enter, *said, *self._dialect.commit, *self._dialect.leave, *self._saving()]

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        async with self._turn:
            if self._said is None and self._dialect.looks(steps):
                await self._look()
            steps = self._left(steps)
            if not steps:
                return {}
            found = self._said or {}
            spelling = self._dialect.spelling(found, [str(step.key) for step in steps])
            refused = await (self._script if self._dialect.how == "posix" else self._lines)(steps, spelling)
        if refused or any(is_acl(str(step.key)) for step in steps):
            self._said = None
        elif self._said is not None:
            self._said = after(map(spelling.of_theirs, steps), self._said)
        return refused

    def _left(self, steps: Sequence[Step]) -> list[Step]:
        """Without VLANs that are somebody else's by now, as far as is known once these are done."""
        there = after(steps, self._said or {})
        return [step for step in steps if not self._dialect.stays(step, there)]

    async def _look(self) -> dict[str, Any]:
        """An answer may be long: others of the server do not wait while it is understood."""
        self._said = await asyncio.to_thread(self._dialect.understand, await self._answer())
        return self._said

    async def _answer(self) -> str:
        commands = self._dialect.read["command"].strip()
        asked = [commands] if self._dialect.how == "posix" else commands.splitlines()
        return "\n".join([await self._ask(one) for one in asked])

    def shows(self, key: str, value: Mapping[str, Any], said: Any) -> bool:
        return self._dialect.acl.shows(key, value, said)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        self._terminal, self._shell = None, None
        self._said = None
        if connection is not None:
            connection.abort()
            await connection.wait_closed()

    def _saving(self) -> Sequence[str]:
        return self._dialect.save if self._switch.save_configuration else ()

    # -- a shell: one script

    async def _script(self, steps: Sequence[Step], spelling: Spelling) -> dict[str, str]:
        if self._dialect.program and len(steps) > 1:
            every = [line for step in steps for line in self._dialect.say(step, self._switch)]
            if not _failed(await self._execute(f"{self._dialect.at_once(every)} 2>&1; echo {_DONE} 0 $?\n"), 1):
                return {}
        text = ""
        for number, step in enumerate(steps):
            text += f"( {' && '.join(self._dialect.say(step, self._switch))} ) 2>&1; echo {_DONE} {number} $?\n"
        idle = self._dialect.idle(steps, self._switch, self._said or {})
        rest = " && ".join([*idle, *self._dialect.commit, *self._saving()])
        text += f"( {rest or ':'} ) 2>&1; echo {_DONE} {len(steps)} $?\n"
        failed = _failed(await self._execute(text), len(steps) + 1)
        words = failed.pop(len(steps), "")
        if words and self._dialect.abort:
            await self._execute("\n".join(self._dialect.abort))
        refused = {str(steps[number].key): said for number, said in failed.items()}
        return refused | (dict.fromkeys((str(step.key) for step in steps), words) if words else {})

    async def _execute(self, text: str) -> str:
        """In one shell that is kept: a channel and a login shell for each command take longer than most commands."""
        connection = await self._connected()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._shell is None:
                    self._shell = await self._opened(connection)
                return await self._shell.run(text)
        except (OSError, asyncssh.Error, TimeoutError, EOFError) as error:
            raise await self._lost(error) from None

    async def _opened(self, connection: asyncssh.SSHClientConnection) -> "_Shell":
        secret = self._switch.option("secret") if self._dialect.sudo else ""
        if secret and (await connection.run("sudo -n true")).exit_status == 0:
            secret = ""  # nobody would read it but the shell
        command = "sudo -S -p '' sh" if secret else "sh"
        process = await connection.create_process(command, encoding="utf-8", errors="replace", stderr=asyncssh.DEVNULL)
        if secret:
            process.stdin.write(f"{secret}\n")
        return _Shell(process)

    # -- a command line: line by line

    async def _lines(self, steps: Sequence[Step], spelling: Spelling) -> dict[str, str]:
        refused: dict[str, str] = {}
        lists, there = AclState({}, {}), self._said or {}
        if any(is_acl(str(step.key)) for step in steps):  # the names of what is there now are in no step
            lists = self._dialect.acl.understand(await self._answer())
            lists = AclState(spelling.ours(lists.bound, steps), lists.lists)
        await self._begin()
        for step in steps:
            try:
                words = await self._say(self._said_of(step, lists, spelling, there))
            except CannotSay as error:
                words = str(error)
            if words:
                refused[str(step.key)] = words
                await self._again()
            else:
                there = after([spelling.of_theirs(step)], there)
        if words := await self._say([*self._dialect.idle(steps, self._switch, there), *self._dialect.commit]):
            await self._say(self._dialect.abort)
            refused = dict.fromkeys((str(step.key) for step in steps), words)
        await self._say(self._dialect.leave)
        if words := await self._say(self._saving()):
            log.warning("a switch does not save its configuration", switch=self._switch.name, problem=words)
        return refused

    async def _begin(self) -> None:
        """Raises Unreachable where the device lets nobody configure it now, such as while somebody else does."""
        if words := await self._say(self._dialect.enter):
            await self._say(self._dialect.leave)
            raise Unreachable(f"{self._address}: {words}")

    async def _again(self) -> None:
        """After a line that was refused, wherever that was: what comes next is said at the top."""
        if not self._dialect.commit:
            await self._say(self._dialect.leave)
            await self._begin()

    def _said_of(self, step: Step, lists: AclState, spelling: Spelling, there: Mapping[str, Any]) -> list[str]:
        """Raises CannotSay."""
        if is_acl(str(step.key)):
            return self._dialect.acl.say(str(step.key), step.now, lists)
        step = spelling.of_theirs(step)
        return [*self._dialect.opens(step, self._switch, there), *self._dialect.say(step, self._switch)]

    async def _say(self, lines: Sequence[str]) -> str:
        """Until one is refused: its words."""
        for line in lines:
            answer = await self._ask(line)
            if words := next(filter(self._refused.search, answer.splitlines()), ""):
                return words.strip()[:WORDS]
        return ""

    async def _ask(self, line: str) -> str:
        if self._dialect.how == "posix":
            return await self._execute(line)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await (await self._at_prompt()).ask(line)
        except (OSError, asyncssh.Error, TimeoutError, EOFError) as error:
            raise await self._lost(error) from None

    async def _at_prompt(self) -> "_Terminal":
        connection = await self._connected()
        if self._terminal is None:
            process = await connection.create_process(term_type="vt100", term_size=(511, 1000), encoding="utf-8",
                                                      errors="replace")  # fmt: skip
            terminal = _Terminal(process)
            await terminal.greet()
            if self._dialect.enable and (secret := self._switch.option("secret")):
                await terminal.ask("enable", until=_PASSWORD)
                await terminal.ask(secret)
            for line in self._dialect.first:
                await terminal.ask(line)
            self._terminal = terminal
        return self._terminal

    # -- the connection

    async def _connected(self) -> asyncssh.SSHClientConnection:
        if self._connection is None or self._connection.is_closed():
            self._terminal, self._shell = None, None
            try:
                self._connection = await asyncssh.connect(**self._options)
            except (OSError, asyncssh.Error, TimeoutError, ValueError) as error:
                raise await self._lost(error) from None
        return self._connection

    async def _lost(self, error: BaseException) -> Unreachable:
        await self.close()
        return Unreachable(f"{self._address}: {login.why(error)}")

    @property
    def _address(self) -> str:
        return f"{self._options['host']}:{self._options['port']}"


class _Shell:
    """What is run and what it prints, up to a line that says that it is over."""

    def __init__(self, process: "asyncssh.SSHClientProcess[str]") -> None:
        self._process = process

    async def run(self, text: str) -> str:
        """Raises EOFError, OSError."""
        self._process.stdin.write(f"{{\n{text}\n}} </dev/null\necho\necho {_OVER}\n")
        end = f"\n{_OVER}\n"
        said = await _heard(self._process, lambda tail: tail.endswith(end))
        return said.removesuffix(end)


class _Terminal:
    """What is typed and what comes back, up to the next prompt."""

    def __init__(self, process: "asyncssh.SSHClientProcess[str]") -> None:
        self._process = process
        self._prompt = _PROMPT

    async def greet(self) -> None:
        """Learns the prompt: a line of an answer that only looks like one is none.  Raises EOFError, OSError."""
        await self.wait(_PROMPT)
        self._process.stdin.write("\n")
        if name := _PROMPT_NAME.match((await self.wait(_PROMPT)).split("\n")[-1]):
            self._prompt = re.compile(rf"(?:^|\n)[\[<({{~*]{{0,3}}{re.escape(name[1])}[^\n]{{0,120}}[>#$%\]] ?$")

    async def ask(self, line: str, until: re.Pattern[str] | None = None) -> str:
        """The answer, without what was typed and the prompt."""
        self._process.stdin.write(f"{line}\n")
        text = await self.wait(until or self._prompt)
        return "\n".join(text.split("\n")[1:-1])

    async def wait(self, until: re.Pattern[str]) -> str:
        """Raises EOFError, OSError."""
        heard = await _heard(self._process, lambda tail: until.search(_CONTROL.sub("", tail)[-200:]) is not None)
        return _CONTROL.sub("", heard)


async def _heard(process: "asyncssh.SSHClientProcess[str]", is_over: Callable[[str], bool]) -> str:
    """is_over: of the last characters.  Raises EOFError, OSError where it never ends."""
    said, size, tail = list[str](), 0, ""
    while not is_over(tail):
        if not (more := await process.stdout.read(65536)):
            raise EOFError
        if (size := size + len(more)) > LARGEST:
            raise OSError(f"its answer has more than {LARGEST >> 20} MiB")
        said.append(more)
        tail = (tail + more)[-400:]
    return "".join(said)


def _failed(answer: str, count: int) -> dict[int, str]:
    """step -> its words.  A step without an end has failed as well: the script was cut off."""
    failed = dict.fromkeys(range(count), "the shell ended before it was done")
    said: list[str] = []
    for line in answer.splitlines():
        if not line.startswith(f"{_DONE} "):
            said.append(line.strip())
            continue
        number, status = (int(word) for word in line.split()[1:3])
        del failed[number]
        if status:
            failed[number] = (" ".join(filter(None, said)) or f"exit status {status}")[:WORDS]
        said = []
    return failed
