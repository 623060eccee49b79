"""Prompts: named by what they are, built once, and never played when they are not what was built."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall.errors import ConfigError, GdprcallError
from gdprcall.policy.model import Basis, Keys, Policy
from gdprcall.prompts import catalogue, store, synthesis, texts
from gdprcall.prompts.catalogue import Kind
from tests.voices import ACME, FINISHED, POLICY, SUPPORT, Tones, built, on

BIN = Path(__file__).parents[1] / ".pbx" / "bin"


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


def test_inf_04_the_objection_is_a_segment_of_its_own_with_silence_around_it(tmp_path: Path) -> None:
    line = on(Basis.LEGITIMATE_INTEREST)
    prompt = built(tmp_path, Policy({"acme": ACME}, {"support": line})).find("support", "en")
    assert prompt is not None
    told, objection, more = prompt.parts
    assert (told.name, objection.name, more.name) == ("mandatory", "objection", "more")
    assert objection.text == texts.of("en")["objection"].format(object="9", withdraw="star 9")
    assert objection.from_ms - told.to_ms == more.from_ms - objection.to_ms == store.APART_MS
    assert prompt.mandatory_ms == objection.to_ms, "who did not hear it to its end was not told"


@pytest.mark.parametrize("basis", Basis)
def test_a_line_is_found_by_its_own_basis_and_so_is_its_full_notice(tmp_path: Path, basis: Basis) -> None:
    line = replace(on(basis), languages=("en",))
    known = built(tmp_path, Policy({"acme": ACME}, {"support": line}))
    question, notice = known.find("support", "en"), known.find("support", "en", Kind.NOTICE)
    assert question == known.find("support", "en", Kind(basis))
    assert question is not None
    assert notice is not None
    assert (question.kind, notice.kind) == (Kind(basis), Kind.NOTICE)
    assert known.find("support", "en", Kind.WITHDRAWN) is not None
    objected = known.find("support", "en", Kind.OBJECTED)
    assert (objected is not None) == (basis in {Basis.LEGITIMATE_INTEREST, Basis.PUBLIC_TASK})
    assert list(known.lacking()) == []


def test_a_line_or_language_that_is_none_has_no_prompt(tmp_path: Path) -> None:
    known = built(tmp_path)
    assert known.find("nothing", "en") is None
    assert known.find("support", "fr") is None


def test_a_line_without_a_key_for_it_has_no_full_notice_and_does_not_announce_one(tmp_path: Path) -> None:
    line = replace(SUPPORT, keys=Keys(more=""), languages=("en",))
    known = built(tmp_path, Policy({"acme": ACME}, {"support": line}))
    assert known.find("support", "en", Kind.NOTICE) is None
    assert known.silent() == []
    assert [part.name for part in texts.words(line, ACME, "en").parts] == ["mandatory", "keys"]


def test_building_again_builds_nothing_new(tmp_path: Path) -> None:
    built(tmp_path)
    tones = Tones()
    again = catalogue.build(POLICY, tmp_path / "sounds", tmp_path / "store", tones)
    assert tones.spoken == 0
    assert not any(one.new for one in again)


def test_only_what_changed_is_spoken_and_how_far_it_is_is_told(tmp_path: Path) -> None:
    built(tmp_path)
    changed = Policy({"acme": ACME}, {"support": replace(SUPPORT, timeout_ms=1), "new": replace(SUPPORT, id="new", retention_days=7)})  # fmt: skip
    tones, told = Tones(), list[tuple[int, int]]()
    made = catalogue.build(
        changed, tmp_path / "sounds", tmp_path / "store", tones, progress=lambda done, of: told.append((done, of))
    )
    assert {one.line for one in made if one.new} == {"new"}
    assert [done for done, _ in told] == list(range(told[0][1]))


def test_what_was_lost_before_asterisk_is_laid_out_again_from_what_is_kept(tmp_path: Path) -> None:
    before = built(tmp_path).find("support", "en")
    shutil.rmtree(tmp_path / "sounds")
    tones = Tones()
    made = catalogue.build(POLICY, tmp_path / "sounds", tmp_path / "store", tones)
    assert tones.spoken == 0
    assert all(one.new for one in made)
    assert catalogue.Catalogue(POLICY, tmp_path / "sounds", tmp_path / "store").find("support", "en") == before


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
    again = built(tmp_path).find("support", "en")
    assert again == prompt, "prompts build lays it out again"


def test_a_full_notice_that_is_missing_is_told_and_the_line_can_still_be_asked(tmp_path: Path) -> None:
    known = built(tmp_path)
    notice = known.find("support", "en", Kind.NOTICE)
    assert notice is not None
    (tmp_path / "sounds" / "en" / "gdprcall" / f"{notice.sha256}.wav").unlink()
    assert known.missing() == []
    assert known.silent() == [("support", "en", Kind.NOTICE)]


def test_a_sound_that_was_changed_before_the_start_is_found_by_its_hash(tmp_path: Path) -> None:
    prompt = built(tmp_path).find("support", "en")
    assert prompt is not None
    sound = tmp_path / "sounds" / "en" / "gdprcall" / f"{prompt.sha256}.wav"
    sound.write_bytes(sound.read_bytes()[:-2] + b"xx")
    assert catalogue.Catalogue(POLICY, tmp_path / "sounds", tmp_path / "store").find("support", "en") is None


def test_a_damaged_copy_is_not_laid_out_but_spoken_anew(tmp_path: Path) -> None:
    prompt = built(tmp_path).find("support", "en")
    assert prompt is not None
    for path in (tmp_path / "sounds" / "en" / "gdprcall", tmp_path / "store"):
        sound = path / f"{prompt.sha256}.wav"
        sound.write_bytes(sound.read_bytes()[:-2] + b"xx")
    tones = Tones()
    catalogue.build(POLICY, tmp_path / "sounds", tmp_path / "store", tones)
    assert tones.spoken == 3
    assert catalogue.Catalogue(POLICY, tmp_path / "sounds", tmp_path / "store").missing() == []


def test_inf_01_a_policy_that_says_something_else_needs_a_new_prompt(tmp_path: Path) -> None:
    built(tmp_path)
    longer = Policy({"acme": ACME}, {"support": replace(SUPPORT, retention_days=60)})
    assert catalogue.Catalogue(longer, tmp_path / "sounds", tmp_path / "store").find("support", "en") is None
    assert built(tmp_path, longer).find("support", "en") is not None


def test_inf_01_a_line_that_leaves_a_slot_empty_has_no_prompt(tmp_path: Path) -> None:
    lawless = Policy({"acme": ACME}, {"support": replace(on(Basis.PUBLIC_TASK), law=" ")})
    with pytest.raises(texts.EmptySlot, match="law"):
        built(tmp_path, lawless)
    assert catalogue.Catalogue(lawless, tmp_path / "sounds", tmp_path / "store").missing() == [
        ("support", "de"), ("support", "en"), ("support", "sv"),
    ]  # fmt: skip


def test_a_manifest_that_cannot_be_read_counts_as_not_built(tmp_path: Path) -> None:
    built(tmp_path)
    for manifest in (tmp_path / "store").glob("*.json"):
        manifest.write_text("{")
    assert len(catalogue.Catalogue(POLICY, tmp_path / "sounds", tmp_path / "store").missing()) == 3


def test_a_manifest_of_an_earlier_version_still_counts(tmp_path: Path) -> None:
    prompt = built(tmp_path).find("support", "en")
    assert prompt is not None
    said = (tmp_path / "store" / f"{prompt.sha256}.json").read_text()
    first = "".join(f'"{name}": {value!r},' for name, value in [("mandatory_ms", 1), ("total_ms", 2)])
    texts_ = "".join(
        f'"{name}": "{getattr(prompt, name)}",' for name in ("sha256", "sha256_16k", "language", "text", "engine")
    )
    assert '"kind"' in said
    (tmp_path / "store" / f"{prompt.sha256}.json").write_text("{" + first + texts_[:-1] + "}")
    found = catalogue.Catalogue(POLICY, tmp_path / "sounds", tmp_path / "store").find("support", "en")
    assert found is not None
    assert (found.kind, found.mandatory_ms, found.parts) == (Kind.CONSENT, 1, ())


def test_con_04_one_sound_for_two_texts_keeps_both_provable(tmp_path: Path) -> None:
    class Mute(Tones):
        def speak(self, text: str, voice: str) -> synthesis.Speech:
            return super().speak("hush", voice)

    catalogue.build(POLICY, tmp_path / "sounds", tmp_path / "store", Mute())
    known = catalogue.Catalogue(POLICY, tmp_path / "sounds", tmp_path / "store")
    assert known.missing() == []
    kept = store.manifests(tmp_path / "store")
    assert len({prompt.sha256 for prompt in kept}) < len({prompt.text for prompt in kept})


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(GdprcallError, match="cannot be written"):
        catalogue.build(POLICY, tmp_path / "sounds", tmp_path / "store", Tones())


def test_the_confirmations_are_built_in_each_language_and_kept_by_content(tmp_path: Path) -> None:
    line = on(Basis.PUBLIC_TASK)
    known = built(tmp_path, Policy({"acme": ACME}, {"support": line}))
    for language in FINISHED:
        for kind in texts.CONFIRMATIONS:
            prompt = known.find("support", language, kind)
            assert prompt is not None
            played = tmp_path / "sounds" / language / "gdprcall" / f"{kind}.wav"
            assert played.read_bytes() == (tmp_path / "store" / f"{prompt.sha256}.wav").read_bytes()
            assert played.with_suffix(".wav16").exists()
            assert prompt.text == texts.of(language)[kind]


def test_a_confirmation_that_says_something_else_is_replaced(tmp_path: Path) -> None:
    built(tmp_path)
    played = tmp_path / "sounds" / "en" / "gdprcall" / "withdrawn.wav"
    whole = played.read_bytes()
    played.write_bytes(b"the words of an earlier release")
    built(tmp_path)
    assert played.read_bytes() == whole


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


@pytest.mark.pbx
def test_the_finished_prompts_for_consent_are_those_of_earlier_releases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their sound hangs on espeak-ng's version, so it is compared with what the two parts alone give."""
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    line = replace(SUPPORT, keys=Keys(more=""), languages=("sv",))
    speaker = synthesis.EspeakNg(400)
    policy = Policy({"acme": ACME}, {"support": line})
    catalogue.build(policy, tmp_path / "sounds", tmp_path / "store", speaker)
    prompt = catalogue.Catalogue(policy, tmp_path / "sounds", tmp_path / "store").find("support", "sv")
    assert prompt is not None
    said = texts.words(line, ACME, "sv")
    parts = [speaker.speak(text, "sv").samples[8000] for text in (said.mandatory, said.keys)]
    sound = synthesis.wav(parts[0] + bytes(2 * 8 * store.PAUSE_MS) + parts[1], 8000)
    assert (tmp_path / "store" / f"{prompt.sha256}.wav").read_bytes() == sound


