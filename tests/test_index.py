"""The index: a projection of the ledger, the same however often and in how many steps it is made."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdprcall.errors import VaultError
from gdprcall.times import DAY_MS
from gdprcall.vault.index import Index
from gdprcall.vault.index_schema import EXPIRING
from gdprcall.vault.ledger import Entry, Fact, Kind
from gdprcall.vault.rows import Wanted
from tests.vaults import DAY_ONE, SUBJECT, caller, decision, recording_id

A = recording_id(1)
EMPTY = Wanted()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = Index(tmp_path / "index.db")
    yield opened
    opened.close()


def entries(*facts: Fact) -> list[Entry]:
    """Number facts as the ledger would, a second apart."""
    return [
        Entry(seq, DAY_ONE + seq * 1000, fact.kind, fact.recording, fact.controller, fact.body)
        for seq, fact in enumerate(facts, 1)
    ]


def seal(segment: int = 1, kind: Kind = Kind.SEALED, expires_at: int = DAY_ONE + 30 * DAY_MS) -> Fact:
    body = {
        "segment": segment,
        "seconds": 1.5,
        "started_at": DAY_ONE + 10,
        "closed_at": DAY_ONE + 20,
        "expires_at": expires_at,
        "payload_sha256": "aa",
        "payload_bytes": 100,
        "header_sha256": "bb",
    }
    return Fact(kind, A, "acme", body)


def fact(kind: Kind, **body: object) -> Fact:
    return Fact(kind, A, "acme", body)


GRANTED, CALLER = decision(A), caller(A)
STARTED, STOPPED = fact(Kind.STARTED, segment=1), fact(Kind.STOPPED, reason="hangup")
NOT_STARTED = fact(Kind.NOT_STARTED, reason="no_file")
EMPTY_FILE = fact(Kind.DISCARDED, segment=1, reason="empty")
INTENDED, ERASED = fact(Kind.ERASURE_INTENDED, reason="x", actor="y"), fact(Kind.ERASED, reason="x", actor="y")
WITHDRAWN = fact(Kind.WITHDRAWN, method="key", reason="withdrawn")


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ([GRANTED], "recording"),
        ([GRANTED, STARTED], "recording"),
        ([GRANTED, STARTED, STOPPED], "spooled"),
        ([GRANTED, NOT_STARTED], "not_started"),
        ([GRANTED, EMPTY_FILE], "not_started"),
        ([GRANTED, STARTED, seal()], "sealed"),
        ([GRANTED, STARTED, STOPPED, seal()], "sealed"),
        ([GRANTED, seal(), STARTED], "sealed"),
        ([GRANTED, seal(), fact(Kind.STARTED, segment=2)], "recording"),
        ([GRANTED, seal(), fact(Kind.STARTED, segment=2), seal(2)], "sealed"),
        ([GRANTED, seal(), fact(Kind.STARTED, segment=2), NOT_STARTED], "sealed"),
        ([GRANTED, seal(), fact(Kind.STARTED, segment=2), EMPTY_FILE], "sealed"),
        ([GRANTED, seal(), seal(2, Kind.QUARANTINED)], "quarantined"),
        ([GRANTED, seal(1, Kind.QUARANTINED), seal(2)], "quarantined"),
        ([seal(1, Kind.QUARANTINED)], "quarantined"),
        ([GRANTED, seal(), WITHDRAWN], "sealed"),
        ([GRANTED, seal(), INTENDED], "sealed"),
        ([GRANTED, seal(), INTENDED, ERASED], "erased"),
        ([GRANTED, seal(), INTENDED, ERASED, seal(2), NOT_STARTED, STARTED, STOPPED], "erased"),
        ([GRANTED, fact(Kind.DISCARDED, segment=1, reason="withdrawn")], "recording"),
    ],
)
def test_the_state_of_a_recording_follows_from_its_entries(index: Index, facts: list[Fact], state: str) -> None:
    index.apply(entries(*facts))
    row = index.recording(A)
    assert row is not None
    assert row.state == state
    assert [found.id for found in index.recordings(Wanted(state=state))] == [A]


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("withdrawn", "withdrawn"),
        ("objected", "objected"),
        ("minor", "minor"),
        ("unacknowledged", "unacknowledged"),
        ("because", "withdrawn"),
        ("", "withdrawn"),
    ],
)
def test_rgt_14_a_recording_that_is_taken_back_says_how(index: Index, reason: str, outcome: str) -> None:
    index.apply(entries(GRANTED, fact(Kind.WITHDRAWN, method="key", reason=reason)))
    row = index.recording(A)
    assert row is not None
    assert (row.withdrawn, row.outcome) == (True, outcome)


def test_nothing_of_an_erased_recording_comes_back(index: Index) -> None:
    index.apply(entries(GRANTED, seal(), INTENDED, ERASED, seal(2), seal(3, Kind.QUARANTINED), GRANTED))
    assert index.segments() == []
    row = index.recording(A)
    assert row is not None
    assert (row.state, row.subject, row.expires_at) == ("erased", None, None)


def history(seed: int) -> list[Entry]:
    """Return a random history of some recordings, sensible or not."""
    source = random.Random(seed)
    facts = []
    for number in range(6):
        recording = recording_id(number)
        body = dict(decision(recording).body)
        facts.append(Fact(Kind.DECISION, recording, "acme", body))
    pool = [STARTED, STOPPED, NOT_STARTED, EMPTY_FILE, seal(), seal(2), seal(1, Kind.QUARANTINED), WITHDRAWN]
    pool += [INTENDED, ERASED, Fact(Kind.DAEMON_STARTED, None, None, {})]
    for _ in range(60):
        chosen = source.choice(pool)
        recording = recording_id(source.randrange(6)) if chosen.recording else None
        facts.append(Fact(chosen.kind, recording, chosen.controller, chosen.body))
    return entries(*facts)


def everything(index: Index) -> object:
    return index.recordings(EMPTY), index.decisions(EMPTY), index.segments(), index.applied()


@pytest.mark.parametrize("seed", range(12))
def test_a_history_gives_the_same_rows_in_any_number_of_steps_and_again(tmp_path: Path, seed: int) -> None:
    story, source = history(seed), random.Random(seed)
    once, often = Index(tmp_path / "once.db"), Index(tmp_path / "often.db")
    once.apply(story)
    done = 0
    while done < len(story):
        # Some entries come a second time, as after a crash between ledger and index.
        often.apply(story[max(0, done - source.randrange(5)) : done + source.randrange(1, 9)])
        done = often.applied()
    assert everything(once) == everything(often)
    once.apply(story)
    assert everything(once) == everything(often)
    once.close()
    often.close()


def test_an_entry_that_is_missing_between_others_is_refused_and_nothing_changes(index: Index) -> None:
    story = entries(GRANTED, STARTED, seal())
    with pytest.raises(VaultError, match="does not follow"):
        index.apply([story[0], story[2]])
    assert index.applied() == 0
    assert index.recording(A) is None


def test_no_body_however_poor_stops_the_index(index: Index) -> None:
    poor: list[Fact] = [Fact(kind, A, None, {}) for kind in Kind]
    poor += [Fact(kind, None, None, {"decision": 5, "segment": "one", "retention_days": "long"}) for kind in Kind]
    poor += [Fact(kind, A, "acme", {"segment": 1 << 80, "retention_days": -5, "seconds": "x"}) for kind in Kind]
    story = entries(*poor)
    story += [Entry(len(story) + 1, DAY_ONE, Kind.DECISION, A, "acme", None)]
    index.apply(story)
    assert index.applied() == len(story)


def test_con_04_a_decision_is_kept_with_all_that_was_asked(index: Index) -> None:
    index.apply(entries(GRANTED))
    (row,) = index.decisions(EMPTY)
    assert row.as_json() == {
        "id": GRANTED.body["decision"],
        "call": GRANTED.body["call"],
        "uniqueid": "1767225600.1",
        "controller": "acme",
        "line": "support",
        "purpose": "quality",
        "basis": "consent",
        "outcome": "granted",
        "reason": "accepted",
        "language": "en",
        "prompt_sha256": "cd" * 32,
        "heard_ms": 5_000,
        "mandatory_ms": 4_000,
        "attempts": 1,
        "policy_sha256": "ef" * 32,
        "decided_at": "2026-01-01T00:00:01.000Z",
        "recording": A,
        "withdrawn_at": None,
    }
    assert index.decision(row.id) == row
    assert index.decision("nobody") is None


def test_the_json_of_a_recording_has_the_promised_keys_and_no_subject(index: Index) -> None:
    index.apply(entries(GRANTED, CALLER, seal(), seal(2)))
    row = index.recording(A)
    assert row is not None
    values = row.as_json()
    promised = (
        "id call controller line purpose basis decision outcome started_at seconds segments state restricted held"
    )
    assert set(promised.split()) | {"expires_at"} <= set(values)
    assert (values["seconds"], values["segments"]) == (3.0, 2)
    assert values["started_at"] == "2026-01-01T00:00:00.010Z"
    assert values["expires_at"] == "2026-01-31T00:00:00.000Z"
    assert SUBJECT not in str(values)
    assert row.subject == SUBJECT


def test_a_withdrawal_is_dated_and_the_first_one_counts(index: Index) -> None:
    index.apply(entries(GRANTED, WITHDRAWN, WITHDRAWN))
    (row,) = index.decisions(EMPTY)
    assert row.withdrawn_at == DAY_ONE + 2_000
    found = index.recording(A)
    assert found is not None
    assert found.withdrawn


def test_ret_02_the_latest_segment_says_when_a_recording_expires(index: Index) -> None:
    late, early = DAY_ONE + 40 * DAY_MS, DAY_ONE + 20 * DAY_MS
    index.apply(entries(GRANTED, seal(1, expires_at=late), seal(2, expires_at=early)))
    assert index.due(late - 1) == []
    assert [row.id for row in index.due(late)] == [A]


@pytest.mark.parametrize("end", [NOT_STARTED, STOPPED, EMPTY_FILE])
def test_ret_01_what_never_came_to_a_file_expires_too(index: Index, end: Fact) -> None:
    index.apply(entries(GRANTED, end))
    decided = DAY_ONE + 1_000
    assert index.due(decided + 30 * DAY_MS - 1) == []
    assert [row.id for row in index.due(decided + 30 * DAY_MS)] == [A]


@pytest.mark.parametrize("facts", [[GRANTED], [GRANTED, seal(), INTENDED, ERASED]])
def test_a_live_and_an_erased_recording_are_never_due(index: Index, facts: list[Fact]) -> None:
    index.apply(entries(*facts))
    assert index.due(DAY_ONE * 2) == []


def test_due_is_found_by_its_index(index: Index) -> None:
    sql = f"EXPLAIN QUERY PLAN SELECT id FROM recording r WHERE r.{EXPIRING} AND r.expires_at <= 5"
    assert "recording_due" in str(index._store.rows(sql))


def test_what_is_to_be_destroyed_is_not_unfinished_but_unerased(index: Index) -> None:
    index.apply(entries(GRANTED, STARTED))
    assert [row.id for row in index.unfinished(0)] == [A]
    assert index.unerased() == []
    index.apply(entries(GRANTED, STARTED, WITHDRAWN))
    assert index.unfinished(0) == []
    assert [row.id for row in index.unerased()] == [A]
    index.apply(entries(GRANTED, STARTED, WITHDRAWN, INTENDED, ERASED))
    assert index.unerased() == []


def test_ret_06_an_intent_to_erase_takes_the_subject_out_of_every_file(index: Index, tmp_path: Path) -> None:
    index.apply(entries(GRANTED, CALLER, seal()))
    files = lambda: b"".join(file.read_bytes() for file in tmp_path.iterdir())  # noqa: E731
    assert SUBJECT.encode() in files()
    index.apply(entries(GRANTED, CALLER, seal(), INTENDED))
    assert index.truncate_log()
    assert SUBJECT.encode() not in files()
    row = index.recording(A)
    assert row is not None
    assert row.subject is None


def test_an_erased_recording_keeps_its_decision_and_nothing_of_its_sound(index: Index) -> None:
    index.apply(entries(GRANTED, seal(), INTENDED, ERASED))
    row = index.recording(A)
    assert row is not None
    assert (row.state, row.controller, row.decision) == ("erased", "acme", GRANTED.body["decision"])
    assert (row.seconds, row.segments, row.expires_at, row.subject) == (0.0, 0, None, None)
    assert index.segments() == []


def test_rows_are_found_by_controller_line_outcome_state_time_and_number(index: Index) -> None:
    facts = [
        decision(recording_id(1)),
        decision(recording_id(2), controller="beta"),
        decision(recording_id(3), line="sales"),
        Fact(Kind.DECISION, None, "acme", dict(decision("x").body) | {"outcome": "refused", "decision": "d4"}),
    ]
    index.apply(entries(*facts))

    def found(**wanted: object) -> list[str]:
        return [row.id for row in index.recordings(Wanted(**wanted))]  # type: ignore[arg-type]

    assert found() == [recording_id(3), recording_id(2), recording_id(1)]
    assert found(controller="beta") == [recording_id(2)]
    assert found(line="sales") == [recording_id(3)]
    assert found(state="sealed") == []
    assert found(outcome="refused") == []
    assert found(since=DAY_ONE + 2_000) == [recording_id(3), recording_id(2)]
    assert found(limit=1) == [recording_id(3)]
    assert [row.id for row in index.decisions(Wanted(outcome="refused"))] == ["d4"]
    assert len(index.decisions(Wanted(controller="acme", line="support"))) == 2


def test_the_tables_are_strict_and_plug_ins_are_off(index: Index, tmp_path: Path) -> None:
    with pytest.raises(VaultError), index._store.transaction() as db:
        db.execute("UPDATE applied SET seq = 'text'")
    db = sqlite3.connect(tmp_path / "index.db")
    tables = db.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_sqlite%' ESCAPE '\\'")
    assert all(sql.rstrip().endswith("STRICT") for (sql,) in tables)
    db.close()


@pytest.mark.parametrize("table", ["decision", "recording"])
def test_bas_03_no_row_changes_its_basis_whoever_writes(tmp_path: Path, index: Index, table: str) -> None:
    index.apply(entries(decision(A)))
    db = sqlite3.connect(tmp_path / "index.db")
    try:
        db.execute(f"UPDATE {table} SET basis = basis, line = 'other'")
        with pytest.raises(sqlite3.IntegrityError, match="the basis of a recording never changes"):
            db.execute(f"UPDATE {table} SET basis = 'legitimate_interest'")
    finally:
        db.close()
