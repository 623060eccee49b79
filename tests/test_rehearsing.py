"""The test of a restore: dated, noted, and asked for once a year; a backup that cannot be restored is none (SEC-07)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gdprcall.cli.main import run
from gdprcall.errors import CheckFailed, ConfigError, GdprcallError, VaultError
from gdprcall.times import DAY_MS
from gdprcall.vault.entry import Kind
from tests import vaults
from tests.breachhouse import House, fill, house


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        fill(made)
        made.run("vault/backup", folder=str(tmp_path / "backup"))
        yield made


def asked(place: House, folder: str = "backup") -> Any:
    return place.run("vault/rehearse", folder=str(place.folder / folder))


def row(place: House) -> dict[str, object]:
    return next(one for one in place.run("retention/check") if one["store"] == "test of a restore")


def test_sec_07_a_backup_is_restored_apart_and_the_vault_is_as_it_was(place: House) -> None:
    before = {path: path.read_bytes() for path in (place.folder / "vault" / "objects").rglob("*") if path.is_file()}
    kept = sorted(path.name for path in place.folder.iterdir())
    found = asked(place)
    assert (found["payloads"], found["missing"], found["damaged"]) == (6, [], [])
    assert found["tested_at"] == "2026-01-01T00:00:00.000Z"
    assert {
        path: path.read_bytes() for path in (place.folder / "vault" / "objects").rglob("*") if path.is_file()
    } == before
    assert sorted(path.name for path in place.folder.iterdir()) == kept
    assert place.run("audit/verify")["findings"] == []


def test_sec_07_it_is_asked_for_once_a_year_where_there_are_backups(place: House, tmp_path: Path) -> None:
    assert (row(place)["ok"], row(place)["oldest"]) == (False, None)
    asked(place)
    assert row(place)["ok"] is True
    place.clock.now += 366 * DAY_MS
    assert row(place)["ok"] is True
    place.clock.now += 1
    assert row(place)["ok"] is False
    (tmp_path / "other").mkdir()
    with house(tmp_path / "other") as none:
        assert row(none)["ok"] is True, "where there is no backup, nothing can be tested"


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_sec_07_a_payload_that_is_not_there_or_not_whole_is_found_and_is_no_good_test(
    place: House, damage: str
) -> None:
    (first, *_) = sorted((place.folder / "backup" / "objects").rglob("*.1"))
    first.chmod(0o600)
    content = first.read_bytes()
    first.unlink()
    if damage == "damaged":
        first.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert len(asked(place)[damage]) == 1
    assert row(place)["ok"] is False


def test_sec_07_a_backup_that_cannot_be_restored_is_told_and_noted(place: House) -> None:
    (ledger,) = (place.folder / "backup").rglob("ledger.db")
    ledger.chmod(0o600)
    ledger.write_bytes(ledger.read_bytes()[:-100])
    with pytest.raises(GdprcallError):
        asked(place)
    (noted,) = place.vault.ledger.entries(kinds={Kind.RESTORE_TESTED})
    assert (noted.body or {})["problem"]
    assert row(place)["ok"] is False


def test_sec_07_the_backup_of_another_vault_is_none(place: House, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with house(tmp_path / "other") as other:
        vaults.sealed(other.vault, tmp_path / "other" / "spool", 77, line="support")
        other.run("vault/backup", folder=str(tmp_path / "strange"))
    with pytest.raises(CheckFailed, match="another ledger"):
        asked(place, "strange")


def test_a_folder_that_is_no_place_is_refused(place: House) -> None:
    with pytest.raises(ConfigError):
        place.run("vault/rehearse", folder="backup")
    with pytest.raises(ConfigError):
        place.run("vault/rehearse", folder=str(place.folder / "backup"), scratch=7)


def test_sec_07_a_test_for_which_there_is_no_room_is_told_and_noted(place: House) -> None:
    (place.folder / "file").touch()
    with pytest.raises(VaultError, match="put together"):
        place.run("vault/rehearse", folder=str(place.folder / "backup"), scratch=str(place.folder / "file"))
    (noted,) = place.vault.ledger.entries(kinds={Kind.RESTORE_TESTED})
    assert "put together" in str((noted.body or {})["problem"])
    assert row(place)["ok"] is False


def test_the_command_says_that_it_can_be_restored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with house(tmp_path) as made:
        fill(made)
        made.run("vault/backup", folder=str(tmp_path / "backup"))
    command = ["--config", str(tmp_path / "gdprcall.toml"), "vault", "rehearse", str(tmp_path / "backup")]
    assert run(command) == 0
    assert "can be restored" in capsys.readouterr().out
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["payloads"] == 6
