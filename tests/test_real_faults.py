"""What a caller meets, and what is kept, when the daemon is dead, frozen, killed, replaced or badly configured.

Each test has real calls on a real Asterisk; the daemon is a process that is stopped, killed and frozen.
"""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults import fault
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Caller, Hangup, Press, Stay, Step, Wait
from tests.pbx.installation import Installation
from tests.pbx.speech import read_wav, whose

pytestmark = pytest.mark.pbx

NUMBER = "+46701749901"
HEARD = Wait(8.8)


def call(pbx: Asterisk, *steps: Step, to: str = "support") -> Caller:
    return Caller(pbx, NUMBER, to, list(steps)).start()


def recording(installation: Installation) -> dict[str, object]:
    (row,) = installation.json("recordings", "list")
    return row


def wait_for_file(pbx: Asterisk) -> None:
    deadline = time.monotonic() + 20
    while not list(pbx.spool.glob("*.wav")):
        assert time.monotonic() < deadline, "no recording began"
        time.sleep(0.02)


@fault(
    "the daemon does not run",
    caller="is served at once; on a `must` line is routed",
    recording="none",
    log="",
    mend="`systemctl status gdprcall`",
)
def test_fcl_02_without_a_daemon_calls_go_on_unrecorded_and_must_lines_are_routed(
    pbx: Asterisk, installation: Installation
) -> None:
    begun = time.monotonic()
    may = call(pbx, Wait(2), Hangup())
    assert may.wait() == 0, may.problem()
    assert time.monotonic() - begun < 3.5
    assert pbx.db("result")[NUMBER] == "unrecorded"
    must = call(pbx, Stay(10), to="support-must")
    assert must.wait() == 0, must.problem()
    assert pbx.db("result")[NUMBER] == "route"
    assert not list(pbx.spool.iterdir())


