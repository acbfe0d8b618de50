"""HTTP/2: floods are ended, frames are bounded, and pseudo-headers are no way around the checks."""
from __future__ import annotations

import os
import struct
import time

from ..h2 import CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, H2, HEADERS, PADDED, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame
from .tls import start

ENDED = ("closed", "GOAWAY NO_ERROR", *(f"GOAWAY {error}_ERROR" for error in ("PROTOCOL", "COMPRESSION", "FRAME_SIZE", "FLOW_CONTROL", "INTERNAL")), "GOAWAY ENHANCE_YOUR_CALM", "GOAWAY STREAM_CLOSED")
RESET = ("400", *(f"RST_STREAM {error}" for error in ("PROTOCOL_ERROR", "REFUSED_STREAM", "INTERNAL_ERROR", "CANCEL", "FLOW_CONTROL_ERROR")), *ENDED)
TOOL = "/mcp/tool/get_customer"
LARGE = {"large": {"description": "Says 400 KB.", "scopes": ["customer:read"], "sql": {"source": "shop", "result": "one", "statement": "SELECT hex(zeroblob(200000)) AS much"}}}


def ended(action, *args, **options) -> str:
    """There are many right ways to end a connection."""
    outcome = action(*args, **options)
    return "ended" if outcome in ENDED else outcome


def refused(action, *args, **options) -> str:
    """And more to refuse a stream."""
    outcome = action(*args, **options)
    return "refused" if outcome in RESET else outcome


def attack(book, world) -> None:
    slow = start(world, "http2-slow")
    with book.group("h2slow", "Edge: HTTP/2 deadlines"):
        deadlines(book, slow)
    server = start(world, "http2")
    with book.group("h2", "Edge: HTTP/2 requests are checked like any other"):
        requests(book, server)
    with book.group("h2cap", "Edge: HTTP/2 caps"):
        caps(book, server)
    server = start(world, "http2-flood", LARGE)
    with book.group("h2flood", "Edge: HTTP/2 floods end, and memory stays"):
        floods(book, server)


