"""What a node has found out about a balancer's member."""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

Health: TypeAlias = Literal["ONLINE", "ERROR"]
MOST_WHY: Final = 200


class MemberHealth(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """why: of one that is not well, for a person."""

    member_id: Annotated[str, Meta(max_length=36)]
    status: Health
    why: str = ""
