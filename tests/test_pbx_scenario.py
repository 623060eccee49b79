"""What a telephone is told to do: scenarios as SIPp will read them."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.pbx import scenario
from tests.pbx.scenario import Hangup, Press, Stay, Wait

pytestmark = pytest.mark.pbx  # espeak-ng makes what they say


def read(text: str) -> list[tuple[str, str]]:
    """Return the elements of a scenario in order, with what they send or the number they wait for."""
    found = []
    for element in ElementTree.fromstring(text):
        said = (element.text or "").strip().split(" ")[0]
        waits = element.get("response") or element.get("request") or element.get("milliseconds") or ""
        stream = element.find("action/exec")
        found.append((element.tag, waits or said or ("" if stream is None else stream.get("rtp_stream", ""))))
    return found


def sent(text: str) -> list[str]:
    return [said for tag, said in read(text) if tag == "send"]


def test_a_plan_is_carried_out_after_the_answer_in_its_order() -> None:
    text = scenario.caller("+46701740601", "support", [Wait(1.5), Press("19"), Hangup()], None)
    assert read(text)[-10:] == [
        ("send", "ACK"),
        ("pause", "1500"),
        *(("send", "INFO"), ("recv", "200"), ("pause", "150")) * 2,
        ("send", "BYE"),
        ("recv", "200"),
    ]
    assert sent(text) == ["INVITE", "ACK", "INFO", "INFO", "BYE"]


def test_keys_pressed_together_have_no_pause_between_them() -> None:
    text = scenario.caller("1", "support", [Press("19", together=True), Hangup()], None)
    assert [step for step in read(text) if step[0] == "pause"] == []
    assert sent(text) == ["INVITE", "ACK", "INFO", "INFO", "BYE"]


def test_a_key_in_the_stream_of_sound_is_followed_by_the_speech_again() -> None:
    text = scenario.caller("1", "support", [Press("#", rfc4733=True), Stay(5)], "caller")
    streams = [Path(said.split(",")[0]).name for tag, said in read(text) if tag == "nop"]
    assert streams == ["caller.ulaw", "key-11.event", "caller.ulaw"]
    assert "INFO" not in sent(text)


def test_a_caller_without_a_number_calls_himself_anonymous() -> None:
    assert 'From: "anonymous" <sip:anonymous@127.0.0.1>' in scenario.caller("", "support", [Hangup()], None)


def test_a_silent_telephone_opens_no_stream() -> None:
    assert "rtp_stream=" not in scenario.caller("1", "support", [Wait(1), Hangup()], None)
    assert "rtp_stream=" not in scenario.answering([Stay(1)], None, 0)


def test_a_ringing_telephone_never_answers_the_invitation_with_ok() -> None:
    text = scenario.ringing()
    assert "180 Ringing" in text
    assert "487 Request Terminated" in text
    assert "m=audio" not in text
