"""The admin listener: on loopback, for operators, and so a target for pages that rebind a name to it."""
from __future__ import annotations

from ..peers import until
from ..wire import Wire, head
from ..world import free_port
from .deadlines import silent
from .framing import verdict


class Admin:
    """A server's admin listener, with what the cases need of a server."""

    def __init__(self, server):
        self.server, self.port = server, int(server.admin.rsplit(":", 1)[1])
        self.host = f"127.0.0.1:{self.port}"

    def connect(self, **options) -> Wire:
        return Wire(self.port, **options)

    def ask(self, method: str = "GET", target: str = "/metrics", *headers, host: str | None = None) -> str:
        with self.connect(patience=5) as wire:
            wire.send(head(method, target, [("Host", self.host if host is None else host), *headers]))
            answer = wire.answer()
            return str(answer.status) if answer else "closed"

    def harm(self) -> str:
        status = self.ask()
        return self.server.harm() + ("" if status == "200" else f"; then /metrics is {status}")


def attack(book, world) -> None:
    admin = Admin(world.start("admin", world.config(server={"adminListen": f"127.0.0.1:{free_port()}"})))
    with book.group("admin", "Edge: the admin listener"):
        book.slow("a connection that says nothing ends within 12 s", "closed in time", silent, admin, b"", 13, on=admin)
        book.slow("half a head", "closed in time", silent, admin, b"GET /metrics HTTP/1.1\r\n", 13, on=admin)
        for path in ("/metrics", "/healthz", "/readyz"):
            book.case(f"GET {path}", "200", admin.ask, "GET", path, on=admin)
            for method in ("POST", "PUT", "DELETE"):
                book.case(f"{method} {path}", "405", admin.ask, method, path, on=admin)
        for host in ("evil.test", f"evil.test:{admin.port}", f"localhost.evil.test:{admin.port}", f"127.0.0.1.evil.test:{admin.port}", f"localhost:{admin.port}@evil.test", ""):
            book.case(f"/metrics with Host: {host.replace(str(admin.port), 'PORT')!r}", ("403", "400"), admin.ask, host=host, on=admin)
        book.case("two Hosts", ("403", "400"), admin.ask, "GET", "/metrics", ("Host", "evil.test"), on=admin)
        book.case("absolute target with another host", ("403", "400", "404"), admin.ask, "GET", "http://evil.test/metrics", on=admin)
        for path in ("/mcp", "/mcp/tool/get_customer", "/openapi.json", "//metrics", "/METRICS", "/metrics/", "/metrics%2f", "/./metrics", "/debug/pprof", "/config", "/", "/shutdown", "/reload"):
            book.case(f"{path} is not there", "404", admin.ask, "GET", path, on=admin)
        book.case("a foreign page may not read it (CORS)", "None", cors, admin, on=admin)
        start = b"GET /metrics HTTP/1.1\r\nHost: " + admin.host.encode() + b"\r\n"
        book.case("a head of 64 KiB", ("431, closed", "400, closed"), verdict, admin, start + b"X-A: " + b"a" * 65_536 + b"\r\n\r\n", on=admin)
        book.case("1,000 headers", ("431, closed", "400, closed"), verdict, admin, start + b"X-A: a\r\n" * 1000 + b"\r\n", on=admin)
        book.case("a body of 10 MiB that never comes does not keep it", ("200", "400", "413"), admin.ask, "GET", "/metrics", ("Content-Length", "10485760"), on=admin)
        book.case("junk", "400, closed", verdict, admin, b"\xff\xfe junk\r\n\r\n", on=admin)
        held = [admin.connect() for _ in range(300)]
        book.case("300 silent connections do not keep operators or callers out", "well", lambda: admin.server.harm() or "well")
        for wire in held:
            wire.socket.close()
        # The server learns that they are gone one by one; until then its places may be taken.
        book.case("and when they are gone all is well", "yes", lambda: "yes" if until(lambda: admin.ask() == "200", 3) else "no", on=admin)


def cors(admin) -> str:
    with admin.connect(patience=5) as wire:
        wire.send(head("GET", "/metrics", [("Host", admin.host), ("Origin", "http://evil.test")]))
        return str(wire.answer().header("access-control-allow-origin"))
