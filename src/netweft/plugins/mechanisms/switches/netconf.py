"""Switches driven by NETCONF: the candidate is locked, edited where that is valid, committed for now, and confirmed.

If we, the connection or the device's way to us are lost before the confirmation, the device itself goes back to what it
had (RFC 6241, 8.4).  What is written is the dialect's (`dialects.toml`), as for command lines; decision 0653.
"""

import asyncio
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import asyncssh

from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.switches import login, netconf_lines
from netweft.plugins.mechanisms.switches.acl_lines import AclState, CannotSay
from netweft.plugins.mechanisms.switches.acls import is_acl
from netweft.plugins.mechanisms.switches.dialect import Dialect, after
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.netconf_session import (
    NOTIFICATION,
    NetconfBroken,
    NetconfError,
    NetconfSession,
    element,
)
from netweft.plugins.mechanisms.switches.switch import refuse
from netweft.reconcile.plan import Step

PORT: Final = 830
CONFIRM_SECONDS: Final = 30
CONFIG_CHANGE: Final = "netconf-config-change"
# of an edit: validated before any of it is done (no step of its own: netconfd 2.13 commits nothing of what was
# validated by `validate`), and none of it is done where some of it can't be
_OPTIONS: Final = (
    ("test-option", "test-then-set", "validate"),
    ("error-option", "rollback-on-error", "rollback-on-error"),
)
CANDIDATE, RUNNING = "candidate", "running"


