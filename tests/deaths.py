"""Processes that die as kill -9 leaves them, before any write that a chosen work does: nothing is closed or tidied up.

Each is a fork of one process that has read everything in already: starting Python anew for each death would take minutes.
"""

import importlib
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

Begin = Callable[[], None]
"""Called by a work where its writes begin to count."""

WRITES = "fsync fdatasync link unlink remove rename replace mkdir rmdir truncate ftruncate pwrite".split()
"""What of ``os`` changes a disk, or makes sure of a change; bytes that were written and not synced are no promise."""
STATEMENTS = ("COMMIT", "VACUUM", "PRAGMA WAL_CHECKPOINT")


class Mortal:
    """Where such processes come from; a context manager."""

    def __enter__(self) -> "Mortal":
        command = [sys.executable, "-m", "tests.deaths"]
        self._source = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.communicate()

    def writes(self, work: Callable[..., None], *arguments: object) -> int:
        """Let ``work(*arguments, begin)`` come to its end, kill it then, and return how many writes it did."""
        return self._killed(work, arguments, -1)

    def dies(self, work: Callable[..., None], *arguments: object, at: int) -> None:
        """Kill the process that does a work right before write number ``at``."""
        assert self._killed(work, arguments, at) == at, "it came to its end before"

    def _killed(self, work: Callable[..., None], arguments: tuple[object, ...], at: int) -> int:
        assert self._source.stdin is not None
        assert self._source.stdout is not None
        pickle.dump((work.__module__, work.__name__, pickle.dumps(arguments), at), self._source.stdin)
        self._source.stdin.flush()
        status, seen = pickle.load(self._source.stdout)  # of a process of our own
        assert status == -signal.SIGKILL, f"it ended with {status} instead of being killed"
        assert isinstance(seen, int)
        return seen


class _Disk:
    """Counts the writes of this process from ``begin`` on, and kills it before number ``at``."""

    def __init__(self, at: int, told: int) -> None:
        self._at, self._told, self._count = at, told, -1
        for name in WRITES:
            setattr(os, name, self._counted(getattr(os, name)))
        connect, disk = sqlite3.connect, self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:  # type: ignore[override]
                if sql.lstrip().upper().startswith(STATEMENTS):
                    disk.write()
                return super().execute(sql, *values)

        sqlite3.connect = lambda *a, **k: connect(*a, **k, factory=Connection)  # type: ignore[assignment]

    def begin(self) -> None:
        self._count = 0

    def write(self) -> None:
        if self._count < 0:
            return
        if self._count == self._at:
            self.die()
        self._count += 1

    def die(self) -> None:
        os.write(self._told, pickle.dumps(self._count))
        os.kill(os.getpid(), signal.SIGKILL)

    def _counted(self, function: Callable[..., object]) -> Callable[..., object]:
        def counted(*values: object, **named: object) -> object:
            self.write()
            return function(*values, **named)

        return counted


def _child(module: str, name: str, arguments: bytes, at: int, told: int) -> None:
    try:
        disk = _Disk(at, told)
        values = pickle.loads(arguments)  # of a process of our own
        getattr(importlib.import_module(module), name)(*values, disk.begin)
        disk.die()
    except BaseException:  # whatever it was: this process must not go on as its parent
        traceback.print_exc()
    os._exit(1)


def _serve() -> None:
    """Fork a process for each request on standard input, and answer with how it ended and how far it came."""
    while True:
        try:
            module, name, arguments, at = pickle.load(sys.stdin.buffer)  # of a process of our own
        except EOFError:
            return
        importlib.import_module(module)
        ours, its = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(ours)
            _child(module, name, arguments, at, its)
        os.close(its)
        _, status = os.waitpid(pid, 0)
        with os.fdopen(ours, "rb") as told:
            seen = told.read()
        answer = (os.waitstatus_to_exitcode(status), pickle.loads(seen) if seen else None)
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
