"""Retention: nothing before its time, everything after it, and one that fails stops no other."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall.rights import retention
from gdprcall.times import DAY_MS, now_ms, rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.rows import ErasureStep, Receipt
from tests.test_cli_exits import Shell
from tests.vaults import DAY_ONE, EXPIRED, Clock, decision, facts, opened, recording_id, sealed, spooled

JUST_BEFORE = DAY_ONE + 30 * DAY_MS - 1


def test_ret_02_nothing_is_due_a_millisecond_before_its_time(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        assert retention.due(vault, JUST_BEFORE) == []
        assert list(retention.sweep(vault, JUST_BEFORE, actor="test")) == []
        assert [row.id for row in retention.due(vault, JUST_BEFORE + 1)] == [recording]
        assert vault.recording(recording).state == "sealed"


def test_ret_03_what_has_expired_is_erased_with_a_receipt_and_a_second_sweep_finds_nothing(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path, clock=clock) as vault:
        recordings = {sealed(vault, tmp_path / "spool", number) for number in (1, 2)}
        clock.now = EXPIRED
        told: list[tuple[int, int]] = []
        swept = list(retention.sweep(vault, EXPIRED, actor="test", progress=lambda *now: told.append(now)))
        assert {one.recording for one in swept} == recordings
        for one in swept:
            assert one.receipt is not None
            assert one.receipt.complete
            assert (one.receipt.reason, one.receipt.actor, one.error) == ("retention", "test", "")
            assert vault.recording(one.recording).state == "erased"
        assert told == [(2, 2)]  # a batch at a time
        assert list(retention.sweep(vault, EXPIRED, actor="test")) == []
        assert sum(entry.kind is Kind.ERASED for entry in vault.ledger.entries()) == 2


def test_the_longest_overdue_comes_first(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        for number, days in ((1, 2), (2, 0), (3, 1)):
            recording = recording_id(number)
            vault.note(decision(recording))
            closed = DAY_ONE + days * DAY_MS
            vault.seal(spooled(tmp_path / "spool", recording), facts(recording, closed_at=closed))
        assert [row.id for row in retention.due(vault, EXPIRED + 9 * DAY_MS)] == [
            recording_id(2),
            recording_id(3),
            recording_id(1),
        ]


def test_ret_03_a_recording_that_cannot_be_erased_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        stuck, free = (sealed(vault, tmp_path / "spool", number) for number in (1, 2))
        # A folder where the payload was: unlink fails on it, also for root.
        place = vault.objects.path(stuck, 1)
        place.unlink()
        (place / "in the way").mkdir(parents=True)
        swept = {one.recording: one for one in retention.sweep(vault, EXPIRED, actor="test")}
        assert swept[stuck].receipt is None
        assert swept[stuck].error
        assert swept[free].receipt is not None
        assert vault.recording(free).state == "erased"
        assert [row.id for row in retention.due(vault, EXPIRED)] == [stuck]
        (place / "in the way").rmdir()
        place.rmdir()
        (again,) = retention.sweep(vault, EXPIRED, actor="test")
        assert again.receipt is not None


def test_what_was_granted_and_never_came_to_a_file_expires_too(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = recording_id()
        vault.keep_number(recording, "acme", "+493012345678", facts(recording).recipients)
        vault.note(decision(recording))
        assert retention.due(vault, EXPIRED) == []
        vault.note(Fact(Kind.NOT_STARTED, recording, "acme", {"reason": "no_file"}))
        assert [row.id for row in retention.due(vault, EXPIRED)] == [recording]
        (swept,) = retention.sweep(vault, EXPIRED, actor="test")
        assert swept.receipt is not None
        assert vault.sealed_number(recording) is None


def test_a_step_that_was_not_verified_is_an_error_beside_the_receipt() -> None:
    steps = (ErasureStep("header", ok=False, seen="still there"),)
    swept = retention._swept("ab" * 16, Receipt("ab" * 16, "retention", "test", steps))
    assert swept.receipt is not None
    assert "not every step was verified" in swept.error


@pytest.mark.parametrize("days", [1, 3650])
def test_ret_02_another_retention_later_does_not_move_what_is_sealed(tmp_path: Path, days: int) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        before = vault.recording(recording).expires_at
        vault.note(decision(recording_id(2), retention_days=days))
        assert vault.recording(recording).expires_at == before == DAY_ONE + 30 * DAY_MS


def test_a_vault_that_lost_its_ledger_erases_nothing_by_sweep(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (tmp_path / "vault" / name).unlink(missing_ok=True)
    with opened(tmp_path) as vault:
        assert all(one.receipt is None for one in retention.sweep(vault, EXPIRED, actor="test"))
        assert vault.objects.segments(recording)


def test_ret_01_what_is_in_quarantine_is_named_with_its_day_and_destroyed_on_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command line, with two files that are no WAV: one whose days are over, and one that has just come."""
    shell = Shell(tmp_path, capsys)
    over, fresh, now = recording_id(8), recording_id(9), now_ms()
    with Vault.open(tmp_path / "vault", clock=Clock()) as vault:
        for recording, closed in ((over, DAY_ONE), (fresh, now)):
            known = replace(facts(recording, closed_at=closed), retention_days=7)
            vault.quarantine(spooled(tmp_path / "spool", recording, data=b"no WAV" * 50), known, "no_decision")

    def rows(*words: str) -> dict[str, str]:
        status, out, err = shell(*words, "--json")
        assert status == 0, err
        return {row["id"]: row["expires_at"] for row in json.loads(out) if row["state"] == "quarantined"}

    ends = {over: rfc3339(DAY_ONE + 7 * DAY_MS), fresh: rfc3339(now + 7 * DAY_MS)}
    assert rows("recordings", "list", "--state", "quarantined") == ends
    assert rows("retention", "due") == {over: ends[over]}
    assert rows("retention", "due", "--by", rfc3339(now + 7 * DAY_MS)) == ends
    status = json.loads(shell("status", "--json")[1])
    assert (status["quarantined"], status["quarantine_ends"]) == (2, ends[over])
    assert shell("retention", "sweep", "--yes")[0] == 0
    assert rows("recordings", "list", "--state", "quarantined") == {fresh: ends[fresh]}
    assert not (tmp_path / "vault" / "objects" / over[:2] / f"{over}.1").exists()
    assert shell("vault", "verify")[0] == 0
