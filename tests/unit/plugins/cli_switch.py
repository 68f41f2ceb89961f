"""A switch with a command line like Arista's or Cisco's behind a real SSH server, for tests; it forwards nothing."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncssh

Session: TypeAlias = "Callable[[asyncssh.SSHServerProcess[str]], Awaitable[None]]"
PASSWORD, SECRET = "pass-7731", "secret-4402"


class Login(asyncssh.SSHServer):
    def __init__(self, connections: list[asyncssh.SSHServerConnection]) -> None:
        self._connections = connections

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("admin", PASSWORD)


@asynccontextmanager
async def served(session: Session, key: asyncssh.SSHKey, port: int) -> AsyncIterator[int]:
    """An SSH server with this host key; its port, any where it is 0.  Its connections end with it."""
    connections = list[asyncssh.SSHServerConnection]()
    server = await asyncssh.create_server(
        lambda: Login(connections),
        "127.0.0.1",
        port,
        server_host_keys=[key],
        process_factory=session,
        line_editor=False,
    )
    try:
        yield server.get_port()
    finally:
        server.close()
        await server.wait_closed()
        for one in connections:
            one.abort()
            await one.wait_closed()


class CliSwitch:
    """vlans: id -> name.  ports: name -> lines of its configuration.  full: VLANs it has no room for."""

    def __init__(self) -> None:
        self.vlans: dict[int, str] = {1: "default"}
        self.allowed: dict[str, set[int]] = {}
        self.access: dict[str, int] = {}
        self.trunks: set[str] = set()
        self.full: set[int] = set()
        self.lists: dict[str, list[str]] = {}  # `ip access-list x` -> its entries
        self.groups: dict[str, list[str]] = {}  # port -> `ip access-group x in`
        self.words: dict[str, str] = {}  # what it shows otherwise than it was told
        self.heard: list[str] = []
        self.saved = 0
        self.sessions = 0
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        key = asyncssh.generate_private_key("ssh-ed25519")
        async with served(self._session, key, self.port) as self.port:
            yield

    async def _session(self, process: "asyncssh.SSHServerProcess[str]") -> None:
        self.sessions += 1
        where, prompt, context = "", "tor1>", ""
        process.stdout.write("\r\nWelcome to tor1 # authorised users only\r\n\r\n" + prompt)
        while line := await process.stdin.readline():
            line = line.strip()
            self.heard.append(line)
            answer = ""
            if where == "password":
                where, prompt = "", "tor1#" if line == SECRET else "tor1>"
            elif line == "enable":
                where = "password"
                process.stdout.write("enable\r\nPassword: ")
                continue
            elif line == "configure":
                prompt = "tor1(config)#"
            elif line == "end":
                prompt, context = "tor1#", ""
            elif line.startswith(("interface ", "vlan ", "ip access-list ", "ipv6 access-list ")):
                context, prompt = line, "tor1(config-x)#"
                answer = self._vlan(line)
            else:
                answer = self._line(context, line)
            echo = "" if where == "password" else line
            process.stdout.write(f"{echo}\r\n{answer}\x1b[K{prompt}")

    def _vlan(self, line: str) -> str:
        if " access-list " in line:
            self.lists.setdefault(line, [])
        if line.startswith("vlan "):
            vid = int(line.split()[1])
            if vid in self.full:
                return f"% VLAN {vid} cannot be made: no resources\r\n"
            self.vlans.setdefault(vid, f"VLAN{vid:04}")
        return ""

    def _line(self, context: str, line: str) -> str:
        name = context.partition(" ")[2]
        if " access-" in line or " access-list " in context:
            return self._acl(context, name, line)
        if found := re.fullmatch(r"name (\S+)", line):
            self.vlans[int(name)] = found[1]
        elif found := re.fullmatch(r"no vlan (\d+)", line):
            self.vlans.pop(int(found[1]), None)
        elif found := re.fullmatch(r"switchport trunk allowed vlan (add|remove) (\d+)", line):
            allowed = self.allowed.setdefault(name, set(range(1, 4095)))
            (allowed.add if found[1] == "add" else allowed.discard)(int(found[2]))
        elif line == "switchport trunk allowed vlan none":
            self.allowed[name] = set()
        elif found := re.fullmatch(r"switchport access vlan (\d+)", line):
            self.access[name] = int(found[1])
        elif line == "no switchport access vlan":
            self.access.pop(name, None)
        elif found := re.fullmatch(r"switchport mode (trunk|access)", line):
            (self.trunks.add if found[1] == "trunk" else self.trunks.discard)(name)
        elif line == "write memory":
            self.saved += 1
        elif line == "show running-config":
            return self._running()
        elif not line.startswith(("terminal ", "exit")):
            return "% Invalid input\r\n"
        return ""

    def _acl(self, context: str, name: str, line: str) -> str:
        if line.startswith("no ") and "-list " in line:
            self.lists.pop(line.removeprefix("no "), None)
        elif line.startswith("no "):
            self.groups[name].remove(line.removeprefix("no "))
        elif "-group " in line:
            others = [
                one
                for one in self.groups.get(name, [])
                if (one.split()[0], one.split()[-1]) != (line.split()[0], line.split()[-1])
            ]
            self.groups[name] = [*others, line]
        elif "eq 6666" in line:
            return "% Error: no room for this entry\r\n"
        else:
            self.lists[context].append(line)
        return ""

    def _running(self) -> str:
        said = [f"vlan {vid}\r\n   name {name}\r\n!" for vid, name in self.vlans.items() if vid != 1]
        for made, entries in self.lists.items():
            shown = [self.words.get(one, one) for one in entries]
            said += [made, *(f"   {number}0 {entry}" for number, entry in enumerate(shown, 1)), "!"]
        for port in sorted({*self.allowed, *self.access, *self.trunks, *self.groups}):
            said += [f"interface {port}"]
            said += ["   switchport mode trunk"] if port in self.trunks else []
            said += [f"   {one}" for one in self.groups.get(port, [])]
            said += [f"   switchport access vlan {self.access[port]}"] if port in self.access else []
            if port in self.allowed:
                listed = ",".join(map(str, sorted(self.allowed[port]))) or "none"
                said += [f"   switchport trunk allowed vlan {listed}"]
            said += ["!"]
        return "\r\n".join(["! device: tor1", *said, "end", ""])
