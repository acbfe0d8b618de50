"""Connections, per address and in all, calls in flight, and file descriptors: what is too much is refused, and what
is within the caps goes on."""
from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from ..peers import until
from ..wire import head
from ..world import BIND, World

EACH, ALL = 8, 24
COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000000) SELECT count(*) AS n FROM n WHERE :tenant = :tenant"


def attack(book, world: World) -> None:
    server = world.start("caps", world.config(server={"maxConnections": ALL, "maxConnectionsPerAddress": EACH}))
    server.well = lambda: server.call(source="127.0.0.200")

    def refusal(source: str) -> str:
        """What a connection too many is told, if anything."""
        with server.connect(source=source, patience=3) as wire:
            wire.send(head("GET", "/healthz", [("Host", server.host)]))
            answer = wire.answer()
            return f"{answer.status} retry-after {answer.header('retry-after')}" if answer else "closed"

    full = ("503 retry-after 1", "closed")  # the answer is as good as it gets: it may be lost with what was sent to it
    with book.group("conn", "Edge: connections"):
        held = {n: [served(server, f"127.0.0.{n}") for _ in range(EACH)] for n in (11,)}
        book.case(f"{EACH} connections of one address are served", f"{EACH} served", lambda: f"{sum(wire is not None for wire in held[11])} served", on=server)
        book.case("one more of that address is not", full, refusal, "127.0.0.11", on=server)
        book.case("another address does not notice", "200", lambda: str(server.call(source="127.0.0.12").status), on=server)
        held[11].pop().socket.close()
        book.case("one that is closed makes room", "yes", lambda: "yes" if until(lambda: refusal("127.0.0.11").startswith("200"), 3) else "no", on=server)
        for n in (12, 13):
            held[n] = [served(server, f"127.0.0.{n}") for _ in range(EACH)]
        served(server, "127.0.0.11", keep=held[11])
        book.case(f"{ALL} in all: a new address is refused", full, refusal, "127.0.0.14")
        for wires in held.values():
            for wire in wires:
                wire.socket.close()
        book.case("and served when they are gone", "yes", lambda: "yes" if until(lambda: refusal("127.0.0.14").startswith("200"), 3) else "no", on=server)
        book.case("2,000 connections opened and dropped", "well", lambda: churn(server), on=server)

    slow = {"description": "Slow.", "scopes": ["customer:read"], "bind": BIND, "timeout": "20s", "sql": {"source": "shop", "result": "one", "statement": COUNT}}
    busy = world.start("busy", world.config(server={"maxInFlight": 1}, tools={"count": slow}))
    with book.group("load", "Edge: calls in flight, descriptors"):
        book.case("one call runs: others are 503 with Retry-After, probes are served", "503 retry-after 1, 200", crowded, busy, on=busy)
        poor = world.start("poor", limit=64)
        book.case("out of descriptors: it recovers", "200", starved, poor, on=poor)


def served(server, source: str, keep: list | None = None):
    """A connection that was answered and stays open, or None."""
    wire = server.connect(source=source, patience=3)
    wire.send(head("GET", "/healthz", [("Host", server.host)]))
    answer = wire.answer()
    if keep is not None:
        keep.append(wire)
    return wire if answer and answer.status == 200 else None


def churn(server) -> str:
    for n in range(2000):
        server.connect(source=f"127.0.1.{n % 250 + 1}", patience=2).socket.close()
    return "well" if until(lambda: not server.harm(), 5) else "not well"


def crowded(server) -> str:
    seen = "never refused"
    with ThreadPoolExecutor(1) as pool:
        for _ in range(10):
            running = pool.submit(server.call, {}, "count", patience=25)
            while not running.done() and seen == "never refused":
                answer = server.call()
                if answer.status == 503:
                    seen = f"503 retry-after {answer.header('retry-after')}, {server.status('GET', '/healthz', [('Host', 'x')])}"
            # Where a quick call came first, it was the slow one that found no room.
            if running.result().status != 503:
                break
    return seen


def starved(server) -> str:
    wires = []
    for _ in range(120):
        try:
            wires.append(server.connect(patience=1))
        except OSError:
            break
    for wire in wires:
        wire.socket.close()
    end = time.monotonic() + 6
    while time.monotonic() < end:
        try:
            if (answer := server.call(patience=2)) and answer.status == 200:
                return "200"
        except OSError:
            pass
    return "does not recover"
