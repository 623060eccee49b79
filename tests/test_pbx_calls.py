"""The private Asterisk, its callers and agents, proven with a plain dialplan before they prove anything else."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Stay, Wait
from tests.pbx.speech import read_wav, whose

pytestmark = pytest.mark.pbx

PLAIN = """
[inbound](+)
; 1xx: recorded, then the agent; 2xx: one key is read first; 3xx: the telephone that never answers; 4xx: nobody.
exten => _[12]XX,1,Answer()
 same => n,Set(CHANNEL(hangup_handler_push)=plain-end,s,1)
 same => n,MixMonitor(${GDPRCALL_SPOOL}/${EXTEN}.wav,bi(MM))
 same => n,ExecIf($["${EXTEN:0:1}"="2"]?Read(KEYS,beep,${EXTEN:2},,1,4))
 same => n,Set(DB(keys/${EXTEN})=${KEYS})
 same => n,Dial(PJSIP/agent,20,${IF($["${EXTEN}"="102"]?h)})
 same => n,Hangup()
exten => 300,1,Answer()
 same => n,Dial(PJSIP/silent,1)
 same => n,Set(DB(dialled/300)=${DIALSTATUS})
 same => n,Hangup()
exten => 400,1,Answer()
 same => n,Hangup()
exten => 401,1,Hangup(21)
exten => 500,1,Answer()
 same => n,Set(DB(number/500)=${CALLERID(num)})
 same => n,Dial(PJSIP/agent,20,F(inbound^600^1))
exten => 600,1,Hangup()
[agent-side](+)
exten => s,1,Hangup()
[plain-end]
exten => s,1,StopMixMonitor(${MM})
 same => n,Return()
