"""The daemon's reminders: the log is told of a request that presses, once when it begins and then daily, and of no person."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest

from gdprcall import log
from gdprcall.config import Config
from gdprcall.reminders import Reminders
from gdprcall.times import DAY_MS
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from tests.test_operations import settings
from tests.vaults import DAY_ONE, NUMBER, SUBJECT, Clock, opened

HOUR = DAY_MS // 24


@pytest.fixture
def out() -> StringIO:
    stream = StringIO()
    log.configure(stream, json=True)
    return stream


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with opened(tmp_path, clock=Clock()) as vault:
        yield vault


@pytest.fixture
def told(vault: Vault, tmp_path: Path, out: StringIO) -> Callable[[float], list[tuple[str, str, str, int]]]:
    """Let the daemon look so many days after the first, and return what it has logged of it."""
    known: Config = settings(tmp_path)
    reminders = Reminders(vault, lambda: known)

    def look(days: float) -> list[tuple[str, str, str, int]]:
        before = len(out.getvalue())
        reminders.look(DAY_ONE + round(days * DAY_MS))
        lines = [json.loads(line) for line in out.getvalue()[before:].splitlines()]
        return [(line["level"], line["event"], line["controller"], line["count"]) for line in lines]

    return look


def request(vault: Vault, number: int, *, controller: str = "acme", days: float = 0.5) -> str:
    """Let a person have asked so many days after the first of January."""
    id_ = f"{number:032x}"
    body = {"request": id_, "type": "erasure", "channel": "mail", "regime": "EU_GDPR", "zone": "UTC", "country": "SE"}
    facts = [
        Fact(Kind.REQUEST_OPENED, None, controller, body | {"received_at": DAY_ONE + round(days * DAY_MS)}),
        Fact(Kind.REQUEST_PERSON, None, controller, {"request": id_, "subject": SUBJECT}),
        Fact(Kind.REQUEST_CONTACT, None, controller, {"request": id_, "number": NUMBER}),
    ]
    vault.submit(*facts).result()
    return id_


def test_rgt_01_what_is_soon_due_is_a_warning_and_what_is_overdue_an_error(
    vault: Vault, told: Callable[[float], list[tuple[str, str, str, int]]]
) -> None:
    request(vault, 1)
    assert told(23.9) == []
    assert told(24) == [("warning", "request_due", "acme", 1)]
    assert told(24.5) == []
    assert told(25) == [("warning", "request_due", "acme", 1)], "once a day"
    assert told(31.99) == [("warning", "request_due", "acme", 1)]
    assert told(32) == [("error", "request_overdue", "acme", 1)], "the first of February is over, and at once"
    assert told(32.5) == []


def test_rgt_01_a_further_request_is_told_at_once_and_each_controllers_by_itself(
    vault: Vault, told: Callable[[float], list[tuple[str, str, str, int]]]
) -> None:
    request(vault, 1)
    assert told(25) == [("warning", "request_due", "acme", 1)]
    request(vault, 2, controller="beta")
    assert told(25.01) == [("warning", "request_due", "beta", 1)]
    request(vault, 3)
    assert told(25.02) == [("warning", "request_due", "acme", 2)]


def test_rgt_01_an_answer_ends_the_reminders(
    vault: Vault, told: Callable[[float], list[tuple[str, str, str, int]]]
) -> None:
    id_ = request(vault, 1)
    assert len(told(40)) == 1
    vault.note(Fact(Kind.REQUEST_ANSWERED, None, "acme", {"request": id_}))
    assert told(42) == []


def test_rgt_01_no_line_of_a_reminder_says_who_asks_or_for_what(
    vault: Vault, told: Callable[[float], list[tuple[str, str, str, int]]], out: StringIO
) -> None:
    id_ = request(vault, 1)
    told(25)
    told(40)
    assert "request_overdue" in out.getvalue()
    for needle in (id_, SUBJECT, NUMBER[1:], "erasure", "mail"):
        assert needle not in out.getvalue()


def test_a_register_that_cannot_be_looked_through_is_told_and_looked_at_again(
    vault: Vault, told: Callable[[float], list[tuple[str, str, str, int]]], out: StringIO, tmp_path: Path
) -> None:
    request(vault, 1)
    size = vault.ledger.size()
    with closing(sqlite3.connect(tmp_path / "vault" / "ledger.db")) as other, other:
        other.execute("DELETE FROM body WHERE seq > ?", (size - 3,))
        other.execute("DELETE FROM entry WHERE seq > ?", (size - 3,))
    for _ in range(2):
        with pytest.raises(KeyError):
            told(40)
    assert {json.loads(line)["event"] for line in out.getvalue().splitlines()} == {"reminders_failed"}


def test_a_request_whose_body_is_damaged_ends_no_daemon(
    vault: Vault, told: Callable[[float], list[tuple[str, str, str, int]]]
) -> None:
    poor: dict[str, object] = {"type": 7, "regime": "x", "zone": "Europe/Atlantis", "country": "??"}
    for number, received in enumerate((None, -1, 1 << 62, "now")):
        body = poor | {"request": f"{number:032x}", "received_at": received}
        vault.note(Fact(Kind.REQUEST_OPENED, None, "acme", body))
    assert told(40) == [("error", "request_overdue", "acme", 4)]
