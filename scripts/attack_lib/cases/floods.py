"""Floods of bad tokens: limited by source address before any signature work; nobody else notices."""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ..peers import until
from ..world import free_port

BURST = 20


def attack(book, world) -> None:
    limit = {"failureLimit": f"1/s burst {BURST}"}
    server = world.start("flood", world.config(auth=limit, server={"adminListen": f"127.0.0.1:{free_port()}"}))
    known = server.token()
    server.well = lambda: server.call(source="127.0.0.3")
    server.call(token=known)

    def bad(n: int = 0, source: str = "127.0.0.1", headers=()):
        return server.call(token=f"bad{n}.bad.bad", source=source, headers=headers)

    with book.group("flood", "Tokens: floods of bad ones"):
        book.case("no token at all does not count", "60 of 401", lambda: f"{[server.call(token='').status for _ in range(60)].count(401)} of 401", on=server)
        with ThreadPoolExecutor(8) as pool:
            statuses = [answer.status for answer in pool.map(bad, range(300))]
        counted = statuses.count(401)
        book.case(f"300 bad tokens: about {BURST} are looked at, the rest are 429", "yes", lambda: "yes" if BURST <= counted <= BURST + 5 and counted + statuses.count(429) == 300 else f"{counted} of 401, {statuses.count(429)} of 429", on=server)
        book.case("they are told when to come back", "yes", lambda: "yes" if (bad().header("retry-after") or "").isdigit() else str(bad().header("retry-after")), on=server)
        book.case("on /mcp as well", "429", lambda: str(server.message({"jsonrpc": "2.0", "id": 1, "method": "ping"}, token="bad.bad.bad").status), on=server)
        book.case("a token known to be good goes on from the same address", "200", lambda: str(server.call(token=known).status), on=server)
        book.case("a good caller at another address does not notice", "20 of 200", lambda: f"{[server.call(source='127.0.0.2').status for _ in range(20)].count(200)} of 200", on=server)
        book.case("X-Forwarded-For does not get out of it", "429", lambda: str(bad(headers=[("X-Forwarded-For", "203.0.113.1")]).status), on=server)
        book.case("Forwarded does not, either", "429", lambda: str(bad(headers=[("Forwarded", "for=203.0.113.1"), ("X-Real-IP", "203.0.113.1")]).status), on=server)
        lines = server.said().count(b"unauthenticated")
        book.case("the flood is not recorded one by one", "yes", lambda: "yes" if lines <= 60 + BURST + 10 and server.said().count(b"too-many") <= 10 else f"{lines} lines, {server.said().count(b'too-many')} of the flood", on=server)
        book.case("it is counted", "yes", lambda: "yes" if "flood" in server.metrics() else "no", on=server)
        book.case("it ends when the flood ends", "yes", lambda: "yes" if until(lambda: bad().status == 401, 5) else "no", on=server)
    proxied(book, world, limit)


def proxied(book, world, limit: dict) -> None:
    server = world.start("proxied", world.config(auth=limit, server={"behindProxy": True, "trustedProxies": ["127.0.0.1", "127.0.0.9"], "publicUrl": "https://tools.attack.test"}), host="tools.attack.test")

    def call(forwarded, token: str = "bad.bad.bad", source: str = "127.0.0.1") -> int:
        return server.call(token=token, source=source, headers=[("X-Forwarded-For", value) for value in forwarded]).status

    for _ in range(60):
        call(["203.0.113.5"])
    with book.group("proxy", "Edge: addresses behind a proxy come from listed peers alone"):
        book.case("the flooding client is stopped", "429", lambda: str(call(["203.0.113.5"])), on=server)
        book.case("a good one behind the same proxy is not", "200", lambda: str(call(["203.0.113.6"], server.token())), on=server)
        for name, forwarded in (("a made-up first hop", ["198.51.100.1, 203.0.113.5"]), ("two headers", ["198.51.100.1", "203.0.113.5"]), ("a listed proxy behind it", ["203.0.113.5, 127.0.0.9"]), ("spaces", [" 203.0.113.5 "]), ("the address in IPv6", ["::ffff:203.0.113.5"]), ("a port", ["203.0.113.5:4711"])):
            # An address with a port is no address; then nobody is blamed.
            book.case(f"it does not get away with {name}", ("429", "401") if name == "a port" else "429", lambda forwarded=forwarded: str(call(forwarded)), on=server)
        for name, forwarded in (("junk", ["junk"]), ("nothing", [""]), ("1,000 hops", [", ".join(["10.0.0.1"] * 900)]), ("no header", []), ("an address of the proxy's", ["127.0.0.1"])):
            book.case(f"X-Forwarded-For is {name}: a good request is served", "200", lambda forwarded=forwarded: str(call(forwarded, server.token())), on=server)
        for _ in range(60):
            call(["203.0.113.7"], source="127.0.0.2")
        book.case("a peer that is not listed is blamed itself", "429", lambda: str(call(["203.0.113.99"], source="127.0.0.2")), on=server)
        book.case("and cannot blame another", "401", lambda: str(call(["203.0.113.7"])), on=server)
        for name, value in (("X-Forwarded-Host", "evil.test"), ("X-Forwarded-Proto", "http"), ("Forwarded", "host=evil.test")):
            book.case(f"{name} changes nothing even from a listed proxy", "https://tools.attack.test/mcp", lambda name=name, value=value: server.ask("GET", "/.well-known/oauth-protected-resource", [("Host", "tools.attack.test"), (name, value)]).json["resource"], on=server)
