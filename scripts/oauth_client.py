#!/usr/bin/env python3
"""Takes a Tollgate binary through OAuth with an OpenID Connect server and MCP SDKs that we did not write.

    oauth_client.py --tollgate BINARY --node NODE --server oauth_server.mjs --typescript oauth_client.mjs --work DIR

The OpenID Connect server is npm oidc-provider (see oauth_server.mjs), the clients are the official Python SDK and the
official TypeScript SDK (see oauth_client.mjs). Two Tollgates run: one takes the server's JWTs, with keys by discovery, the
other opaque tokens by introspection. One line per promise, `ok ...` or `FAIL ...`; exits 1 if any failed.
"""
from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import logging
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx2
from mcp import Client, MCPError
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

REDIRECT = "http://127.0.0.1:1/callback"  # never opened: the user below reads the answer off the redirect to it
COOLDOWN = 1.0  # seconds between looks at the key set for unknown keys
MAX_AGE = 1.0  # seconds that an answer of introspection counts
READ, SEARCH = "customer:read", "orders:search"
JANE = {"id": "c-42", "name": "Jane Doe", "tier": "gold"}
rows: list[tuple[str, bool]] = []
handed_out: set[str] = set()  # every secret of this run: none may be in a log
group = ""


def step(good: object, name: str, detail: object = "") -> None:
    rows.append((group, bool(good)))
    shown = f" | {' '.join(str(detail).split())}" if detail != "" else ""
    print(f"{'ok  ' if good else 'FAIL'} {group}: {name}{shown}"[:300], flush=True)


