"""A watch over breaches that cannot write, or was not there: what it could not open is opened later, and no clock is forgotten."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gdprcall.breach.signs import Found, Signs
from gdprcall.config import Config
from gdprcall.errors import Refused, VaultError
from tests.breachhouse import HOUR, House, fill, house
from tests.breachwatch import MINUTE, Watched


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with house(tmp_path) as place:
        yield Watched(place)


def refused_backup(place: House) -> None:
    (place.folder / "file").touch()
    with pytest.raises(VaultError):
        place.run("vault/backup", folder=str(place.folder / "file" / "backup"))


def full(place: House, *, full_: bool) -> None:
    """Let the ledger take no entry, as on a full disk, or take them again."""
    name = "no_more"
    with closing(sqlite3.connect(place.folder / "vault" / "ledger.db")) as db, db:
        begin = f"CREATE TRIGGER {name} BEFORE INSERT ON entry BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
        db.execute(begin if full_ else f"DROP TRIGGER {name}")


def test_bre_08_what_could_not_be_opened_is_opened_as_soon_as_it_can_be(watched: Watched) -> None:
    fill(watched.place)
    refused_backup(watched.place)
    full(watched.place, full_=True)
    assert [event for event, _, _ in watched.look()] == ["breach_watch_failed"]
    assert watched.look(after=3 * HOUR) == [], "once, not every minute"
    full(watched.place, full_=False)
    assert watched.suspected() == [(name, "backup_failed") for name in ("acme", "beta", "own")]
    assert watched.look() == []


def test_bre_08_what_could_not_be_opened_is_opened_after_a_restart(watched: Watched) -> None:
    fill(watched.place)
    refused_backup(watched.place)
    full(watched.place, full_=True)
    watched.look()
    watched.look(after=3 * HOUR)
    watched.restart()
    full(watched.place, full_=False)
    assert watched.suspected() == [(name, "backup_failed") for name in ("acme", "beta", "own")]


def test_bre_08_an_hour_that_nobody_watched_is_looked_at_afterwards(watched: Watched) -> None:
    made = fill(watched.place)
    watched.look()
    for _ in range(5):
        with pytest.raises(Refused, match="not made for"):
            watched.release(made["acme"][0], "marketing")
    watched.place.clock.now += HOUR
    with pytest.raises(Refused, match="not made for"):
        watched.release(made["beta"][0], "marketing")
    watched.restart()
    assert [one for one in watched.look(after=3 * HOUR) if one[0] == "breach_suspected"] == [
        ("breach_suspected", "acme", "odd_access")
    ]


def test_bre_08_a_long_time_that_nobody_watched_is_looked_at_once_a_minute_of_it(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0
    releases = Signs._releases

    def counted(self: Signs, config: Config) -> Iterator[Found]:
        nonlocal looked
        looked += 1
        return releases(self, config)

    monkeypatch.setattr(Signs, "_releases", counted)
    made, clock = fill(watched.place), watched.place.clock
    for _ in range(120):
        with pytest.raises(Refused, match="not made for"):
            watched.release(made["acme"][0], "marketing")
        clock.now += MINUTE // 10
    watched.restart()
    assert watched.suspected() == [("acme", "odd_access")]
    assert 10 <= looked <= 16


def test_bre_02_a_disk_that_keeps_no_place_is_told_and_neither_ends_the_watch_nor_a_reminder(watched: Watched) -> None:
    watched.place.open("own")
    (watched.place.folder / "vault" / "watched.partial").mkdir()
    refused_backup(watched.place)
    events = [event for event, _, _ in watched.look(after=24 * HOUR)]
    assert events == [*["breach_suspected"] * 3, "breach_watch_failed", *["breach_due"] * 4]
    assert watched.look() == []
