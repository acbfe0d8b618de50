"""Public keys: forgeries with what is public, key servers that lie, move, stall and die."""
from __future__ import annotations

import json
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

from .. import jose
from ..jose import Key
from ..peers import KeyServer, Peer, until
from ..world import AUDIENCE
from .tokens import Refusals, accepted

ISSUER = "https://keys.attack.test/"
ALGORITHMS = {"rsa": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "p256": ("ES256",), "p384": ("ES384",), "ed25519": ("EdDSA",)}
ALL = [name for names in ALGORITHMS.values() for name in names]
ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def issuer(name: str, source: KeyServer, path: str, **changes) -> dict:
    return {"issuer": name, "audiences": [AUDIENCE], "jwks": {"url": source.url + path}, "algorithms": ALL, "keys": {"cooldown": "1s", "refresh": "1h"}, **changes}


def token(key: Key, algorithm: str, name: str = ISSUER, *, header: dict | None = None, sign=None, **changes) -> str:
    """Signed by `key` as `algorithm`, unless `sign` does it otherwise; a header of `...` is left out."""
    header = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid, **(header or {})}
    sign = sign or (lambda message: key.sign(algorithm, message))
    return jose.compact({name: value for name, value in header.items() if value is not ...}, jose.claims(name, AUDIENCE, **changes), sign)


