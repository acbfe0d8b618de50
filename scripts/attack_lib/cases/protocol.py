"""MCP messages: each key exact and once, no request mixed up with another, headers that agree with the body."""
from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from ..world import META

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_customer", "arguments": {"customer_id": "c-42"}}}
TEXT = json.dumps(CALL)


def told(answer) -> str:
    """HTTP status and JSON-RPC code."""
    if answer is None:
        return "closed"
    return f"{answer.status} {answer.code}" if answer.body else str(answer.status)


def attack(book, world) -> None:
    server = world.base

    def message(body) -> str:
        return told(server.message(body.encode() if isinstance(body, str) else body))

    with book.group("msg", "Protocol: one message, each key exact and once"):
        book.case("a good call", "200 ok", message, CALL, on=server)
        for old, new in (('"method": "tools/call"', '"Method": "tools/call"'), ('"method": "tools/call"', '"METHOD": "tools/call"'), ('"method": "tools/call"', '"method\\u0000": "tools/call"'),
                         ('"method": "tools/call"', '"method ": "tools/call"'), ('"jsonrpc"', '"JsonRpc"'), ('"jsonrpc"', '"jsonrpc\\u0000"'), ('"method": "tools/call"', '"m\\u200bethod": "tools/call"')):
            book.case(f"{new} for {old}", "400 -32600", message, TEXT.replace(old, new), on=server)
        for old, new in (('"id": 1', '"ID": 1'), ('"id": 1', '"Id": 1'), ('"id": 1', '"id\\u0000": 1')):
            book.case(f"{new} for {old}: at most a notification", ("202", "400 -32600"), message, TEXT.replace(old, new), on=server)
        for old, new in (('"params"', '"Params"'), ('"params"', '"params\\u0000"'), ('"name"', '"Name"'), ('"name"', '"NAME"'), ('"name"', '"name\\u0000"')):
            book.case(f"{new} for {old}", ("200 -32602", "400 -32600"), message, TEXT.replace(old, new), on=server)
        for old, new in (('"arguments"', '"Arguments"'), ('"arguments"', '"arguments\\u0000"'), ('"customer_id"', '"Customer_Id"'), ('"customer_id"', '"customer_id\\u0000"'), ('"customer_id"', '"customerId"'), ('"customer_id"', '"customer_id "')):
            book.case(f"{new} for {old}", ("200 isError", "200 -32602", "400 -32600"), message, TEXT.replace(old, new), on=server)
        for name, text in (
            ("method twice", TEXT.replace('"method"', '"method": "ping", "method"')), ("method twice, equal", TEXT.replace('"method"', '"method": "tools/call", "method"')),
            ("method twice, once escaped", TEXT.replace('"method"', '"meth\\u006fd": "ping", "method"')), ("id twice", TEXT.replace('"id"', '"id": 2, "id"')), ("jsonrpc twice", TEXT.replace('"jsonrpc"', '"jsonrpc": "2.0", "jsonrpc"')),
            ("params twice", TEXT.replace('"params"', '"params": {}, "params"')), ("name twice", TEXT.replace('"name"', '"name": "find_orders", "name"')), ("arguments twice", TEXT.replace('"arguments"', '"arguments": {}, "arguments"')),
            ("an argument twice", TEXT.replace('"customer_id"', '"customer_id": "c-1", "customer_id"')), ("an argument twice, once escaped", TEXT.replace('"customer_id"', '"customer\\u005fid": "c-1", "customer_id"')),
            ("_meta twice", TEXT.replace('"name"', '"_meta": {}, "_meta": {}, "name"')), ("a key of _meta twice", TEXT.replace('"name"', '"_meta": {"a": 1, "a": 2}, "name"')), ("an unknown key twice", TEXT.replace('"id"', '"x": 1, "x": 2, "id"')),
            ("a key of an unknown object twice", TEXT.replace('"id"', '"x": {"y": 1, "y": 1}, "id"')),
        ):
            book.case(name, ("400 -32600", "400 -32700", "200 isError", "200 -32602") if "argument" in name else ("400 -32600", "400 -32700"), message, text, on=server)
        for key, other in (("Method", "tools/list"), ("METHOD", "tools/list"), ("method\\u0000", "tools/list")):
            book.case(f"{key} beside method does not count", ("200 ok", "400 -32600"), ping, server, f'{{"jsonrpc":"2.0","id":1,"method":"ping","{key}":"{other}"}}', on=server)
            book.case(f"{key} before method does not count", ("200 ok", "400 -32600"), ping, server, f'{{"jsonrpc":"2.0","id":1,"{key}":"{other}","method":"ping"}}', on=server)
        for id in ("null", "{}", "[]", "true", "1.5", "1e3", "-0.0", '{"$ne":1}', "[1]"):
            book.case(f"id: {id}", "400 -32600", message, TEXT.replace('"id": 1', f'"id": {id}'), on=server)
        for id in ('"1"', '""', "-7", "9007199254740993", '"\\u0000"', '"\\u202e"', "123456789012345678901234567890"):
            book.case(f"id: {id} comes back as it is, or is refused", ("yes", "400 -32600"), echoed, server, id, on=server)
        for name, body in (
            ("a batch of one", f"[{TEXT}]"), ("an empty batch", "[]"), ("a batch of 10,000", "[" + ",".join(['{"jsonrpc":"2.0","id":1,"method":"ping"}'] * 10_000) + "]"), ("a string", '"tools/call"'), ("a number", "7"), ("null", "null"), ("an empty object", "{}"),
            ("jsonrpc 1.0", TEXT.replace("2.0", "1.0")), ("jsonrpc a number", TEXT.replace('"2.0"', "2.0")), ("no jsonrpc", TEXT.replace('"jsonrpc": "2.0", ', "")), ("method null", TEXT.replace('"tools/call"', "null")),
            ("method a list", TEXT.replace('"tools/call"', '["tools/call"]')), ("method and result", TEXT.replace('"id"', '"result": {}, "id"')),
        ):
            book.case(name, ("400 -32600", "400 -32700"), message, body, on=server)
        for name, body in (
            ("nothing", b" "), ("two messages", TEXT + TEXT), ("a message and text", TEXT + " x"), ("cut short", TEXT[:-1]), ("a trailing comma", TEXT[:-1] + ",}"), ("a comment", TEXT + "// x"), ("single quotes", TEXT.replace('"', "'")),
            ("a byte order mark", "\ufeff" + TEXT), ("UTF-16", TEXT.encode("utf-16")), ("UTF-8 that is not", TEXT.encode().replace(b"c-42", b"c-\xff\xfe")), ("an overlong slash", TEXT.encode().replace(b"c-42", b"\xc0\xaf")),
            ("an encoded surrogate", TEXT.encode().replace(b"c-42", b"\xed\xa0\x80")), ("NUL", TEXT.encode() + b"\0"), ("a raw newline in a string", TEXT.replace("c-42", "c-\n42")), ("NaN", TEXT.replace('"c-42"', "NaN")), ("a leading zero", TEXT.replace('"c-42"', "042")),
        ):
            book.case(f"not JSON: {name}", ("400 -32700", "400 -32600"), message, body, on=server)
        for name, params in (("a list", []), ("text", "x"), ("null", None), ("a number", 7)):
            book.case(f"params: {name}", ("200 -32602", "400 -32600"), message, {**CALL, "params": params}, on=server)
        for name, params in (("name a number", {"name": 7}), ("name null", {"name": None}), ("name a list", {"name": ["get_customer"]}), ("no name", {}), ("arguments a list", {"name": "get_customer", "arguments": []}), ("arguments text", {"name": "get_customer", "arguments": "{}"}),
                             ("arguments null", {"name": "get_customer", "arguments": None})):
            book.case(f"params: {name}", ("200 -32602", "200 isError"), message, {**CALL, "params": params}, on=server)
        for method in ("tools/Call", "Tools/call", "TOOLS/CALL", "tools/call ", "tools\\call", "tools//call", "tools/call/", "../tools/call", "rpc.discover", "__proto__", "constructor", "", "tools/list\0", "logging/setLevel", "sampling/createMessage", "resources/subscribe", "admin/reload", "tools/register", "x" * 100_000):
            book.case(f"method {method[:24]!r}", ("200 -32601", "404 -32601", "400 -32600", "200 -32602"), message, {"jsonrpc": "2.0", "id": 1, "method": method}, on=server)
        for name, body in (("a response", {"jsonrpc": "2.0", "id": 1, "result": {}}), ("an error response", {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "x"}}), ("a notification", {"jsonrpc": "2.0", "method": "notifications/initialized"}), ("a notification to cancel another's call", {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}), ("tools/call as a notification", {key: value for key, value in CALL.items() if key != "id"})):
            book.case(f"{name} is taken and not answered", ("202", "400 -32600"), message, body, on=server)
        for name, value in (("a session id", ("Mcp-Session-Id", "1")), ("another's event id", ("Last-Event-ID", "1")), ("a session id with a newline's code", ("Mcp-Session-Id", "%0d%0aX: y"))):
            book.case(f"{name} changes nothing", "200 ok", lambda value=value: told(server.message(CALL, headers=[value])), on=server)
        book.case("a made-up cursor", "200 -32602", message, {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": "eyJhIjoxfQ=="}}, on=server)

    modern(book, server)
    with book.group("cross", "Protocol: callers are kept apart"):
        book.case("400 calls at once with one id, of two tenants: each gets its own", "400 right", crossing, server, on=server)
        book.case("the list shows a caller what it may call, and no more", "anything,get_customer find_orders", lambda: " ".join(",".join(sorted(listed(server, scope))) for scope in ("customer:read", "orders:search")), on=server)
        book.case("a tool that the list hides for scopes is refused as well", "403 40301", lambda: told(server.message(CALL, token=server.token(scope="orders:search"))), on=server)
        book.case("and says which scope would do", "customer:read", lambda: server.message(CALL, token=server.token(scope="orders:search")).header("www-authenticate").split('scope="')[1].split('"')[0], on=server)
        book.case("a resource likewise", "403 40301", lambda: told(server.message({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "customers://c-42"}}, token=server.token(scope="orders:search"))), on=server)


def ping(server, text: str) -> str:
    """A ping has an empty result; a list would not."""
    answer = server.message(text.encode())
    return told(answer) if answer.status != 200 or answer.json.get("result") == {} else f"answered as another method: {answer.body[:80]!r}"


def echoed(server, id: str) -> str:
    answer = server.message(TEXT.replace('"id": 1', f'"id": {id}').encode())
    if answer.status != 200:
        return told(answer)
    return "yes" if answer.json["id"] == json.loads(id) and (not id.isdigit() or f'"id":{id},'.encode() in answer.body) else f"no: {answer.body[:60]!r}"


def listed(server, scope: str) -> list[str]:
    return [tool["name"] for tool in server.modern("tools/list", token=server.token(scope=scope)).json["result"]["tools"]]


def crossing(server) -> str:
    tokens = {"acme": server.token(), "globex": server.token(tenant="globex")}
    names = {"acme": b"Jane Doe", "globex": b"Hiro Tanaka"}

    def one(n: int) -> bool:
        tenant = ("acme", "globex")[n % 2]
        answer = server.message(CALL, token=tokens[tenant]) if n % 3 else server.modern("tools/call", CALL["params"], token=tokens[tenant])
        return names[tenant] in answer.body and answer.json["id"] == 1

    with ThreadPoolExecutor(24) as pool:
        return f"{sum(pool.map(one, range(400)))} right"


def modern(book, server) -> None:
    params = {**CALL["params"], "_meta": META}
    body = json.dumps({**CALL, "params": params}).encode()
    version, method, name = ("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/call"), ("Mcp-Name", "get_customer")

    def send(*headers, body: bytes = body) -> str:
        return told(server.message(body, headers=headers))

    with book.group("mirror", "Protocol: headers agree with the body, and metadata is complete"):
        book.case("all headers agree", "200 ok", send, version, method, name, on=server)
        for label, headers in (
            ("no version", [method, name]), ("no method", [version, name]), ("no name", [version, method]), ("another method", [version, ("Mcp-Method", "tools/list"), name]), ("another name", [version, method, ("Mcp-Name", "find_orders")]),
            ("the method in other case", [version, ("Mcp-Method", "Tools/Call"), name]), ("the name in other case", [version, method, ("Mcp-Name", "Get_Customer")]), ("two methods", [version, method, method, name]), ("two names", [version, method, name, name]), ("two versions", [version, version, method, name]),
            ("a list of names", [version, method, ("Mcp-Name", "get_customer, find_orders")]), ("another version", [("MCP-Protocol-Version", "2025-11-25"), method, name]), ("the name in broken Base64", [version, method, ("Mcp-Name", "=?base64?!!!?=")]),
            ("another name in Base64", [version, method, ("Mcp-Name", "=?base64?ZmluZF9vcmRlcnM=?=")]), ("the name percent-encoded", [version, method, ("Mcp-Name", "get%5fcustomer")]),
        ):
            book.case(label, "400 -32020", send, *headers, on=server)
        book.case("the name in good Base64", "200 ok", send, version, method, ("Mcp-Name", "=?base64?Z2V0X2N1c3RvbWVy?="), on=server)
        for label, meta in (("a number for a version", {**META, "io.modelcontextprotocol/protocolVersion": 20260728}), ("no capabilities", {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}), ("capabilities a list", {**META, "io.modelcontextprotocol/clientCapabilities": []}), ("_meta a list", []), ("client info text", {**META, "io.modelcontextprotocol/clientInfo": "x"})):
            book.case(f"_meta: {label}", "400 -32602", send, version, method, name, body=json.dumps({**CALL, "params": {**CALL["params"], "_meta": meta}}).encode(), on=server)
        for value in ("2099-01-01", "", "2026-07-28\n", "../../etc/passwd", "a" * 5000):
            meta = {**META, "io.modelcontextprotocol/protocolVersion": value}
            book.case(f"_meta: version {value[:20]!r}", ("400 -32022", "400 -32020", "400 -32602"), send, ("MCP-Protocol-Version", value.strip() or "x"), method, name, body=json.dumps({**CALL, "params": {**CALL["params"], "_meta": meta}}).encode(), on=server)
        book.case("a legacy version that is not served", "400 -32022", lambda: told(server.message(CALL, headers=[("MCP-Protocol-Version", "1999-01-01")])), on=server)
        for gone in ("initialize", "ping", "logging/setLevel"):
            book.case(f"{gone} with modern metadata", "404 -32601", lambda gone=gone: told(server.modern(gone)), on=server)
        book.case("a result filtered by caller is private", "private", lambda: server.modern("tools/list").json["result"]["cacheScope"], on=server)
