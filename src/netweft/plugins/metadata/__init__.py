"""Whom requests for metadata go on to, where somebody else than this server knows the instances."""

from typing import Protocol

from netweft.wire.metadata import Said


class Instances(Protocol):
    async def ask(
        self, method: str, target: str, body: bytes, *, instance_id: str, project_id: str, address: str
    ) -> Said:
        """Always an answer.  address: the instance's, as it asked."""
        ...

    async def close(self) -> None: ...
