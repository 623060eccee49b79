"""What is said by telephone of rights: in each language that has it, built once, and never in part."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall.consent.values import Digit, NoInput, Started
from gdprcall.policy.model import Policy
from gdprcall.policy.selfservice import Proof, SelfService
from gdprcall.prompts import catalogue, lint, telephone, texts
from gdprcall.prompts.catalogue import Catalogue, Kind
from gdprcall.prompts.store import manifests
from gdprcall.rights.talk import Entered, Erased, Event, Impossible, Kept, NeverRecorded, Say, Talk, Terms, Unconfirmed
from gdprcall.rights.telephone import step
from tests.voices import ACME, SUPPORT, Tones

SPOKEN = ("de", "en", "sv")
POLICY = Policy({"acme": ACME}, {"support": replace(SUPPORT, languages=("en",))})
OFFERING = replace(POLICY, self_service={"acme": SelfService(("sv", "en", "fi"))})


def built(folder: Path, policy: Policy = OFFERING) -> Catalogue:
    catalogue.build(policy, folder / "sounds", folder / "store", Tones())
    return Catalogue(policy, folder / "sounds", folder / "store")


def test_inf_03_these_languages_can_be_spoken_and_the_others_are_not_offered() -> None:
    assert tuple(language for language in texts.LANGUAGES if telephone.speaks(language)) == SPOKEN
    assert telephone.languages(SelfService(("fi", "sv", "xx", "en"))) == ("sv", "en")


@pytest.mark.parametrize("language", SPOKEN)
def test_every_sentence_is_there_in_each_language_with_its_slots_filled(language: str) -> None:
    for name in telephone.said():
        said = telephone.words(ACME, language, name)
        assert said.text.strip()
        assert "{" not in said.text
    assert ACME.name in telephone.words(ACME, language, "welcome").text
    assert telephone.words(ACME, language, "7").text == "7"


def test_a_language_that_has_the_table_must_have_all_of_it() -> None:
    told = dict(texts.of("en"))
    told["telephone"] = {name: text for name, text in told["telephone"].items() if name != "withheld"}
    assert [finding.place for finding in lint.language("en", told)] == ["en.telephone.withheld"]
    del told["telephone"]
    assert list(lint.language("en", told)) == []
    assert list(lint.language("fi", texts.of("fi"))) == []


def test_what_the_dialogue_can_say_is_what_is_spoken_no_more_and_no_less() -> None:
    source, said = random.Random(5), set[str]()
    kept = (Kept(10, 23, held=True), Kept(4, 56), Kept(0, 0), Entered(789), Erased(), Erased(3))
    results = (*kept, Unconfirmed(), NeverRecorded(), Impossible())
    for _ in range(3_000):
        talk = Talk(Terms(source.random() < 0.9, Proof.CODE, source.choice(list(Proof))))
        event: Event = Started()
        for _ in range(60):
            talk, commands = step(talk, event)
            said |= {sound for command in commands if isinstance(command, Say) for sound in command.sounds}
            keys: list[Event] = [Digit(talk.asked, key, 0) for key in "1234444455667788"]
            event = source.choice([*keys, NoInput(talk.asked), *results])
    assert said == set(telephone.said())


def test_a_controller_that_offers_it_has_every_sound_in_each_of_its_languages(tmp_path: Path) -> None:
    known = built(tmp_path)
    for language in ("sv", "en"):
        sounds = known.by_telephone("acme", language)
        assert set(sounds) == set(telephone.said())
        assert all(prompt.kind is Kind.TELEPHONE and prompt.language == language for prompt in sounds.values())
    assert known.by_telephone("acme", "fi") == known.by_telephone("acme", "de") == {}
    assert known.mute() == []
    assert list(known.lacking()) == []


def test_a_controller_that_offers_nothing_has_no_sound_of_it(tmp_path: Path) -> None:
    known = built(tmp_path, POLICY)
    assert known.by_telephone("acme", "en") == {}
    assert not [one for one in manifests(tmp_path / "store") if one.kind is Kind.TELEPHONE]


def test_inf_05_where_one_sound_is_missing_or_changed_nobody_is_served_in_that_language(tmp_path: Path) -> None:
    known = built(tmp_path)
    prompt = known.by_telephone("acme", "en")["never"]
    (tmp_path / "sounds" / "en" / "gdprcall" / f"{prompt.sha256}.wav").unlink()
    assert known.by_telephone("acme", "en") == {}
    assert known.mute() == [("acme", "en")]
    assert known.by_telephone("acme", "sv") != {}
    assert built(tmp_path).mute() == [], "prompts build lays it out again"


def test_building_again_speaks_nothing_and_what_is_said_now_is_in_use(tmp_path: Path) -> None:
    known = built(tmp_path)
    tones = Tones()
    catalogue.build(OFFERING, tmp_path / "sounds", tmp_path / "store", tones)
    assert tones.spoken == 0
    now = {(language, text) for language, text in catalogue.now_said(OFFERING)}
    assert {(one.language, one.text) for one in manifests(tmp_path / "store")} <= now | {
        (one.language, one.text) for one in known.prompts()
    }
    assert {prompt.sha256 for prompt in known.by_telephone("acme", "sv").values()} <= {
        prompt.sha256 for prompt in known.prompts()
    }
