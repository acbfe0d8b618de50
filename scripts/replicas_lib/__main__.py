"""The play: what must hold before, during and after the rolls, a line for each."""
from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

from chaos_lib.stage import until

from .load import Load, Tally, approved, http, task_begins, task_ends
from .stage import PACE, Replica, Stage

ROUNDS = 2
APPROVALS, TASKS = 10, 6
"""No multiple of three approvals: clients in step would meet the same replica each time."""
LATE = 0.1
"""The share of a limit that the measuring may miss on a busy machine: callers hear of it after the store has decided."""


class Report:
    def __init__(self) -> None:
        self.passed = self.failed = 0

    def check(self, promise: str, kept: object, detail: object = "") -> None:
        self.passed, self.failed = self.passed + bool(kept), self.failed + (not kept)
        print(f"{'ok  ' if kept else 'FAIL'} {promise}{f': {detail}' if detail != '' else ''}", flush=True)

    def all_right(self, promise: str, outcomes: list[bool | str], detail: str = "", also: bool = True) -> None:
        """Outcomes are True, or say what came instead."""
        wrong = [told for told in outcomes if told is not True]
        self.check(promise, outcomes and not wrong and also, f"{len(outcomes) - len(wrong)} of {len(outcomes)}{detail} {wrong[:1] or ''}".rstrip())


def crossed(stage: Stage, chains: list[list[str]]) -> int:
    """How many of these chains of calls were served by more than one replica."""
    served = {line["callId"]: name for name, line in stage.recorded()}
    return sum(len({served[call] for call in chain if call in served}) > 1 for chain in chains)


def approvals(stage: Stage, report: Report, token: str) -> None:
    async def all_of(era: str):
        return zip(*await asyncio.gather(*(approved(stage, era, token, f"{era}-{n}") for n in range(APPROVALS))))

    told, chains = asyncio.run(all_of("modern"))
    met = crossed(stage, chains)
    report.all_right("approvals of modern clients are taken by any replica", told, f" run, {met} on another one than asked", met > 0)
    told, _ = asyncio.run(all_of("legacy"))
    report.all_right("approvals of older clients reach the replica that asked", told, " run")


class Held:
    """What clients hold in their hands while all replicas are replaced: tasks, and a question that is not answered yet."""

    def __init__(self, stage: Stage, token: str):
        self.stage, self.token = stage, token
        self.begun, self.rolled = threading.Event(), threading.Event()
        self.tasks, self.chains, self.question = [], [], "no answer"
        self.thread = threading.Thread(target=lambda: asyncio.run(self.play()), daemon=True)
        self.thread.start()
        until("tasks are begun", lambda: self.begun.is_set() or not self.thread.is_alive(), 20)

    async def play(self) -> None:
        rolled = asyncio.Event()
        question = asyncio.create_task(approved(self.stage, "modern", self.token, "held", rolled))
        try:
            async with http(self.stage, self.token) as client:
                names = [f"report-{n}" for n in range(TASKS)]
                begun = [await task_begins(client, name) for name in names]
                self.begun.set()
                ended = await asyncio.gather(*(task_ends(client, task, name) for name, (task, _) in zip(names, begun)))
            self.tasks = [told for told, _ in ended]
            self.chains = [[call, *calls] for (_, call), (_, calls) in zip(begun, ended)]
            await asyncio.to_thread(self.rolled.wait, 60)
        finally:
            rolled.set()
            self.question = (await question)[0]

    def judge(self, report: Report) -> None:
        self.rolled.set()
        self.thread.join(40)
        met = crossed(self.stage, self.chains)
        report.all_right("tasks end while their replica is replaced, and any replica tells", self.tasks, f", {met} told by another one", met > 0)
        report.all_right("a question asked before all replicas were replaced is good afterwards", [self.question])


def roll(stage: Stage, replica: Replica) -> list[str]:
    """Replaces one as Kubernetes does; what was not as it should be."""
    faults, before = [], replica.port
    replica.process.send_signal(signal.SIGTERM)
    told = ""

    def drains() -> bool:
        nonlocal told
        _, told = replica.ask("/readyz")
        return "draining" in told or not replica.lives()

    until(f"{replica.name} drains", drains, 5)
    if "draining" not in told:
        faults.append(f"{replica.name} does not say that it drains")
    if code := replica.process.wait(timeout=20):
        faults.append(f"{replica.name} ends with {code}")
    until("nginx is told that it is gone", lambda: before not in stage.controller.ports, 5)
    replica.start()
    comes_in(stage, replica)
    return faults


