"""HTTP in labs: servers that say who they are and what they were asked, and clients."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from tests.netns.harness import Lab
from tests.netns.lb.balancers import serving

from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm

_SERVER = """
import http.server, json, sys
V2 = b'\\r\\n\\r\\n\\0\\r\\nQUIT\\n'
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    def handle_error(self, *whose): pass
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    proxy = ''
    def handle(self):
        first = self.rfile.peek(12)[:12]
        if first[:6] == b'PROXY ':
            self.proxy = self.rfile.readline().decode().strip()
        elif first == V2:
            head = self.rfile.read(16)
            self.proxy = '2 ' + self.rfile.read(int.from_bytes(head[14:], 'big')).hex()
        super().handle()
    def do_GET(self):
        said = {'name': sys.argv[1], 'path': self.path, 'headers': dict(self.headers), 'proxy': self.proxy}
        body = json.dumps(said).encode()
        self.send_response(200)
        if self.path == '/login':
            self.send_header('Set-Cookie', 'SESSION=s1; Path=/')
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
def secured(plain, one):
    context = ssl.create_default_context(cadata=one['tls'])
    context.set_alpn_protocols(one['alpn'])
    if one['cert']:
        context.load_cert_chain(one['cert'])
    return context.wrap_socket(plain, server_hostname=one['name'])
def second_version(over, name):
    # RFC 9113, 7541: GET /, by indices of the static table, and the authority; 0x88 is 200
    block = b'\\x82\\x84\\x87\\x41' + bytes([len(name)]) + name.encode()
    over.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    over.sendall(len(block).to_bytes(3, 'big') + bytes([1, 5, 0, 0, 0, 1]) + block)
    stream = over.makefile('rb')
    while head := stream.read(9):
        rest = stream.read(int.from_bytes(head[:3], 'big'))
        if head[3] == 1:
            return [200 if rest[0] == 0x88 else 0, {}, rest.hex()]
    return [0, {}, 'it ends']
def ask(one):
    if one['tls'] is None:
        connection = http.client.HTTPConnection(one['address'], one['port'], timeout=one['seconds'])
    else:
        connection = http.client.HTTPConnection(one['name'], one['port'])
        connection.sock = secured(socket.create_connection((one['address'], one['port']), one['seconds']), one)
        if connection.sock.selected_alpn_protocol() == 'h2':
            return second_version(connection.sock, one['name'])
    connection.request('GET', one['path'], headers=one['headers'])
    answer = connection.getresponse()
    said = [answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read().decode()]
    connection.close()
    return said
said = []
for one in json.loads(sys.stdin.read()):
    try:
        said.append(ask(one))
    except (OSError, http.client.HTTPException) as error:
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


class Request(NamedTuple):
    """tls: the authority's certificate; name: what the server is asked as then; cert: a file with the client's own, and
    its key; alpn: what it offers.  seconds: that it may take."""

    address: str
    path: str = "/"
    port: int = 80
    headers: Mapping[str, str] = {}
    tls: str | None = None
    name: str = ""
    cert: str = ""
    alpn: Sequence[str] = ("http/1.1",)
    seconds: float = 5


def ask(namespace: str, requests: Iterable[Request]) -> list[Heard]:
    """Each on a connection of its own, one after the other, by one client."""
    wanted = json.dumps([one._asdict() for one in requests])
    command = in_namespace(namespace, sys.executable, "-c", _CLIENT)
    return [Heard(*one) for one in json.loads(subprocess.check_output(command, input=wanted, text=True))]


def get(namespace: str, address: str, path: str = "/", times: int = 1, **more: Any) -> list[Heard]:
    """more: of a `Request`."""
    return ask(namespace, [Request(address, path, **more)] * times)
