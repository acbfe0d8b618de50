"""Who calls: the Python SDK's client in both eras and REST clients, through nginx, and what became of each call."""
from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import threading
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

from .stage import PATIENCE

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""All is in the clear here; loading certificates for each client takes longer than a call."""
MODES = {"modern": "2026-07-28", "legacy": "legacy"}
TASKS = "io.modelcontextprotocol/tasks"


def why(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(why(part) for part in error.exceptions)
    return f"{type(error).__name__}: {error}"[:200]


def hearing(ids: list[str], statuses: Counter | None = None):
    """A hook that keeps the ids that answers tell of their calls, and their statuses."""
    async def hear(answer) -> None:
        if statuses is not None:
            statuses[answer.status_code] += 1
        if call := answer.headers.get("tollgate-call-id"):
            ids.append(call)

    return hear


@asynccontextmanager
async def http(stage, token: str, answers=None):
    """An HTTP client; `answers` hears of each answer."""
    hooks = {"response": [answers]} if answers else None
    headers = {"Authorization": f"Bearer {token}"}
    # A quiet stream says something every 15 s.
    options = {"timeout": 2 * PATIENCE, "trust_env": False, "verify": NO_TLS}
    async with httpx2.AsyncClient(base_url=stage.url, headers=headers, event_hooks=hooks, **options) as client:
        yield client


@asynccontextmanager
async def sdk(stage, era: str, token: str, answers=None, **options):
    async with http(stage, token, answers) as client:
        transport = streamable_http_client(f"{stage.url}/mcp", http_client=client)
        async with Client(transport, mode=MODES[era], read_timeout_seconds=PATIENCE, **options) as connected:
            yield connected


@dataclass
class Tally:
    right: Counter = field(default_factory=Counter)
    """Calls that got their right answer, by tool; among them, those of `paced` that were refused."""
    lost: list[str] = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)
    """The ids of all calls that were answered, as answers tell them."""
    sent: set[str] = field(default_factory=set)
    retried: int = 0
    streams: list[float] = field(default_factory=list)
    """Seconds until each stream was acknowledged."""
    ended: int = 0
    """Streams that ended with a result."""
    broken: list[str] = field(default_factory=list)
    paced: list[tuple[float, float, bool]] = field(default_factory=list)
    """When each call of `paced` was sent and answered, and whether it was let through."""


class Load:
    """Runs in a thread with an event loop of its own, until it is told to stop; calls that run then are waited for."""

    SDK_LOOPS, REST_LOOPS, PACED_LOOPS = 3, 3, 6

    def __init__(self, stage, tenant: str, retries: bool = False):
        self.stage, self.tenant, self.retries, self.tally = stage, tenant, retries, Tally()
        self.token, self.numbers = stage.token(tenant), itertools.count()
        self.stopping, self.hear = threading.Event(), hearing(self.tally.ids, self.tally.statuses)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self) -> Load:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.thread.join(3 * PATIENCE)
        if self.thread.is_alive():
            self.tally.lost.append("calls that do not end")

    def callers(self) -> int:
        return 2 * self.SDK_LOOPS + 2 * self.REST_LOOPS + self.PACED_LOOPS

    def run(self) -> None:
        try:
            asyncio.run(self.all())
        except BaseException as error:  # a line among the losses is worth more than a trace
            self.tally.lost.append(f"the load ends: {why(error)}")

    async def all(self) -> None:
        callers = [self.by_sdk(era) for era in MODES]
        callers += [self.by_rest(tool) for tool in ("count", "look") for _ in range(self.REST_LOOPS)]
        callers += [self.paced() for _ in range(self.PACED_LOOPS)]
        listening = asyncio.ensure_future(self.listens())
        await asyncio.gather(*callers)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    def name(self) -> str:
        name = f"{self.tenant}-{next(self.numbers)}"
        self.tally.sent.add(name)
        return name

    def note(self, tool: str, client: str, fault: str | None) -> None:
        if fault:
            self.tally.lost.append(f"{tool} by {client}: {fault}")
        else:
            self.tally.right[tool] += 1

    async def by_sdk(self, era: str) -> None:
        async def loop(client: Client, tool: str) -> None:
            while not self.stopping.is_set():
                name, fault = self.name(), None
                try:
                    result = await client.call_tool(tool, {"id": name})
                    if result.is_error or result.structured_content != {"id": name}:
                        fault = str(result.content)
                except Exception as error:
                    fault = why(error)
                self.note(tool, era, fault)

        while not self.stopping.is_set():
            try:
                async with sdk(self.stage, era, self.token, self.hear) as client:
                    if client.protocol_version != {"modern": "2026-07-28", "legacy": "2025-11-25"}[era]:
                        raise ValueError(f"this is not the {era} era: {client.protocol_version}")
                    await asyncio.gather(*(loop(client, "look" if number == 0 else "count") for number in range(self.SDK_LOOPS)))
            except Exception as error:
                self.tally.lost.append(f"a connection by {era}: {why(error)}")
                await asyncio.sleep(0.1)

    async def post(self, client, tool: str, name: str) -> str | None:
        """A REST call: what is wrong with its answer, if anything."""
        try:
            answer = await client.post(f"/mcp/tool/{tool}", json={"id": name})
            told = answer.json() if "json" in answer.headers.get("content-type", "") else {"type": "of nginx"}
        except (httpx2.HTTPError, ValueError) as error:
            return why(error)
        return None if told == {"ok": True, "result": {"id": name}} else f"{answer.status_code} {told.get('type', told)}"

    async def by_rest(self, tool: str) -> None:
        tries = 4 if self.retries and tool == "look" else 1  # a read may be asked again
        async with http(self.stage, self.token, self.hear) as client:
            while not self.stopping.is_set():
                name = self.name()
                for left in reversed(range(tries)):
                    fault = await self.post(client, tool, name)
                    if not fault or not left:
                        break
                    self.tally.retried += 1
                self.note(tool, "rest", fault)

    async def paced(self) -> None:
        """Insists: a refused call is tried again at once, so that no unit of the limit is left over."""
        async with http(self.stage, self.token, self.hear) as client:
            while not self.stopping.is_set():
                name, sent = self.name(), time.monotonic()
                fault = await self.post(client, "paced", name)
                self.tally.paced.append((sent, time.monotonic(), not fault))
                if fault and fault.startswith("429 "):
                    self.tally.right["refused"] += 1
                    await asyncio.sleep(0.02)
                else:
                    self.note("paced", "rest", fault)

    async def listens(self) -> None:
        """A stream, and again a stream: each must end with its result, as those of a replica do that stops."""
        while True:
            try:
                async with sdk(self.stage, "modern", self.token) as client:
                    began = time.monotonic()
                    async with client.listen(tools_list_changed=True) as stream:
                        self.tally.streams.append(time.monotonic() - began)
                        async for _ in stream:
                            pass
                    self.tally.ended += 1
            except Exception as error:
                self.tally.broken.append(why(error))
                await asyncio.sleep(0.1)


async def approved(stage, era: str, token: str, name: str, until_told: asyncio.Event | None = None) -> tuple[bool | str, list[str]]:
    """A call that needs approval, and gets it: whether its answer is right or what else came, and the ids of its calls."""
    ids: list[str] = []

    async def accept(*_: object) -> ElicitResult:
        if until_told:
            await until_told.wait()
        return ElicitResult(action="accept", content={})

    try:
        async with sdk(stage, era, token, hearing(ids), elicitation_callback=accept) as client:
            result = await client.call_tool("refund", {"id": name})
            return (not result.is_error and result.structured_content == {"id": name}) or result.content[0].text, ids
    except Exception as error:
        return why(error), ids


async def ask_task(client, method: str, of: str, **params: object) -> tuple[dict, str]:
    """One request of the tasks extension, which the SDK does not speak: its answer, and the id of the call."""
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}}}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, "Mcp-Name": of}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    answer = await client.post("/mcp", json=message, headers=headers)
    return answer.json(), answer.headers.get("tollgate-call-id", "")


async def task_begins(client, name: str) -> tuple[str, str]:
    told, call = await ask_task(client, "tools/call", of="report", name="report", arguments={"id": name})
    return told.get("result", {}).get("taskId") or json.dumps(told)[:200], call


async def task_ends(client, task: str, name: str) -> tuple[bool | str, set[str]]:
    """Whether the task came to the right result or what else came, and the ids of the calls that asked for it."""
    calls, ends = set(), time.monotonic() + PATIENCE
    told: dict = {}
    while time.monotonic() < ends:
        told, call = await ask_task(client, "tasks/get", of=task, taskId=task)
        calls.add(call)
        if told.get("result", {}).get("status") not in ("working", None) or "error" in told:
            break
        await asyncio.sleep(0.2)
    result = told.get("result", {}).get("result", {})
    return result.get("structuredContent") == {"id": name} or json.dumps(told)[:200], calls
