#!/usr/bin/env python3
"""Drives a Tollgate server with a client that we did not write: the official Python SDK, or FastMCP's client.

    interop_client.py --sdk mcp|fastmcp --era modern|legacy --url URL --token TOKEN --weak-token TOKEN
    interop_client.py --sdk mcp|fastmcp --era modern|legacy --weak-config FILE --stdio COMMAND ARGS...

One line per step, `ok ...` or `FAIL ...`; exits 1 if any step failed. The weak token, and who the weak configuration says
is on stdio, lack customer:read. get_customer's limit (5 calls in 10 s per tenant and tool) must be unused when this
starts: give every run a fresh server.
"""
from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from contextlib import asynccontextmanager

from mcp import MCPError

RATE_LIMITED, NOT_ALLOWED = 42901, 40301
JANE = {"id": "c-42", "name": "Jane Doe", "tier": "gold"}
failures = 0


def step(good: object, name: str, detail: object = "") -> bool:
    global failures
    failures += not good
    shown = f" | {' '.join(str(detail).split())}" if detail != "" else ""
    print(f"{'ok  ' if good else 'FAIL'} {name}{shown}"[:300], flush=True)
    return bool(good)


def show(error: BaseException) -> str:
    if isinstance(error, MCPError):
        return f"JSON-RPC error {error.code}: {error.message} {error.error.data or ''}".rstrip()
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(show(e) for e in error.exceptions)
    return f"{type(error).__name__}: {error}"


@asynccontextmanager
async def python_sdk(a: argparse.Namespace, token: str | None, command: list[str] | None):
    """The official SDK. Mode "auto" (server/discover, falling back to initialize) is what its users get by default."""
    import httpx2
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client

    mode = "legacy" if a.era == "legacy" else "auto"
    if command:
        target = stdio_client(StdioServerParameters(command=command[0], args=command[1:]))
        async with Client(target, mode=mode, read_timeout_seconds=10) as client:
            yield client
        return
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=10, trust_env=False) as http:
        async with Client(streamable_http_client(a.url, http_client=http), mode=mode, read_timeout_seconds=10) as client:
            yield client


class FastClient:
    """FastMCP's client behind the few calls that the steps below make of the SDK's."""

    def __init__(self, client):
        self.client, self.protocol_version = client, client.protocol_version
        self.server_info, self.server_capabilities = client.server_info, client.server_capabilities

    async def list_tools(self):
        return argparse.Namespace(tools=await self.client.list_tools())

    async def list_prompts(self):
        return argparse.Namespace(prompts=await self.client.list_prompts())

    async def list_resource_templates(self):
        return argparse.Namespace(resource_templates=await self.client.list_resource_templates())

    async def read_resource(self, uri):
        return argparse.Namespace(contents=await self.client.read_resource(uri))

    async def get_prompt(self, name, arguments):
        return await self.client.get_prompt(name, arguments)

    async def call_tool(self, name, arguments):
        return await self.client.call_tool_mcp(name, arguments)


@asynccontextmanager
async def fastmcp_client(a: argparse.Namespace, token: str | None, command: list[str] | None):
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

    mode = "legacy" if a.era == "legacy" else "auto"
    if command:
        transport = StdioTransport(command=command[0], args=command[1:], keep_alive=False)
    else:
        transport = StreamableHttpTransport(a.url, auth=token)
    async with Client(transport, mode=mode, timeout=10) as client:
        yield FastClient(client)


def connect(a: argparse.Namespace, token: str | None, command: list[str] | None):
    return (fastmcp_client if a.sdk == "fastmcp" else python_sdk)(a, token, command)


def text(contents) -> str:
    return " ".join(getattr(content, "text", "") for content in contents)


async def error_of(awaitable) -> MCPError | None:
    try:
        await awaitable
        return None
    except MCPError as e:
        return e


async def prompts(client) -> None:
    """Gets each prompt, with an argument c-42 for each it requires. A server may have none: then there is nothing to get."""
    for prompt in (await client.list_prompts()).prompts:
        arguments = {argument.name: "c-42" for argument in prompt.arguments or [] if argument.required}
        messages = (await client.get_prompt(prompt.name, arguments)).messages
        step(messages and messages[0].content, f"prompts/get {prompt.name}", messages and getattr(messages[0].content, "text", ""))


