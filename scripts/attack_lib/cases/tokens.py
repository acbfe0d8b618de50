"""Tokens of the HMAC issuer: every forgery is 401, and all 401 are one and the same."""
from __future__ import annotations

import base64
import json
import re
import time

from .. import jose
from ..peers import Peer, until
from ..wire import Answer
from ..world import AUDIENCE, ISSUER

NONE = ("none", "None", "NONE", "nOnE", "", "null", "HS256 ", " none", "hs256", "HS1", "none\0HS256")


def same(answer: Answer | None):
    """What a refusal tells, without what differs by right."""
    if answer is None:
        return None
    drop = ("date", "tollgate-call-id")
    body = re.sub(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}", b"ID", answer.body)
    return answer.status, [header for header in answer.headers if header[0] not in drop], body


class Refusals:
    """Presents tokens on both surfaces and compares with what plain nonsense gets."""

    def __init__(self, server):
        self.server = server
        self.reference = [same(answer) for answer in self.both("nonsense")]

    def both(self, token: str, **options) -> list[Answer]:
        return [self.server.call(token=token, **options), self.server.message({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, token=token, **options)]

    def of(self, token: str, **options) -> str:
        answers = self.both(token, **options)
        if any(answer is None for answer in answers):
            return "closed"
        told = [same(answer) for answer in answers]
        if told == self.reference:
            return "401"
        statuses = "/".join(str(answer.status) for answer in answers)
        return statuses if statuses != "401/401" else "401, but another text"


def accepted(server, token: str) -> str:
    rest, mcp = server.call(token=token).status, server.message({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, token=token).status
    return str(rest) if rest == mcp else f"{rest}/{mcp}"


def attack(book, world) -> None:
    server = world.base
    refused = Refusals(server)
    hs256 = jose.hmac_with(world.secret.encode(), "HS256")
    header, good = {"alg": "HS256", "typ": "JWT"}, lambda **changes: jose.claims(ISSUER, AUDIENCE, **changes)

    def bad(name: str, token: str) -> None:
        book.case(name, "401", refused.of, token, on=server)

    with book.group("form", "Tokens: the refusal, and one bearer token in one place"):
        reference = server.call(token="nonsense")
        book.case("the 401 is a problem document", "application/problem+json", reference.header, "content-type", on=server)
        book.case("its detail tells no cause and no library's text", "A valid bearer token is required", lambda: reference.json["detail"])
        book.case("a presented bad token is challenged with invalid_token", "yes", lambda: "yes" if 'error="invalid_token"' in reference.header("www-authenticate") else "no")
        missing = server.call(token="")
        book.case("no token is challenged without an error", "401, no error", lambda: f"{missing.status}, {'an' if 'error=' in missing.header('www-authenticate') else 'no'} error")
        book.case("the bodies of both are the same", "same", lambda: "same" if same(missing)[2] == same(reference)[2] else "differ")
        book.case("a good token is accepted", "200", accepted, server, server.token())
        places(book, server)

    with book.group("alg", "Tokens: algorithm and header"):
        for name in NONE:
            bad(f"alg {name!r} without a signature", jose.compact({"alg": name}, good(), lambda _: b""))
            bad(f"alg {name!r} with a good HS256 signature", jose.compact({"alg": name}, good(), hs256))
        for name, value in (("missing", ...), ("null", None), ("a list", ["HS256"]), ("a number", 256), ("an object", {"HS256": 1})):
            bad(f"alg {name}", jose.compact({"alg": value} if value is not ... else {"typ": "JWT"}, good(), hs256))
        for alg in ("HS384", "HS512"):
            bad(f"{alg}, which the issuer does not use, well signed", jose.compact({"alg": alg}, good(), jose.hmac_with(world.secret.encode(), alg)))
        for alg in ("RS256", "ES256", "EdDSA", "PS256"):
            bad(f"alg {alg} signed with the HMAC secret", jose.compact({"alg": alg}, good(), hs256))
        trap = Peer()
        inner = jose.b64(world.secret)
        for name, value in (
            ("crit", ["exp"]), ("crit", []), ("b64", False), ("b64", True), ("jku", f"{trap.url}/keys"), ("x5u", f"{trap.url}/cert"),
            ("jwk", {"kty": "oct", "k": inner}), ("x5c", ["MIIB"]), ("jku", None), ("crit", None),
        ):
            bad(f"{name}: {json.dumps(value).replace(inner, '…')[:24]} in the header, well signed", jose.compact({**header, name: value}, good(), hs256))
        book.case("connections to the server that jku and x5u name", "0", lambda: trap.connections)
        for typ in ("JOSE", "logout+jwt", "dpop+jwt", "id_token", 7, None):
            bad(f"typ {typ!r}", jose.compact({**header, "typ": typ}, good(), hs256))
        bad("alg stands twice, none last", jose.compact('{"alg":"HS256","alg":"none"}', good(), hs256))
        bad("alg stands twice, none first", jose.compact('{"alg":"none","alg":"HS256"}', good(), hs256))
        bad("a header that is a list", jose.compact(["HS256"], good(), hs256))
        bad("signed with the empty secret", jose.compact(header, good(), jose.hmac_with(b"", "HS256")))
        bad("signed with 32 zero bytes", jose.compact(header, good(), jose.hmac_with(bytes(32), "HS256")))
        bad("signed with the word changeme", jose.compact(header, good(), jose.hmac_with(b"changeme", "HS256")))
        bad("signed with the issuer's name", jose.compact(header, good(), jose.hmac_with(ISSUER.encode(), "HS256")))

    with book.group("jws", "Tokens: the compact form"):
        token = server.token()
        h, p, s = token.split(".")
        longer = jose.compact(header, good(pad="x" * 8192), hs256)
        for name, value in (
            ("no signature", f"{h}.{p}."), ("two parts", f"{h}.{p}"), ("four parts", f"{token}.{s}"), ("five empty parts", "...."), ("one dot", "."),
            ("one bit of the signature flipped", f"{h}.{p}.{'A' if s[0] != 'A' else 'B'}{s[1:]}"), ("signature cut short", f"{h}.{p}.{s[:-4]}"),
            ("signature with padding", f"{token}="), ("payload with padding", f"{h}.{p}==.{s}"), ("standard Base64 alphabet", f"{h}.{p}+/.{s}"),
            ("signature of another token", f"{h}.{p}.{server.token().split('.')[2]}"), ("payload of another token", f"{h}.{server.token().split('.')[1]}.{s}"),
            ("spare bits in the last character", f"{h}.{p}.{spare_bits(s)}"), ("good, but longer than 8 KiB", longer),
            ("header is not JSON", f"{jose.b64('{')}.{p}.{s}"), ("header is not UTF-8", f"{jose.b64(bytes([255, 254]))}.{p}.{s}"),
            ("JSON serialization (RFC 7515 §7.2)", jose.b64(json.dumps({"payload": p, "protected": h, "signature": s}))),
            ("a nested token as payload", jose.compact(header, token, hs256)), ("an encrypted token's shape (JWE)", f"{h}.{p}.{s}.{p}.{s}"),
        ):
            bad(name, value)

    times(book, bad, good, header, hs256, server)
    identities(book, bad, good, header, hs256, server)


def spare_bits(signature: str) -> str:
    """The same bytes written differently: 32 bytes leave two bits of the last character unused."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(signature[-1]) | 1]
    other = signature[:-1] + (last if last != signature[-1] else alphabet[alphabet.index(signature[-1]) ^ 2])
    assert base64.urlsafe_b64decode(other + "=") == base64.urlsafe_b64decode(signature + "=")
    return other


def places(book, server) -> None:
    token, bearer = server.token(), f"Bearer {server.token()}"
    body = b'{"customer_id":"c-42"}'

    def with_headers(*headers, path: str = "/mcp/tool/get_customer", body: bytes = body) -> int | str:
        return server.status("POST", path, server.headers(*headers, token=""), body)

    for name, value in (
        ("Basic", "Basic " + base64.b64encode(b"mallory:" + token.encode()).decode()), ("Digest", f"Digest {token}"), ("DPoP", f"DPoP {token}"),
        ("no scheme", token), ("the scheme alone", "Bearer"), ("the scheme and a space", "Bearer "), ("two tokens", f"{bearer} {token}"),
        ("a list of two", f"{bearer}, {bearer}"), ("a tab for the space", f"Bearer\t{token}"), ("a colon", f"Bearer: {token}"),
        ("quoted", f'Bearer "{token}"'), ("percent-encoded dots", f"Bearer {token.replace('.', '%2e')}"), ("no space", f"Bearer{token}"),
    ):
        book.case(f"Authorization: {name}", "401", with_headers, ("Authorization", value), on=server)
    book.case("lower-case bearer is the same scheme (RFC 9110 §11.1)", "200", with_headers, ("Authorization", f"bearer {token}"), on=server)
    for name, headers in (
        ("two equal headers", [("Authorization", bearer)] * 2), ("two headers, good first", [("Authorization", bearer), ("Authorization", "Bearer x")]),
        ("two headers, good last", [("Authorization", "Basic eDp5"), ("Authorization", bearer)]), ("other case twice", [("authorization", bearer), ("AUTHORIZATION", bearer)]),
        ("X-Authorization", [("X-Authorization", bearer)]), ("Proxy-Authorization", [("Proxy-Authorization", bearer)]), ("X-Forwarded-Authorization", [("X-Forwarded-Authorization", bearer)]),
        ("Authorization_", [("Authorization_", bearer)]), ("a cookie", [("Cookie", f"access_token={token}; Authorization={bearer}")]), ("X-Api-Key", [("X-Api-Key", token)]),
    ):
        book.case(f"the token in {name}", "401", with_headers, *headers, on=server)
    book.case("the token in the query", "401", with_headers, path=f"/mcp/tool/get_customer?access_token={token}", on=server)
    form = f"access_token={token}&customer_id=c-42".encode()
    book.case("the token in a form body", "401", lambda: server.status("POST", "/mcp/tool/get_customer", server.headers(token="", drop=("Content-Type",)) + [("Content-Type", "application/x-www-form-urlencoded")], form), on=server)
    book.case("the token in the JSON body", "401", with_headers, body=json.dumps({"customer_id": "c-42", "access_token": token}).encode(), on=server)
    hurried = server.headers(("Content-Length", "1000000"), token="x")
    book.case("a bad token is refused before its body is read", "401", lambda: server.status("POST", "/mcp/tool/get_customer", hurried), on=server)
    cookie = [("Cookie", "x=1"), ("Authorization", f"Bearer {token}")]
    book.case("a good token beside a token in the query: the header counts alone", "200", with_headers, *cookie, path="/mcp/tool/get_customer?access_token=evil", on=server)


def times(book, bad, good, header, hs256, server) -> None:
    now = int(time.time())
    with book.group("time", "Tokens: exp, nbf, iat"):
        for name in ("exp", "nbf", "iat"):
            for shape in (str(now + 300), True, [now + 300], {"at": now}, None, -1, -0.5):
                bad(f"{name}: {json.dumps(shape)[:24]}", jose.compact(header, good(**{name: shape}), hs256))
        for name, text in (("1e999", "1e999"), ("NaN", "NaN"), ("Infinity", "Infinity"), ("-1e999", "-1e999"), ("0x7fffffff", "0x7fffffff")):
            bad(f"exp: {name}", jose.compact(header, json.dumps(good(exp=...))[:-1] + f', "exp": {text}}}', hs256))
        bad("exp missing", jose.compact(header, good(exp=...), hs256))
        bad("exp 0", jose.compact(header, good(exp=0), hs256))
        bad("exp 35 s ago", jose.compact(header, good(exp=int(time.time()) - 35), hs256))
        bad("exp 31 s ago (the leeway is 30 s)", jose.compact(header, good(exp=int(time.time()) - 31), hs256))
        book.case("exp 20 s ago is within the leeway", "200", accepted, server, server.token(exp=int(time.time()) - 20), on=server)
        for name in ("nbf", "iat"):
            bad(f"{name} in 40 s", jose.compact(header, good(**{name: int(time.time()) + 40}), hs256))
            bad(f"{name} in milliseconds", jose.compact(header, good(**{name: int(time.time()) * 1000}), hs256))
            book.case(f"{name} in 20 s is within the leeway", "200", accepted, server, server.token(**{name: int(time.time()) + 20}), on=server)
        book.case("nbf and iat may be missing", "200", accepted, server, server.token(iat=...), on=server)
        short = server.token(exp=int(time.time()) - 28)
        book.case("a token in its last second is accepted and cached", ("200",), accepted, server, short, on=server)
        book.slow("and refused when that second is over, although cached", "401", expires, server, short)


def expires(server, token: str) -> str:
    until(lambda: server.call(token=token).status != 200, 8)
    return accepted(server, token)


def identities(book, bad, good, header, hs256, server) -> None:
    def twice(name: str, first, second) -> str:
        payload = json.dumps(good(**{name: ...}))[:-1] + f', "{name}": {json.dumps(first)}, "{name}": {json.dumps(second)}}}'
        return jose.compact(header, payload, hs256)

    with book.group("claim", "Tokens: issuer, audience, identity"):
        for name in ("iss", "aud", "sub", "tenant"):
            bad(f"{name} missing", jose.compact(header, good(**{name: ...}), hs256))
            for shape in (None, 7, {}, "", True, [None], {"$ne": None}):
                bad(f"{name}: {json.dumps(shape)}", jose.compact(header, good(**{name: shape}), hs256))
        for issuer in (ISSUER.rstrip("/"), ISSUER.upper(), ISSUER + "/", ISSUER.replace("https", "http"), ISSUER + "?", ISSUER + "#", ISSUER.replace(".test", ".test:443"),
                       ISSUER + "\0", " " + ISSUER, ISSUER.replace("issuer", "%69ssuer"), "https://evil.test/" + ISSUER, "https://tollgate.localhost/"):
            bad(f"iss {issuer!r}", jose.compact(header, good(iss=issuer), hs256))
        bad("iss a list that holds the issuer", jose.compact(header, good(iss=[ISSUER]), hs256))
        for audience in (AUDIENCE + "/", AUDIENCE.upper(), AUDIENCE.rsplit("/", 1)[0], AUDIENCE + "/tool", AUDIENCE.replace("https", "http"), "*", "https://evil.test/mcp", AUDIENCE + " x"):
            bad(f"aud {audience!r}", jose.compact(header, good(aud=audience), hs256))
        for audience in ([], [["https://tools.attack.test/mcp"]], [AUDIENCE, 7], [None, AUDIENCE], {AUDIENCE: True}):
            bad(f"aud {json.dumps(audience)[:40]}", jose.compact(header, good(aud=audience), hs256))
        book.case("aud a list that holds ours", "200", accepted, server, server.token(aud=["https://other.test/", AUDIENCE]), on=server)
        for name in ("tenant", "sub"):
            for label, text in (("300 characters", "a" * 300), ("a newline", "ac\nme"), ("NUL", "acme\0"), ("ESC", "\x1b[31macme"), ("DEL", "acme\x7f"), ("a C1 control", "acme\x85"), ("a lone surrogate", "\ud800")):
                bad(f"{name} with {label}", jose.compact(header, good(**{name: text}), hs256))
        bad("tenant a list of one", jose.compact(header, good(tenant=["acme"]), hs256))
        for name in ("scope", "scopes", "scp"):
            for shape in (None, {}, {"customer:read": True}, 7, True, ["customer:read", 1], [["customer:read"]], [None], "customer:read\ncustomer:admin", ["a b"], ["x" * 5000]):
                bad(f"{name}: {json.dumps(shape)[:40]}", jose.compact(header, good(**({"scope": ...} | {name: shape})), hs256))
        bad("600 scopes", jose.compact(header, good(scope=" ".join(f"s{n}" for n in range(600))), hs256))
        bad("a good scope beside scopes: null", jose.compact(header, good(scopes=None), hs256))
        for name, first, second in (("tenant", "acme", "globex"), ("scope", "customer:read", "customer:read"), ("exp", 0, int(time.time()) + 600), ("iss", ISSUER, "https://evil.test/"), ("sub", "a", "b"), ("other", 1, 1)):
            bad(f"{name} stands twice", twice(name, first, second))
        nested = json.dumps(good(exp=...))[:-1] + ', "x": {"a": 1, "a": 2}, "exp": %d}' % (time.time() + 600)
        bad("a nested key stands twice", jose.compact(header, nested, hs256))
        escaped = json.dumps(good(tenant=...))[:-1] + ', "tenant": "acme", "\\u0074enant": "globex"}'
        bad("tenant stands twice, once escaped", jose.compact(header, escaped, hs256))
        for depth in (200, 2500):
            bad(f"nested {depth} deep", jose.compact(header, json.dumps(good())[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}", hs256))
        bad("payload is a list", jose.compact(header, [good()], hs256))
        bad("payload is text", jose.compact(header, '"x"', hs256))
        bad("payload with a byte order mark", jose.compact(header, "\ufeff" + json.dumps(good()), hs256))
        bad("payload with trailing text", jose.compact(header, json.dumps(good()) + "{}", hs256))
        for name in ("Tenant", "TENANT", "tenant\0", "tenant_id", "tid", "org"):
            bad(f"{name!r} instead of tenant", jose.compact(header, good(tenant=..., **{name: "acme"}), hs256))
        book.case("a token without scopes reaches nothing that needs one", "403", lambda: str(server.call(token=server.token(scope=...)).status), on=server)
        for label, scope in (("other case", "Customer:Read"), ("a prefix", "customer"), ("a wildcard", "customer:* *"), ("a longer one", "customer:read:all"), ("a comma list", "customer:read,orders:search")):
            book.case(f"scope: {label} is another scope", "403", lambda scope=scope: str(server.call(token=server.token(scope=scope)).status), on=server)
