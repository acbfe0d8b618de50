"""The HTTP edge: whose names and pages, which media types and methods, and that only exact paths exist."""
from __future__ import annotations

import json

from ..wire import head

BODY = b'{"customer_id":"c-42"}'
TOOL = "/mcp/tool/get_customer"
ODD_PATHS = (
    "//mcp", "/MCP", "/Mcp", "/mcp/", "/mcp//", "/mcp%2f", "/mcp%2F", "/%6dcp", "/%6Dcp", "/mcp;x", "/mcp;/", "/mcp/.", "/./mcp", "/.//mcp", "/x/../mcp", "/mcp/../mcp", "/mcp/..;/mcp",
    "/mcp/..;/tool/get_customer", "/mcp/tool", "/mcp/tool/", "/mcp/tool//get_customer", "/mcp//tool/get_customer", "/mcp/tool/get_customer/", "/mcp/tool/./get_customer",
    "/mcp/tool/x/../get_customer", "/mcp/tool/x/%2e%2e/get_customer", "/mcp/Tool/get_customer", "/MCP/tool/get_customer", "/mcp%2ftool%2fget_customer", "/mcp/tool%2fget_customer",
    "/mcp\\tool\\get_customer", "/mcp/tool\\get_customer", "/%2fmcp", "/mcp%00", "/mcp%20", "/mcp%09", "/mcp.", "/mcp.json", "/mcp/%2e", "/%2e/mcp", "/%252e/mcp", "/mcp%3f", "/mcp%23",
    "/\u2024/mcp", "/admin", "/metrics", "/console", "/mint-demo-jwt", "/debug", "/.env", "/openapi.json/", "/openapi.yaml", "/healthz/", "/readyz/x",
    "/.well-known/oauth-protected-resource/", "/.well-known/oauth-protected-resource/mcp/", "/.well-known/oauth-protected-resource/other", "/.well-known/openid-configuration", "/", "*",
)
ODD_NAMES = ("%67et_customer", "get_customer%00", "get_customer;x=1", "Get_Customer", "GET_CUSTOMER", "get_customer.", "get_customer%20", "%2e%2e", "..", ".", "..%2fget_customer", "get%5fcustomer", "getcustomer", "get_customer%2f")


