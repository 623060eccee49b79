"""The notices of a breach, by the command line: what each must say, in three languages, and nothing of another controller (Art. 33, 34)."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gdprcall.cli import breach, breached
from gdprcall.cli.main import run
from gdprcall.cli.notices import TO
from gdprcall.letters import language_for
from gdprcall.rights import facts, severity
from gdprcall.rights.breaches import To
from gdprcall.rights.facts import Shape
from tests import vaults
from tests.breachhouse import HOUR, OWN, House, fill, house

LANGUAGES = ("en", "sv", "de")
KNOWN: Mapping[str, object] = {
    "kinds": ["confidentiality", "availability"],
    "occurred_from": "2025-12-30T08:00:00Z",
    "occurred_until": "2025-12-30T17:00:00Z",
    "detected_at": "2025-12-31T07:00:00Z",
    "facts": "FACTS-WORDS.",
    "cause": "CAUSE-WORDS.",
    "systems": "SYSTEMS-WORDS.",
    "who": ["callers", "agents"],
    "persons": 4711,
    "records": 5822,
    "data": ["voices", "numbers"],
    "special": "no",
    "children": "unknown",
    "encrypted": "yes",
    "key_state": "safe",
    "consequences": "CONSEQUENCES-WORDS.",
    "measures": "MEASURES-WORDS.",
    "proposed": "PROPOSED-WORDS.",
    "advice": "ADVICE-WORDS.",
}
FOLLOW = {"en": "to follow", "sv": "kompletteras", "de": "wird nachgereicht"}


class Shell:
    """A command line over a house of three controllers, whose vault is closed between two commands."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture
        with house(folder) as place:
            place.clock.now += HOUR
            self.made = fill(place)

    def place(self) -> Any:
        return house(self.folder)

    def __call__(self, *words: str, status: int = 0) -> str:
        found = run(["--config", str(self.folder / "gdprcall.toml"), "breach", *words])
        said = self._capture.readouterr()
        assert found == status, said.out + said.err
        assert "Traceback" not in said.err
        self.err = said.err
        return said.out if status == 0 else said.out + said.err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        yield made


def flags(fields: Mapping[str, object]) -> list[str]:
    words = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name.replace('_', '-')}", str(one)]
    return words


def opened(shell: Shell, controller: str = "own", fields: Mapping[str, object] = KNOWN) -> str:
    when = ("--aware", "2026-01-01T09:00Z", "--by", "the duty engineer", "--reason", "the log shows it")
    return str(shell.json("open", "--controller", controller, *when, *flags(fields))["breaches"][0]["id"])


