"""Looking through a vault in slices: the same findings however often it is stopped, and nothing left behind."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gdprcall import safekeeping
from gdprcall.errors import ConfigError, NotFound, VaultError
from gdprcall.vault.archive import Vault
from gdprcall.vault.keys import Slot
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.verifying import Verification, Wanted
from tests import vaults
from tests.vaults import SUBJECT, recording_id

A, B, C = (recording_id(number) for number in (1, 2, 3))


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """Three sealed recordings, the third of another controller; one erased, one refused decision."""
    with vaults.opened(tmp_path) as opened:
        for number in (1, 2, 9):
            vaults.sealed(opened, tmp_path / "spool", number, subject=SUBJECT)
        vaults.sealed(opened, tmp_path / "spool", 3, controller=vaults.Controller("beta", 2), subject=SUBJECT)
        opened.erase(recording_id(9), reason="request", actor="test")
        refused = vaults.decision("", outcome="refused").body
        opened.note(Fact(Kind.DECISION, None, "acme", {**refused, "decision": "d" * 32}))
        opened.catch_up()
        yield opened


def look(vault: Vault, wanted: Wanted | None = None, seconds: float = 60.0) -> dict[str, object]:
    """Look through a vault to the end, in slices of so many seconds."""
    looking = Verification(vault.stores, vault.folder)
    looking.begin(wanted or Wanted())
    while not (state := looking.go_on(seconds)).finished:
        looking = Verification(vault.stores, vault.folder)  # as after a restart: all it knows is in its file
    assert not list(vault.folder.glob("verify*"))
    return state.as_json()


def named(found: dict[str, object]) -> set[tuple[str, str, str]]:
    findings = found["findings"]
    assert isinstance(findings, list)
    return {(one["where"], one["name"], one["detail"]) for one in findings}


def index(vault: Vault, sql: str) -> None:
    with closing(sqlite3.connect(vault.folder / "index.db", isolation_level=None)) as db:
        assert db.execute(sql).rowcount == 1


def payload(vault: Vault, recording: str = A) -> Path:
    return vault.objects.path(recording, 1)


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_a_vault_that_is_whole_has_no_findings_in_one_piece_and_in_many(vault: Vault, seconds: float) -> None:
    found = look(vault, seconds=seconds)
    assert (named(found), found["percent"], found["payloads_read"], found["payloads_seen"]) == (set(), 100, 4, 4)


def truncate(vault: Vault) -> None:
    payload(vault).write_bytes(payload(vault).read_bytes()[:-7])


def lengthen(vault: Vault) -> None:
    payload(vault).write_bytes(payload(vault).read_bytes() + b"123")


def edit(vault: Vault) -> None:
    payload(vault).write_bytes(payload(vault).read_bytes()[:-1] + b"\0")


def swap(vault: Vault) -> None:
    payload(vault).write_bytes(payload(vault, B).read_bytes())


def remove(vault: Vault) -> None:
    payload(vault).unlink()


def add(vault: Vault) -> None:
    payload(vault, recording_id(7)).parent.mkdir(exist_ok=True)
    payload(vault, recording_id(7)).write_bytes(b"x")
    vault.keys.put(recording_id(8), 1, Slot.HEADER, b"x" * 300)
    (vault.folder / "objects" / "note").write_text("x")


def forget_segment(vault: Vault) -> None:
    index(vault, f"DELETE FROM segment WHERE recording = '{A}'")


def edit_row(vault: Vault) -> None:
    index(vault, f"UPDATE recording SET expires_at = expires_at + 1, line = 'sales' WHERE id = '{A}'")


def remove_row(vault: Vault) -> None:
    index(vault, f"DELETE FROM recording WHERE id = '{B}'")


def add_row(vault: Vault) -> None:
    index(vault, "INSERT INTO key_backup VALUES ('acme', 5)")


def edit_decision(vault: Vault) -> None:
    index(vault, f"UPDATE decision SET outcome = 'granted' WHERE id = '{'d' * 32}'")


def another_caller(vault: Vault) -> None:
    index(vault, f"UPDATE recording SET subject = '{'a' * 32}' WHERE id = '{A}'")


def no_caller(vault: Vault) -> None:
    index(vault, f"UPDATE recording SET subject = NULL WHERE id = '{A}'")


ATTACKS: dict[str, tuple[Callable[[Vault], None], set[tuple[str, str, str]]]] = {
    "truncated": (truncate, {("payload", f"{A}.1", "truncated by 7 bytes")}),
    "too long": (lengthen, {("payload", f"{A}.1", "3 bytes too long")}),
    "changed": (edit, {("payload", f"{A}.1", "not the one that was sealed")}),
    "swapped": (swap, {("payload", f"{A}.1", f"that of {B}.1")}),
    "missing": (remove, {("payload", f"{A}.1", "missing")}),
    "extra": (
        add,
        {
            ("payload", f"{recording_id(7)}.1", "unknown to the ledger"),
            ("header", f"{recording_id(8)}.1", "unknown to the ledger"),
            ("payload", "note", "nothing that the vault put there"),
        },
    ),
    "unindexed": (
        forget_segment,
        {("index", f"{A}.1", "unindexed"), ("index", f"segment {A}.1", "missing")},
    ),
    "an edited row": (edit_row, {("index", f"recording {A}", "not as the ledger says: line, expires_at")}),
    "a missing row": (remove_row, {("index", f"recording {B}", "missing")}),
    "an added row": (add_row, {("index", "key_backup acme.5", "unknown to the ledger")}),
    "an edited decision": (edit_decision, {("index", f"decision {'d' * 32}", "not as the ledger says: outcome")}),
    "another caller": (another_caller, {("index", f"recording {A}", "another caller than the ledger says")}),
    "no caller": (no_caller, {("index", f"recording {A}", "another caller than the ledger says")}),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_sec_01_what_was_done_to_it_is_named(vault: Vault, attack: str, seconds: float) -> None:
    do, expected = ATTACKS[attack]
    do(vault)
    assert named(look(vault, seconds=seconds)) == expected


def test_a_damaged_ledger_is_named_and_the_rest_is_looked_at_as_far_as_that_goes(vault: Vault) -> None:
    truncate(vault)
    with closing(sqlite3.connect(vault.folder / "ledger.db", isolation_level=None)) as db:
        db.execute("UPDATE body SET body = replace(body, 'support', 'supperr') WHERE seq = 1")
    found = named(look(vault))
    assert ("ledger", "entry 1", "changed in its body or salt") in found
    assert ("payload", f"{A}.1", "truncated by 7 bytes") in found


def test_a_controllers_own_look_passes_the_others_payloads_by(vault: Vault) -> None:
    truncate(vault)
    found = look(vault, Wanted(controller="beta"))
    assert (named(found), found["payloads_seen"]) == (set(), 1)
    assert named(look(vault, Wanted(controller="acme")))


def test_a_sample_reads_its_share_and_looks_at_the_size_of_every_other(vault: Vault) -> None:
    edit(vault)
    found = look(vault, Wanted(share=1e-9))
    assert (found["payloads_read"], found["payloads_seen"], named(found)) == (0, 4, set())
    truncate(vault)
    assert named(look(vault, Wanted(share=1e-9))) == {("payload", f"{A}.1", "truncated by 7 bytes")}


@pytest.mark.parametrize(
    ("sample", "share"), [(None, 1.0), ("5%", 0.05), ("0.5%", 0.005), ("100%", 1.0), ("50", 0.5), ("200", 1.0)]
)
def test_a_sample_is_a_share_or_a_number(sample: str | None, share: float) -> None:
    assert safekeeping.share(sample, 100) == pytest.approx(share)


@pytest.mark.parametrize("sample", ["0", "0%", "101%", "-5", "5 %", "a", "", 5.5, "1e9", ["5"]])
def test_what_is_no_sample_is_refused_with_an_example(sample: object) -> None:
    with pytest.raises(ConfigError) as caught:
        safekeeping.share(sample, 100)
    assert "5%" in caught.value.hint


def test_there_is_nothing_to_go_on_with_before_one_was_begun_and_after_it_has_ended(vault: Vault) -> None:
    with pytest.raises(NotFound):
        Verification(vault.stores, vault.folder).go_on(1)
    look(vault)
    with pytest.raises(NotFound):
        Verification(vault.stores, vault.folder).go_on(1)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stage": 5}', "\x00"])
def test_a_spoiled_note_of_how_far_it_was_says_to_begin_anew(vault: Vault, text: str) -> None:
    (vault.folder / "verify.json").write_text(text)
    with pytest.raises(VaultError) as caught:
        Verification(vault.stores, vault.folder).go_on(1)
    assert "--resume" in caught.value.hint
    assert named(look(vault)) == set()


def test_ret_05_what_is_erased_while_it_is_looked_through_is_in_no_file_of_it(vault: Vault) -> None:
    looking = Verification(vault.stores, vault.folder)
    looking.begin(Wanted())
    while (state := looking.go_on(0)).stage != "index":
        assert not state.finished
    assert (vault.folder / "verify.db").exists()
    for recording in (A, B, C):
        vault.erase(recording, reason="request", actor="test")
    assert vaults.files_with(vault.folder, SUBJECT.encode()) == []
    while not (state := looking.go_on(0)).finished:
        pass
    assert state.findings == []


def test_what_is_sealed_and_erased_between_two_slices_is_no_finding(vault: Vault, tmp_path: Path) -> None:
    looking = Verification(vault.stores, vault.folder)
    looking.begin(Wanted())
    number = 20
    while not (state := looking.go_on(0)).finished:
        if number < 30:
            vaults.sealed(vault, tmp_path / "spool", number, subject=SUBJECT)
            vault.erase(recording_id(number) if number % 2 else A, reason="request", actor="test")
            number += 1
    assert state.findings == []
    assert number == 30


def test_it_runs_as_an_operation_slice_by_slice_or_to_the_end(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safekeeping, "SLICE_SECONDS", 0.0)
    told: list[int] = []

    def progress(done: int, _all: int) -> None:
        told.append(done)

    found = safekeeping.verify(vault, {"begin": True}, whole=False, progress=progress)
    assert isinstance(found, dict)
    assert found["stage"] == "segments"
    assert "findings" not in found
    assert json.loads((vault.folder / "verify.json").read_text())["stage"] == "segments"
    found = safekeeping.verify(vault, {}, whole=True, progress=progress)
    assert isinstance(found, dict)
    assert (found["stage"], found["findings"]) == ("finished", [])
    assert told == sorted(told)
    with pytest.raises(ConfigError):
        safekeeping.verify(vault, {"begin": True, "controller": 5}, whole=True, progress=progress)
