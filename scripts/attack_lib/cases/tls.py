"""TLS: what is not TLS 1.2 or 1.3 is turned away, and certificates change without a restart."""
from __future__ import annotations

import hashlib
import os
import shutil
import ssl

from ..jose import openssl
from ..peers import until
from ..wire import Wire, head
from .deadlines import dripping, silent


def certificate(folder: str, name: str) -> None:
    """NAME.crt and NAME.key for this machine, of its own authority."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", os.path.join(folder, f"{name}.key"), "-out", os.path.join(folder, f"{name}.crt"))


def start(world, name: str, tools: dict | None = None, **settings):
    """A server that ends TLS with files of its own, which may be changed."""
    if not os.path.exists(world.path("first.crt")):
        certificate(world.folder, "first")
    for end in ("crt", "key"):
        shutil.copy(world.path(f"first.{end}"), world.path(f"{name}.{end}"))
    tls = {"certificate": f"./{name}.crt", "key": f"./{name}.key"}
    return world.start(name, world.config(server={"tls": tls, **settings}, tools=tools or {}), scheme="https")


def attack(book, world) -> None:
    slow = start(world, "tls-slow")
    with book.group("tlsslow", "Edge: deadlines under TLS"):
        plain = Plain(slow)
        book.slow("a handshake that never begins ends within 12 s", "closed in time", silent, plain, b"", 12, on=slow)
        book.slow("a handshake that stops half-way", "closed in time", silent, plain, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(32), 12, on=slow)
        book.slow("a handshake that sends a byte a second", "closed in time", dripped, slow, on=slow)
        book.slow("silence after the handshake", "closed in time", silent, slow, b"", 13, on=slow)
        book.slow("half a head after it", "closed in time", silent, slow, b"POST /mcp HTTP/1.1\r\n", 13, on=slow)

    server = start(world, "tls")
    request = lambda: head("GET", "/healthz", [("Host", server.host)])
    with open(world.path("first.key"), encoding="ascii") as file:
        world.canaries["the TLS key"] = file.read().splitlines()[1]
    with book.group("tls", "Edge: TLS"):
        book.case("a good call over TLS 1.3", "200 TLSv1.3", version, server, {}, on=server)
        book.case("a good call over TLS 1.2", "200 TLSv1.2", version, server, {"maximum_version": ssl.TLSVersion.TLSv1_2}, on=server)
        for name, limits in (("TLS 1.1", {"minimum_version": ssl.TLSVersion.TLSv1_1, "maximum_version": ssl.TLSVersion.TLSv1_1}), ("TLS 1.0", {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1})):
            book.case(f"{name} is turned away by the server", ("alert: protocol version", "alert: handshake failure"), version, server, limits, "ALL:@SECLEVEL=0", on=server)
        for ciphers in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "NULL", "aNULL", "AES256-GCM-SHA384"):
            book.case(f"TLS 1.2 with {ciphers} alone", "alert: handshake failure", version, server, {"maximum_version": ssl.TLSVersion.TLSv1_2}, f"{ciphers}:@SECLEVEL=0", on=server)
        for name, sent in (("HTTP in the clear", request()), ("a token in the clear", head("POST", "/mcp", server.headers())), ("HTTP/2 in the clear", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ("junk", os.urandom(2048)), ("a record of 64 KiB", b"\x16\x03\x01\xff\xff" + bytes(65535)), ("a hello cut short, then HTTP", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03" + request())):
            book.case(f"{name} to the TLS port gets no answer in HTTP", "closed", cleartext, server, sent, on=server)
        book.case("no h2, no name: http/1.1 is spoken", "200", lambda: str(server.status("GET", "/healthz", [("Host", server.host)])), on=server)
        book.case("an unknown protocol by ALPN is not spoken", ("alert", "200"), alpn, server, ["spdy/3"], on=server)
        book.case("h2 by ALPN", "h2", alpn, server, ["h2"], on=server)
        book.case("Host is checked here, too", "403", lambda: str(server.status("GET", "/openapi.json", [("Host", "evil.test")])), on=server)
        book.case("published URLs are https", "https", lambda: server.ask("GET", "/.well-known/oauth-protected-resource", [("Host", server.host)]).json["resource"].split(":")[0], on=server)
        reloads(book, world, server)


class Plain:
    """The server's port without TLS of ours."""

    def __init__(self, server):
        self.server = server

    def connect(self, **options):
        return Wire(self.server.port, **options)


def dripped(server) -> str:
    return dripping(Plain(server), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(64), 1.0, 13)


def reason(error: ssl.SSLError) -> str:
    text = (error.reason or "").lower().replace("_", " ")
    for alert in ("protocol version", "handshake failure", "no application protocol"):
        if alert in text:
            return f"alert: {alert}"
    return f"error: {text}"


def version(server, limits: dict, ciphers: str = "") -> str:
    context = server.tls()
    if ciphers:
        context.set_ciphers(ciphers)
    for name, value in limits.items():
        setattr(context, name, value)
    try:
        with Wire(server.port, tls=context, patience=5) as wire:
            wire.send(head("GET", "/healthz", [("Host", server.host)]))
            return f"{wire.answer().status} {wire.socket.version()}"
    except ssl.SSLError as error:
        return reason(error)


def cleartext(server, sent: bytes) -> str:
    with Plain(server).connect(patience=15) as wire:
        wire.send(sent)
        if wire.ends(14) is None:
            return "open"
        return "closed" if b"HTTP/" not in wire.buffer else f"told {wire.buffer[:40]!r}"


def alpn(server, protocols: list[str]) -> str:
    try:
        with Wire(server.port, tls=server.tls(protocols), patience=5) as wire:
            if wire.socket.selected_alpn_protocol():
                return wire.socket.selected_alpn_protocol()
            wire.send(head("GET", "/healthz", [("Host", server.host)]))
            return str(wire.answer().status)
    except ssl.SSLError:
        return "alert"


def reloads(book, world, server) -> None:
    def fingerprint() -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with Wire(server.port, tls=context, patience=5) as wire:
            return hashlib.sha256(wire.socket.getpeercert(True)).hexdigest()

    def of(name: str) -> str:
        return hashlib.sha256(openssl("x509", "-in", world.path(f"{name}.crt"), "-outform", "DER")).hexdigest()

    def put(name: str, end: str) -> None:
        """As certificate managers do: a new file in the place of the old."""
        shutil.copy(world.path(f"{name}.{end}"), world.path(f"new.{end}"))
        os.replace(world.path(f"new.{end}"), world.path(f"tls-reload.{end}"))

    server = start(world, "tls-reload")
    certificate(world.folder, "second")
    first, second = of("first"), of("second")
    put("second", "crt")
    book.case("a new certificate without its key is not used", "the old one", lambda: "another" if until(lambda: fingerprint() != first, 7) else "the old one", on=server)
    put("second", "key")
    book.case("with its key it is, without a restart", "yes", lambda: "yes" if until(lambda: fingerprint() == second, 15) else "no")
    with open(world.path("new.crt"), "w", encoding="ascii") as file:
        file.write("-----BEGIN CERTIFICATE-----\njunk\n")
    os.replace(world.path("new.crt"), world.path("tls-reload.crt"))
    book.case("junk is not, and the last good one goes on", "the last good one", lambda: "another" if until(lambda: fingerprint() != second, 7) else "the last good one")
    for end in ("crt", "key"):
        put("first", end)
    book.case("and the first is taken up again", "yes", lambda: "yes" if until(lambda: fingerprint() == first, 15) else "no", on=server)