def requests(book, server) -> None:
    def ask(fields=None, body: bytes | None = b'{"customer_id":"c-42"}', **options) -> str:
        with H2(server) as h2:
            h2.ask(1, fields or h2.fields(**options), body)
            return h2.outcome(1)

    def fields(*extra, **options) -> list:
        with H2(server) as h2:
            return h2.fields(TOOL, "POST", *extra, **options)

    good = fields()
    book.case("a good call", "200", ask, on=server)
    book.case("no token", "401", ask, [one for one in good if one[0] != "authorization"], on=server)
    book.case("a bad token", "401", ask, fields(token="x.y.z"), on=server)
    book.case("two authorization fields", "401", ask, [*good, ("authorization", "Bearer x")], on=server)
    for authority in ("evil.test", f"evil.test:{server.port}", f"x@{server.host}", "127.0.0.1", ""):
        book.case(f":authority {authority.replace(str(server.port), 'PORT')!r}", ("403", "refused"), refused, ask, [(":authority", authority) if one[0] == ":authority" else one for one in good], on=server)
    book.case("a host that differs from :authority", ("403", "refused"), refused, ask, [*good, ("host", "evil.test")], on=server)
    book.case("an evil :authority and a good host", ("403", "refused"), refused, ask, [(":authority", "evil.test") if one[0] == ":authority" else one for one in good] + [("host", server.host)], on=server)
    book.case("neither :authority nor host", ("403", "refused"), refused, ask, [one for one in good if one[0] != ":authority"], on=server)
    book.case("a foreign origin", "403", ask, [*good, ("origin", "http://evil.test")], on=server)
    for path in ("/MCP", "//mcp", "/mcp/", "/%6dcp", "/mcp/tool/x/../get_customer", "mcp", "", "*", "/mcp tool", "/mcp\0", "/mcp\r\nx: y", "http://evil.test/mcp"):
        book.case(f":path {path!r}", ("404", "403", "refused"), refused, ask, [(":path", path) if one[0] == ":path" else one for one in good], on=server)
    for method in ("GET", "DELETE", "post"):
        book.case(f":method {method}", ("405", "refused"), refused, ask, [(":method", method) if one[0] == ":method" else one for one in good], on=server)
    book.case(":method CONNECT", ("400", "403", "404", "405", "refused"), refused, ask, [(":method", "CONNECT"), (":authority", server.host)], None, on=server)
    book.case("extended CONNECT", ("400", "403", "404", "405", "refused"), refused, ask, [(":method", "CONNECT"), (":protocol", "websocket"), *[one for one in good if one[0] != ":method"]], None, on=server)
    book.case(":scheme http over TLS", ("200", "403", "refused"), refused, ask, [(":scheme", "http") if one[0] == ":scheme" else one for one in good], on=server)
    for name, bad in (
        ("no :method", [one for one in good if one[0] != ":method"]), ("no :path", [one for one in good if one[0] != ":path"]), ("no :scheme", [one for one in good if one[0] != ":scheme"]), ("two :path", [(":path", "/healthz"), *good]), ("two :authority", [(":authority", "evil.test"), *good]), ("a pseudo-field behind a field", [*good, (":path", "/healthz")]),
        ("an unknown pseudo-field", [(":x", "y"), *good]), ("a response's pseudo-field", [(":status", "200"), *good]), ("a field in upper case", [*good, ("X-Upper", "a")]), ("connection", [*good, ("connection", "keep-alive")]), ("transfer-encoding", [*good, ("transfer-encoding", "chunked")]), ("te: gzip", [*good, ("te", "gzip")]), ("upgrade", [*good, ("upgrade", "h2c")]),
        ("keep-alive", [*good, ("keep-alive", "1")]), ("proxy-connection", [*good, ("proxy-connection", "x")]), ("a newline in a value", [*good, ("x-a", "a\r\nauthorization: x")]), ("NUL in a value", [*good, ("x-a", "a\0b")]), ("a newline in a name", [*good, ("x-a\r\nx-b", "a")]), ("an empty name", [*good, ("", "a")]), ("a colon in a name", [*good, ("x:a", "b")]),
        ("content-length too small", [*good, ("content-length", "5")]), ("content-length too large", [*good, ("content-length", "500")]), ("two content-lengths", [*good, ("content-length", "22"), ("content-length", "23")]), ("content-length text", [*good, ("content-length", "x")]),
    ):
        book.case(f"malformed: {name}", "refused", refused, ask, bad, on=server)
    book.case("a content-length over 1 MiB is refused before its body", ("413",), announced, server, on=server)
    book.case("text/plain", "415", ask, [("content-type", "text/plain") if one[0] == "content-type" else one for one in good], on=server)
    book.case("x-forwarded-host changes nothing", "200", ask, [*good, ("x-forwarded-host", "evil.test")], on=server)
    book.case("100 good calls on one connection", "100 of 200", hundred, server, on=server)


def announced(server) -> str:
    with H2(server) as h2:
        h2.ask(1, h2.fields(TOOL, "POST", ("content-length", "10000000")), None, ending=False)
        return h2.outcome(1, 5)


def hundred(server) -> str:
    with H2(server) as h2:
        got = []
        for n in range(100):
            h2.ask(2 * n + 1, h2.fields())
            got.append(h2.outcome(2 * n + 1))
        return f"{got.count('200')} of 200"


def raw(server, *frames: bytes, hello: bool = True, stream=None, within: float = 5, **options) -> str:
    """Sends frames as they are; what becomes of the connection."""
    with H2(server, hello=hello, **options) as h2:
        for one in frames:
            if not h2.send(one):
                break
        return h2.outcome(stream, within)


