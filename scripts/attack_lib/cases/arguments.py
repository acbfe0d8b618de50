"""Arguments: the schema holds, identity comes from the token alone, and no body costs much time or memory."""
from __future__ import annotations

import json
import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from .protocol import CALL, told

IDENTITY = {"tenant": "globex", "tenant_id": "globex", "tenantId": "globex", "granted_scopes": ["customer:admin"], "scopes": ["customer:admin"], "scope": "customer:admin", "sub": "root", "subject": "root", "caller": {"tenant": "globex"}, "caller.tenant": "globex", "tool_name": "find_orders", ":tenant": "globex", "__proto__": {"tenant": "globex"}, "constructor": {}, "_meta": {"tenant": "globex"}}
INJECTIONS = ("o-123' OR '1'='1", "o-123'; DROP TABLE orders; --", "' UNION SELECT name, tier FROM customers --", "o-123\0", "%", "_____", "o-1*", ":tenant", "?1", "$tenant", "{{tenant}}", "${tenant}", "o-123/*", "\" OR \"\"=\"", "1) OR (1=1", "o-9", "..\\..\\shop.db", "\u02bc OR 1=1", "x' AND randomblob(100000000) --", "<script>", "=cmd|' /C calc'!A0", "\ud800")
MIB = 2**20
LONGEST = 0.1
"""Seconds that 1 MiB may take: twice what a build for speed needs. It grows with the length and no faster."""


