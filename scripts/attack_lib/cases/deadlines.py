"""What is slow on purpose ends: each of these waits for a deadline, all of them at the same time."""
from __future__ import annotations

import select
import socket
import time

from ..wire import head

BODY = b'{"customer_id":"c-42"}'


def attack(book, world) -> None:
    server = world.slow
    with book.group("slow", "Edge: deadlines"):
        book.slow("a connection that says nothing ends within 10 s", "closed in time", silent, server, b"", 12, on=server)
        book.slow("one that sends half a head", "closed in time", silent, server, b"POST /mcp HTTP/1.1\r\nHost: x\r\n", 12, on=server)
        book.slow("one that sends a byte of its head each half second", "closed in time", dripping, server, b"GET /healthz HTTP/1.1\r\nX-A: " + b"a" * 1000, 0.5, 13, on=server)
        book.slow("one that sends a header each second", "closed in time", dripping, server, (b"GET /healthz HTTP/1.1\r\n" + b"X: a\r\n" * 50), 1.0, 13, 6, on=server)
        book.slow("one that sends empty lines", "closed in time", dripping, server, b"\r\n" * 100, 0.5, 13, 2, on=server)
        book.slow("one that stays idle after a request ends within 70 s", "closed in time", idle, server, 70, on=server)
        for path in ("/mcp", "/mcp/tool/get_customer"):
            start = lambda *extra, path=path: head("POST", path, server.headers(*extra))
            book.slow(f"{path}: a body that never comes is 408 within 22 s", "408 in time", answered, server, start(("Content-Length", "22")), b"", 0, 24, on=server)
            book.slow(f"{path}: a byte of it each second", "408 in time", answered, server, start(("Content-Length", "1000")), b"a" * 60, 1.0, 24, on=server)
            book.slow(f"{path}: a chunk of a byte each second", "408 in time", answered, server, start(("Transfer-Encoding", "chunked")), b"1\r\na\r\n" * 60, 1.0, 24, 6, on=server)
        book.slow("a reader that never reads is cut within 40 s", "cut in time", unread, server, 40, on=server)
        book.slow("a reader of a byte a second is cut within 45 s", "cut in time", trickling, server, 45, on=server)
        book.slow("200 silent connections at once are all closed", "200 closed", crowd, world, on=server)
        book.slow("a client that leaves in the middle of its body", "closed in time", half, server, on=server)


def silent(server, sent: bytes, within: float) -> str:
    with server.connect(patience=within) as wire:
        wire.send(sent)
        return "closed in time" if wire.ends(within) is not None else "open"


def drip(wire, data: bytes, pause: float, size: int, until: float) -> bool:
    """Sends a piece at a time; True when the peer says or closes something."""
    for at in range(0, len(data), size):
        if not wire.send(data[at : at + size]):
            return True
        if select.select([wire.socket], [], [], pause)[0]:
            return True
        if time.monotonic() > until:
            return False
    return False


def dripping(server, data: bytes, pause: float, within: float, size: int = 1) -> str:
    with server.connect(patience=within) as wire:
        end = time.monotonic() + within
        if not drip(wire, data, pause, size, end):
            return "open"
        return "closed in time" if wire.ends(max(0.5, end - time.monotonic())) is not None else "answered, open"


def idle(server, within: float) -> str:
    with server.connect(patience=within) as wire:
        wire.send(head("GET", "/healthz", [("Host", server.host)]))
        wire.answer()
        return "closed in time" if wire.ends(within) is not None else "open"


def answered(server, start: bytes, data: bytes, pause: float, within: float, size: int = 1) -> str:
    with server.connect(patience=within) as wire:
        end = time.monotonic() + within
        wire.send(start)
        drip(wire, data, pause, size, end)
        wire.socket.settimeout(max(0.5, end - time.monotonic()))
        try:
            answer = wire.answer()
        except TimeoutError:
            return "open"
        return f"{answer.status} in time" if answer else "closed in time"


def narrow(server) -> socket.socket:
    """A connection with a small window, on which answers pile up at the other end."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.connect(("127.0.0.1", server.port))
    connection.settimeout(0.2)
    request = head("GET", "/openapi.json", server.headers())
    try:
        while True:
            connection.sendall(request * 64)
    except (TimeoutError, ConnectionError):
        return connection


def held(server, connection: socket.socket) -> bool:
    """Whether the server's process still has its end: the kernel may keep the bytes of one that was closed."""
    ends = f":{server.port:04X} 0100007F:{connection.getsockname()[1]:04X} "
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(ends in line and line.split()[9] != "0" for line in table)


def unread(server, within: float) -> str:
    connection = narrow(server)
    end = time.monotonic() + within
    while time.monotonic() < end:
        if not held(server, connection):
            return "cut in time"
        select.select([], [], [], 0.25)
    return "still held"


def trickling(server, within: float) -> str:
    connection = narrow(server)
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            connection.recv(1)
        except OSError:
            pass
        if not held(server, connection):
            return "cut in time"
        select.select([], [], [], 1)
    return "still held"


def crowd(world) -> str:
    server = world.start("crowd")
    wires = [server.connect(patience=12) for _ in range(200)]
    end = time.monotonic() + 14
    closed = sum(wire.ends(max(0.1, end - time.monotonic())) is not None for wire in wires)
    return f"{closed} closed{server.harm()}"


def half(server) -> str:
    with server.connect(patience=5) as wire:
        wire.send(head("POST", "/mcp", server.headers(("Content-Length", "1000"))) + b"{")
        wire.socket.shutdown(socket.SHUT_WR)
        return "closed in time" if wire.ends(5) is not None else "open"
