"""What clients say besides their calls: answers to questions, sealed states, tokens for progress, levels, capabilities,
references to complete, subscriptions, session ids. Of every wrong shape, too big, too deep, doubled: refused or passed
over, for little time and memory, and never believed."""
from __future__ import annotations

import json
import threading
import time

from ..wire import head
from ..world import META, Server
from .protocol import told
from .stdio import Stdio

NAME = "io.modelcontextprotocol/"
SHAPES = {"null": "null", "true": "true", "a number": "7", "a float": "1.5", "a huge number": "1e400", "text": '"x"', "no text": '""', "NUL": '"\\u0000"', "a lone surrogate": '"\\ud800"', "U+2028": '"\\u2028"', "right to left": '"\\u202e"', "an astral character": '"\\ud83d\\ude00"', "a newline and an escape": '"\\n\\u001b[31m"',
          "a list": "[]", "a list of lists": "[[[]]]", "an object": "{}", "an object in a list": '[{"a":1}]', "__proto__": '{"__proto__":{"a":1}}', "500 KiB of text": '"' + "x" * 500_000 + '"', "100,000 entries": "[" + "0," * 99_999 + "0]", "20,000 members": "{" + ",".join(f'"k{n}":{n}' for n in range(20_000)) + "}"}
# Past what is read at all, whatever member they stand in.
BOMBS = {"100,000 deep": "[" * 100_000 + "]" * 100_000, "1,000 objects deep": '{"a":' * 1_000 + "1" + "}" * 1_000, "a key twice": '{"a":1,"a":2}', "a key twice, once escaped": '{"a":1,"\\u0061":2}', "a key twice, deep": '[{"b":[{"a":1,"a":2}]}]'}
FINE = ("200 ok", "200 -32602", "400 -32602", "400 -32600", "400 -32700")
READ = "tools/call", {"name": "get_customer", "arguments": {"customer_id": "c-42"}}
COMPLETE = {"ref": {"type": "ref/resource", "uri": "customers://{customer_id}"}, "argument": {"name": "customer_id", "value": "c"}}
EVENTS = [("Accept", "application/json, text/event-stream")]
# Where the shapes go: a method, its parameters, and the path of the member.
PLACES = {
    "inputResponses": (*READ, ["inputResponses"]), "an answer": (*READ, ["inputResponses", "who"]), "requestState": (*READ, ["requestState"]), "progressToken": (*READ, ["_meta", "progressToken"]), "logLevel": (*READ, ["_meta", NAME + "logLevel"]),
    "clientCapabilities": (*READ, ["_meta", NAME + "clientCapabilities"]), "elicitation": (*READ, ["_meta", NAME + "clientCapabilities", "elicitation"]), "elicitation.form": (*READ, ["_meta", NAME + "clientCapabilities", "elicitation", "form"]), "sampling": (*READ, ["_meta", NAME + "clientCapabilities", "sampling"]),
    "ref": ("completion/complete", COMPLETE, ["ref"]), "ref.type": ("completion/complete", COMPLETE, ["ref", "type"]), "ref.uri": ("completion/complete", COMPLETE, ["ref", "uri"]), "argument": ("completion/complete", COMPLETE, ["argument"]), "argument.name": ("completion/complete", COMPLETE, ["argument", "name"]), "argument.value": ("completion/complete", COMPLETE, ["argument", "value"]), "context": ("completion/complete", COMPLETE, ["context"]), "context.arguments": ("completion/complete", COMPLETE, ["context", "arguments"]),
}


def modern(server: Server, method: str, params: dict, path: list[str], text: str, headers=()):
    """A request whose member at `path` is `text`, which need not be JSON that Python would write."""
    params = json.loads(json.dumps({**params, "_meta": META}))
    place = params
    for step in path[:-1]:
        place = place.setdefault(step, {})
    place[path[-1]] = "MEMBER"
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).replace('"MEMBER"', text, 1)
    mirror = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method)] + ([("Mcp-Name", params["name"])] if "name" in params else [])
    return server.message(body.encode(), headers=[*mirror, *headers])


