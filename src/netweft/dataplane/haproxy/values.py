"""What the driver is to run, as values.  Pure: services build them."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

PROGRAM: Final = "haproxy"
WORKER: Final = "worker.sock"  # its stats socket, in its folder
MaterialKind: TypeAlias = Literal["certificate", "authorities", "revoked"]


class Material(Struct, frozen=True):
    """A file of TLS: a certificate with its chain and key, certificates of authorities, or lists of revoked ones.

    ref: by which its content is fetched.  The content is in no value that is kept or printed."""

    file: str
    ref: str
    kind: MaterialKind


class ServerState(Struct, frozen=True, kw_only=True):
    """Of one server what can be changed while HAProxy runs.  up: False: it gets nothing at all."""

    backend: str
    server: str
    weight: int
    up: bool


class Nic(Struct, frozen=True, kw_only=True):
    """The interface in the instance's namespace.  addresses: with their prefixes' lengths.  gateways: default
    routes."""

    port_id: str
    mac: str
    addresses: tuple[tuple[str, int], ...]
    gateways: tuple[str, ...] = ()
    mtu: int = 1500


class Instance(Struct, frozen=True, kw_only=True):
    """One HAProxy.  config, structure: its sections but for `global`, with and without its servers' states: where only
    those differ nothing is reloaded.  lists: further files that it names, and what they say.  problem: why there is no
    configuration; what runs goes on then."""

    id: str
    nic: Nic
    config: str = ""
    structure: str = ""
    servers: tuple[ServerState, ...] = ()
    material: tuple[Material, ...] = ()
    lists: tuple[tuple[str, str], ...] = ()
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.id} on port {self.nic.port_id}, {len(self.servers)} servers"
