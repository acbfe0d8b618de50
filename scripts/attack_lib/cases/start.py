"""What the operator must not get away with: a configuration that is not safe does not start, and says why without
telling a secret."""
from __future__ import annotations

import base64
import os
import subprocess

from ..peers import Peer
from ..world import CUSTOMER_SQL, environment, free_port

WEAK = ("changeme" * 4, "replace-me-in-prod" * 2, "your-256-bit-secret" * 2, "secret" * 6, "0123456789abcdef" * 2, "a" * 40, "password" * 5, "changeme" + "!" * 40, "supersecretsupersecretsupersecret", "CHANGEME" * 4, "change-me-in-production-please-now", "qwertyuiopqwertyuiopqwertyuiopqwe", "\0" * 40, " " * 40)


def attack(book, world) -> None:
    def check(name: str, config: dict) -> subprocess.CompletedProcess:
        return world.run("check", "--config", world.write(f"start-{name}.yaml", config))

    def refused(name: str, config: dict, key: str, secret: str = "") -> str:
        """`serve` must end with 1, name the key and not the secret; `check` must agree."""
        checked = check(name, config)
        if checked.returncode != 1:
            return f"check exits with {checked.returncode}"
        served = world.run("serve", "--config", world.path(f"start-{name}.yaml"))
        said = (served.stdout + served.stderr + checked.stdout + checked.stderr).decode(errors="replace")
        if served.returncode != 1:
            return f"serve exits with {served.returncode}"
        if key not in said:
            return f"names no {key}: {said[:200]}"
        return "shows the secret" if secret.strip() and secret in said else f"refused, {key}"

    def issuer(**changes) -> dict:
        issuer = {key: value for key, value in world.hmac_issuer(**changes).items() if value is not ...}
        return world.config(auth={"issuers": [issuer]})

    with book.group("start", "Tokens: unsafe configurations are refused at start, by name, never echoed"):
        at = "auth.issuers[0].secret"
        for n, secret in enumerate(WEAK):
            book.case(f"secret {secret[:24]!r}… of {len(secret)} bytes", f"refused, {at}", refused, f"weak-{n}", issuer(secret=secret), at, secret)
        odd = "canary-short-k" + base64.b64encode(os.urandom(16)).decode()[:17]
        assert len(odd) == 31
        book.case("a random secret of 31 bytes", f"refused, {at}", refused, "short", issuer(secret=odd), at, odd)
        book.case("a secret of 31 bytes through the environment's default", f"refused, {at}", refused, "default", issuer(secret="${NOT_THERE:-%s}" % odd), at, odd)
        book.case("HS512 with 48 bytes", f"refused, {at}", refused, "hs512", issuer(algorithms=["HS512"], secret=odd + "abcdefghijklmnopq"), at, odd)
        for name, changes, key in (
            ("no audience", {"audiences": []}, "audiences"), ("an empty audience", {"audiences": [""]}, "audiences"), ("an empty issuer", {"issuer": ""}, "issuer"), ("algorithm none", {"algorithms": ["none"]}, "algorithms"), ("no algorithm", {"algorithms": []}, "algorithms"), ("RS256 with a secret", {"algorithms": ["HS256", "RS256"]}, "algorithms"),
            ("a secret that is a mapping", {"secret": {"a": 1}}, "secret"), ("a secret file that is not there", {"secret": "${file:/nonexistent/x}"}, "secret"), ("an unknown key", {"leeway": "1h"}, "leeway"),
        ):
            book.case(name, f"refused, {key}", refused, name.replace(" ", "-"), issuer(**changes), key)
        book.case("one issuer twice", "refused, issuers[1]", refused, "twice", world.config(auth={"issuers": [world.hmac_issuer(), world.hmac_issuer(audiences=["https://other.test/"])]}), "issuers[1]")
        book.case("keys and a secret for one issuer", "refused, auth.issuers[0]", refused, "both", issuer(jwks={"url": "https://issuer.attack.test/keys"}), "auth.issuers[0]")
        book.case("HS256 with public keys", "refused, auth.issuers[0]", refused, "hmac-keys", issuer(secret=..., jwks={"url": "https://issuer.attack.test/keys"}, algorithms=["HS256"]), "auth.issuers[0]")
        book.case("keys over http from another host", "refused, auth.issuers[0]", refused, "http-keys", issuer(secret=..., jwks={"url": "http://issuer.attack.test/keys"}), "auth.issuers[0]")
        book.case("discovery over http from another host", "refused, auth.issuers[0]", refused, "http-issuer", issuer(secret=..., issuer="http://issuer.attack.test/"), "auth.issuers[0]")
        book.case("discovery for an issuer that is no URL", "refused, auth.issuers[0]", refused, "no-url", issuer(secret=..., issuer="our-ci"), "auth.issuers[0]")
        book.case("an API key in the clear", "refused, auth.apiKeys[0]", refused, "clear-key", world.config(auth={"apiKeys": [{"id": "ci-bot", "hash": "tgk_abcdefghijkl_" + "k" * 43, "tenant": "acme", "subject": "ci", "scopes": [], "expires": "never"}]}), "auth.apiKeys[0]", "k" * 43)

    with book.group("bind", "Edge: what must not be exposed is refused at start"):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
            book.case(f"listen on {address} without TLS or a proxy", "refused, server.listen", refused, "bind", world.config(server={"listen": address}), "server.listen")
        book.case("trustedProxies without behindProxy", "refused, server", refused, "proxies", world.config(server={"trustedProxies": ["127.0.0.1"]}), "server")
        book.case("a trusted proxy that is no address", "refused, trustedProxies", refused, "proxy", world.config(server={"behindProxy": True, "trustedProxies": ["proxy.test"]}), "trustedProxies")
        book.case("a certificate that is not there", "refused, tls", refused, "no-cert", world.config(server={"tls": {"certificate": "./none.crt", "key": "./none.key"}}), "tls")
        book.case("an allowed origin *", "refused, allowedOrigins", refused, "star", world.config(server={"allowedOrigins": ["*"]}), "allowedOrigins")
        book.case("a public URL with a password", "refused, publicUrl", refused, "public", world.config(server={"publicUrl": "https://user:canary-pass@tools.attack.test"}), "publicUrl", "canary-pass")
        tool = {"description": "x", "sql": {**CUSTOMER_SQL, "statement": "SELECT 1 AS id"}}
        book.case("a tool that says not who may call", "refused, tools.open", refused, "open", world.config(tools={"open": tool}), "tools.open")
        book.case("a tool with an empty list of scopes", "refused, tools.open", refused, "open-list", world.config(tools={"open": {**tool, "scopes": []}}), "tools.open")
        for name, statement in (("a statement that writes", "DELETE FROM customers"), ("two statements", "SELECT 1 AS id; SELECT 2 AS id"), ("ATTACH", "ATTACH '/etc/passwd' AS x"), ("a PRAGMA", "PRAGMA journal_mode = DELETE")):
            book.case(name, "refused, tools.open", refused, "sql", world.config(tools={"open": {**tool, "scopes": ["x"], "sql": {**CUSTOMER_SQL, "statement": statement}}}), "tools.open")
        trap = Peer()
        remote = {**tool, "scopes": ["x"], "parameters": {"a": {"$ref": f"{trap.url}/schema.json"}}, "sql": {**CUSTOMER_SQL, "statement": "SELECT :a AS id"}}
        book.case("a schema with a remote $ref", "refused, tools.open", refused, "ref", world.config(tools={"open": remote}), "tools.open")
        book.case("a schema with a $ref to a file", "refused, tools.open", refused, "ref-file", world.config(tools={"open": {**remote, "parameters": {"a": {"$ref": "file:///etc/passwd"}}}}), "tools.open")
        book.case("connections to the server that $ref names", "0", lambda: trap.connections)
        book.case("dev mode on all addresses", "exit 1", lambda: f"exit {world.run('serve', '--dev', '--config', world.write('dev.yaml', {**world.config(), 'server': {'listen': '0.0.0.0:0', 'behindProxy': True, 'publicUrl': 'https://tools.attack.test'}})).returncode}")
        book.case("metrics on all addresses in dev mode", "exit 1", lambda: f"exit {world.run('serve', '--dev', '--port', '0', '--config', world.write('dev-admin.yaml', {**world.config(), 'server': {'adminListen': f'0.0.0.0:{free_port()}'}})).returncode}")
        book.case("a busy port: one line, exit 1", "exit 1, 1 line", busy, world)


def busy(world) -> str:
    config = world.config(server={"listen": f"127.0.0.1:{world.base.port}"})
    done = subprocess.run([world.binary, "serve", "--config", world.write("busy.yaml", config)], capture_output=True, timeout=20, stdin=subprocess.DEVNULL, env={**environment(), "RUST_LOG": "info"})
    return f"exit {done.returncode}, {len(done.stderr.splitlines())} line"


