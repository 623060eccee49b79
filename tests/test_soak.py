"""Random kills without Asterisk: plans repeat themselves, readers read, and the checker sees every planted violation."""

import dataclasses
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gdprcall.vault.punching import punch
from tests import vaults
from tests.pbx.scenario import Hangup, Press, Stay, Wait
from tests.pbx.soak import disk
from tests.pbx.soak.act import number
from tests.pbx.soak.check import Call, Seen, Violation, Wound, violations
from tests.pbx.soak.disk import Disk, Entry
from tests.pbx.soak.loop import command
from tests.pbx.soak.plan import CallPlan, How, Target, Upon, plan
from tests.pbx.soak.tap import Said, event
from tests.pbx.soak.witness import Life, Witness, missing
from tests.recorders import BUFFER, MixMonitor, in_memory

REC = "ab" * 16
PART = (REC, 1)
NAME = f"{REC}.1.wav"
OBJECT = f"ab/{REC}.1"
HEADER = (
    f"age-encryption.org/v1\n-> X25519 x\n{'K' * 43}\n-> gdprcall/recording-v1 {REC} ctl=acme part=1\n--- m\n".encode()
)
SOUND = bytes(range(200)) * 10
DECISION: dict[str, object] = {"decision": "d1", "outcome": "granted", "policy_sha256": "p1", "uniqueid": "u1"}
YES = CallPlan(0, "support", (Wait(1), Press("1"), Wait(1), Hangup()))
WITHDRAWS = CallPlan(0, "support", (Wait(1), Press("1"), Wait(1), Press("*9"), Wait(1), Hangup()))
STAYS = CallPlan(0, "support", (Wait(1), Stay(9)))
MUST = CallPlan(0, "support-must", (Wait(1), Stay(9)))


def entries(*kinds: tuple[str, dict[str, object] | None]) -> tuple[Entry, ...]:
    return tuple(
        Entry(seq, 99_000 + seq, kind, REC, body, f"leaf {seq}") for seq, (kind, body) in enumerate(kinds, start=1)
    )


GRANTED = ("decision", DECISION)
SEALED: tuple[str, dict[str, object]] = ("sealed", {"segment": 1})
GONE = (GRANTED, SEALED, ("erasure_intended", {}), ("erased", {}))
LIFE = Life(NAME, 100.0, True, 102.0, 102.0, SOUND)
GOOD = Disk(entries(GRANTED, SEALED), {PART: HEADER}, frozenset({REC}), frozenset({OBJECT}))
ERASED = Disk(entries(*GONE))
CALL = Call(YES, "u1", "recorded", 0)
SEEN = Seen(200.0, (LIFE,), calls=(CALL,), present=(CALL,), answered=1, opened={PART: bytes(44) + SOUND})
WITHDREW = dataclasses.replace(SEEN, withdrawn={REC: 102.1}, opened={})


def broken(disk_: Disk, seen: Seen) -> set[str]:
    return {found.invariant for found in violations(disk_, seen)}


@pytest.mark.parametrize(
    ("disk_", "seen"),
    [
        (GOOD, SEEN),
        (ERASED, dataclasses.replace(WITHDREW, told_erased=frozenset({REC}), exported={REC: 1})),
        (ERASED, dataclasses.replace(SEEN, opened={PART: None}, erasing=frozenset({REC}))),
        (Disk(entries(GRANTED, ("not_started", {"reason": "no_file"}))), Seen(200.0)),
        (Disk(entries(GRANTED)), Seen(101.0)),
        (
            Disk(entries(GRANTED, ("discarded", {"segment": 1, "reason": "empty"}))),
            Seen(200.0, (dataclasses.replace(LIFE, sound=b""),)),
        ),
    ],
)
def test_what_is_as_it_must_be_breaks_no_invariant(disk_: Disk, seen: Seen) -> None:
    assert violations(disk_, seen) == []


