"""What makes the program suspect a breach, each by its real cause, and how it reminds: once, with a command, through restarts (BRE-08)."""

import asyncio
import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gdprcall import operations
from gdprcall.alertness import House as Known
from gdprcall.errors import CheckFailed, Refused, VaultError
from gdprcall.operations import Context
from gdprcall.times import DAY_MS
from gdprcall.vault.entry import Kind
from gdprcall.vault.keys import fingerprint
from tests import vaults
from tests.breachhouse import BETA, HOUR, fill, house
from tests.breachwatch import MINUTE, Watched
from tests.test_guard import House as Exchange


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with house(tmp_path) as place:
        yield Watched(place)


def test_bre_08_where_nothing_is_wrong_nothing_is_suspected(watched: Watched) -> None:
    fill(watched.place)
    for _ in range(3):
        assert watched.look() == []
    assert watched.place("list", all=True) == []


def aged(path: Path, now: int, seconds: float) -> None:
    os.utime(path, (now / 1000 - seconds, now / 1000 - seconds))


def test_bre_08_sound_that_lies_in_the_clear_is_suspected_with_its_controller_alone(watched: Watched) -> None:
    made = fill(watched.place)
    file = vaults.spooled(watched.place.folder / "spool", made["beta"][0], 7)
    aged(file, watched.place.clock.now, 0)
    assert watched.suspected() == []
    assert watched.suspected() == [("beta", "stale_plaintext")]
    (row,) = watched.place("list")
    shown = watched.place.show(row["id"])
    assert watched.place("recordings", id=row["id"]) == [made["beta"][0]]
    assert (shown["fields"]["kinds"], shown["fields"]["detected_by"]) == (["confidentiality"], "gdprcall")
    assert "60 s" in shown["fields"]["facts"]


def test_bre_08_the_sound_of_a_call_that_goes_on_is_not_stale(watched: Watched) -> None:
    made = fill(watched.place)
    file = vaults.spooled(watched.place.folder / "spool", made["beta"][0], 7)
    aged(file, watched.place.clock.now, 600)
    assert watched.suspected(Known(frozenset({made["beta"][0]}), ledger_damaged=False)) == []
    assert watched.suspected(Known(None, ledger_damaged=False)) == []
    aged(file, watched.place.clock.now, 3700)
    assert watched.suspected(Known(None, ledger_damaged=False)) == [("beta", "stale_plaintext")]


def test_bre_08_a_broken_ledger_is_suspected_by_who_looks_at_it(tmp_path: Path) -> None:
    with house(tmp_path) as place:
        fill(place)
    with closing(sqlite3.connect(tmp_path / "vault" / "ledger.db")) as db, db:
        db.execute("UPDATE entry SET leaf = replace(leaf, 'sealed', 'erased') WHERE seq = 3")
    with house(tmp_path) as place:
        watched = Watched(place)
        assert place.run("audit/verify")["findings"]
        assert {row["trigger"] for row in place("list")} == {"ledger_broken"}
        assert {row["controller"] for row in place("list")} == {"acme", "beta", "own"}
        assert len({row["incident"] for row in place("list")}) == 1
        place.run("audit/verify")
        assert watched.suspected(Known(frozenset(), ledger_damaged=True)) == []
        assert len(place("list")) == 3


def test_bre_08_a_ledger_that_the_daemon_finds_damaged_is_suspected(watched: Watched) -> None:
    found = watched.suspected(Known(frozenset(), ledger_damaged=True))
    assert found == [("acme", "ledger_broken"), ("beta", "ledger_broken"), ("own", "ledger_broken")]


def test_bre_08_a_payload_that_is_missing_is_suspected_by_who_looks(watched: Watched) -> None:
    (id_, _) = fill(watched.place)["beta"]
    (watched.place.folder / "vault" / "objects" / id_[:2] / f"{id_}.1").unlink()
    assert watched.place.run("vault/verify", begin=True)["findings"]
    (row,) = watched.place("list")
    assert (row["controller"], row["trigger"], row["records"]) == ("beta", "vault_damaged", 1)
    assert watched.place.show(row["id"])["fields"]["kinds"] == ["integrity", "availability"]


