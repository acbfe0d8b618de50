"""After all attacks: no secret stands in anything that any server answered, printed, traced or exported."""
from __future__ import annotations

import os
import re

from . import jose, wire


def attack(book, world) -> None:
    with book.group("leak", "Secrets: nothing that was configured or presented shows in any output"):
        for server in world.servers:
            if server.admin != "off":
                book.case(f"/metrics of server `{server.name}` can be read", "yes", lambda server=server: "yes" if server.metrics() else "empty")
        world.stop()
        texts = {"answers": bytes(wire.SEEN)}
        for name in sorted(os.listdir(world.folder)):
            if name.endswith((".stdout", ".stderr")):
                with open(world.path(name), "rb") as file:
                    texts[name] = file.read()
        for what, secret in world.canaries.items():
            book.case(f"{what} in {len(texts)} outputs, {sum(map(len, texts.values())) >> 10} KiB", "nowhere", found, texts, secret)
        book.case(f"a token among {len(jose.PRESENTED)} presented ones, by its signature", "nowhere", echoed, texts)
        for word in (b"panicked at", b"RUST_BACKTRACE", b"stack overflow", b"AddressSanitizer"):
            book.case(f"`{word.decode()}` in any output", "nowhere", found, texts, word.decode())
        for word in ("InvalidSignature", "jsonwebtoken", "serde", "at line 1 column", "hyper", "src/", "SELECT", "sqlite", "rusqlite", world.folder):
            book.case(f"`{'the folder' if word == world.folder else word}` in any answer", "nowhere", found, {"answers": texts["answers"]}, word)


def echoed(texts: dict[str, bytes]) -> str:
    """Looks at every word long enough to hold the beginning of a signature: one cut short is told as well."""
    beginnings = {one[:20].encode() for one in jose.PRESENTED if len(one) >= 20}
    for name, text in texts.items():
        for word in re.finditer(rb"[A-Za-z0-9_-]{20,}", text):
            if word[0][:20] in beginnings:
                return f"in {name}: {word[0][:20].decode()}…"
    return "nowhere"


def found(texts: dict[str, bytes], secret: str) -> str:
    return next((f"in {name}" for name, text in texts.items() if secret.encode() in text), "nowhere")