@pytest.mark.parametrize(
    ("invariant", "disk_", "seen"),
    {
        "a file before its decision": (
            "I1",
            GOOD,
            dataclasses.replace(SEEN, lives=(dataclasses.replace(LIFE, decided=False),)),
        ),
        "a decision younger than the file": (
            "I1",
            GOOD,
            dataclasses.replace(SEEN, lives=(dataclasses.replace(LIFE, created=98.0),)),
        ),
        "two granted decisions": ("I2", dataclasses.replace(GOOD, entries=entries(GRANTED, GRANTED, SEALED)), SEEN),
        "sealed without a decision": ("I2", dataclasses.replace(GOOD, entries=entries(SEALED)), Seen(200.0)),
        "no policy": (
            "I2",
            dataclasses.replace(GOOD, entries=entries(("decision", DECISION | {"policy_sha256": ""}), SEALED)),
            SEEN,
        ),
        "sealed though refused": (
            "I2",
            dataclasses.replace(
                GOOD, entries=entries(GRANTED, ("decision", DECISION | {"outcome": "refused"}), SEALED)
            ),
            SEEN,
        ),
        "a header of another recording": (
            "I2",
            dataclasses.replace(GOOD, headers={PART: HEADER.replace(b"abab", b"cdcd")}),
            SEEN,
        ),
        "a header bound to nothing": (
            "I2",
            dataclasses.replace(GOOD, headers={PART: HEADER.replace(b"-> gdprcall", b"-> other")}),
            SEEN,
        ),
        "in quarantine": (
            "I2",
            dataclasses.replace(GOOD, entries=entries(GRANTED, ("quarantined", {"segment": 1}))),
            SEEN,
        ),
        "sound after a withdrawal": ("I3", ERASED, dataclasses.replace(WITHDREW, withdrawn={REC: 100.9})),
        "sound after the key": (
            "I3",
            ERASED,
            dataclasses.replace(WITHDREW, calls=(Call(WITHDRAWS, "u1", "recorded", 0, (99.0, 100.9)),)),
        ),
        "a file open after a withdrawal": (
            "I3",
            ERASED,
            dataclasses.replace(WITHDREW, lives=(dataclasses.replace(LIFE, closed=0.0),)),
        ),
        "withdrawn and kept": ("I3", GOOD, dataclasses.replace(SEEN, withdrawn={REC: 102.0})),
        "a stray sound file": ("I4", dataclasses.replace(GOOD, spool=frozenset({f"{'0' * 32}.1.wav"})), SEEN),
        "sound that is nowhere": ("I4", Disk(entries(GRANTED, ("not_started", {"reason": "no_file"}))), SEEN),
        "sound destroyed for nobody": ("I4", ERASED, dataclasses.replace(SEEN, opened={})),
        "sound that lost its end": ("I4", GOOD, dataclasses.replace(SEEN, opened={PART: bytes(44) + SOUND[:-2]})),
        "sealed and closed for ever": ("I4", GOOD, dataclasses.replace(SEEN, opened={PART: None})),
        "a payload that is missing": ("I4", dataclasses.replace(GOOD, objects=frozenset()), SEEN),
        "a header that is missing": ("I4", dataclasses.replace(GOOD, headers={}), dataclasses.replace(SEEN, opened={})),
        "a payload nobody knows": (
            "I4",
            dataclasses.replace(GOOD, objects=frozenset({OBJECT, OBJECT + ".partial"})),
            SEEN,
        ),
        "a header nobody knows": ("I4", dataclasses.replace(GOOD, headers={PART: HEADER, (REC, 2): b"x"}), SEEN),
        "granted without an end": ("I4", Disk(entries(GRANTED)), Seen(200.0)),
        "an entry that is gone": (
            "I5",
            GOOD,
            dataclasses.replace(SEEN, before=entries(GRANTED, SEALED, ("started", {}))),
        ),
        "an entry that changed": (
            "I5",
            GOOD,
            dataclasses.replace(SEEN, before=(dataclasses.replace(GOOD.entries[0], leaf="another"),)),
        ),
        "a decision without its body": (
            "I5",
            dataclasses.replace(GOOD, entries=entries(("decision", None), SEALED)),
            dataclasses.replace(SEEN, before=GOOD.entries),
        ),
        "a number left out": (
            "I5",
            dataclasses.replace(GOOD, entries=(GOOD.entries[0], dataclasses.replace(GOOD.entries[1], seq=5))),
            SEEN,
        ),
        "an audit that finds something": ("I5", GOOD, dataclasses.replace(SEEN, verified=4)),
        "a damaged database": ("I5", dataclasses.replace(GOOD, damaged=("keys.db: row 1 missing",)), SEEN),
        "an erasure that nobody finished": (
            "I6",
            dataclasses.replace(GOOD, entries=entries(GRANTED, SEALED, ("erasure_intended", {}))),
            dataclasses.replace(SEEN, erasing=frozenset({REC})),
        ),
        "told erased without a receipt": ("I6", GOOD, dataclasses.replace(SEEN, told_erased=frozenset({REC}))),
        "an erased header": ("I6", dataclasses.replace(ERASED, headers={PART: HEADER}), WITHDREW),
        "an erased number": ("I6", dataclasses.replace(ERASED, numbers=frozenset({REC})), WITHDREW),
        "an erased payload": ("I6", dataclasses.replace(ERASED, objects=frozenset({OBJECT})), WITHDREW),
        "an erased one that opens": ("I6", ERASED, dataclasses.replace(WITHDREW, opened={PART: bytes(44) + SOUND})),
        "an erased one that is exported": ("I6", ERASED, dataclasses.replace(WITHDREW, exported={REC: 0})),
        "an erased key in the file": (
            "I6",
            ERASED,
            dataclasses.replace(WITHDREW, old_headers={PART: HEADER}, raw_keys=b"--" + b"K" * 43 + b"--"),
        ),
        "a caller who waits for ever": ("calls", GOOD, dataclasses.replace(SEEN, present=(Call(STAYS, "u2", "", 0),))),
        "an agent nobody reached": (
            "calls",
            GOOD,
            dataclasses.replace(SEEN, present=(Call(STAYS, "u2", "unrecorded", 0),), answered=0),
        ),
        "a must line served unrecorded": (
            "calls",
            GOOD,
            dataclasses.replace(SEEN, present=(Call(MUST, "u2", "unrecorded", 0),)),
        ),
        "recorded, it says": ("calls", GOOD, dataclasses.replace(SEEN, present=(Call(YES, "u2", "recorded", 0),))),
        "a telephone that was cut off": (
            "calls",
            GOOD,
            dataclasses.replace(SEEN, present=(Call(YES, "u1", "recorded", 1),)),
        ),
        "a traceback": ("log", GOOD, dataclasses.replace(SEEN, tracebacks=("Traceback",))),
    }.values(),
)
def test_every_planted_violation_is_seen(invariant: str, disk_: Disk, seen: Seen) -> None:
    assert invariant in broken(disk_, seen)
    assert all(isinstance(found, Violation) and found.seen for found in violations(disk_, seen))