def words_of(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_the_command_line_takes_every_field_of_the_register_and_no_other() -> None:
    assert list(breached.FIELDS) == list(facts.FIELDS)
    for name, field in facts.FIELDS.items():
        takes = breached.FIELDS[name][0]
        assert (takes if isinstance(takes, tuple) else ()) == field.choices
        assert (name in breached.SEVERAL) == (field.shape is Shape.CHOICES)
        assert (name in breached.NUMBERS) == (field.shape is Shape.COUNT)
    assert set(breach.RISKS) == set(severity.Risk)
    assert breach.EXEMPTIONS == facts.EXEMPTIONS
    assert set(TO) == set(To)


@pytest.mark.parametrize("language", LANGUAGES)
def test_bre_04_the_notice_to_the_authority_has_everything_that_the_law_lists(shell: Shell, language: str) -> None:
    id_ = opened(shell)
    told = words_of(shell("notice", id_, "--to", "authority", "--language", language))
    for words in ("FACTS", "CAUSE", "SYSTEMS", "CONSEQUENCES", "MEASURES", "PROPOSED"):
        assert f"{words}-WORDS." in told
    for said in ("Own Centre", "officer@own.example", "authority-of-own.example", "4711", "5822", id_, "UK GDPR"):
        assert said in told
    for article in ("33(3)(a)", "33(3)(b)", "33(3)(c)", "33(3)(d)") if language == "en" else ():
        assert article in told
    assert "2025-12-30 08:00 UTC" in told
    assert "2026-01-01 09:00 GMT" in told
    # The risk was not decided yet.
    assert told.count(FOLLOW[language]) == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_bre_04_what_is_not_known_yet_is_said_to_follow(shell: Shell, language: str) -> None:
    id_ = opened(shell, fields={"facts": "FACTS-WORDS."})
    for to in ("authority",):
        told = shell("notice", id_, "--to", to, "--language", language)
        assert told.count(FOLLOW[language]) >= 14
        assert "None" not in told


def test_bre_04_phases_name_the_earlier_ones_and_the_authoritys_number(shell: Shell) -> None:
    id_ = opened(shell)
    assert "phase 1," in shell("notice", id_, "--to", "authority")
    shell("notify", id_, "--to", "authority", "--sent", "2026-01-01T10:00Z", "--reference", "DPA/2026/17")
    told = words_of(shell("notice", id_, "--to", "authority"))
    assert "phase 2, after 2026-01-01 10:00 UTC, your reference DPA/2026/17" in told
    shown = shell.json("show", id_)
    (sent,) = [one["notice"]["text"] for one in shown["history"] if "notice" in one]
    assert "phase 1," in sent


@pytest.mark.parametrize("language", LANGUAGES)
def test_bre_03_a_late_notice_has_its_reasons_in_the_text_that_is_kept(shell: Shell, language: str) -> None:
    id_ = opened(shell)
    place = ("[TO FILL IN", "[FYLL I", "[AUSZUFÜLLEN")[LANGUAGES.index(language)]
    assert place in shell("notice", id_, "--to", "authority", "--language", language)
    assert "says why" in shell("notify", id_, "--to", "authority", status=1)
    shell("notify", id_, "--to", "authority", "--delay-reason", "DELAY-WORDS.", "--language", language)
    (sent,) = [one["notice"]["text"] for one in shell.json("show", id_)["history"] if "notice" in one]
    assert "DELAY-WORDS." in sent
    assert place not in sent


@pytest.mark.parametrize("to", ["persons", "public"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_bre_06_the_letter_to_the_persons_says_what_the_law_lists_and_nothing_inner(
    shell: Shell, to: str, language: str
) -> None:
    id_ = opened(shell)
    told = words_of(shell("notice", id_, "--to", to, "--language", language))
    for words in ("FACTS", "CONSEQUENCES", "MEASURES", "ADVICE"):
        assert f"{words}-WORDS." in told
    assert "officer@own.example" in told
    for inner in ("CAUSE", "SYSTEMS", "4711", "5822", "duty engineer"):
        assert inner not in told
    for number in ("4915", "+49", "+46"):
        assert number not in told


def test_bre_06_a_language_of_the_persons_without_a_letter_is_named(shell: Shell) -> None:
    with house(shell.folder) as place:
        vaults.sealed(place.vault, shell.folder / "spool", 60, controller=OWN, line="desk", language="fi")
    file = shell.folder / "ids"
    file.write_text(f"{vaults.recording_id(60)}\n{shell.made['own'][1]}\n")
    when = ("--aware", "2026-01-01T09:00Z", "--by", "x", "--reason", "y")
    (one,) = shell.json("open", "--recordings", str(file), "--facts", "x", *when)["breaches"]
    shell("notice", one["id"], "--to", "persons")
    assert shell.err == "warning: some of the persons were spoken to in fi, and no letter is in it\n"
    shell("notice", one["id"], "--to", "persons", "--language", "fi")
    assert "there is no letter in fi: this one is in en" in shell.err


def test_bre_05_over_two_controllers_neither_notice_holds_a_byte_of_the_others(shell: Shell) -> None:
    file = shell.folder / "ids"
    file.write_text("\n".join([*shell.made["acme"], *shell.made["beta"]]))
    when = ("--aware", "2026-01-01T09:00Z", "--by", "the duty engineer", "--reason", "the log shows it")
    answer = shell.json("open", "--recordings", str(file), "--facts", "A disk was lost.", *when)
    ids = {one["controller"]: one["id"] for one in answer["breaches"]}
    of = {
        "acme": ("acme", "Acme Insurance", *shell.made["acme"], ids["acme"]),
        "beta": ("beta", "Beta Travel", *shell.made["beta"], ids["beta"]),
    }
    for language in LANGUAGES:
        for own, other in (("acme", "beta"), ("beta", "acme")):
            page = shell.folder / f"{own}-{language}.html"
            words = ("notice", ids[own], "--to", "controller", "--language", language)
            told = shell(*words, "--html", str(page)) + shell(*words, "--json") + page.read_text()
            for mine in of[own][1:]:
                assert mine in words_of(told).replace(" ", "") or mine in words_of(told), mine
            for theirs in of[other]:
                assert theirs not in told, theirs
                assert theirs not in words_of(told).replace(" ", "")


def test_the_page_of_a_notice_says_what_its_text_says_and_runs_nothing(shell: Shell) -> None:
    id_ = opened(shell, fields={**KNOWN, "facts": "<b>bold</b> & <script>"})
    page = shell.folder / "notice.html"
    text = shell("notice", id_, "--to", "authority", "--html", str(page))
    assert "<b>bold</b>" in text
    told = page.read_text()
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; &lt;script&gt;" in told
    assert "<script" not in told
    assert "is there already" in shell("notice", id_, "--to", "authority", "--html", str(page), status=2)


def test_a_lawyers_own_template_goes_before_ours(shell: Shell) -> None:
    folder = shell.folder / "own"
    folder.mkdir()
    (folder / "breach.en.j2").write_text("# Ours\nIt is {{ what }} of {{ controller.name }}.\n")
    told = shell("notice", opened(shell), "--to", "authority", "--templates", str(folder))
    assert told == "Ours\n====\n\nIt is authority of Own Centre.\n"
    (folder / "breach.en.j2").write_text("{{ nothing_of_that_name }}")
    assert "breach.en.j2" in shell("notice", opened(shell), "--to", "authority", "--templates", str(folder), status=2)


def test_what_was_really_sent_is_noted_instead_of_the_draft(shell: Shell) -> None:
    id_ = opened(shell)
    file = shell.folder / "sent.txt"
    file.write_text("What the form of the authority said.")
    shell("notify", id_, "--to", "authority", "--delay-reason", "late", "--text", str(file))
    (sent,) = [one["notice"]["text"] for one in shell.json("show", id_)["history"] if "notice" in one]
    assert sent == "What the form of the authority said."


def test_every_language_of_the_letters_has_the_breach_letter() -> None:
    for language in LANGUAGES:
        assert language_for("breach", language, None) == language_for("request", language, None) == language


def test_the_command_line_shows_what_is_to_be_done_first(shell: Shell) -> None:
    id_ = opened(shell)
    shown = shell("show", id_)
    assert shown.startswith("tell the authority: overdue by")
    assert "Art. 33(1)" in shown
    assert "FACTS-WORDS." in shown
    listed = shell("list").splitlines()
    assert listed[0].startswith("WHAT, AND HOW LONG IS LEFT\tBREACH")
    assert listed[1].startswith("tell the authority: overdue by")
    checked = shell("check", status=4)
    assert "1 overdue, 0 to be told, 0 suspected, 2 contacts untested" in checked
    assert "the contact of acme for breaches was tested never" in checked


def test_a_house_in_which_nothing_presses_exits_with_0(shell: Shell) -> None:
    for name in ("acme", "beta"):
        shell("contact", name)
    assert shell("check") == "nothing presses; 0 open\n"
    assert shell("list") == "no breaches\n"


def test_what_is_half_said_is_wrong_usage(shell: Shell) -> None:
    assert "together" in shell("open", "--controller", "own", "--aware", "2026-01-01", status=2)
    id_ = opened(shell)
    assert "--reason" in shell("assess", id_, "--risk", "none", status=2)
    assert "nothing is said" in shell("update", id_, status=2)
    assert "there is no breach" in shell("show", "0" * 32, status=3)


def test_the_whole_life_by_the_command_line(shell: Shell) -> None:
    assert "would open: 2 recordings of 2 persons with own" in shell("open", "--host", "localhost", "--dry-run")
    id_ = opened(shell)
    assert "score" in shell("assess", id_, "--confidentiality", "0.25")
    shell("assess", id_, "--risk", "risk", "--reason", "numbers were readable", "--override", "no keys were taken")
    shell("notify", id_, "--to", "authority", "--delay-reason", "the line was down")
    closed = shell("close", id_, "--reason", "it is over", "--lessons", "disks are counted weekly")
    assert closed.startswith("closed\n")
    assert shell.json("list", "--all")[0]["state"] == "closed"
    assert shell("recordings", id_) == "no recordings\n"
