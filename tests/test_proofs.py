"""Proof outlives the recording by its own time and no longer; a refusal is gone after its month; the log stays whole."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gdprcall import config, operations
from gdprcall.errors import NotFound
from gdprcall.rights import retention
from gdprcall.times import DAY_MS
from gdprcall.vault import forgetting
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Entry, Fact, Kind
from gdprcall.vault.verifying import Verification, Wanted
from tests import vaults
from tests.consents import agreed, decided
from tests.test_operations import asked, one, settings
from tests.vaults import DAY_ONE, EXPIRED, SUBJECT, Clock, opened, recording_id

MONTH, LATER = DAY_ONE + 30 * DAY_MS, EXPIRED + 1096 * DAY_MS


def entry_of(vault: Vault, decision: str) -> list[Entry]:
    return [entry for entry in vault.ledger.entries() if (entry.body or {}).get("decision") == decision]


def whole(vault: Vault) -> bool:
    """Whether both looks at everything find nothing."""
    look = Verification(vault.stores, vault.folder)
    look.begin(Wanted())
    state = look.go_on(60)
    assert state.finished
    return list(vault.verify()) == [] == state.findings


def swept(folder: Path, clock: Clock, vault: Vault) -> dict[str, object]:
    return one(asked(vault, folder, clock), "retention/sweep")


def test_con_12_the_proof_of_a_consent_outlives_its_recording_and_goes_when_its_own_time_is_over(
    tmp_path: Path,
) -> None:
    clock, policy = Clock(), settings(tmp_path).policy
    with opened(tmp_path, clock=clock) as vault:
        id_ = agreed(vault, policy, tmp_path / "spool")
        clock.now = EXPIRED
        assert swept(tmp_path, clock, vault)["forgotten"] == []
        assert vault.recording(recording_id()).state == "erased"
        clock.now = LATER - 1
        assert swept(tmp_path, clock, vault)["forgotten"] == []
        assert entry_of(vault, id_)[0].body is not None
        clock.now = LATER
        assert swept(tmp_path, clock, vault)["forgotten"] == [id_]
        assert entry_of(vault, id_) == []
        assert vaults.files_with(tmp_path / "vault", b'"outcome":"granted"', b"1767225600.1") == []
        for asks in (lambda: vault.decision(id_), lambda: vault.recording(recording_id())):
            with pytest.raises(NotFound):
                asks()
        assert whole(vault)


def test_con_13_a_refusal_is_kept_without_a_caller_for_thirty_days_and_then_not_at_all(tmp_path: Path) -> None:
    clock, policy = Clock(), settings(tmp_path).policy
    with opened(tmp_path, clock=clock) as vault:
        refused = decided(vault, policy, 1, outcome="refused")
        silent = decided(vault, policy, 2, outcome="timeout")
        kept = decided(vault, policy, 3)
        assert SUBJECT not in str([entry.body for entry in entry_of(vault, refused)])
        clock.now = MONTH - 1
        assert swept(tmp_path, clock, vault)["forgotten"] == []
        clock.now = MONTH
        due = operations.run(asked(vault, tmp_path, clock), "retention/due", {})
        assert isinstance(due, list)
        assert [(row["what"], row["id"]) for row in due] == [("decision", id_) for id_ in sorted((refused, silent))]
        assert set(swept(tmp_path, clock, vault)["forgotten"]) == {refused, silent}  # type: ignore[call-overload]  # JSON
        assert [row.id for row in vault.decisions()] == [kept]
        assert vaults.files_with(tmp_path / "vault", b'"outcome":"refused"', b'"outcome":"timeout"') == []
        assert whole(vault)


def test_con_13_the_days_of_a_controller_count_and_were_fixed_with_the_decision(tmp_path: Path) -> None:
    path = settings(tmp_path).path
    path.write_text(path.read_text().replace('country = "SE"', 'country = "SE"\nrefusal_days = 2\nproof_days = 9'))
    policy = config.load(path).policy
    with opened(tmp_path) as vault:
        refused = decided(vault, policy, 1, outcome="refused")
        assert [due.row.id for due in retention.proofs_due(vault, DAY_ONE + 2 * DAY_MS)] == [refused]
        agreed(vault, policy, tmp_path / "spool", 2)
        vault.erase(recording_id(2), reason="request", actor="test")
        assert len(retention.proofs_due(vault, DAY_ONE + 9 * DAY_MS - 1)) == 1
        assert len(retention.proofs_due(vault, DAY_ONE + 9 * DAY_MS)) == 2


def test_con_12_decisions_of_earlier_releases_are_kept_for_the_defaults(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        vault.note(Fact(Kind.DECISION, None, "acme", dict(vaults.decision("x").body) | {"outcome": "refused"}))
        vaults.sealed(vault, tmp_path / "spool", 2)
        assert retention.proofs_due(vault, MONTH - 1) == []
        assert len(retention.proofs_due(vault, MONTH)) == 1
        vault.erase(recording_id(2), reason="request", actor="test")
        assert len(retention.proofs_due(vault, DAY_ONE + 1096 * DAY_MS)) == 2


def test_a_dry_run_shows_what_would_be_forgotten_and_forgets_nothing(tmp_path: Path) -> None:
    clock, policy = Clock(), settings(tmp_path).policy
    with opened(tmp_path, clock=clock) as vault:
        id_ = decided(vault, policy, outcome="refused")
        clock.now = MONTH
        size = vault.ledger.size()
        answer = one(asked(vault, tmp_path, clock), "retention/sweep", dry_run=True)
        assert (answer["would_forget"], answer["forgotten"]) == ([id_], [])
        assert vault.ledger.size() == size
        assert vault.decision(id_).outcome == "refused"


def test_what_was_agreed_to_and_then_refused_by_a_second_key_is_a_refusal(tmp_path: Path) -> None:
    clock, policy = Clock(), settings(tmp_path).policy
    with opened(tmp_path, clock=clock) as vault:
        id_ = decided(vault, policy)
        body = dict(entry_of(vault, id_)[0].body or {}) | {
            "outcome": "refused",
            "reason": "second_key",
            "keep_days": 30,
        }
        vault.note(Fact(Kind.DECISION, None, "acme", body))
        vault.note(Fact(Kind.NOT_STARTED, recording_id(), "acme", {"reason": "evidence_late"}))
        clock.now = MONTH
        # what was granted for a moment must be destroyed first: in the same sweep
        answer = swept(tmp_path, clock, vault)
        assert (len(answer["erased"]), answer["forgotten"]) == (1, [id_])  # type: ignore[arg-type]  # JSON
        assert entry_of(vault, id_) == []
        assert whole(vault)


def test_a_recording_that_lives_keeps_its_proof_whatever_the_time(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        agreed(vault, settings(tmp_path).policy, tmp_path / "spool")
        assert retention.proofs_due(vault, LATER * 2) == []


def test_con_12_a_withdrawn_consent_stays_as_proof_like_any_other(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        id_ = agreed(vault, settings(tmp_path).policy, tmp_path / "spool")
        vault.note(Fact(Kind.WITHDRAWN, recording_id(), "acme", {"method": "key", "reason": "withdrawn"}))
        vault.erase(recording_id(), reason="withdrawn", actor="test")
        assert retention.proofs_due(vault, DAY_ONE + 1096 * DAY_MS - 1) == []
        assert vault.decision(id_).outcome == "withdrawn"
        assert [due.row.id for due in retention.proofs_due(vault, DAY_ONE + 1096 * DAY_MS)] == [id_]


class Killed(Exception):
    """The process was killed here."""


def killed_at(name: str, times: int = 1) -> Callable[[str], None]:
    left = [times]

    def step(now: str) -> None:
        left[0] -= now == name
        if now == name and left[0] == 0:
            raise Killed(name)

    return step


@pytest.mark.parametrize("name", ["proofs to be forgotten noted", "proofs out of the index", "proofs forgotten"])
def test_a_sweep_that_is_killed_while_it_forgets_is_finished_by_the_next(tmp_path: Path, name: str) -> None:
    clock, policy = Clock(), settings(tmp_path).policy
    with opened(tmp_path, clock=clock) as vault:
        ids = {decided(vault, policy, number, outcome="refused") for number in range(3)}
    clock.now = MONTH
    with Vault.open(tmp_path / "vault", clock=clock, step=killed_at(name)) as vault, pytest.raises(Killed):
        list(retention.forget_proofs(vault, retention.proofs_due(vault, MONTH), actor="test"))
    with opened(tmp_path, clock=clock) as vault:
        assert whole(vault)
        swept(tmp_path, clock, vault)
        assert not any(entry_of(vault, id_) for id_ in ids)
        assert vaults.files_with(tmp_path / "vault", b'"outcome":"refused"') == []
        assert vault.decisions() == []
        assert vault.index.proofs.unfinished() == []
        told = [entry for entry in vault.ledger.entries() if entry.kind is Kind.FORGOTTEN]
        assert len(told) == 1  # the second sweep finished what the first had noted
        assert whole(vault)


def test_an_index_that_is_made_anew_knows_nothing_of_what_was_forgotten(tmp_path: Path) -> None:
    clock, policy = Clock(), settings(tmp_path).policy
    with opened(tmp_path, clock=clock) as vault:
        decided(vault, policy, 1, outcome="refused")
        left = decided(vault, policy, 2)
        clock.now = MONTH
        swept(tmp_path, clock, vault)
    for path in (tmp_path / "vault").glob("index.db*"):
        path.unlink()
    with opened(tmp_path, clock=clock) as vault:
        assert [row.id for row in vault.decisions()] == [left]
        assert retention.proofs_due(vault, MONTH) == []
        assert forgetting.finish(vault.stores) == 0
        assert whole(vault)


def test_many_are_forgotten_a_batch_at_a_time_each_controller_in_entries_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "BATCH", 2)
    with opened(tmp_path) as vault:
        for number in range(5):
            controller = "acme" if number < 3 else "other"
            body = dict(vaults.decision(str(number)).body) | {"outcome": "refused"}
            vault.note(Fact(Kind.DECISION, None, controller, body))
        assert len(list(retention.forget_proofs(vault, retention.proofs_due(vault, MONTH), actor="test"))) == 5
        told = [entry for entry in vault.ledger.entries() if entry.kind is Kind.FORGOTTEN]
        assert [(entry.controller, len((entry.body or {})["decisions"])) for entry in told] == [  # type: ignore[arg-type]  # JSON
            ("acme", 2),
            ("acme", 1),
            ("other", 2),
        ]
        assert whole(vault)
