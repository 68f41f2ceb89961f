"""What a VM's frame shows of the VM's set-up: which address it resolves, which it has, to which MAC it sends."""

from ipaddress import IPv4Address, IPv6Address
from typing import Final, Literal, NamedTuple, TypeAlias

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6, PROTO_TCP, PROTO_UDP
from netweft.dataplane.packets import arp, icmp
from netweft.dataplane.packets.datagram import IpAddress, upper_checksum

Kind: TypeAlias = Literal["asks", "has", "sends"]
_ETHERNET: Final = 14
_ADDRESS: Final = {ETH_IPV4: (26, 4, 23), ETH_IPV6: (22, 16, 20)}  # where the source begins, its length; the protocol
_CHECKSUM: Final = {PROTO_TCP: 16, PROTO_UDP: 6}  # where it is above IP
_FRAGMENT: Final = 0x3FFF


class Overheard(NamedTuple):
    """asks: for the MAC of `address`.  has: it says that it has `address`.  sends: from `address`, to the MAC `to`.
    partial: the checksum above IP is not whole."""

    kind: Kind
    address: IpAddress
    mac: bytes
    to: bytes = b""
    partial: bool = False


def overheard(frame: bytes) -> Overheard | None:
    """None: it says nothing."""
    if said := arp.reply(frame):
        return Overheard("has", said.address, said.mac)
    if asked := arp.asked(frame):
        return Overheard("asks", asked.address, asked.mac)
    if (solicited := icmp.solicitation(frame)) and not solicited.src.is_unspecified:
        return Overheard("asks", solicited.target, solicited.eth_src)
    eth_type = int.from_bytes(frame[12:14], "big")
    if eth_type not in _ADDRESS:
        return None
    at, length, protocol = _ADDRESS[eth_type]
    if len(frame) < at + 2 * length:
        return None
    make = IPv4Address if length == 4 else IPv6Address
    src, dst = make(frame[at : at + length]), make(frame[at + length : at + 2 * length])
    return Overheard("sends", src, frame[6:12], frame[:6], partial=_is_partial(frame, src, dst, frame[protocol]))


def _is_partial(frame: bytes, src: IpAddress, dst: IpAddress, protocol: int) -> bool:
    """A whole segment whose checksum is wrong.  Not one of which that cannot be known."""
    if src.version == 4:
        start = _ETHERNET + (frame[_ETHERNET] & 15) * 4
        end = _ETHERNET + int.from_bytes(frame[16:18], "big")
        if int.from_bytes(frame[20:22], "big") & _FRAGMENT:
            return False
    else:
        start = _ETHERNET + 40
        end = start + int.from_bytes(frame[18:20], "big")
    at = _CHECKSUM.get(protocol)
    body = frame[start:end]
    if at is None or end > len(frame) or len(body) < at + 2:
        return False
    if protocol == PROTO_UDP and body[at : at + 2] == bytes(2):  # none was made
        return False
    return upper_checksum(src, dst, protocol, body) != 0
