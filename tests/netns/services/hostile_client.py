"""A VM that harms the metadata service, until it is killed.

hostile_client.py KIND ADDRESS    connections: 1,000 of them, and nothing on them; slow: a byte of a request now and
                                  then; never reads: asks for much and takes none of it; floods: what is no HTTP;
                                  reconnects: connects and leaves, as fast as it can
"""

import socket
import sys
import time
from contextlib import suppress

MANY, SOME = 1000, 50
REQUEST = b"GET /openstack/latest/meta_data.json HTTP/1.1\r\nHost: x\r\n\r\n"
WORDS = {"connections": b"", "slow": b"G", "never reads": REQUEST * 20, "floods": b"x" * 65536, "reconnects": b""}


def connect(address: str) -> socket.socket:
    found = socket.socket()
    found.setblocking(False)
    with suppress(BlockingIOError):
        found.connect((address, 80))
    return found


def main(kind: str, address: str) -> None:
    ours = [connect(address) for _ in range(MANY if kind in ("connections", "reconnects") else SOME)]
    print("ready", flush=True)
    while True:
        for number, one in enumerate(ours):
            if kind == "reconnects":
                one.close()
                ours[number] = connect(address)
            elif WORDS[kind]:
                with suppress(OSError):
                    one.send(WORDS[kind])
        time.sleep(0.2 if kind == "slow" else 0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
