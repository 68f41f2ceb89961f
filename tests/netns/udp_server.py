"""A server of one file of Python in a namespace, and one datagram that a client elsewhere sends to it."""

import subprocess
import sys

from netweft.lab.commands import in_namespace, run


def asked_once(server: str, script: str, client: str, end: tuple[str, int]) -> str:
    """What the script says after `ready`.  server, client: namespaces.  end: the address and port it listens on."""
    command = in_namespace(server, sys.executable, "-c", script)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        family = "AF_INET6" if ":" in end[0] else "AF_INET"
        ask = f"import socket; socket.socket(socket.{family}, socket.SOCK_DGRAM).sendto(b'?', {end!r})"
        run(*in_namespace(client, sys.executable, "-c", ask))
        return running.stdout.read()