def test_bre_08_many_releases_in_an_hour_are_suspected_though_a_second_person_agreed(tmp_path: Path) -> None:
    with house(tmp_path, vault="releases_an_hour = 3") as place:
        made, watched = fill(place), Watched(place)
        for _ in range(3):
            watched.release(made["acme"][0])
        assert watched.suspected() == []
        with pytest.raises(Refused, match="second person"):
            watched.release(made["acme"][0])
        second = {"role": "officer", "actor": "uid:8"}
        place.run("recordings/approve", second, actor="uid:7", count=1, reason="the court wants them")
        watched.release(made["acme"][0])
        assert watched.suspected() == [("acme", "mass_export")]
        (row,) = place("list")
        assert place("recordings", id=row["id"]) == [made["acme"][0]]


def test_bre_08_refused_releases_are_out_of_the_ordinary_when_there_are_many(watched: Watched) -> None:
    made = fill(watched.place)
    for count in range(1, 6):
        assert watched.place("list") == [], count
        with pytest.raises(Refused, match="not made for"):
            watched.release(made["acme"][0], "marketing")
        found = watched.suspected()
    assert found == [("acme", "odd_access")]


def test_bre_08_refusals_over_days_are_nothing_out_of_the_ordinary(watched: Watched) -> None:
    made = fill(watched.place)
    for _ in range(8):
        with pytest.raises(Refused):
            watched.release(made["acme"][0], "marketing")
        watched.place.clock.now += HOUR // 4 + MINUTE
        assert watched.suspected() == []


def test_bre_08_wrong_answers_for_a_key_are_suspected(watched: Watched) -> None:
    recipient = vaults.ACME.recipients[0]
    watched.place.run("keys/challenge", controller="acme", recipient=recipient, purpose="canary")
    for count in range(3):
        assert watched.suspected() == []
        answer = f"gdprcall/proof-v1 canary acme {fingerprint(recipient)} {count:064x}"
        with pytest.raises(CheckFailed, match="no open challenge"):
            watched.place.run("keys/answer", controller="acme", purpose="canary", answer=answer)
    assert watched.suspected() == [("acme", "failed_answers")]


def test_bre_08_a_backup_that_fails_is_suspected_as_a_loss_of_availability(watched: Watched) -> None:
    fill(watched.place)
    (watched.place.folder / "file").touch()
    with pytest.raises(VaultError):
        watched.place.run("vault/backup", folder=str(watched.place.folder / "file" / "backup"))
    assert watched.suspected() == [(name, "backup_failed") for name in ("acme", "beta", "own")]
    (row, *_) = watched.place("list")
    assert watched.place.show(row["id"])["fields"]["kinds"] == ["availability"]


def test_bre_08_a_backup_that_does_not_come_any_more_is_suspected(watched: Watched) -> None:
    fill(watched.place)
    folder = watched.place.folder / "backup"
    watched.place.run("vault/backup", folder=str(folder))
    watched.place.clock.now += 8 * DAY_MS - MINUTE
    assert watched.suspected() == []
    assert {why for _, why in watched.suspected()} == {"backup_lost"}
    watched.restart()
    assert watched.suspected() == []


async def test_bre_08_a_recording_that_nobody_agreed_to_is_suspected_when_the_guard_finds_it(tmp_path: Path) -> None:
    with house(tmp_path) as place:
        watched = Watched(place)
        async with asyncio.TaskGroup() as tasks:
            exchange = Exchange(place.vault, tasks)
            exchange.guard.watch("1.1", place.config.policy.lines["support"])
            exchange.starts("theirs")
            exchange.noted()
        assert watched.suspected() == [("acme", "unlawful_recording")]


def test_bre_08_a_package_that_went_to_another_is_opened_by_who_hears_of_it(watched: Watched) -> None:
    made = fill(watched.place)
    place = watched.place
    begun = place.run(
        "subject/access",
        {"role": "officer", "actor": "uid:7"},
        controller="acme",
        number="+493012345678",
        identified="document",
        request="letter 1",
        language="en",
    )
    for id_ in made["acme"]:
        context = Context(place.vault, place.config, actor="uid:7", role="officer", clock=place.clock)
        noted = {"package": begun["id"], "mark": begun["mark"]}
        operations.export(context, id_, 1, "access", noted)
    answer = place("open", scope={"package": begun["id"]}, fields={"facts": "It went to another address."})
    (row,) = answer["breaches"]
    assert (row["controller"], row["trigger"], row["records"]) == ("acme", "misdirected_package", 2)