def test_a_host_that_lets_its_programs_wait_is_given_the_time_it_took() -> None:
    late = dataclasses.replace(WITHDREW, withdrawn={REC: 100.9})
    assert broken(ERASED, late) == {"I3"}
    assert broken(ERASED, dataclasses.replace(late, late=0.2)) == set()


def test_a_caller_who_pressed_the_key_explains_that_the_recording_is_gone() -> None:
    told = Call(WITHDRAWS, "u1", "recorded", 0, (101.0, 101.2))
    assert broken(ERASED, dataclasses.replace(SEEN, opened={}, calls=(told,))) == set()
    other = dataclasses.replace(told, uniqueid="u2")
    assert broken(ERASED, dataclasses.replace(SEEN, opened={}, calls=(other,))) == {"I4"}
    unknown, late = dataclasses.replace(told, uniqueid=""), dataclasses.replace(told, uniqueid="", pressed=(150.0,))
    assert broken(ERASED, dataclasses.replace(SEEN, opened={}, calls=(unknown,))) == set()
    assert broken(ERASED, dataclasses.replace(SEEN, opened={}, calls=(late,))) == {"I4"}


@pytest.mark.parametrize(
    ("wounds", "excused"),
    [
        ((Wound(Target.ASTERISK, 102.5, 104), Wound(Target.DAEMON, 101, 105)), True),
        ((Wound(Target.ASTERISK, 102.5, 104), Wound(Target.DAEMON, 101, 105, hard=False)), True),
        ((Wound(Target.ASTERISK, 102.5, 104, hard=False), Wound(Target.DAEMON, 101, 105)), False),
        ((Wound(Target.ASTERISK, 104, 105), Wound(Target.DAEMON, 101, 105)), False),
        ((Wound(Target.ASTERISK, 102.5, 104), Wound(Target.DAEMON, 99, 101)), False),
        ((Wound(Target.DAEMON, 101, 105),), False),
    ],
)
def test_only_a_withdrawal_that_both_took_with_them_is_excused(wounds: tuple[Wound, ...], excused: bool) -> None:
    seen = dataclasses.replace(SEEN, withdrawn={REC: 102.0}, wounds=wounds)
    assert broken(GOOD, seen) == (set() if excused else {"I3"})


