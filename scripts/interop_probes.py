#!/usr/bin/env python3
"""Opens with a Tollgate server as Claude Code does, in raw messages: a probe of server/discover, and then, whatever came
back, initialize. A second client opens with initialize directly, on the same server.

    interop_probes.py --url URL --token TOKEN
    interop_probes.py --stdio COMMAND ARGS...

One line per step, `ok ...` or `FAIL ...`; exits 1 if any failed. Standard library only.
"""
from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
from urllib.parse import urlsplit

MODERN, LEGACY = "2026-07-28", "2025-11-25"
CLIENT = {"name": "claude-code", "version": "2"}
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {"roots": {}},
        "io.modelcontextprotocol/clientInfo": CLIENT}
failures = 0


def step(good: object, name: str, detail: object = "") -> None:
    global failures
    failures += not good
    shown = f" | {' '.join(str(detail).split())}" if detail != "" else ""
    print(f"{'ok  ' if good else 'FAIL'} {name}{shown}"[:300], flush=True)


class Http:
    """One client over HTTP: a connection of its own, and no memory of the server."""

    def __init__(self, url: str, token: str):
        self.at, self.token = urlsplit(url), token
        self.connection = http.client.HTTPConnection(self.at.netloc, timeout=10)

    def ask(self, message: dict, version: str | None) -> tuple[int, dict]:
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
                   "Authorization": f"Bearer {self.token}"}
        if version:
            headers["MCP-Protocol-Version"] = version
        if version == MODERN:
            headers["Mcp-Method"] = message["method"]
        return self.send("POST", headers, json.dumps(message))

    def send(self, method: str, headers: dict, body: str | None = None) -> tuple[int, dict]:
        self.connection.request(method, self.at.path, body, headers)
        response = self.connection.getresponse()
        text = response.read().decode()
        return response.status, json.loads(text) if text.startswith("{") else {}

    def extras(self) -> None:
        # After initialize a client may ask for a stream, and at its end it may end a session: no is an answer.
        for method in ("GET", "DELETE"):
            headers = {"Accept": "text/event-stream", "MCP-Protocol-Version": LEGACY, "Authorization": f"Bearer {self.token}"}
            status, _ = self.send(method, headers)
            step(status in (200, 202, 204, 405), f"{method} is served or 405", status)
            if status == 200:  # a stream that stays open: leave it
                self.connection.close()

    def close(self) -> None:
        self.connection.close()


class Stdio:
    """One client on stdio: a process of its own."""

    def __init__(self, command: list[str]):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def ask(self, message: dict, _version: str | None) -> tuple[int, dict]:
        print(json.dumps(message), file=self.process.stdin, flush=True)
        if "id" not in message:
            return 202, {}
        while line := self.process.stdout.readline():
            answer = json.loads(line)
            if answer.get("id") == message["id"]:
                return 200, answer
        return 0, {}

    def extras(self) -> None:
        pass

    def close(self) -> None:
        self.process.stdin.close()
        step(self.process.wait(5) == 0, "the server ends with its client", self.process.returncode)


def probe(client) -> None:
    """What is asked before initialize. The answer is not used: the client of today falls back in any case."""
    discover = {"jsonrpc": "2.0", "id": 0, "method": "server/discover", "params": {"_meta": META}}
    status, answer = client.ask(discover, MODERN)
    versions = answer.get("result", {}).get("supportedVersions", [])
    step(status == 200 and MODERN in versions, "server/discover is answered", versions or answer)


def session(client) -> None:
    """The initialize handshake and a call."""
    hello = {"protocolVersion": LEGACY, "capabilities": {"roots": {}}, "clientInfo": CLIENT}
    status, answer = client.ask({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}, None)
    step(status == 200 and answer.get("result", {}).get("protocolVersion") == LEGACY, "initialize is answered", answer)
    status, answer = client.ask({"jsonrpc": "2.0", "method": "notifications/initialized"}, LEGACY)
    step(status == 202 and not answer, "notifications/initialized is taken", status)
    _, answer = client.ask({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, LEGACY)
    names = [tool["name"] for tool in answer.get("result", {}).get("tools", [])]
    step("get_customer" in names, "tools/list", names)
    call = {"name": "get_customer", "arguments": {"customer_id": "c-42"}, "_meta": {"progressToken": 3}}
    _, answer = client.ask({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": call}, LEGACY)
    step("Jane Doe" in json.dumps(answer.get("result", {})), "tools/call", answer)
    for method in ("prompts/list", "resources/list"):  # asked of every server that advertises them
        _, answer = client.ask({"jsonrpc": "2.0", "id": method, "method": method}, LEGACY)
        step("result" in answer, method, answer)
    client.extras()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--token")
    parser.add_argument("--stdio", nargs=argparse.REMAINDER)
    a = parser.parse_args()
    try:
        for probing in (True, False):
            client = Stdio(a.stdio) if a.stdio else Http(a.url, a.token)
            if probing:
                probe(client)
            session(client)
            client.close()
    except Exception as e:  # a FAIL line is worth more than a trace
        step(False, "runs to its end", f"{type(e).__name__}: {e}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