# One suspicion, and no storm


def test_bre_08_what_goes_on_is_one_suspicion_and_gathers_its_evidence(watched: Watched) -> None:
    made = fill(watched.place)
    spool = watched.place.folder / "spool"
    for number, id_ in enumerate(made["acme"], 7):
        aged(vaults.spooled(spool, id_, number), watched.place.clock.now, 600)
        watched.look()
    for _ in range(10):
        assert watched.suspected() == []
    (row,) = watched.place("list")
    assert watched.place("recordings", id=row["id"]) == sorted(made["acme"])
    entries = [entry.kind for entry in watched.place.vault.ledger.entries()]
    assert entries.count(Kind.BREACH_OPENED) == 1
    assert entries.count(Kind.BREACH_EVIDENCE) == 1


def test_bre_08_what_a_closed_one_stood_on_opens_no_other_not_even_after_a_restart(watched: Watched) -> None:
    fill(watched.place)
    (watched.place.folder / "file").touch()
    with pytest.raises(VaultError):
        watched.place.run("vault/backup", folder=str(watched.place.folder / "file" / "backup"))
    watched.look()
    for row in watched.place("list"):
        watched.place("close", id=row["id"], reason="the disk was full and is not any more", no_breach=True)
    watched.restart()
    assert watched.look() == []
    (watched.place.folder / "vault" / "watched").unlink()
    watched.restart()
    assert watched.look() == []
    with pytest.raises(VaultError):
        watched.place.run("vault/backup", folder=str(watched.place.folder / "file" / "backup"))
    assert len(watched.suspected()) == 3


def test_bre_08_refusals_before_a_restart_count_after_it(watched: Watched) -> None:
    made = fill(watched.place)
    for count in range(5):
        with pytest.raises(Refused):
            watched.release(made["acme"][0], "marketing")
        if count == 3:
            assert watched.suspected() == []
            watched.restart()
    assert watched.suspected() == [("acme", "odd_access")]


# Reminders


def reminders(found: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(event, why) for event, _, why in found if event in {"breach_due", "breach_overdue"}]


def test_bre_02_the_log_reminds_at_24_48_60_and_70_hours_and_when_it_is_too_late(watched: Watched) -> None:
    watched.place.open("own")
    told = {}
    for hour in range(1, 98):
        if found := reminders(watched.look(after=HOUR)):
            told[hour] = found
    due, late = ("breach_due", "authority"), ("breach_overdue", "authority")
    assert told == {24: [due], 48: [due], 60: [due], 70: [due], 72: [late], 96: [late]}


def test_bre_05_a_processor_is_reminded_at_once(watched: Watched) -> None:
    watched.place.open("acme")
    assert reminders(watched.look()) == [("breach_due", "controller")]
    assert reminders(watched.look()) == []


def test_bre_08_a_suspicion_is_reminded_of_daily_until_somebody_looked(watched: Watched) -> None:
    id_ = watched.place.open("own", aware=False)
    assert [len(reminders(watched.look(after=HOUR))) for _ in range(50)].count(1) == 3
    watched.place("close", id=id_, reason="none", no_breach=True)
    assert [reminders(watched.look(after=HOUR)) for _ in range(30)] == [[]] * 30


def test_bre_02_a_restart_repeats_no_reminder(watched: Watched) -> None:
    watched.place.open("own")
    assert reminders(watched.look(after=25 * HOUR)) == [("breach_due", "authority")]
    watched.restart()
    assert reminders(watched.look()) == []


def test_bre_02_what_passed_while_no_daemon_ran_is_reminded_of_once_by_the_last_mark(watched: Watched) -> None:
    watched.place.open("own")
    assert reminders(watched.look(after=100 * HOUR)) == [("breach_overdue", "authority")]
    assert reminders(watched.look()) == []


def test_bre_06_persons_who_must_be_told_are_reminded_of_daily(watched: Watched) -> None:
    id_ = watched.place.open("own")
    watched.place("notify", id=id_, to="authority", text="t")
    watched.place("assess", id=id_, context=4, identification=1, risk="high", reason="x")
    told = [reminders(watched.look(after=HOUR)) for _ in range(49)]
    assert [hour for hour, one in enumerate(told, 1) if one] == [1, 24, 48]