def test_when_asterisk_was_struck_nobody_is_asked_how_the_calls_ended() -> None:
    assert broken(GOOD, dataclasses.replace(SEEN, present=(Call(STAYS, "", "", -1),), answered=None)) == set()


def test_the_same_seed_gives_the_same_rounds_and_another_one_others() -> None:
    assert [plan(7, n) for n in range(1, 30)] == [plan(7, n) for n in range(1, 30)]
    assert plan(7, 1) != plan(8, 1)
    assert plan(7, 1) != plan(7, 2)


def test_five_hundred_rounds_hold_everything_that_can_happen() -> None:
    rounds = [plan(3, n) for n in range(1, 501)]
    blows = [blow for one in rounds for blow in one.blows]
    assert {(blow.target, blow.how) for blow in blows} >= {
        *((Target.DAEMON, how) for how in How),
        (Target.ASTERISK, How.KILL),
        (Target.ASTERISK, How.TERM),
    }
    assert {blow.moment.upon for blow in blows} == {None, *Upon}
    assert Counter(len(one.blows) for one in rounds).keys() == {1, 2}
    calls = [call for one in rounds for call in one.calls]
    lines = {"support", "once", "support-must"}
    assert {call.extension for call in calls} == lines | {f"agi-{line}" for line in lines}
    assert any(call.withdraws for call in calls)
    assert any(call.patient for call in calls)
    assert any(call.steps[-1] == Hangup() and len(call.steps) == 2 for call in calls)
    assert all(call.patient for call in calls if call.must)
    assert any(one.erasing for one in rounds)
    assert max(call.at + call.busy_seconds for call in calls) < 17
    long = [one for one in rounds if one.seconds > 9]
    assert 50 < len(long) < 70
    assert all(any(blow.target is Target.DAEMON and blow.moment.after > 7 for blow in one.blows) for one in long)


def test_asterisk_too_is_struck_in_every_fifth_round_at_least() -> None:
    rounds = [plan(seed, 5 * n) for seed in range(20) for n in range(1, 6)]
    assert all(any(blow.target is Target.ASTERISK for blow in one.blows) for one in rounds)


def test_every_caller_of_five_hundred_rounds_has_a_number_of_its_own() -> None:
    rounds = [plan(3, n) for n in range(1, 501)]
    numbers = [number(one, place) for one in rounds for place in range(len(one.calls))]
    assert len(set(numbers)) == len(numbers)
    assert {len(one) for one in numbers} == {12}


def test_a_run_names_the_command_that_repeats_it() -> None:
    assert command(5, 1, 17) == "make soak SEED=5 ROUNDS=17"
    assert command(5, 9, 17) == "make soak SEED=5 ROUNDS=9 FIRST=9"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with vaults.opened(tmp_path) as vault:
        spool = tmp_path / "spool"
        spool.mkdir()
        vault.note(vaults.decision(REC))
        vault.keep_number(REC, "acme", vaults.NUMBER, vaults.ACME.recipients)
        vault.seal(vaults.spooled(spool, REC, 1), vaults.facts(REC))
        yield vault.folder


def test_a_vault_is_read_without_the_programs_code(folder: Path) -> None:
    seen = disk.read(folder, folder.parent / "spool")
    assert [entry.kind for entry in seen.of(REC)] == ["decision", "sealed"]
    assert list(seen.headers) == [PART]
    assert (seen.objects, seen.numbers, seen.spool, seen.damaged) == ({OBJECT}, {REC}, frozenset(), ())
    assert all(key in disk.raw_keys(folder) for key in disk.wrapped_keys(seen.headers[PART]))
    assert disk.decided(folder, REC)
    assert not disk.decided(folder, "0" * 32)
    assert not disk.decided(folder / "elsewhere", REC)


