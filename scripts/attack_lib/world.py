"""The servers under attack: each a process of its own with a configuration of its own, started when first needed, so
that a feature which does not work fails its own cases and no others."""
from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import sqlite3
import ssl
import subprocess
import tempfile
from functools import cached_property

from . import jose
from .peers import until
from .wire import Answer, Wire, head

ISSUER = "https://issuer.attack.test/"
AUDIENCE = "https://tools.attack.test/mcp"
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
SHOP = """
CREATE TABLE customers (tenant TEXT, id TEXT, name TEXT, tier TEXT, PRIMARY KEY (tenant, id));
CREATE TABLE orders (tenant TEXT, order_id TEXT, customer_id TEXT, status TEXT, PRIMARY KEY (tenant, order_id));
INSERT INTO customers VALUES ('acme', 'c-42', 'Jane Doe', 'gold'), ('globex', 'c-42', 'Hiro Tanaka', 'bronze'), ('globex', 'c-9', 'Lea Brandt', 'gold');
INSERT INTO orders VALUES ('acme', 'o-123', 'c-42', 'shipped'), ('globex', 'o-9', 'c-9', 'open');
"""
CUSTOMER = {"customer_id": {"type": "string", "pattern": "^c-[a-z0-9]+$"}}
CUSTOMER_SQL = {"source": "shop", "result": "one", "statement": "SELECT id, name, tier FROM customers WHERE tenant = :tenant AND id = :customer_id"}
ORDERS_SQL = {"source": "shop", "result": "many", "statement": "SELECT order_id, status FROM orders WHERE tenant = :tenant AND order_id = :query LIMIT :limit"}
BIND = {"tenant": "caller.tenant"}


