"""What agents hear of the recording: a tone at each change on their own telephone, and on no other, nor in any file."""

import time
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from tests.pbx import tones
from tests.pbx.phone import Call
from tests.pbx.speech import PACKET
from tests.pbx.talks import DIALPLAN, LINES, Placed, Scene, Talk, alone, opened
from tests.pbx.tones import AGENT, CALLER, Span, seconds

pytestmark = pytest.mark.pbx

HIGH, LOW = 1000, 500
AGENTS = 'agents = { basis = "works_agreement", notice = "2026-1", acknowledged_on = 2026-01-31, tone = true }\n'
THROUGH = """
[inbound](+)
exten => _local-.,1,Set(LINE=${CUT(EXTEN,-,2)})
 same => n,Set(DB(call/${CALLERID(num)})=${UNIQUEID})
 same => n,Gosub(gdprcall,s,1(${LINE},may))
 same => n,Dial(Local/agent@desks/n,60)
 same => n,Hangup()
[desks]
exten => agent,1,Dial(PJSIP/agent,60,b(gdprcall-desk^s^1))
"""


def heard(call: Call, since: float = 0) -> Mapping[int, list[Span]]:
    """Return when a telephone heard tones of ours, in seconds of the monotonic clock."""
    # The keys that the daemon presses come as telephone-events, which are no sound.
    packets = [packet for packet in call.stream.received if packet.at >= since and len(packet.sound) == PACKET]
    held = [tones.holds(packet.sound, (HIGH, LOW)) for packet in packets]
    return tones.spans([packet.at for packet in packets], np.array(held), (HIGH, LOW))


def pause_and_go_on(talk: Talk) -> None:
    """Pause for a card number, and go on."""
    talk.inner.press("*7")
    talk.wait_told("recording_paused")
    time.sleep(1)
    talk.inner.press("*8")
    talk.wait_told("recording_resumed")
    time.sleep(3)


def withdraw(talk: Talk) -> None:
    """Let the caller take the consent back."""
    talk.outer.press("*9")
    talk.wait_told("withdrawn")
    time.sleep(1)


def only_talk(_talk: Talk) -> None:
    """Go on."""
    time.sleep(2)


def end_at_a_doubt(talk: Talk) -> None:
    """Let another daemon find the call, which ends the recording at the first pause."""
    talk.scene.installation.kill()
    talk.scene.installation.start()
    time.sleep(1)
    talk.inner.press("*7")
    talk.wait_told("recording_stopped")
    time.sleep(1)


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Talk]]:
    lines = LINES.replace('joins = "ask"\npause', f'{AGENTS}joins = "ask"\npause')
    with opened(tmp_path_factory.mktemp("tones"), lines=lines, dialplan=DIALPLAN + THROUGH) as scene:
        yield played(scene)


def played(scene: Scene) -> dict[str, Talk]:
    scenarios = {
        "paused": ("friends", pause_and_go_on),
        "withdrawn": ("friends", withdraw),
        "local": ("friends", only_talk),
        "silent": ("complaints", only_talk),
    }
    talks = scene.play(scenarios, {"local": Placed(extension="local-friends")})
    return talks | scene.play({"found": ("friends", end_at_a_doubt)}, first=len(talks))


def test_pty_01_an_agent_hears_that_he_is_recorded_and_when_that_pauses_and_goes_on(talks: dict[str, Talk]) -> None:
    found = heard(talks["paused"].inner)
    assert [end - begin for begin, end in found[HIGH]] == pytest.approx([0.16, 0.08, 0.08, 0.16], abs=0.041)
    assert found[LOW] == []


def test_an_agent_behind_a_local_channel_hears_it_too(talks: dict[str, Talk]) -> None:
    found = heard(talks["local"].inner)
    assert (len(found[HIGH]), len(found[LOW])) == (1, 0)


def test_pty_01_an_agent_hears_that_a_recording_has_ended(talks: dict[str, Talk]) -> None:
    found = heard(talks["withdrawn"].inner)
    assert (len(found[HIGH]), len(found[LOW])) == (1, 1)


def test_pty_01_he_hears_it_too_if_it_began_under_another_daemon(talks: dict[str, Talk]) -> None:
    found = heard(talks["found"].inner)
    assert (len(found[HIGH]), len(found[LOW])) == (1, 1)


def test_pty_01_where_the_line_wants_no_tones_an_agent_hears_none(talks: dict[str, Talk]) -> None:
    assert not any(heard(talks["silent"].inner).values())


def test_no_caller_hears_what_is_for_the_agent(talks: dict[str, Talk]) -> None:
    # A question, and the word that the consent was withdrawn, hold every tone.
    for name in ("paused", "local", "silent"):
        assert not any(heard(talks[name].outer, talks[name].began - 0.2).values()), name


def test_no_tone_is_in_a_recording_nor_does_one_take_a_voice_away(talks: dict[str, Talk]) -> None:
    for name in ("paused", "local"):
        for segment in talks[name].segments():
            assert alone(segment, CALLER, AGENT), name
        last = talks[name].segments()[-1]
        assert min(seconds(last[AGENT]), seconds(last[CALLER])) > 2.8, name
