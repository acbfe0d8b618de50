"""Authorization from outside: hidden is unknown, rules hold, tenants have their own terms, shadow mode only watches."""
from __future__ import annotations

import re

from ..world import BIND, CUSTOMER, CUSTOMER_SQL, ORDERS_SQL
from .arguments import quick, timing
from .protocol import CALL, told


def attack(book, world) -> None:
    customer = {"description": "A customer.", "scopes": ["customer:read"], "parameters": CUSTOMER, "bind": BIND, "sql": CUSTOMER_SQL}
    text = {"description": "Orders.", "scopes": ["customer:read"], "bind": BIND, "sql": ORDERS_SQL, "parameters": {"query": {"type": "string"}, "limit": {"type": "integer", "default": 1}}}
    tools = {
        "get_customer": {**customer, "rules": [{"deny": 'args.customer_id.startsWith("c-vip") && !("vip:read" in caller.scopes)', "because": "VIP profiles need vip:read"}]},
        "hidden_tool": {**customer, "enabled": False},
        "acme_only": {**customer, "rules": [{"allowOnlyIf": 'caller.tenant == "acme"'}]},
        "any_of": {**customer, "scopes": {"allOf": ["customer:read"], "anyOf": ["north", "south"]}},
        "watched": {**customer, "rules": [{"deny": "true", "mode": "shadow"}]},
        "breaks": {**customer, "rules": [{"deny": "args.customer_id.size() / (args.customer_id.size() - 4) > 100"}]},
        "of_tenants": {**customer, "description": "For tenants that have it.", "enabled": False},
        "wide": {**text, "rules": [{"deny": 'args.query.contains("secret")'}]},
        "matched": {**text, "rules": [{"deny": 'args.query.matches("^(a+)+$")'}]},
    }
    # Here the refusals themselves are compared, so their number is not limited; denials.py attacks that limit.
    config = world.config(quotas={"denialLimit": "unlimited"}, auth={"scopes": {"customer:admin": {"includes": ["customer:write"]}, "customer:write": {"includes": ["customer:read"]}}})
    config |= {"tools": tools, "tenants": {"globex": {"tools": {"of_tenants": {"enabled": True}, "get_customer": {"enabled": False}}}}}
    config["resources"]["hidden://{customer_id}"] = {**config["resources"]["customers://{customer_id}"], "name": "hidden", "enabled": False}
    server = world.start("policy", config)

    def call(tool: str, id: str = "c-42", **claims) -> str:
        answer = server.call({"customer_id": id}, tool=tool, token=server.token(**claims))
        return str(answer.status)

    with book.group("hidden", "Protocol: unknown, hidden, disabled: the same answer, the same time"):
        ways = {
            "REST": lambda name: server.call(tool=name), "MCP": lambda name: server.message({**CALL, "params": {"name": name, "arguments": {"customer_id": "c-42"}}}), "modern MCP": lambda name: server.modern("tools/call", {"name": name, "arguments": {"customer_id": "c-42"}}),
            "REST with bad arguments": lambda name: server.call({"x": 1}, tool=name), "REST without scopes": lambda name: server.call(tool=name, token=server.token(scope=...)), "REST of a tenant that lacks it": lambda name: server.call(tool=name.replace("hidden_tool", "of_tenants").replace("nothing_tool", "nothing_10")),
        }
        for name, ask in ways.items():
            book.case(f"{name}: a disabled tool is as one that is not there", "same", lambda ask=ask: "same" if bare(ask("hidden_tool")) == bare(ask("nothing_tool")) else f"{bare(ask('hidden_tool'))} and {bare(ask('nothing_tool'))}", on=server)
        book.case("and as fast (medians of 300)", "same", timing, ways["REST"], "hidden_tool", "nothing_tool", on=server)
        read = lambda uri: server.message({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": uri}})
        book.case("a disabled resource is as one that is not there", "same", lambda: "same" if bare(read("hidden://c-42")) == bare(read("nohiddn://c-42"), b"nohiddn", b"hidden") else "differ", on=server)
        for way, text in (("tools/list", lambda: server.modern("tools/list").body), ("resources/templates/list", lambda: server.modern("resources/templates/list").body), ("openapi.json", lambda: server.ask("GET", "/openapi.json", server.headers()).body), ("resource metadata", lambda: server.ask("GET", "/.well-known/oauth-protected-resource", server.headers()).body)):
            book.case(f"{way} does not tell of them", "no", lambda text=text: "yes" if b"hidden" in text() or b"of_tenants" in text() else "no", on=server)
        book.case("a tenant's own tool: not there for acme, there for globex", "404 200", lambda: f"{call('of_tenants')} {call('of_tenants', tenant='globex')}", on=server)
        book.case("taken from a tenant: there for acme, not for globex", "200 404", lambda: f"{call('get_customer')} {call('get_customer', tenant='globex')}", on=server)
        book.case("the lists agree", "of_tenants", lambda: ",".join(sorted(set(listed(server, "globex")) - set(listed(server, "acme")))), on=server)

    with book.group("rule", "Protocol: rules on arguments and callers"):
        book.case("what the rule denies", "403", call, "get_customer", "c-vip7", on=server)
        book.case("with the scope it asks for: on to the tool", "422", call, "get_customer", "c-vip7", scope="customer:read vip:read", on=server)
        book.case("the reason is told", "VIP profiles need vip:read", lambda: server.call({"customer_id": "c-vip7"}).json["detail"], on=server)
        book.case("and no scope is asked for, which would make clients loop", "None", lambda: str(server.call({"customer_id": "c-vip7"}).header("www-authenticate")), on=server)
        book.case("over MCP it is an error of the call", "200 40302", lambda: told(server.message({**CALL, "params": {"name": "get_customer", "arguments": {"customer_id": "c-vip7"}}})), on=server)
        for name, arguments in (("other case", {"customer_id": "C-VIP7"}), ("twice", b'{"customer_id":"c-42","customer_id":"c-vip7"}'), ("a list", {"customer_id": ["c-vip7"]}), ("a leading space", {"customer_id": " c-vip7"}), ("with a caller of its own", {"customer_id": "c-vip7", "caller": {"scopes": ["vip:read"]}}), ("NUL", {"customer_id": "c-\0vip7"})):
            book.case(f"around the rule: {name}", "400", lambda arguments=arguments: str(server.call(arguments).status), on=server)
        book.case("escaped characters are no way around it", "403", lambda: str(server.call(b'{"customer_id":"\\u0063-vip7"}').status), on=server)
        book.case("a rule that cannot be evaluated refuses", "403", call, "breaks", on=server)
        book.case("and lets through what it can", "422", call, "breaks", "c-424242", on=server)
        book.case("a rule on the caller: for acme, not for globex", "200 403", lambda: f"{call('acme_only')} {call('acme_only', tenant='globex')}", on=server)
        book.case("whom it refuses does not see it", "no", lambda: "yes" if "acme_only" in listed(server, "globex") else "no", on=server)
        book.case("shadow mode watches and refuses nobody", "200", call, "watched", on=server)
        for scope, expected in (("customer:read", "403"), ("customer:read south", "200"), ("north south", "403"), ("customer:read North", "403")):
            book.case(f"all of customer:read, any of north, south: {scope}", expected, call, "any_of", scope=scope, on=server)
        for scope, expected in (("customer:admin", "200"), ("customer:write", "200"), ("customer:administrator", "403"), ("Customer:admin", "403"), ("customer", "403"), ("customer:*", "403")):
            book.case(f"scope inclusion: {scope} for customer:read", expected, call, "acme_only", scope=scope, on=server)
        for name, tool, query, expected in (("4 KB against a pattern that backtracks", "matched", "a" * 4_000 + "!", "200 in time"), ("more than a pattern may look at", "matched", "b" * 1_000_000, "403 in time"), ("1 MiB to search", "wide", "secre" * 200_000, "200 in time")):
            book.case(f"a rule on {name} costs less than 50 ms", expected, quick, server, lambda tool=tool, query=query: server.call({"query": query}, tool=tool), on=server)
    start(book, world, customer)


def bare(answer, old: bytes = b"", new: bytes = b""):
    """Status, header names, and the body without the call id."""
    return answer.status, sorted(name for name, _ in answer.headers), re.sub(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}", b"ID", answer.body.replace(old, new) if old else answer.body)


def listed(server, tenant: str) -> list[str]:
    return [tool["name"] for tool in server.modern("tools/list", token=server.token(tenant=tenant)).json["result"]["tools"]]


def start(book, world, customer: dict) -> None:
    """Rules that must not load; the exit code tells a refusal from a crash."""
    with book.group("cel", "Protocol: rules that are not safe do not load"):
        for name, rule in (
            ("10,000 parentheses", "(" * 10_000 + "true" + ")" * 10_000), ("10,000 negations", "!" * 10_000 + "true"), ("10,000 brackets", "[" * 10_000 + "]" * 10_000), ("10,000 minus signs", "-" * 10_000 + "1 == 1"), ("1 MiB", "true && " * 131_072 + "true"), ("nested comprehensions", "[1,2].all(x, [1,2].all(y, x == y))"), ("an unknown variable", "request.tenant == 'x'"), ("a mistyped variable", "callr.tenant == 'x'"),
            ("an unknown function", "exec('id')"), ("no truth value", "1 + 1"), ("text", "'true'"), ("half a rule", "caller.tenant =="), ("nothing", ""), ("a pattern from the caller", "args.customer_id.matches(args.customer_id)"), ("a broken pattern", "args.customer_id.matches('(')"), ("an argument that is not there", "args.nothing == 1"), ("1,000 conditionals", "true ? " * 1000 + "true" + " : false" * 1000), ("NUL", "true\0"), ("a macro of macros", "[[1]].map(x, x.map(y, y)).size() > 0"),
        ):
            config = world.config()
            config["tools"] = {"ruled": {**customer, "rules": [{"deny": rule}]}}
            book.case(name, "exit 1, tools.ruled.rules[0]", loads, world, config)
        for name, tenants in (("a tenant's tool that is not there", {"globex": {"tools": {"get_custmer": {"enabled": False}}}}), ("a scope cycle", None)):
            config = world.config(**({} if tenants else {"auth": {"scopes": {"a": {"includes": ["b"]}, "b": {"includes": ["a"]}}}}))
            config |= {"tenants": tenants} if tenants else {}
            book.case(name, "exit 1", lambda config=config: loads(world, config).split(",")[0])


def loads(world, config: dict) -> str:
    done = world.run("check", "--config", world.write("cel.yaml", config))
    return f"exit {done.returncode}, {'tools.ruled.rules[0]' if b'tools.ruled.rules[0]' in done.stderr else done.stderr[:120].decode(errors='replace')}"
