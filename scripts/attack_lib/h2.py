"""HTTP/2 frame by frame (RFC 9113), with as much of HPACK (RFC 7541) as it takes to read a status."""
from __future__ import annotations

import struct
import time

from .wire import Wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
ERRORS = ("NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR REFUSED_STREAM "
          "CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED").split()


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def integer(value: int, bits: int) -> bytes:
    most = (1 << bits) - 1
    if value < most:
        return bytes([value])
    out, value = [most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def block(fields) -> bytes:
    """Each field as a literal without indexing, never compressed: what we say is what is on the wire."""
    out = b""
    for name, value in fields:
        name, value = name.encode("latin-1"), value.encode("latin-1")
        out += b"\0" + integer(len(name), 7) + name + integer(len(value), 7) + value
    return out


class Statuses:
    """Reads `:status` out of the header blocks of one connection, keeping its dynamic table."""

    STATIC = {8: b"200", 9: b"204", 10: b"206", 11: b"304", 12: b"400", 13: b"404", 14: b"500"}
    HUFFMAN = {"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4", "011011": "5", "011100": "6", "011101": "7", "011110": "8", "011111": "9"}

    def __init__(self) -> None:
        self.table: list[tuple[bool, bytes, bool]] = []  # is it :status, the value, is that compressed

    def read(self, data: bytes) -> str | None:
        self.data, self.at, status = data, 0, None
        while self.at < len(data):
            first = data[self.at]
            if first & 0x80:
                entry = self.entry(self.integer(7))
            elif first & 0xE0 == 0x20:
                self.integer(5)
                continue
            else:
                keep = first & 0x40
                index = self.integer(6 if keep else 4)
                named = self.entry(index)[0] if index else self.text()[0] == b":status"
                entry = (named, *self.text())
                if keep:
                    self.table.insert(0, entry)
            if entry[0] and status is None:
                status = self.digits(entry[1], entry[2])
        return status

    def entry(self, index: int) -> tuple[bool, bytes, bool]:
        if index < 62:
            return (index in self.STATIC, self.STATIC.get(index, b""), False)
        return self.table[index - 62]

    def integer(self, bits: int) -> int:
        most = (1 << bits) - 1
        value, self.at, shift = self.data[self.at] & most, self.at + 1, 0
        if value == most:
            while True:
                byte, self.at = self.data[self.at], self.at + 1
                value, shift = value + ((byte & 127) << shift), shift + 7
                if byte < 128:
                    break
        return value

    def text(self) -> tuple[bytes, bool]:
        compressed = bool(self.data[self.at] & 0x80)
        length = self.integer(7)
        self.at += length
        return self.data[self.at - length : self.at], compressed

    def digits(self, value: bytes, compressed: bool) -> str:
        if not compressed:
            return value.decode()
        out, code = "", ""
        for bit in "".join(f"{byte:08b}" for byte in value):
            code += bit
            if code in self.HUFFMAN:
                out, code = out + self.HUFFMAN[code], ""
        return out


class H2(Wire):
    """A connection after the preface. `mute` neither acknowledges settings nor answers pings."""

    def __init__(self, server, *, settings: bytes = b"", hello: bool = True, mute: bool = False, **options):
        super().__init__(server.port, tls=server.tls(["h2"]), **options)
        self.server, self.mute, self.statuses, self.settings = server, mute, Statuses(), {}
        if hello:
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def fields(self, path: str = "/mcp/tool/get_customer", method: str = "POST", *extra, authority: str | None = None, token: str | None = None) -> list:
        token = self.server.token() if token is None else token
        return [(":method", method), (":scheme", "https"), (":authority", authority or self.server.host), (":path", path),
                ("authorization", f"Bearer {token}"), ("content-type", "application/json"), *extra]

    def ask(self, stream: int, fields, body: bytes | None = b'{"customer_id":"c-42"}', *, ending: bool = True) -> bool:
        """Sends a request; a body of None ends it with the head."""
        data = frame(HEADERS, END_HEADERS | (END_STREAM if body is None and ending else 0), stream, block(fields))
        if body is not None:
            data += frame(DATA, END_STREAM if ending else 0, stream, body)
        return self.send(data)

    def next(self):
        """The next frame, or None at the end of the stream."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            if not self.fill():
                return None
        length, kind, flags = int.from_bytes(self.buffer[:3], "big"), self.buffer[3], self.buffer[4]
        stream = int.from_bytes(self.buffer[5:9], "big") & 0x7FFFFFFF
        payload, self.buffer = self.buffer[9 : 9 + length], self.buffer[9 + length :]
        if kind == SETTINGS and not flags & ACK:
            self.settings.update(struct.iter_unpack(">HI", payload))
            if not self.mute:
                self.send(frame(SETTINGS, ACK, 0))
        if kind == PING and not flags & ACK and not self.mute:
            self.send(frame(PING, ACK, 0, payload))
        return kind, flags, stream, payload

    def outcome(self, stream: int | None, within: float = 10) -> str:
        """What becomes of a stream: its status, `RST_STREAM …`, `GOAWAY …`, `closed`, or `silence`. Without a stream, of
        the connection, which must not only say GOAWAY but go."""
        end, said = time.monotonic() + within, ""
        try:
            while (left := end - time.monotonic()) > 0:
                self.socket.settimeout(left)
                got = self.next()
                if got is None:
                    return said or "closed"
                kind, _, on, payload = got
                if kind == GOAWAY and stream is None:
                    said = "GOAWAY " + name(payload[4:8])
                    continue
                if kind == HEADERS:
                    status = self.statuses.read(payload)
                    if on == stream:
                        return status or "no status"
                if kind == RST_STREAM and on == stream:
                    return "RST_STREAM " + name(payload)
                # A graceful GOAWAY lets streams up to its last one finish.
                if kind == GOAWAY and (payload[4:8] != bytes(4) or stream > number(payload)):
                    return "GOAWAY " + name(payload[4:8])
        except TimeoutError:
            pass
        return f"{said}, but open" if said else "silence"


def number(payload: bytes) -> int:
    return int.from_bytes(payload[:4], "big") & 0x7FFFFFFF


def name(payload: bytes) -> str:
    code = int.from_bytes(payload[:4], "big")
    return ERRORS[code] if code < len(ERRORS) else str(code)
