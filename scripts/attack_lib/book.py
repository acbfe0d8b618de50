"""Keeps the score: one row a case, its expectation against what came."""
from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Row:
    id: str
    name: str
    expected: tuple[str, ...]
    got: str = ""

    @property
    def ok(self) -> bool:
        return self.got in self.expected


class Book:
    """`case` runs at once, `slow` beside everything else; after each, its server must still do its work."""

    def __init__(self) -> None:
        self.groups: list[tuple[str, str, list[Row]]] = []
        self.pool = ThreadPoolExecutor(max_workers=64)
        self.pending: list[Future] = []
        self.times: dict[str, float] = {}

    @contextmanager
    def group(self, key: str, title: str):
        """A group that cannot even begin is a failed case, and the others go on."""
        rows: list[Row] = []
        self.groups.append((key, title, rows))
        self.key, self.rows = key, rows
        began = time.monotonic()
        try:
            yield
        except Exception as error:
            rows.append(Row(f"{key}-{len(rows) + 1:02}", "the group runs to its end", ("yes",), f"{type(error).__name__}: {error}"))
        self.times[key] = time.monotonic() - began

    def attempt(self, module, world) -> None:
        """Runs the attacks of a module; its servers may fail to start."""
        try:
            module.attack(self, world)
        except Exception as error:
            name = module.__name__.rsplit(".", 1)[1]
            self.groups.append((name, f"The attacks of {name}.py", [Row(f"{name}-00", "they can begin", ("yes",), f"{type(error).__name__}: {error}")]))

    def case(self, name: str, expected, action, *args, on=None, **options) -> None:
        self._run(self._row(name, expected), action, args, on, options)

    def slow(self, name: str, expected, action, *args, on=None, **options) -> None:
        row = self._row(name, expected)
        self.pending.append(self.pool.submit(self._run, row, action, args, on, options))

    def _row(self, name: str, expected) -> Row:
        alternatives = expected if isinstance(expected, tuple) else (expected,)
        row = Row(f"{self.key}-{len(self.rows) + 1:02}", name, tuple(str(one) for one in alternatives))
        self.rows.append(row)
        return row

    @staticmethod
    def _run(row: Row, action, args, on, options) -> None:
        try:
            row.got = str(action(*args, **options))
            if on is not None:
                row.got += on.harm()
        except Exception as error:
            row.got = f"{type(error).__name__}: {error}"

    def finish(self) -> None:
        for pending in self.pending:
            pending.result()
        self.pool.shutdown()

    def show(self, began: float) -> int:
        """Prints the table; the number of rows that differ."""
        rows = [row for _, _, group in self.groups for row in group]
        width = min(84, max(len(row.name) for row in rows))
        for key, title, group in self.groups:
            print(f"\n{title} ({self.times.get(key, 0):.0f} s)")
            print(f"  {'id':<11} {'case':<{width}} {'expected':<18} {'got':<18} ok")
            for row in group:
                expected, got = plain(" or ".join(row.expected)), plain(row.got)
                print(f"  {row.id:<11} {plain(row.name):<{width}} {expected:<18} {got:<18} {'yes' if row.ok else 'NO'}")
        failed = [row for row in rows if not row.ok]
        if failed:
            print("\nDiffering:")
        for row in failed:
            print(f"  {row.id} {plain(row.name)}: expected {plain(' or '.join(row.expected))}, got {plain(row.got)}")
        print(f"\n{len(rows)} cases, {len(failed)} differ, {time.monotonic() - began:.0f} s")
        return len(failed)


def plain(text: str) -> str:
    """One line of printable text: cases hold control characters on purpose."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)[:400]
