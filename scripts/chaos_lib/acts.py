"""The acts: each breaks one thing under load and says what must hold."""
from __future__ import annotations

import itertools
import json
import signal
import time

from .load import Load, Tally, burst
from .stage import LIMIT, PACE, Stage, until

RECOVERY = 5.0
"""Seconds within which the store is used again once it is well."""
PATIENT = 2_500.0
"""Milliseconds that no answer may take: the deadline of `remote` and then some, on a busy machine."""


class Act:
    """What came of one act: a row of promises, each kept or not."""

    def __init__(self, name: str):
        self.name, self.faults, self.notes = name, [], []

    def expect(self, promise: str, kept: bool, got: object = "") -> None:
        if not kept:
            self.faults.append(f"{promise}: {got}" if got != "" else promise)

    def tally(self, load: Load, *, served: set[int], retried: int | None = 0) -> Tally:
        """Takes what callers got so far: every call answered, and with one of these statuses."""
        tally = load.reset()
        self.notes.append(
            f"{load.tool}: {sum(tally.statuses.values())} calls {dict(tally.statuses)}, p50 {tally.quantile(0.5):.1f}, "
            f"p99 {tally.quantile(0.99):.1f}, max {tally.quantile(1):.1f} ms, taken to the other replica {tally.retried}, lost {len(tally.lost)}"
        )
        self.expect(f"no call of {load.tool} is lost", not tally.lost, tally.lost[:3])
        self.expect(f"{load.tool} answers only {sorted(served)}", set(tally.statuses) <= served, dict(tally.statuses))
        if load.tool == "paced":
            # Each replica counts for itself while the store is away, so together they let through twice as much at most.
            most = 2 * PACE * (time.monotonic() - tally.since + 1)
            self.expect("the limit holds", tally.statuses[200] <= most, f"{tally.statuses[200]} of {most:.0f}")
        self.expect(f"somebody called {load.tool}", bool(tally.statuses))
        self.expect(f"{load.tool} is answered within {PATIENT:g} ms", tally.quantile(1) <= PATIENT, f"{tally.quantile(1):.0f} ms")
        if retried is not None:
            self.expect(f"no caller of {load.tool} has to ask twice", tally.retried <= retried, tally.retried)
        return tally


tenants = (f"tenant-{n}" for n in itertools.count())


def spend(stage: Stage, act: Act) -> str:
    """A tenant whose limit is spent on both replicas together."""
    tenant = next(tenants)
    got = burst(stage, "counted", tenant, 40)
    act.expect(f"{LIMIT} of 40 go through", got == {200: LIMIT, 429: 40 - LIMIT}, dict(got))
    return tenant


def still_spent(stage: Stage, act: Act, tenant: str, when: str) -> None:
    got = burst(stage, "counted", tenant, 10)
    act.expect(f"what was spent stays spent {when}", got == {429: 10}, dict(got))


def store_is_up(stage: Stage) -> bool:
    return all(replica.metric("tollgate_quota_store_up") == 1 for replica in stage.replicas)


def comes_back(stage: Stage, act: Act) -> None:
    try:
        took = until("the store is used again", lambda: store_is_up(stage), RECOVERY)
        act.notes.append(f"used again {took:.2f} s after it was well")
    except TimeoutError as error:
        act.expect(str(error), False)


def served_again(stage: Stage) -> None:
    """Until the API's breakers let calls through on both replicas: each finds out for itself."""
    closed = lambda replica: replica.metric("tollgate_source_breaker_state", tollgate_source="api") == 0
    until("remote is served again", lambda: all(closed(replica) for replica in stage.replicas), 60)


def exact_limit(stage: Stage, act: Act, load: Load) -> None:
    """400 calls at once over two replicas, on a limit of five."""
    for _ in range(3):
        got = burst(stage, "counted", next(tenants), 400)
        act.expect(f"{LIMIT} of 400 go through", got == {200: LIMIT, 429: 400 - LIMIT}, dict(got))
    act.tally(load, served={200, 429})


