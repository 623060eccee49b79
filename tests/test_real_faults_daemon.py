"""The daemon freezes or dies in the worst second: in the prompt, between note and verdict, while it seals or erases."""

import signal
import time

import pytest

from tests.faults import fault
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Hangup, Press, Stay, Wait
from tests.pbx.installation import Installation
from tests.pbx.proxy import Proxy
from tests.pbx.speech import read_wav, whose
from tests.pbx.waiting import HEARD, KEY_SECONDS, PROMPT_SECONDS, call, locked, returned, wait_for_file

pytestmark = pytest.mark.pbx


@fault(
    "the daemon hangs in the prompt",
    caller="hears the prompt; is served 3 s after it stopped waiting for a key",
    recording="none",
    log="watchdog",
    mend="systemd kills and restarts it",
)
def test_fcl_02_a_daemon_that_freezes_in_the_prompt_costs_its_question_and_three_seconds(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, Wait(5), Press("1"), Wait(9), Hangup())
    time.sleep(1.5)
    installation.send(signal.SIGSTOP)
    assert returned(pbx, within=PROMPT_SECONDS + KEY_SECONDS + 3 - 1.5 + 0.5) == "unrecorded"
    installation.send(signal.SIGCONT)
    assert caller.wait() == 0, caller.problem()
    installation.wait_for("watchdog")
    assert installation.json("recordings", "list") == []


@fault(
    "the daemon dies in the prompt and comes back",
    caller="is served as soon as it is back, or when the question's time is over",
    recording="none",
    log="stranded_freed",
    mend="nothing; `journalctl -u gdprcall` says why it died",
)
def test_fcl_03_a_caller_whose_daemon_dies_in_the_prompt_is_freed_by_the_next(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    may = call(pbx, Wait(15), Hangup())
    must = call(pbx, Stay(15), to="support-must", number="+46701749902")
    time.sleep(1.5)
    installation.kill()
    installation.start()
    assert returned(pbx, within=8) == "unrecorded"
    assert returned(pbx, within=8, number="+46701749902") == "route"
    assert [caller.wait() for caller in (may, must)] == [0, 0]
    assert installation.json("recordings", "list") == []


@fault(
    "the daemon dies between the note and the verdict",
    caller="is served as soon as it is back, or when the question's time is over",
    recording="none; the note of the consent is closed as not started",
    log="recording_missing",
    mend="nothing; `journalctl -u gdprcall` says why it died",
)
def test_fcl_06_a_note_whose_verdict_was_never_given_ends_in_a_note_that_nothing_began(
    pbx: Asterisk, installation: Installation
) -> None:
    with Proxy(pbx.ari_port) as proxy:
        installation.replace(f":{pbx.ari_port}/", f":{proxy.port}/")
        # The verdict that records never arrives; everything else does.
        proxy.to_asterisk = lambda data: b"" if b"extension=rec" in data else data
        installation.start()
        caller = call(pbx, HEARD, Press("1"), Wait(15), Hangup())
        installation.wait_until(lambda: "decision" in installation.kinds())
        installation.kill()
        proxy.to_asterisk = lambda data: data
        installation.start()
        assert returned(pbx, within=8) == "unrecorded"
        assert caller.wait() == 0, caller.problem()
    installation.wait_for("recording_missing")
    assert [row["state"] for row in installation.json("recordings", "list")] == ["not_started"]
    assert not list(pbx.spool.iterdir())


@fault(
    "the daemon dies while it seals",
    caller="-",
    recording="sealed by the next daemon",
    log="sealed",
    mend="nothing",
)
def test_fcl_04_a_file_whose_sealing_was_cut_off_is_sealed_whole_by_the_next_daemon(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(4), Hangup())
    wait_for_file(pbx)
    installation.wait_until(lambda: "started" in installation.kinds())
    vault = installation.folder / "vault"
    # Header and payload are written, and the ledger's word is waited for, when the kill comes.
    with locked(vault / "ledger.db"):
        assert caller.wait() == 0, caller.problem()
        installation.wait_until(lambda: any(path.is_file() for path in (vault / "objects").rglob("*")))
        installation.kill()
    assert list(pbx.spool.glob("*.wav")), "the plaintext goes last"
    installation.start()
    installation.wait_until_quiet()
    (row,) = installation.json("recordings", "list")
    assert row["state"] == "sealed"
    assert min(whose(read_wav(installation.opened(str(row["id"])))).values()) >= 2
    assert "everything is as it was written" in installation.cli("audit", "verify").stdout


@fault(
    "the daemon dies while it erases",
    caller="-",
    recording="the erasure is finished by the next daemon",
    log="erasure_finished",
    mend="nothing",
)
def test_fcl_06_an_erasure_that_was_cut_off_is_finished_at_the_next_start(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    assert call(pbx, HEARD, Press("1"), Wait(2), Hangup()).wait() == 0
    installation.wait_for("sealed")
    (row,) = installation.json("recordings", "list")
    # The intent is written and the header cannot be reached when the kill comes.
    with locked(installation.folder / "vault" / "keys.db"):
        erasing = installation.begin("recordings", "erase", str(row["id"]), "--reason", "test", "--yes")
        installation.wait_until(lambda: "erasure_intended" in installation.kinds())
        installation.kill()
        assert erasing.wait(20) == 1
    installation.start()
    installation.wait_for("erasure_finished")
    assert installation.json("recordings", "list")[0]["state"] == "erased"
    assert not list((installation.folder / "vault" / "objects").glob("*/*"))
