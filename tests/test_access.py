"""A person who asks is given his own recordings with one controller: all of them, whole, with a letter that says what Art. 15 asks."""

import asyncio
import hashlib
import io
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import tracemalloc
import wave
import zipfile
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gdprcall import age, config, letters, opus, packing
from gdprcall.cli import sealing
from gdprcall.cli.backend import Backend
from gdprcall.cli.staging import folder_of, staged
from gdprcall.errors import Refused
from gdprcall.rights import access
from gdprcall.vault import subjects
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.sound import Legs
from tests import vaults
from tests.consents import agreed
from tests.pbx.prepare import ROOT
from tests.test_api import served
from tests.test_cli_exits import RECORDING, Shell
from tests.test_controllers import AGE, BETA, KEYS, SECOND, B
from tests.test_legs import stereo
from tests.vaults import ACME, NUMBER, recording_id

INTEREST = """
[lines.claims]
controller = "acme"
purpose = "documentation"
basis = "legitimate_interest"
interest = "to settle complaints"
assessment = { id = "LIA-1", date = 2026-01-31, sha256 = "SHA", review_by = 2099-01-31 }
retention_days = 60
retention_reason = "the period to contest"
override = { reference = "opinion 8", sha256 = "SHA", countries = ["SE"] }
languages = ["en"]
more = ""
""".replace("SHA", "ab" * 32)
ASKED, PARTS, APART, CLAIM, WAITING = (recording_id(number) for number in (3, 4, 7, 8, 11))
SHOWN = ("--identified", "document")
OWN = [RECORDING, ASKED, PARTS, APART, CLAIM]
CALLER, OTHERS = vaults.wav(9.0, 41), vaults.wav(9.0, 42)
DIALLED = "+49 30 12345678"
SOUND = {
    (RECORDING, 1): vaults.wav(seed=101),
    (ASKED, 1): vaults.wav(seed=1),
    (PARTS, 1): vaults.wav(seed=401),
    (PARTS, 2): vaults.wav(seed=402),
    (APART, 1): stereo(CALLER[44:], OTHERS[44:]),
    (CLAIM, 1): vaults.wav(seed=1),
}


@dataclass
class House:
    """Two controllers with the same person, who called each; the first one's recordings are of every kind."""

    shell: Shell
    folder: Path
    subject: str

    def vault(self) -> Vault:
        return Vault.open(self.folder / "vault", clock=vaults.Clock())

    def access(self, *words: str) -> tuple[int, str, str]:
        given = ("--request", "2026-17", "--reason", "asked by letter", "-o", str(self.package))
        return self.shell("subject", "access", DIALLED, "--controller", "acme", *SHOWN, *(words or given))

    @property
    def package(self) -> Path:
        return self.folder / "request.age"

    def finish(self, *words: str) -> tuple[int, str, str]:
        return self.shell("subject", "finish", str(self.package), "-i", str(self.shell.identity), *words)

    def finished(self, *words: str) -> Path:
        """Pack, finish in plain, and return the folder."""
        if not self.package.exists():
            assert self.access()[0] == 0
        folder = self.folder / "person"
        status, _, err = self.finish("--plain", "-o", str(folder), *words)
        assert status == 0, err
        return folder

    def inside(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(io.BytesIO(ACME.opens(self.package.read_bytes())))


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    shell = Shell(tmp_path, capsys)
    shell.config.write_text(
        shell.config.read_text().replace('languages = ["en"]', 'languages = ["en"]\nlegs = true') + INTEREST + SECOND
    )
    for controller, key in KEYS.items():
        secret = tmp_path / "secrets" / f"pseudonym-key-{controller}"
        secret.write_text(key)
        secret.chmod(0o600)
    settings = config.load(shell.config)
    known = {one: subjects.pseudonym(key, NUMBER) for one, key in settings.pseudonym_keys().items()}
    with Vault.open(tmp_path / "vault", clock=vaults.Clock()) as vault:
        fill(vault, settings, tmp_path / "spool")
        for recording in [*OWN, WAITING]:
            vault.note(vaults.caller(recording, subject=known["acme"]))
        vaults.sealed(vault, tmp_path / "spool", 2, controller=BETA, subject=known["beta"])
        vaults.sealed(vault, tmp_path / "spool", 5, subject="77" * 16)
    return House(shell, tmp_path, known["acme"])


def fill(vault: Vault, settings: config.Config, spool: Path) -> None:
    agreed(vault, settings.policy, spool, 3)
    vaults.sealed(vault, spool, 4, segments=2)
    vault.note(vaults.decision(APART))
    legs = Legs(spool / f"{APART}.1.r.wav", spool / f"{APART}.1.t.wav")
    legs.caller.write_bytes(CALLER)
    legs.others.write_bytes(OTHERS)
    vault.seal(legs, vaults.facts(APART))
    agreed(vault, settings.policy, spool, 8, line="claims", basis="legitimate_interest", outcome="granted")
    vault.note(vaults.decision(WAITING))


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in json.loads((folder / "metadata.json").read_text())}


