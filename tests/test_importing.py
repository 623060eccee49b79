"""An archive of clear recordings goes into the vault: sealed, checked, then removed; what may not be kept is named and left."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from gdprcall import config, operations
from gdprcall.cli.main import run
from gdprcall.operations import Context
from gdprcall.rights import past
from gdprcall.times import DAY_MS, now_ms, rfc3339
from gdprcall.vault import subjects
from gdprcall.vault.archive import Vault
from tests import vaults
from tests.pbx.prepare import ROOT
from tests.test_access import ASKED, DIALLED, WAITING, House, house
from tests.vaults import ACME, Clock, recording_id

__all__ = ["house"]

NOW = now_ms()
WHEN = NOW // 1000 - 3600
PBX = f"external-201-0301234567-20260131-120000-{WHEN}.17"
CALLER = "+43301234567"


@pytest.fixture
def archive(house: House) -> Path:
    text = house.shell.config.read_text().replace('country = "SE"', 'country = "AT"', 1)
    house.shell.config.write_text(text)
    folder = house.folder / "monitor" / "2026" / "01"
    folder.mkdir(parents=True)
    for place, name in enumerate(
        (PBX, f"{WHEN}.18", "greeting", f"q-600-0301234567-20200101-120000-{WHEN - 400 * 86400}.19")
    ):
        (folder / f"{name}.wav").write_bytes(vaults.wav(seed=900 + place))
    (folder / f"{WHEN}.20.wav").write_bytes(b"RIFF, and nothing else")
    (folder / f"{WHEN}.21.wav").write_bytes(vaults.wav(0))
    (folder / f"{WHEN}.22.wav").symlink_to("/etc/passwd")
    return house.folder / "monitor"


def take(house: House, archive: Path, *words: str) -> tuple[int, dict[str, object]]:
    status, out, _ = house.shell("vault", "import", str(archive), "--line", "claims", "--json", *words)
    return status, json.loads(out)


def there(archive: Path) -> set[str]:
    return {path.name for path in archive.rglob("*.wav")}


def test_what_can_be_kept_is_sealed_and_removed_and_the_rest_is_named_with_its_reason(
    house: House, archive: Path
) -> None:
    before = there(archive)
    status, would = take(house, archive, "--dry-run")
    assert (status, there(archive)) == (0, before)
    status, done = take(house, archive, "--yes")
    assert status == 0
    assert [one["file"] for one in done["taken"]] == would["would_take"]  # type: ignore[attr-defined]
    assert {one["file"].split("/")[-1]: one["why"] for one in done["left"]} == {  # type: ignore[attr-defined]
        "greeting.wav": past.Why.NO_TIME,
        f"q-600-0301234567-20200101-120000-{WHEN - 400 * 86400}.19.wav": past.Why.OVER,
        f"{WHEN}.20.wav": past.Why.NO_WAV,
        f"{WHEN}.21.wav": past.Why.EMPTY,
        f"{WHEN}.22.wav": past.Why.NOT_A_FILE,
    }
    assert before - there(archive) == {f"{PBX}.wav", f"{WHEN}.18.wav"}
    assert house.shell("audit", "verify")[0] == 0
    assert not (house.folder / "vault" / "import").exists()


def test_what_was_taken_opens_and_has_its_time_its_basis_and_its_caller(house: House, archive: Path) -> None:
    _, done = take(house, archive, "--yes")
    taken = {one["file"].split("/")[-1]: one["recording"] for one in done["taken"]}  # type: ignore[attr-defined]
    recording = taken[f"{PBX}.wav"]
    assert house.shell("recordings", "export", recording, "-o", str(house.folder))[0] == 0
    sealed = (house.folder / f"{recording}.1.age").read_bytes()
    assert ACME.opens(sealed) == vaults.wav(seed=900)
    with house.vault() as vault:
        row = vault.recording(recording)
        assert (row.basis, row.line, row.started_at) == ("legitimate_interest", "claims", WHEN * 1000)
        assert row.expires_at == WHEN * 1000 + 1000 + 60 * DAY_MS
        assert row.subject == subjects.pseudonym(config.load(house.shell.config).pseudonym_key("acme"), CALLER)
        number = vault.sealed_number(recording)
        assert number is not None
        assert ACME.opens(number) == CALLER.encode()
        assert vault.recording(taken[f"{WHEN}.18.wav"]).subject is None
    raw = b"".join(path.read_bytes() for path in (house.folder / "vault").glob("*.db*"))
    assert CALLER.encode() not in raw
    assert b"0301234567" not in raw


def test_con_02_on_a_line_of_consent_only_what_is_proven_is_taken(house: House, archive: Path) -> None:
    table = house.folder / "archive.csv"
    table.write_text(f"file,proof\n2026/01/{WHEN}.18.wav,form 17\n")
    words = ("vault", "import", str(archive), "--line", "support", "--table", str(table), "--yes", "--json")
    status, out, _ = house.shell(*words)
    assert status == 0
    (taken,) = json.loads(out)["taken"]
    assert taken["file"] == f"2026/01/{WHEN}.18.wav"
    assert json.loads(out)["reasons"][past.Why.NO_PROOF] == 2
    shown = json.loads(house.shell("recordings", "show", taken["recording"], "--json")[1])
    (decision,) = [one["body"] for one in shown["history"] if one["kind"] == "decision"]
    assert (decision["outcome"], decision["imported"]["proof"]) == ("granted", "form 17")


def test_the_table_says_what_a_name_does_not(house: House, archive: Path) -> None:
    table = house.folder / "archive.csv"
    made = rfc3339(NOW - DAY_MS)
    table.write_text(f"file,started_at,number,language\n2026/01/greeting.wav,{made},+49 30 12345678,de\n")
    _, done = take(house, archive, "--table", str(table), "--yes")
    (recording,) = [one["recording"] for one in done["taken"] if "greeting" in one["file"]]  # type: ignore[attr-defined]
    with house.vault() as vault:
        assert vault.recording(recording).subject == house.subject
        assert vault.decision(vault.recording(recording).decision).language == "de"
    person = ("--controller", "acme", "--reason", "x", "--dry-run")
    assert recording in house.shell("subject", "erase", DIALLED, *person)[1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,proof\na,b\n", "columns are"),
        ("file,started_at\n2026/01/greeting.wav,yesterday\n", "line 2: started_at"),
        ("file\n2026/01/greeting.wav\n2026/01/greeting.wav\n", "line 3"),
    ],
    ids=["columns", "time", "twice"],
)
def test_a_table_that_is_wrong_is_refused_with_its_line_and_no_number(
    house: House, archive: Path, text: str, says: str
) -> None:
    table = house.folder / "archive.csv"
    table.write_text(text)
    before = there(archive)
    words = ("vault", "import", str(archive), "--line", "claims", "--table", str(table), "--yes")
    status, _, err = house.shell(*words)
    assert (status, says in err, "0301234567" in err, there(archive)) == (2, True, False, before)


def test_a_row_whose_file_was_taken_before_is_named_and_stops_nothing(house: House, archive: Path) -> None:
    table = house.folder / "archive.csv"
    (house.folder / f"{WHEN}.9.wav").write_bytes(vaults.wav())
    table.write_text(f"file\ngone/before.wav\n../{WHEN}.9.wav\n")
    status, done = take(house, archive, "--table", str(table), "--yes")
    assert (status, len(done["taken"])) == (0, 2)  # type: ignore[arg-type]
    for name in ("gone/before.wav", f"../{WHEN}.9.wav"):
        assert {"file": name, "why": past.Why.GONE} in done["left"]  # type: ignore[operator]
    assert (house.folder / f"{WHEN}.9.wav").exists(), "what is not below the folder is not touched"


def test_the_originals_stay_if_that_is_wanted_and_nothing_is_taken_twice(house: House, archive: Path) -> None:
    before = there(archive)
    _, first = take(house, archive, "--keep", "--yes")
    _, second = take(house, archive, "--keep", "--yes")
    assert there(archive) == before
    assert [one["recording"] for one in first["taken"]] == [one["recording"] for one in second["taken"]]  # type: ignore[attr-defined]
    assert house.shell("audit", "verify")[0] == 0
    _, third = take(house, archive, "--yes")
    assert len(before - there(archive)) == len(third["taken"]) == 2  # type: ignore[arg-type]


def test_what_an_import_left_in_the_clear_is_gone_at_the_next_opening(house: House) -> None:
    left = house.folder / "vault" / "import" / "left.wav"
    left.parent.mkdir()
    left.write_bytes(vaults.wav())
    with house.vault():
        assert not left.parent.exists()


def test_the_daemons_look_for_lost_recordings_takes_none_that_is_being_imported(house: House, archive: Path) -> None:
    settings, seen = config.load(house.shell.config), []

    def look(_name: str) -> None:
        seen.append([row.id for row in vault.unfinished() if row.id != WAITING])

    with vaults.opened(house.folder, clock=Clock(NOW), step=look) as vault:
        context = Context(vault, settings, clock=Clock(NOW))
        operations.run(context, "vault/import", {"folder": str(archive), "line": "claims", "reason": "x"})
    assert [] in seen
    assert not any(seen)
    lost, later = recording_id(30), Clock(NOW + 2 * 3_600_000)
    with vaults.opened(house.folder, clock=Clock(NOW)) as vault:
        vault.note(vaults.decision(lost, reason="imported"))
    with vaults.opened(house.folder, clock=later) as vault:
        assert lost in [row.id for row in vault.unfinished()], "what was begun and never taken in is closed some day"


def test_an_original_is_not_removed_if_what_was_sealed_is_not_what_the_ledger_says(
    house: House, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Vault.seal

    def spoilt(vault: Vault, *given: object) -> object:
        entry = real(vault, *given)  # type: ignore[arg-type]
        path = vault.objects.path(str(entry.recording), 1)
        os.chmod(path, 0o600)
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        return entry

    monkeypatch.setattr(Vault, "seal", spoilt)
    before = there(archive)
    status = run(["--config", str(house.shell.config), "vault", "import", str(archive), "--line", "claims", "--yes"])
    assert (status, there(archive)) == (1, before)


@pytest.mark.parametrize("name", [PBX, f"out-0301234567-201-20260131-120000-{WHEN}.17"], ids=["in", "out"])
def test_the_outer_party_is_whom_the_call_came_from_or_went_to(name: str) -> None:
    known = past.item(Path(f"/x/{name}.wav"), {})
    assert (known.number, known.started_at) == ("0301234567", WHEN * 1000)


def test_what_a_name_does_not_say_is_not_guessed() -> None:
    assert past.item(Path("/x/call with Anna.wav"), {}) == past.Item(Path("/x/call with Anna.wav"), None)


def test_every_command_of_the_readmes_section_runs(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    section = (
        (ROOT / "README.md").read_text().split("\n### What is wrong, and what was there before\n")[1].split("\n### ")[0]
    )
    (block,) = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    monkeypatch.chdir(house.folder)
    (house.folder / "letter.txt").write_text("It was my brother.")
    (house.folder / "monitor").mkdir()
    vaults.spooled(house.folder / "spool", "x" * 32).rename(house.folder / "monitor" / f"{WHEN}.18.wav")
    (house.folder / "archive.csv").write_text(f"file,proof\n{WHEN}.18.wav,form 17\n")
    for command in block.replace("RECORDING", ASKED).splitlines():
        words = shlex.split(command)
        assert words[0] == "gdprcall"
        wanted = 4 if "check" in words else 0  # what the sample holds is long over
        assert house.shell(*words[1:])[0] == wanted, command
    assert there(house.folder / "monitor") == set()