class Remembering(synthesis.EspeakNg):
    """espeak-ng, asked once for each sentence: many prompts share theirs."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, synthesis.Speech] = {}

    def speak(self, text: str, voice: str) -> synthesis.Speech:
        if text not in self._said:
            self._said[text] = super().speak(text, voice)
        return self._said[text]


@pytest.mark.pbx
@pytest.mark.parametrize("language", FINISHED)
def test_each_finished_language_can_be_heard_on_every_basis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    lines = {str(basis): replace(on(basis), id=str(basis), languages=(language,)) for basis in Basis}
    catalogue.build(Policy({"acme": ACME}, lines), tmp_path / "sounds", tmp_path / "store", Remembering())
    prompts = store.manifests(tmp_path / "store")
    # A question and a full notice for each basis, two confirmations, and consent where stricter rules want it, for two purposes.
    assert len(prompts) == 6 + 6 + 2 + 2
    for prompt in prompts:
        with (tmp_path / "store" / f"{prompt.sha256}.wav").open("rb") as file:
            data = file.read()[44:]
        letters_a_second = len(prompt.text) / (prompt.total_ms / 1000)
        assert 7 < letters_a_second < 22, prompt.text
        loud = memoryview(data).cast("h")
        assert max(loud) > 20_000
        for part in prompt.parts or ():
            assert any(abs(value) > 3000 for value in loud[part.from_ms * 8 : part.to_ms * 8]), part.name
