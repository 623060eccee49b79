"""Recordings of a person: what is taken, what is refused and why, and what callers hear of it."""

import array
import struct
import wave
from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall.errors import Refused
from gdprcall.policy.model import Keys, Policy
from gdprcall.prompts import catalogue, store, studio, texts
from gdprcall.prompts.texts import Kind
from tests.voices import ACME, SUPPORT, Tones, hum

TEXT = "Press 1 to agree, or 2 to go on without recording."
LINE = replace(SUPPORT, keys=Keys(more=""), languages=("en",))
POLICY = Policy({"acme": ACME}, {"support": LINE})


def written(path: Path, data: bytes, *, channels: int = 1, width: int = 2, rate: int = 16_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


def test_a_recording_that_fits_its_text_has_no_fault() -> None:
    assert list(studio.faults(hum(4), TEXT)) == []


@pytest.mark.parametrize(
    ("sound", "fault"),
    [
        (hum(0.5), "lasts 0.5 s"),
        (hum(30), "lasts 30.0 s"),
        (hum(4, peak=5), "is silent"),
        (hum(4, peak=150), "has a level of -50 dB"),
        (hum(4, peak=30_000), "has a level of -4 dB"),
        (studio.Sound(hum(1.5).samples + array.array("h", bytes(2 * 32_000)) + hum(0.01).samples, 16_000), ""),
        (
            studio.Sound(array.array("h", bytes(2 * 32_000)) + hum(3).samples, 16_000),
            "2.0 s of silence at its beginning",
        ),
        (studio.Sound(hum(3).samples + array.array("h", bytes(2 * 32_000)), 16_000), "2.0 s at its end"),
    ],
    ids=["short", "long", "silent", "quiet", "loud", "pause", "late", "early"],
)
def test_what_cannot_be_what_the_text_says_is_told(sound: studio.Sound, fault: str) -> None:
    found = list(studio.faults(sound, TEXT))
    assert any(fault in one for one in found) if fault else found == [], found


def test_a_clipped_recording_is_told() -> None:
    loud = hum(4)
    for place in range(0, 800, 80):
        loud.samples[place] = studio.FULL_SCALE
    assert any("clipped" in one for one in studio.faults(loud, TEXT))


@pytest.mark.parametrize("width", [2, 3])
def test_16_and_24_bits_are_read_alike(tmp_path: Path, width: int) -> None:
    samples = hum(1).samples
    data = samples.tobytes() if width == 2 else b"".join(struct.pack("<i", value << 8)[:3] for value in samples)
    sound = studio.read(written(tmp_path / "a.wav", data, width=width))
    assert (sound.samples, sound.rate, sound.seconds) == (samples, 16_000, 1.0)


@pytest.mark.parametrize(
    ("shape", "fault"),
    [
        ({"channels": 2}, "2 channels"),
        ({"width": 1}, "8 bits"),
        ({"width": 4}, "32 bits"),
        ({"rate": 8000}, "8000 samples a second"),
    ],
    ids=["stereo", "8 bits", "32 bits", "telephone"],
)
def test_another_format_is_refused_with_how_to_convert_it(tmp_path: Path, shape: dict[str, int], fault: str) -> None:
    with pytest.raises(Refused, match=fault) as caught:
        studio.read(written(tmp_path / "a.wav", bytes(4800), **shape))
    assert "sox a.wav" in caught.value.hint or "anew" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"RIFF", b"ID3" + bytes(100)])
def test_what_is_no_wav_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(Refused, match="no WAV file"):
        studio.read(path)
    with pytest.raises(Refused, match="cannot be read"):
        studio.read(tmp_path / "nothing.wav")


def test_every_fault_of_every_part_is_told_at_once() -> None:
    said = texts.words(LINE, ACME, "en")
    with pytest.raises(Refused) as caught:
        studio.take_in(said, Kind.CONSENT, [hum(1), hum(4, peak=5)], "studio", 1)
    assert "part 1 (mandatory) lasts" in caught.value.message
    assert "part 2 (keys) is silent" in caught.value.message


@pytest.mark.pbx
def test_a_recorded_prompt_is_heard_instead_of_the_synthesisers_and_both_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(__file__).parents[1] / '.pbx' / 'bin'}:/usr/bin:/bin")
    sounds, kept = tmp_path / "sounds", tmp_path / "store"
    catalogue.build(POLICY, sounds, kept, Tones(), clock=lambda: 1)
    spoken = catalogue.Catalogue(POLICY, sounds, kept).find("support", "en")
    said = texts.words(LINE, ACME, "en")
    recorded, wavs = studio.take_in(said, Kind.CONSENT, [hum(20), hum(4, pitch=500)], "studio", 2)
    assert studio.put(recorded, wavs, sounds, kept)
    assert not studio.put(recorded, wavs, sounds, kept), "nothing is new the second time"
    found = catalogue.Catalogue(POLICY, sounds, kept).find("support", "en")
    assert found is not None
    assert (found.sha256, found.engine) == (recorded.sha256, "studio")
    assert (found.mandatory_ms, found.total_ms) == (20_000, 24_000 + store.PAUSE_MS)
    assert spoken is not None
    assert (kept / f"{spoken.sha256}.wav").exists(), "proofs still refer to it"
    with wave.open(str(sounds / "en" / "gdprcall" / f"{found.sha256}.wav16")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16_000, 1, 16 * 24_300)
    assert not any(one.new for one in catalogue.build(POLICY, sounds, kept, Tones())), "it is not spoken over"
    other = replace(recorded, text="another text")
    with pytest.raises(Refused, match="another text"):
        studio.put(other, wavs, sounds, kept)
