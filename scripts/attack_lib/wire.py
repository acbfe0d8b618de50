"""HTTP/1.1 over a socket of our own, so that every byte is ours."""
from __future__ import annotations

import json
import socket
import ssl
import time
from dataclasses import dataclass, field

SEEN = bytearray()
"""All that any server ever answered, to be searched for secrets at the end."""


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The JSON-RPC error code, `isError` for a tool's complaint, `ok` otherwise."""
        message = self.json
        if "error" in message:
            return message["error"]["code"]
        return "isError" if message.get("result", {}).get("isError") else "ok"


class Wire:
    """One connection. Reading stops at `patience` seconds; a closed connection reads as empty."""

    def __init__(self, port: int, *, source: str = "127.0.0.1", tls: ssl.SSLContext | None = None, patience: float = 15, name: str = "localhost"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=name)
        self.buffer = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def send(self, data: bytes) -> bool:
        """False when the peer has closed."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return False

    def fill(self) -> bool:
        """Reads more; False at the end of the stream."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            data = b""
        SEEN.extend(data)
        self.buffer += data
        return bool(data)

    def answer(self) -> Answer | None:
        """The next answer, or None if the connection ends before it."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        answer = Answer(int(lines[0].split(" ")[1]))
        answer.headers = [(key.lower(), value.strip()) for key, _, value in (line.partition(":") for line in lines[1:])]
        if answer.status == 100:
            return self.answer()
        length = int(answer.header("content-length") or 0)
        while len(self.buffer) < length and self.fill():
            pass
        answer.body, self.buffer = self.buffer[:length], self.buffer[length:]
        return answer

    def ends(self, within: float) -> float | None:
        """Seconds until the peer closes, or None if it does not."""
        began = time.monotonic()
        self.socket.settimeout(within)
        try:
            while self.fill():
                self.socket.settimeout(max(0.01, within - (time.monotonic() - began)))
        except TimeoutError:
            return None
        return time.monotonic() - began


def head(method: str, target: str, headers) -> bytes:
    lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
