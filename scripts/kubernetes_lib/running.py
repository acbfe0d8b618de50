"""A pod's program, run on loopback as the container runs it, and what must hold of it. A check yields what is wrong."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from . import checks
from .pod import Pod
from .rendered import Broken, Rendered


def on_loopback(text: str) -> str:
    return re.sub(r"^(\s*(?:listen|adminListen)): \S+", r"\1: 127.0.0.1:0", text, flags=re.MULTILINE)


class Running:
    def __init__(self, overlay: Rendered, binary: str, folder: str):
        self.overlay = overlay
        self.pod = Pod(overlay, overlay.pods()[0], folder, on_loopback)
        with open(os.path.join(folder, "log"), "w+") as log:
            self.process = subprocess.Popen(
                [binary, *self.pod.arguments], env=self.pod.environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            for _ in range(200):
                log.seek(0)
                said = log.read()
                found = re.search(r"metrics at (http://127\.0\.0\.1:\d+)/metrics", said)
                if found or self.process.poll() is not None:
                    break
                time.sleep(0.05)
        if not found:
            self.end()
            raise Broken(f"the server did not start: {said.replace(folder, '').strip()}")
        self.admin = found[1]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.admin + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError as fault:
            return 0, str(fault)

    def probe(self, name: str) -> int:
        return self.get(self.overlay.container[name]["httpGet"]["path"])[0]

    def answers(self) -> Iterator[str]:
        for name in checks.PROBES:
            if self.probe(name) != 200:
                yield f"{name} gets {self.probe(name)}"
        for monitor in self.overlay.of("ServiceMonitor"):
            for endpoint in monitor["spec"]["endpoints"]:
                status, text = self.get(endpoint["path"])
                if status != 200 or "tollgate_build_info" not in text:
                    yield f"Prometheus gets {status} at {endpoint['path']}"

    def metrics(self, rules: list[dict]) -> Iterator[str]:
        """`rules`: of prometheus-adapter."""
        served = {re.split(r"[{ ]", line)[0] for line in self.get("/metrics")[1].splitlines() if not line.startswith("#")}
        shown = {re.match(r"\w+", rule["seriesQuery"])[0] for rule in rules}
        used = [metric for one in self.overlay.of("HorizontalPodAutoscaler") for metric in one["spec"]["metrics"]]
        asked = {metric["pods"]["metric"]["name"] for metric in used if metric["type"] == "Pods"}
        if not asked:
            yield "no autoscaler asks for a metric of ours"
        yield from (f"{name} is not served" for name in sorted((shown | asked) - served))
        yield from (f"{name} has no rule in prometheus-adapter.yaml" for name in sorted(asked - shown))

    def reloads(self) -> Iterator[str]:
        self.pod.change = lambda text: on_loopback(text) + "# changed\n"
        self.pod.project()
        for _ in range(100):
            time.sleep(0.1)
            if "\ntollgate_config_generation 2" in self.get("/metrics")[1]:
                return
        yield "not within 10 s"

    def ends(self) -> Iterator[str]:
        """Without calls: no longer ready, still alive, gone in time."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        told = self.probe("readinessProbe"), self.probe("livenessProbe")
        if told != (503, 200):
            yield f"readiness gets {told[0]}, liveness {told[1]}"
        limit = self.overlay.pod["terminationGracePeriodSeconds"]
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            yield f"it runs after {limit} s"
            return
        took, delay = time.monotonic() - began, checks.seconds(self.overlay.config["server"]["shutdownDelay"])
        if code or took < delay:
            yield f"it ended with {code} after {took:.1f} s, and not after {delay:g} s"