"""


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    with Asterisk(tmp_path_factory.mktemp("pbx"), dialplan=PLAIN) as asterisk:
        yield asterisk


def recorded(pbx: Asterisk, extension: str) -> dict[str, float]:
    """Return whose speech the recording of an extension holds, once its file is closed."""
    deadline = time.monotonic() + 10
    while pbx.channels() and time.monotonic() < deadline:
        time.sleep(0.02)
    return whose(read_wav(pbx.spool / f"{extension}.wav"), ("caller", "agent", "third"))


def test_asterisk_starts_with_the_dialplan_as_it_is_shipped(pbx: Asterisk) -> None:
    assert "'_rec.'" in pbx.rx("dialplan show gdprcall-verdict")
    assert "gdprstop" in pbx.rx("features show")
    assert [line for line in command_lines() if str(pbx.folder) in line]


def test_a_recording_holds_the_caller_and_the_agent_and_nobody_else(pbx: Asterisk) -> None:
    with Agent(pbx) as agent, Caller(pbx, "+46701740601", "100", [Wait(4), Hangup()]) as call:
        outcome = call.result(30)
        assert agent.answered() == agent.rang() == 1
    heard = recorded(pbx, "100")
    assert outcome.ok, outcome.problem
    assert heard["caller"] >= 3
    assert heard["agent"] >= 3
    assert heard["third"] == 0.0


def test_a_silent_caller_is_not_heard(pbx: Asterisk) -> None:
    with Agent(pbx), Caller(pbx, "+46701740601", "101", [Wait(3), Hangup()], speaks=False) as call:
        assert call.result(30).ok
    heard = recorded(pbx, "101")
    assert heard["caller"] == 0.0
    assert heard["agent"] >= 2


@pytest.mark.parametrize(
    ("extension", "keys", "together", "rfc4733"),
    [
        ("201", "1", False, False),
        ("212", "*9", False, False),
        ("222", "27", True, False),
        ("231", "1", False, True),
        ("242", "#0", False, True),
        ("252", "55", True, True),
    ],
)
def test_keys_arrive_and_the_speech_after_them_is_recorded(
    pbx: Asterisk, extension: str, keys: str, together: bool, rfc4733: bool
) -> None:
    press = Press(keys, together=together, rfc4733=rfc4733)
    with Agent(pbx), Caller(pbx, "+46701740601", extension, [Wait(0.8), press, Wait(3), Hangup()]) as call:
        outcome = call.result(30)
    assert outcome.ok, outcome.problem
    # "#" ends a Read() and is not part of what it read.
    assert pbx.db("keys").get(extension, "") == keys.split("#", maxsplit=1)[0]
    heard = recorded(pbx, extension)
    assert heard["caller"] >= 2
    assert heard["agent"] >= 2


def test_a_key_pressed_by_the_agent_reaches_asterisk(pbx: Asterisk) -> None:
    # Dial's option h: Asterisk ends the call when the called party presses "*".
    with (
        Agent(pbx, steps=[Wait(1), Press("*", together=True), Stay(20)]),
        Caller(pbx, "+46701740601", "102", [Stay(20)]) as call,
    ):
        outcome = call.result(30)
    assert outcome.ok, outcome.problem
    assert not outcome.hung_up_itself
    assert outcome.ended_at is not None
    assert outcome.answered_at is not None
    assert 0.9 < outcome.ended_at - outcome.answered_at < 3


def test_a_caller_who_hangs_up_at_once_leaves_no_channel_behind(pbx: Asterisk) -> None:
    with Agent(pbx), Caller(pbx, "+46701740601", "103", [Hangup()]) as call:
        outcome = call.result(30)
    assert outcome.ok, outcome.problem
    assert outcome.hung_up_itself
    # On a busy machine it is over before the recorder begins.
    if (pbx.spool / "103.wav").exists():
        assert recorded(pbx, "103") == {"caller": 0.0, "agent": 0.0, "third": 0.0}
    assert pbx.channels() == 0


def test_a_telephone_that_never_answers_is_left_after_the_time_of_the_dialplan(pbx: Asterisk) -> None:
    with Agent(pbx, answers=False) as agent, Caller(pbx, "+46701740601", "300", [Stay(20)]) as call:
        outcome = call.result(30)
        assert agent.rang() == 1
        assert agent.answered() == 0
    assert outcome.ok, outcome.problem
    assert not outcome.hung_up_itself
    assert pbx.db("dialled") == {"300": "NOANSWER"}
    assert outcome.ended_at is not None
    assert outcome.answered_at is not None
    assert 0.9 < outcome.ended_at - outcome.answered_at < 3


def test_a_call_that_asterisk_ends_against_the_plan_is_not_ok_and_says_why(pbx: Asterisk) -> None:
    with Caller(pbx, "+46701740601", "400", [Wait(5), Hangup()]) as call:
        outcome = call.result(30)
    assert not outcome.ok
    assert "BYE" in outcome.problem


def test_a_call_that_is_refused_was_not_answered(pbx: Asterisk) -> None:
    with Caller(pbx, "+46701740601", "401", [Wait(1), Hangup()]) as call:
        outcome = call.result(30)
    assert not outcome.ok
    assert outcome.answered_at is None
    assert "SIP/2.0 4" in outcome.problem or "SIP/2.0 6" in outcome.problem


def test_a_caller_without_a_number_arrives_as_anonymous(pbx: Asterisk) -> None:
    with Agent(pbx), Caller(pbx, "", "500", [Wait(0.5), Hangup()]) as call:
        assert call.result(30).ok
    assert pbx.db("number") == {"500": "anonymous"}


def test_an_agent_can_be_slow_to_answer_and_speak_with_a_third_voice(pbx: Asterisk) -> None:
    with Agent(pbx, delay=1, voice="third"), Caller(pbx, "1", "104", [Wait(4), Hangup()]) as call:
        assert call.result(30).ok
    sound = read_wav(pbx.spool / "104.wav")
    # "b": nothing is written before the bridge, so the second of ringing is not in it.
    assert 2.5 < len(sound) / 8000 < 3.5
    heard = recorded(pbx, "104")
    assert heard["agent"] == 0.0
    assert heard["third"] >= 2


def test_ten_calls_side_by_side_are_all_recorded_with_both_voices(pbx: Asterisk) -> None:
    extensions = [str(110 + number) for number in range(10)]
    with Agent(pbx) as agent:
        calls = [Caller(pbx, f"+4670174060{e[-1]}", e, [Wait(4), Hangup()]).start() for e in extensions]
        try:
            outcomes = [call.result(60) for call in calls]
        finally:
            for call in calls:
                call.stop()
        deadline = time.monotonic() + 5  # its last lines may still be on their way to the file
        while agent.answered() < 10 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert agent.answered() == 10
    assert [outcome.problem for outcome in outcomes if not outcome.ok] == []
    for extension in extensions:
        heard = recorded(pbx, extension)
        assert heard["caller"] >= 3, extension
        assert heard["agent"] >= 3, extension


def test_no_number_of_a_caller_is_in_the_name_of_a_file(pbx: Asterisk) -> None:
    names = [path.name for path in pbx.folder.rglob("*")]
    assert any(name.endswith(".messages") for name in names)
    assert not [name for name in names if "4670174" in name]


def test_a_killed_asterisk_starts_again_with_its_database(tmp_path: Path) -> None:
    with Asterisk(tmp_path / "pbx", dialplan=PLAIN) as asterisk:
        asterisk.rx("database put kept x 1")
        # An orderly stop first: Asterisk writes its database from a thread of its own, about once a second.
        asterisk.stop()
        asterisk.start()
        assert asterisk.db("kept") == {"x": "1"}
        asterisk.kill()
        asterisk.start()
        assert asterisk.db("kept") == {"x": "1"}
        memory = asterisk.spool.parent
    assert not memory.exists()


def test_an_asterisk_that_cannot_start_says_so_and_leaves_nothing_behind(tmp_path: Path) -> None:
    asterisk = Asterisk(tmp_path / "pbx")
    (tmp_path / "pbx" / "etc" / "modules.conf").write_text("[modules]\nautoload=no\nrequire=no_such_module.so\n")
    with pytest.raises(RuntimeError, match="did not start"), asterisk:
        pass
    assert not asterisk.spool.parent.exists()
    assert not [line for line in command_lines() if str(tmp_path) in line]


def command_lines() -> list[str]:
    """Return the command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found