def attack(book, world) -> None:
    folder = world.folder
    key = {kind: Key(folder, kind, f"{kind}-1") for kind in ALGORITHMS}
    keys, trap = KeyServer(), Peer()
    keys.sets["/jwks"] = [one.jwk() for one in key.values()]
    other = Key(folder, "p256", "rsa-1")  # another issuer's key under our key's name
    keys.sets["/other"] = [other.jwk()]
    bound = Key(folder, "rsa", "bound")
    keys.sets["/bound"] = [bound.jwk(alg="RS256")]
    keys.sets["/calm"] = [key["p256"].jwk()]
    weak, twin, point = Key(folder, "rsa1024", "weak"), Key(folder, "p256", "dup"), Key(folder, "p256", "off-curve")
    octets = secrets.token_bytes(48)
    keys.sets["/poison"] = [
        {**weak.jwk()}, {"kty": "oct", "kid": "oct", "k": jose.b64(octets), "alg": "HS256"}, {"kty": "oct", "kid": "oct-plain", "k": jose.b64(octets)}, bound.jwk(kid="enc", use="enc"), bound.jwk(kid="ops", key_ops=["sign"]),
        bound.jwk(kid="alg-none", alg="none"), bound.jwk(kid="alg-hs", alg="HS256"), bound.jwk(kid="alg-ps", alg="PS256"), bound.jwk(kid="e1", e=jose.b64(b"\x01")), {**point.jwk(), "y": point.jwk()["x"]}, {**twin.jwk()}, key["p256"].jwk(kid="dup"),
        {**key["p384"].jwk(kid="wrong-curve"), "crv": "P-256"}, bound.jwk(kid="x5", x5u=f"{trap.url}/x5u"), {"kty": "RSA", "kid": "no-n"}, "text", 7, key["ed25519"].jwk(kid="good"),
    ]
    names = {"other": "https://other.attack.test/", "bound": "https://bound.attack.test/", "poison": "https://poison.attack.test/", "calm": "https://calm.attack.test/", "narrow": "https://narrow.attack.test/"}
    issuers = [issuer(ISSUER, keys, "/jwks"), world.hmac_issuer(), issuer(names["narrow"], keys, "/jwks", algorithms=["ES256"])]
    issuers += [issuer(names[name], keys, f"/{name}") for name in ("other", "bound", "poison")] + [issuer(names["calm"], keys, "/calm", keys={"cooldown": "30s", "refresh": "1h"})]
    server = world.start("keys", world.config(auth={"issuers": issuers, "failureLimit": "100000/s burst 100000"}))
    until(lambda: server.call(token=token(key["p256"], "ES256")).status == 200, 5)
    refused = Refusals(server)

    def bad(name: str, token: str) -> None:
        book.case(name, "401", refused.of, token, on=server)

    with book.group("good", "Keys: every algorithm is accepted with its own key"):
        for kind, algorithms in ALGORITHMS.items():
            for algorithm in algorithms:
                book.case(algorithm, "200", accepted, server, token(key[kind], algorithm), on=server)
        book.case("a token of the HMAC issuer beside them", "200", accepted, server, server.token(), on=server)

    with book.group("conf", "Keys: one key, one algorithm, one issuer"):
        public = key["rsa"].public_pem
        for name, secret in (("PEM", public), ("PEM without the last newline", public.rstrip()), ("PEM with CR LF", public.replace(b"\n", b"\r\n")), ("PEM's Base64 in one line", b"".join(public.splitlines()[1:-1])), ("DER", key["rsa"].public_der), ("modulus", jose.base64.urlsafe_b64decode(key["rsa"].jwk()["n"] + "==")),
                             ("n as it stands in the JWK", key["rsa"].jwk()["n"].encode()), ("JWK as JSON", json.dumps(key["rsa"].jwk()).encode()), ("JWK as compact JSON", json.dumps(key["rsa"].jwk(), separators=(",", ":")).encode()), ("empty secret", b"")):
            for algorithm in ("HS256", "HS512"):
                bad(f"{algorithm} signed with the RSA public key: {name}", token(key["rsa"], algorithm, sign=jose.hmac_with(secret, algorithm)))
        bad("HS256 signed with the EC public key, PEM", token(key["p256"], "HS256", sign=jose.hmac_with(key["p256"].public_pem, "HS256")))
        bad("HS256 signed with the Ed25519 public key", token(key["ed25519"], "HS256", sign=jose.hmac_with(key["ed25519"].public_der[-32:], "HS256")))
        bad("HS256 signed with the secret of the HMAC issuer", token(key["rsa"], "HS256", sign=jose.hmac_with(world.secret.encode(), "HS256")))
        bad("RS256 for the HMAC issuer", token(key["rsa"], "RS256", "https://issuer.attack.test/"))
        for name in ("none", "None", "NONE", ""):
            bad(f"alg {name!r} with a good kid", token(key["rsa"], name, sign=lambda _: b""))
        for said, done in (("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512"), ("RS512", "RS256"), ("PS384", "PS256")):
            bad(f"{said} in the header, {done} in the signature", token(key["rsa"], said, sign=lambda message, done=done: key["rsa"].sign(done, message)))
        for said, kind in (("ES256", "p384"), ("ES384", "p256"), ("ES256", "rsa"), ("RS256", "p256"), ("EdDSA", "p256"), ("ES256", "ed25519"), ("RS256", "ed25519"), ("ES512", "p256")):
            bad(f"{said} signed with the {kind} key", token(key[kind], said, sign=lambda message, kind=kind: key[kind].sign(ALGORITHMS[kind][0], message)))
        book.case("a key bound to RS256 verifies RS256", "200", accepted, server, token(bound, "RS256", names["bound"]), on=server)
        for algorithm in ("PS256", "RS384", "RS512"):
            bad(f"a key bound to RS256 does not verify {algorithm}", token(bound, algorithm, names["bound"]))
        book.case("an issuer of ES256 alone takes ES256", "200", accepted, server, token(key["p256"], "ES256", names["narrow"]), on=server)
        for kind in ("rsa", "p384", "ed25519"):
            bad(f"but not {ALGORITHMS[kind][0]} of the same key server", token(key[kind], ALGORITHMS[kind][0], names["narrow"]))
        bad("signed by another trusted issuer's key of the same kid", token(other, "ES256"))
        bad("signed by our key in another issuer's name", token(key["p256"], "ES256", names["other"]))
        bad("signed by a key of the attacker's with a good kid", token(Key(folder, "p256", "evil"), "ES256", header={"kid": "p256-1"}))
        good = token(key["p256"], "ES256").split(".")
        raw = jose.base64.urlsafe_b64decode(good[2] + "==")
        r, s = raw[:32], int.from_bytes(raw[32:], "big")
        for name, signature in (
            ("all zeros (CVE-2022-21449)", bytes(64)), ("r = s = n", ORDER_P256.to_bytes(32, "big") * 2), ("r zero", bytes(32) + raw[32:]), ("s zero", r + bytes(32)), ("r = s = 1", (1).to_bytes(32, "big") * 2), ("empty", b""), ("r and s swapped", raw[32:] + r), ("cut short", raw[:-1]), ("a byte too many", raw + b"\0"),
            ("in DER", bytes([0x30, 0x46, 2, 0x21, 0]) + r + bytes([2, 0x21, 0]) + raw[32:]), ("s + n", r + ((s + ORDER_P256) % 2**256).to_bytes(32, "big")),
        ):
            bad(f"an ES256 signature {name}", ".".join([*good[:2], jose.b64(signature)]))
        for name, signature in (("zeros", bytes(256)), ("ones", b"\xff" * 256), ("1", (1).to_bytes(256, "big")), ("one byte", b"\1"), ("10,000 bytes", b"\1" * 4000)):
            bad(f"an RS256 signature of {name}", token(key["rsa"], "RS256", sign=lambda _, signature=signature: signature))
        bad("an EdDSA signature of zeros", token(key["ed25519"], "EdDSA", sign=lambda _: bytes(64)))

    with book.group("kid", "Keys: kid and what else a token says of its key"):
        for kid in ("../../../../dev/null", "' OR '1'='1", f"{trap.url}/key", "file:///etc/passwd", "", "rsa-1\0", "RSA-1", " rsa-1", "rsa-1 ", "*", "k" * 4000, "rsa-1\nx", "${jndi:ldap://127.0.0.1/a}"):
            bad(f"kid {kid[:32].replace(trap.url, 'http://…')!r}", token(key["rsa"], "RS256", header={"kid": kid}))
        for kid in (None, 7, ["rsa-1"], {"kid": "rsa-1"}, True):
            bad(f"kid {kid!r}", token(key["rsa"], "RS256", header={"kid": kid}))
        bad("no kid where several keys would fit", token(key["rsa"], "RS256", header={"kid": ...}, name=names["poison"]))
        for name, value in (("jku", f"{trap.url}/jku"), ("x5u", f"{trap.url}/x5u"), ("jwk", Key(folder, "p256", "self").jwk()), ("x5c", [jose.base64.b64encode(key["rsa"].public_der).decode()]), ("crit", ["exp"]), ("b64", False), ("jku", keys.url + "/jwks")):
            bad(f"{name} in a well signed header", token(key["rsa"], "RS256", header={name: value}))
        own = Key(folder, "p256", "own")
        bad("signed by the key in its own jwk header", token(own, "ES256", header={"jwk": own.jwk()}))
        for kid, algorithm, signer in (("weak", "RS256", weak), ("enc", "RS256", bound), ("ops", "RS256", bound), ("alg-none", "RS256", bound), ("alg-hs", "RS256", bound), ("alg-ps", "RS256", bound), ("dup", "ES256", twin), ("dup", "ES256", key["p256"]), ("wrong-curve", "ES256", key["p384"]), ("off-curve", "ES256", point)):
            reason = {"weak": "1024 bits", "enc": "for encryption", "ops": "for signing alone", "alg-none": "bound to none", "alg-hs": "bound to HS256", "alg-ps": "bound to PS256", "dup": f"a kid that stands twice, {'first' if signer is twin else 'second'} key", "wrong-curve": "the wrong curve", "off-curve": "a point off the curve"}[kid]
            bad(f"a key of the key server's that is {reason}", token(signer, algorithm, names["poison"], header={"kid": kid}, sign=lambda message, signer=signer, algorithm=algorithm: signer.sign(algorithm, message)))
        for kid in ("oct", "oct-plain"):
            bad(f"a symmetric key in the key set ({kid})", token(bound, "HS256", names["poison"], header={"kid": kid}, sign=jose.hmac_with(octets, "HS256")))
        bad("RSA exponent 1: the signature is the message", token(bound, "RS256", names["poison"], header={"kid": "e1"}, sign=exponent_one))
        book.case("a good key beside all these", "200", accepted, server, token(key["ed25519"], "EdDSA", names["poison"], header={"kid": "good"}), on=server)
        book.case("a key that names a certificate elsewhere is used, and nothing fetched", "200", accepted, server, token(bound, "RS256", names["poison"], header={"kid": "x5"}), on=server)
        book.case("connections to the attacker's server", "0", lambda: trap.connections)

    with book.group("rota", "Keys: fetching them is bounded, and what is removed ends"):
        before = keys.count("/calm")
        floods = [token(key["p256"], "ES256", names["calm"], header={"kid": secrets.token_hex(8)}, sign=lambda _: os.urandom(64)) for _ in range(300)]
        known = token(key["p256"], "ES256", names["calm"])
        book.case("300 unknown kids, 24 at once", "300 of 401", flood, server, floods, on=server)
        book.case("fetches that they caused", ("0", "1"), lambda: str(keys.count("/calm") - before), on=server)
        book.case("a known key meanwhile", "200", accepted, server, known, on=server)
        old, new = token(key["rsa"], "RS256"), Key(folder, "rsa", "rsa-2")
        book.case("before a rotation", "200", accepted, server, old, on=server)
        keys.sets["/jwks"] = [new.jwk(), *keys.sets["/jwks"]]
        fresh = token(new, "RS256")
        book.case("a new key is found by its unknown kid", "yes", lambda: "yes" if until(lambda: accepted(server, fresh) == "200", 4) else "no", on=server)
        book.case("the old one overlaps", "200", accepted, server, old, on=server)
        keys.sets["/jwks"] = [one for one in keys.sets["/jwks"] if one["kid"] != "rsa-1"]
        book.case("removed, it ends although its token was cached", "yes", lambda: "yes" if until(lambda: (server.call(token=token(new, "RS256", header={"kid": secrets.token_hex(4)})), accepted(server, old))[1] == "401", 6) else "no", on=server)
        book.case("a new token signed by it", "401", refused.of, token(key["rsa"], "RS256"), on=server)
        keys.sets["/other"] = []
        book.case("a key server with no keys at all lets nobody in", ("401", "503"), lambda: (until(lambda: accepted(server, token(other, "ES256", names["other"], header={"kid": secrets.token_hex(4)})) == "401" and accepted(server, token(other, "ES256", names["other"])) != "200", 4), accepted(server, token(other, "ES256", names["other"])))[1], on=server)
        keys.die()
        book.case("the key server dies: keys that were loaded go on", "200", accepted, server, token(key["p384"], "ES384"), on=server)
        began = time.monotonic()
        book.case("and an unknown kid is still refused", ("401", "503"), accepted, server, token(key["p384"], "ES384", header={"kid": "?"}), on=server)
        book.case("without a long wait", "yes", lambda: "yes" if time.monotonic() - began < 8 else f"{time.monotonic() - began:.0f} s")

    sources(book, world, key, trap)


