"""What is rolled: three replicas, the store they share, the API behind them, and nginx in front with its controller."""
from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chaos_lib import stage as chaos
from chaos_lib.stage import Store, free_port, until

PACE = 20
"""Calls a second, and at once, that a tenant of `paced` has."""
DELAY = 2
"""Seconds of `shutdownDelay`."""
PATIENCE = 15.0
"""Seconds, longer than any deadline: whoever waits so long was lost."""
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Api:
    """An HTTP API that counts: how often it was asked to do each thing."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.waiting = 0
        self.answers = threading.Event()
        self.answers.set()
        api, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

            def do_POST(self) -> None:
                name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"]
                with lock:
                    api.runs[name] += 1
                self.answer(name, 0.02)

            def do_GET(self) -> None:
                kind, name = self.path.strip("/").split("/")
                self.answer(name, 4.0 if kind == "reports" else 0.02)

            def answer(self, name: str, after: float) -> None:
                time.sleep(after)  # so that at any time there are calls that run
                with lock:
                    api.waiting += 1
                api.answers.wait(PATIENCE)
                with lock:
                    api.waiting -= 1
                body = json.dumps({"id": name}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 256

            def handle_error(self, *_: object) -> None:
                """A replica that was killed."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Replica(chaos.Replica):
    """One of three, over all the processes that it has in turns. As with pods, each comes with an address of its own."""

    def __init__(self, stage: Stage, name: str):  # pylint: disable=super-init-not-called
        self.stage, self.name, self.process, self.generation = stage, name, None, 0
        self.port = self.admin = 0
        self.config = os.path.join(stage.folder, f"{name}.yaml")
        self.audit = os.path.join(stage.folder, f"{name}.audit.jsonl")

    def start(self) -> None:
        self.write(self.stage.config(self))
        self.generation += 1
        self.port = self.admin = 0
        log = os.path.join(self.stage.folder, f"{self.name}.{self.generation}.log")
        command = [self.stage.binary, "serve", "--config", self.config]
        with open(log, "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, cwd=self.stage.folder)

        def address(what: str) -> int:
            with open(log, encoding="utf-8") as text:
                told = re.search(rf"{what} http://127\.0\.0\.1:(\d+)\b", text.read())
            if not told and self.process.poll() is not None:
                raise OSError(f"{self.name} does not start, see {log}")
            return int(told[1]) if told else 0

        until(f"{self.name} starts", lambda: address("listening on") and address("metrics at"))
        self.port, self.admin = address("listening on"), address("metrics at")

    def lives(self) -> bool:
        """Whether it has a process that listens."""
        return self.port > 0 and self.process.poll() is None

    def records(self) -> list[dict]:
        """The lines of its audit log, but for one that a kill left unfinished."""
        with open(self.audit, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.endswith("}\n")]


class Nginx:
    """nginx with the shipped configuration, and the two files that are the site's."""

    def __init__(self, stage: Stage):
        self.stage, self.folder, self.process, self.reloads = stage, os.path.join(stage.folder, "nginx"), None, 0
        self.config = os.path.join(self.folder, "nginx.conf")
        self.port = free_port()
        os.makedirs(os.path.join(self.folder, "tollgate"))
        with open(os.path.join(ROOT, "deploy", "nginx", "tollgate.conf"), encoding="utf-8") as shipped:
            text = shipped.read()
        if stage.without == "sessions":
            text = text.replace("default tollgate_by_session", "default tollgate")
        self.write("tollgate.conf", text)
        self.write("tollgate/listen.conf", f"listen 127.0.0.1:{self.port};\n{self.keeping()}")
        user = "user root;\n" if os.geteuid() == 0 else ""
        folders = "".join(f"{kind}_temp_path temp_{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        process = f"{user}worker_processes 2;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\n"
        self.write("nginx.conf", f"{process}http {{\naccess_log off;\n{folders}include tollgate.conf;\n}}\n")

    def keeping(self) -> str:
        """How connections of clients are kept. A reload closes those that are silent, also when a call is on its way on
        one; nginx 1.27.4 learnt to wait for it, and what is older must not keep any."""
        told = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
        self.version = tuple(int(part) for part in re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", told).groups())
        if self.stage.without == "close":
            return ""
        return "keepalive_min_timeout 10s;\n" if self.version >= (1, 27, 4) else "keepalive_timeout 0;\n"

    def write(self, name: str, text: str) -> None:
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)

    def command(self, *words: str) -> list[str]:
        return ["nginx", "-p", self.folder, "-c", self.config, "-e", os.path.join(self.folder, "error.log"), *words]

    def tell(self, ports: list[int]) -> None:
        """These replicas, and no others."""
        self.write("tollgate/replicas.conf", "".join(f"server 127.0.0.1:{port};\n" for port in ports))
        if self.process:
            self.reloads += 1
            subprocess.run(self.command("-s", "reload"), check=True, capture_output=True)

    def start(self) -> None:
        with open(os.path.join(self.folder, "start.log"), "wb") as log:
            self.process = subprocess.Popen(self.command("-g", "daemon off;"), stdout=log, stderr=log)
        until("nginx starts", lambda: os.path.exists(os.path.join(self.folder, "nginx.pid")) or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise OSError(f"nginx does not start, see {self.folder}")

    def close(self) -> None:
        """SIGTERM: the master ends its workers first."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=10)


class Controller(threading.Thread):
    """Tells nginx which replicas are ready, as the controller of endpoints does in Kubernetes."""

    PERIOD = 0.1

    def __init__(self, stage: Stage):
        super().__init__(daemon=True)
        self.stage, self.ended, self.fault, self.ports = stage, threading.Event(), None, []

    def look(self) -> None:
        is_in = Replica.lives if self.stage.without == "readiness" else Replica.is_ready
        ports = [replica.port for replica in self.stage.replicas if is_in(replica)]
        # nginx has no upstream without servers; with none left it makes no difference which it asks in vain.
        if ports and ports != self.ports:
            self.stage.nginx.tell(ports)
            self.ports = ports

    def run(self) -> None:
        while not self.ended.wait(self.PERIOD):
            try:
                self.look()
            except (OSError, subprocess.SubprocessError) as error:
                self.fault = error

    def close(self) -> None:
        self.ended.set()
        if self.is_alive():
            self.join(10)


class Stage:
    def __init__(self, binary: str, folder: str, without: str):
        self.binary, self.folder, self.without, self.version = binary, os.path.join(folder, "stage"), without, 1
        os.makedirs(self.folder)
        self.secrets = {name: secrets.token_urlsafe(33) for name in ("issuer", "state", "one", "two", "three")}
        self.ends = contextlib.ExitStack()
        self.replicas: list[Replica] = []

    def __enter__(self) -> Stage:
        with self.ends:  # whatever fails on the way
            self.store = Store(self.folder)
            self.ends.callback(self.store.kill)
            self.api = Api()
            self.ends.callback(self.api.close)
            self.nginx = Nginx(self)
            self.url = f"http://127.0.0.1:{self.nginx.port}"
            self.replicas = [Replica(self, name) for name in ("one", "two", "three")]
            self.ends.callback(self.kill_replicas)
            for replica in self.replicas:
                replica.start()
            until("the replicas are ready", lambda: all(replica.is_ready() for replica in self.replicas))
            self.controller = Controller(self)
            self.controller.look()
            self.nginx.start()
            self.ends.callback(self.nginx.close)
            self.controller.start()
            self.ends.callback(self.controller.close)
            self.ends = self.ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.close()

    def kill_replicas(self) -> None:
        for replica in self.replicas:
            if replica.process and replica.process.poll() is None:
                replica.process.kill()
                replica.process.wait()

    def config(self, replica: Replica) -> dict:
        ids = {"id": {"type": "string", "pattern": "^[a-z0-9-]+$"}}
        reads = lambda kind: {"source": "api", "path": f"/{kind}/{{id}}"}
        runs = {"source": "api", "method": "POST", "path": "/runs", "body": ["id"]}
        tool = lambda **keys: {"description": f"Does a thing, by version {self.version}.", "scopes": ["use"], "parameters": ids, **keys}
        tools = {
            "count": tool(http=runs),
            "look": tool(http=reads("items")),
            "paced": tool(http=runs, rateLimit=f"{PACE}/1s"),
            "refund": tool(http=runs, confirm="always"),
            "report": tool(http=reads("reports"), timeout="8s", task={"ttl": "1m", "pollEvery": "200ms"}),
        }
        if self.version > 1:
            tools["added"] = tool(http=runs)
        return {
            "server": {
                "listen": "127.0.0.1:0", "adminListen": "127.0.0.1:0", "publicUrl": self.url,
                "behindProxy": True, "trustedProxies": ["127.0.0.1"],
                "stateSecret": secrets.token_urlsafe(33) if self.without == "secret" else self.secrets["state"],
                "shutdownDelay": "0s" if self.without == "delay" else f"{DELAY * 1000:.0f}ms", "shutdownGrace": "10s",
            },
            "auth": {"issuers": [{"issuer": "https://issuer.test/", "audiences": [f"{self.url}/mcp"], "secret": self.secrets["issuer"]}]},
            # A machine that is busy with all this answers late now and then; what is judged here is not how late.
            "quotas": {"store": "memory" if self.without == "store" else f"redis://127.0.0.1:{self.store.port}/0", "storeTimeout": "1s"},
            "sources": {"api": {"http": f"http://127.0.0.1:{self.api.port}", "allowPrivate": ["127.0.0.0/8"]}},
            "tools": tools,
            # Strict: no answer without its line, also of a replica that is killed.
            "audit": {"file": replica.audit, "key": self.secrets[replica.name], "mode": "strict"},
        }

    def token(self, tenant: str) -> str:
        words = [self.binary, "token", "--config", self.replicas[0].config, "--tenant", tenant, "--subject", "caller", "--scope", "use"]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def recorded(self) -> list[tuple[str, dict]]:
        """All calls on record: replica and line."""
        return [(replica.name, line) for replica in self.replicas for line in replica.records() if line["kind"] == "call"]

    def logs(self) -> str:
        texts = []
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".log"):
                with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as log:
                    texts.append(log.read())
        return "\n".join(texts)
