"""Callers: threads with kept-alive connections that call until they are told to stop, and remember every answer."""
from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

PATIENCE = 10.0
"""Longer than any deadline: whoever waits so long was lost."""


@dataclass
class Tally:
    statuses: Counter = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    retried: int = 0
    running: int = 0
    since: float = field(default_factory=time.monotonic)

    def quantile(self, share: float) -> float:
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


class Caller:
    """One client: a connection to each replica, kept as long as it lives."""

    def __init__(self, stage, tenant: str):
        self.stage, self.token = stage, stage.token(tenant)
        self.connections: dict[str, http.client.HTTPConnection] = {}

    def call(self, replica, tool: str) -> int:
        """The status, once the body was read and found to be what its status promises."""
        connection = self.connections.pop(replica.name, None) or http.client.HTTPConnection("127.0.0.1", replica.port, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", f"/mcp/tool/{tool}", json.dumps({"id": "i-1"}), headers)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            promised = body.get("ok") if answer.status == 200 else body.get("status") == answer.status and "callId" in body
            if not promised:
                raise ValueError(f"{answer.status} with {str(body)[:80]}")
        except BaseException:
            connection.close()
            raise
        if not answer.will_close:
            self.connections[replica.name] = connection
        return answer.status

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()


class Load:
    """Some callers of one tool, over all replicas in turns."""

    def __init__(self, stage, tool: str, callers: int, tenant: str = "load"):
        self.stage, self.tool, self.tenant, self.tally = stage, tool, tenant, Tally()
        self.stopping, self.lock = threading.Event(), threading.Condition()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(callers)]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(3 * PATIENCE)

    def reset(self) -> Tally:
        """What became of all calls so far, once they have ended; calls that begin now are counted anew."""
        with self.lock:
            before, self.tally = self.tally, Tally()
            if not self.lock.wait_for(lambda: before.running == 0, 4 * PATIENCE):
                before.lost.append(f"{before.running} calls do not end")
        return before

    def run(self, number: int) -> None:
        caller = Caller(self.stage, self.tenant)
        for turn in itertools.count(number):
            if self.stopping.is_set():
                return caller.close()
            with self.lock:
                tally = self.tally
                tally.running += 1
            self.once(caller, turn, tally)
            with self.lock:
                tally.running -= 1
                self.lock.notify_all()
            time.sleep(0.002)

    def once(self, caller: Caller, turn: int, tally: Tally) -> None:
        began, told = time.monotonic(), []
        # All calls are reads: one that was not answered may be taken to the other replica.
        for attempt in range(4):
            replica = self.stage.replicas[(turn + attempt) % len(self.stage.replicas)]
            try:
                status = caller.call(replica, self.tool)
            except (OSError, http.client.HTTPException, ValueError) as error:
                told.append(f"{replica.name}: {type(error).__name__}: {error}")
                continue
            if status == 503 and attempt < 3:
                # Draining or overloaded: the other one may be better.
                told.append(f"{replica.name}: 503")
                continue
            with self.lock:
                tally.statuses[status] += 1
                tally.took.append(time.monotonic() - began)
                tally.retried += len(told)
            return
        with self.lock:
            tally.lost.append("; ".join(told))


def burst(stage, tool: str, tenant: str, calls: int) -> Counter:
    """So many calls at the same moment, spread over the replicas."""
    gate, statuses, lock = threading.Barrier(calls), Counter(), threading.Lock()

    def one(number: int) -> None:
        caller = Caller(stage, tenant)
        replica = stage.replicas[number % len(stage.replicas)]
        gate.wait()
        try:
            told: object = caller.call(replica, tool)
        except (OSError, http.client.HTTPException, ValueError) as error:
            told = type(error).__name__
        with lock:
            statuses[told] += 1
        caller.close()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses
