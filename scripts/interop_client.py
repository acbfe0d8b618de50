#!/usr/bin/env python3
"""Drives a Tollgate server with the official Python SDK (mcp 2.3.0).

    interop_client.py --url http://127.0.0.1:8080/mcp --token TOKEN [--weak-token TOKEN] --era modern|legacy|auto
    interop_client.py [--era modern|legacy|auto] --stdio COMMAND ARGS...

One line per step, `ok ...` or `FAIL ...`; exits 1 if any step failed. get_customer's limit (5 calls in 10 s
per tenant and tool) must be unused when this starts: give every run a fresh server.
"""
from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from contextlib import asynccontextmanager

import httpx2
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

RATE_LIMITED = 42901
MODERN = "2026-07-28"
failures = 0


def step(good: bool, name: str, detail: object = "") -> bool:
    global failures
    failures += not good
    line = f"{'ok  ' if good else 'FAIL'} {name}{f' | {detail}' if detail != '' else ''}"
    print(" ".join(line.split(" ", 1)[0:1] + line.split()[1:])[:300], flush=True)
    return good


def show(error: BaseException) -> str:
    if isinstance(error, MCPError):
        return f"JSON-RPC error {error.code}: {error.message} {error.error.data or ''}".rstrip()
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(show(e) for e in error.exceptions)
    return f"{type(error).__name__}: {error}"


@asynccontextmanager
async def connect(a: argparse.Namespace):
    # mode: "legacy" = initialize; "auto" = server/discover, falling back to initialize; a version = no probe at all.
    # "auto" is what a user gets by default, so "modern" uses it and then checks which version came out.
    mode = "legacy" if a.era == "legacy" else "auto"
    if a.stdio:
        target = stdio_client(StdioServerParameters(command=a.stdio[0], args=a.stdio[1:]))
        async with Client(target, mode=mode, read_timeout_seconds=10) as client:
            yield client
        return
    headers = {"Authorization": f"Bearer {a.token}"} if a.token else {}
    async with httpx2.AsyncClient(headers=headers, timeout=10, trust_env=False) as http:
        async with Client(streamable_http_client(a.url, http_client=http), mode=mode, read_timeout_seconds=10) as client:
            yield client


async def refused(a: argparse.Namespace) -> None:
    """--weak-token: one without customer:read. The tool must be hidden and the call refused with 403, code 40301."""
    weak = argparse.Namespace(**{**vars(a), "token": a.weak_token})
    async with connect(weak) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        step("get_customer" not in names, "tools/list hides get_customer from a token without customer:read", ", ".join(names))
        try:
            await client.call_tool("get_customer", {"customer_id": "c-42"})
            step(False, "its call is refused", "it was answered")
        except MCPError as e:
            step(e.code == 40301 and "customer:read" in f"{e.message} {e.error.data}", "its call is refused with 40301 naming customer:read", show(e))


async def drive(client: Client, era: str) -> None:
    version = client.protocol_version
    want = {"modern": version == MODERN, "legacy": version == "2025-11-25", "auto": True}[era]
    step(want, "negotiated version", version)
    step(client.server_info is not None and bool(client.server_info.name), "server names itself", client.server_info and client.server_info.name)
    step(client.server_capabilities.tools is not None, "server advertises tools")

    names = [tool.name for tool in (await client.list_tools()).tools]
    step({"get_customer", "find_orders"} <= set(names), "tools/list", ", ".join(names))

    result = await client.call_tool("get_customer", {"customer_id": "c-42"})
    text = " ".join(getattr(c, "text", "") for c in result.content)
    step(not result.is_error, "tools/call get_customer c-42 succeeds", text)
    step("Jane Doe" in text and "gold" in text, "its text form names Jane Doe, gold")
    want = {"id": "c-42", "name": "Jane Doe", "tier": "gold"}
    step(result.structured_content == want, "its structured content", result.structured_content)

    result = await client.call_tool("find_orders", {"query": "o-123"})
    text = " ".join(getattr(c, "text", "") for c in result.content)
    step(not result.is_error and "o-123" in text and "shipped" in text, "tools/call find_orders o-123", text)

    templates = [t.uri_template for t in (await client.list_resource_templates()).resource_templates]
    step("customers://{customer_id}" in templates, "resources/templates/list", ", ".join(templates))
    contents = (await client.read_resource("customers://c-42")).contents
    text = " ".join(getattr(c, "text", "") for c in contents)
    step("Jane Doe" in text and "gold" in text, "resources/read customers://c-42", text)

    for name, args in (("missing", {}), ("of a wrong type", {"customer_id": 42}), ("unknown", {"customer_id": "c-42", "tenant_id": "globex"})):
        try:
            result = await client.call_tool("get_customer", args)
            text = " ".join(getattr(c, "text", "") for c in result.content)
            step(bool(result.is_error), f"an argument {name} gives isError", text)
        except MCPError as e:
            step(False, f"an argument {name} gives isError", show(e))

    try:
        await client.call_tool("no_such_tool", {})
        step(False, "an unknown tool is a JSON-RPC error", "it was called")
    except MCPError as e:
        step(e.code == -32602, "an unknown tool is JSON-RPC error -32602", show(e))

    passed, refused, other = 0, [], []
    for _ in range(7):
        try:
            result = await client.call_tool("get_customer", {"customer_id": "c-42"})
            passed += not result.is_error
            if result.is_error:
                other.append("isError")
        except MCPError as e:
            (refused if e.code == RATE_LIMITED else other).append(show(e))
    step(bool(passed and refused) and not other, f"7 quick calls: {passed} pass, {len(refused)} refused with {RATE_LIMITED}", (other or refused or [""])[0])
    step(len(refused) >= 2, "at least 2 of the 7 are refused")


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--token")
    parser.add_argument("--weak-token", help="a token without customer:read, to see it refused")
    parser.add_argument("--era", choices=("modern", "legacy", "auto"), default="modern")
    parser.add_argument("--stdio", nargs=argparse.REMAINDER)
    a = parser.parse_args()
    if not a.url and not a.stdio:
        parser.error("give --url or --stdio")
    try:
        async with asyncio.timeout(60):
            async with connect(a) as client:
                await drive(client, a.era)
            if a.weak_token:
                await refused(a)
    except BaseException as e:  # a FAIL line is worth more than a trace
        step(False, "session", show(e))
    print(f"{'FAIL' if failures else 'ok  '} {'stdio' if a.stdio else 'http'} {a.era}: {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    sys.exit(asyncio.run(main()))
