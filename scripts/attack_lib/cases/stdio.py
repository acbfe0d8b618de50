"""stdio: one message a line; junk ends neither the process nor the next call, and stdout carries nothing else."""
from __future__ import annotations

import json
import queue
import subprocess
import threading

from ..world import environment
from .protocol import CALL, TEXT

JUNK = {
    "nothing": b"", "spaces": b"   \t ", "text": b"hello", "a lone brace": b"{", "a number": b"7", "null": b"null", "NUL": b"\0", "all bytes": bytes(n for n in range(256) if n != 10), "no UTF-8": b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', "a batch": f"[{TEXT}]".encode(), "two messages": (TEXT + TEXT).encode(),
    "a line of 2 MiB": b"a" * 2**21, "a message of 2 MiB": b'{"jsonrpc":"2.0","id":1,"method":"' + b"m" * 2**21 + b'"}', "1 MiB of brackets": b"[" * (2**20 - 1), "a stray response": b'{"jsonrpc":"2.0","id":99,"result":{}}', "a stray error": b'{"jsonrpc":"2.0","id":99,"error":{"code":1,"message":"x"}}',
    "a notification": b'{"jsonrpc":"2.0","method":"notifications/initialized"}', "an unknown notification": b'{"jsonrpc":"2.0","method":"x"}', "a cancellation of nothing": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}', "HTTP": b"POST /mcp HTTP/1.1\r", "a byte order mark": b"\xef\xbb\xbf",
    "a carriage return": b"\r", "a header of LSP": b"Content-Length: 20\r", "other case": TEXT.replace("method", "Method").encode(), "method twice": TEXT.replace('"method"', '"method":"ping","method"').encode(), "identity in _meta": TEXT.replace('"name"', '"_meta":{"tenant":"globex"},"name"').encode(), "an escape sequence": b'{"jsonrpc":"2.0","id":1,"method":"\\u001b[31mFORGED\\u001b[0m"}',
}


class Stdio:
    """The binary on two pipes; a thread reads its lines."""

    def __init__(self, world, name: str, config: dict):
        self.errors = world.path(f"{name}.stderr")
        with open(self.errors, "wb") as err:
            self.process = subprocess.Popen([world.binary, "serve", "--mode", "stdio", "--config", world.write(f"{name}.yaml", config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, cwd=world.folder, env=environment())
        self.lines: queue.Queue[bytes] = queue.Queue()
        self.copy = open(world.path(f"{name}.stdout"), "wb")
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        for line in self.process.stdout:
            self.copy.write(line)
            self.lines.put(line)

    def send(self, line: bytes) -> None:
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def until(self, id) -> dict:
        """The answer with that id; every line must be JSON."""
        while True:
            message = json.loads(self.lines.get(timeout=10))
            if message.get("id") == id:
                return message

    def after(self, line: bytes, id: str) -> str:
        """Sends a line, then a good call."""
        self.send(line)
        self.send(json.dumps({**CALL, "id": id}).encode())
        answer = self.until(id)
        return answer["result"]["structuredContent"]["name"] if "result" in answer else str(answer["error"]["code"])

    def end(self) -> str:
        self.process.stdin.close()
        code = self.process.wait(10)
        self.copy.flush()
        return f"exit {code}"


def attack(book, world) -> None:
    with book.group("stdio", "Protocol: stdio"):
        stdio = Stdio(world, "stdio", {**world.config(), "stdio": {"principal": {"tenant": "acme", "subject": "me", "scopes": ["customer:read"]}}})
        for n, (name, line) in enumerate(JUNK.items()):
            book.case(f"{name}, then a good call", "Jane Doe", stdio.after, line, f"good-{n}")
        book.case("a tool beyond the principal's scopes", "40301", lambda: refused(stdio, "find_orders", {"query": "o-123"}))
        book.case("the end of input", "exit 0", stdio.end)
        nobody = Stdio(world, "nobody", world.config())
        book.case("without a principal nobody is served", "40101", nobody.after, b"", "x")
        book.case("and --dev is not on by accident", "exit 0", nobody.end)
        token = Stdio(world, "expired", {**world.config(), "stdio": {"token": world.token(exp=1)}})
        book.case("with an expired token nobody is served", "40101", token.after, b"", "x")
        token.end()


def refused(stdio: Stdio, tool: str, arguments: dict) -> str:
    stdio.send(json.dumps({"jsonrpc": "2.0", "id": "scope", "method": "tools/call", "params": {"name": tool, "arguments": arguments}}).encode())
    answer = stdio.until("scope")
    return str(answer.get("error", {}).get("code", "served"))
