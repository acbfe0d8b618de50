"""API keys and opaque tokens (RFC 7662): what is not exactly right is refused, and an answer is not believed further
than it goes."""
from __future__ import annotations

import hashlib
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

from .. import jose
from ..peers import Introspection, until
from ..world import AUDIENCE
from .tokens import Refusals, accepted

ISSUER = "https://opaque.attack.test/"


class ApiKey:
    def __init__(self, id: str, expires: str = "never", **changes):
        self.text = f"tgk_{id}_{jose.b64(secrets.token_bytes(32))}"
        jose.PRESENTED.add(self.text.split("_", 2)[2])
        self.hash = "sha256:" + hashlib.sha256(self.text.encode()).hexdigest()
        self.entry = {"id": id, "hash": self.hash, "tenant": "acme", "subject": "ci", "scopes": ["customer:read"], "expires": expires, **changes}


def attack(book, world) -> None:
    good, past, narrow, filed = ApiKey("cibot1234567"), ApiKey("pastbot12345", "2020-01-01T00:00:00Z"), ApiKey("narrowbot123", scopes=[]), ApiKey("filebot12345")
    path = world.write("keys.yaml", json.dumps([filed.entry]))
    server = world.start("apikeys", world.config(auth={"apiKeys": [good.entry, past.entry, narrow.entry], "apiKeysFile": path}))
    refused = Refusals(server)
    with book.group("apikey", "Tokens: API keys"):
        book.case("a good key", "200", accepted, server, good.text, on=server)
        book.case("a good key of the file", "200", accepted, server, filed.text, on=server)
        id, secret = good.text.split("_", 2)[1:]
        for name, text in (
            ("expired", past.text), ("the right id, another secret", f"tgk_{id}_{jose.b64(secrets.token_bytes(32))}"), ("another id, the right secret", f"tgk_narrowbot123_{secret}"), ("its hash instead", good.hash.replace(":", "_")), ("its hash in hexadecimal", good.hash[7:]), ("its hash after tgk_", f"tgk_{id}_{good.hash[7:]}"),
            ("the secret alone", secret), ("the prefix alone", "tgk_"), ("no secret", f"tgk_{id}_"), ("a character more", good.text + "A"), ("a character less", good.text[:-1]), ("padding", good.text + "="), ("upper case", good.text.upper()), ("TGK_", "TGK_" + good.text[4:]), ("the last character's spare bits", good.text[:-1] + chr(ord(good.text[-1]) ^ 1)),
            ("a good token after tgk_", "tgk_" + server.token()), ("10 dots", "tgk_" + "." * 10), ("8 KiB", "tgk_" + "a" * 8000),
        ):
            book.case(name, "401", refused.of, text, on=server)
        book.case("a key without scopes reaches nothing that needs one", "403", lambda: str(server.call(token=narrow.text).status), on=server)
        world.write("keys.yaml", json.dumps([]))
        book.case("removed from the file it ends, without a restart", "yes", lambda: "yes" if until(lambda: accepted(server, filed.text) == "401", 15) else "no", on=server)
        world.write("keys.yaml", "[{broken")
        book.case("a broken file changes nothing for the others", "200", accepted, server, good.text, on=server)
    opaque(book, world)


def opaque(book, world) -> None:
    client_secret = "canary-introspection-" + secrets.token_urlsafe(24)
    world.canaries["the introspection client's secret"] = client_secret
    peer = Introspection("tollgate", client_secret)
    issuer = {"issuer": ISSUER, "audiences": [AUDIENCE], "introspection": {"url": peer.url + "/introspect", "clientId": "tollgate", "clientSecret": client_secret, "maxAge": "2s"}}
    server = world.start("opaque", world.config(auth={"issuers": [world.hmac_issuer(), issuer], "failureLimit": "100000/s burst 100000"}))
    refused = Refusals(server)
    now = int(time.time())

    def known(answer) -> str:
        token = "opaque-" + secrets.token_urlsafe(24)
        jose.PRESENTED.add(token)
        peer.tokens[token] = answer
        return token

    def says(**changes) -> dict:
        answer = {"active": True, "token_type": "Bearer", **jose.claims(ISSUER, AUDIENCE), **changes}
        return {name: value for name, value in answer.items() if value is not ...}

    with book.group("opaque", "Tokens: introspection"):
        good = known(says())
        book.case("an active token", "200", accepted, server, good, on=server)
        book.case("without iss, which is optional", "200", accepted, server, known(says(iss=...)), on=server)
        for name, answer in (
            ("inactive", {"active": False}), ("active: \"true\"", says(active="true")), ("active: 1", says(active=1)), ("active: null", says(active=None)), ("active: [true]", says(active=[True])), ("no active", says(active=...)), ("expired", says(exp=now - 60)), ("exp text", says(exp=str(now + 60))), ("not yet", says(nbf=now + 90)),
            ("another issuer", says(iss="https://evil.test/")), ("another audience", says(aud="https://evil.test/mcp")), ("no audience", says(aud=...)), ("aud null", says(aud=None)), ("no subject", says(sub=...)), ("no tenant", says(tenant=...)), ("tenant null", says(tenant=None)), ("tenant a list", says(tenant=["acme"])), ("scope null", says(scope=None)), ("scope an object", says(scope={})), ("token_type DPoP", says(token_type="DPoP")), ("token_type a number", says(token_type=1)),
        ):
            book.case(name, "401", refused.of, known(answer), on=server)
        for name, answer in (
            ("500", lambda: (500, {}, {})), ("401 to us", lambda: (401, {}, {})), ("a redirect", lambda: (302, {"location": peer.url + "/elsewhere"}, says())), ("HTML", lambda: (200, {}, b"<html>")), ("a list", lambda: (200, {}, [says()])), ("16 MiB", lambda: (200, {}, b" " * 2**24)), ("active twice", lambda: (200, {}, b'{"active":false,"active":true}')), ("204", lambda: (204, {}, b"")),
        ):
            book.case(f"an answer that is {name}", ("503", "401") if name == "active twice" else "503", accepted, server, known(answer), on=server)
        book.case("the redirect was not followed", "0", lambda: str(peer.count("/elsewhere")))
        lives = known(says())
        book.case("one question for 50 calls of one token at once", "50 of 200, 1 asked", once, server, peer, lives, on=server)
        peer.tokens[lives] = {"active": False}
        book.case("revoked, it ends within maxAge", "yes", lambda: "yes" if until(lambda: accepted(server, lives) == "401", 5) else "no", on=server)
        wrong = "opaque-" + secrets.token_urlsafe(24)
        for _ in range(50):
            server.call(token=wrong)
        book.case("a bad token repeated 50 times is asked for once or twice", "yes", lambda: "yes" if peer.questions.get(wrong, 0) <= 2 else str(peer.questions[wrong]), on=server)
        asked = len(peer.asked)
        for token in (server.token(), "tgk_abc_def", "a" * 9000, "none"):
            server.call(token=token)
        book.case("JWTs of other issuers, API keys and what is too long are not asked for", ("0", "1"), lambda: str(len(peer.asked) - asked), on=server)
        peer.die()
        book.case("the endpoint dies: 503, never 401 and never let in", "503", accepted, server, known(says()), on=server)
        book.case("and the other issuer goes on", "200", accepted, server, server.token(), on=server)


def once(server, peer, token: str) -> str:
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: server.call(token=token).status, range(50)))
    return f"{statuses.count(200)} of 200, {peer.questions.get(token, 0)} asked"
