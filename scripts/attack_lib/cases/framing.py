"""Request smuggling: bytes that two readers of HTTP/1.1 would cut differently (RFC 9112) are 400, and the connection
is closed, so that no second request can hide in the first."""
from __future__ import annotations

import json

HIDDEN = b"POST /mcp/tool/find_orders HTTP/1.1\r\nHost: x\r\n\r\n"


def attack(book, world) -> None:
    server = world.base
    body = b'{"customer_id":"c-42"}'
    token = server.token()
    host = f"Host: {server.host}\r\n".encode()
    auth = f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n".encode()
    line = b"POST /mcp/tool/get_customer HTTP/1.1\r\n"
    length = b"Content-Length: %d\r\n" % len(body)
    chunked = b"Transfer-Encoding: chunked\r\n"
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    good = line + host + auth + length + b"\r\n" + body

    heads = {
        "Content-Length and Transfer-Encoding": line + host + auth + length + chunked + b"\r\n" + chunks,
        "Transfer-Encoding and Content-Length": line + host + auth + chunked + length + b"\r\n" + chunks,
        "two Content-Lengths that differ": line + host + auth + b"Content-Length: 0\r\n" + length + b"\r\n" + body,
        "two equal Content-Lengths": line + host + auth + length + length + b"\r\n" + body,
        "a list of Content-Lengths": line + host + auth + b"Content-Length: %d, %d\r\n\r\n" % (len(body), len(body)) + body,
        "Content-Length: +22": line + host + auth + b"Content-Length: +22\r\n\r\n" + body,
        "Content-Length: -1": line + host + auth + b"Content-Length: -1\r\n\r\n" + body,
        "Content-Length: 0x16": line + host + auth + b"Content-Length: 0x16\r\n\r\n" + body,
        "Content-Length: 22.0": line + host + auth + b"Content-Length: 22.0\r\n\r\n" + body,
        "Content-Length: 2 2": line + host + auth + b"Content-Length: 2 2\r\n\r\n" + body,
        "Content-Length: empty": line + host + auth + b"Content-Length: \r\n\r\n",
        "Content-Length: 2^64": line + host + auth + b"Content-Length: 18446744073709551616\r\n\r\n" + body,
        "Content-Length: 2^64 + 22": line + host + auth + b"Content-Length: 18446744073709551638\r\n\r\n" + body,
        "Content-Length with a vertical tab": line + host + auth + b"Content-Length: \x0b22\r\n\r\n" + body,
        "Content-Length with a space before the colon": line + host + auth + b"Content-Length : 22\r\n\r\n" + body,
        "Content-Length with a tab before the colon": line + host + auth + b"Content-Length\t: 22\r\n\r\n" + body,
        "Transfer-Encoding : chunked": line + host + auth + b"Transfer-Encoding : chunked\r\n\r\n" + chunks,
        "Transfer-Encoding: xchunked": line + host + auth + b"Transfer-Encoding: xchunked\r\n\r\n" + chunks,
        "Transfer-Encoding: identity": line + host + auth + b"Transfer-Encoding: identity\r\n" + length + b"\r\n" + body,
        "Transfer-Encoding: gzip, chunked": line + host + auth + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks,
        "Transfer-Encoding: chunked, identity": line + host + auth + b"Transfer-Encoding: chunked, identity\r\n\r\n" + chunks,
        "Transfer-Encoding: chunked, chunked": line + host + auth + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + chunks,
        "two Transfer-Encodings": line + host + auth + chunked + chunked + b"\r\n" + chunks,
        'Transfer-Encoding: "chunked"': line + host + auth + b'Transfer-Encoding: "chunked"\r\n\r\n' + chunks,
        "Transfer-Encoding: chunked with a vertical tab": line + host + auth + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + chunks,
        "Transfer-Encoding: chunked with NUL": line + host + auth + b"Transfer-Encoding: chunked\0\r\n\r\n" + chunks,
        "Transfer-Encoding: chunked;x": line + host + auth + b"Transfer-Encoding: chunked;x\r\n\r\n" + chunks,
        "Transfer-Encoding empty": line + host + auth + b"Transfer-Encoding: \r\n" + length + b"\r\n" + body,
        "Transfer-Encoding folded": line + host + auth + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks,
        "Transfer-Encoding in HTTP/1.0": b"POST /mcp/tool/get_customer HTTP/1.0\r\n" + host + auth + chunked + b"\r\n" + chunks,
        "bare LF after the request line": line.replace(b"\r\n", b"\n") + host + auth + length + b"\r\n" + body,
        "bare LF after a header": line + host.replace(b"\r\n", b"\n") + auth + length + b"\r\n" + body,
        "bare LF everywhere": (line + host + auth + length + b"\r\n").replace(b"\r\n", b"\n") + body,
        "bare LF before the body": line + host + auth + length + b"\n" + body,
        "bare CR in a header": line + host + auth + b"X-A: a\rX-B: b\r\n" + length + b"\r\n" + body,
        "bare CR for a line end": line + host + auth + b"X-A: a\r" + length + b"\r\n" + body,
        "bare CR in the request line": b"POST /mcp/tool/get_customer\r HTTP/1.1\r\n" + host + auth + length + b"\r\n" + body,
        "NUL in a header's value": line + host + auth + b"X-A: a\0b\r\n" + length + b"\r\n" + body,
        "NUL in a header's name": line + host + auth + b"X-\0A: a\r\n" + length + b"\r\n" + body,
        "NUL in the target": line.replace(b"get_customer", b"get_customer\0") + host + auth + length + b"\r\n" + body,
        "a control character in a value": line + host + auth + b"X-A: a\x01b\r\n" + length + b"\r\n" + body,
        "DEL in a value": line + host + auth + b"X-A: a\x7fb\r\n" + length + b"\r\n" + body,
        "a folded header": line + host + auth + b"X-A: a\r\n b\r\n" + length + b"\r\n" + body,
        "a first header that begins with a space": line + b" " + host + auth + length + b"\r\n" + body,
        "a header without a colon": line + host + auth + b"X-A\r\n" + length + b"\r\n" + body,
        "a header without a name": line + host + auth + b": a\r\n" + length + b"\r\n" + body,
        "a header name with a space": line + host + auth + b"X A: a\r\n" + length + b"\r\n" + body,
        "a header name with a bracket": line + host + auth + b"X[A]: a\r\n" + length + b"\r\n" + body,
        "a header name beyond ASCII": line + host + auth + b"X-\xc3\xa9: a\r\n" + length + b"\r\n" + body,
        "no Host": line + auth + length + b"\r\n" + body,
        "two Hosts": line + host + host + auth + length + b"\r\n" + body,
        "HTTP/1.1 with two spaces in its line": line.replace(b" HTTP", b"  HTTP") + host + auth + length + b"\r\n" + body,
        "a tab in the request line": line.replace(b"POST ", b"POST\t") + host + auth + length + b"\r\n" + body,
        "HTTP/1.2": line.replace(b"1.1", b"1.2") + host + auth + length + b"\r\n" + body,
        "HTTP/3.0": line.replace(b"1.1", b"3.0") + host + auth + length + b"\r\n" + body,
        "http/1.1": line.replace(b"HTTP", b"http") + host + auth + length + b"\r\n" + body,
        "HTTP/0.9": b"GET /healthz\r\n\r\n",
        "a space in the target": line.replace(b"get_customer", b"get customer") + host + auth + length + b"\r\n" + body,
        "a preface of HTTP/2 in the clear": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "TLS bytes to the plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
        "junk": b"\xff\xfe\xfd junk \x00\x01\x02\r\n\r\n",
    }
    bodies = {
        "a chunk size that is no number": b"zz\r\n" + body + b"\r\n0\r\n\r\n",
        "a chunk size of 0x16": b"0x16\r\n" + body + b"\r\n0\r\n\r\n",
        "a chunk size with a sign": b"+16\r\n" + body + b"\r\n0\r\n\r\n",
        "a negative chunk size": b"-16\r\n" + body + b"\r\n0\r\n\r\n",
        "a chunk size over 2^64": b"10000000000000016\r\n" + body + b"\r\n0\r\n\r\n",
        "an empty chunk size": b"\r\n" + body + b"\r\n0\r\n\r\n",
        "a chunk size with a leading space": b" 16\r\n" + body + b"\r\n0\r\n\r\n",
        "a bare LF after the chunk size": b"16\n" + body + b"\r\n0\r\n\r\n",
        "a bare LF after the chunk": b"16\r\n" + body + b"\n0\r\n\r\n",
        "a bare CR after the chunk size": b"16\r" + body + b"\r\n0\r\n\r\n",
        "a chunk longer than its size": b"10\r\n" + body + b"\r\n0\r\n\r\n",
        "a bare LF in a chunk extension": b"16;a\nb\r\n" + body + b"\r\n0\r\n\r\n",
        "NUL in a chunk extension": b"16;a=\0\r\n" + body + b"\r\n0\r\n\r\n",
        "a chunk extension of 20 KiB": b"16;" + b"a" * 20_480 + b"\r\n" + body + b"\r\n0\r\n\r\n",
        "a bare LF in the trailers": b"16\r\n" + body + b"\r\n0\r\nX-A: a\n\r\n",
        "NUL in the trailers": b"16\r\n" + body + b"\r\n0\r\nX-A: \0\r\n\r\n",
    }
    def smuggled(kind: str, shapes: dict[str, bytes], head: bytes = b"") -> None:
        for name, bytes_ in shapes.items():
            # Another version of HTTP may be told so, or nothing.
            book.case(f"{kind}: {name}", ("400, closed", "505, closed", "closed") if "HTTP/" in name else "400, closed", verdict, server, head + bytes_ + HIDDEN, on=server)

    with book.group("smug", "Edge: smuggling shapes as the first request"):
        smuggled("first", heads)
        smuggled("first", bodies, line + host + auth + chunked + b"\r\n")
        for name, sent in (("one header a byte at a time", good), ("chunked", line + host + auth + chunked + b"\r\n" + chunks), ("chunked, other case", line + host + auth + b"transfer-encoding: Chunked\r\n\r\n" + chunks),
                           ("a chunk extension", line + host + auth + chunked + b"\r\n" + chunks.replace(b"16\r\n", b"16;a=b\r\n")), ("a trailer", line + host + auth + chunked + b"\r\n" + chunks[:-2] + b"X-A: a\r\n\r\n"),
                           ("two chunks", line + host + auth + chunked + b"\r\n" + b"1\r\n{\r\n15\r\n" + body[1:] + b"\r\n0\r\n\r\n")):
            book.case(f"good all the same: {name}", "200", whole, server, sent, name.startswith("one"), on=server)
        book.case("a trailer cannot bring a token", "401", whole, server, line + host + b"Content-Type: application/json\r\n" + chunked + b"\r\n" + chunks[:-2] + f"Authorization: Bearer {token}\r\n\r\n".encode(), False, on=server)

    with book.group("pipe", "Edge: the same shapes behind a good request on one connection"):
        for name, bytes_ in {**heads, **{name: line + host + auth + chunked + b"\r\n" + sent for name, sent in bodies.items()}}.items():
            expected = ("200, 400, closed", "200, 505, closed", "200, closed") if "HTTP/" in name else "200, 400, closed"
            book.case(f"pipelined: {name}", expected, verdict, server, good + bytes_ + HIDDEN, on=server)
        for name in ("two equal Content-Lengths", "bare LF after a header", "a folded header"):
            book.case(f"after an answer was read: {name}", "200, 400, closed", verdict, server, good, heads[name] + HIDDEN, on=server)
        book.case("three good ones at once", "200, 200, 200, open", verdict, server, good * 3, on=server)
        book.case("a body longer than its length is no part of it", "200, 400, closed", verdict, server, good + b'{"a":1}\r\n' + HIDDEN, on=server)

        # A refusal before the body was read must not take the body for the next request.
        inner = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        hidden = b"Content-Length: %d\r\n\r\n" % len(inner) + inner
        for status, begin in (
            (401, line + host + b"Authorization: Bearer x\r\n"), (403, line + b"Host: evil.test\r\n" + auth), (404, b"POST /x HTTP/1.1\r\n" + host + auth), (405, b"GET /mcp HTTP/1.1\r\n" + host + auth), (406, line + host + auth + b"Accept: text/html\r\n"), (415, line + host + auth.replace(b"application/json", b"text/plain")),
            (200, b"GET /healthz HTTP/1.1\r\n" + host), (401, line + host + b"Expect: 100-continue\r\n"),
        ):
            book.case(f"a request in the body of one that is {status}{' and waits for 100 Continue' if b'Expect' in begin else ''} is not answered", (f"{status}, closed", f"{status}, open"), verdict, server, begin + hidden, on=server)
        book.case("nor in a body of 2 MiB that is refused by its length", "413, closed", verdict, server, line + host + auth + b"Content-Length: 2097152\r\n\r\n" + inner * (2**21 // len(inner)), on=server)

    with book.group("cap", "Edge: what is too large"):
        rest = host + auth + length + b"\r\n" + body
        book.case("64 headers", "200", whole, server, line + b"".join(b"X-%d: a\r\n" % n for n in range(60)) + rest, False, on=server)
        book.case("65 headers", "431, closed", verdict, server, line + b"".join(b"X-%d: a\r\n" % n for n in range(61)) + rest, on=server)
        book.case("1,000 headers", "431, closed", verdict, server, line + b"".join(b"X-%d: a\r\n" % n for n in range(1000)) + rest, on=server)
        book.case("a head of 17 KiB", "431, closed", verdict, server, line + b"X-A: " + b"a" * 17_408 + b"\r\n" + rest, on=server)
        book.case("a head of 1 MiB", "431, closed", verdict, server, line + b"X-A: " + b"a" * 2**20 + b"\r\n" + rest, on=server)
        book.case("a head of 15 KiB", "200", whole, server, line + b"X-A: " + b"a" * 14_000 + b"\r\n" + rest, False, on=server)
        book.case("a target of 20 KiB", ("431, closed", "414, closed"), verdict, server, b"POST /" + b"a" * 20_480 + b" HTTP/1.1\r\n" + rest, on=server)
        book.case("a method of 20 KiB", ("431, closed", "400, closed"), verdict, server, b"A" * 20_480 + b" / HTTP/1.1\r\n" + rest, on=server)
        for path in (b"/mcp", b"/mcp/tool/get_customer"):
            start = b"POST " + path + b" HTTP/1.1\r\n" + host + auth
            book.case(f"{path.decode()}: 1 MiB and a byte by its length, no byte sent", "413", whole, server, start + b"Content-Length: 1048577\r\n\r\n", False, on=server)
            book.case(f"{path.decode()}: 2^63 by its length", ("413", "400"), whole, server, start + b"Content-Length: 9223372036854775807\r\n\r\n", False, on=server)
            book.case(f"{path.decode()}: waits for 100 Continue with 10 MiB to send", "413", whole, server, start + b"Expect: 100-continue\r\nContent-Length: 10485760\r\n\r\n", False, on=server)
            book.case(f"{path.decode()}: 2 MiB in chunks", "413", whole, server, start + chunked + b"\r\n" + b"".join(b"10000\r\n" + b" " * 65536 + b"\r\n" for _ in range(32)) + b"0\r\n\r\n", False, on=server)
            book.case(f"{path.decode()}: 2 MiB in chunks of a byte", "413", whole, server, start + chunked + b"\r\n" + b"1\r\n \r\n" * 2**21, False, on=server)
        full = json.dumps({"query": "o-123"}).encode()
        book.case("exactly 1 MiB", "200", lambda: str(server.call(full + b" " * (2**20 - len(full)), tool="find_orders").status), on=server)


def verdict(server, *sent: bytes) -> str:
    """The statuses of all answers, and whether the connection was closed after them. Each part is sent when the one
    before was answered."""
    with server.connect(patience=5) as wire:
        statuses = []
        for part in sent[:-1]:
            wire.send(part)
            statuses.append(str(wire.answer().status))
        wire.send(sent[-1])
        try:
            wire.socket.settimeout(1.5)
            while (answer := wire.answer()) is not None:
                statuses.append(str(answer.status))
            return ", ".join([*statuses, "closed"])
        except TimeoutError:
            return ", ".join([*statuses, "open"])


def whole(server, sent: bytes, bytewise: bool) -> str:
    with server.connect() as wire:
        if bytewise:
            for at in range(len(sent)):
                wire.send(sent[at : at + 1])
        else:
            wire.send(sent)
        answer = wire.answer()
        return str(answer.status) if answer else "closed"