@fault(
    "the daemon hangs when a call comes",
    caller="is served after 3 s",
    recording="none",
    log="watchdog",
    mend="systemd kills and restarts it",
)
def test_fcl_02_a_frozen_daemon_costs_a_caller_three_seconds_and_no_recording(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    installation.send(signal.SIGSTOP)
    caller = call(pbx, Wait(5), Hangup())
    deadline = time.monotonic() + 4.5
    while NUMBER not in pbx.db("result"):
        assert time.monotonic() < deadline, "the caller still waits"
        time.sleep(0.05)
    assert pbx.db("result")[NUMBER] == "unrecorded"
    installation.send(signal.SIGCONT)
    assert caller.wait() == 0, caller.problem()
    installation.wait_for("watchdog")
    assert installation.json("recordings", "list") == []


@fault(
    "the caller withdraws while the daemon is dead",
    caller="hears the confirmation",
    recording="stops at once, destroyed at the next start",
    log="withdrawn",
    mend="nothing",
)
def test_con_08_a_withdrawal_while_the_daemon_is_dead_destroys_the_recording_when_it_is_back(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(3), Press("*9"), Wait(2), Hangup())
    wait_for_file(pbx)
    installation.kill()
    assert caller.wait() == 0, caller.problem()
    assert len(pbx.db("gdprcall/withdrawn")) == 1
    assert list(pbx.spool.glob("*.wav")), "nobody was there to take the file"
    installation.start()
    installation.wait_until_quiet()
    installation.wait_for("withdrawn")
    row = recording(installation)
    assert row["state"] == "erased"
    assert not list((installation.folder / "vault" / "objects").glob("*/*"))
    deadline = time.monotonic() + 30
    while pbx.db("gdprcall/withdrawn"):
        assert time.monotonic() < deadline, "the mark is forgotten once the erasure is durable"
        time.sleep(0.05)


@fault(
    "the caller withdraws, and the daemon hears of that and of the finished file at once",
    caller="hears the confirmation",
    recording="stops at once, destroyed, whichever comes first",
    log="withdrawn",
    mend="nothing",
)
def test_con_08_a_withdrawal_that_races_with_the_sealing_of_its_file_destroys_it(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(2), Press("*9"), Wait(2), Hangup())
    wait_for_file(pbx)
    installation.wait_until(lambda: "started" in installation.kinds())
    # Both links and the spool go on telling a daemon that stands still, and then it hears all of it in one moment.
    installation.send(signal.SIGSTOP)
    assert caller.wait() == 0, caller.problem()
    installation.send(signal.SIGCONT)
    installation.wait_for("withdrawn")
    installation.wait_until_quiet()
    assert recording(installation)["state"] == "erased"
    assert not list((installation.folder / "vault" / "objects").glob("*/*"))
    assert not list(pbx.spool.glob("*.wav"))
    assert "everything is as it was written" in installation.cli("audit", "verify").stdout


@fault(
    "the daemon is killed while it records",
    caller="notices nothing",
    recording="goes on; sealed by the next daemon",
    log="sealed",
    mend="nothing",
)
def test_fcl_04_a_recording_outlives_a_killed_daemon_and_is_sealed_by_the_next(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(5), Hangup())
    wait_for_file(pbx)
    installation.kill()
    installation.start()
    assert list(pbx.spool.glob("*.wav")), "a file that is still written to is left alone"
    assert caller.wait() == 0, caller.problem()
    installation.wait_until_quiet()
    installation.wait_for("sealed")
    row = recording(installation)
    assert row["state"] == "sealed"
    seconds = whose(read_wav(installation.opened(str(row["id"]))))
    assert min(seconds.values()) >= 3


def test_pty_04_after_a_restart_a_party_that_nobody_asked_still_ends_the_recording(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(14), Hangup())
    wait_for_file(pbx)
    installation.kill()
    installation.start()
    channels = [line.split("!") for line in pbx.rx("core show channels concise").splitlines()]
    (dialling,) = [fields[0] for fields in channels if len(fields) > 12 and fields[5] == "Dial"]
    pbx.rx(f"channel originate Local/300@agent-side application BridgeAdd {dialling}")
    (stopped,) = installation.wait_for("recording_stopped")
    assert stopped["reason"] == "party_joined"
    assert caller.wait() == 0, caller.problem()
    installation.wait_until_quiet()
    assert recording(installation)["state"] == "sealed"


def test_con_08_a_withdrawal_after_the_daemon_came_back_still_destroys_the_recording(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(4), Press("*9"), Wait(2), Hangup())
    wait_for_file(pbx)
    installation.kill()
    installation.start()
    assert caller.wait() == 0, caller.problem()
    installation.wait_for("withdrawn")
    installation.wait_until_quiet()
    assert recording(installation)["state"] == "erased"


@fault(
    "a file that no decision explains is in the spool",
    caller="-",
    recording="destroyed; kept sealed if the ledger is damaged",
    log="plaintext_without_decision",
    mend="find out who wrote it",
)
def test_fcl_04_sound_that_no_decision_explains_is_destroyed(pbx: Asterisk, installation: Installation) -> None:
    stray = pbx.spool / f"{'0123456789abcdef' * 2}.1.wav"
    stray.write_bytes(bytes(100_000))
    installation.start()
    installation.wait_for("plaintext_without_decision")
    installation.wait_until_quiet()
    assert [entry["kind"] for entry in installation.json("audit", "log")][-1] == "discarded"


@fault(
    "the configuration is broken at a reload",
    caller="is served at once",
    recording="none new, until it is mended",
    log="reload_refused reloaded",
    mend="`gdprcall check`",
)
def test_fcl_07_a_bad_reload_records_nobody_until_it_is_mended(pbx: Asterisk, installation: Installation) -> None:
    installation.start()
    good = installation.config.read_text()
    installation.config.write_text(good.replace('basis = "consent"', 'basis = "because"'))
    installation.send(signal.SIGHUP)
    installation.wait_for("reload_refused")
    caller = call(pbx, Wait(2), Hangup())
    assert caller.wait() == 0, caller.problem()
    assert pbx.db("result")[NUMBER] == "unrecorded"
    installation.config.write_text(good)
    installation.send(signal.SIGHUP)
    installation.wait_for("reloaded")
    caller = call(pbx, Wait(1), Press("2"), Wait(1), Hangup())
    assert caller.wait() == 0, caller.problem()
    assert installation.json("decisions", "list")[0]["outcome"] == "refused"


@fault(
    "a second daemon is started",
    caller="notices nothing",
    recording="as before; the second one is refused",
    log="",
    mend="run one daemon for each vault",
)
def test_a_second_daemon_is_refused_with_a_sentence_and_the_first_goes_on(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    second = installation.cli("serve", check=False)
    assert second.returncode == 1
    assert "in use" in second.stderr
    assert "hint:" in second.stderr
    assert installation.cli("status", "--json").returncode == 0


@fault(
    "another program takes the ARI application",
    caller="is served",
    recording="none new; running ones go on",
    log="fatal",
    mend="run one daemon for each Asterisk",
)
def test_another_program_that_takes_the_application_ends_the_daemon_with_an_error(
    pbx: Asterisk, installation: Installation, tmp_path: Path
) -> None:
    installation.start()
    other = Installation(tmp_path / "other", pbx)
    other.prepare()
    with other:
        installation.wait_for("fatal")
        assert installation.ended(10) == 1
    assert "another program took" in installation.log_path.read_text()


def test_sigterm_ends_the_daemon_in_order(pbx: Asterisk, installation: Installation) -> None:
    installation.start()
    assert installation.stop() == 0
    assert installation.log("stopped")
    kinds = [entry["kind"] for entry in installation.json("audit", "log")]
    assert (kinds[0], kinds[-1]) == ("daemon_started", "daemon_stopped")
    # The key of the first checkpoint is noted between the two, when the checkpoint comes before the end.
    assert set(kinds[1:-1]) <= {"recipients_changed", "log_key"}


def test_sigterm_ends_the_daemon_though_a_call_is_being_recorded_and_the_next_daemon_seals_it(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(5), Hangup())
    wait_for_file(pbx)
    installation.send(signal.SIGTERM)
    assert installation.ended(4) == 0
    assert caller.wait() == 0, caller.problem()
    installation.start()
    installation.wait_until_quiet()
    assert recording(installation)["state"] == "sealed"


@pytest.mark.parametrize(
    ("old", "new", "place", "mend"),
    [
        ('basis = "consent"', 'basis = "maybe"', "lines.support.basis", "consent"),
        ('country = "SE"', 'country = "Sweden"', "controllers.acme.country", "correct it"),
        ("ami_port", "amiport", "asterisk.amiport", "did you mean ami_port?"),
        ("[vault]", "[vault", "gdprcall.toml", "line"),
        ('controller = "acme"', 'controller = "acne"', "lines.support.controller", "acme"),
    ],
)
def test_a_broken_configuration_names_file_key_and_mend(
    installation: Installation, old: str, new: str, place: str, mend: str
) -> None:
    installation.config.write_text(installation.config.read_text().replace(old, new))
    for command in ("check", "serve"):
        done = installation.cli(command, check=False)
        assert done.returncode == 2
        assert place in done.stderr
        assert mend in done.stderr
        assert "Traceback" not in done.stderr


def test_an_unknown_recording_exits_3(installation: Installation) -> None:
    done = installation.cli("recordings", "show", "0" * 32, check=False)
    assert (done.returncode, "error: " in done.stderr) == (3, True)


def test_the_process_title_and_environment_show_no_secret(pbx: Asterisk, installation: Installation) -> None:
    installation.start()
    for name in ("cmdline", "environ"):
        shown = Path(f"/proc/{installation.pid}/{name}").read_bytes()
        assert pbx.ari_password.encode() not in shown
        assert pbx.ami_password.encode() not in shown
    assert subprocess.run(["ps", "-o", "args=", "-p", str(installation.pid)], capture_output=True, check=True).stdout
