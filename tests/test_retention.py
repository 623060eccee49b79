"""Retention: nothing before its time, everything after it, and one that fails stops no other."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gdprcall import config
from gdprcall.reminders import Reminders
from gdprcall.rights import retention, stores
from gdprcall.times import DAY_MS, now_ms, rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.rows import ErasureStep, Receipt
from tests.test_cli_exits import Shell, shell
from tests.vaults import DAY_ONE, EXPIRED, Clock, decision, facts, opened, recording_id, sealed, spooled

__all__ = ["shell"]

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


def test_ret_02_a_shorter_retention_reaches_backwards_and_a_longer_one_never_does(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        for days, first in ((10, 10), (29, 29), (30, 30), (60, 30)):
            lines = {("acme", "support"): days}
            assert retention.due(vault, DAY_ONE + first * DAY_MS - 1, lines=lines) == []
            found = retention.due(vault, DAY_ONE + first * DAY_MS, lines=lines)
            assert [row.id for row in found] == [recording], days
        assert retention.due(vault, DAY_ONE + 20 * DAY_MS, lines={("beta", "support"): 1, ("acme", "orders"): 1}) == []
        swept = list(retention.sweep(vault, DAY_ONE + 10 * DAY_MS, actor="test", lines={("acme", "support"): 10}))
        assert [one.recording for one in swept] == [recording]


def test_ret_04_a_shorter_retention_takes_nothing_before_a_laws_minimum_is_over(tmp_path: Path) -> None:
    law = recording_id(21)
    with opened(tmp_path) as vault:
        vault.note(decision(law, basis="legal_obligation"))
        vault.seal(spooled(tmp_path / "spool", law), facts(law))
        lines = {("acme", "support"): 1}
        assert retention.due(vault, DAY_ONE + 29 * DAY_MS, lines=lines) == []
        assert [row.id for row in retention.due(vault, DAY_ONE + 30 * DAY_MS, lines=lines)] == [law]


def test_ret_02_the_sweep_goes_by_the_line_as_it_is_configured_now(shell: Shell) -> None:
    with opened(shell.folder, clock=Clock(now_ms())) as vault:
        fresh = recording_id(2)
        vault.note(decision(fresh))
        closed = now_ms() - 8 * DAY_MS
        vault.seal(spooled(shell.folder / "spool", fresh), facts(fresh, closed_at=closed))
    text = shell.config.read_text()
    shell.config.write_text(text.replace('basis = "consent"', 'basis = "consent"\nretention_days = 9'))
    assert fresh not in shell("retention", "due")[1]
    shell.config.write_text(text.replace('basis = "consent"', 'basis = "consent"\nretention_days = 7'))
    assert fresh in shell("retention", "due")[1]
    assert shell("retention", "sweep", "--yes")[0] == 0
    with opened(shell.folder) as vault:
        assert vault.recording(fresh).state == "erased"


def test_ret_03_a_sweep_that_has_not_gone_well_for_two_days_is_found(shell: Shell) -> None:
    status, out, err = shell("retention", "check", "--json")
    assert (status, "recordings: 1 should be gone for two days" in err) == (4, True)
    assert {one["store"] for one in json.loads(out) if not one["ok"]} == {"recordings", "sweep"}
    assert shell("retention", "sweep", "--yes")[0] == 0
    status, out, _ = shell("retention", "check", "--json")
    assert status == 0
    with opened(shell.folder) as vault:
        (swept,) = vault.ledger.entries(kinds={Kind.SWEPT})
    assert (swept.body or {})["erased"] == 1


def test_ret_03_a_sweep_of_the_house_is_one_of_each_controller(shell: Shell) -> None:
    assert shell("retention", "sweep", "--yes")[0] == 0
    with opened(shell.folder, clock=Clock(now_ms())) as vault:
        for controller in (None, "acme"):
            found = {one.name: one.ok for one in stores.examine(vault, now_ms(), controller, {})}
            assert found["sweep"], controller


def test_ret_07_every_store_is_listed_with_its_period(shell: Shell) -> None:
    (shell.folder / "spool").mkdir(exist_ok=True)
    _, out, _ = shell("retention", "check", "--json")
    assert [one["store"] for one in json.loads(out)] == [
        "recordings",
        "held or restricted",
        "proof of consent, refusals",
        "backups of the keys",
        "access packages",
        "marks of who is never recorded",
        "requests of persons",
        "breaches",
        "ledger",
        "the log",
        "sweep",
        "spool",
        "test of a restore",
    ]
    assert all(one["period"] for one in json.loads(out))


def test_ret_07_sound_that_waits_in_the_spool_for_hours_is_found(shell: Shell) -> None:
    left = spooled(shell.folder / "spool", recording_id(3))
    os.utime(left, (0, 0))
    assert "sound waits to be sealed" in shell("retention", "check")[2]


def test_ret_03_the_daemon_tells_when_what_is_over_does_not_go(tmp_path: Path, shell: Shell) -> None:
    settings = config.load(shell.config)
    clock = Clock(EXPIRED + 3 * DAY_MS)
    with opened(tmp_path / "other", clock=clock) as vault, capture_logs() as told:
        sealed(vault, tmp_path / "spool")
        reminders = Reminders(vault, lambda: settings)
        reminders.look(clock.now)
        reminders.look(clock.now + 60_000)
        assert [(line["event"], line.get("count")) for line in told] == [("retention_overdue", 1)]
        list(retention.sweep(vault, clock.now, actor="test"))
        reminders.look(clock.now + DAY_MS)
    assert len(told) == 1


def test_sec_08_every_default_is_the_careful_one(shell: Shell) -> None:
    settings = config.load(shell.config)
    (line,), (controller,) = settings.policy.lines.values(), settings.policy.controllers.values()
    assert (line.retention_days, controller.retention_days, controller.refusal_days) == (30, 30, 30)
    assert (controller.disclosed_to, controller.transfers) == ((), ())
    assert not any(
        (line.legs, line.art9, line.minors, line.spoken, line.agent_asks, line.must, line.autostart, line.emergency)
    )
    assert (line.joins, line.foreign_recorder, line.on_refuse) == ("stop", "report", "same_service")
    assert (settings.access, settings.progressive, settings.releases_an_hour) == ((), True, 50)
    shell.config.write_text(shell.config.read_text().split("[controllers")[0])
    assert config.load(shell.config).policy.lines == {}, "nothing is recorded before somebody says what"
