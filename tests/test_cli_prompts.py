"""``gdprcall prompts`` as it is typed: what it prints, what it refuses, and by which status."""

import json
import os
import struct
import sys
import wave
from pathlib import Path

import pytest

from gdprcall.prompts import texts
from tests.test_cli_exits import Shell, shell
from tests.voices import Tones, hum

__all__ = ["shell"]


@pytest.fixture
def speaking(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a shell whose synthesiser hums, and whose sox leaves the rate as it is."""
    monkeypatch.setattr("gdprcall.cli.prompts.EspeakNg", lambda _speed: Tones())
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sox").write_text(
        '#!/bin/sh\ntail -c +45 > "$0.$$"\ncat "$0.$$"\ncase "$*" in *16000*) cat "$0.$$";; esac\nrm "$0.$$"\n'
    )
    (tmp_path / "bin" / "sox").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return shell


def rows(shell: Shell, *words: str) -> list[dict[str, object]]:
    status, out, err = shell("prompts", *words, "--json")
    assert status == 0, err
    listed: list[dict[str, object]] = json.loads(out)
    return listed


def speak_french(shell: Shell) -> None:
    shell.config.write_text(shell.config.read_text().replace('languages = ["en"]', 'languages = ["en", "fr"]'))


def recording(path: Path, seconds: float, pitch: int = 300) -> str:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        samples = hum(seconds, pitch=pitch).samples
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return str(path)


def test_list_says_for_each_prompt_what_it_is_how_long_and_who_uses_it(speaking: Shell) -> None:
    assert [row["fit"] for row in rows(speaking, "list")] == [False, False]
    built = {row["kind"]: row["sha256"] for row in rows(speaking, "build")}
    question, notice = rows(speaking, "list")
    assert (question["line"], question["language"], question["kind"]) == ("support", "en", "consent")
    assert (question["state"], question["fit"], question["used_by"]) == ("finished", True, ["support"])
    assert {question["sha256"], notice["sha256"]} == set(built.values())
    assert float(str(question["seconds"])) > float(str(question["mandatory_seconds"])) > 5
    text = speaking("prompts", "list")[1]
    assert text.splitlines()[0].split("\t")[:4] == ["LINE", "LANG", "KIND", "STATE"]


def test_list_all_has_every_language_of_the_catalogue_and_the_confirmations(speaking: Shell) -> None:
    listed = rows(speaking, "list", "--all")
    assert {row["language"] for row in listed} == set(texts.LANGUAGES)
    assert {row["kind"] for row in listed} == {"consent", "notice", "withdrawn", None}
    assert {row["state"] for row in listed if row["language"] == "pl"} == {"draft"}


def test_two_lines_that_say_the_same_use_one_prompt(speaking: Shell) -> None:
    text = speaking.config.read_text()
    speaking.config.write_text(text + text[text.index("[lines.support]") :].replace("support", "second"))
    rows(speaking, "build")
    assert {tuple(row["used_by"]) for row in rows(speaking, "list")} == {("support", "second")}  # type: ignore[arg-type]  # a list of names


def test_a_draft_language_is_refused_until_its_controller_has_approved_it(speaking: Shell) -> None:
    speak_french(speaking)
    status, _, err = speaking("check")
    assert (status, "prompts approve fr --controller acme" in err) == (2, True)
    assert speaking("prompts", "build")[0] == 2
    assert {row["state"] for row in rows(speaking, "list") if row["language"] == "fr"} == {"draft"}
    approve = ("prompts", "approve", "fr", "--controller", "acme", "--by", "Jeanne Roux")
    status, out, _ = speaking(*approve, "--dry-run")
    assert status == 0
    assert "Appuyez sur 1 pour accepter" in out
    assert texts.sha256("fr") in out
    assert speaking("check")[0] == 2, "a dry run approves nothing"
    status, _, err = speaking(*approve)
    assert (status, "--yes" in err) == (1, True)
    assert speaking(*approve, "--yes", "--sha256", "0" * 64)[0] == 1
    assert speaking(*approve, "--yes", "--sha256", texts.sha256("fr"))[0] == 0
    assert speaking("check")[0] == 0
    assert {row["state"] for row in rows(speaking, "list") if row["language"] == "fr"} == {"approved"}
    assert {row["language"] for row in rows(speaking, "build")} == {"en", "fr"}


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (("fr", "--controller", "nobody", "--by", "A"), 3, "controllers: acme"),
        (("xx", "--controller", "acme", "--by", "A"), 3, "languages: bg"),
        (("sv", "--controller", "acme", "--by", "A"), 1, "as they are"),
        (("fr", "--controller", "acme", "--by", " ", "--yes"), 2, "name the person"),
    ],
)
def test_nothing_else_can_be_approved(shell: Shell, words: tuple[str, ...], status: int, hint: str) -> None:
    got, _, err = shell("prompts", "approve", *words)
    assert (got, hint in err) == (status, True), err
    assert not (shell.config.parent / "approvals.toml").exists()


def test_lint_finds_what_is_not_built_and_is_content_when_it_is(speaking: Shell) -> None:
    status, out, err = speaking("prompts", "lint")
    assert (status, "cannot be played" in out, "3 found" in err) == (4, True, True)
    rows(speaking, "build")
    assert speaking("prompts", "lint", "--all") == (0, "nothing found\n", "")
    speak_french(speaking)
    status, out, _ = speaking("prompts", "lint", "--json")
    assert status == 4
    assert any("draft" in row["text"] for row in json.loads(out))


def test_lint_looks_at_the_file_of_a_new_language_before_it_is_added(shell: Shell, tmp_path: Path) -> None:
    good = (Path(texts.__file__).parent / "fr.toml").read_text()
    path = tmp_path / "lb.toml"
    path.write_text(good)
    assert shell("prompts", "lint", str(path))[0] == 0
    path.write_text(
        good.replace("{retention}", "bientôt", 1).replace("Nous enregistrons", "Nous pourrait enregistrer", 1)
    )
    status, out, _ = shell("prompts", "lint", str(path))
    assert status == 4
    assert "lb.mandatory: lacks the slot {retention} [INF-01]" in out
    assert "INF-08" in out
    path.write_text("no toml")
    assert shell("prompts", "lint", str(path))[0] == 2
    assert shell("prompts", "lint", str(tmp_path / "none.toml"))[0] == 3


def test_text_prints_the_parts_that_a_studio_reads(shell: Shell) -> None:
    status, out, _ = shell("prompts", "text", "support", "sv", "--json")
    assert status == 0
    assert [part["name"] for part in json.loads(out)["parts"]] == ["mandatory", "keys", "more"]
    assert "Inspelningen har stoppats" in shell("prompts", "text", "support", "sv", "--kind", "withdrawn")[1]
    assert "Ansvarig" in shell("prompts", "text", "support", "sv", "--kind", "notice")[1]
    assert shell("prompts", "text", "nothing", "sv")[0] == 3
    assert shell("prompts", "text", "support", "xx")[0] == 3


def test_recordings_of_a_studio_are_taken_in_and_then_played(speaking: Shell, tmp_path: Path) -> None:
    files = [recording(tmp_path / f"{n}.wav", seconds, 250 + n * 50) for n, seconds in enumerate((20, 4, 2))]
    status, out, err = speaking("prompts", "import", "support", "en", *files, "--json")
    assert status == 0, err
    taken = json.loads(out)
    assert taken["new"]
    assert taken["mandatory_seconds"] == pytest.approx(40, abs=0.1), "this sox leaves 16 kHz as it is"
    question = rows(speaking, "list")[0]
    assert (question["sha256"], question["engine"], question["fit"]) == (taken["sha256"], "studio", True)
    status, _, err = speaking("prompts", "import", "support", "en", *files[:2])
    assert (status, "mandatory, keys, more" in err) == (1, True)
    status, _, err = speaking("prompts", "import", "support", "en", files[2], files[1], files[0])
    assert (status, "part 1 (mandatory) lasts 2.0 s" in err) == (1, True)


def test_a_recorded_confirmation_is_the_one_that_the_dialplan_plays(speaking: Shell, tmp_path: Path) -> None:
    rows(speaking, "build")
    file = recording(tmp_path / "a.wav", 4)
    status, out, err = speaking("prompts", "import", "support", "en", file, "--kind", "withdrawn", "--json")
    assert status == 0, err
    (played,) = (path for path in tmp_path.rglob("withdrawn.wav") if "en" in path.parts)
    assert played.read_bytes() == played.with_name(f"{json.loads(out)['sha256']}.wav").read_bytes()
    rows(speaking, "build")
    assert played.read_bytes() == played.with_name(f"{json.loads(out)['sha256']}.wav").read_bytes()


def test_without_pyaudio_recording_says_what_to_install(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    status, _, err = shell("prompts", "record", "support", "en")
    assert (status, "pip install 'gdprcall[audio]'" in err, "prompts import" in err) == (2, True, True)


def test_purge_names_first_and_removes_only_when_told(speaking: Shell) -> None:
    rows(speaking, "build")
    assert rows(speaking, "purge", "--dry-run") == []
    speaking.config.write_text(speaking.config.read_text() + "retention_days = 7\n")
    rows(speaking, "build")
    named = rows(speaking, "purge", "--dry-run")
    assert {row["kind"] for row in named} == {"consent", "notice"}
    status, _, err = speaking("prompts", "purge")
    assert (status, "--yes" in err) == (1, True)
    assert rows(speaking, "purge", "--dry-run") == named
    assert rows(speaking, "purge", "--yes") == named
    status, out, _ = speaking("prompts", "purge", "--yes")
    assert (status, out) == (0, "nothing: a line or a proof refers to every prompt\n")
