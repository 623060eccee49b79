"""``gdprcall calls``: words for people, lines for programs, and a watch that outlives a daemon and ends when it is told to."""

import asyncio
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gdprcall import config
from gdprcall.cli import calls, watching
from gdprcall.cli.main import run
from gdprcall.consent import dialogue as d
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Kind
from tests import vaults
from tests.switchboard import Call, Switchboard
from tests.test_api import served
from tests.test_scope import configured
from tests.vaults import NUMBER

SECONDS = 20.0


@dataclass
class Site:
    """A vault and the calls of this moment, with the command line beside them."""

    vault: Vault
    board: Switchboard
    settings: config.Config
    capture: pytest.CaptureFixture[str]
    watches: list["subprocess.Popen[str]"] = field(default_factory=list)

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[None]:
        async with served(self.vault, self.settings, dict, calls=self.board.view):
            yield

    async def cli(self, *words: str) -> tuple[int, str, str]:
        """Run a command; return its status, what it printed, and what it complained of."""
        status = await asyncio.to_thread(run, ["--config", str(self.settings.path), "calls", *words])
        said = self.capture.readouterr()
        return status, said.out, said.err

    def recorded(self, number: int = 1) -> Call:
        line = self.settings.policy.lines["support"]
        return self.board.recorded(number, line, self.settings.policy.controller_of(line))

    def watch(self, *words: str, stdout: int, stderr: int = subprocess.PIPE) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "gdprcall", "--config", str(self.settings.path), "calls", "list", "--watch"]
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "160", "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [*command, *words], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, text=True, env=environment
        )
        self.watches.append(process)
        return process


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr("tests.test_api.SECONDS", 60)
    with (
        tempfile.TemporaryDirectory() as sockets,
        vaults.opened(tmp_path) as vault,
        Switchboard() as board,
        capture_logs(),
    ):
        site = Site(vault, board, configured(tmp_path, sockets=Path(sockets)), capsys)
        yield site
        for process in site.watches:
            process.kill()
            process.communicate()


async def test_a_list_says_in_words_how_each_call_stands_and_shows_no_number(site: Site) -> None:
    async with site.daemon():
        assert await site.cli("list") == (0, "no calls\n", "")
        call, refused = site.recorded(), site.recorded(2)
        site.board.run(lambda: refused.happens(d.PartyJoined("conference")))
        status, out, _ = await site.cli("list")
        assert status == 0
        heading, first, second = (line.split("\t") for line in out.splitlines())
        assert heading == ["DECISION", "CONTROLLER", "LINE", "LANG", "STATE", "SECONDS", "SEGMENT"]
        assert first[:5] == [call.facts.decision, "acme", "support", "en", "recording since 00:00:00"]
        assert (second[4], second[6]) == ("unrecorded (conference)", "1")
        rows = json.loads((await site.cli("list", "--json"))[1])
        assert [row["state"] for row in rows] == ["recording", "unrecorded"]
        assert json.loads((await site.cli("list", "--json", "--controller", "beta"))[1]) == []
        shown = out + json.dumps(rows) + (await site.cli("show", call.facts.decision))[1]
        assert NUMBER not in shown


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"state": "asking", "why": None, "since": "2026-01-01T08:00:01.000Z"}, "asking"),
        ({"state": "recording", "why": None, "since": "2026-01-01T08:00:01.000Z"}, "recording since 08:00:01"),
        ({"state": "paused", "why": "card", "since": "2026-01-01T08:00:01.000Z"}, "paused (card)"),
        ({"state": "unrecorded", "why": "refused", "since": None}, "unrecorded (refused)"),
        ({"state": "ended", "why": None, "since": None}, "ended"),
    ],
)
def test_how_a_call_stands_is_said_in_words(row: dict[str, object], said: str) -> None:
    assert calls.words(row) == said


async def test_a_call_is_shown_and_stopped_and_then_says_so(site: Site) -> None:
    async with site.daemon():
        call = site.recorded()
        id_ = call.facts.recording
        status, out, _ = await site.cli("show", id_)
        assert status == 0
        assert re.search(r"^state +recording since 00:00:00$", out, re.MULTILINE)
        assert await site.cli("stop", id_, "--reason", "request 17") == (
            0,
            f"{id_}: unrecorded (stopped_by_admin)\n",
            "",
        )
        status, _, err = await site.cli("stop", id_, "--reason", "request 17")
        assert (status, err.splitlines()[0]) == (1, "error: there is nothing to stop in this call: it is unrecorded")
    (entry,) = [entry for entry in site.vault.ledger.entries() if entry.kind is Kind.ORDERED]
    assert (entry.body or {})["role"] == "admin"


async def test_a_call_is_paused_and_resumed_and_then_says_so(site: Site) -> None:
    async with site.daemon():
        id_ = site.recorded().facts.decision
        assert await site.cli("pause", id_, "--reason", "card number") == (0, f"{id_}: paused (operator)\n", "")
        status, out, _ = await site.cli("resume", id_, "--reason", "paid", "--json")
        assert (status, json.loads(out)["why"]) == (0, None)
        cells = (await site.cli("list"))[1].splitlines()[1].split("\t")
        assert (cells[4], cells[6]) == ("recording since 00:00:00", "2")