def exponent_one(message: bytes) -> bytes:
    """PKCS #1 v1.5 padding of SHA-256, which e = 1 leaves as it is."""
    info = bytes.fromhex("3031300d060960864801650304020105000420") + jose.hashlib.sha256(message).digest()
    return b"\0\1" + b"\xff" * (256 - 3 - len(info)) + b"\0" + info


def flood(server, tokens: list[str]) -> str:
    with ThreadPoolExecutor(24) as pool:
        return f"{list(pool.map(lambda one: server.call(token=one).status, tokens)).count(401)} of 401"


def sources(book, world, key: dict[str, Key], trap: Peer) -> None:
    """Each issuer's source does one thing wrong from the start; one works, and so does the HMAC issuer."""
    liar, silent = KeyServer(), KeyServer()
    good = [one.jwk() for one in key.values()]
    silent.sets["/keys"] = good
    silent.open.clear()
    base = liar.url

    def discovered(path: str, **document) -> dict:
        liar.documents[f"{path}/.well-known/openid-configuration"] = {"issuer": base + path, "jwks_uri": f"{base}{path}/keys", **document}
        liar.sets[f"{path}/keys"] = good
        return {"issuer": base + path, "audiences": [AUDIENCE], "algorithms": ["ES256"]}

    def listed(path: str, server: KeyServer = liar) -> dict:
        return {**issuer(f"https://{path[1:]}.attack.test/", server, path), "algorithms": ["ES256"]}

    dead = KeyServer()
    dead.die()
    liar.moved = {"/moved": trap.url + "/keys", "/moved-home": "/home", "/disco-moved/.well-known/openid-configuration": trap.url + "/x"}
    liar.sets |= {"/moved-home": good, "/home": good, "/many": [key["p256"].jwk(kid=f"k{n}") for n in range(3000)] + good, "/none": []}
    liar.documents |= {"/list": good, "/null": {"keys": None}, "/object": {"keys": {"a": 1}}, "/html": b"<html>" + b"x" * 1000, "/huge": b'{"keys":[' + b" " * 2**24 + b"]}", "/deep": b'{"keys":' + b"[" * 100_000, "/twice": b'{"keys":[],"keys":[]}'}
    cases = {
        "a discovery document of another issuer": discovered("/disco-lie", issuer="https://evil.test/"), "one with a slash more": discovered("/disco-slash", issuer=base + "/disco-slash/"), "one without issuer": discovered("/disco-none", issuer=None), "one that is moved": {"issuer": base + "/disco-moved", "audiences": [AUDIENCE], "algorithms": ["ES256"]},
        "keys at a metadata address": discovered("/disco-meta", jwks_uri="http://169.254.169.254/latest/meta-data"), "keys at the same in IPv6": discovered("/disco-meta6", jwks_uri="http://[::ffff:169.254.169.254]/"), "keys in a file": discovered("/disco-file", jwks_uri="file://" + key["rsa"].path), "keys on another host in the clear": discovered("/disco-http", jwks_uri="http://localhost.attack.test/keys"),
        "keys at all zeros": discovered("/disco-zero", jwks_uri=f"http://0.0.0.0:{trap.port}/keys"), "a jwks_uri with a user": discovered("/disco-user", jwks_uri=f"http://x@127.0.0.1:{trap.port}/keys"), "a jwks_uri that is a list": discovered("/disco-list", jwks_uri=[f"{base}/home"]),
        "a redirect to another server": listed("/moved"), "a redirect with keys in its body": listed("/moved-home"), "nothing there": listed("/missing"), "nobody there": listed("/dead", dead), "a server that never answers": listed("/keys", silent), "a list": listed("/list"), "keys: null": listed("/null"), "keys an object": listed("/object"),
        "HTML": listed("/html"), "16 MiB": listed("/huge"), "100,000 brackets": listed("/deep"), "keys twice": listed("/twice"),
    }
    fine = discovered("/disco-good")
    server = world.start("sources", world.config(auth={"issuers": [world.hmac_issuer(), fine, *cases.values()], "failureLimit": "100000/s burst 100000"}))
    sign = lambda one: token(key["p256"], "ES256", one["issuer"])
    with book.group("source", "Keys: sources that lie, move, stall: 503 for their tokens, and nobody else notices"):
        book.case("a good issuer by discovery", "yes", lambda: "yes" if until(lambda: accepted(server, sign(fine)) == "200", 8) else accepted(server, sign(fine)), on=server)
        with ThreadPoolExecutor(len(cases)) as pool:
            outcomes = dict(zip(cases, pool.map(lambda one: server.call(token=sign(one), patience=20).status, cases.values())))
        for name in cases:
            # An empty or foreign set that could be read is a set without this key.
            book.case(name, ("503", "401") if name in ("keys twice",) else "503", lambda name=name: str(outcomes[name]), on=server)
        book.case("a token of an issuer whose keys are not there may be tried again", "yes", lambda: "yes" if server.call(token=sign(cases["nothing there"])).header("retry-after") else "no", on=server)
        book.case("readyz says so", "503", lambda: str(server.status("GET", "/readyz", [("Host", "x")])), on=server)
        book.case("healthz does not", "200", lambda: str(server.status("GET", "/healthz", [("Host", "x")])), on=server)
        book.case("connections to the servers that were only named", "0", lambda: str(trap.connections))
        silent.open.set()