def store_trouble(stage: Stage, act: Act, load: Load, begin, end, *, notices: bool = True) -> None:
    spent = spend(stage, act)
    load.reset()
    begin()
    if notices:
        until("the replicas notice", lambda: not any(r.metric("tollgate_quota_store_up") for r in stage.replicas), RECOVERY)
    still_spent(stage, act, spent, "while the store is in trouble")
    time.sleep(1)
    end()
    comes_back(stage, act)
    still_spent(stage, act, spent, "afterwards")
    act.tally(load, served={200, 429})


def store_stalls(stage: Stage, act: Act, load: Load) -> None:
    """SIGSTOP: the store takes connections and says nothing."""
    store_trouble(stage, act, load, stage.store.stall, stage.store.go_on)


def store_dies(stage: Stage, act: Act, load: Load) -> None:
    """kill -9, and back without its data."""
    store_trouble(stage, act, load, stage.store.kill, stage.store.start)


def store_is_emptied(stage: Stage, act: Act, load: Load) -> None:
    """FLUSHALL and SCRIPT FLUSH."""

    def flush() -> None:
        for words in [("FLUSHALL",), ("SCRIPT", "FLUSH")] * 3:
            stage.store.ask(*words)
            time.sleep(0.1)

    store_trouble(stage, act, load, flush, lambda: None, notices=False)


def store_is_read_only(stage: Stage, act: Act, load: Load) -> None:
    """It became a replica of a server that is not there: READONLY."""
    store_trouble(stage, act, load, lambda: stage.store.ask("REPLICAOF", "127.0.0.1", "1"), lambda: stage.store.ask("REPLICAOF", "NO", "ONE"))


def store_is_full(stage: Stage, act: Act, load: Load) -> None:
    """maxmemory without eviction: OOM."""
    store_trouble(stage, act, load, lambda: stage.store.ask("CONFIG", "SET", "maxmemory", "1"), lambda: stage.store.ask("CONFIG", "SET", "maxmemory", "0"))


def api_hangs(stage: Stage, act: Act, load: Load) -> None:
    """The API takes requests and does not answer; 60 callers insist."""
    with Load(stage, "free", 8, "neighbour") as neighbour, Load(stage, "remote", 60) as remote:
        time.sleep(1)
        calm = act.tally(neighbour, served={200})
        act.tally(remote, served={200, 429})
        stage.api.be("hanging")
        time.sleep(4)
        asked = stage.api.asked
        rough = act.tally(neighbour, served={200})
        act.tally(remote, served={200, 429, 502, 503, 504}, retried=None)
        bound = max(20 * calm.quantile(0.99), 250.0)
        act.expect("other tools' callers hardly notice", rough.quantile(0.99) <= bound, f"p99 {calm.quantile(0.99):.1f} then {rough.quantile(0.99):.1f} ms")
        stage.api.be("well")
        served_again(stage)
        act.notes.append(f"the API was asked {stage.api.asked - asked} times after it was well")
        remote.reset()
        time.sleep(0.5)
        act.tally(remote, served={200, 429})
    act.tally(load, served={200, 429})


def api_dies(stage: Stage, act: Act, load: Load) -> None:
    """Nobody listens at its port any more; then somebody does."""
    with Load(stage, "remote", 8) as remote:
        stage.api.die()
        time.sleep(0.5)
        remote.reset()
        time.sleep(2.5)
        act.tally(remote, served={429, 502, 503, 504}, retried=None)
        stage.api.start()
        served_again(stage)
        remote.reset()
        time.sleep(0.5)
        act.tally(remote, served={200, 429})
    act.tally(load, served={200, 429})


