"""Does what is asked for in a namespace by a fork of this process, which has imported everything: starting Python anew
takes ten times as long, and tests do it thousands of times.
"""

import ctypes
import json
import os
import signal
import socket
import sys
import traceback

from tests.netns.inside import words

CLONE_NEWNET = 0x40000000
LONGEST = 1_048_576  # of a request: 500 frames are some 90,000


def serve(descriptor: int) -> None:
    """Requests: JSON of [namespace, [word...]] with the descriptors of stdin, stdout, stderr, and of a pipe that is
    told the pid, then the exit status, and that is closed in the end.  Until nobody is there to ask.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    asked = socket.socket(fileno=descriptor)
    while True:
        request, descriptors, _, _ = socket.recv_fds(asked, LONGEST, 4)
        if not request:
            return
        if not os.fork():
            asked.close()
            _be(json.loads(request), descriptors)
        for one in descriptors:
            os.close(one)


def _be(request: tuple[str, list[str]], descriptors: list[int]) -> None:
    """Never returns."""
    namespace, asked = request
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for standard, one in enumerate(descriptors[:3]):
        os.dup2(one, standard)
        os.close(one)
    told = descriptors[3]
    os.write(told, f"{os.getpid()}\n".encode())
    status = 1
    try:
        _enter(namespace)
        words.do(*asked)
        sys.stdout.flush()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os.write(told, f"{status}\n".encode())
        os._exit(status)


def _enter(namespace: str) -> None:
    with open(f"/run/netns/{namespace}", "rb") as file:  # noqa: PTH123 - pathlib takes longer to import than all else
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"no way into {namespace}")