def caps(book, server) -> None:
    with H2(server) as h2:
        fields = h2.fields()
        h2.ask(1, fields)
        h2.outcome(1)
        settings = h2.settings
    book.case("at most 100 streams are offered", "yes", lambda: "yes" if 0 < settings.get(3, 2**32) <= 100 else str(settings.get(3)))
    book.case("and 16 KiB of header list", "yes", lambda: "yes" if 0 < settings.get(6, 2**32) <= 16_384 else str(settings.get(6)))
    book.case("300 open streams: those beyond are refused", "yes", crowd, server, fields, on=server)
    book.case("64 headers", "200", lambda: one(server, [*fields, *((f"x-{n}", "a") for n in range(62))]), on=server)
    book.case("65 headers", ("431", "refused"), refused, lambda: one(server, [*fields, *((f"x-{n}", "a") for n in range(63))]), on=server)
    book.case("a header of 17 KiB in one block", ("431", "refused"), refused, lambda: one(server, [*fields, ("x-a", "a" * 17_000)], True), on=server)
    book.case("a header list of 64 KiB by CONTINUATION", ("431", "refused"), refused, lambda: one(server, [*fields, *((f"x-{n}", "a" * 1000) for n in range(64))], True), on=server)
    book.case("a compression bomb: one 4,000-byte field repeated by index", ("431", "refused"), refused, bomb, server, fields, on=server)
    book.case("2 MiB of body", ("413", "refused"), refused, flooded_body, server, fields, on=server)
    ping = frame(PING, 0, 0, bytes(8))
    for name, sent in (
        ("a frame of 1 MiB", struct.pack(">I", 2**20)[1:] + bytes([DATA, 0]) + struct.pack(">I", 1) + bytes(2**20)), ("a frame that says 16 MiB", b"\xff\xff\xff" + bytes([HEADERS, 4]) + struct.pack(">I", 1)), ("SETTINGS on a stream", frame(SETTINGS, 0, 1)), ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, bytes(5))), ("SETTINGS ACK with a payload", frame(SETTINGS, 1, 0, bytes(6))),
        ("PING of 7 bytes", frame(PING, 0, 0, bytes(7))), ("PING on a stream", frame(PING, 0, 1, bytes(8))), ("DATA on stream 0", frame(DATA, 0, 0, b"x")), ("DATA on an idle stream", frame(DATA, 0, 5, b"x")), ("HEADERS on stream 0", frame(HEADERS, 5, 0, block(fields))), ("HEADERS on an even stream", frame(HEADERS, 5, 2, block(fields))),
        ("CONTINUATION on its own", frame(CONTINUATION, 4, 1, block(fields))), ("another frame within a header block", frame(HEADERS, 0, 1, block(fields)) + ping), ("RST_STREAM on an idle stream", frame(RST_STREAM, 0, 9, bytes(4))), ("WINDOW_UPDATE of zero", frame(WINDOW_UPDATE, 0, 0, bytes(4))), ("a window over 2^31", frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1)) * 2),
        ("padding longer than its frame", frame(HEADERS, 5 | PADDED, 1, b"\xff" + block(fields)[:10])), ("PUSH_PROMISE", frame(5, 4, 1, struct.pack(">I", 2) + block(fields))), ("HPACK: an index that is not there", frame(HEADERS, 5, 1, b"\xff\x80\x7f")), ("HPACK: an endless integer", frame(HEADERS, 5, 1, b"\xff" + b"\xff" * 100)), ("HPACK: a table of 1 GiB", frame(HEADERS, 5, 1, b"\x3f" + b"\xe1\xff\xff\xff\x03" + block(fields))),
        ("HPACK: a string longer than its block", frame(HEADERS, 5, 1, b"\0\x7f\xff\xff\xff\x07")), ("HPACK: broken Huffman", frame(HEADERS, 5, 1, b"\0\x84\xff\xff\xff\xff\0")), ("an initial window over 2^31", frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**32 - 1))), ("a frame size of 1", frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1))), ("GOAWAY on a stream", frame(GOAWAY, 0, 1, bytes(8))),
    ):
        book.case(name, "ended", ended, raw, server, sent, on=server)
    book.case("a wrong preface", "ended", ended, raw, server, b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + frame(SETTINGS, 0, 0), hello=False, on=server)
    book.case("HTTP/1.1 after ALPN chose h2", "ended", ended, raw, server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", hello=False, on=server)


def one(server, fields, split: bool = False) -> str:
    """One request, its header block cut into frames of 8 KiB when `split`."""
    with H2(server) as h2:
        if not split:
            h2.ask(1, fields)
            return h2.outcome(1)
        whole = block(fields)
        parts = [whole[at : at + 8192] for at in range(0, len(whole), 8192)]
        for n, part in enumerate(parts):
            flags = (END_HEADERS if n == len(parts) - 1 else 0) | (END_STREAM if n == 0 else 0)
            if not h2.send(frame(CONTINUATION if n else HEADERS, flags, 1, part)):
                break
        return h2.outcome(1)


def bomb(server, fields) -> str:
    with H2(server) as h2:
        name, value = b"x-bomb", b"a" * 3900
        indexed = b"\x40" + bytes([len(name)]) + name + b"\x7f" + bytes([(len(value) - 127) % 128 + 128, (len(value) - 127) // 128]) + value
        h2.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields) + indexed + b"\xbe" * 8_000))
        return h2.outcome(1)