class NetconfSwitch:
    def __init__(self, dialect: Dialect, switch: Switch, changed: Callable[[], None]) -> None:
        """Raises SettingsError."""
        self._dialect, self._switch, self._changed = dialect, switch, changed
        self.ways = dialect.ways
        self._options = login.options(switch, PORT)
        self._target = _target(switch)
        self._confirm = _confirm_seconds(switch)
        self._connection: asyncssh.SSHClientConnection | None = None
        self._session: NetconfSession | None = None
        self._listening: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._said: dict[str, Any] | None = None  # what it said lately, with what we have done since
        self._lists = AclState({}, {})  # as it said

    async def read(self, keys: Collection[str], *, anew: bool) -> Mapping[str, Any]:
        async with self._turn:
            found = await self._look() if anew or self._said is None else self._said
        return self._dialect.having(found, keys)

    def commands(self, steps: Sequence[Step]) -> list[str]:
        try:
            return self._lines(steps, {})
        except CannotSay as error:
            return [f"nothing: {error}"]

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        async with self._turn:
            return await self._transaction(list(steps))

    async def close(self) -> None:
        connection, self._connection, self._session = self._connection, None, None
        self._said = None
        if (listening := self._listening) is not None:
            self._listening = None
            listening.cancel()
        if connection is not None:
            connection.abort()
            await connection.wait_closed()

    # -- what is said

    def _lines(self, steps: Sequence[Step], there: Mapping[str, Any]) -> list[str]:
        """there: what it has now.  A trunk without a list carries all VLANs: one that loses its last is none any
        more."""
        said = [line for step in steps for line in self._said_of(step)]
        return [*said, *self._dialect.idle(steps, self._switch, there)]

    def _said_of(self, step: Step) -> list[str]:
        """Raises CannotSay."""
        if is_acl(str(step.key)):
            return self._dialect.acl.say(str(step.key), step.now, self._lists)
        return self._dialect.say(step, self._switch)

    async def _look(self) -> dict[str, Any]:
        asked = element("get-config", element("source", element(RUNNING)), self._filter())
        answer = await self._ask(await self._connected(), asked)
        self._said = await asyncio.to_thread(self._understood, answer)
        return self._said

    def _understood(self, answer: ET.Element) -> dict[str, Any]:
        text = "\n".join(line for data in answer for line in netconf_lines.to_lines(self._dialect.schema, data))
        self._lists = self._dialect.acl.understand(text)
        return self._dialect.understand(text)

    def _filter(self) -> ET.Element:
        root = element("filter", type="subtree")
        asked = self._dialect.asks(self._switch)
        return netconf_lines.to_xml(self._dialect.schema, asked, root)

    # -- one transaction

    async def _transaction(self, steps: list[Step]) -> dict[str, str]:
        """All or nothing.  Where that is refused, halves are tried, so that it is known what the trouble is with."""
        there = await self._look() if self._said is None else self._said
        steps = [step for step in steps if not self._dialect.stays(step, after(steps, there))]
        if not steps:
            return {}
        try:
            await self._write(await self._connected(), self._lines(steps, there))
        except (NetconfError, CannotSay) as error:
            if len(steps) == 1:
                return {str(steps[0].key): str(error)}
            half = len(steps) // 2
            return await self._transaction(steps[:half]) | await self._transaction(steps[half:])
        self._said = None if any(is_acl(str(step.key)) for step in steps) else after(steps, there)
        return {}

    def shows(self, key: str, value: Mapping[str, Any], said: Any) -> bool:
        return self._dialect.acl.shows(key, value, said)

    async def _write(self, session: NetconfSession, lines: Iterable[str]) -> None:
        """Raises NetconfError, with nothing changed, and Unreachable."""
        target = self._where(session)
        remove = "remove" if session.can_remove else "delete"
        config = netconf_lines.to_xml(self._dialect.schema, lines, element("config"), remove=remove)
        how = [element(name, text=text) for name, text, needs in _OPTIONS if needs in session.capabilities]
        await self._lock(session, target)
        try:
            await self._ask(session, element("edit-config", element("target", element(target)), *how, config))
            if target == CANDIDATE:
                await self._commit(session)
        except NetconfError:
            if target == CANDIDATE:
                await self._ask(session, element("discard-changes"))
            raise
        finally:
            if self._session is session:  # else the lock has gone with it
                await self._ask(session, element("unlock", element("target", element(target))))
        if self._switch.save_configuration and "startup" in session.capabilities:
            await self._ask(
                session,
                element("copy-config", element("target", element("startup")), element("source", element(RUNNING))),
            )

    async def _lock(self, session: NetconfSession, target: str) -> None:
        """Somebody else's unfinished work is waited for: nothing of it is thrown away."""
        try:
            await self._ask(session, element("lock", element("target", element(target))))
        except NetconfError as error:
            raise Unreachable(f"{self._address}: its {target} configuration is locked: {error}") from None

    async def _commit(self, session: NetconfSession) -> None:
        if self._confirm and "confirmed-commit" in session.capabilities:
            deadline = element("confirm-timeout", text=str(self._confirm))
            await self._ask(session, element("commit", element("confirmed"), deadline))
        await self._ask(session, element("commit"))

    def _where(self, session: NetconfSession) -> str:
        if self._target:
            return self._target
        return CANDIDATE if "candidate" in session.capabilities else RUNNING

    # -- the connection

    @property
    def _address(self) -> str:
        return f"{self._options['host']}:{self._options['port']}"

    async def _ask(self, session: NetconfSession, operation: ET.Element) -> ET.Element:
        """Raises NetconfError, Unreachable."""
        try:
            async with asyncio.timeout(login.ANSWER_SECONDS):
                return await session.ask(operation)
        except (OSError, asyncssh.Error, TimeoutError, NetconfBroken) as error:
            raise await self._lost(error) from None

    async def _connected(self) -> NetconfSession:
        if self._connection is None or self._connection.is_closed() or self._session is None:
            await self.close()
            try:
                self._connection = await asyncssh.connect(**self._options)
                async with asyncio.timeout(login.ANSWER_SECONDS):
                    session = await _opened(self._connection)
            except (OSError, asyncssh.Error, TimeoutError, ValueError, NetconfBroken) as error:
                raise await self._lost(error) from None
            self._session = session
            if "notification" in session.capabilities:
                self._listening = asyncio.create_task(self._listen(self._connection, session.id))
        return self._session

    async def _listen(self, connection: asyncssh.SSHClientConnection, our_id: str) -> None:
        """In a session of its own: what others change is looked at at once, and not only now and then (RFC 6470)."""
        try:
            session = await _opened(connection)
            await session.ask(ET.Element(f"{{{NOTIFICATION}}}create-subscription"))
            while True:
                news = await session.notified()
                by = news.findtext(f"{{*}}{CONFIG_CHANGE}/{{*}}changed-by/{{*}}session-id")
                if news.find(f"{{*}}{CONFIG_CHANGE}") is not None and by != our_id:
                    self._changed()
        except (OSError, asyncssh.Error, NetconfBroken, NetconfError):
            return  # it is looked at now and then all the same
        finally:
            self._changed()  # what happened meanwhile was not heard

    async def _lost(self, error: BaseException) -> Unreachable:
        await self.close()
        return Unreachable(f"{self._address}: {login.why(error)}")


async def _opened(connection: asyncssh.SSHClientConnection) -> NetconfSession:
    writer, reader, _ = await connection.open_session(subsystem="netconf", encoding=None)
    session = NetconfSession(reader, writer)
    await session.hello()
    return session


def _target(switch: Switch) -> str:
    """Empty: what the device has.  Raises SettingsError."""
    text = switch.option("ngs_netconf_target")
    if text not in ("", CANDIDATE, RUNNING):
        raise refuse(switch, "ngs_netconf_target", f"{text!r} is neither {CANDIDATE} nor {RUNNING}")
    return text


def _confirm_seconds(switch: Switch) -> int:
    """0: commits need no confirmation.  Raises SettingsError."""
    if switch.option("ngs_netconf_confirmed_commit", "true").lower() in ("false", "no", "off", "0"):
        return 0
    name = "ngs_netconf_confirmed_commit_timeout"
    text = switch.option(name, str(CONFIRM_SECONDS))
    if not re.fullmatch(r"[1-9]\d{0,4}", text):
        raise refuse(switch, name, f"{text!r} is no number of seconds")
    return int(text)
