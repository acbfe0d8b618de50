#!/usr/bin/env python3
"""Round trips on stdin and stdout: a governed call, the bare official SDK, a bare echo of lines. Part of scripts/bench.

    bench_stdio.py [--seconds N] [--rounds N] FOLDER_OF_EXAMPLES

One request at a time, as a client on stdio does: written, and the answer awaited. The servers take turns, each on core 0
and this program on core 1; the figures are medians of the rounds. CPU is the server's own, from /proc. Needs Linux and
two cores. Standard library only.
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

MODERN, LEGACY = "2026-07-28", "2025-11-25"
CLIENT = {"name": "bench", "version": "1.0.0"}
WARM_UP = 200  # round trips


def message(method: str, params: dict, id: int | None = 1) -> bytes:
    said = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
    if id is None:
        del said["id"]
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def call(modern: bool) -> bytes:
    params: dict = {"name": "get_customer", "arguments": {"customer_id": "c-42"}}
    if modern:
        params["_meta"] = {"io.modelcontextprotocol/protocolVersion": MODERN,
                           "io.modelcontextprotocol/clientCapabilities": {}, "io.modelcontextprotocol/clientInfo": CLIENT}
    return message("tools/call", params)


class Server:
    """A child that answers one line with one line."""

    def __init__(self, command: list[str], modern: bool, echo: bool):
        os.sched_setaffinity(0, {0})  # which the child inherits
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        os.sched_setaffinity(0, {1})
        self.into, self.out = self.child.stdin.fileno(), self.child.stdout.fileno()
        self.request = call(modern)
        if not modern and not echo:
            hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT}
            self.ask(message("initialize", hello, 0))
            os.write(self.into, message("notifications/initialized", {}, None))
        answer = self.ask(self.request)
        if (b"Jane Doe" not in answer) != echo:
            sys.exit(f"bench_stdio: {command[0]} does not answer as expected: {answer[:200]!r}")

    def ask(self, request: bytes) -> bytes:
        os.write(self.into, request)
        answer = os.read(self.out, 65536)
        while not answer.endswith(b"\n"):
            more = os.read(self.out, 65536)
            if not more:
                sys.exit("bench_stdio: a server ended")
            answer += more
        return answer

    def cpu(self) -> int:
        """Nanoseconds that its threads have run."""
        tasks = Path(f"/proc/{self.child.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def run(self, seconds: float) -> tuple[float, float, float]:
        """p50 and p99 of a round trip, and CPU per call, all in µs."""
        for _ in range(WARM_UP):
            self.ask(self.request)
        taken, before, end = [], self.cpu(), time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.perf_counter_ns()
            self.ask(self.request)
            taken.append(time.perf_counter_ns() - start)
        cpu = (self.cpu() - before) / len(taken) / 1e3
        taken.sort()
        return taken[len(taken) // 2] / 1e3, taken[len(taken) * 99 // 100] / 1e3, cpu

    def end(self) -> None:
        self.child.stdin.close()
        self.child.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("folder", type=Path)
    a = parser.parse_args()
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        sys.exit("bench_stdio: needs Linux and two cores")
    ours, theirs, floor = ([str(a.folder / name), "--stdio"] for name in ("bench_server", "rmcp_floor", "floor"))
    servers = {
        "echo": Server(floor, True, True),
        "call": Server(ours, True, False),
        "legacy": Server(ours, False, False),
        # rmcp takes the era from the first message, and keeps to it
        "rmcp": Server(theirs, True, False),
        "rmcp-legacy": Server(theirs, False, False),
    }
    runs: dict[str, list] = {name: [] for name in servers}
    for _ in range(a.rounds):
        for name, server in servers.items():
            runs[name].append(server.run(a.seconds))
    for server in servers.values():
        server.end()
    median = {name: [statistics.median(column) for column in zip(*taken)] for name, taken in runs.items()}
    print(f"{'stdio':<16} {'p50-µs':>8} {'of-echo':>8} {'of-rmcp':>8} {'p99-µs':>8} {'CPU-µs/call':>12}")
    for name, (p50, p99, cpu) in median.items():
        rmcp = {"call": "rmcp", "legacy": "rmcp-legacy"}.get(name)
        of_rmcp = f"{p50 / median[rmcp][0]:.2f}" if rmcp else "-"
        print(f"{name:<16} {p50:>8.1f} {p50 / median['echo'][0]:>8.2f} {of_rmcp:>8} {p99:>8.1f} {cpu:>12.2f}")


if __name__ == "__main__":
    main()
