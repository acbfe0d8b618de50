"""What a cluster would get: an overlay's objects, and how they find each other."""
from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import yaml


class Broken(Exception):
    """Something could not be rendered, read or started, so that nothing more can be said of it."""


def renderer() -> list[str]:
    """The command that renders a folder."""
    return ["kubectl", "kustomize"] if shutil.which("kubectl") else ["kustomize", "build"]


def fits(selector: dict, labels: dict) -> bool:
    """Whether a selector by labels finds something with these; an empty one finds nothing here, though all in a cluster:
    none of ours means that."""
    wanted = selector.get("matchLabels", {})
    return set(selector) == {"matchLabels"} and bool(wanted) and wanted.items() <= labels.items()


class Rendered:
    def __init__(self, name: str, folder: str, made: list[dict]):
        """`made`: the objects that the user makes."""
        self.name, self.made = name, made
        run = subprocess.run([*renderer(), folder], capture_output=True, text=True)
        if run.returncode:
            raise Broken(run.stderr.strip() or f"ends with {run.returncode}")
        self.objects = [document for document in yaml.safe_load_all(run.stdout) if document]

    def of(self, kind: str) -> list[dict]:
        return [one for one in self.objects if one["kind"] == kind]

    def find(self, kind: str, name: str) -> dict | None:
        """An object of the overlay's, or one that the user makes in its namespace."""
        place = {one["metadata"].get("namespace") for one in self.objects}
        made = [one for one in self.made if one["metadata"].get("namespace") in place]
        found = [one for one in self.objects + made if one["kind"] == kind and one["metadata"]["name"] == name]
        return found[0] if found else None

    @property
    def workload(self) -> dict:
        """The one object that makes pods."""
        found = [one for one in self.objects if "template" in one.get("spec", {})]
        if len(found) != 1:
            raise Broken(f"{len(found)} objects that make pods, and not one")
        return found[0]

    @property
    def template(self) -> dict:
        return self.workload["spec"]["template"]

    @property
    def labels(self) -> dict:
        return self.template["metadata"]["labels"]

    @property
    def pod(self) -> dict:
        return self.template["spec"]

    @property
    def container(self) -> dict:
        """Tollgate's own."""
        return next(one for one in self.pod["containers"] if one["name"] == "tollgate")

    def containers(self) -> Iterator[dict]:
        for kind in ("initContainers", "containers", "ephemeralContainers"):
            yield from self.pod.get(kind, [])

    def has_port(self, port: int | str) -> bool:
        ports = [one for container in self.containers() for one in container.get("ports", [])]
        return any(port in (one.get("name"), one["containerPort"]) for one in ports)

    @property
    def config(self) -> dict:
        """Tollgate's file, as it is written."""
        for volume in self.pod["volumes"]:
            found = "configMap" in volume and self.find("ConfigMap", volume["configMap"]["name"])
            if found:
                return yaml.safe_load(found["data"]["tollgate.yaml"])
        raise Broken("no ConfigMap with a tollgate.yaml is mounted")

    def pods(self) -> list[str]:
        """The names that pods may have at most."""
        scaled = [one["spec"]["maxReplicas"] for one in self.of("HorizontalPodAutoscaler")]
        count = max(scaled, default=self.workload["spec"].get("replicas", 1))
        return [f"{self.workload['metadata']['name']}-{ordinal}" for ordinal in range(count)]