def attack(book, world) -> None:
    server = world.base
    port = server.port

    def send(target: str = TOOL, *, method: str = "POST", host: str | None = None, drop=(), extra=(), body: bytes = BODY) -> str:
        headers = server.headers(*extra, drop=drop)
        if host is not None:
            headers = [("Host", host)] + [one for one in headers if one[0] != "Host"]
        return str(server.status(method, target, headers, body))

    with book.group("host", "Edge: Host and the target's authority"):
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", f"LOCALHOST:{port}"):
            book.case(f"Host: {host.replace(str(port), 'PORT')}", "200", send, host=host, on=server)
        for host in ("evil.test", f"evil.test:{port}", "127.0.0.1", "localhost", "127.0.0.1:1", f"127.0.0.1:{port}0", f"0.0.0.0:{port}", f"127.0.0.2:{port}", f"127.1:{port}", f"2130706433:{port}", f"0x7f.1:{port}",
                     f"localhost.:{port}", f"localhost:{port}.", f"localhost:0{port}", f"localhost:+{port}", f"localhost:{port}@evil.test", f"evil.test@localhost:{port}", f"localhost:{port}/", f"localhost:{port}#", f"localhost:{port}?x",
                     f"localhost:{port},evil.test", f"localhost:{port} evil.test", f"evil.localhost:{port}", f"localhost.evil.test:{port}", f"127.0.0.1.evil.test:{port}", f"[::ffff:127.0.0.1]:{port}", f"[0:0:0:0:0:0:0:1]:{port}", f"http://localhost:{port}", "", "tools.attack.test"):
            book.case(f"Host: {host.replace(str(port), 'PORT')!r}", ("403", "400"), send, host=host, on=server)
        book.case("no Host", ("400", "403"), send, drop=("Host",), on=server)
        book.case("two Hosts, ours first", ("400", "403"), send, extra=[("Host", "evil.test")], on=server)
        book.case("two Hosts, ours twice", ("400", "403"), send, extra=[("Host", server.host)], on=server)
        book.case("absolute target of ours", "200", send, f"http://127.0.0.1:{port}{TOOL}", on=server)
        for label, target in (("another host", f"http://evil.test{TOOL}"), ("another port", f"http://127.0.0.1:1{TOOL}"), ("user information", f"http://localhost:{port}@evil.test{TOOL}"), ("user information before our name", f"http://evil.test@localhost:{port}{TOOL}"), ("a trailing dot", f"http://localhost.:{port}{TOOL}")):
            book.case(f"absolute target with {label}, Host ours", ("403", "400"), send, target, on=server)
        book.case("absolute target of ours, Host evil", ("403", "400"), send, f"http://127.0.0.1:{port}{TOOL}", host="evil.test", on=server)
        for name, value in (("X-Forwarded-Host", "evil.test"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9;host=evil.test;proto=https"), ("X-Host", "evil.test"), ("X-Forwarded-Server", "evil.test"), ("X-Forwarded-Prefix", "/x")):
            book.case(f"{name} changes nothing for a good request", "200", send, extra=[(name, value)], on=server)
            book.case(f"{name} does not mend a bad Host", "403", send, host="evil.test", extra=[(name, server.host)], on=server)
            book.case(f"{name} does not show in the published metadata", "no", published, server, name, value, on=server)
        for name in ("X-Original-URL", "X-Rewrite-URL", "X-Original-URI", "X-Forwarded-Uri", "X-Accel-Redirect"):
            book.case(f"{name} does not route", "404", send, "/nothing", extra=[(name, TOOL)], on=server)
        for name in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"):
            book.case(f"{name} does not change the method", "405", send, method="GET", extra=[(name, "POST")], body=b"", on=server)
        for path in ("/mcp", "/openapi.json", "/.well-known/oauth-protected-resource"):
            method = "POST" if path == "/mcp" else "GET"
            book.case(f"a foreign Host on {path}", "403", send, path, method=method, host="evil.test", body=b"{}" if method == "POST" else b"", on=server)

    with book.group("origin", "Edge: Origin"):
        for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}", "https://app.attack.test"):
            book.case(f"Origin: {origin.replace(str(port), 'PORT')}", "200", send, extra=[("Origin", origin)], on=server)
        for origin in ("http://evil.test", "null", "", "https://app.attack.test.evil.test", "https://evil.app.attack.test", "http://app.attack.test", "https://app.attack.test:444", "https://app.attack.test/", "https://app.attack.test@evil.test",
                       f"http://localhost:{port}/", f"https://localhost:{port}", "http://localhost", f"http://localhost.:{port}", f"http://127.0.0.1:{port}, http://evil.test", "*", "file://", "app.attack.test", "https://app.attack.test\u200b"):
            book.case(f"Origin: {origin.replace(str(port), 'PORT')!r}", "403", send, extra=[("Origin", origin)], on=server)
        book.case("two Origins, ours first", ("403", "400"), send, extra=[("Origin", f"http://127.0.0.1:{port}"), ("Origin", "http://evil.test")], on=server)
        for path, method in (("/mcp", "POST"), ("/openapi.json", "GET")):
            book.case(f"a foreign Origin on {path}", "403", send, path, method=method, extra=[("Origin", "http://evil.test")], body=b"{}" if method == "POST" else b"", on=server)
        book.case("a foreign page may not read any answer (CORS)", "None", lambda: str(server.ask("POST", TOOL, server.headers(("Origin", "http://evil.test")), BODY).header("access-control-allow-origin")), on=server)
        book.case("an allowed page may, by its own name", "https://app.attack.test", lambda: server.ask("POST", TOOL, server.headers(("Origin", "https://app.attack.test")), BODY).header("access-control-allow-origin"), on=server)
        book.case("never with credentials", "None", lambda: str(server.ask("POST", TOOL, server.headers(("Origin", "https://app.attack.test")), BODY).header("access-control-allow-credentials")), on=server)
        book.case("a foreign page's preflight", ("403", "405"), send, "/mcp", method="OPTIONS", extra=[("Origin", "http://evil.test"), ("Access-Control-Request-Method", "POST")], body=b"", on=server)

    media(book, server, send)
    paths(book, server, send)


def published(server, name: str, value: str) -> str:
    answer = server.ask("GET", "/.well-known/oauth-protected-resource", [("Host", server.host), (name, value)])
    text = answer.body + b" ".join(value.encode() for _, value in answer.headers)
    return "yes" if b"evil" in text or b"https://127" in text or b"203.0.113" in text or b"/x/" in text else "no"


def media(book, server, send) -> None:
    listing = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    with book.group("media", "Edge: media types and methods"):
        for path, body in ((TOOL, BODY), ("/mcp", listing)):
            where = "REST" if path == TOOL else "MCP"
            for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "application/jsonp", "application/json+x", "application/json, text/plain", "application/xml", "json", "*/*", ""):
                book.case(f"{where}: Content-Type: {kind!r}", "415", send, path, drop=("Content-Type",), extra=[("Content-Type", kind)], body=body, on=server)
            book.case(f"{where}: no Content-Type", "415", send, path, drop=("Content-Type",), body=body, on=server)
            book.case(f"{where}: two Content-Types", "415", send, path, extra=[("Content-Type", "text/plain")], body=body, on=server)
            for kind in ("Application/JSON", "application/json; charset=utf-8"):
                book.case(f"{where}: Content-Type: {kind!r}", "200", send, path, drop=("Content-Type",), extra=[("Content-Type", kind)], body=body, on=server)
            for kind in ("text/html", "image/*", "application/json;q=0", "application/json;q=0, text/html", "text/html, application/xml;q=0.9"):
                book.case(f"{where}: Accept: {kind!r}", "406", send, path, drop=("Accept",), extra=[("Accept", kind)], body=body, on=server)
            for kind in ("*/*", "application/*", "application/json, text/event-stream"):
                book.case(f"{where}: Accept: {kind!r}", "200", send, path, drop=("Accept",), extra=[("Accept", kind)], body=body, on=server)
            book.case(f"{where}: no Accept", "200", send, path, drop=("Accept",), body=body, on=server)
            for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "post", "POSTX", "PROPFIND", "QUERY"):
                book.case(f"{where}: {method} is 405 and told to POST", "405 POST", allowed, server, method, path, on=server)
            book.case(f"{where}: CONNECT", ("400", "404", "405", "403"), send, path, method="CONNECT", body=b"", on=server)
        book.case("MCP: Accept: text/event-stream alone gets one event", "text/event-stream", lambda: server.ask("POST", "/mcp", server.headers(("Accept", "text/event-stream"), drop=("Accept",)), listing).header("content-type"), on=server)
        for path in ("/openapi.json", "/.well-known/oauth-protected-resource", "/healthz", "/readyz"):
            book.case(f"POST {path} is 405", "405", send, path, body=b"{}", on=server)
        for name, headers in (("websocket", [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]), ("h2c", [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]), ("TLS", [("Connection", "Upgrade"), ("Upgrade", "TLS/1.3")])):
            book.case(f"an upgrade to {name} does not happen", ("200", "400"), send, extra=headers, on=server)
        for name, value in (("Range", "bytes=0-0"), ("If-Match", "*"), ("Expect", "200-ok"), ("Connection", "authorization"), ("Connection", "close, host"), ("Max-Forwards", "0"), ("Via", "1.1 evil"), ("TE", "trailers")):
            book.case(f"{name}: {value} changes nothing", ("200", "417") if name == "Expect" else "200", send, extra=[(name, value)], on=server)
        book.case("answers may not be cached, sniffed", "no-store nosniff", lambda: " ".join(server.call().header(name) for name in ("cache-control", "x-content-type-options")), on=server)
        book.case("answers name no software", "None None", lambda: " ".join(str(server.call().header(name)) for name in ("server", "x-powered-by")), on=server)
        book.case("a compressed body is not unpacked", ("400", "415"), send, extra=[("Content-Encoding", "gzip")], body=b"\x1f\x8b\x08\0\0\0\0\0", on=server)


