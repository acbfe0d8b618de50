"""Trying out names and scopes: after so many refusals a caller learns nothing more, and nobody else notices.

The other files turn this limit off where they need the refusals themselves."""
from __future__ import annotations

from ..world import free_port
from .policy import bare
from .protocol import CALL, told

LIMIT = 20


def attack(book, world) -> None:
    config = world.config(server={"adminListen": f"127.0.0.1:{free_port()}"}, quotas={"denialLimit": f"{LIMIT}/h"})
    config["tools"]["hidden_tool"] = {**config["tools"]["get_customer"], "enabled": False}
    config["tools"]["customers_only"] = {**config["tools"]["get_customer"], "rules": [{"allowOnlyIf": 'caller.tenant == "initech"'}]}
    server = world.start("denials", config)
    mallory = server.token(sub="mallory", scope="customer:read")
    read = lambda uri, token: server.message({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": uri}}, token=token)

    def guess(tool: str = "nothing_tool", **options):
        return server.call(tool=tool, **{"token": mallory, **options})

    def first(subject: str, ask) -> str:
        """How many of 30 refusals a caller is told of before the limit holds."""
        token = server.token(sub=subject, scope="nothing")
        return str([b"Too many refused calls" in ask(token).body for _ in range(30)].index(True))

    with book.group("denial", "Protocol: who is refused too often is told no more"):
        statuses = [guess(f"guess_{n}").status for n in range(100)]
        book.case(f"100 made-up names: {LIMIT} are told to be unknown, the rest are 429", f"{LIMIT} {100 - LIMIT}", lambda: f"{statuses.count(404)} {statuses.count(429)}", on=server)
        ways = {"a hidden tool": "hidden_tool", "a tool whose rule refuses": "customers_only", "a tool without its scopes": "find_orders"}
        for name, tool in ways.items():
            book.case(f"{name} is then as an unknown one", "same", lambda tool=tool: "same" if still(guess(tool)) == still(guess()) else f"{still(guess(tool))} and {still(guess())}", on=server)
        book.case("so is a resource", "200 42905", lambda: told(read("nothing://c-42", mallory)), on=server)
        book.case("over MCP", "200 42905", lambda: told(server.message({**CALL, "params": {"name": "nothing_tool", "arguments": {}}}, token=mallory)), on=server)
        book.case("no scopes are named, and no way to get more", "None False", lambda: (lambda answer: f"{answer.header('www-authenticate')} {b'cope' in answer.body}")(guess("find_orders")), on=server)
        book.case("it is told when to come back", "yes", lambda: "yes" if (guess().header("retry-after") or "").isdigit() else str(guess().header("retry-after")), on=server)
        book.case("another token of the same caller does not get out of it", "429", lambda: str(guess(token=server.token(sub="mallory", scope="customer:read orders:search")).status), on=server)
        book.case("another address does not, either", "429", lambda: str(guess(source="127.0.0.2").status), on=server)
        book.case("what the caller may do it goes on doing", "20 of 200", lambda: f"{[guess('get_customer').status for _ in range(20)].count(200)} of 200", on=server)
        book.case("a colleague is told as ever", "404", lambda: str(guess(token=server.token(sub="alice")).status), on=server)
        book.case("the same name in another tenant is another caller", "404", lambda: str(guess(token=server.token(sub="mallory", tenant="globex")).status), on=server)
        book.case("missing scopes count", LIMIT, first, "bob", lambda token: server.call(token=token), on=server)
        book.case("refusals over MCP count", LIMIT, first, "carol", lambda token: server.message(CALL, token=token), on=server)
        book.case("unknown resources count", LIMIT, first, "dave", lambda token: read("nothing://c-42", token), on=server)
        book.case("bad arguments do not: they are the quota's", "0 of 429", lambda: f"{[server.call({'x': 1}, token=server.token(sub='eve')).status for _ in range(60)].count(429)} of 429", on=server)
        book.case("they are counted", "yes", lambda: "yes" if "too-many-denials" in server.metrics() else "no", on=server)
        book.case("the log names the caller once, not every time", "1", lambda: str(sum(b"too many refused calls" in line and b"subject=mallory" in line and b"tenant=acme" in line for line in server.said().splitlines())), on=server)


def still(answer):
    """What an answer tells, but for the time that passes between two."""
    status, headers, _ = bare(answer)
    body = {**answer.json, "callId": "", "retryAfterMs": 0, "detail": answer.json["detail"].split(";")[0]}
    return status, headers, body
