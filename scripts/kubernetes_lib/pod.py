"""A pod as its container would find it: files and variables, in a folder instead of at the root."""
from __future__ import annotations

import base64
import os
import re
import subprocess

from .rendered import Broken, Rendered


def secrets(secret: dict | None) -> dict[str, bytes]:
    """What a Secret holds; nothing, where there is none."""
    return {name: base64.b64decode(text) for name, text in (secret or {}).get("data", {}).items()}


def project(place: str, files: dict[str, bytes]) -> None:
    """Files of a volume as the kubelet lays them and replaces them: links to links, of which one is moved."""
    version = f"..{len(os.listdir(place))}"
    os.mkdir(os.path.join(place, version))
    for name, text in files.items():
        with open(os.path.join(place, version, name), "wb") as file:
            file.write(text)
        if not os.path.lexists(os.path.join(place, name)):
            os.symlink(os.path.join("..data", name), os.path.join(place, name))
    os.symlink(version, os.path.join(place, "..next"))
    os.replace(os.path.join(place, "..next"), os.path.join(place, "..data"))


class Pod:
    def __init__(self, rendered: Rendered, name: str, folder: str, change=lambda text: text):
        """`change`: what becomes of the texts of ConfigMaps."""
        self.rendered, self.name, self.folder, self.change = rendered, name, folder, change
        self.mounts = {mount["mountPath"]: mount["name"] for mount in rendered.container["volumeMounts"]}
        for path in self.mounts:
            os.makedirs(folder + path)
        self.project()
        self.arguments = [self.moved(word) for word in rendered.container["args"]]
        self.environment = {one["name"]: self.variable(one) for one in rendered.container.get("env", [])}

    def project(self) -> None:
        volumes = {volume["name"]: volume for volume in self.rendered.pod["volumes"]}
        for path, volume in self.mounts.items():
            files = self.files(volumes.get(volume, {}))
            if files:
                project(self.folder + path, files)

    def files(self, volume: dict) -> dict[str, bytes]:
        if "secret" in volume:
            return secrets(self.rendered.find("Secret", volume["secret"]["secretName"]))
        if "configMap" in volume:
            found = self.rendered.find("ConfigMap", volume["configMap"]["name"]) or {}
            return {name: self.change(self.moved(text)).encode() for name, text in found.get("data", {}).items()}
        return {}

    def variable(self, one: dict) -> str:
        if "value" in one:
            return one["value"]
        source = one["valueFrom"]
        if source.get("fieldRef") == {"fieldPath": "metadata.name"}:
            return self.name
        if "secretKeyRef" in source:
            reference = source["secretKeyRef"]
            text = secrets(self.rendered.find("Secret", reference["name"])).get(reference["key"])
            if text is not None:
                return text.decode()
        raise Broken(f"the variable {one['name']} comes from nowhere")

    def moved(self, text: str) -> str:
        """A text with the paths of volumes where they are here."""
        for path in sorted(self.mounts, key=len, reverse=True):
            text = re.sub(rf"(?<![\w./-]){re.escape(path)}\b", self.folder + path, text)
        return text

    def faults(self, binary: str) -> list[str]:
        """What `tollgate check` has against the configuration."""
        command = [binary, "check", *self.arguments[1:]]
        run = subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, text=True)
        said = run.stderr.replace(self.folder, "").strip()
        return [f"{self.name}: {said or run.returncode}"] if run.returncode else []
