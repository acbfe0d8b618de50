"""All checks in their order, a line for each."""
from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable

import yaml

from . import checks, restricted
from .page import Page
from .pod import Pod
from .rendered import Broken, Rendered, renderer
from .running import Running

OVERLAYS = ["single", "replicated"]
YOURS = "yours"
"""The overlay of the page, with all that an installation may add. Its first pod is run."""

CHECKS = [
    (f"every object fits the schemas of Kubernetes {' and '.join(checks.VERSIONS)}, strictly", checks.schemas),
    ('every pod meets the Pod Security Standard "restricted", and mounts no token', restricted.faults),
    ("startup, liveness and readiness are asked for, on ports that are there", checks.probes),
    ("the container's ports are those that tollgate.yaml listens on", checks.listeners),
    ("every selector finds the pods", checks.selectors),
    ("Services and policies name ports that pods have", checks.ports),
    ("every ConfigMap, Secret, claim, account and Service that is named is there", checks.references),
    ("every mount has a volume, and the audit log lies on a claim", checks.volumes),
    ("ConfigMaps keep their names, so that a change reaches the pods", checks.stable),
    ("a pod that ends has the time that tollgate.yaml takes", checks.grace),
    ("how many pods there are is decided once, and they count together", checks.scaling),
    ("the image names a version", checks.images),
    ("CPU and memory are asked for, memory is bounded", checks.resources),
]


class Report:
    def __init__(self):
        self.passed = self.failed = self.unchecked = 0

    def check(self, name: str, what: str, check: Callable[..., Iterable[str]], *of) -> None:
        try:
            faults = list(check(*of))
        except Broken as fault:
            faults = [str(fault)]
        except (KeyError, TypeError, ValueError, StopIteration) as fault:
            faults = [f"an object lacks what every one has: {fault!r}"]
        self.failed, self.passed = self.failed + bool(faults), self.passed + (not faults)
        print(f"{'FAIL' if faults else 'ok':4}  {name:10}  {what}", flush=True)
        for fault in faults:
            print("      " + fault.replace("\n", "\n      "))

    def make(self, name: str, what: str, make: Callable, *of):
        """A check that is good when it comes to something; that, or nothing."""
        made = []
        self.check(name, what, lambda: made.append(make(*of)) or [])
        return made[0] if made else None

    def not_checked(self, name: str, what: str, why: str) -> None:
        self.unchecked += 1
        print(f"NOT CHECKED: {name}: {what} ({why})")


class Run:
    def __init__(self, root: str, binary: str, folder: str):
        """`folder`: for what is written."""
        self.root, self.binary, self.folder, self.report = root, binary, folder, Report()
        self.deploy = os.path.join(root, "deploy", "kubernetes")
        self.page = Page(os.path.join(root, "docs", "deploy", "kubernetes.md"), root)

    def all(self) -> None:
        report, sends = self.report, renderer()[0] == "kubectl"
        made = sends and report.make("page", "its commands make the Secret", self.page.sent, "Secrets", self.place("secrets"))
        for name in [*OVERLAYS, YOURS]:
            overlay = report.make(name, "renders", self.rendered, name, made or [])
            if overlay:
                self.check(overlay)
        if sends:
            report.check("page", "its command makes a PrometheusRule of all alert rules", self.rules)
        else:
            report.not_checked("page", "its commands", "kubectl is missing")

    def check(self, overlay: Rendered) -> None:
        report, name = self.report, overlay.name
        for what, check in CHECKS:
            if check is checks.references and not overlay.made:
                report.not_checked(name, what, "there is no Secret")
            else:
                report.check(name, what, check, overlay)
        if name == YOURS:
            report.check(name, "its ServiceMonitor has known fields, and reads each pod once (no published schema)", checks.monitors, overlay)
        if not overlay.made:
            report.not_checked(name, "tollgate check, and a pod that is run", "there is no Secret")
            return
        report.check(name, "tollgate check takes the configuration, as every pod finds it", self.configurations, overlay)
        if name == YOURS:
            self.run(overlay)

    def run(self, overlay: Rendered) -> None:
        report = self.report
        server = report.make(YOURS, "its first pod starts", Running, overlay, self.binary, self.place("run"))
        if not server:
            return
        with open(os.path.join(self.deploy, "prometheus-adapter.yaml")) as file:
            rules = yaml.safe_load(file)["rules"]
        try:
            report.check(YOURS, "the pod answers probes and Prometheus", server.answers)
            report.check(YOURS, "the pod serves the metrics of the autoscaler and of prometheus-adapter", server.metrics, rules)
            report.check(YOURS, "the pod takes up a ConfigMap that is changed as the kubelet does it", server.reloads)
            report.check(YOURS, "the pod tells the readiness probe alone of SIGTERM, and ends in time", server.ends)
        finally:
            server.end()

    def place(self, *names: str) -> str:
        return os.path.join(self.folder, *names)

    def rendered(self, name: str, made: list[dict]) -> Rendered:
        return Rendered(name, self.yours() if name == YOURS else os.path.join(self.deploy, "overlays", name), made)

    def yours(self) -> str:
        """The page's own overlay, in a folder beside the checkout, with the file that the base has."""
        os.makedirs(self.place("production"))
        os.symlink(self.root, self.place("tollgate"))
        shutil.copy(os.path.join(self.deploy, "base", "tollgate.yaml"), self.place("production"))
        with open(self.place("production", "kustomization.yaml"), "w") as file:
            file.write(self.page.block("Your own overlay", "text"))
        return self.place("production")

    def configurations(self, overlay: Rendered) -> Iterable[str]:
        for name in overlay.pods():
            yield from Pod(overlay, name, self.place(overlay.name, name)).faults(self.binary)

    def rules(self) -> Iterable[str]:
        with open(os.path.join(self.root, "deploy", "prometheus", "alerts.yaml")) as file:
            wanted = ("monitoring.coreos.com/v1", "PrometheusRule", yaml.safe_load(file))
        sent = self.page.sent("Metrics and alerts", self.place("rules"))
        if [(one.get("apiVersion"), one.get("kind"), one.get("spec")) for one in sent] != [wanted]:
            yield "what it makes is not deploy/prometheus/alerts.yaml"


def main(root: str, binary: str) -> int:
    with tempfile.TemporaryDirectory(prefix="tollgate-kubernetes-") as folder:
        run = Run(root, binary, os.path.realpath(folder))
        run.all()
    report = run.report
    print(f"{report.passed} passed, {report.failed} failed, {report.unchecked} not checked")
    return 1 if report.failed else 0


sys.exit(main(*sys.argv[1:]))
