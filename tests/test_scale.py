"""The index with many recordings, and with the schemas of earlier releases: answered from an index, migrated forward."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from gdprcall.errors import VaultError
from gdprcall.vault.archive import Vault
from gdprcall.vault.index import RECORDING, Index
from gdprcall.vault.rows import Wanted
from tests import vaults
from tests.vaults import ACME, DAY_ONE, recording_id

FIRST = Path(__file__).parent / "vectors" / "first-schema"
DAY_MS = 24 * 3600 * 1000


def plan(index: Index, where: str) -> list[str]:
    """Return how SQLite means to find recordings."""
    return [str(row[3]) for row in index._store.rows(f"EXPLAIN QUERY PLAN {RECORDING} {where}")]


@pytest.mark.parametrize(
    ("where", "by"),
    [
        (
            "WHERE r.controller = 'acme' AND r.subject = 'x' ORDER BY r.started_at DESC, r.id DESC LIMIT 50",
            "recording_subject (controller=? AND subject=?)",
        ),
        (
            "WHERE r.controller = 'acme' AND r.started_at >= 1 AND r.started_at < 2 "
            "ORDER BY r.started_at DESC, r.id DESC LIMIT 50",
            "recording_controller (controller=? AND started_at>? AND started_at<?)",
        ),
        (
            "WHERE r.state NOT IN ('recording', 'erased') AND r.expires_at <= 5 ORDER BY r.expires_at, r.id LIMIT 100",
            "recording_due (expires_at<?)",
        ),
    ],
)
def test_a_caller_a_day_and_what_is_due_are_found_by_an_index_of_their_own(tmp_path: Path, where: str, by: str) -> None:
    index = Index(tmp_path / "index.db")
    steps = plan(index, where)
    assert steps[0] == f"SEARCH r USING INDEX {by}"
    assert not any("TEMP B-TREE" in step for step in steps)
    index.close()


def test_sec_09_a_caller_is_known_within_a_controller_alone(tmp_path: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        for number, controller, subject in ((1, "acme", "one"), (2, "other", "one"), (3, "acme", "two")):
            recording = recording_id(number)
            vault.note(vaults.decision(recording, controller=controller))
            vault.note(vaults.caller(recording, controller=controller, subject=subject))
        assert [row.id for row in vault.recordings(Wanted(controller="acme", subject="one"))] == [recording_id(1)]


def test_a_span_of_time_takes_its_begin_and_leaves_its_end(tmp_path: Path) -> None:
    clock = vaults.Clock()
    with vaults.opened(tmp_path, clock=clock) as vault:
        for day in range(3):
            clock.now = DAY_ONE + day * DAY_MS
            vault.note(vaults.decision(recording_id(day)))
        wanted = Wanted(controller="acme", since=DAY_ONE + DAY_MS, until=DAY_ONE + 2 * DAY_MS)
        assert [row.id for row in vault.recordings(wanted)] == [recording_id(1)]
        assert [row.recording for row in vault.decisions(wanted)] == [recording_id(1)]


def restored(folder: Path) -> Path:
    """Make the vault of the first schema anew from its text, and return its folder."""
    vault = folder / "vault"
    vault.mkdir(mode=0o700)
    for dump in FIRST.glob("*.sql"):
        db = sqlite3.connect(vault / f"{dump.stem}.db")
        db.executescript(dump.read_text())
        db.close()
    for payload in FIRST.glob("*.1"):
        place = vault / "objects" / payload.name[:2]
        place.mkdir(parents=True)
        shutil.copy(payload, place / payload.name)
    return vault


def test_a_vault_of_the_first_schema_is_migrated_whole_and_taken_on(tmp_path: Path) -> None:
    restored(tmp_path)
    with vaults.opened(tmp_path) as vault:
        assert list(vault.verify()) == []
        states = {row.id: row.state for row in vault.recordings()}
        assert states == dict(
            zip(map(recording_id, (1, 2, 3, 4)), ("sealed", "erased", "sealed", "recording"), strict=True)
        )
        assert ACME.opens(vaults.whole(vault, recording_id(1)))[:4] == b"RIFF"
        assert len(vault.recordings(Wanted(controller="acme", subject=vaults.SUBJECT))) == 3
        vaults.sealed(vault, tmp_path / "spool", 5, subject=vaults.SUBJECT)
        assert vault.erase(recording_id(3), reason="request", actor="test").complete
        left = vault.recordings(Wanted(controller="acme", subject=vaults.SUBJECT))
        assert {row.id for row in left} == {recording_id(number) for number in (1, 4, 5)}
        for number in (1, 4, 5):
            vault.erase(recording_id(number), reason="request", actor="test")
        assert vaults.files_with(tmp_path / "vault", vaults.SUBJECT.encode()) == []
        assert list(vault.verify()) == []


def test_the_stored_vault_is_of_the_first_schema_and_lacks_what_came_later() -> None:
    for dump in FIRST.glob("*.sql"):
        text = dump.read_text()
        assert "'first'" in text
        assert not any(name in text for name in ("key_backup", "recording_controller", "TABLE signed"))


def test_a_migration_that_fails_changes_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    vault = restored(tmp_path)
    db = sqlite3.connect(vault / "index.db")
    db.execute("CREATE TABLE key_backup (in_the_way TEXT)")  # the name that a later schema wants
    db.commit()
    before = list(db.iterdump())
    with pytest.raises(VaultError) as caught:
        Vault.open(vault)
    assert "index.db" in caught.value.message
    assert caught.value.hint
    assert list(db.iterdump()) == before
    db.close()


def test_a_vault_of_a_newer_program_is_refused_untouched(tmp_path: Path) -> None:
    with vaults.opened(tmp_path):
        pass
    path = tmp_path / "vault" / "keys.db"
    db = sqlite3.connect(path)
    db.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('gdprcall.keys', 'later', '2030')"
    )
    db.commit()
    before = list(db.iterdump())
    with pytest.raises(VaultError) as caught:
        vaults.opened(tmp_path)
    assert "keys.db was written by a newer gdprcall" in caught.value.message
    assert caught.value.hint
    assert list(db.iterdump()) == before
    db.close()
