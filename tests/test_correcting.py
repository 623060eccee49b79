"""What is wrong of a recording is corrected with its history, and the person's words go with it; its sound is never touched."""

import hashlib

import pytest

from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from tests.test_access import ASKED, DIALLED, House, house, rows
from tests.vaults import ACME

__all__ = ["house"]

OTHER = "+49 30 87654321"
WORDS = "It was my brother who called, and he had not asked me."
WHY = ("--reason", "request 20")


def sound(vault: Vault) -> str:
    return hashlib.sha256(vault.objects.path(ASKED, 1).read_bytes()).hexdigest()


def test_bas_12_a_corrected_language_has_the_old_one_in_its_history_and_the_sound_stays(house: House) -> None:
    with house.vault() as vault:
        before = sound(vault)
    assert house.shell("recordings", "correct", ASKED, "--language", "sv", *WHY)[0] == 0
    with house.vault() as vault:
        assert sound(vault) == before
        assert vault.decision(vault.recording(ASKED).decision).language == "sv"
        (told,) = vault.ledger.entries(recording=ASKED, kinds={Kind.CORRECTED})
    assert {name: (told.body or {})[name] for name in ("old", "new", "reason")} == {
        "old": "en",
        "new": "sv",
        "reason": "request 20",
    }
    assert house.shell("audit", "verify")[0] == 0
    assert house.shell("vault", "verify")[0] == 0


def test_bas_12_a_decision_whose_language_was_corrected_is_still_as_the_ledger_says(house: House) -> None:
    for language in ("sv", "de"):
        assert house.shell("recordings", "correct", ASKED, "--language", language, *WHY)[0] == 0
    assert "not as the ledger says" not in "".join(map(str, house.shell("decisions", "verify")))
    house.shell.sql("index.db", "UPDATE decision SET language = 'fr' WHERE recording = ?", ASKED)
    assert "not as the ledger says: language" in "".join(map(str, house.shell("decisions", "verify")))


def test_bas_12_a_recording_whose_number_is_corrected_is_found_by_the_right_one_alone(house: House) -> None:
    assert house.shell("recordings", "correct", ASKED, "--number", OTHER, *WHY)[0] == 0
    person = ("--controller", "acme", "--reason", "x", "--dry-run")
    assert ASKED in house.shell("subject", "erase", OTHER, *person)[1]
    assert ASKED not in house.shell("subject", "erase", DIALLED, *person)[1]
    with house.vault() as vault:
        number = vault.sealed_number(ASKED)
    assert number is not None
    assert ACME.opens(number) == OTHER.replace(" ", "").encode()
    raw = b"".join(path.read_bytes() for path in (house.folder / "vault").glob("*.db*"))
    assert OTHER.replace(" ", "").encode() not in raw


def test_a_number_that_was_rewrapped_and_then_corrected_is_as_the_ledger_says(house: House) -> None:
    with house.vault() as vault:
        was = vault.sealed_number(ASKED) or b""
        body = {"slot": "number", "segment": 0, "was": hashlib.sha256(was).hexdigest(), "header_sha256": "ab" * 32}
        vault.note(Fact(Kind.REWRAPPED, ASKED, "acme", body | {"recipients": []}))
    assert house.shell("recordings", "correct", ASKED, "--number", OTHER, *WHY)[0] == 0
    with house.vault() as vault:
        assert vault.stores.number(ASKED) == {}
        assert not [one for one in vault.verify() if "number" in str(one)]


def test_an_agents_recording_is_found_to_be_whole(house: House) -> None:
    with house.vault() as vault:
        vault.note(Fact(Kind.AGENT, ASKED, "acme", {"agent": "north"}))
    assert house.shell("audit", "verify")[0] == 0
    assert house.shell("vault", "verify")[0] == 0


def test_bas_12_the_persons_statement_goes_with_the_copy_and_is_erased_with_the_recording(house: House) -> None:
    letter = house.folder / "letter.txt"
    letter.write_text(WORDS)
    assert house.shell("recordings", "statement", ASKED, "--text", str(letter), "--request", "20")[0] == 0
    assert [one["text"] for one in rows(house.finished())[ASKED]["statements"]] == [WORDS]
    assert house.shell("audit", "verify")[0] == 0
    assert house.shell("vault", "verify")[0] == 0
    assert house.shell("recordings", "erase", ASKED, "--reason", "x", "--yes")[0] == 0
    raw = b"".join(path.read_bytes() for path in (house.folder / "vault").glob("*.db*"))
    assert WORDS.encode() not in raw
    assert house.shell("audit", "verify")[0] == 0
    assert house.shell("vault", "verify")[0] == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((ASKED, *WHY), 2),
        ((ASKED, "--language", "sv", "--number", OTHER, *WHY), 2),
        ((ASKED, "--language", "no language", *WHY), 2),
        ((ASKED, "--number", "110", *WHY), 2),
        (("ab" * 16, "--language", "sv", *WHY), 3),
    ],
    ids=["nothing", "both", "no-tag", "no-number", "unknown"],
)
def test_what_makes_no_sense_is_refused(house: House, words: tuple[str, ...], status: int) -> None:
    assert house.shell("recordings", "correct", *words)[0] == status


def test_what_is_erased_is_not_corrected(house: House) -> None:
    house.shell("recordings", "erase", ASKED, "--reason", "x", "--yes")
    assert house.shell("recordings", "correct", ASKED, "--language", "sv", *WHY)[0] == 1


def test_what_is_corrected_is_known_again_from_the_ledger_alone(house: House) -> None:
    house.shell("recordings", "correct", ASKED, "--language", "sv", *WHY)
    house.shell("recordings", "correct", ASKED, "--number", OTHER, *WHY)
    before = house.shell("recordings", "list", "--json")[1]
    for path in (house.folder / "vault").glob("index.db*"):
        path.unlink()
    assert house.shell("recordings", "list", "--json")[1] == before
    assert ASKED in house.shell("subject", "erase", OTHER, "--controller", "acme", "--reason", "x", "--dry-run")[1]