def released(vault: Vault) -> list[tuple[str | None, object]]:
    return [(entry.recording, (entry.body or {})["segment"]) for entry in vault.ledger.entries(kinds={Kind.RELEASED})]


def test_rgt_04_the_sealed_package_holds_every_recording_of_the_person_and_nobody_elses(house: House) -> None:
    assert house.access()[0] == 0
    inside = house.inside()
    sealed = {name for name in inside.namelist() if name.startswith("sealed/")}
    assert sealed == {f"sealed/{recording}.{segment}.age" for recording, segment in SOUND}
    for (recording, segment), sound in SOUND.items():
        assert ACME.opens(inside.read(f"sealed/{recording}.{segment}.age")) == sound
    everything = b"".join(inside.read(name) for name in inside.namelist())
    assert RECORDING.encode() in everything
    assert B.encode() not in everything
    assert recording_id(5).encode() not in everything
    (withheld,) = json.loads(inside.read("withheld.json"))
    assert (withheld["recording"], withheld["reason"]) == (WAITING, "unfinished")
    assert house.package.stat().st_mode & 0o077 == 0
    assert not folder_of(house.package).exists()


def test_rgt_04_each_release_stands_in_the_ledger_with_purpose_and_reason(house: House) -> None:
    assert house.access()[0] == 0
    with house.vault() as vault:
        entries = [
            entry
            for entry in vault.ledger.entries()
            if entry.kind in {Kind.RELEASED, Kind.ACCESS_BEGUN, Kind.ACCESS_PACKAGED}
        ]
    assert entries[0].kind is Kind.ACCESS_BEGUN
    assert entries[-1].kind is Kind.ACCESS_PACKAGED
    bodies = [entry.body or {} for entry in entries]
    assert {entry.recording for entry in entries[1:-1]} == set(OWN)
    assert len(entries) - 2 == len(SOUND)
    for body in bodies[1:-1]:
        assert (body["purpose"], body["reason"], body["package"]) == ("access", "asked by letter", bodies[0]["package"])
    assert (bodies[0]["request"], bodies[0]["reason"]) == ("2026-17", "asked by letter")
    assert bodies[-1]["sha256"] == hashlib.sha256(house.package.read_bytes()).hexdigest()
    told = json.dumps(bodies)
    assert NUMBER[3:] not in told
    assert house.subject not in told
    assert house.shell("vault", "verify")[0] == 0


ITEMS = {
    "confirmation": "You asked whether we process personal data about you",
    "15(1)(a)": "the quality of the service, on the basis of your consent",
    "15(1)(b)": "your voice, and what was said",
    "15(1)(c)": "The Tribunal of Umeå",
    "15(1)(d)": "30 days",
    "15(1)(e)": "rectify (Art. 16) or erase (Art. 17)",
    "15(1)(f)": "complaint with a supervisory authority",
    "15(1)(g)": "you yourself, in the call",
    "15(1)(h)": "No decision about you is made by automated means alone",
    "15(2)": "not transferred to a third country",
    "15(3)": "first copy is free of charge",
    "12(3)": "your request 2026-17",
    "what is withheld": "still being recorded or sealed",
    "what stays": "the proof of your decision, 1096 days beyond",
    "backups": "there are no backup copies of the keys",
}


def disclose(house: House) -> None:
    with house.vault() as vault:
        body = {"segment": 1, "actor": "anna", "purpose": "claims", "recipient": "The Tribunal of Umeå"}
        vault.note(Fact(Kind.RELEASED, ASKED, "acme", body))


@pytest.mark.parametrize("item", ITEMS)
def test_rgt_04_the_letter_says_each_item_of_article_15(house: House, item: str) -> None:
    disclose(house)
    folder = house.finished()
    text = " ".join((folder / "letter.txt").read_text().split())
    assert ITEMS[item] in text
    if item.startswith("15(1)") or item == "15(2)":
        assert f"(Art. {item})" in text


