"""HTTP in labs: servers that say who they are and what they were asked, and clients."""

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from tests.netns.balancers import serving
from tests.netns.harness import Lab

from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm

_SERVER = """
import http.server, json, sys
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    def handle_error(self, *whose): pass
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    def do_GET(self):
        body = json.dumps({'name': sys.argv[1], 'path': self.path, 'headers': dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = Server(('', int(sys.argv[2])), Handler)
print('ready', flush=True)
server.serve_forever()
"""
_CLIENT = """
import http.client, json, socket, ssl, sys
wanted = json.loads(sys.argv[1])
said = []
for turn in range(wanted['times']):
    try:
        if wanted['tls'] is not None:
            context = ssl.create_default_context(cadata=wanted['tls'])
            connection = http.client.HTTPConnection(wanted['name'], wanted['port'])
            plain = socket.create_connection((wanted['address'], wanted['port']), wanted['seconds'])
            connection.sock = context.wrap_socket(plain, server_hostname=wanted['name'])
        else:
            connection = http.client.HTTPConnection(wanted['address'], wanted['port'], timeout=wanted['seconds'])
        connection.request('GET', wanted['path'], headers=wanted['headers'])
        answer = connection.getresponse()
        said.append([answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read().decode()])
        connection.close()
    except OSError as error:
        said.append([0, {}, f'{type(error).__name__}: {error}'])
print(json.dumps(said))
"""


class Heard(NamedTuple):
    """status: 0 where there was no answer; said: what the member was asked, if one was."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def asked(self) -> dict[str, str]:
        """The headers that the member saw."""
        return {name.lower(): value for name, value in self.said["headers"].items()}


def serving_http(lab: Lab, machine: Vm, port: int = 8080) -> AbstractContextManager[str]:
    return serving(lab, machine, port, _SERVER)


def get(
    namespace: str,
    address: str,
    path: str = "/",
    times: int = 1,
    *,
    port: int = 80,
    headers: Mapping[str, str] | None = None,
    tls: str | None = None,
    name: str = "",
    seconds: float = 5,
) -> list[Heard]:
    """tls: the authority's certificate; name: what the server is asked as then.  seconds: that each may take."""
    wanted = {"address": address, "path": path, "times": times, "port": port, "tls": tls, "name": name}
    wanted["seconds"] = seconds
    command = in_namespace(
        namespace, sys.executable, "-c", _CLIENT, json.dumps(wanted | {"headers": dict(headers or {})})
    )
    return [Heard(*one) for one in json.loads(subprocess.check_output(command, text=True))]