def show(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(show(e) for e in error.exceptions)
    return f"{type(error).__name__}: {error}"


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, each another."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def claims(token: str) -> dict:
    """The header and the claims of a JWT, together."""
    header, payload, _ = (base64.urlsafe_b64decode(p + "=" * (-len(p) % 4)) for p in token.split("."))
    return {**json.loads(header), **json.loads(payload)}


# ---- the processes ----------------------------------------------------------------------------------------------


class IdentityServer:
    """oauth_server.mjs as a child process, steered over its standard input."""

    def __init__(self, a: argparse.Namespace, port: int, resources: dict[str, str], secret: str):
        self.issuer = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [a.node, a.server, str(port), *(f"{url}={kind}" for url, kind in resources.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(a.work / "server.err", "w"), text=True,
            env={**os.environ, "INTROSPECTION_SECRET": secret},
        )  # fmt: skip
        self._answer()

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the OpenID Connect server ended; see server.err")
        return json.loads(line)

    def tell(self, **command: object) -> dict:
        """Gives one command and returns how often each endpoint was asked until then."""
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def counts(self) -> dict:
        return self.tell()


def start_tollgate(a: argparse.Namespace, name: str, port: int, server: str, issuer: str) -> subprocess.Popen:
    """`tollgate init`'s demo with sections of our own; get_customer's quota is not what is tried here."""
    folder = a.work / name
    subprocess.run([a.tollgate, "init", str(folder)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    config = folder / "tollgate.yaml"
    text = config.read_text()
    for section, body in (("server", server), ("auth", f"  issuers:\n    - {issuer}\n  claims: {{tenant: tenant}}\n")):
        text, found = re.subn(rf"^{section}:\n(?:(?:[ #].*)?\n)*", lambda _: f"{section}:\n{body}\n", text, flags=re.M)
        if found != 1:
            raise RuntimeError(f"no section {section} in what `tollgate init` wrote")
    config.write_text(text.replace("rateLimit: 5/10s", "rateLimit: 1000/10s"))
    log = open(a.work / f"{name}.err", "w")
    process = subprocess.Popen([a.tollgate, "serve", "--config", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    deadline = time.monotonic() + 10
    while f"listening on http://127.0.0.1:{port}" not in (a.work / f"{name}.err").read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"tollgate {name} did not start:\n{(a.work / f'{name}.err').read_text()[-1000:]}")
        time.sleep(0.02)
    return process


# ---- the user and the client ------------------------------------------------------------------------------------


class User:
    """Ada at the OpenID Connect server's pages: follows redirects, signs in, ticks `ticks` of what is asked."""

    def __init__(self, ticks: set[str]):
        self.ticks = ticks
        self.asked: list[dict[str, str]] = []  # the parameters of each authorization request
        self._answer: dict[str, str] = {}
        self._http = httpx2.AsyncClient(timeout=10, trust_env=False)

    async def visit(self, url: str) -> None:
        self.asked.append({k: v[0] for k, v in parse_qs(urlsplit(url).query).items()})
        for _ in range(10):
            if urlsplit(url).path.startswith("/interaction/"):
                response = await self._http.post(url, data={"grant": sorted(self.ticks)})
            else:
                response = await self._http.get(url)
            if not response.is_redirect:
                raise RuntimeError(f"{response.status_code} at {urlsplit(url).path}: {response.text[:200]}")
            url = urljoin(url, response.headers["location"])
            if url.startswith(REDIRECT):
                self._answer = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
                return
        raise RuntimeError("the redirects do not end")

    async def answer(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=self._answer.get("code", ""), state=self._answer.get("state"), iss=self._answer.get("iss"))


class Storage:
    tokens = client_info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens
        handed_out.update(t for t in (tokens.access_token, tokens.refresh_token) if t)

    async def get_client_info(self):
        return self.client_info

    async def set_client_info(self, client_info):
        self.client_info = client_info


class Session:
    """One MCP client with the SDK's OAuth provider, and the trace of all its HTTP."""

    client: Client

    def __init__(self, url: str, ticks: set[str]):
        self.user, self.storage, self.trace = User(ticks), Storage(), []
        metadata = OAuthClientMetadata(client_name="scripts/oauth", redirect_uris=[REDIRECT], token_endpoint_auth_method="none")
        self.auth = OAuthClientProvider(url, metadata, self.storage, self.user.visit, self.user.answer)

    async def note(self, response: httpx2.Response) -> None:
        request = response.request
        self.trace.append((request.method, request.url.path, response.status_code, response.headers.get("www-authenticate", "")))

    def seen(self, method: str, path: str, status: int) -> list[str]:
        """The challenges of the responses that match."""
        return [challenge for *what, challenge in self.trace if what == [method, path, status]]

    def token(self) -> str:
        return self.storage.tokens.access_token

    async def call(self, tool: str, **arguments: str) -> object:
        result = await self.client.call_tool(tool, arguments)
        return "isError" if result.is_error else result.structured_content


@asynccontextmanager
async def connect(url: str, ticks: set[str], era: str = "auto"):
    session = Session(url, ticks)
    hooks = {"response": [session.note]}
    async with httpx2.AsyncClient(auth=session.auth, event_hooks=hooks, timeout=10, trust_env=False) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=era, read_timeout_seconds=20) as client:
            session.client = client
            yield session


async def token_for(issuer: str, resource: str, ticks: set[str]) -> str:
    """An access token by the plain protocol, for what no SDK would do: register, authorize with PKCE, exchange."""
    user, verifier = User(ticks), secrets.token_urlsafe(48)
    async with httpx2.AsyncClient(base_url=issuer, timeout=10, trust_env=False) as http:
        registration = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none", "application_type": "native"}
        client_id = (await http.post("/reg", json=registration)).json()["client_id"]
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code", "client_id": client_id, "redirect_uri": REDIRECT, "scope": " ".join(sorted(ticks)),
            "state": "s", "code_challenge": challenge, "code_challenge_method": "S256", "resource": resource,
        }  # fmt: skip
        await user.visit(f"{issuer}/auth?{urlencode(query)}")
        form = {
            "grant_type": "authorization_code", "code": (await user.answer()).code, "redirect_uri": REDIRECT,
            "client_id": client_id, "code_verifier": verifier, "resource": resource,
        }  # fmt: skip
        token = (await http.post("/token", data=form)).json()["access_token"]
        handed_out.add(token)
        return token


async def rest(url: str, token: str, tool: str = "get_customer", body: dict | None = None) -> httpx2.Response:
    """One call over the REST gateway, where the status is plain."""
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as http:
        return await http.post(f"{url}/tool/{tool}", json=body or {"customer_id": "c-42"}, headers={"Authorization": f"Bearer {token}"})


# ---- what must be true ------------------------------------------------------------------------------------------


async def flow(url: str, issuer: str, era: str, opaque: bool = False) -> None:
    """From no token at all to a step-up, the SDK finding its way by our challenges and metadata alone."""
    origin = url.removesuffix("/mcp")
    async with connect(url, {READ}, era) as s:
        first = s.trace[0]
        want = f'Bearer resource_metadata="{origin}/.well-known/oauth-protected-resource/mcp"'
        step(first[:3] == ("POST", "/mcp", 401) and first[3].startswith(want) and "error=" not in first[3], "the first call is 401 with the metadata's address", first[3])
        step(s.seen("GET", "/.well-known/oauth-protected-resource/mcp", 200), "the resource metadata is read (RFC 9728)")
        step(s.auth.context.auth_server_url == issuer, "it names the issuer character for character", s.auth.context.auth_server_url)
        step(s.seen("GET", "/.well-known/oauth-authorization-server", 200), "the authorization server is discovered (RFC 8414)")
        step(s.seen("POST", "/reg", 201), "the client registers itself (RFC 7591)")
        asked = s.user.asked[0]
        step(asked["code_challenge_method"] == "S256" and asked["resource"] == url, "it asks with PKCE for this resource (RFC 7636, 8707)", asked["resource"])
        step({READ, SEARCH} <= set(asked["scope"].split()), "it asks for the scopes of our challenge, the user grants one", asked["scope"])
        if opaque:
            step(s.token().count(".") == 0, "the token is opaque")
        else:
            c = claims(s.token())
            step(c["iss"] == issuer and c["aud"] == url and c["tenant"] == "acme" and c["scope"] == READ and c["typ"] == "at+jwt",
                 "the token is a JWT for us (RFC 9068)", {k: c[k] for k in ("alg", "aud", "tenant", "scope")})  # fmt: skip
        version = s.client.protocol_version
        step(version == ("2025-11-25" if era == "legacy" else "2026-07-28"), "the session is served", version)
        tools = [t.name for t in (await s.client.list_tools()).tools]
        step(tools == ["get_customer"], "the list holds what the token may call", tools)
        step(await s.call("get_customer", customer_id="c-42") == JANE, "get_customer works")

        try:
            refused = await s.call("find_orders", query="o-123")
        except MCPError as e:
            refused = e
        step(isinstance(refused, MCPError) and refused.error.code == 40301 and len(s.user.asked) == 2,
             "a step-up that the user does not grant ends with the refusal, not in a loop", refused)  # fmt: skip

        s.trace.clear()
        s.user.ticks = {READ, SEARCH}
        found = await s.call("find_orders", query="o-123")
        step("o-123" in json.dumps(found), "find_orders works after a step-up", found)
        challenges = s.seen("POST", "/mcp", 403)
        step(len(challenges) == 1 and 'error="insufficient_scope"' in challenges[0] and f'scope="{SEARCH}"' in challenges[0],
             "which began with one 403 insufficient_scope", *challenges[:1])  # fmt: skip
        step(len(s.user.asked) == 3 and {READ, SEARCH} <= set(s.user.asked[2]["scope"].split()), "which asked for the union of the scopes", s.user.asked[-1]["scope"])
        step(not s.seen("POST", "/reg", 201) and s.seen("POST", "/token", 200), "with the same registration and a new token")
        step(await s.call("get_customer", customer_id="c-42") == JANE, "get_customer still works")
        # a client may keep the list it got with the narrower token for its ttlMs
        tools = {t.name for t in (await s.client.list_tools(cache_mode="refresh")).tools}
        step({"get_customer", "find_orders"} <= tools, "the list holds both now", sorted(tools))


async def refresh(url: str, server: IdentityServer) -> None:
    server.tell(ttl=1)
    async with connect(url, {READ, SEARCH}) as s:
        server.tell(ttl=600)
        old, before = s.token(), server.counts()
        while s.auth.context.is_token_valid():  # its second runs out
            await asyncio.sleep(0.05)
        step(await s.call("get_customer", customer_id="c-42") == JANE, "a call after the token's end works")
        after = server.counts()
        step(s.token() != old, "with another token")
        step(after.get("grant refresh_token", 0) == before.get("grant refresh_token", 0) + 1 and len(s.user.asked) == 1,
             "got by one refresh, without asking the user")  # fmt: skip


async def refusals(url: str, server: IdentityServer, other: str) -> None:
    server.tell(backdate=3600)
    expired = await token_for(server.issuer, url, {READ})
    server.tell(backdate=0)
    good = await token_for(server.issuer, url, {READ})
    elsewhere = await token_for(server.issuer, other, {READ})
    header, payload, signature = good.split(".")
    wider = json.dumps({**claims(good), "scope": f"{READ} {SEARCH}"}).encode()
    widened = base64.urlsafe_b64encode(wider).decode().rstrip("=")
    cases = {
        "a good token": (good, 200),
        "a token past its end": (expired, 401),
        "a token for another resource of the same issuer": (elsewhere, 401),
        "a token whose scopes were widened": (f"{header}.{widened}.{signature}", 401),
        "a token without its signature": (f"{header}.{payload}.", 401),
    }
    for name, (token, status) in cases.items():
        response = await rest(url, token)
        challenge = response.headers.get("www-authenticate", "")
        step(response.status_code == status and (status == 200 or 'error="invalid_token"' in challenge), f"{name} is answered {status}", response.status_code)


async def rotation(url: str, server: IdentityServer) -> None:
    async with connect(url, {READ, SEARCH}) as s:
        old = s.token()
        step(await s.call("get_customer", customer_id="c-42") == JANE, "a token of the old key works", claims(old)["kid"])
        server.tell(rotate="ES256")
        new = await token_for(server.issuer, url, {READ})
        before = server.counts()
        c = claims(new)
        response = await rest(url, new)
        step(response.status_code == 200 and c["kid"] != claims(old)["kid"], "a token of a key never seen works at once", f"{c['alg']} {c['kid']}")
        fetched = server.counts().get("GET /jwks", 0) - before.get("GET /jwks", 0)
        step(fetched == 1, "by one look at the key set", fetched)
        response = await rest(url, old)
        step(response.status_code == 401, "the old key's token, verified before, ended with its key", response.status_code)
        asked = len(s.user.asked)
        step(await s.call("get_customer", customer_id="c-42") == JANE, "the SDK finds a new token by itself")
        step(len(s.user.asked) == asked + 1 and claims(s.token())["alg"] == "ES256", "signed by the new key", claims(s.token())["kid"])


async def flood(url: str, server: IdentityServer) -> None:
    header, payload, signature = (await token_for(server.issuer, url, {READ})).split(".")

    def forged() -> str:
        unknown = json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": secrets.token_hex(8)}).encode()
        return ".".join([base64.urlsafe_b64encode(unknown).decode().rstrip("="), payload, signature])

    before, started = server.counts().get("GET /jwks", 0), time.monotonic()
    answers = await asyncio.gather(*(rest(url, forged()) for _ in range(50)))
    took = time.monotonic() - started
    fetched = server.counts().get("GET /jwks", 0) - before
    step({r.status_code for r in answers} == {401}, "50 tokens of 50 unknown keys are 401", {r.status_code for r in answers})
    step(fetched <= 1 + took / COOLDOWN, "which costs one look at the key set in each cool-down", f"{fetched} in {took:.1f} s")


async def confusion(jwt: str, opaque: str, server: IdentityServer) -> None:
    """Good tokens of the same issuer, of the kind that the other server takes."""
    for name, url, elsewhere in (("a JWT", opaque, jwt), ("an opaque token", jwt, opaque)):
        response = await rest(url, await token_for(server.issuer, elsewhere, {READ}))
        step(response.status_code == 401, f"{name} is 401 where the other kind is taken", response.status_code)


async def outage(jwt: str, opaque: str, server: IdentityServer) -> None:
    """Last: the OpenID Connect server is gone afterwards."""
    tokens = {url: [await token_for(server.issuer, url, {READ}) for _ in range(2)] for url in (jwt, opaque)}
    step((await rest(jwt, tokens[jwt][0])).status_code == 200, "a JWT works while the server is there")
    server.process.terminate()
    server.process.wait()
    answers = [(await rest(jwt, token)).status_code for token in tokens[jwt]]
    step(answers == [200, 200], "JWTs go on without it, seen before or not", answers)
    response = await rest(opaque, tokens[opaque][1])
    step(response.status_code == 503 and "retry-after" in response.headers and "www-authenticate" not in response.headers,
         "an opaque token is 503 with Retry-After: neither let in nor called bad", response.status_code)  # fmt: skip


async def revocation(url: str, server: IdentityServer) -> None:
    async with connect(url, {READ, SEARCH}) as s:
        token = s.token()
        before = server.counts().get("POST /token/introspection", 0)
        started = time.monotonic()
        good = [(await rest(url, token)).status_code for _ in range(10)]
        took = time.monotonic() - started
        asked = server.counts().get("POST /token/introspection", 0) - before
        step(good == [200] * 10 and asked <= 1 + took / MAX_AGE, "ten calls ask the server once in each maxAge", f"{asked} in {took:.1f} s")
        async with httpx2.AsyncClient(timeout=10, trust_env=False) as http:
            form = {"token": token, "client_id": s.storage.client_info.client_id}
            response = await http.post(f"{server.issuer}/token/revocation", data=form)
        step(response.status_code == 200, "the token is revoked (RFC 7009)")
        started, status = time.monotonic(), 200
        while status == 200 and time.monotonic() < started + MAX_AGE + 5:
            status = (await rest(url, token)).status_code
            await asyncio.sleep(0.05)
        took = time.monotonic() - started
        step(status == 401 and took < MAX_AGE + 2, f"it is refused within maxAge ({MAX_AGE:g} s)", f"{status} after {took:.1f} s")
    junk = await rest(url, "not-a-token-of-anybody")
    step(junk.status_code == 401, "a made-up opaque token is 401", junk.status_code)


async def typescript(a: argparse.Namespace, url: str, issuer: str, era: str) -> None:
    process = await asyncio.create_subprocess_exec(
        a.node, a.typescript, url, issuer, era, stdout=asyncio.subprocess.PIPE, stderr=open(a.work / "typescript.err", "w")
    )
    out, _ = await process.communicate()
    for line in out.decode().splitlines():
        verdict, _, name = line.partition(" ")
        step(verdict == "ok", name.strip())
    step(process.returncode == 0, "the client ends well", process.returncode)


async def logs(a: argparse.Namespace) -> None:
    for name in ("jwt", "opaque"):
        text = (a.work / f"{name}.err").read_text()
        found = sum(secret in text for secret in handed_out)
        step(text and not found, f"none of {len(handed_out)} secrets is in what tollgate {name} wrote ({len(text)} bytes)", found)


async def section(name: str, work) -> bool:
    """Runs one group and tells whether it came to its end; what it throws is a failure of that group alone."""
    global group
    group = name
    try:
        async with asyncio.timeout(60):
            await work
        return True
    except BaseException as e:  # a FAIL line is worth more than a trace
        if isinstance(e, (KeyboardInterrupt, SystemExit)):
            raise
        step(False, "runs to its end", show(e))
        return False


async def run(a: argparse.Namespace) -> None:
    port, jwt_port, opaque_port = free_ports(3)
    jwt, opaque, other = f"http://127.0.0.1:{jwt_port}/mcp", f"http://127.0.0.1:{opaque_port}/mcp", "http://127.0.0.1:1/other"
    secret = f"{secrets.token_urlsafe(32)} +/%:&="  # RFC 6749 §2.3.1 form-encodes it before Base64
    handed_out.add(secret)
    async with AsyncExitStack() as stack:
        server = IdentityServer(a, port, {jwt: "jwt", opaque: "opaque", other: "jwt"}, secret)
        stack.callback(server.process.wait)
        stack.callback(server.process.terminate)
        keys = f"{{issuer: '{server.issuer}', audiences: ['{jwt}'], algorithms: [RS256, ES256], keys: {{cooldown: {COOLDOWN:g}s}}}}"
        asked = (
            f"{{issuer: '{server.issuer}', audiences: ['{opaque}'], introspection: "
            f"{{url: '{server.issuer}/token/introspection', clientId: tollgate, clientSecret: '{secret}', maxAge: {MAX_AGE:g}s}}}}"
        )

        def start(name: str, at: int, issuer: str) -> None:
            process = start_tollgate(a, name, at, f"  listen: 127.0.0.1:{at}\n", issuer)
            stack.callback(process.wait)
            stack.callback(process.terminate)

        if await section("jwt, start", asyncio.to_thread(start, "jwt", jwt_port, keys)):
            await section("python, jwt, modern", flow(jwt, server.issuer, "auto"))
            await section("python, jwt, legacy", flow(jwt, server.issuer, "legacy"))
            await section("python, refresh", refresh(jwt, server))
            await section("typescript, jwt, modern", typescript(a, jwt, server.issuer, "auto"))
            await section("typescript, jwt, legacy", typescript(a, jwt, server.issuer, "legacy"))
            await section("refusals", refusals(jwt, server, other))
            await section("rotation", rotation(jwt, server))
            await section("flood", flood(jwt, server))
        if await section("opaque, start", asyncio.to_thread(start, "opaque", opaque_port, asked)):
            await section("python, opaque", flow(opaque, server.issuer, "auto", opaque=True))
            await section("revocation", revocation(opaque, server))
            await section("confusion", confusion(jwt, opaque, server))
            await section("outage", outage(jwt, opaque, server))
    await section("logs", logs(a))


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("--tollgate", "--node", "--server", "--typescript"):
        parser.add_argument(name, required=True)
    parser.add_argument("--work", type=Path, required=True)
    a = parser.parse_args()
    asyncio.run(run(a))
    print()
    for name in dict.fromkeys(g for g, _ in rows):
        mine = [good for g, good in rows if g == name]
        print(f"{name:<24}{sum(mine)}/{len(mine)}")
    failed = sum(not good for _, good in rows)
    print(f"\n{len(rows) - failed} proved, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the children end with us
    sys.exit(main())
