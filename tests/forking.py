"""A process that forks for whoever asks at its socket: what takes long to import is imported once."""

import atexit
import socket
import subprocess
from collections.abc import Sequence


def fork_server(words: Sequence[str]) -> socket.socket:
    """Where it is asked.  words: a command; it takes one more, the descriptor.  Ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            (*words, str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours
