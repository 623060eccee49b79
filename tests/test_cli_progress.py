"""Long work shows how far it is: on a terminal, after a second, on standard error, and never among what is read on."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall import config, operations
from gdprcall.cli import output
from gdprcall.operations import Context
from gdprcall.vault.archive import Vault
from tests import vaults
from tests.test_cli_exits import Shell

SECONDS = 20.0


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("TERM", "xterm")
    return Shell(tmp_path, capsys)


class Terminal:
    """A terminal: what is written to ``slave`` is seen."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.seen = ""

    def wait_for(self, pattern: str) -> None:
        """Wait until something was shown; fails when it is not, or the other side closes first."""
        while not re.search(pattern, self.seen):
            assert select.select([self.master], [], [], SECONDS)[0], f"only {self.seen!r} was shown"
            self.seen += os.read(self.master, 65536).decode()

    def rest(self) -> str:
        """Return all that was shown, once the other side has closed."""
        try:
            while data := os.read(self.master, 65536):
                self.seen += data.decode()
        except OSError:  # the other side is closed
            pass
        return self.seen


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    for descriptor in (terminal.master, terminal.slave):
        try:
            os.close(descriptor)
        except OSError:  # the test closed it
            continue


def started(shell: Shell, terminal: Terminal, *words: str, stdout: int) -> "subprocess.Popen[bytes]":
    """Start a command whose standard error is a terminal, and give that terminal to it alone."""
    command = [sys.executable, "-m", "gdprcall", "--config", str(shell.config), *words]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=terminal.slave)
    os.close(terminal.slave)
    return process


def slow(shell: Shell) -> Path:
    """Let the payload end so far away that nobody reads it through, until it is cut off."""
    os.truncate(shell.payload, 1 << 40)
    return shell.payload


def opened_by(pid: int) -> set[str]:
    """Return the files that a process has open now; one that it closes meanwhile is none of them."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(link))
    return found


def until_read(pid: int, file: Path) -> None:
    """Return when a process has a file open; fails when it never does."""
    end = time.monotonic() + SECONDS
    while str(file) not in opened_by(pid):
        assert time.monotonic() < end, "it was never read"


def test_a_long_verification_shows_on_the_terminal_how_far_it_is(shell: Shell, terminal: Terminal) -> None:
    payload = slow(shell)
    process = started(shell, terminal, "audit", "verify", stdout=subprocess.PIPE)
    terminal.wait_for(r"verifying.*\d+%")
    os.truncate(payload, 0)
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 4
    assert b"payload" in out
    assert b"verifying" not in out
    assert "error: " in terminal.rest()


def test_json_is_never_accompanied_by_a_bar(shell: Shell, terminal: Terminal) -> None:
    payload = slow(shell)
    process = started(shell, terminal, "audit", "verify", "--json", stdout=subprocess.PIPE)
    until_read(process.pid, payload)  # from here on a bar would come within a second
    assert not select.select([terminal.master], [], [], output.PATIENCE_SECONDS + 0.5)[0]
    os.truncate(payload, 0)
    process.communicate(timeout=SECONDS)
    assert terminal.rest().startswith("error: ")


def test_what_is_done_at_once_shows_no_bar(shell: Shell, terminal: Terminal) -> None:
    process = started(shell, terminal, "audit", "verify", stdout=subprocess.DEVNULL)
    assert process.wait(SECONDS) == 0
    assert terminal.rest() == ""


def test_a_bar_moves_until_it_is_told_how_much_there_is(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(output, "PATIENCE_SECONDS", 0.0)
    with os.fdopen(os.dup(terminal.slave), "w") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        with output.progress("erasing") as tell:
            terminal.wait_for("erasing")
            assert "%" not in terminal.seen or "0%" in terminal.seen
            tell(3, 4)
            terminal.wait_for("75%")


@pytest.mark.parametrize("kind", ["dumb", "pipe"])
def test_where_nobody_watches_no_bar_is_drawn(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("TERM", "dumb" if kind == "dumb" else "xterm")
    monkeypatch.setattr(output, "PATIENCE_SECONDS", 0.0)
    read, write = os.pipe()
    with os.fdopen(os.dup(terminal.slave if kind == "dumb" else write), "w") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        with output.progress("erasing") as tell:
            tell(1, 2)
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)
    os.close(terminal.slave)
    assert terminal.rest() == ""


def test_verification_and_sweep_tell_how_much_of_how_much_is_done(shell: Shell) -> None:
    told: list[tuple[int, int]] = []
    with Vault.open(shell.folder / "vault", clock=vaults.Clock()) as vault:
        context = Context(vault, config.load(shell.config), progress=lambda *now: told.append(now))
        operations.run(context, "audit/verify", {})
        entries = vault.ledger.size()
        assert told == [(done, entries) for done in range(1, entries + 1)]
        told.clear()
        operations.run(replace(context, clock=vaults.Clock(vaults.EXPIRED)), "retention/sweep", {})
        assert told == [(1, 1)]