async def test_sec_06_a_number_is_shown_for_a_reason_alone(site: Site) -> None:
    async with site.daemon():
        id_ = site.recorded().facts.decision
        for words in (["--number"], ["--reason", "request 17"], ["--number", "--reason", ""]):
            status, out, err = await site.cli("show", id_, *words)
            assert (status, out) == (2, ""), words
            assert "a number is shown for a reason" in err
        status, out, _ = await site.cli("show", id_, "--number", "--reason", "request 17", "--json")
        assert (status, json.loads(out)["number"]) == (0, NUMBER)
        assert NUMBER in (await site.cli("show", id_, "--number", "--reason", "request 18"))[1]
    noted = [entry for entry in site.vault.ledger.entries() if entry.kind is Kind.NUMBER_SHOWN]
    assert [(entry.body or {})["reason"] for entry in noted] == ["request 17", "request 18"]


async def test_what_is_not_there_is_not_found(site: Site) -> None:
    async with site.daemon():
        for words in (["show", "ab" * 16], ["stop", "ab" * 16, "--reason", "x"]):
            status, _, err = await site.cli(*words)
            assert (status, err.splitlines()[0]) == (3, f"error: there is no call {'ab' * 16}")


async def test_without_a_daemon_that_is_said_and_the_vault_is_left_alone(site: Site) -> None:
    for words in (["list"], ["show", "ab" * 16], ["stop", "ab" * 16, "--reason", "x"]):
        status, _, err = await site.cli(*words)
        assert (status, err.splitlines()[0]) == (1, "error: no daemon answers, and it alone knows the calls")


# Watching.


async def told(process: "subprocess.Popen[str]") -> dict[str, object]:
    """Return the next line of JSON that a watch prints."""
    assert process.stdout is not None
    line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), SECONDS)
    row = json.loads(line)
    assert isinstance(row, dict)
    return row


async def complained(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    return (await asyncio.wait_for(asyncio.to_thread(process.stderr.readline), SECONDS)).strip()


async def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Press Ctrl-C; return the status, and what was complained of after that."""
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.to_thread(process.communicate, timeout=SECONDS)
    return process.returncode, err


async def test_a_watch_prints_a_line_for_each_change_and_ends_cleanly(site: Site) -> None:
    process = site.watch(stdout=subprocess.PIPE)
    async with site.daemon():
        line = site.settings.policy.lines["support"]
        call = site.board.arrives(1, line, site.settings.policy.controller_of(line))
        if await complained_first(process):
            assert await complained(process) == watching.AGAIN
        first = await told(process)
        assert (first["state"], first["decision"]) == ("asking", call.facts.decision)
        site.board.clock.now += 60_000  # only the seconds change: that is no news
        await asyncio.sleep(3 * watching.LOOK_SECONDS)
        site.board.run(lambda: call.happens(d.Digit(1, "1", 9000)))
        assert (await told(process))["state"] == "recording"
        site.board.hangs_up(call)
        assert (await told(process))["state"] == "ended"
        assert await ended(process) == (0, "")


async def complained_first(process: "subprocess.Popen[str]") -> bool:
    """Whether the watch found no daemon at first."""
    assert process.stderr is not None
    assert process.stdout is not None
    descriptors = [process.stdout, process.stderr]
    ready = (await asyncio.to_thread(select.select, descriptors, [], [], SECONDS))[0]
    return process.stderr in ready and (await complained(process)) == watching.WAITING


async def test_a_watch_waits_for_a_daemon_that_is_restarted_and_says_so(site: Site) -> None:
    process = site.watch("--json", stdout=subprocess.PIPE)
    assert await complained(process) == watching.WAITING
    call = site.recorded()
    async with site.daemon():
        assert await complained(process) == watching.AGAIN
        assert (await told(process))["decision"] == call.facts.decision
    assert await complained(process) == watching.WAITING
    site.board.hangs_up(call)
    async with site.daemon():
        assert await complained(process) == watching.AGAIN
        assert (await told(process))["state"] == "ended"
        assert await ended(process) == (0, "")


async def test_a_watch_that_may_not_look_ends_with_the_reason(site: Site) -> None:
    site.settings.socket.symlink_to(site.settings.socket)
    process = site.watch("--json", stdout=subprocess.PIPE)
    _, err = await asyncio.to_thread(process.communicate, timeout=SECONDS)
    assert process.returncode == 1
    assert "error: the daemon's socket cannot be used" in err


async def test_on_a_terminal_a_table_is_drawn_anew(site: Site) -> None:
    master, slave = pty.openpty()
    process = site.watch(stdout=slave)
    os.close(slave)
    try:
        seen = await shown(master, "", watching.WAITING)
        async with site.daemon():
            call = site.recorded()
            seen = await shown(master, seen, r"recording since 00:00:00.*1 calls; Ctrl-C ends")
            site.board.run(lambda: call.happens(d.PartyJoined("conference")))
            seen = await shown(master, seen, r"unrecorded \(conference\)")
            status, err = await ended(process)
        assert (status, err) == (0, "")
        assert NUMBER not in seen
    finally:
        process.kill()
        os.close(master)


async def shown(master: int, seen: str, pattern: str) -> str:
    """Wait until a terminal shows something; return all that it showed."""
    end = time.monotonic() + SECONDS
    while not re.search(pattern, seen, re.DOTALL):
        assert time.monotonic() < end, f"only {seen!r} was shown"
        if (await asyncio.to_thread(select.select, [master], [], [], 0.2))[0]:
            seen += os.read(master, 65536).decode(errors="replace")
    return seen