def comes_in(stage: Stage, replica: Replica) -> None:
    until("nginx is told of the new one", lambda: replica.port in stage.controller.ports)
    until(f"{replica.name} serves", lambda: replica.metric("tollgate_calls_total") >= 30, 20)


def is_under_way(tally: Tally) -> None:
    until("calls are served", lambda: tally.right["count"] >= 100 and tally.streams, 20)


def admitted(report: Report, tally: Tally, when: str, unanswered: int = 0) -> None:
    """GCRA: a burst from a full bucket, then the rate. Nobody gets more. When a call is refused the bucket is empty, so until
    then nobody may have got less, but for what is lost between replicas and store."""
    paced = tally.paced
    began, known = min(sent for sent, _, _ in paced), min(answered for _, answered, _ in paced)
    got, took = sum(let for _, _, let in paced), max(answered for _, answered, _ in paced) - began
    most = PACE + PACE * took
    sent, answered = max(((sent, answered) for sent, answered, let in paced if not let), default=(known, known))
    share = (sum(let for other, _, let in paced if other < answered) + unanswered + 1) / (PACE + PACE * (sent - known))
    detail = f"{got} calls in {took:.2f} s, {PACE} and {PACE}/s allow {most:.0f}; {min(share, 1):.1%} until the last of {len(paced) - got} refusals"
    report.check(f"the limit lets through what it allows {when}", got <= most and share >= 1 - LATE, detail)


def served(stage: Stage, tenant: str) -> list[tuple[str, dict]]:
    """The calls of a tenant's load that were answered well, as the logs tell: replica and line."""
    return [(name, line) for name, line in stage.recorded()
            if line.get("tenant") == tenant and line["outcome"] == "ok" and line["method"] == "tools/call"]


def twice(stage: Stage, tally: Tally) -> list[str]:
    return [name for name in tally.sent if stage.api.runs[name] > 1]


def rolls(stage: Stage, report: Report) -> None:
    held = Held(stage, stage.token("held"))
    with Load(stage, "rolls") as load:
        tally = load.tally
        is_under_way(tally)
        for number in range(1, ROUNDS + 1):
            began, stage.version = time.monotonic(), number
            faults = [fault for replica in stage.replicas for fault in roll(stage, replica)]
            what = "replicas are replaced one by one" + (", with another configuration" if number > 1 else "")
            report.check(f"round {number}: {what}", not faults, "; ".join(faults) or f"{time.monotonic() - began:.1f} s")
            if number == 1:
                held.judge(report)
    right = Counter({tool: tally.right[tool] for tool in ("count", "look", "paced")})
    calls = f"{right.total() + tally.right['refused']} calls {dict(tally.right)}"
    report.check("no call is lost", not tally.lost, f"{calls}, lost {len(tally.lost)} {tally.lost[:3] or ''}".rstrip())
    report.check("nobody sees 5xx", max(tally.statuses) < 500, dict(sorted(tally.statuses.items())))
    ran, again = sum(stage.api.runs[name] > 0 for name in tally.sent), twice(stage, tally)
    wanted = right["count"] + right["paced"]
    report.check("no call runs twice", not again and ran == wanted, f"{ran} runs for {wanted} answers, {len(again)} twice")
    lines = served(stage, "rolls")
    ids = {line["callId"] for _, line in lines}
    is_exact = Counter(line["target"] for _, line in lines) == right and len(ids) == len(lines) and ids <= set(tally.ids)
    report.check("the audit logs have each call once", is_exact, f"{len(lines)} lines, {len(ids)} ids, {right.total()} answers")
    shares = Counter(name for name, _ in lines)
    report.check("each replica serves its share", len(shares) == 3 and min(shares.values()) >= 0.2 * shares.total(), dict(shares))
    admitted(report, tally, "over all rolls")
    # Wherever a stream was opened, its replica was replaced in each round.
    at_once = f"{tally.ended} ended, acknowledged within {max(tally.streams) * 1000:.0f} ms {tally.broken[:1] or ''}".rstrip()
    report.check("streams come at once and end with a result", tally.ended >= ROUNDS and not tally.broken and max(tally.streams) < 2, at_once)