def attack(book, world) -> None:
    server = world.start("spoken")

    with book.group("spoken", "Protocol: what clients say besides their calls"):
        before = server.memory()
        for place, (method, params, path) in PLACES.items():
            def member(text: str, expected=FINE) -> str:
                began = server.worked()
                got = told(modern(server, method, params, path, text))
                return got if server.worked() - began < 2 else f"{got}, for {server.worked() - began:.1f} s of processor time"
            for name, text in SHAPES.items():
                book.case(f"{place}: {name}", FINE, member, text, on=server)
            for name, text in BOMBS.items():
                book.case(f"{place}: {name}", ("400 -32700", "400 -32600", "200 -32602"), member, text, on=server)
        for name, text in {**SHAPES, **BOMBS}.items():
            for filter in ({"resourceSubscriptions": "MEMBER"}, {"resourceSubscriptions": ["MEMBER"]}, {"toolsListChanged": "MEMBER"}):
                what = json.dumps(filter).replace('"MEMBER"', name)
                book.case(f"listen: {what}", (*FINE, "406 -32600", "acknowledged"), listen, server, json.dumps(filter).replace('"MEMBER"', text, 1), on=server)
        book.case("a token of 100 KiB is not given back with every word", "200 -32602", lambda: told(modern(server, *READ, ["_meta", "progressToken"], '"' + "t" * 100_000 + '"')), on=server)
        book.case("a subscription under an id of 100 KiB", "200 -32602", listen, server, '{"toolsListChanged":true}', '"' + "i" * 100_000 + '"', on=server)
        book.case("all that took less than 64 MiB", "yes", lambda: "yes" if server.memory() - before < 64 else f"{server.memory() - before:.0f} MiB")

    with book.group("session", "Protocol: session ids and answers of the older era"):
        id = session(server, server.token())
        book.case("a client that can be asked gets a session", "yes", lambda: "yes" if id else "no")
        for name, value in {"junk": "x", "a dot": ".", "8 KiB": "A" * 8_000, "the first half": id[: len(id) // 2], "a character changed": ("B" if id[0] == "A" else "A") + id[1:], "padding": id + "=", "twice": id + id, "other case": id.swapcase(), "a path": "../../etc/passwd", "base64 of nothing": "AAAA" * 20, "another's": session(server, server.token(sub="eve"))}.items():
            book.case(f"{name} as a session id", "200 ok", lambda value=value: told(server.message(CALL, headers=[("Mcp-Session-Id", value)])), on=server)
        book.case("10,000 answers to nothing", "202", flood, server, on=server)
        for name, body in {"an answer with an id of 500 KiB": {"id": "x" * 500_000, "result": {}}, "an answer with NUL in its id": {"id": "a\0b", "result": {}}, "an answer and an error": {"id": "x", "result": {}, "error": {}}, "an answer without an id": {"result": {}}, "an answer of 500 KiB": {"id": "x", "result": "x" * 500_000}}.items():
            book.case(name, "202", lambda body=body: told(server.message({"jsonrpc": "2.0", **body})), on=server)
        book.case("an answer in the newer era", "400 -32600", lambda: told(server.message({"jsonrpc": "2.0", "id": 1, "result": {}}, headers=[("MCP-Protocol-Version", "2026-07-28")])), on=server)
        for name, params in {"a list": ["debug"], "another case": {"level": "DEBUG"}, "a number": {"level": 1}, "an object": {"level": {"level": "debug"}}, "nothing": {}, "100 KiB": {"level": "x" * 100_000}}.items():
            book.case(f"setLevel: {name}", "200 -32602", lambda params=params: told(server.message({"jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": params})), on=server)
        book.case("20,000 levels, each of another session, take little room", "yes", levels, server, on=server)

    with book.group("lines", "Protocol: the same on stdio"):
        stdio = Stdio(world, "spoken-stdio", {**world.config(), "stdio": {"principal": {"tenant": "acme", "subject": "me", "scopes": ["customer:read"]}}})
        for n, (name, line) in enumerate(lines().items()):
            book.case(f"{name}, then a good call", "Jane Doe", stdio.after, line, f"spoken-{n}")
        book.case("the end of input", "exit 0", stdio.end)


CALL = {"jsonrpc": "2.0", "id": 1, "method": READ[0], "params": READ[1]}


def listen(server: Server, filter: str, id: str = "1") -> str:
    """What becomes of a subscription; one that is opened is closed again."""
    body = json.dumps({"jsonrpc": "2.0", "id": "ID", "method": "subscriptions/listen", "params": {"notifications": "FILTER", "_meta": META}})
    body = body.replace('"ID"', id, 1).replace('"FILTER"', filter, 1).encode()
    headers = server.headers(*EVENTS, ("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "subscriptions/listen"), ("Content-Length", str(len(body))), drop=("Accept",))
    with server.connect() as wire:
        wire.send(head("POST", "/mcp", headers) + body)
        while b"\r\n\r\n" not in wire.buffer:
            if not wire.fill():
                return "closed"
        if b"text/event-stream" not in wire.buffer.lower():
            return told(wire.answer())
        while b"acknowledged" not in wire.buffer:
            if not wire.fill():
                return "ended"
        return "acknowledged"


def session(server: Server, token: str) -> str:
    params = {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}}
    return server.message({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}, token=token).header("mcp-session-id") or ""


def flood(server: Server) -> str:
    """Answers by the thousand, on ten connections."""
    got: set[str] = set()

    def send(of: int) -> None:
        with server.connect() as wire:
            for n in range(1_000):
                body = json.dumps({"jsonrpc": "2.0", "id": f"{of}-{n}", "result": {"action": "accept"}}).encode()
                wire.send(head("POST", "/mcp", server.headers(("Content-Length", str(len(body))))) + body)
                answer = wire.answer()
                got.add(str(answer.status) if answer else "closed")

    threads = [threading.Thread(target=send, args=(of,)) for of in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return " ".join(sorted(got))


def levels(server: Server) -> str:
    before, deadline = server.memory(), time.monotonic() + 60
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": {"level": "debug"}}).encode()
    with server.connect() as wire:
        for n in range(20_000):
            wire.send(head("POST", "/mcp", server.headers(("Content-Length", str(len(body))), ("Mcp-Session-Id", f"{n}-" + "s" * 500))) + body)
            if wire.answer() is None or time.monotonic() > deadline:
                return f"ended after {n}"
    grown = server.memory() - before
    return "yes" if grown < 16 else f"{grown:.0f} MiB"


def lines() -> dict[str, bytes]:
    """Junk for the one client of a process."""
    text = {
        "an answer under the id of nothing": {"id": "x", "result": {}}, "an answer under a number": {"id": 1, "result": {}}, "an error": {"id": "x", "error": 7}, "an answer of 500 KiB": {"id": "x", "result": "x" * 500_000}, "initialize with capabilities as a list": {"id": "i", "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": [{"elicitation": {}}]}},
        "setLevel with a list": {"id": "l", "method": "logging/setLevel", "params": ["debug"]}, "subscribe to 500 KiB": {"id": "s", "method": "resources/subscribe", "params": {"uri": "customers://" + "c" * 500_000}}, "subscribe to NUL": {"id": "s", "method": "resources/subscribe", "params": {"uri": "\0"}}, "unsubscribe from a number": {"id": "u", "method": "resources/unsubscribe", "params": {"uri": 7}},
        "complete with lists": {"id": "c", "method": "completion/complete", "params": [["ref/prompt", "x"], ["a", "b"]]}, "a prompt that there is not": {"id": "p", "method": "prompts/get", "params": {"name": "\x1b[31m"}}, "progress of ours": {"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}}, "roots changed": {"method": "notifications/roots/list_changed"},
    }
    lines = {name: json.dumps({"jsonrpc": "2.0", **message}).encode() for name, message in text.items()}
    answers = b"\n".join(json.dumps({"jsonrpc": "2.0", "id": f"{n}", "result": {}}).encode() for n in range(10_000))
    return {**lines, "10,000 answers": answers, "10,000 cancellations": b"\n".join(json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": n}}).encode() for n in range(10_000))}