def test_reading_leaves_the_logs_of_the_databases_as_they_are(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.glob("*-wal")}
    disk.read(folder, folder.parent / "spool")
    assert {path.name: path.read_bytes() for path in folder.glob("*-wal")} == before
    assert before


def test_a_page_that_was_overwritten_is_damage(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "index.db")) as db, db:
        db.execute("PRAGMA writable_schema=ON")
        db.execute("UPDATE sqlite_master SET rootpage = 3 WHERE name = 'recording_time'")
    assert disk.read(folder, folder.parent / "spool").damaged[0].startswith("index.db: ")


def test_a_witness_keeps_the_sound_of_a_file_that_is_gone(tmp_path: Path) -> None:
    asked: list[str] = []
    with Witness(tmp_path, lambda recording: not asked.append(recording)) as witness:
        with (tmp_path / NAME).open("wb") as file:
            file.write(bytes(44))
            file.flush()
            file.write(SOUND)
        while not [life for life in witness.lives() if life.closed]:
            pass
        (tmp_path / NAME).unlink()
        (life,) = witness.lives()
        witness.forget()
        assert witness.lives() == []
    assert asked == [REC]
    assert (life.recording, life.segment, life.sound, life.decided) == (REC, 1, SOUND, True)
    assert life.created <= life.written <= life.closed


def test_a_witness_knows_what_was_taken_out_before_it_looked_and_who_closed_the_file(tmp_path: Path) -> None:
    with in_memory() as spool, Witness(spool, lambda _recording: True) as witness:
        recorder = MixMonitor(spool / NAME, vaults.wav(9)[44:])

        recorder.write(4)
        while not witness.lives() or len(witness.lives()[0].sound or b"") < 4 * BUFFER:
            pass
        with (spool / NAME).open("r+b") as daemon:
            punch(daemon.fileno(), 65_536, 65_536)
        assert witness.lives()[0].sound == recorder.whole[44 : 44 + 4 * BUFFER]
        recorder.close()
        # Closed once by the daemon, too: Asterisk's own close comes after its last word.
        while len((life := witness.lives()[0]).sound or b"") < len(recorder.whole) - 44 or life.closed < life.written:
            pass
        closed = life.closed
        (spool / NAME).open("r+b").close()  # a daemon that is killed lets go of it too
        (spool / f"{'cd' * 16}.1.wav").touch()
        while len(witness.lives()) < 2 or not witness.lives()[1].closed:
            pass
        life = witness.lives()[0]
    assert (life.closed, life.missed, life.sound) == (closed, [], recorder.whole[44:])


def test_sound_that_was_taken_out_before_it_was_seen_is_not_compared(tmp_path: Path) -> None:
    missed = dataclasses.replace(LIFE, sound=SOUND[:100] + bytes(50) + SOUND[150:], missed=[(100, 150)])
    assert broken(GOOD, dataclasses.replace(SEEN, lives=(missed,))) == set()
    other = dataclasses.replace(missed, missed=[(100, 149)])
    assert broken(GOOD, dataclasses.replace(SEEN, lives=(other,))) == {"I4"}
    with in_memory() as spool:
        path = spool / NAME
        path.write_bytes(b"\1" * 200_044)
        with path.open("r+b") as file:
            punch(file.fileno(), 65_536, 65_536)
            assert list(missing(file.fileno(), 44, 200_044)) == [(65_536, 131_072)]
            assert list(missing(file.fileno(), 70_000, 90_000)) == [(70_000, 90_000)]
            assert list(missing(file.fileno(), 131_072, 200_044)) == []


def test_the_tap_hears_our_events_only() -> None:
    ours = b"Event: UserEvent\r\nUserEvent: GdprCall\r\nKind: withdrawn\r\nRec: " + REC.encode()
    said = event(ours)
    assert isinstance(said, Said)
    assert (said.kind, said.recording) == ("withdrawn", REC)
    assert event(ours.replace(b"GdprCall", b"Other")) is None
    assert event(b"Event: Hangup\r\nRec: " + REC.encode()) is None
    assert json.dumps(dataclasses.asdict(said))


def test_a_vault_that_was_closed_in_order_is_read_too(tmp_path: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        vault.note(vaults.decision(REC))
    assert not list(vault.folder.glob("*-wal"))
    assert disk.decided(vault.folder, REC)
