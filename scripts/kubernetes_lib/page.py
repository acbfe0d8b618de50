"""The page that tells how to deploy: what it shows is run here as it stands there."""
from __future__ import annotations

import os
import re
import subprocess

import yaml

from .rendered import Broken

# kubectl as the page's commands call it: what would be sent to a cluster is printed.
PRINTS = """
set -eu
kubectl() {
  case "$1 $2" in
    "create secret") command kubectl "$@" --dry-run=client --output yaml ;;
    "apply -f") [ "$3" = - ] && cat ;;
    *) echo "kubectl $* is not known here" >&2; return 1 ;;
  esac
}
"""
STORE = "redis://127.0.0.1:1"
"""Nobody listens there: what runs here counts for itself."""


class Page:
    def __init__(self, path: str, root: str):
        self.path, self.root = path, root
        with open(path) as file:
            self.text = file.read()

    def section(self, heading: str) -> str:
        found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", self.text, re.MULTILINE | re.DOTALL)
        if not found:
            raise Broken(f"{os.path.relpath(self.path, self.root)} has no section {heading!r}")
        return found[1]

    def block(self, heading: str, language: str) -> str:
        """The first block of this language below a heading."""
        found = re.search(rf"^```{language}\n(.*?)^```", self.section(heading), re.MULTILINE | re.DOTALL)
        if not found:
            raise Broken(f"no block of {language} below {heading!r}")
        return found[1]

    def sent(self, heading: str, folder: str) -> list[dict]:
        """What the commands below a heading would send to a cluster; run in a folder that is like the checkout."""
        lines = self.block(heading, "console").splitlines()
        commands = "\n".join(line[2:] for line in lines if line[:2] in ("$ ", "> "))
        os.makedirs(folder)
        os.symlink(os.path.join(self.root, "deploy"), os.path.join(folder, "deploy"))
        environment = {**os.environ, "HOME": folder, "REDIS_URL": STORE}
        run = subprocess.run(["bash", "-c", PRINTS + commands], cwd=folder, env=environment, capture_output=True, text=True)
        if run.returncode:
            raise Broken(f"the commands below {heading!r}: {run.stderr.strip()}")
        return [document for document in yaml.safe_load_all(run.stdout) if document]
