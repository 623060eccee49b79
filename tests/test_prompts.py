"""Prompts: complete in each language, named by what they are, and never played when they are not what was built."""

import math
import os
import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall.errors import ConfigError, GdprcallError
from gdprcall.policy.model import Basis, Controller, Line, Policy
from gdprcall.prompts import catalogue, store, synthesis, texts

ACME = Controller("acme", "Acme Telecom", "privacy@acme.example", "SE", "https://acme.example/calls", ("age1",))
SUPPORT = Line("support", "acme", "quality", Basis.CONSENT, texts.LANGUAGES, 30)
POLICY = Policy({"acme": ACME}, {"support": SUPPORT})
BIN = Path(__file__).parents[1] / ".pbx" / "bin"


class Tones:
    """A synthesiser that hums: a fifth of a second for each word, its pitch the word's length."""

    name = "tones"

    def __init__(self) -> None:
        self.spoken = 0

    def speak(self, text: str, voice: str) -> synthesis.Speech:
        self.spoken += 1
        return synthesis.Speech(
            {rate: b"".join(self._hum(word, rate) for word in text.split()) for rate in synthesis.RATES}
        )

    def _hum(self, word: str, rate: int) -> bytes:
        samples = [round(9000 * math.sin(place * len(word) * 600 / rate)) for place in range(rate // 5)]
        return struct.pack(f"<{len(samples)}h", *samples)


def built(tmp_path: Path, policy: Policy = POLICY) -> catalogue.Catalogue:
    catalogue.build(policy, tmp_path / "sounds", tmp_path / "store", Tones())
    return catalogue.Catalogue(policy, tmp_path / "sounds", tmp_path / "store")


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("purpose", texts.PURPOSES)
def test_inf_01_the_mandatory_part_has_every_slot_filled(language: str, purpose: str) -> None:
    said = texts.words(replace(SUPPORT, purpose=purpose), ACME, language)
    for slot in ("Acme Telecom", "30", "acme", "9"):
        assert slot in said.mandatory
    assert "{" not in said.text
    assert "1" in said.keys
    assert "2" in said.keys


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_inf_08_no_text_says_that_a_call_may_be_recorded(language: str) -> None:
    said = texts.words(SUPPORT, ACME, language).text
    assert not re.search(r"\b(may|might|could|kann|könnte|kan komma)\b", said, re.IGNORECASE)


@pytest.mark.parametrize(
    ("language", "days", "spoken"),
    [
        ("en", 30, "in 30 days"),
        ("en", 1, "in 1 day"),
        ("sv", 30, "om 30 dagar"),
        ("de", 30, "in 30 Tagen"),
        ("de", 400, "in 400 Tagen"),
    ],
)
def test_ret_01_the_retention_is_spoken_in_days_as_the_policy_says(language: str, days: int, spoken: str) -> None:
    assert spoken in texts.words(replace(SUPPORT, retention_days=days), ACME, language).mandatory


@pytest.mark.parametrize(("language", "spoken"), [("en", "star 9"), ("sv", "stjärna 9"), ("de", "Stern 9")])
def test_con_07_the_withdrawal_code_is_spoken_as_words(language: str, spoken: str) -> None:
    assert spoken in texts.words(SUPPORT, ACME, language).mandatory


def test_the_address_of_the_notice_is_spoken_as_words() -> None:
    assert "acme dot example slash calls" in texts.words(SUPPORT, ACME, "en").mandatory


def test_con_04_a_prompt_is_named_by_its_content_and_its_text_is_kept(tmp_path: Path) -> None:
    prompt = built(tmp_path).find("support", "sv")
    assert prompt is not None
    sound = tmp_path / "sounds" / "sv" / "gdprcall" / f"{prompt.sha256}.wav"
    kept = tmp_path / "store" / f"{prompt.sha256}.wav"
    assert sound.read_bytes() == kept.read_bytes()
    assert prompt.media == f"sound:gdprcall/{prompt.sha256}"
    assert prompt.text == texts.words(SUPPORT, ACME, "sv").text
    assert (tmp_path / "sounds" / "sv" / "gdprcall" / f"{prompt.sha256}.wav16").exists()


def test_con_03_the_mandatory_part_is_as_long_as_its_words(tmp_path: Path) -> None:
    prompt = built(tmp_path).find("support", "en")
    assert prompt is not None
    said = texts.words(SUPPORT, ACME, "en")
    assert prompt.mandatory_ms == 200 * len(said.mandatory.split())
    pauses = 2 * store.PAUSE_MS  # before the keys, and before the key that tells more
    assert prompt.total_ms == prompt.mandatory_ms + pauses + 200 * len(said.keys.split())


def test_building_again_builds_nothing_new(tmp_path: Path) -> None:
    built(tmp_path)
    tones = Tones()
    again = catalogue.build(POLICY, tmp_path / "sounds", tmp_path / "store", tones)
    assert tones.spoken == 0
    assert not any(one.new for one in again)


def test_inf_05_a_prompt_that_is_missing_or_changed_is_not_played(tmp_path: Path) -> None:
    known = built(tmp_path)
    prompt = known.find("support", "en")
    assert prompt is not None
    sound = tmp_path / "sounds" / "en" / "gdprcall" / f"{prompt.sha256}.wav"
    whole = sound.read_bytes()
    sound.write_bytes(whole[:-2] + b"xx")
    os.utime(sound, ns=(0, 0))
    assert known.find("support", "en") is None
    assert known.missing() == [("support", "en")]
    sound.unlink()
    assert known.find("support", "en") is None
    assert known.find("support", "sv") is not None


def test_a_sound_that_was_changed_before_the_start_is_found_by_its_hash(tmp_path: Path) -> None:
    prompt = built(tmp_path).find("support", "en")
    assert prompt is not None
    sound = tmp_path / "sounds" / "en" / "gdprcall" / f"{prompt.sha256}.wav"
    sound.write_bytes(sound.read_bytes()[:-2] + b"xx")
    assert catalogue.Catalogue(POLICY, tmp_path / "sounds", tmp_path / "store").find("support", "en") is None


def test_inf_01_a_policy_that_says_something_else_needs_a_new_prompt(tmp_path: Path) -> None:
    built(tmp_path)
    longer = Policy({"acme": ACME}, {"support": replace(SUPPORT, retention_days=60)})
    assert catalogue.Catalogue(longer, tmp_path / "sounds", tmp_path / "store").find("support", "en") is None
    assert built(tmp_path, longer).find("support", "en") is not None


def test_a_manifest_that_cannot_be_read_counts_as_not_built(tmp_path: Path) -> None:
    built(tmp_path)
    for manifest in (tmp_path / "store").glob("*.json"):
        manifest.write_text("{")
    assert len(catalogue.Catalogue(POLICY, tmp_path / "sounds", tmp_path / "store").missing()) == 3


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(GdprcallError, match="cannot be written"):
        catalogue.build(POLICY, tmp_path / "sounds", tmp_path / "store", Tones())


def test_the_confirmation_of_a_withdrawal_is_built_in_each_language(tmp_path: Path) -> None:
    built(tmp_path)
    for language in texts.LANGUAGES:
        assert (tmp_path / "sounds" / language / "gdprcall" / "withdrawn.wav").exists()
        assert (tmp_path / "sounds" / language / "gdprcall" / "withdrawn.wav16").exists()


def test_a_missing_synthesiser_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigError) as caught:
        synthesis.EspeakNg().speak("hello", "en-gb")
    assert "apt-get install espeak-ng sox" in caught.value.hint


@pytest.mark.parametrize("body", ["exit 1", "exit 0"])
def test_a_synthesiser_that_fails_or_says_nothing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(GdprcallError):
        synthesis.EspeakNg().speak("hello", "en-gb")


@pytest.mark.pbx
def test_espeak_ng_speaks_the_same_text_into_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    first, again = (synthesis.EspeakNg().speak("Hello, who is there?", "en-gb") for _ in range(2))
    assert first == again
    assert len(first.samples[16000]) == pytest.approx(2 * len(first.samples[8000]), abs=8)
    assert len(first.samples[8000]) > 8000
