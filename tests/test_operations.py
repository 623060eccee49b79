"""What can be asked of a vault: each answer's names, and what is refused before anything happens."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall import config, operations
from gdprcall.errors import ConfigError, NotFound, Refused, VaultError
from gdprcall.operations import Context
from gdprcall.roles import Access, Role
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Entry, Kind
from tests.vaults import ACME, DAY_ONE, EXPIRED, Clock, decision, opened, recording_id, sealed, wav

CONFIG = """
[asterisk]
spool = "{folder}/spool"
sounds = "{folder}/sounds"
[vault]
folder = "{folder}/vault"
socket = "{folder}/api.sock"
[secrets]
folder = "{folder}/secrets"
[controllers.acme]
name = "Acme"
contact = "privacy@acme.example"
country = "SE"
notice_url = "acme.example"
recipients = ["{recipient}"]
[lines.support]
controller = "acme"
purpose = "quality"
basis = "consent"
languages = ["en"]
"""
RECORDING_KEYS = set(
    "id call controller line purpose basis decision outcome started_at seconds segments state restricted held "
    "expires_at".split()
)
DECISION_KEYS = set(
    "id call controller line purpose basis outcome language prompt_sha256 decided_at recording withdrawn_at".split()
)


def settings(folder: Path) -> config.Config:
    """Write a configuration with its spool and read it."""
    (folder / "spool").mkdir(exist_ok=True)
    path = folder / "gdprcall.toml"
    path.write_text(CONFIG.format(folder=folder, recipient=ACME.recipients[0]))
    return config.load(path)


def asked(vault: Vault, folder: Path, clock: Clock | None = None) -> Context:
    return Context(vault, settings(folder), actor="uid:0", clock=clock or Clock())


def ask(context: Context, name: str, **params: object) -> object:
    """Return an answer as it is after JSON, as every caller gets it."""
    return json.loads(json.dumps(operations.run(context, name, params)))


def rows(context: Context, name: str, **params: object) -> list[dict[str, object]]:
    answer = ask(context, name, **params)
    assert isinstance(answer, list)
    return answer


def one(context: Context, name: str, **params: object) -> dict[str, object]:
    answer = ask(context, name, **params)
    assert isinstance(answer, dict)
    return answer


def test_recordings_and_decisions_have_at_least_the_promised_names(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        context = asked(vault, tmp_path)
        (listed,) = rows(context, "recordings/list")
        assert set(listed) >= RECORDING_KEYS
        assert (listed["id"], listed["state"], listed["restricted"], listed["held"]) == (
            recording,
            "sealed",
            False,
            False,
        )
        assert listed["expires_at"] == "2026-01-31T00:00:00.000Z"
        (decided,) = rows(context, "decisions/list")
        assert set(decided) >= DECISION_KEYS
        assert (decided["recording"], decided["withdrawn_at"]) == (recording, None)


def test_no_answer_holds_the_callers_pseudonym_or_number(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        context = asked(vault, tmp_path)
        for name, params in [
            ("recordings/list", {}),
            ("recordings/show", {"id": recording}),
            ("decisions/list", {}),
            ("status", {}),
        ]:
            text = json.dumps(operations.run(context, name, params))
            assert "3012345678" not in text
            if name.endswith("list"):
                assert "5b" * 16 not in text


def test_a_recording_is_shown_with_its_parts_and_its_history_in_order(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool", segments=2)
        shown = one(asked(vault, tmp_path), "recordings/show", id=recording)
        parts, history = shown["parts"], shown["history"]
        assert isinstance(parts, list)
        assert isinstance(history, list)
        assert [part["segment"] for part in parts] == [1, 2]
        assert [entry["kind"] for entry in history][:2] == ["decision", "sealed"]
        assert [entry["seq"] for entry in history] == sorted(entry["seq"] for entry in history)


def test_a_decision_is_shown_with_what_followed_and_with_nothing_of_another_call(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool", 1)
        sealed(vault, tmp_path / "spool", 2)
        context = asked(vault, tmp_path)
        id_ = next(row["id"] for row in rows(context, "decisions/list") if row["recording"] == recording)
        history = one(context, "decisions/show", id=id_)["history"]
        assert isinstance(history, list)
        assert {entry["recording"] for entry in history} == {recording}
        assert "sealed" in {entry["kind"] for entry in history}


def test_lists_are_filtered_by_what_is_named(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool", 1)
        vault.note(decision(recording_id(2), line="sales"))
        context = asked(vault, tmp_path)
        assert [row["id"] for row in rows(context, "recordings/list", state="sealed")] == [recording]
        assert [row["line"] for row in rows(context, "recordings/list", line="sales")] == ["sales"]
        assert rows(context, "recordings/list", controller="other") == []
        assert rows(context, "decisions/list", outcome="refused") == []
        assert len(rows(context, "decisions/list", outcome="granted", limit=1)) == 1
        assert rows(context, "decisions/list", since="2026-01-01T00:00:00.001Z") == []


@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("recordings/list", {"state": "asleep"}, "sealed"),
        ("recordings/list", {"since": "yesterday"}, "2026-11-23T08:00:00Z"),
        ("recordings/list", {"since": "2026-01-01T00:00:00"}, "2026-11-23T08:00:00Z"),
        ("recordings/list", {"limit": 0}, "--limit"),
        ("recordings/list", {"limit": True}, "--limit"),
        ("recordings/list", {"limit": "9"}, "--limit"),
        ("recordings/show", {}, "give id"),
        ("recordings/show", {"id": " "}, "give id"),
        ("recordings/erase", {"reason": "x"}, "give ids"),
        ("recordings/erase", {"ids": [], "reason": "x"}, "give ids"),
        ("recordings/erase", {"ids": [7], "reason": "x"}, "give ids"),
        ("recordings/erase", {"ids": ["a"]}, "give reason"),
        ("recordings/erase", {"ids": ["a"], "reason": "  "}, "give reason"),
        ("retention/due", {"by": 7}, "2026-11-23T08:00:00Z"),
        ("audit/log", {"kind": "nonsense"}, "erased"),
    ],
)
def test_what_is_asked_wrongly_is_refused_with_the_mend(
    tmp_path: Path, name: str, params: dict[str, object], says: str
) -> None:
    with opened(tmp_path) as vault, pytest.raises(ConfigError) as refused:
        operations.run(asked(vault, tmp_path), name, params)
    assert says in refused.value.hint


@pytest.mark.parametrize("name", ["recordings/show", "decisions/show"])
def test_what_is_not_there_is_not_found(tmp_path: Path, name: str) -> None:
    with opened(tmp_path) as vault, pytest.raises(NotFound):
        operations.run(asked(vault, tmp_path), name, {"id": recording_id(9)})


def test_an_unknown_operation_is_not_found_and_the_known_ones_are_named(tmp_path: Path) -> None:
    with opened(tmp_path) as vault, pytest.raises(NotFound) as refused:
        operations.run(asked(vault, tmp_path), "recordings/publish", {})
    assert "recordings/erase" in refused.value.hint


def test_a_dry_run_of_an_erasure_shows_what_would_go_and_writes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        before = vault.ledger.size()
        (would,) = rows(asked(vault, tmp_path), "recordings/erase", ids=[recording], reason="x", dry_run=True)
        assert would["id"] == recording
        assert vault.ledger.size() == before
        assert vault.objects.segments(recording) == [1]


def test_one_mistyped_id_erases_nothing_at_all(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        with pytest.raises(NotFound):
            ask(asked(vault, tmp_path), "recordings/erase", ids=[recording, recording_id(9)], reason="x")
        assert vault.recording(recording).state == "sealed"


def test_one_that_is_still_being_recorded_erases_nothing_at_all(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool", 1)
        vault.note(decision(recording_id(2)))
        with pytest.raises(Refused):
            ask(asked(vault, tmp_path), "recordings/erase", ids=[recording, recording_id(2)], reason="x")
        assert vault.recording(recording).state == "sealed"


def test_an_erasure_names_its_actor_and_reason_and_an_id_given_twice_counts_once(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        (receipt,) = rows(
            asked(vault, tmp_path), "recordings/erase", ids=[recording, recording], reason="request 17", dry_run=False
        )
        assert (receipt["recording"], receipt["reason"], receipt["actor"]) == (recording, "request 17", "uid:0")
        assert receipt["complete"] is True


def in_the_way(vault: Vault, recording: str) -> Path:
    """Put a folder where a payload was, which nobody can unlink."""
    place = vault.objects.path(recording, 1)
    place.unlink()
    (place / "in the way").mkdir(parents=True)
    return place


def test_one_that_cannot_be_erased_is_named_and_the_others_go(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        stuck, free = (sealed(vault, tmp_path / "spool", number) for number in (1, 2))
        in_the_way(vault, stuck)
        with pytest.raises(VaultError) as failed:
            ask(asked(vault, tmp_path), "recordings/erase", ids=[stuck, free], reason="x")
        assert "1 of 2" in failed.value.message
        assert stuck in failed.value.message
        assert free not in failed.value.message
        assert vault.recording(free).state == "erased"


@pytest.mark.parametrize("value", ["no", "false", 0, None, []])
def test_whether_something_is_a_dry_run_is_never_guessed(tmp_path: Path, value: object) -> None:
    clock = Clock(EXPIRED)
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        context = asked(vault, tmp_path, clock)
        for name, params in [
            ("recordings/erase", {"ids": [recording], "reason": "x", "dry_run": value}),
            ("retention/sweep", {"dry_run": value}),
        ]:
            with pytest.raises(ConfigError):
                operations.run(context, name, params)
        assert vault.recording(recording).state == "sealed"


@pytest.mark.parametrize("params", [{}, {"dry_run": False}])
def test_ret_02_a_sweep_to_a_later_time_is_refused(tmp_path: Path, params: dict[str, object]) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        context = asked(vault, tmp_path)
        with pytest.raises(ConfigError):
            operations.run(context, "retention/sweep", {"by": "2099-01-01T00:00:00Z", **params})
        assert vault.recording(recording).state == "sealed"
        empty = {key: [] for key in ("erased", "forgotten", "requests", "breaches", "failed")}
        assert one(context, "retention/sweep") == empty
        would = one(context, "retention/sweep", by="2099-01-01T00:00:00Z", dry_run=True)["would_erase"]
        assert isinstance(would, list)
        assert [row["id"] for row in would] == [recording]


def test_a_sweep_gives_receipts_and_names_what_failed(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        stuck, free = (sealed(vault, tmp_path / "spool", number) for number in (1, 2))
        in_the_way(vault, stuck)
        context = asked(vault, tmp_path, Clock(EXPIRED))
        assert {row["id"] for row in rows(context, "retention/due")} == {stuck, free}
        swept = one(context, "retention/sweep")
        erased, failed = swept["erased"], swept["failed"]
        assert isinstance(erased, list)
        assert isinstance(failed, list)
        assert [receipt["recording"] for receipt in erased] == [free]
        assert [one["recording"] for one in failed] == [stuck]
        assert all(one["error"] for one in failed)


def test_the_log_gives_the_last_entries_and_filters(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool", 1)
        sealed(vault, tmp_path / "spool", 2)
        context = asked(vault, tmp_path)
        everything = rows(context, "audit/log")
        assert [entry["seq"] for entry in everything] == list(range(1, vault.ledger.size() + 1))
        assert rows(context, "audit/log", limit=1) == everything[-1:]
        assert {entry["kind"] for entry in rows(context, "audit/log", kind="sealed")} == {"sealed"}
        assert {entry["recording"] for entry in rows(context, "audit/log", recording=recording)} == {recording}
        assert rows(context, "audit/log", since="2026-01-01T00:00:00.001Z") == []
        assert everything[0]["time"] == "2026-01-01T00:00:00.000Z"


def test_a_whole_vault_verifies_and_a_changed_payload_is_named(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        context = asked(vault, tmp_path)
        whole = one(context, "audit/verify")
        assert whole == {
            "findings": [],
            "entries": vault.ledger.size(),
            "root": vault.ledger.root().hex(),
            "checkpoints": 0,
        }
        place = vault.objects.path(recording, 1)
        place.chmod(0o600)
        data = bytearray(place.read_bytes())
        data[-1] ^= 1
        place.write_bytes(data)
        findings = one(context, "audit/verify")["findings"]
        assert isinstance(findings, list)
        assert [(found["where"], found["name"]) for found in findings] == [("payload", f"{recording}.1")]


def test_status_tells_of_spool_vault_and_what_is_overdue(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        sealed(vault, tmp_path / "spool")
        waiting = tmp_path / "spool" / f"{recording_id(2)}.1.wav"
        waiting.write_bytes(wav())
        os.utime(waiting, (DAY_ONE / 1000 - 90, DAY_ONE / 1000 - 90))
        value = one(asked(vault, tmp_path), "status")
        spool = value["spool"]
        assert isinstance(spool, dict)
        assert (spool["files"], spool["oldest_seconds"]) == (1, 90)
        assert spool["free_bytes"] > 0
        assert (value["daemon"], value["recordings"], value["expired"]) == (False, 1, 0)
        assert (value["quarantined"], value["quarantine_ends"], value["reserve_bytes"]) == (0, None, 64 << 20)
        assert one(asked(vault, tmp_path, Clock(EXPIRED)), "status")["expired"] == 1


def test_status_of_a_daemon_has_its_own_words_and_times_as_text(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        live = {"ari": True, "last_seal_ms": DAY_ONE, "last_sweep_ms": None}
        context = Context(vault, settings(tmp_path), lambda: live)
        value = one(context, "status")
        assert (value["daemon"], value["ari"], value["last_sweep"]) == (True, True, None)
        assert value["last_seal"] == "2026-01-01T00:00:00.000Z"
        assert "last_seal_ms" not in value
        assert live["last_seal_ms"] == DAY_ONE


def test_status_says_of_a_spool_that_is_not_there_that_it_is_not(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        context = asked(vault, tmp_path)
        (tmp_path / "spool").rmdir()
        spool = one(context, "status")["spool"]
        assert isinstance(spool, dict)
        assert set(spool) == {"error"}


@pytest.mark.parametrize("purpose", ["", "  "])
def test_bas_02_nothing_is_released_without_a_purpose(tmp_path: Path, purpose: str) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        with pytest.raises(ConfigError):
            operations.export(asked(vault, tmp_path), recording, 1, purpose)
        assert Kind.RELEASED not in {entry.kind for entry in vault.ledger.entries()}


def test_bas_02_a_release_is_in_the_ledger_with_who_and_why(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        released = operations.export(asked(vault, tmp_path), recording, 1, "quality")
        assert ACME.opens(released.header + released.payload.read_bytes()) == wav(seed=101)
        (entry,) = [entry for entry in vault.ledger.entries() if entry.kind is Kind.RELEASED]
        assert entry.body is not None
        assert (entry.body["actor"], entry.body["purpose"], entry.body["segment"]) == ("uid:0", "quality", 1)


def test_an_entry_whose_body_was_erased_is_still_an_entry() -> None:
    entry = Entry(7, DAY_ONE, Kind.DECISION, recording_id(), "acme", None)
    assert entry.as_json() == {
        "seq": 7,
        "time": "2026-01-01T00:00:00.000Z",
        "kind": "decision",
        "recording": recording_id(),
        "controller": "acme",
        "body": None,
    }


@pytest.mark.parametrize(
    ("role", "controller", "refused"),
    [
        ("officer", None, True),
        ("reviewer", "acme", True),
        ("reviewer", "beta", False),
        ("operator", None, False),
        ("auditor", None, False),
    ],
)
def test_sec_06_who_runs_the_host_releases_nothing_once_somebody_else_has_the_role(
    tmp_path: Path, role: str, controller: str | None, refused: bool
) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        context = asked(vault, tmp_path)
        context = replace(context, config=replace(context.config, access=(Access("anna", "", Role(role), controller),)))
        if not refused:
            assert operations.export(context, recording, 1, "quality")
            return
        with pytest.raises(Refused, match="releases no recording"):
            operations.export(context, recording, 1, "quality")
        assert operations.export(replace(context, role="officer", actor="uid:7"), recording, 1, "quality")
        (denied,) = vault.ledger.entries(kinds={Kind.RELEASE_DENIED})
        assert (denied.body or {})["why"] == "admin"
