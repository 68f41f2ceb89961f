"""What a node needs for the firewall of its ports: their groups, and whom the groups' rules name at the far end."""

from msgspec import Struct

from netweft.model.port import AddressPair


class SecurityGroupRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may pass: all that is set must match.

    direction: `ingress` (to the VM) or `egress`.  ethertype: `IPv4` or `IPv6`.
    protocol: the number in the IP header (58 for ICMPv6, also where the user said `icmp` with IPv6); None: any.
    port_range_*: inclusive; with ICMP the type (min) and the code (max), each may be None for any.
    remote_*: at most one is set; an address is in it when a member of the group has it (see GroupMember), or a
    prefix of the address group covers it.
    """

    id: str
    direction: str
    ethertype: str
    protocol: int | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None


class SecurityGroup(Struct, frozen=True, kw_only=True, tag="security_group", omit_defaults=True):
    """A group of a port on this node.  stateful: answers to what was allowed are allowed too.  project_id: whose."""

    id: str
    project_id: str = ""
    stateful: bool = True
    rules: tuple[SecurityGroupRule, ...] = ()


class GroupMember(Struct, frozen=True, kw_only=True, tag="group_member", omit_defaults=True):
    """A port, wherever it is, of a group that a rule here names as the remote end.

    It stands for what it may send from.  ip_addresses: single ones, fixed or of its allowed address pairs: whoever
    has one of them is the member.  ranges: its pairs' of more than one address: there it is the member only with the
    MAC that is the pair's.
    One object a port, so that one member more is one small change whatever the size of the group.
    """

    group_id: str
    port_id: str
    ip_addresses: tuple[str, ...] = ()
    ranges: tuple[AddressPair, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.group_id}/{self.port_id}"


class AddressGroup(Struct, frozen=True, kw_only=True, tag="address_group", omit_defaults=True):
    """addresses: prefixes, of both IP versions."""

    id: str
    addresses: tuple[str, ...] = ()
