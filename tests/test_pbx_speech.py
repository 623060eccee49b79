"""The witness of whose speech a recording holds: proven on mixes made here, before it judges any recording."""

import wave
from pathlib import Path

import numpy as np
import pytest

from tests.pbx import speech

pytestmark = pytest.mark.pbx
FIVE = 5 * speech.RATE
ALL = ("caller", "agent", "third")


def said(who: str, start: float, seconds: float, loudness: float = 0.5) -> speech.Samples:
    """Return so many seconds of a party's looped speech, begun at ``start`` seconds of it."""
    sound = np.roll(speech.reference(who), -round(start * speech.RATE))
    return np.resize(sound, round(seconds * speech.RATE)) * loudness


def through_mulaw(sound: speech.Samples) -> speech.Samples:
    """Return the sound as it is after ITU-T G.711 mu-law, by the nearest code."""
    levels = np.sort(speech.from_mulaw(bytes(range(256))))
    return levels[np.clip(np.searchsorted(levels, sound), 0, len(levels) - 1)]


def test_one_voice_alone_is_heard_all_the_time_and_the_others_never() -> None:
    assert speech.whose(said("caller", 1.3, 5), ALL) == {"caller": 5.0, "agent": 0.0, "third": 0.0}


@pytest.mark.parametrize(
    ("first", "second", "absent"), [ALL, ("agent", "third", "caller"), ("third", "caller", "agent")]
)
def test_two_voices_at_once_after_mulaw_are_both_heard_and_the_absent_one_never(
    first: str, second: str, absent: str
) -> None:
    mix = through_mulaw(said(first, 0.4, 5) + said(second, 2.9, 5, 0.4))
    found = speech.whose(mix, ALL)
    assert found[absent] == 0.0
    assert found[first] >= 4.0
    assert found[second] >= 4.0


def test_delay_and_a_stop_in_mid_speech_are_measured_to_half_a_second() -> None:
    sound = np.concatenate([np.zeros(8000), said("caller", 0, 2), np.zeros(16000)])
    assert speech.heard(sound, speech.reference("caller")) == pytest.approx(2.0, abs=0.5)


def test_half_a_second_of_a_voice_between_another_one_is_enough_to_be_heard() -> None:
    sound = said("agent", 0, 4)
    sound[16000:20800] = said("caller", 1, 0.6)
    assert speech.heard(sound, speech.reference("caller")) >= 0.5


@pytest.mark.parametrize("sound", ["silence", "noise", "tone"])
def test_no_voice_is_heard_where_nobody_speaks(sound: str) -> None:
    time = np.arange(FIVE) / speech.RATE
    sounds = {
        "silence": np.zeros(FIVE),
        "noise": np.random.default_rng(1).normal(0, 2000, FIVE),
        "tone": 3000 * np.sin(2 * np.pi * 440 * time),
    }
    assert speech.whose(sounds[sound], ALL) == dict.fromkeys(ALL, 0.0)


def test_a_recording_shorter_than_a_window_holds_nobody() -> None:
    assert speech.whose(said("caller", 0, 0.3), ALL) == dict.fromkeys(ALL, 0.0)


def test_mulaw_is_decoded_to_the_values_of_the_standard() -> None:
    # G.711 table 2a: the largest and the smallest magnitudes of both signs.
    assert speech.from_mulaw(bytes([0x80, 0x00, 0xFF, 0x7F])).tolist() == [32124.0, -32124.0, 0.0, 0.0]


def test_speech_is_made_in_whole_packets_so_that_its_loop_has_no_seam() -> None:
    for who in ALL:
        data = speech.spoken(who).read_bytes()
        assert len(data) % speech.PACKET == 0
        assert len(data) > 4 * speech.RATE


def test_a_wav_is_read_back_sample_by_sample(tmp_path: Path) -> None:
    samples = np.arange(-400, 400, dtype=np.int16)
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setparams((1, 2, speech.RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    assert speech.read_wav(tmp_path / "x.wav").tolist() == samples.tolist()


def test_speech_made_again_is_the_same_speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = speech.spoken("third").read_bytes()
    monkeypatch.setattr(speech, "FOLDER", tmp_path / "speech")
    assert speech.spoken("third") == tmp_path / "speech" / "third.ulaw"
    assert speech.spoken("third").read_bytes() == before
    assert speech.key("1").parent == tmp_path / "speech"


def test_a_key_is_one_packet_that_says_its_event_and_its_end() -> None:
    # RFC 4733 2.3: event, E|R|volume, duration in two bytes; code 10 is "*" (3.2).
    packet = speech.key("*").read_bytes()
    assert len(packet) == 50
    assert packet[:4] == bytes([10, 0x8A, 0x03, 0x20])
