"""UDP and TCP in fragments to VIPs."""

import json
import struct
import subprocess
import sys
from ipaddress import IPv4Address

from tests.netns import frames
from tests.netns.harness import Inside, Lab
from tests.netns.inside.pings import checksum
from tests.netns.l3.test_reported import CUT, MUCH, answers_of, put_together
from tests.netns.l3.test_routing import address

from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm

OWN = 4390  # port
LARGE = """
import json, socket, sys
address, own = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ':' in address else socket.AF_INET
said = []
for turn in range(4):
    what = bytes((turn + at * 7 + (at >> 8)) % 251 for at in range(4000))
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.settimeout(3)
        one.bind(('', own + turn))
        one.connect((address, 80))
        for asked in (what, b'?', what):
            for again in range(3):
                one.send(asked)
                try:
                    name, seen, answer = one.recv(8000).split(b' ', 2)
                except TimeoutError:
                    continue
                said.append(f'{name.decode()} {seen.decode()} {answer == asked}')
                break
            else:
                said.append('nobody')
print(json.dumps(said))
"""


def large(lab: Lab, frm: Vm, vip: str, own: int) -> list[str]:
    command = in_namespace(lab.layout.vm_namespace(frm.name), sys.executable, "-c", LARGE, vip, str(own))
    found: list[str] = json.loads(subprocess.check_output(command, text=True))
    return found


def talk(lab: Lab, frm: Vm, vip: tuple[str, str], member: Vm) -> None:
    """vip: its address and MAC.  By hand, since no kernel here sends TCP in fragments: its own hears what comes to no
    socket of its, and would reset it."""
    namespace = lab.layout.vm_namespace(frm.name)
    run(*in_namespace(namespace, "ip", "route", "add", "blackhole", vip[0]))
    try:
        with lab.inside(frm, "capture") as here:
            _talk(lab, frm, here, vip, member)
    finally:
        run(*in_namespace(namespace, "ip", "route", "del", "blackhole", vip[0]))


def _talk(lab: Lab, frm: Vm, here: Inside, vip: tuple[str, str], member: Vm) -> None:
    way = (frm.nic.mac, vip[1]), (address(frm), vip[0]), (OWN, 80)
    back = (vip[0], 80, address(frm), OWN)
    lab.send_frames(frm, *frames.pieces(frames.syn4(*way, MUCH), CUT, ident=90))
    begun = answers_of(here, back, 2)
    for number in range(2):
        at = 2 + number * len(MUCH)
        asked = frames.segment4(*way, (at, begun + 1), frames.ACK | frames.PSH, MUCH)
        lab.send_frames(frm, *frames.pieces(asked, CUT, ident=91 + number))
        answers_of(here, back, at + len(MUCH))
    told = 2 + 2 * len(MUCH)
    its = (address(member), address(frm)), (8080, OWN)
    again = frames.segment4((member.nic.mac, frm.nic.mac), *its, (begun + 1, told), frames.ACK, MUCH)
    lab.send_frames(member, *frames.pieces(again, CUT, ident=93))
    while not (segment := put_together(here, back[::2], protocol=6)).endswith(MUCH):
        pass  # what its own socket says again, which ends with a line's end
    pseudo = b"".join(IPv4Address(one).packed for one in back[::2])
    assert checksum(pseudo + struct.pack("!HH", 6, len(segment)) + segment) == 0
    lab.send_frames(frm, frames.segment4(*way, (told, 0), frames.RST))