def allowed(server, method: str, path: str) -> str:
    with server.connect() as wire:
        wire.send(head(method, path, server.headers()))
        if method == "HEAD":
            while b"\r\n\r\n" not in wire.buffer and wire.fill():
                pass
            status, allow = wire.buffer[9:12].decode(), "POST" if b"\r\nallow: POST\r\n" in wire.buffer else "no Allow"
            return f"{status} {allow}"
        answer = wire.answer()
        return f"{answer.status} {answer.header('allow')}"


def paths(book, server, send) -> None:
    with book.group("path", "Edge: only exact paths are routed"):
        for path in ODD_PATHS:
            book.case(f"POST {path}", ("404", "400"), send, path, on=server)
        for path in ("/metrics", "/mint-demo-jwt", "/mint-demo-jwt?sub=x&tenant=acme&scope=customer:read", "/console", "/debug/pprof/", "/admin", "/healthz%00", "/openapi.json;x"):
            book.case(f"GET {path}", "404", send, path, method="GET", body=b"", on=server)
        for name in ODD_NAMES:
            book.case(f"POST /mcp/tool/{name}", ("404", "400"), send, f"/mcp/tool/{name}", on=server)
        book.case("POST /mcp/tool/ and 15,000 characters", ("404", "431", "414"), send, "/mcp/tool/" + "a" * 15_000, on=server)
        book.case("a query does not change the route", "200", send, TOOL + "?/../../mcp", on=server)
        for path in ("/mcp", TOOL, "/openapi.json"):
            method = "GET" if path.endswith("json") else "POST"
            book.case(f"{path} without a token", "401", send, path, method=method, drop=("Authorization",), body=b"{}" if method == "POST" else b"", on=server)