def crowd(server, fields) -> str:
    with H2(server) as h2:
        for n in range(300):
            if not h2.ask(2 * n + 1, fields, None, ending=False):
                break
        got = h2.outcome(599)
        return "yes" if got in RESET else got


def flooded_body(server, fields) -> str:
    with H2(server, settings=b"") as h2:
        h2.send(frame(HEADERS, END_HEADERS, 1, block(fields)))
        h2.socket.settimeout(5)
        sent, window = 0, 65_535
        while sent < 2**21:
            size = min(16_384, window)
            if size and not h2.send(frame(DATA, 0, 1, b" " * size)):
                return "closed"
            sent, window = sent + size, window - size
            if window < 16_384:
                got = h2.next()
                if got is None:
                    return "closed"
                kind, _, on, payload = got
                if kind == HEADERS:
                    return h2.statuses.read(payload) or "no status"
                if kind in (RST_STREAM, GOAWAY):
                    return "RST_STREAM PROTOCOL_ERROR"
                if kind == WINDOW_UPDATE and on == 1:
                    window += struct.unpack(">I", payload)[0]
        return h2.outcome(1)


def floods(book, server) -> None:
    with H2(server) as h2:
        fields = h2.fields()
    request, before = block(fields), server.memory()

    def flood(frames, count: int, mute: bool = True, batch: int = 100) -> str:
        """Sends `count` frames, looking now and then whether that is enough."""
        with H2(server, mute=mute, patience=3) as h2:
            try:
                for start in range(0, count, batch):
                    if not h2.send(b"".join(frames(n) for n in range(start, start + batch))):
                        return "closed"
            except TimeoutError:
                return "stalled"  # it no longer reads us: that costs it nothing
            return h2.outcome(None, 3)

    book.case("rapid reset: 20,000 requests, each cancelled (CVE-2023-44487)", "ended", ended, flood, lambda n: frame(HEADERS, 5, 2 * n + 1, request) + frame(RST_STREAM, 0, 2 * n + 1, struct.pack(">I", 8)), 20_000, on=server)
    book.case("made to reset: 20,000 windows of zero (CVE-2025-8671)", "ended", ended, flood, lambda n: frame(HEADERS, 4, 2 * n + 1, request) + frame(WINDOW_UPDATE, 0, 2 * n + 1, bytes(4)), 20_000, on=server)
    book.case("made to reset: 20,000 times DATA after the end", "ended", ended, flood, lambda n: frame(HEADERS, 5, 2 * n + 1, request) + frame(DATA, 1, 2 * n + 1, b"x"), 20_000, on=server)
    book.case("CONTINUATION without end (CVE-2024-27316)", "ended", ended, flood, lambda n: frame(HEADERS if n == 0 else CONTINUATION, 0, 1, request if n == 0 else block([(f"x-{n}", "a" * 100)])), 50_000, on=server)
    book.case("empty CONTINUATION frames without end", "ended", ended, flood, lambda n: frame(HEADERS if n == 0 else CONTINUATION, 0, 1, request if n == 0 else b""), 100_000, on=server)
    book.case("200,000 SETTINGS (CVE-2019-9515)", "ended", ended, flood, lambda n: frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535 + n % 2)), 200_000, on=server)
    book.case("200,000 PINGs (CVE-2019-9512)", "ended", ended, flood, lambda n: frame(PING, 0, 0, struct.pack(">Q", n)), 200_000, on=server)
    book.case("100,000 empty DATA frames (CVE-2019-9518)", "ended", ended, flood, lambda n: frame(HEADERS, 4, 1, request) if n == 0 else frame(DATA, 0, 1), 100_000, on=server)
    book.case("200,000 WINDOW_UPDATEs", "ended", ended, flood, lambda n: frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)), 200_000, on=server)
    book.case("200,000 PRIORITY frames (CVE-2019-9513)", "ended", ended, flood, lambda n: frame(2, 0, 2 * n + 1, struct.pack(">IB", 0, 16)), 200_000, on=server)
    book.case("200,000 unknown frames", "ended", ended, flood, lambda n: frame(0xFA, 0, 0, b"x" * 16), 200_000, on=server)
    book.case("memory grown by less than 64 MiB", "yes", lambda: "yes" if server.memory() - before < 64 else f"{server.memory() - before:.0f} MiB")
    book.case("1.2 GB of answers that are never read take less than 400 MiB", "yes", unread, server, fields, on=server)