def command(folder: Path, status: int = 0) -> Path:
    """Return a program that keeps what it is given, and ends with a status."""
    path = folder / "wake"
    path.write_text(
        f"#!/bin/sh\ncat >> {folder}/woken; echo >> {folder}/woken; test -e {folder}/mended || exit {status}\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def woken(folder: Path) -> list[dict[str, object]]:
    path = folder / "woken"
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


@contextmanager
def calling(folder: Path, status: int) -> Iterator[Watched]:
    """Let a command be called that ends with a status."""
    with house(folder, f'[breach]\ncommand = ["{command(folder, status)}"]\n') as place:
        yield Watched(place)


def test_bre_02_a_command_is_given_each_reminder_and_nothing_of_any_person(tmp_path: Path) -> None:
    with calling(tmp_path, 0) as watched:
        id_ = watched.place.open("own")
        watched.look(after=24 * HOUR)
        watched.look()
        (told,) = woken(tmp_path)
        assert told == {
            "breach": id_,
            "controller": "own",
            "duty": "authority",
            "hour": 24,
            "deadline": "2026-01-04T00:00:00.000Z",
            "overdue": False,
            "remains": told["remains"],
        }
        assert str(told["remains"]).startswith("tell the authority: 48 h 00 min left")


def test_bre_02_a_command_that_fails_is_told_once_and_tried_until_it_does_not(tmp_path: Path) -> None:
    with calling(tmp_path, 3) as watched:
        watched.place.open("own")
        first = [event for event, _, _ in watched.look(after=24 * HOUR)]
        assert first == ["breach_due", "breach_command_failed"]
        assert [watched.look() for _ in range(3)] == [[], [], []]
        assert len(woken(tmp_path)) == 4
        (tmp_path / "mended").touch()
        assert watched.look() == []
        assert watched.look() == []
        assert len(woken(tmp_path)) == 5


def test_bre_02_another_period_of_another_regime_is_configuration_with_its_source(tmp_path: Path) -> None:
    more = '[breach.periods.UK_GDPR]\nhours = 96\nsource = "a law of 2027"\n'
    with house(tmp_path, more) as place:
        id_ = place.open("own")
        assert place.duty(id_, "authority")["due"] == "2026-01-05T00:00:00.000Z"
        (told,) = place.vault.ledger.entries(kinds={Kind.BREACH_AWARE})
        assert told.body is not None
        assert (told.body["hours"], told.body["source"]) == (96, "a law of 2027")
        watched = Watched(place)
        marks = [hour for hour in range(1, 100) if reminders(watched.look(after=HOUR))]
        assert marks == [32, 64, 80, 93, 96]


def test_a_ledger_that_cannot_be_read_is_told_and_ends_no_daemon(watched: Watched) -> None:
    made = fill(watched.place)
    with pytest.raises(Refused):
        watched.release(made["acme"][0], "marketing")
    with closing(sqlite3.connect(watched.place.folder / "vault" / "ledger.db")) as db, db:
        db.execute("UPDATE entry SET leaf = substr(leaf, 1, length(leaf) - 1) WHERE leaf LIKE '%release_denied%'")
    assert [event for event, _, _ in watched.look()] == ["breach_watch_failed"]
    assert watched.look() == [], "once, not every minute"


def test_bre_08_wrong_answers_of_one_are_no_evidence_against_another(watched: Watched) -> None:
    place = watched.place
    for controller, keys in (("acme", vaults.ACME), ("beta", BETA)):
        place.run("keys/challenge", controller=controller, recipient=keys.recipients[0], purpose="canary")
    for controller, keys, times in (("acme", vaults.ACME, 3), ("beta", BETA, 1)):
        for count in range(times):
            answer = f"gdprcall/proof-v1 canary {controller} {fingerprint(keys.recipients[0])} {count:064x}"
            with pytest.raises(CheckFailed):
                place.run("keys/answer", controller=controller, purpose="canary", answer=answer)
    assert watched.suspected() == [("acme", "failed_answers")]
    (row,) = place("list")
    (entry,) = place.vault.ledger.entries(kinds={Kind.BREACH_OPENED})
    evidence = place.vault.ledger.entry(int(str((entry.body or {})["evidence"])))
    assert (row["controller"], evidence.controller) == ("acme", "acme")