def tools() -> dict:
    return {
        "get_customer": {"description": "A customer.", "scopes": ["customer:read"], "parameters": CUSTOMER, "bind": BIND, "sql": CUSTOMER_SQL},
        "find_orders": {
            "description": "Orders.", "scopes": ["orders:search"], "bind": BIND, "sql": ORDERS_SQL,
            "parameters": {"query": {"type": "string", "maxLength": 2_000_000}, "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}},
        },
        # For patterns that backtracking engines choke on, and arguments of any shape.
        "anything": {
            "description": "Takes a lot.", "scopes": ["customer:read"], "bind": BIND,
            "parameters": {"query": {"type": "string", "pattern": "^(a+)+$", "default": "a"}, "many": {"type": "number", "default": 1}, "limit": {"type": "integer", "default": 1}},
            "sql": {**ORDERS_SQL, "statement": "SELECT order_id, :many AS many FROM orders WHERE tenant = :tenant AND order_id = :query LIMIT :limit"},
        },
    }


class World:
    """What all servers share: the binary, a folder, the secrets, and the list of what was started."""

    def __init__(self, binary: str):
        self.binary = binary
        self.folder = tempfile.mkdtemp(prefix="tollgate-attack-")
        self.secret = "canary-hmac-" + secrets.token_urlsafe(33)
        self.canaries = {"the HMAC secret": self.secret}
        self.servers: list[Server] = []
        with open(self.path("hmac.secret"), "w", encoding="utf-8") as file:
            file.write(self.secret)
        shop = sqlite3.connect(self.path("shop.db"))
        shop.executescript(SHOP)
        shop.close()

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def config(self, **changes) -> dict:
        """A server with one HMAC issuer; sections and their keys can be added to or replaced."""
        config = {
            "server": {"listen": "127.0.0.1:0", "adminListen": "off"},
            "auth": {"issuers": [self.hmac_issuer()]},
            "telemetry": {"traces": ["console"]},
            "sources": {"shop": {"sqlite": self.path("shop.db")}},
            "tools": tools(),
            "resources": {"customers://{customer_id}": {"name": "customer", "scopes": ["customer:read"], "parameters": CUSTOMER, "bind": BIND, "sql": CUSTOMER_SQL}},
        }
        for section, keys in changes.items():
            config[section] = {**config.get(section, {}), **keys}
        return config

    def hmac_issuer(self, **changes) -> dict:
        return {"issuer": ISSUER, "audiences": [AUDIENCE], "secret": "${file:%s}" % self.path("hmac.secret"), **changes}

    def write(self, name: str, config) -> str:
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(config if isinstance(config, str) else json.dumps(config, indent=1))  # JSON is YAML
        return path

    def start(self, name: str, config: dict | None = None, **options) -> Server:
        server = Server(self, name, config or self.config(), **options)
        self.servers.append(server)
        server.start()
        return server

    def run(self, *args: str, within: float = 20) -> subprocess.CompletedProcess:
        """One command of the binary, to its end."""
        return subprocess.run([self.binary, *args], capture_output=True, timeout=within, stdin=subprocess.DEVNULL, cwd=self.folder, env=environment())

    def token(self, header: dict | None = None, **changes) -> str:
        """A token of the HMAC issuer, good but for the changes."""
        sign = jose.hmac_with(self.secret.encode(), "HS256")
        return jose.compact({"alg": "HS256", "typ": "JWT", **(header or {})}, jose.claims(ISSUER, AUDIENCE, **changes), sign)

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Shared by the cases of several files.
    @cached_property
    def base(self) -> Server:
        """One HMAC issuer, plain HTTP, everything else as it comes, and an admin listener."""
        return self.start("base", self.config(server={"adminListen": f"127.0.0.1:{free_port()}", "allowedOrigins": ["https://app.attack.test"]}))

    @cached_property
    def slow(self) -> Server:
        """Where the cases run that wait for deadlines."""
        return self.start("slow")


class Server:
    """One process. `base` is where it said that it listens."""

    def __init__(self, world: World, name: str, config: dict, *, scheme: str = "http", host: str = "", limit: int = 0):
        self.world, self.name, self.scheme, self.config, self.limit = world, name, scheme, config, limit
        self.file = world.write(f"{name}.yaml", config)
        self.named = host
        self.admin = config["server"].get("adminListen", "off")
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        self.output = self.world.path(f"{self.name}.stderr")
        with open(self.output, "wb") as err, open(self.world.path(f"{self.name}.stdout"), "wb") as out:
            command = [self.world.binary, "serve", "--config", self.file]
            if self.limit:
                command = ["sh", "-c", f'ulimit -n {self.limit} && exec "$@"', "sh", *command]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.world.folder, env=environment())
        listening = re.compile(rb"listening on (https?)://[^\s:]+:(\d+)")
        until(lambda: listening.search(self.said()) or self.process.poll() is not None, 15)
        found = listening.search(self.said())
        if not found:
            raise RuntimeError(f"server `{self.name}` did not start: {self.said().decode(errors='replace').strip()[:600]}")
        self.port = int(found[2])
        self.host = self.named or f"127.0.0.1:{self.port}"

    def said(self) -> bytes:
        with open(self.output, "rb") as file:
            return file.read()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def tls(self, alpn: list[str] | None = None) -> ssl.SSLContext | None:
        if self.scheme == "http":
            return None
        context = ssl.create_default_context(cafile=self.world.path("first.crt"))
        context.set_alpn_protocols(alpn or ["http/1.1"])
        return context

    def token(self, *header, **changes) -> str:
        return self.world.token(*header, **changes)

    def connect(self, **options) -> Wire:
        return Wire(self.port, tls=self.tls(), **options)

    def headers(self, *extra, token: str | None = None, drop: tuple[str, ...] = ()) -> list:
        """What a good request to a tool carries. `drop` leaves out; a token of "" is none."""
        token = self.token() if token is None else token
        all = [("Host", self.host), ("Authorization", f"Bearer {token}"), ("Content-Type", "application/json"), ("Accept", "application/json")]
        return [(name, value) for name, value in all if name not in drop and not (name == "Authorization" and not token)] + list(extra)

    def ask(self, method: str, target: str, headers, body: bytes = b"", **options) -> Answer | None:
        """One request on a connection of its own."""
        if body:
            headers = [*headers, ("Content-Length", str(len(body)))]
        with self.connect(**options) as wire:
            wire.send(head(method, target, headers) + body)
            return wire.answer()

    def status(self, *args, **options) -> int | str:
        answer = self.ask(*args, **options)
        return answer.status if answer else "closed"

    def call(self, arguments=None, tool: str = "get_customer", *, token: str | None = None, headers=(), **options) -> Answer:
        """A tool by REST; arguments may be bytes."""
        arguments = {"customer_id": "c-42"} if arguments is None else arguments
        body = arguments if isinstance(arguments, bytes) else json.dumps(arguments).encode()
        return self.ask("POST", f"/mcp/tool/{tool}", self.headers(*headers, token=token), body, **options)

    def message(self, body, *, token: str | None = None, headers=(), **options) -> Answer:
        """A message to /mcp as it is, in the legacy era."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", "/mcp", self.headers(*headers, token=token), body, **options)

    def modern(self, method: str, params: dict | None = None, *, id=1, meta: dict | None = None, token: str | None = None) -> Answer:
        """A modern request with the headers that belong to it."""
        params = {**(params or {}), "_meta": {**META, **(meta or {})}}
        name = params.get("name", params.get("uri"))
        mirror = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method)] + ([("Mcp-Name", name)] if name is not None else [])
        return self.message({"jsonrpc": "2.0", "id": id, "method": method, "params": params}, headers=mirror, token=token)

    def metrics(self) -> str:
        port = int(self.admin.rsplit(":", 1)[1])
        with Wire(port) as wire:
            wire.send(head("GET", "/metrics", [("Host", f"127.0.0.1:{port}")]))
            return wire.answer().body.decode()

    def memory(self) -> float:
        """Resident memory in MiB."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def worked(self) -> float:
        """Processor time in seconds, in steps of the kernel's tick (10 ms mostly)."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def harm(self) -> str:
        """Empty as long as the process lives and serves the next good request."""
        if self.process.poll() is not None:
            return f"; then the process is dead ({self.process.returncode})"
        try:
            answer = self.well()
            return "" if answer.status == 200 else f"; then a good request gets {answer.status}"
        except Exception as error:
            return f"; then a good request fails: {type(error).__name__}: {error}"

    def well(self) -> Answer:
        return self.call()


def environment() -> dict:
    """Nothing of the caller's but what a process needs; and the most it can be made to log, to be searched for secrets."""
    return {"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/"), "RUST_LOG": "trace", "TOLLGATE_LOG_FORMAT": "text"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