async def drive(client, era: str) -> None:
    step(client.protocol_version == {"modern": "2026-07-28", "legacy": "2025-11-25"}[era], "negotiated version", client.protocol_version)
    step(client.server_info and client.server_info.name, "server names itself", client.server_info and client.server_info.name)
    step(client.server_capabilities.tools is not None, "server advertises tools")

    names = [tool.name for tool in (await client.list_tools()).tools]
    step({"get_customer", "find_orders"} <= set(names), "tools/list", ", ".join(names))

    result = await client.call_tool("get_customer", {"customer_id": "c-42"})
    step(not result.is_error and "Jane Doe" in text(result.content), "tools/call get_customer c-42", text(result.content))
    step(result.structured_content == JANE, "its structured content", result.structured_content)

    result = await client.call_tool("find_orders", {"query": "o-123"})
    step(not result.is_error and "o-123" in text(result.content), "tools/call find_orders o-123", text(result.content))

    templates = [t.uri_template for t in (await client.list_resource_templates()).resource_templates]
    step("customers://{customer_id}" in templates, "resources/templates/list", ", ".join(templates))
    contents = (await client.read_resource("customers://c-42")).contents
    step("Jane Doe" in text(contents), "resources/read customers://c-42", text(contents))
    await prompts(client)

    for name, args in (("missing", {}), ("of a wrong type", {"customer_id": 42}), ("unknown", {"customer_id": "c-42", "tenant_id": "globex"})):
        try:
            result = await client.call_tool("get_customer", args)
            step(result.is_error, f"an argument {name} gives isError", text(result.content))
        except MCPError as e:
            step(False, f"an argument {name} gives isError", show(e))

    error = await error_of(client.call_tool("no_such_tool", {}))
    step(error and error.code == -32602, "an unknown tool is JSON-RPC error -32602", error and show(error))

    for _ in range(7):
        error = await error_of(client.call_tool("get_customer", {"customer_id": "c-42"}))
        if error:
            break
    limited = step(error and error.code == RATE_LIMITED, f"within 7 quick calls one is refused with {RATE_LIMITED}", error and show(error))
    if limited:
        await asyncio.sleep(error.error.data["retryAfterMs"] / 1000 + 0.05)
        result = await client.call_tool("get_customer", {"customer_id": "c-42"})
        step(not result.is_error, "after retryAfterMs it works again", text(result.content))


async def refused(a: argparse.Namespace, client) -> None:
    """As a caller without customer:read: the tool is hidden, and its call refused with 40301."""
    names = [tool.name for tool in (await client.list_tools()).tools]
    step("get_customer" not in names and "find_orders" in names, "tools/list hides what a scope is missing for", ", ".join(names))
    error = await error_of(client.call_tool("get_customer", {"customer_id": "c-42"}))
    step(error and error.code == NOT_ALLOWED and "customer:read" in f"{error.message} {error.error.data}",
         f"its call is refused with {NOT_ALLOWED} naming the scope", error and show(error))
    result = await client.call_tool("find_orders", {"query": "o-123"})
    step(not result.is_error, "the client goes on after the refusal", text(result.content))


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sdk", choices=("mcp", "fastmcp"), default="mcp")
    parser.add_argument("--era", choices=("modern", "legacy"), default="modern")
    parser.add_argument("--url")
    parser.add_argument("--token")
    parser.add_argument("--weak-token", help="a token without customer:read")
    parser.add_argument("--weak-config", help="a configuration whose caller on stdio lacks customer:read")
    parser.add_argument("--stdio", nargs=argparse.REMAINDER)
    a = parser.parse_args()
    if not a.url and not a.stdio:
        parser.error("give --url or --stdio")
    weak = a.stdio and [a.stdio[0], "serve", "--mode", "stdio", "--config", a.weak_config]
    try:
        async with asyncio.timeout(60):
            async with connect(a, a.token, a.stdio) as client:
                await drive(client, a.era)
            async with connect(a, a.weak_token, weak) as client:
                await refused(a, client)
    except BaseException as e:  # a FAIL line is worth more than a trace
        step(False, "runs to its end", show(e))
    return 1 if failures else 0


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    sys.exit(asyncio.run(main()))