def reload(stage: Stage, act: Act, load: Load) -> None:
    """Twenty new files, a bad one, a good one again; by signal and by themselves."""
    spent = spend(stage, act)
    load.reset()
    for turn in range(20):
        for replica in stage.replicas:
            config = stage.config(replica)
            config["tools"]["free"]["description"] = f"Looks an item up, for the {turn}th time."
            config["tools"]["counted"]["rateLimit"] = f"{LIMIT + turn % 2}/1h"
            replica.write(config)
            replica.signal(signal.SIGHUP)
        time.sleep(0.1)
    reloads = lambda result: min(r.metric("tollgate_config_reloads_total", result=result) for r in stage.replicas)
    act.expect("the files were taken up", reloads("ok") >= 1, reloads("ok"))
    failed = reloads("failed")
    for replica in stage.replicas:
        replica.write("tools: [")
        replica.signal(signal.SIGHUP)
    until("the bad file is told", lambda: reloads("failed") > failed)
    for replica in stage.replicas:
        status, body = replica.ask("/readyz")
        act.expect("/readyz goes on and says so", status == 200 and "config" in json.loads(body), (status, body))
        replica.write(stage.config(replica))
    # No signal: the replicas look at the file themselves.
    until("the good file is taken up", lambda: all("config" not in r.ask("/readyz")[1] for r in stage.replicas))
    still_spent(stage, act, spent, "over all reloads")
    act.tally(load, served={200, 429})


def rolling_restart(stage: Stage, act: Act, load: Load) -> None:
    """SIGTERM, one after the other, as a deployment does."""
    spent = spend(stage, act)
    load.reset()
    for replica in stage.replicas:
        code = replica.stop()
        act.expect("exit 0", code == 0, code)
        replica.start()
    comes_back(stage, act)
    still_spent(stage, act, spent, "over the restarts")
    act.tally(load, served={200, 429}, retried=None)


def replica_dies(stage: Stage, act: Act, load: Load) -> None:
    """kill -9 of one replica."""
    spent = spend(stage, act)
    load.reset()
    replica = stage.replicas[0]
    replica.process.kill()
    replica.process.wait()
    time.sleep(1)
    replica.start()
    comes_back(stage, act)
    still_spent(stage, act, spent, "over the loss of a replica")
    act.tally(load, served={200, 429}, retried=None)


def nothing_stays(stage: Stage, act: Act, load: Load) -> None:
    """Afterwards nothing is held that was not held before."""
    load.__exit__()
    for replica in stage.replicas:
        until("no call runs", lambda: replica.metric("tollgate_calls_in_flight") == 0)
        until("connections are gone", lambda: replica.descriptors() < 60)
        act.notes.append(f"{replica.name}: {replica.resident_mib():.1f} MiB, {replica.descriptors()} descriptors")
        act.expect("memory stays small", replica.resident_mib() < 96, f"{replica.resident_mib():.1f} MiB")
    logs = stage.logs()
    act.expect("no panic is logged", "panicked" not in logs)
    act.expect("no secret is logged", stage.secret not in logs)


ACTS = [
    exact_limit, store_stalls, store_dies, store_is_emptied, store_is_read_only, store_is_full,
    api_hangs, api_dies, reload, rolling_restart, replica_dies,
]


def play(stage: Stage, only: str) -> int:
    """How many acts went wrong."""
    wrong = 0
    with Load(stage, "paced", 16) as load:
        until("calls are served", lambda: sum(load.tally.statuses.values()) > 50)
        for number, scene in enumerate([*[scene for scene in ACTS if only in scene.__name__], nothing_stays], 1):
            act, began = Act(scene.__name__), time.monotonic()
            try:
                scene(stage, act, load)
            except (TimeoutError, OSError, ValueError) as error:
                act.expect(f"the act ends: {type(error).__name__}: {error}", False)
            wrong += bool(act.faults)
            print(f"{'ok  ' if not act.faults else 'LOST'} {number:2} {act.name.replace('_', ' ')}: {scene.__doc__.strip()} ({time.monotonic() - began:.1f} s)")
            for note in act.notes:
                print(f"        {note}")
            for fault in act.faults:
                print(f"     !! {fault}")
    print(f"\n{'nothing was lost' if not wrong else f'{wrong} acts did not go as promised'}")
    return wrong
