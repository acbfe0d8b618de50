"""The servers Tollgate asks, which here count who asks and answer what an attacker would."""
from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class Peer:
    """Answers GET and POST with `answer(path, form, headers) -> (status, headers, body)`; counts by path."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.connections = 0
        self.open = threading.Event()
        self.open.set()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                peer.asked.append(self.path)
                peer.open.wait(30)
                form = parse_qs(self.rfile.read(int(self.headers.get("content-length") or 0)).decode("latin-1"))
                status, headers, body = peer.answer(self.path, form, self.headers)
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                try:
                    self.send_response(status)
                    for name, value in {"content-type": "application/json", **headers, "content-length": str(len(body))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # it hung up on us, as it should on some of our answers

            do_POST = do_GET

            def log_message(self, *_) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def process_request(self, *request) -> None:
                peer.connections += 1
                super().process_request(*request)

            def handle_error(self, *_) -> None:
                pass

        self.http = Server(("127.0.0.1", 0), Handler)
        self.port = self.http.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def answer(self, path: str, form: dict, headers) -> tuple[int, dict, object]:
        return 404, {}, {}

    def count(self, path: str) -> int:
        return self.asked.count(path)

    def die(self) -> None:
        self.http.shutdown()
        self.http.server_close()


class KeyServer(Peer):
    """JWKS at any path in `sets`; OpenID discovery documents at any in `documents`; redirects at any in `moved`."""

    def __init__(self) -> None:
        self.sets: dict[str, list[dict]] = {}
        self.documents: dict[str, object] = {}
        self.moved: dict[str, str] = {}
        super().__init__()

    def answer(self, path, form, headers):
        if path in self.moved:
            return 302, {"location": self.moved[path]}, {"keys": self.sets.get(path, [])}
        if path in self.sets:
            return 200, {}, {"keys": self.sets[path]}
        if path in self.documents:
            return 200, {}, self.documents[path]
        return 404, {}, {}


class Introspection(Peer):
    """RFC 7662, with the answer to each token in `tokens`; a function is called for it. Knows one client."""

    def __init__(self, client: str, secret: str) -> None:
        self.tokens: dict[str, object] = {}
        self.questions: dict[str, int] = {}
        self.login = "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()
        super().__init__()

    def answer(self, path, form, headers):
        if headers.get("authorization") != self.login:
            return 401, {}, {}
        token = form.get("token", [""])[0]
        self.questions[token] = self.questions.get(token, 0) + 1
        known = self.tokens.get(token, {"active": False})
        return known() if callable(known) else (200, {}, known)


def until(condition, within: float = 10) -> bool:
    """Waits for a condition, not for a time."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())