def upgraded(stage: Stage, report: Report, token: str) -> None:
    async def call() -> list[int]:
        async with http(stage, token) as client:
            return [(await client.post("/mcp/tool/added", json={"id": f"added-{n}"})).status_code for n in range(9)]

    statuses = Counter(asyncio.run(call()))
    report.check("all replicas have the new configuration", set(statuses) == {200}, dict(statuses))


def kill(stage: Stage, report: Report) -> None:
    """kill -9 of one: what it was doing is lost, and nothing else."""
    replica = stage.replicas[1]
    with Load(stage, "kill", retries=True) as load:
        tally = load.tally
        is_under_way(tally)
        # The API holds its answers until each caller waits for one, so that it is known what the replica is doing.
        stage.api.answers.clear()
        until("each caller waits", lambda: stage.api.waiting == load.callers())
        doing, before = int(replica.metric("tollgate_calls_in_flight")), replica.port
        replica.process.kill()
        replica.process.wait()
        stage.api.answers.set()
        until("nginx is told that it is gone", lambda: before not in stage.controller.ports)
        so_far = tally.right.total()
        until("the others serve", lambda: tally.right.total() > so_far + 200, 20)
        replica.start()
        comes_in(stage, replica)
    failed, again, lines = len(tally.lost) + tally.retried, twice(stage, tally), served(stage, "kill")
    right = tally.right.total() - tally.right["refused"]
    what = f"{failed} of {doing}, of {tally.right.total()} in all {dict(Counter(tally.lost))}"
    report.check("kill -9: the calls that it was doing fail, and no others", failed == doing > 0, what)
    reads = [told for told in tally.lost if told.startswith("look by rest")]
    report.check("kill -9: reads that are asked again get their answer", not reads, f"{tally.retried} asked again")
    is_exact = not again and len(lines) == len({line["callId"] for _, line in lines}) == right
    report.check("kill -9: no call runs twice, each answer is on record", is_exact, f"{len(again)} twice, {right} answers, {len(lines)} lines")
    admitted(report, tally, "around kill -9", unanswered=doing)


def afterwards(stage: Stage, report: Report) -> None:
    for replica in stage.replicas:
        words = [stage.binary, "audit", "verify", "--config", replica.config]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        told = (done.stdout or done.stderr).splitlines()[0].removeprefix(f"{replica.audit}: ")
        report.check(f"the audit log of {replica.name} is whole", done.returncode == 0, told)
    decided = lambda by: sum(replica.metric("tollgate_quota_decisions_total", tollgate_quota_decided_by=by) for replica in stage.replicas)
    report.check("the store decides about limits", decided("store") > 0 == decided("local"), f"{decided('store'):.0f} times, replicas {decided('local'):.0f}")
    version = ".".join(map(str, stage.nginx.version))
    report.check("the controller did its work", not stage.controller.fault, stage.controller.fault or f"{stage.nginx.reloads} reloads of nginx {version}")
    logs = stage.logs()
    report.check("no panic and no secret is logged", not any(word in logs for word in ("panicked", *stage.secrets.values())))


def play(stage: Stage, report: Report) -> None:
    token = stage.token("held")
    approvals(stage, report, token)
    rolls(stage, report)
    upgraded(stage, report, token)
    kill(stage, report)
    afterwards(stage, report)


def main(binary: str, folder: str, without: str) -> int:
    logging.disable(logging.CRITICAL)  # the SDK's, of connections that break
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    report, began, stage = Report(), time.monotonic(), Stage(binary, folder, without)
    try:
        with stage:
            play(stage, report)
    except (OSError, TimeoutError, subprocess.SubprocessError) as error:
        report.check("the play comes to its end", False, f"{type(error).__name__}: {error}")
    kept = f"; its files are in {stage.folder}" if report.failed else ""
    print(f"\n{report.passed} passed, {report.failed} failed, {time.monotonic() - began:.0f} s{kept}")
    if not report.failed:
        shutil.rmtree(stage.folder, ignore_errors=True)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
