"""The stock `openstack` command without its start: this process has imported it, and forks for each who asks.

A script: `stock_forks.py FD` reads requests from that socket: the environment as JSON, with descriptors for stdin,
stdout and stderr, and one that is told the exit status.
"""

import importlib
import json
import os
import pkgutil
import socket
import sys
from types import ModuleType

import cliff.interactive  # noqa: F401
import octaviaclient.osc.v2
import openstack.identity.v3._proxy
import openstack.network.v2._proxy  # noqa: F401
import openstackclient.common
import openstackclient.identity.v3
import openstackclient.network.v2
from openstackclient import shell

COMMANDS = (openstackclient.common, openstackclient.identity.v3, openstackclient.network.v2, octaviaclient.osc.v2)


def import_all(package: ModuleType) -> None:
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


def run(environment: dict[str, str], descriptors: list[int]) -> int:
    """The exit status."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = ["openstack"]
    status = shell.main()
    sys.stdout.flush()
    sys.stderr.flush()
    return int(status or 0)


def serve(requests: socket.socket) -> None:
    """Until nobody can ask any more."""
    while requests.recv(1, socket.MSG_PEEK):
        message, (*descriptors, told), _, _ = socket.recv_fds(requests, 65536, 4)
        if not (child := os.fork()):
            status = 1
            try:
                status = run(json.loads(message), descriptors)
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        os.write(told, str(os.waitstatus_to_exitcode(ended)).encode())
        for descriptor in (*descriptors, told):
            os.close(descriptor)


if __name__ == "__main__":
    for package in COMMANDS:
        import_all(package)
    serve(socket.socket(fileno=int(sys.argv[1])))
