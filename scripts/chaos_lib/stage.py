"""What is broken: two replicas, the store they share, the API behind them. All in a temporary folder, on loopback."""
from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ISSUER, AUDIENCE = "https://issuer.chaos.test/", "https://tools.chaos.test/mcp"
LIMIT = 5
PACE = 50
"""Calls a second, and at once, that the tenants of `paced` have."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what: str, condition, patience: float = 10.0) -> float:
    """Waits for a condition; how long it took. Fails when patience is over."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > patience:
            raise TimeoutError(f"{what}: not within {patience:g} s")
        time.sleep(0.02)
    return time.monotonic() - began


class Store:
    """A redis-server that keeps nothing on disk."""

    def __init__(self, folder: str):
        self.folder, self.port, self.process = folder, free_port(), None
        self.start()

    def start(self, *options: str) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self.folder, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("the store starts", lambda: self.ask("PING") == "+PONG")

    def ask(self, *words: str) -> str:
        """The first line of a command's answer, or why there is none."""
        message = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as stream:
                stream.sendall(message.encode())
                return stream.makefile("rb").readline().decode().strip()
        except OSError as error:
            return str(error)

    def stall(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Api:
    """An HTTP API that can be told to hang, to fail and to die."""

    def __init__(self) -> None:
        self.port, self.mood = free_port(), "well"
        self.released = threading.Event()
        self.asked = 0
        self.connections: set[socket.socket] = set()
        self.start()

    def start(self) -> None:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

            def do_GET(self) -> None:
                api.asked += 1
                if api.mood == "hanging":
                    api.released.wait(30)
                body = json.dumps({"id": self.path.rsplit("/", 1)[1]}).encode()
                self.send_response(500 if api.mood == "failing" else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def setup(self) -> None:
                super().setup()
                api.connections.add(self.connection)

            def finish(self) -> None:
                api.connections.discard(self.connection)
                super().finish()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 256

            def handle_error(self, *_: object) -> None:
                """Callers that gave up."""

        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def be(self, mood: str) -> None:
        self.mood = mood
        if mood == "hanging":
            self.released.clear()
        else:
            self.released.set()

    def die(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Replica:
    def __init__(self, stage: Stage, name: str):
        self.stage, self.name = stage, name
        self.port, self.admin = free_port(), free_port()
        self.config = os.path.join(stage.folder, f"{name}.yaml")
        self.log = os.path.join(stage.folder, f"{name}.log")
        self.write(stage.config(self))
        self.start()

    def write(self, config) -> None:
        """Puts another file in its place, as a deployment does."""
        with open(self.config + ".new", "w", encoding="utf-8") as file:
            file.write(config if isinstance(config, str) else json.dumps(config, indent=1))  # JSON is YAML
        os.replace(self.config + ".new", self.config)

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.stage.binary, "serve", "--config", self.config], stdout=log, stderr=log, cwd=self.stage.folder)
        until(f"{self.name} starts", self.is_ready)

    def is_ready(self) -> bool:
        return self.ask("/readyz")[0] == 200

    def ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=2)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        """The sum over all series of that name with these labels."""
        total = 0.0
        for line in self.ask("/metrics")[1].splitlines():
            match = re.match(rf"{name}(\{{.*\}})? (\S+)$", line)
            if match and all(f'{key}="{value}"' in (match[1] or "") for key, value in labels.items()):
                total += float(match[2])
        return total

    def resident_mib(self) -> float:
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


class Stage:
    def __init__(self, binary: str):
        self.binary, self.folder = binary, tempfile.mkdtemp(prefix="tollgate-chaos-")
        self.secret = secrets.token_urlsafe(33)
        with open(os.path.join(self.folder, "secret"), "w", encoding="utf-8") as file:
            file.write(self.secret)
        shop = sqlite3.connect(os.path.join(self.folder, "shop.db"))
        shop.executescript("CREATE TABLE items (id TEXT PRIMARY KEY, name TEXT); INSERT INTO items VALUES ('i-1', 'lamp');")
        shop.close()
        self.replicas: list[Replica] = []
        self.store, self.api = Store(self.folder), Api()
        self.replicas = [Replica(self, name) for name in ("one", "two")]

    def config(self, replica: Replica) -> dict:
        lookup = {"source": "shop", "statement": "SELECT id, name FROM items WHERE id = :id", "result": "one"}
        ids = {"id": {"type": "string", "pattern": "^i-[0-9]+$"}}
        tool = lambda **keys: {"description": "Looks an item up.", "scopes": ["use"], "parameters": ids, **keys}
        return {
            "server": {"listen": f"127.0.0.1:{replica.port}", "adminListen": f"127.0.0.1:{replica.admin}", "shutdownDelay": "1s", "shutdownGrace": "5s"},
            "auth": {"issuers": [{"issuer": ISSUER, "audiences": [AUDIENCE], "secret": "${file:%s}" % os.path.join(self.folder, "secret")}]},
            "quotas": {"store": f"redis://127.0.0.1:{self.store.port}/0", "onStoreFailure": "local"},
            "sources": {
                "shop": {"sqlite": os.path.join(self.folder, "shop.db")},
                "api": {"http": f"http://127.0.0.1:{self.api.port}", "allowPrivate": ["127.0.0.0/8"]},
            },
            "tools": {
                "free": tool(sql=lookup, rateLimit="unlimited"),
                "counted": tool(sql=lookup, rateLimit=f"{LIMIT}/1h"),
                "paced": tool(sql=lookup, rateLimit=f"{PACE}/1s"),
                "remote": tool(http={"source": "api", "path": "/items/{id}"}, timeout="1s", maxConcurrent=4, rateLimit="unlimited"),
            },
        }

    def token(self, tenant: str) -> str:
        b64 = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "chaos", "tenant": tenant, "scope": "use", "iat": now, "exp": now + 3600}
        signed = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return f"{signed}.{b64(hmac.new(self.secret.encode(), signed.encode(), hashlib.sha256).digest())}"

    def logs(self) -> str:
        texts = []
        for replica in self.replicas:
            with open(replica.log, encoding="utf-8", errors="replace") as log:
                texts.append(log.read())
        return "\n".join(texts)

    def close(self) -> None:
        for process in [replica.process for replica in self.replicas] + [self.store.process]:
            if process and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        self.api.die()
        shutil.rmtree(self.folder, ignore_errors=True)
