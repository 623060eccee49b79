"""The witness of tones: each is found when it sounds, alone or among others, and is never found in another."""

from pathlib import Path

import numpy as np
import pytest

from tests.pbx import tones
from tests.pbx.g711 import Codec
from tests.pbx.tones import AGENT, CALLER, MUSIC, THIRD, TONES


@pytest.mark.parametrize("codec", list(Codec))
def test_a_codec_gives_back_each_of_its_codes(codec: Codec) -> None:
    meant = codec.decode(bytes(range(256)))
    assert np.array_equal(codec.decode(codec.encode(meant)), meant)


def test_the_codecs_mean_what_the_recommendation_says() -> None:
    # G.711 tables 1 and 2: the largest values, and those next to zero, scaled to 16 bits.
    assert Codec.ULAW.decode(b"\x80\x00\xff\x7f").tolist() == [32124, -32124, 0, 0]
    assert Codec.ALAW.decode(b"\xaa\x2a\xd5\x55").tolist() == [32256, -32256, 8, -8]


@pytest.mark.parametrize("codec", list(Codec))
def test_a_tone_survives_a_codec_and_is_found_alone(codec: Codec) -> None:
    for hz in TONES:
        heard = tones.in_sound(codec.decode(codec.encode(tones.tone(hz, 1))))
        assert heard == {other: [(0.0, 1.0)] if other == hz else [] for other in TONES}


def test_tones_are_found_among_others_from_where_they_begin_to_where_they_end(tmp_path: Path) -> None:
    sound = tones.tone(CALLER, 4)
    sound[8000:24000] += tones.tone(AGENT, 2)
    sound[16100:] += tones.tone(THIRD, 2)[: len(sound) - 16100]
    tones.write_wav(tmp_path / "mixed.wav", sound)
    heard = tones.in_wav(tmp_path / "mixed.wav")
    assert heard[CALLER] == [(0.0, 4.0)]
    assert heard[AGENT] == [(1.0, 3.0)]
    assert heard[THIRD] == [pytest.approx((2.0, 4.0), abs=0.02)]
    assert heard[MUSIC] == []
    assert tones.seconds(heard[AGENT]) == pytest.approx(2)


def test_two_lost_packets_are_no_gap_and_a_pause_is_one() -> None:
    sound = tones.tone(CALLER, 3)
    sound[8000:8320] = 0
    sound[16000:16800] = 0
    assert tones.in_sound(sound)[CALLER] == [(0.0, 2.0), (2.1, 3.0)]


def test_no_sound_holds_no_tone() -> None:
    assert tones.in_sound(np.zeros(0)) == {hz: [] for hz in TONES}
