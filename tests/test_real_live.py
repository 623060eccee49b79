"""The calls of this moment, seen and stopped while real callers talk, by both front ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gdprcall import config
from gdprcall.cli.backend import Away, Backend
from gdprcall.cli.watching import AGAIN, WAITING
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Press, Stay, Step, Wait
from tests.pbx.installation import Installation
from tests.pbx.speech import read_wav, whose
from tests.pbx.waiting import HEARD, PROMPT_SECONDS, call, returned

pytestmark = pytest.mark.pbx
NUMBER = "+46701749901"
WHY = ("--reason", "request 17")


@pytest.fixture(scope="module", params=["ari", "agi"])
def asterisk(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Asterisk]:
    """Return a private Asterisk whose callers are asked by one of the front ends, and whose agent answers."""
    folder = tmp_path_factory.mktemp(str(request.param))
    with Asterisk(folder, stasis=request.param == "ari") as asterisk, Agent(asterisk):
        yield asterisk


@pytest.fixture
def site(asterisk: Asterisk, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """Return a running gdprcall beside it."""
    installation = Installation(tmp_path / "app", asterisk, fronts=[request.node.callspec.params["asterisk"]])
    installation.prepare()
    asterisk.rx("database deltree result")
    with installation:
        yield installation


@contextmanager
def talking(asterisk: Asterisk, *steps: Step) -> Iterator[None]:
    """Place a call that lasts until the end, and is up then."""
    caller = call(asterisk, *steps, Stay(120))
    try:
        yield
        assert asterisk.channels() == 2, "caller and agent talk"
    finally:
        asterisk.rx("channel request hangup all")
        caller.stop()


def asked(site: Installation, name: str, **params: object) -> Any:
    """Ask the daemon as the command line does, without starting one each time: that takes seconds on a busy host."""
    return Backend(config.load(site.config)).ask(name, params)


def standing(site: Installation, wanted: str, seconds: float = 30, *, at_least: int = 0) -> dict[str, Any]:
    """Wait until the one call stands so, for so many seconds, and return it."""
    found: list[dict[str, Any]] = []

    def so() -> bool:
        with suppress(Away):  # a daemon that is just being started
            found[:] = asked(site, "calls/list")
        return [row["state"] for row in found] == [wanted] and (found[0]["seconds"] or 0) >= at_least

    site.wait_until(so, seconds)
    return found[0]


def bodies(site: Installation, kind: str) -> list[dict[str, Any]]:
    """Return what the ledger says in the entries of a kind."""
    return [row["body"] for row in asked(site, "audit/log", kind=kind)]


def test_a_call_is_seen_asked_then_recorded_and_a_stop_ends_the_recording_and_not_the_call(
    asterisk: Asterisk, site: Installation
) -> None:
    with talking(asterisk, HEARD, Press("1")):
        first = standing(site, "asking")
        assert (first["line"], first["controller"], first["recording"]) == ("support", "acme", None)
        row = standing(site, "recording")
        decision, recording = str(row["decision"]), str(row["recording"])
        assert (decision, row["segment"]) == (first["decision"], 1)
        standing(site, "recording", at_least=4)
        assert NUMBER not in site.cli("calls", "list").stdout + json.dumps(row)
        assert NUMBER in site.cli("calls", "show", decision, "--number", *WHY).stdout

        assert site.cli("calls", "stop", decision, *WHY).stdout == f"{decision}: unrecorded (stopped_by_admin)\n"
        site.wait_until_quiet()
        assert standing(site, "unrecorded")["why"] == "stopped_by_admin"

        (kept,) = asked(site, "recordings/list")
        assert (kept["id"], kept["state"]) == (recording, "sealed")
        heard = whose(read_wav(site.opened(recording)))
        assert min(heard["caller"], heard["agent"]) >= 2
        asker = {"decision": decision, "reason": "request 17", "actor": f"uid:{os.getuid()}", "role": "admin"}
        assert bodies(site, "ordered") == [{**asker, "what": "stop"}]
        assert bodies(site, "number_shown") == [asker]
        assert bodies(site, "stopped") == [{"reason": "stopped_by_admin"}]
    site.wait_until(lambda: asked(site, "calls/list") == [])
    assert NUMBER not in site.log_path.read_text()
    assert asked(site, "audit/verify")["findings"] == []


def test_a_stop_in_the_prompt_lets_the_call_go_on_unrecorded(asterisk: Asterisk, site: Installation) -> None:
    with talking(asterisk):
        decision = str(standing(site, "asking")["decision"])
        assert asked(site, "calls/stop", id=decision, reason="request 17")["why"] == "stopped_by_admin"
        # AGI plays in the caller's own thread: the way on comes when the sound is over.
        assert returned(asterisk, within=3 + PROMPT_SECONDS) == "unrecorded"
        site.wait_until(lambda: asterisk.channels() == 2)
        assert standing(site, "unrecorded")["why"] == "stopped_by_admin"
        assert list(asterisk.spool.glob("*.wav")) == []
    (row,) = asked(site, "decisions/list")
    assert (row["outcome"], row["reason"], row["recording"]) == ("system_fail", "stopped_by_admin", None)


def test_a_recording_that_is_paused_by_order_goes_on_by_order_in_a_segment_of_its_own(
    asterisk: Asterisk, site: Installation
) -> None:
    with talking(asterisk, HEARD, Press("1")):
        decision = str(standing(site, "recording")["decision"])
        site.wait_until(lambda: asterisk.channels() == 2)
        standing(site, "recording", at_least=3)
        paused = asked(site, "calls/pause", id=decision, reason="card number")
        assert (paused["state"], paused["why"]) == ("paused", "operator")
        site.wait_until_quiet()
        standing(site, "paused", at_least=2)
        assert list(asterisk.spool.glob("*.wav")) == []
        asked(site, "calls/resume", id=decision, reason="paid")
        row = standing(site, "recording", at_least=3)
        assert row["segment"] == 2
        assert asked(site, "calls/stop", id=decision, reason="request 17")["why"] == "stopped_by_admin"
        site.wait_until_quiet()
        parts = asked(site, "recordings/show", id=row["recording"])["parts"]
        assert [(part["segment"], part["seconds"] >= 2) for part in parts] == [(1, True), (2, True)]
        assert [body["what"] for body in bodies(site, "ordered")] == ["pause", "resume", "stop"]


def test_who_refuses_is_seen_unrecorded_until_he_hangs_up(asterisk: Asterisk, site: Installation) -> None:
    with talking(asterisk, Wait(2), Press("2")):
        assert standing(site, "unrecorded")["why"] == "refused"
        site.wait_until(lambda: asterisk.channels() == 2)
    site.wait_until(lambda: asked(site, "calls/list") == [])


def test_a_watch_outlives_the_daemon_and_the_recording_of_the_one_before_is_stopped(
    pbx: Asterisk, installation: Installation
) -> None:
    out = installation.folder / "watch"
    command = [sys.executable, "-m", "gdprcall", "--config", str(installation.config), "calls", "list", "--watch"]
    with out.open("wb") as lines:
        watch = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=lines, stderr=lines, env=installation.environment()
        )

    def said(text: str, times: int) -> None:
        installation.wait_until(lambda: out.read_text().count(text) == times, 60)

    try:
        said(WAITING, 1)
        installation.start()
        said(AGAIN, 1)
        with talking(pbx, HEARD, Press("1")):
            decision = standing(installation, "recording")["decision"]
            installation.wait_until(lambda: '"state": "recording"' in out.read_text(), 60)
            installation.kill()
            said(WAITING, 2)
            installation.start()
            row = standing(installation, "recording")
            assert (row["decision"], row["line"], row["segment"]) == (decision, "support", 1)
            said(AGAIN, 2)
            assert asked(installation, "calls/stop", id=decision, reason="request 17")["state"] == "unrecorded"
            installation.wait_until_quiet()
            said('"unrecorded"', 1)
        said('"ended"', 1)
        watch.send_signal(signal.SIGINT)
        assert watch.wait(30) == 0
    finally:
        watch.kill()
        watch.wait()
    told = out.read_text()
    states = [json.loads(line)["state"] for line in told.splitlines() if line.startswith("{")]
    unlike = [state for place, state in enumerate(states) if place == 0 or states[place - 1] != state]
    # Between the verdict and the file a look may fall.
    assert [state for state in unlike if state != "starting"] == ["asking", "recording", "unrecorded", "ended"]
    assert NUMBER not in told