class Shown(HTMLParser):
    """What a page shows, and what a reader of it needs."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", []  # type: str, list[tuple[str, dict[str, str | None]]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def shown(path: Path) -> Shown:
    parser = Shown()
    parser.feed(path.read_text())
    return parser


@pytest.mark.parametrize(
    ("language", "says"),
    [("en", "Your recordings with Acme"), ("sv", "Dina inspelningar hos Acme"), ("de-AT", "Ihre Aufnahmen bei Acme")],
)
def test_rgt_04_the_letter_is_in_the_persons_language_and_stands_for_itself(
    house: House, language: str, says: str
) -> None:
    assert house.access("--language", language, "-o", str(house.package))[0] == 0
    folder = house.finished()
    page = shown(folder / "letter.html")
    assert says in page.text
    names = [tag for tag, _ in page.tags]
    assert dict(page.tags)["html"]["lang"] == language.split("-", maxsplit=1)[0]
    assert [names.count(one) for one in ("title", "main", "h1")] == [1, 1, 1]
    assert not {"script", "link", "img", "iframe"} & set(names)
    assert "http" not in re.sub(r"http-equiv", "", (folder / "letter.html").read_text()).split("</head>")[0]
    body = Shown()
    body.feed((folder / "letter.html").read_text().split("<main>")[1])
    assert re.findall(r"\w+", body.text) == re.findall(r"\w+", (folder / "letter.txt").read_text())
    for name in ("letter", "glossary"):
        assert (folder / f"{name}.html").exists()
        assert (folder / f"{name}.txt").exists()


def test_rgt_04_a_language_without_a_letter_is_named_and_english_used(house: House) -> None:
    assert house.access("--language", "fi", "-o", str(house.package))[0] == 0
    status, _, err = house.finish("--plain", "-o", str(house.folder / "person"))
    assert (status, "'fi'" in err, "'en'" in err) == (0, True, True)
    assert "Your recordings" in (house.folder / "person" / "letter.txt").read_text()


def test_rgt_04_every_language_says_the_same_articles() -> None:
    def articles(language: str) -> list[str]:
        source = letters._installed(f"access.{language}.j2") or ""
        return sorted(set(re.findall(r"{[{%].*?[%}]}", source)))

    conditions = {language: len(articles(language)) for language in ("en", "sv", "de")}
    headings = {language: (letters._installed(f"access.{language}.j2") or "").count("\n## ") for language in conditions}
    assert len(set(headings.values())) == 1
    words = {language: (letters._installed(f"glossary.{language}.j2") or "").count("\n- ") for language in conditions}
    assert len(set(words.values())) == 1
    for letter in "abcdefgh":
        assert f"15(1)({letter})" in (letters._installed("access.en.j2") or "")
        assert f"artikel 15.1 {letter})" in (letters._installed("access.sv.j2") or "")
        assert f"Art. 15 Abs. 1 lit. {letter})" in (letters._installed("access.de.j2") or "")


def test_rgt_04_the_sound_is_there_sample_by_sample_and_as_opus(house: House) -> None:
    folder = house.finished()
    known = rows(folder)
    assert set(known) == set(OWN)
    for (recording, segment), sound in SOUND.items():
        files = known[recording]["files"]
        name = next(one for one in files if one.endswith(".wav") and (recording != PARTS or f"part-{segment}" in one))
        assert (folder / name).read_bytes() == sound
    assert [Path(name).suffix for name in known[RECORDING]["files"]] == [".wav", ".ogg"]
    small = (folder / known[APART]["files"][1]).read_bytes()
    assert small[:4] == b"OggS"
    assert b"OpusHead" in small[:100]


def test_rgt_04_what_opus_gives_sounds_like_what_was_recorded(tmp_path: Path) -> None:
    numpy, soundfile = pytest.importorskip("numpy"), pytest.importorskip("soundfile")
    tone = (8000 * numpy.sin(numpy.arange(80_000) * 2 * numpy.pi * 440 / 8000)).astype("<i2").tobytes()
    with (tmp_path / "small").open("w+b") as small:
        assert opus.encode(io.BytesIO(vaults.wav(0)[:40] + len(tone).to_bytes(4, "little") + tone), small)
        found, rate = soundfile.read(io.BytesIO(small.read()))
    assert (rate, len(found)) == (8000, 80_000)
    heard = numpy.abs(numpy.fft.rfft(found)).argmax() * rate / len(found)
    assert abs(heard - 440) < 2
    loud = numpy.sqrt(numpy.mean(found[8000:72_000] ** 2)) / (8000 / 32768 / numpy.sqrt(2))
    assert 0.7 < loud < 1.4


def test_rgt_04_parts_of_a_call_are_there_each_and_joined(house: House) -> None:
    folder = house.finished()
    names = rows(folder)[PARTS]["files"]
    assert [re.sub(r".*-(part-\d|whole)", r"\1", name) for name in names] == [
        *("part-1.wav", "part-1.ogg", "part-2.wav", "part-2.ogg", "whole.wav", "whole.ogg"),
    ]
    with wave.open(str(folder / names[4])) as whole:
        frames = whole.readframes(whole.getnframes())
    assert frames.startswith(SOUND[PARTS, 1][44:])
    assert frames.endswith(SOUND[PARTS, 2][44:])


def test_without_the_library_the_sound_is_wav_alone_and_that_is_said(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opus, "soundfile", None)
    assert house.access()[0] == 0
    status, _, err = house.finish("--plain", "-o", str(house.folder / "person"))
    assert (status, "WAV alone" in err) == (0, True)
    assert not list((house.folder / "person").rglob("*.ogg"))
    assert "Opus" not in (house.folder / "person" / "letter.txt").read_text()


@pytest.mark.parametrize("words", [(), ("--portability",)])
def test_rgt_04_every_file_has_its_hash_and_sha256sum_agrees(house: House, words: tuple[str, ...]) -> None:
    folder = house.finished(*words)
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stdout
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    listed = json.loads((folder / "manifest.json").read_text())["files"]
    assert files == set(listed) | {"manifest.json", "SHA256SUMS"}
    assert len(done.stdout.splitlines()) == len(files) - 1
    for path in [folder, *folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0
    assert {"letter.html", "letter.txt", "glossary.html", "metadata.json", "consents.json", "accesses.json"} <= files
    assert {"disclosures.json", "withheld.json"} <= files
    assert len([name for name in files if name.startswith("receipts/")]) == 2 * len(OWN)
    assert len([name for name in files if name.startswith("prompts/")]) == 1


def test_rgt_06_a_release_that_was_refused_is_no_access(house: House) -> None:
    status, _, err = house.shell("recordings", "export", ASKED, "-o", str(house.folder), "--purpose", "marketing")
    assert (status, "was not made for" in err) == (1, True)
    with house.vault() as vault:
        entries = list(vault.ledger.entries(recording=ASKED))
    assert Kind.RELEASE_DENIED in {entry.kind for entry in entries}
    assert access.accesses(entries) == []


def test_rgt_06_dates_and_purposes_of_every_access_are_told_and_no_names(house: House) -> None:
    with house.vault() as vault:
        vault.export(ASKED, 1, actor="anna.svensson", purpose="quality review")
        body = {"decision": "", "reason": "call back", "actor": "anna.svensson", "role": "officer"}
        vault.note(Fact(Kind.NUMBER_SHOWN, ASKED, "acme", body))
    folder = house.finished()
    accesses = json.loads((folder / "accesses.json").read_text())
    told = [(one["purpose"], one["what"]) for one in accesses if one["recording"] == ASKED]
    assert told == [("quality review", "released"), ("call back", "number_shown"), ("access", "released")]
    assert all(one["at"].endswith("Z") for one in accesses)
    assert vaults.files_with(folder, b"anna", b"uid:") == []
    assert f"accessed {len(accesses)} times" in " ".join((folder / "letter.txt").read_text().split())


def test_rgt_07_whoever_got_a_recording_is_named(house: House) -> None:
    disclose(house)
    folder = house.finished()
    (one,) = json.loads((folder / "disclosures.json").read_text())
    assert (one["recipient"], one["recording"], one["purpose"]) == ("The Tribunal of Umeå", ASKED, "claims")
    assert "The Tribunal of Umeå" in shown(folder / "letter.html").text


def test_rgt_07_without_a_disclosure_that_is_said(house: House) -> None:
    folder = house.finished()
    assert json.loads((folder / "disclosures.json").read_text()) == []
    assert "No recording of yours was disclosed" in (folder / "letter.txt").read_text()


def test_rgt_05_others_are_silent_on_a_decision_and_what_cannot_be_silenced_is_left_out(house: House) -> None:
    assert house.access()[0] == 0
    person = str(house.folder / "person")
    assert house.finish("--plain", "-o", person, "--mute", "others")[0] == 2
    status, _, err = house.finish("--plain", "-o", person, "--mute", "others", "--reason", "a colleague's health")
    assert (status, err.count("both voices are in one channel")) == (0, 4)
    folder = house.folder / "person"
    known = rows(folder)
    assert set(known) == {APART}
    assert (folder / known[APART]["files"][0]).read_bytes() == stereo(CALLER[44:], bytes(len(OTHERS) - 44))
    reasons = {one["recording"]: one["reason"] for one in json.loads((folder / "withheld.json").read_text())}
    assert reasons == dict.fromkeys({*OWN} - {APART}, "one_channel") | {WAITING: "unfinished"}
    text = " ".join((folder / "letter.txt").read_text().split())
    assert "every voice but yours is silent" in text
    assert "a colleague's health" in text
    assert json.loads((folder / "muted.json").read_text())["voice"] == "others"
    assert vaults.files_with(folder, OTHERS[100:200]) == []


def test_rgt_13_portability_is_for_consent_and_contract_and_for_others_the_letter_says_why_not(house: House) -> None:
    folder = house.finished("--portability")
    portable = json.loads((folder / "portable.json").read_text())
    assert {one["id"] for one in portable["recordings"]} == {*OWN} - {CLAIM}
    for one in portable["recordings"]:
        assert all((folder / name).exists() for name in one["files"])
    number = rows(folder)[CLAIM]["number"]
    text = " ".join((folder / "letter.txt").read_text().split())
    assert f"No. {number}: not applicable." in text
    assert "Art. 20(1)(a)" in text


def test_rgt_13_without_being_asked_for_there_is_none(house: House) -> None:
    folder = house.finished()
    assert not (folder / "portable.json").exists()
    assert "portability" not in (folder / "letter.txt").read_text()


def test_rgt_16_the_letter_confirms_what_was_done_and_says_until_when_backups_exist(house: House) -> None:
    with house.vault() as vault:
        vault.note(Fact(Kind.KEYS_BACKED_UP, None, "acme", {"expires_at": vaults.DAY_ONE + 14 * 86_400_000}))
    folder = house.finished()
    text = " ".join((folder / "letter.txt").read_text().split())
    assert "backup copies of the keys, until 2026-01-15 00:00 UTC at the latest" in text
    assert re.search(r"Letter [0-9a-f]{32}, 20\d\d-\d\d-\d\d", text)
    assert "With this letter you get 5 of them" in text


@pytest.mark.parametrize("kind", ["recipient", "passphrase"])
@pytest.mark.pbx
def test_rgt_04_for_the_journey_it_is_sealed_and_opens_with_the_public_age(house: House, kind: str) -> None:
    person = age.X25519Identity.generate(os.urandom)
    (house.folder / "words").write_text("five words drawn by dice\n")
    (house.folder / "person.identity").write_text(person.encode() + "\n")
    assert house.access()[0] == 0
    target = house.folder / "person.zip.age"
    way = (
        ("--recipient", person.recipient().encode())
        if kind == "recipient"
        else ("--passphrase-file", str(house.folder / "words"))
    )
    assert house.finish(*way, "-o", str(target))[0] == 0
    if kind == "recipient":
        done = subprocess.run(
            [AGE, "-d", "-i", house.folder / "person.identity", target], capture_output=True, check=True
        )
        data = done.stdout
    else:
        out = io.BytesIO()
        age.decrypt(io.BytesIO(target.read_bytes()), [age.ScryptIdentity("five words drawn by dice")], out)
        data = out.getvalue()
    inside = zipfile.ZipFile(io.BytesIO(data))
    assert inside.testzip() is None
    sums = inside.read("SHA256SUMS").decode().splitlines()
    assert {line.split("  ")[1] for line in sums} == set(inside.namelist()) - {"SHA256SUMS"}
    assert all(hashlib.sha256(inside.read(line[66:])).hexdigest() == line[:64] for line in sums)
    assert vaults.files_with(house.folder, SOUND[RECORDING, 1][100:200], b"Your recordings with") == []


@pytest.mark.pbx
def test_rgt_04_the_public_age_opens_the_package_and_each_recording_in_it(house: House) -> None:
    assert house.access()[0] == 0
    done = subprocess.run([AGE, "-d", "-i", house.shell.identity, house.package], capture_output=True, check=True)
    inside = zipfile.ZipFile(io.BytesIO(done.stdout))
    for (recording, segment), sound in SOUND.items():
        sealed = inside.read(f"sealed/{recording}.{segment}.age")
        opened = subprocess.run([AGE, "-d", "-i", house.shell.identity], input=sealed, capture_output=True, check=True)
        assert opened.stdout == sound


def test_what_was_finished_is_told_to_programs(house: House) -> None:
    assert house.access()[0] == 0
    status, out, _ = house.finish("--plain", "-o", str(house.folder / "person"), "--json", "--language", "sv")
    assert status == 0
    told = {"file": str(house.folder / "person"), "recordings": len(OWN), "withheld": 1, "language": "sv"}
    assert json.loads(out) == told


def test_the_commands_of_the_readme_run(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    section = (ROOT / "README.md").read_text().split("### Giving a person their recordings")[1].split("\n### ")[0]
    lines = re.findall(r"^(?:pbx|officer) +(gdprcall .*)$", section, re.MULTILINE)
    assert len(lines) == 3
    monkeypatch.chdir(house.folder)
    (house.folder / "words").write_text("five words drawn by dice\n")
    for line in lines:
        assert house.shell(*shlex.split(line)[1:])[0] == 0, line
    assert (house.folder / "look" / "letter.html").exists()
    assert (house.folder / "for-the-person.zip.age").exists()
    shown = house.shell("subject", "access", "--help")[1] + house.shell("subject", "finish", "--help")[1]
    assert all(name in shown for name in re.findall(r"`(--[a-z-]+)", section))


def test_nobody_finishes_it_without_saying_for_whom_it_is_sealed(house: House) -> None:
    assert house.access()[0] == 0
    recipient = ("--recipient", ACME.recipients[0])
    for words in ((), ("--plain", *recipient), ("--plain", "--passphrase-file", str(house.shell.identity))):
        assert house.finish(*words)[0] == 2
    (house.folder / "words").write_text("short\n")
    assert house.finish("--passphrase-file", str(house.folder / "words"))[0] == 1
    assert house.finish("--recipient", "age1nobody")[0] == 1
    assert not (house.folder / "request.zip.age").exists()


def test_a_package_that_was_changed_or_is_of_another_is_refused_and_leaves_nothing(house: House) -> None:
    assert house.access()[0] == 0
    whole = house.package.read_bytes()
    (house.folder / "beta.identity").write_text(BETA.identities[0].encode() + "\n")
    before = set(house.folder.iterdir())
    words = (
        "subject",
        "finish",
        str(house.package),
        "-i",
        str(house.folder / "beta.identity"),
        "--plain",
        "-o",
        str(house.folder / "x"),
    )
    assert house.shell(*words)[0] == 1
    for changed in (whole[:-1], whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:], whole[:100]):
        house.package.write_bytes(changed)
        assert house.finish("--plain", "-o", str(house.folder / "x"))[0] == 4
    assert set(house.folder.iterdir()) == before


@pytest.mark.parametrize("change", ["sound", "missing", "more", "manifest", "swapped"])
def test_rgt_04_a_package_that_its_manifest_does_not_describe_is_refused(house: House, change: str) -> None:
    assert house.access()[0] == 0
    inside = house.inside()
    files = {name: inside.read(name) for name in inside.namelist()}
    one, other = f"sealed/{RECORDING}.1.age", f"sealed/{ASKED}.1.age"
    if change == "sound":
        files[one] = files[one][:-1] + b"x"
    elif change == "missing":
        del files[one]
    elif change == "more":
        files["sealed/more.age"] = b"x"
    elif change == "manifest":
        files["manifest.json"] = files["manifest.json"] + b" "
    else:
        files[one], files[other] = files[other], files[one]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, data in files.items():
            made.writestr(name, data)
    with house.package.open("wb") as sink:
        age.encrypt(io.BytesIO(out.getvalue()), [ACME.identities[0].recipient()], sink)
    status, _, err = house.finish("--plain", "-o", str(house.folder / "x"))
    assert (status, "error: " in err) == (4, True)
    assert not (house.folder / "x").exists()


def test_rgt_04_a_recording_under_anothers_name_is_refused_however_right_the_hashes_are(house: House) -> None:
    assert house.access()[0] == 0
    inside = house.inside()
    one, other = f"sealed/{RECORDING}.1.age", f"sealed/{ASKED}.1.age"
    swap = {one: other, other: one}
    with house.package.open("wb") as sink, packing.sealed(sink, [ACME.identities[0].recipient()]) as seal:
        pack = packing.Zipped(seal)
        for name in inside.namelist():
            if name not in {packing.MANIFEST, packing.SUMS}:
                pack.add(name, io.BytesIO(inside.read(swap.get(name, name))))
        pack.finish()
    status, _, err = house.finish("--plain", "-o", str(house.folder / "x"))
    assert (status, "not the one it is said to be" in err) == (4, True)
    assert not (house.folder / "x").exists()
    assert not folder_of(house.folder / "x").exists()


def test_own_templates_go_before_those_that_are_installed_and_bring_languages(house: House) -> None:
    own = house.folder / "templates"
    own.mkdir()
    (own / "access.fi.j2").write_text("# Tallenteesi\n{{ controller.name }} <b>&\n")
    assert house.access("--language", "fi", "-o", str(house.package))[0] == 0
    folder = house.finished("--templates", str(own))
    assert "<h1>Tallenteesi</h1>" in (folder / "letter.html").read_text()
    assert "Acme &lt;b&gt;&amp;" in (folder / "letter.html").read_text()
    (own / "access.fi.j2").write_text("# {{ nonsense }}\n")
    status, _, err = house.finish("--plain", "-o", str(house.folder / "x"), "--templates", str(own))
    assert (status, "access.fi.j2" in err) == (2, True)
    assert not (house.folder / "x").exists()


def test_no_value_becomes_markup_or_a_line_of_a_letter(tmp_path: Path) -> None:
    (tmp_path / "access.en.j2").write_text("# Title\n- {{ value }}\n")
    letter = letters.write("access", "en", {"value": "a\n# <script>\n- b"}, tmp_path)
    assert letter.page.count("<h1>") == letter.page.count("<li>") == 1
    assert "<script>" not in letter.page
    assert letter.text.splitlines()[-1] == "- a # <script> - b"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((DIALLED, "--controller", "acme"), 0),
        (("+49 30 999999", "--controller", "acme"), 3),
        ((DIALLED, "--controller", "nobody"), 3),
        (("anonymous", "--controller", "acme"), 2),
        ((DIALLED,), 2),
    ],
)
def test_who_is_not_known_or_not_named_is_told_by_the_status(house: House, words: tuple[str, ...], status: int) -> None:
    target = house.folder / "out.age"
    done, _, err = house.shell("subject", "access", *words, *SHOWN, "-o", str(target))
    assert done == status
    assert target.exists() == (status == 0)
    assert not folder_of(target).exists()
    assert "30 12345678" not in err
    assert "999999" not in err


def test_a_number_may_come_where_no_list_of_processes_shows_it(house: House) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gdprcall", "--config", str(house.shell.config), "subject", "access", "-", "--controller", "acme", *SHOWN, "--json"],
        input=DIALLED + "\n", capture_output=True, text=True, check=False, cwd=house.folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recordings"] == len(OWN)
    assert (house.folder / "access.age").exists()


def test_a_file_that_is_there_stays_unless_it_is_forced(house: House) -> None:
    house.package.write_text("precious")
    assert house.access()[0] == 1
    assert house.package.read_text() == "precious"
    with house.vault() as vault:
        assert released(vault) == []
    assert house.access("-o", str(house.package), "--force")[0] == 0
    assert house.inside().testzip() is None


async def test_rgt_04_the_same_package_comes_through_the_daemon(house: House) -> None:
    settings = config.load(house.shell.config)
    asked = sealing.Asked(
        {"number": NUMBER, "controller": "acme", "identified": "document"}, house.package, force=False
    )
    with house.vault() as vault:
        async with served(vault, settings) as backend:
            made = await asyncio.to_thread(sealing.make, backend, asked, lambda _done, _all: None)
        assert sorted(released(vault), key=str) == sorted(SOUND, key=str)
        bodies = [entry.body or {} for entry in vault.ledger.entries(kinds={Kind.RELEASED})]
    assert {(body["reason"], body["package"]) for body in bodies} == {("access request (Art. 15)", made.package)}
    assert made.recordings == len(OWN)
    for (recording, segment), sound in SOUND.items():
        assert ACME.opens(house.inside().read(f"sealed/{recording}.{segment}.age")) == sound


class Erasing(Backend):
    """The way to a vault in which a recording is erased just before it would be released."""

    def export(self, recording: str, *rest: Any) -> None:
        if recording == ASKED:
            self.call("recordings/erase", {"ids": [ASKED], "reason": "withdrawn", "dry_run": False})
        super().export(recording, *rest)


def test_rgt_04_what_is_erased_meanwhile_is_withheld_and_the_rest_is_given(house: House) -> None:
    backend = Erasing(config.load(house.shell.config))
    asked = sealing.Asked(
        {"number": NUMBER, "controller": "acme", "identified": "document"}, house.package, force=False
    )
    with backend.one_vault():
        made = sealing.make(backend, asked, lambda _done, _all: None)
    reasons = {one["recording"]: one["reason"] for one in made.withheld}
    assert reasons == {WAITING: "unfinished", ASKED: "erased"}
    assert f"sealed/{ASKED}.1.age" not in house.inside().namelist()
    text = " ".join((house.finished() / "letter.txt").read_text().split())
    assert "it was withdrawn or erased" in text


class Forbidding(Backend):
    """The way of somebody who may not release anything."""

    def export(self, *_: Any) -> None:
        raise Refused("as auditor you may not ask this")


def test_rgt_04_who_may_not_release_makes_no_package_that_says_all_is_withheld(house: House) -> None:
    asked = sealing.Asked(
        {"number": NUMBER, "controller": "acme", "identified": "document"}, house.package, force=False
    )
    with pytest.raises(Refused, match="as auditor"):
        sealing.make(Forbidding(config.load(house.shell.config)), asked, lambda _done, _all: None)
    assert not house.package.exists()
    assert house.access()[0] == 0
    assert [one["reason"] for one in json.loads(house.inside().read("withheld.json"))] == ["unfinished"]


def test_rgt_04_a_damaged_recording_is_told_and_makes_no_package(house: House) -> None:
    payload = house.folder / "vault" / "objects" / ASKED[:2] / f"{ASKED}.1"
    payload.chmod(0o600)
    payload.write_bytes(payload.read_bytes()[:-1] + b"x")
    status, _, err = house.access()
    assert (status, "audit verify" in err) == (4, True)
    assert not house.package.exists()


def peaks(house: House) -> list[int]:
    """Return how many bytes were in memory at most when a package was made, and when it was finished."""
    target, found = str(house.folder / "person.zip"), []
    for run in (
        lambda: house.access("-o", str(house.package), "--force"),
        lambda: house.finish("--plain", "-o", target, "--force"),
    ):
        tracemalloc.start()
        assert run()[0] == 0
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return found


def test_rgt_04_however_long_a_recording_is_little_of_it_is_in_memory(house: House) -> None:
    before, long = peaks(house), vaults.wav(900, 9)
    with house.vault() as vault:
        recording = recording_id(20)
        vault.submit(vaults.decision(recording), vaults.caller(recording, subject=house.subject)).result()
        vault.seal(vaults.spooled(house.folder / "spool", recording, 1, long), vaults.facts(recording))
    assert all(after < first + 2_000_000 for first, after in zip(before, peaks(house), strict=True)), (
        "of 14 million bytes"
    )
    with zipfile.ZipFile(house.folder / "person.zip") as inside:
        name = next(one["files"][0] for one in json.loads(inside.read("metadata.json")) if one["id"] == recording)
        assert inside.read(name) == long


def test_rgt_04_what_is_restricted_or_held_is_given_to_the_person_who_asks_for_it(house: House) -> None:
    with house.vault() as vault:
        row = vault.recording(ASKED)
    assert access.weigh(row) == ""
    assert access.weigh(replace(row, held=True)) == ""
    assert access.weigh(replace(row, restricted=True)) == ""
    assert access.weigh(replace(row, withdrawn=True)) == "erased"
    assert access.weigh(replace(row, state="not_started")) == "never_recorded"


def test_what_was_begun_for_one_person_is_not_gone_on_with_for_another(house: House) -> None:
    with house.vault() as vault:
        other = subjects.pseudonym(config.load(house.shell.config).pseudonym_key("acme"), "+4930999999")
        vaults.sealed(vault, house.folder / "spool", 6, subject=other)
    folder_of(house.package).mkdir(mode=0o700)
    backend = Backend(config.load(house.shell.config))
    plan = backend.call("subject/access", {"number": NUMBER, "controller": "acme", "identified": "document"})
    assert isinstance(plan, dict)
    (folder_of(house.package) / "state.json").write_text(json.dumps({"package": plan["id"], "mark": plan["mark"]}))
    status, _, err = house.shell(
        "subject", "access", "+49 30 999999", "--controller", "acme", *SHOWN, "-o", str(house.package)
    )
    assert (status, "somebody else" in err) == (1, True)
    assert not house.package.exists()
    assert house.access()[0] == 0


MANY = 40


def program(house: House, *words: str) -> list[str]:
    return [sys.executable, "-m", "gdprcall", "--config", str(house.shell.config), *words]


def killed(command: list[str], source: random.Random, done: Path, most: int = 60) -> int:
    """Run a command and kill it at random, later each time, until it has ended by itself; return how often it was killed."""
    for kills in range(most):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, err = process.communicate(timeout=0.25 + source.random() * 0.12 * (kills + 1))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            continue
        # Killed when all was done: what is there is whole, and is not made again.
        assert process.returncode == 0 or b"is there already" in err, err
        assert done.exists()
        return kills
    raise AssertionError("it never ended")


@pytest.mark.parametrize("seed", range(3))
def test_rgt_04_killed_at_random_moments_the_next_run_finishes_what_was_begun(house: House, seed: int) -> None:
    with house.vault() as vault:
        for number in range(100, 100 + MANY):
            vaults.sealed(vault, house.folder / "spool", number, subject=house.subject)
    command = program(house, "subject", "access", NUMBER, "--controller", "acme", *SHOWN, "-o", str(house.package))
    kills = killed(command, random.Random(seed), house.package)
    assert not folder_of(house.package).exists()
    sealed = [name for name in house.inside().namelist() if name.startswith("sealed/")]
    assert len(sealed) == len(SOUND) + MANY
    with house.vault() as vault:
        releases = released(vault)
        begun = list(vault.ledger.entries(kinds={Kind.ACCESS_BEGUN}))
    assert len(set(releases)) == len(SOUND) + MANY
    assert len(releases) <= len(SOUND) + MANY + kills, "each death costs at most one release more"
    assert len(begun) <= 1 + kills
    assert vaults.files_with(house.folder, SOUND[RECORDING, 1][100:200], SOUND[PARTS, 2][100:200]) == []


@pytest.mark.parametrize("seed", range(2))
def test_rgt_04_finishing_killed_at_random_moments_leaves_a_whole_package_or_none(house: House, seed: int) -> None:
    assert house.access()[0] == 0
    target = house.folder / "person.zip"
    words = ("subject", "finish", str(house.package), "-i", str(house.shell.identity), "--plain", "-o", str(target))
    killed(program(house, *words), random.Random(seed), target)
    inside = zipfile.ZipFile(target)
    assert inside.testzip() is None
    assert len([name for name in inside.namelist() if name.endswith(".wav") and name.startswith("audio/")]) == 7
    assert [path.name for path in house.folder.iterdir() if path.name.startswith(".")] == []


def test_an_interrupted_package_is_not_gone_on_with_by_two_at_once(house: House) -> None:
    with staged(house.package, resumable=True):
        status, _, err = house.access()
        assert (status, "by another process" in err) == (1, True)
    assert house.access()[0] == 0


def test_the_next_run_takes_nothing_for_whole_that_is_not(house: House) -> None:
    backend = Backend(config.load(house.shell.config))
    plan = backend.call("subject/access", {"number": NUMBER, "controller": "acme", "identified": "document"})
    assert isinstance(plan, dict)
    folder = folder_of(house.package)
    folder.mkdir(mode=0o700)
    (folder / "state.json").write_text(json.dumps({"package": plan["id"], "mark": plan["mark"]}))
    (folder / f"{RECORDING}.1.age").write_bytes(b"half of it")
    (folder / f"{B}.1.age").write_bytes(b"another's")
    (folder / ".making.x1").write_bytes(b"rubbish")
    assert house.access()[0] == 0
    assert ACME.opens(house.inside().read(f"sealed/{RECORDING}.1.age")) == SOUND[RECORDING, 1]
    assert f"sealed/{B}.1.age" not in house.inside().namelist()
    assert not folder.exists()
