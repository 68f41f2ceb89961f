"""Servers that call back, and who asks them.  A script; standard library only.

callers.py ftp PORT...          takes FTP connections, one at a time on each port, in active mode only; says "ready"
callers.py fetch ADDRESS PORT   two files by FTP in active mode; one line of JSON: their sizes, or what went wrong
callers.py tftp PORT            answers each read request from another port of its own; says "ready"
callers.py read ADDRESS PORT    one block by TFTP; a line of JSON: its size, 0 when nothing came
"""

import ftplib
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

FILE = bytes(range(256)) * 400
BLOCK = b"netweft!" * 64
SECONDS = 4.0


def ftp(*ports: str) -> None:
    listeners = [socket.create_server(("", int(port))) for port in ports]
    for listener in listeners:
        threading.Thread(target=_take, args=(listener,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


def _take(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 here\r\n")
            _serve(connection, lines)


def _serve(connection: socket.socket, lines: Iterable[bytes]) -> None:
    there = ("", 0)
    for line in lines:
        word = line.strip().decode()
        if found := re.fullmatch(r"PORT ([0-9,]+)", word):
            *octets, high, low = found[1].split(",")
            there = ".".join(octets), int(high) << 8 | int(low)
        if word.startswith("RETR"):
            _send(connection, there)
        else:
            connection.sendall(b"230 in\r\n" if word.startswith("USER") else b"200 so\r\n")


def _send(control: socket.socket, there: tuple[str, int]) -> None:
    try:
        with socket.create_connection(there, timeout=SECONDS / 2) as data:
            control.sendall(b"150 wait\r\n")
            data.sendall(FILE)
    except OSError as error:
        control.sendall(f"425 {there[0]}: {error}\r\n".encode())
    else:
        control.sendall(b"226 done\r\n")


def fetch(address: str, port: str) -> None:
    try:
        client = ftplib.FTP(timeout=2 * SECONDS)
        client.connect(address, int(port))
        client.login()
        client.set_pasv(False)
        sizes = []
        for _ in range(2):
            parts: list[bytes] = []
            client.retrbinary("RETR file", parts.append)
            sizes.append(len(b"".join(parts)))
        print(json.dumps(sizes))
    except (ftplib.Error, OSError, EOFError) as error:
        print(json.dumps(str(error)))


def tftp(port: str) -> None:
    asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asked.bind(("", int(port)))
    print("ready", flush=True)
    while True:
        said, there = asked.recvfrom(600)
        if said[:2] == b"\0\1":
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"\0\3\0\1" + BLOCK, there)


def read(address: str, port: str) -> None:
    here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here.settimeout(SECONDS)
    here.sendto(b"\0\1file\0octet\0", (address, int(port)))
    try:
        print(json.dumps(len(here.recv(600)) - 4))
    except TimeoutError:
        print("0")


if __name__ == "__main__":
    words: dict[str, Callable[..., None]] = {"ftp": ftp, "fetch": fetch, "tftp": tftp, "read": read}
    words[sys.argv[1]](*sys.argv[2:])
