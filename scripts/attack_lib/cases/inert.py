"""What callers write stays inert where operators read: no line of theirs in a log or trace, no escape sequence for a
terminal, and no metric label of their making."""
from __future__ import annotations

import json
import re

from ..peers import until
from .protocol import CALL

EVIL = {
    "a newline": "x\nFORGED 12:00:00 ERROR all is well", "a carriage return": "x\rFORGED", "CR LF": "x\r\nFORGED", "an ANSI colour": "x\x1b[31mFORGED\x1b[0m", "a terminal title": "x\x1b]0;FORGED\x07", "C1 CSI": "x\x9b31mFORGED",
    "U+2028": "x\u2028FORGED", "U+2029": "x\u2029FORGED", "U+0085": "x\x85FORGED", "right-to-left": "x\u202eFORGED", "NUL": "x\0FORGED", "backspaces": "x\b\b\bFORGED", "a format": "x%s%n{}{{}}{0}FORGED", "a lookup": "x${jndi:ldap://127.0.0.1:1/a}FORGED", "a template": "x{{7*7}}<%= 7*7 %>#{7*7}FORGED",
    "a quote": 'x" ok quota=admitted tenant=root FORGED', "a metric label": 'x"} 1\nFORGED{a="b',
}
RAW = re.compile(b"[\\x00-\\x08\\x0b-\\x1f\\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9\xae]")


def attack(book, world) -> None:
    server = world.base
    with book.group("inert", "Protocol: what callers write stays inert in traces, logs, metrics"):
        for name, text in EVIL.items():
            book.case(f"{name} everywhere a caller can write", "inert", written, server, text, on=server)
        book.case("no raw control character in all that was printed", "none", lambda: str((RAW.search(server.said()) or [b"none"])[0].decode("latin-1").encode("unicode_escape").decode() if RAW.search(server.said()) else "none"))
        book.case("no line begins with a caller's text", "none", lambda: next((line.decode("utf-8", "replace") for line in server.said().splitlines() if line.startswith((b"FORGED", b"\x1b"))), "none"))
        book.case("metrics know only targets of the catalogue", "yes", labels, server, on=server)


    with book.group("record", "Protocol: each call has one record, whatever became of it"):
        tool, body = "/mcp/tool/get_customer", b'{"customer_id":"c-42"}'
        for name, call in {
            "200": lambda: server.call(), "400 for its arguments": lambda: server.call({}), "400 for its body": lambda: server.call(b"{"), "401": lambda: server.call(token="x"), "401 without a token": lambda: server.call(token=""), "403 for scopes": lambda: server.call(token=server.token(scope="x")), "403 for Host": lambda: server.ask("POST", tool, [("Host", "evil.test")], body),
            "403 for Origin": lambda: server.call(headers=[("Origin", "http://evil.test")]), "404": lambda: server.call(tool="nothing"), "405": lambda: server.ask("GET", tool, server.headers()), "406": lambda: server.ask("POST", tool, server.headers(("Accept", "text/html"), drop=("Accept",)), body), "413": lambda: server.ask("POST", tool, server.headers(("Content-Length", "9999999"))),
            "415": lambda: server.ask("POST", tool, server.headers(("Content-Type", "text/plain"), drop=("Content-Type",)), body), "422": lambda: server.call({"customer_id": "c-0"}), "MCP 400": lambda: server.message(b"["), "MCP 404": lambda: server.modern("x/y"), "MCP isError": lambda: server.message({**CALL, "params": {"name": "get_customer", "arguments": {}}}), "MCP 401": lambda: server.message(CALL, token="x"),
        }.items():
            book.case(name, "1 record", records, server, call, on=server)


def records(server, call) -> str:
    id = call().header("tollgate-call-id").encode()
    last = server.call().header("tollgate-call-id").encode()
    until(lambda: last in server.said(), 5)
    return f"{sum(b'call=' + id in line and b' via=' in line for line in server.said().splitlines())} record"


def written(server, text: str) -> str:
    before = len(server.said())
    name = {"name": text, "arguments": {"customer_id": text, text: text}}
    token = server.token(sub=text) if text.isprintable() else server.token()
    calls = [
        lambda: server.message({"jsonrpc": "2.0", "id": text, "method": "tools/call", "params": name}, token=token),
        lambda: server.message({"jsonrpc": "2.0", "id": 1, "method": text}, token=token),
        lambda: server.message({**CALL, "params": {**CALL["params"], "arguments": name["arguments"], "_meta": {"traceparent": text, "tracestate": text, "baggage": text, "progressToken": text}}}, token=token),
        lambda: server.message({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "customers://" + text}}, token=token),
        lambda: server.modern("tools/call", CALL["params"], meta={"io.modelcontextprotocol/clientInfo": {"name": text, "version": text}, "traceparent": text}, token=token),
        lambda: server.message({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": text, "clientInfo": {"name": text, "version": text}, "capabilities": {}}}),
        lambda: server.call({"query": text}, tool="find_orders"),
        lambda: server.call({text: text}),
    ]
    one_line = "".join(c for c in text if c not in "\r\n\0")
    calls += [
        lambda: server.call(headers=[("User-Agent", one_line), ("traceparent", one_line), ("tracestate", one_line), ("X-Request-Id", one_line), ("Referer", one_line)]),
        lambda: server.call(token=server.token({"kid": text}, iss=text)),
        lambda: server.message(CALL, headers=[("MCP-Protocol-Version", one_line), ("Mcp-Method", one_line), ("Mcp-Name", one_line)]),
    ]
    for call in calls:
        call()
    last = server.call().header("tollgate-call-id")
    until(lambda: last.encode() in server.said(), 5)
    said = server.said()[before:]
    if RAW.search(said):
        return "raw: " + repr(RAW.search(said)[0])
    forged = [line for line in said.splitlines() if line.startswith(b"FORGED")]
    return f"a line: {forged[0]!r}" if forged else "inert"


def labels(server) -> str:
    if server.admin == "off":
        return "there are no metrics"
    text = server.metrics()
    bad = [line for line in text.splitlines() if "FORGED" in line or "evil" in line or not re.fullmatch(r'#.*|\w+(\{(\w+="[^"\\]*",?)*\})? \S+( \d+)?', line)]
    return f"no: {bad[0][:80]}" if bad else "yes"