def attack(book, world) -> None:
    server = world.base
    with book.group("who", "Arguments: nothing but the token tells who calls"):
        jane = server.call().json["result"]
        for name, value in IDENTITY.items():
            book.case(f"argument {name}", "400", lambda name=name, value=value: str(server.call({"customer_id": "c-42", name: value}).status), on=server)
            book.case(f"argument {name} over MCP", "200 isError", lambda name=name, value=value: told(server.message({**CALL, "params": {"name": "get_customer", "arguments": {"customer_id": "c-42", name: value}}})), on=server)
            if name != "_meta":
                book.case(f"_meta member {name} changes nothing", "Jane Doe", lambda name=name, value=value: server.modern("tools/call", CALL["params"], meta={name: value}).json["result"]["structuredContent"]["name"], on=server)
                book.case(f"params member {name} changes nothing", ("Jane Doe", "200 -32602"), beside, server, name, value, on=server)
        for header in ("X-Tenant", "X-Tenant-Id", "X-User", "X-Remote-User", "X-Scopes", "X-Forwarded-User", "Tenant", "tollgate-tenant", "Tollgate-Call-Id", "baggage", "x-goog-iap-jwt-assertion"):
            book.case(f"header {header} changes nothing", "Jane Doe", lambda header=header: server.call(headers=[(header, "globex")]).json["result"]["name"], on=server)
        book.case("query ?tenant=globex changes nothing", "Jane Doe", lambda: server.ask("POST", "/mcp/tool/get_customer?tenant=globex&scopes=customer:admin&customer_id=c-9", server.headers(), b'{"customer_id":"c-42"}').json["result"]["name"], on=server)
        book.case("a token of the other tenant gets the other tenant's", "Hiro Tanaka", lambda: server.call(token=server.token(tenant="globex")).json["result"]["name"], on=server)
        for tenant in ("Acme", "ACME", "acme ", "acme%", "acme' OR '1'='1", "a\u0441me", "acme/../globex", "*"):
            book.case(f"tenant {tenant!r} is another tenant", ("422",), lambda tenant=tenant: str(server.call(token=server.token(tenant=tenant)).status), on=server)
        assert jane["name"] == "Jane Doe"

    with book.group("same", "Arguments: what is not yours is as if it did not exist"):
        pairs = {
            "a customer by REST": lambda id: server.call({"customer_id": id}),
            "a customer by MCP": lambda id: server.message({**CALL, "params": {"name": "get_customer", "arguments": {"customer_id": id}}}),
            "a customer by modern MCP": lambda id: server.modern("tools/call", {"name": "get_customer", "arguments": {"customer_id": id}}),
            "a resource": lambda id: server.message({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": f"customers://{id}"}}),
            "an order": lambda id: server.call({"query": id.replace("c", "o")}, tool="find_orders"),
        }
        for name, ask in pairs.items():
            book.case(f"{name} of another tenant, and none: the same answer", "same", lambda ask=ask: "same" if shape(ask("c-9"), "c-9") == shape(ask("c-8"), "c-8") else "differ", on=server)
        book.case("and the same time (medians of 300)", "same", timing, pairs["a customer by REST"], "c-9", "c-8", on=server)

    with book.group("schema", "Arguments: the schema holds"):
        for name, body in (
            ("no argument", {}), ("null", {"customer_id": None}), ("a number", {"customer_id": 42}), ("a list", {"customer_id": ["c-42"]}), ("an object", {"customer_id": {"$ne": ""}}), ("off the pattern", {"customer_id": "C-42"}), ("a line after the match", {"customer_id": "c-42\n"}),
            ("a line before the match", {"customer_id": "x\nc-42"}), ("full-width digits", {"customer_id": "c-\uff14\uff12"}), ("Arabic digits", {"customer_id": "c-\u0664\u0662"}), ("an unknown property", {"customer_id": "c-42", "x": 1}), ("an empty property", {"customer_id": "c-42", "": 1}), ("other case", {"Customer_id": "c-42"}), ("$schema", {"customer_id": "c-42", "$schema": "x"}),
            ("$ref", {"$ref": "#/x"}), ("a list for arguments", []), ("a string for arguments", "x"), ("a twice-encoded object", json.dumps({"customer_id": "c-42"})),
        ):
            book.case(f"customer_id: {name}", "400", lambda body=body: str(server.call(body).status), on=server)
        for value in ("0", "101", "-1", "1.5", "1e400", "-1e400", "1e308", "99999999999999999999", '"20"', "true", "null", "[20]", "{}", "0x10", "1e", "NaN", "1_000"):
            book.case(f"limit: {value}", "400", lambda value=value: str(server.call(f'{{"query":"o-123","limit":{value}}}'.encode(), tool="find_orders").status), on=server)
        for value in ("20", "20.0", "2e1"):
            book.case(f"limit: {value}", ("200", "400") if value != "20" else "200", lambda value=value: str(server.call(f'{{"query":"o-123","limit":{value}}}'.encode(), tool="find_orders").status), on=server)
        for value in ("1e308", "-0.0", "5e-324", "9007199254740993", "123456789012345678901234567890", "1e400"):
            book.case(f"any number: {value}", ("200", "400"), lambda value=value: str(server.call(f'{{"query":"a","many":{value}}}'.encode(), tool="anything").status), on=server)
        for text in INJECTIONS:
            book.case(f"SQL stays text: {text!r}", ("200 []", "400"), injected, server, text, on=server)
        book.case("after which the orders are still there", "200 shipped", lambda: f"{(answer := server.call({'query': 'o-123'}, tool='find_orders')).status} {answer.json['result'][0]['status']}", on=server)
        for uri in ("customers://c-42/../c-9", "customers://%252e", "customers://c-42?x=1", "customers://c-42#x", "CUSTOMERS://c-42", "customers:///c-42", "customers://", "customers://c-42/", "customers://*", "customers://{customer_id}", "file:///etc/passwd", "http://127.0.0.1:1/", "customers://c-42\0", "customers://" + "c-" * 50_000, "", "x", "customers://c-42' OR 1=1"):
            book.case(f"resource {uri[:40]!r}", ("200 -32602", "200 -32002"), lambda uri=uri: told(server.message({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": uri}})), on=server)

    bombs(book, server)


def beside(server, name: str, value) -> str:
    answer = server.message({**CALL, "params": {**CALL["params"], name: value}})
    return answer.json["result"]["structuredContent"]["name"] if answer.code == "ok" else told(answer)


def injected(server, text: str) -> str:
    answer = server.call({"query": text}, tool="find_orders")
    return f"200 {json.dumps(answer.json['result'])}" if answer.status == 200 else str(answer.status)


def shape(answer, id: str):
    """An answer without call ids and the id that was asked for."""
    body = re.sub(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}", b"ID", answer.body).replace(id.encode(), b"X")
    return answer.status, [name for name, _ in answer.headers], body


def timing(ask, left: str, right: str) -> str:
    """Alternating, so that what else the machine does strikes both; another try where it strikes hard."""
    for _ in range(4):
        times: dict[str, list[float]] = {left: [], right: []}
        for n in range(600):
            id = (left, right)[n % 2]
            began = time.perf_counter()
            ask(id)
            times[id].append(time.perf_counter() - began)
        medians = [statistics.median(times[id]) * 1000 for id in (left, right)]
        if abs(medians[0] - medians[1]) < 0.1 * min(medians):
            return "same"
    return f"{medians[0]:.3f} ms and {medians[1]:.3f} ms"


def bombs(book, server) -> None:
    """1 MiB each. As arguments by REST, and as a message by MCP."""
    fill = lambda start, item, end: start + item * ((MIB - len(start) - len(end)) // len(item)) + end
    shapes = {
        "brackets, never closed": b"[" * MIB,
        "braces, never closed": b'{"a":' * (MIB // 5),
        "brackets, closed": b"[" * (MIB // 2) + b"]" * (MIB // 2),
        "an argument 100,000 deep": b'{"customer_id":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "an argument 120 deep": b'{"customer_id":' + b"[" * 120 + b"]" * 120 + b"}",
        "60,000 keys": b"{" + b",".join(b'"k%06d":1' % n for n in range(60_000)) + b"}",
        "60,000 keys that differ in their last byte": b"{" + b",".join(b'"aaaaaaa%05d":1' % n for n in range(60_000)) + b"}",
        "keys that collide in weak hashes": b"{" + b",".join(b'"%s":1' % "".join(("Aa", "BB")[n >> bit & 1] for bit in range(15)).encode() for n in range(28_000)) + b"}",
        "one key 30,000 times": b"{" + b",".join([b'"customer_id":"c-42"'] * 30_000) + b"}",
        "an unknown key of 1 MiB": fill(b'{"', b"k", b'":1}'),
        "a number of 1 MiB": fill(b'{"limit":', b"9", b"}"),
        "a fraction of 1 MiB": fill(b'{"limit":0.', b"1", b"}"),
        "an exponent of 1 MiB": fill(b'{"limit":1e', b"9", b"}"),
        "130,000 large numbers": fill(b'{"limit":[', b"1e308, ", b"1]}"),
        "500,000 zeros": fill(b'{"query":[', b"0,", b"0]}"),
        "a string of 1 MiB": fill(b'{"customer_id":"', b"a", b'"}'),
        "a string of escapes": fill(b'{"customer_id":"', b"\\u0000", b'"}'),
        "a string of surrogates": fill(b'{"customer_id":"', b"\\ud83d\\ude00", b'"}'),
        "a string of lone surrogates": fill(b'{"customer_id":"', b"\\ud800", b'"}'),
        "whitespace": b" " * MIB,
        "whitespace in an object": fill(b'{"customer_id":', b"\n", b'"C-42"}'),
        "bytes that are no UTF-8": fill(b'{"customer_id":"', b"\xff", b'"}'),
        "bytes that are no UTF-8 at the end": fill(b'{"customer_id":"', b"a", b'\xff"}'),
        "text that tests a backtracking pattern": fill(b'{"query":"', b"a", b'!"}'),
        "80,000 empty objects": fill(b'{"customer_id":[', b"{},", b"{}]}"),
        "strings in strings": fill(b'{"customer_id":"', b'\\"', b'"}'),
    }
    with book.group("bomb", "Arguments: 1 MiB of malice costs less than 100 ms and bounded memory"):
        before = server.memory()
        for name, body in shapes.items():
            assert len(body) <= MIB, (name, len(body))
            tool = "anything" if "pattern" in name else "find_orders" if b'{"query' in body[:8] or b'{"limit' in body[:8] else "get_customer"
            book.case(f"arguments: {name}", "400 in time", quick, server, lambda body=body, tool=tool: server.call(body, tool=tool), on=server)
            start = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"' + tool.encode() + b'","arguments":'
            message = start + body[: MIB - len(start) - 2] + b"}}"  # one that is cut short is malice, too
            book.case(f"message: {name}", ("400 in time", "200 in time"), quick, server, lambda message=message: server.message(message), on=server)
        for name, message in (("a method of 1 MiB", fill(b'{"jsonrpc":"2.0","id":1,"method":"', b"m", b'"}')), ("an id of 1 MiB", fill(b'{"jsonrpc":"2.0","method":"ping","id":"', b"i", b'"}')), ("a number of 1 MiB for an id", fill(b'{"jsonrpc":"2.0","method":"ping","id":', b"1", b"}")),
                              ("a tool's name of 1 MiB", fill(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"', b"n", b'"}}')), ("_meta of 1 MiB", fill(b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"a":[', b"[],", b"[]]}}}")),
                              ("a batch of 25,000", b"[" + b",".join([b'{"jsonrpc":"2.0","id":1,"method":"ping"}'] * 25_000) + b"]"), ("params 100,000 deep", b'{"jsonrpc":"2.0","id":1,"method":"x","params":' + b"[" * 100_000)):
            book.case(f"message: {name}", ("400 in time", "200 in time", "404 in time"), quick, server, lambda message=message: server.message(message), on=server)
        book.case("64 of the widest at once", "64 of 400", many, server, shapes["60,000 keys"], on=server)
        book.case("64 of the deepest at once", "64 of 400", many, server, shapes["brackets, closed"], on=server)
        book.case("memory grown by less than 160 MiB", "yes", lambda: "yes" if server.memory() - before < 160 else f"{server.memory() - before:.0f} MiB")


def quick(server, ask) -> str:
    """Status, and whether one of five tries took less than 100 ms: by the clock, with all that loopback and Python add, or
    of the server's own processor time, where the machine is busy with other things. A short answer is part of it."""
    best = 9.0
    for _ in range(5):
        worked, began = server.worked(), time.perf_counter()
        answer = ask()
        best = min(best, time.perf_counter() - began, server.worked() - worked)
        if best < LONGEST:
            break
    if len(answer.body) > 16_384 and b'"id":' not in answer.body[-MIB:]:
        return f"{answer.status} with {len(answer.body)} bytes"
    return f"{answer.status} in time" if best < LONGEST else f"{answer.status} in {best * 1000:.0f} ms"


def many(server, body: bytes) -> str:
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: server.call(body, patience=60).status, range(64)))
    return f"{answers.count(400)} of 400"