def unread(server, fields) -> str:
    """Windows of zero, so that every answer must wait in memory (CVE-2019-9511, -9517)."""
    before, open_, most = server.memory(), [], 0.0
    large = [(":path", "/mcp/tool/large") if one[0] == ":path" else one for one in fields]
    for _ in range(30):
        h2 = H2(server, settings=struct.pack(">HI", 4, 0), mute=True)
        open_.append(h2)
        for n in range(99):
            if not h2.ask(2 * n + 1, large, b"{}"):
                break
        most = max(most, server.memory() - before)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        most = max(most, server.memory() - before)
        time.sleep(0.1)
    for h2 in open_:
        h2.socket.close()
    return "yes" if most < 400 else f"{most:.0f} MiB"


def deadlines(book, server) -> None:
    with H2(server) as h2:
        fields = h2.fields()
    book.slow("silence instead of a preface ends within 20 s", "ended", ended, raw, server, hello=False, within=20, on=server)
    book.slow("half a preface", "ended", ended, raw, server, PREFACE[:10], hello=False, within=20, on=server)
    book.slow("a preface, then silence", "ended", ended, raw, server, within=20, on=server)
    book.slow("a header block without end, then silence", "ended", ended, raw, server, frame(HEADERS, 0, 1, block(fields)), within=20, on=server)
    book.slow("half a frame", "ended", ended, raw, server, frame(HEADERS, 4, 1, block(fields))[:20], within=20, on=server)
    book.slow("PINGs alone do not keep a connection", "ended", ended, kept_alive, server, on=server)
    book.slow("an idle connection after a request ends within 75 s", "ended", ended, idle, server, fields, 75, on=server)
    book.slow("a body that never comes is 408 or reset within 26 s", ("408", "refused"), refused, body, server, fields, 26, on=server)
    book.slow("an answer that is never read is given up within 70 s", "refused", refused, window, server, fields, 70, on=server)


def kept_alive(server) -> str:
    with H2(server, patience=2) as h2:
        end = time.monotonic() + 16
        while time.monotonic() < end:
            if not h2.send(frame(PING, 0, 0, os.urandom(8))):
                return "closed"
            got = h2.outcome(None, 0.5)
            if got != "silence":
                return got
        return "open"


def idle(server, fields, within: float) -> str:
    with H2(server) as h2:
        h2.ask(1, fields)
        h2.outcome(1)
        return h2.outcome(None, within)


def body(server, fields, within: float) -> str:
    with H2(server) as h2:
        h2.ask(1, fields, b"{", ending=False)
        return h2.outcome(1, within)


def window(server, fields, within: float) -> str:
    """Takes the head of an answer and never lets its body come."""
    with H2(server, settings=struct.pack(">HI", 4, 0)) as h2:
        h2.ask(1, fields)
        if h2.outcome(1) != "200":
            return "no answer"
        return h2.outcome(None, within)
