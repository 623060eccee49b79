"""What a caller's wishes come to when he uses his rights by telephone: the register's own limits, one person, one controller."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gdprcall import config, selfservice
from gdprcall.errors import Refused
from gdprcall.register import Registrar, entering, identifying
from gdprcall.rights.talk import CarryOut, Check, Enter, Entered, Erased, Kept, NeverRecorded, Unconfirmed, Wish
from gdprcall.selfservice import Caller, said_at
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault import subjects
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Fact, Kind
from tests.test_access import ASKED, CLAIM, OWN, WAITING, House, house
from tests.test_controllers import B
from tests.vaults import DAY_ONE, NUMBER, Clock, recording_id

__all__ = ["house"]

ZONE = ZoneInfo("Europe/Stockholm")
STRANGER = "+46812345678"
NEIGHBOUR = recording_id(5)
LEFT = 30
"""How many days the last of the recordings is still kept."""


def keyed(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, ZONE).strftime("%d%m%H%M")


CALLED = keyed(DAY_ONE - 1_000)


@dataclass
class Line:
    """A telephone line to one controller: who calls by it, and an officer who calls back."""

    vault: Vault
    settings: config.Config
    clock: Clock

    def caller(self, number: str = NUMBER) -> Caller:
        subject = subjects.pseudonym(self.settings.pseudonym_key("acme"), number)
        return Caller(self.vault, self.settings, "acme", number, subject, "en", self.clock, _told)

    @property
    def officer(self) -> Registrar:
        return Registrar(self.vault, self.settings, None, "uid:0", self.clock)

    def requests(self) -> list[dict[str, object]]:
        found = entering.list_(self.officer, {"all": True})
        assert isinstance(found, list)
        return found

    def code(self, id_: str) -> str:
        told = identifying.ask(self.officer, {"id": id_})
        assert isinstance(told, dict)
        return str(told["code"])

    def asked(self, number: str = NUMBER, wish: Wish = Wish.ACCESS) -> tuple[str, str]:
        """Let somebody enter a request by telephone; return it, and the code that he is called back with."""
        before = {row["id"] for row in self.requests()}
        self.caller(number).do(Enter(wish, identified=False))
        (id_,) = {str(row["id"]) for row in self.requests()} - before
        return id_, self.code(id_)

    def attempts(self, id_: str) -> int:
        row = self.vault.index.requests.find(id_)
        assert row is not None
        return row.attempts

    def states(self) -> dict[str, str]:
        return {id_: self.vault.recording(id_).state for id_ in (*OWN, B, NEIGHBOUR)}


def _told(error: Exception) -> None:
    raise error


@pytest.fixture
def line(house: House) -> Iterator[Line]:
    clock = Clock(DAY_ONE + DAY_MS)
    with Vault.open(house.folder / "vault", clock=clock) as vault:
        # The call that still runs in the other tests is none here.
        vault.note(Fact(Kind.NOT_STARTED, WAITING, "acme", {"reason": "test"}))
        yield Line(vault, config.load(house.shell.config), clock)


def other(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08}"


def test_rgt_01_a_wish_is_entered_as_a_request_by_telephone_in_the_language_of_the_call(line: Line) -> None:
    for wish, kind in ((Wish.ACCESS, "access"), (Wish.ERASURE, "erasure"), (Wish.NEVER_RECORD, "objection")):
        assert line.caller().do(Enter(wish, identified=False)) == Entered(31)
        row = next(row for row in line.requests() if row["type"] == kind)
        assert (row["channel"], row["state"], row["identified_at"]) == ("phone", "open", None)
        assert row["received_at"] == rfc3339(line.clock.now)
    assert [row.language for row in line.vault.index.requests.all()] == ["en"] * 3
    assert {(entry.body or {})["actor"] for entry in line.vault.ledger.entries(kinds={Kind.REQUEST_OPENED})} == {
        "telephone"
    }


def test_rgt_01_who_asks_again_has_one_request_and_does_not_learn_that_there_was_one(line: Line) -> None:
    first = line.caller().do(Enter(Wish.ACCESS, identified=False))
    line.clock.now += 9 * DAY_MS
    assert line.caller(STRANGER).do(Enter(Wish.ACCESS, identified=False)) == Entered(31)
    assert line.caller().do(Enter(Wish.ACCESS, identified=False)) == Entered(31)
    assert len(line.requests()) == 2
    assert line.caller().do(Enter(Wish.ACCESS, identified=True)) == Entered(22)
    assert first == Entered(31)


def test_rgt_01_who_forges_many_numbers_cannot_fill_the_register_without_end(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selfservice, "MOST_WAITING", 2)
    id_, _ = line.asked("+46812345670")
    for last in range(1, 3):
        line.caller(f"+4681234567{last}").do(Enter(Wish.ACCESS, identified=False))
    with pytest.raises(Refused, match="2 callers wait to be called back"):
        line.caller("+46812345673").do(Enter(Wish.ACCESS, identified=False))
    assert line.caller("+46812345671").do(Enter(Wish.ACCESS, identified=False)) == Entered(31), "he waits already"
    assert id_ in {row["id"] for row in line.requests()}, "who was called back does not wait"
    assert line.caller("+46812345673").do(Enter(Wish.ACCESS, identified=True)) == Entered(31)
    assert len(line.requests()) == 4


def test_rgt_03_code_and_time_together_show_who_calls_and_how_much_is_kept(line: Line) -> None:
    id_, code = line.asked()
    kept = line.caller().do(Check(code, CALLED))
    assert kept == Kept(len(OWN), LEFT)
    last = max(line.vault.recording(own).expires_at or 0 for own in OWN)
    assert line.clock.now + (LEFT - 1) * DAY_MS < last <= line.clock.now + LEFT * DAY_MS
    row = line.vault.index.requests.find(id_)
    assert row is not None
    assert (row.method, row.identified_at, row.code) == ("callback", line.clock.now, "")
    assert line.caller().do(Check(code, CALLED)) == Unconfirmed(), "a code opens once"


def test_rgt_10_what_is_held_is_told_as_kept_longer(line: Line) -> None:
    body = {"matter": "C-17", "owner": "legal", "review_at": line.clock.now + DAY_MS, "reason": "x", "actor": "uid:0"}
    line.vault.note(Fact(Kind.HELD, ASKED, "acme", body))
    assert line.vault.recording(ASKED).held
    _, code = line.asked()
    assert line.caller().do(Check(code, CALLED)) == Kept(len(OWN), LEFT, held=True)


@pytest.mark.parametrize("late", [62, -62], ids=["late", "early"])
def test_rgt_03_neither_half_alone_shows_anything_and_each_try_counts(line: Line, late: int) -> None:
    id_, code = line.asked()
    assert line.caller().do(Check(other(code), CALLED)) == Unconfirmed()
    assert line.caller().do(Check(code, keyed(DAY_ONE - 1_000 + late * 60_000))) == Unconfirmed()
    assert line.attempts(id_) == 2
    assert isinstance(line.caller().do(Check(code, CALLED)), Kept)


def test_rgt_03_after_three_wrong_ones_the_right_one_is_refused_too(line: Line) -> None:
    id_, code = line.asked()
    for _ in range(identifying.ATTEMPTS):
        assert line.caller().do(Check(other(code), CALLED)) == Unconfirmed()
    assert line.caller().do(Check(code, CALLED)) == Unconfirmed()
    assert line.attempts(id_) == identifying.ATTEMPTS
    assert isinstance(line.caller().do(Check(line.code(id_), CALLED)), Kept), "another code was given out"


def test_rgt_03_a_code_whose_time_is_over_shows_nothing(line: Line) -> None:
    _, code = line.asked()
    line.clock.now += identifying.CODE_DAYS * DAY_MS
    assert line.caller().do(Check(code, CALLED)) == Unconfirmed()


def test_rgt_03_a_code_is_worth_nothing_from_another_number_and_counts_nowhere(line: Line) -> None:
    id_, code = line.asked()
    stranger, strange = line.asked(STRANGER)
    assert line.caller(STRANGER).do(Check(code, CALLED)) == Unconfirmed()
    assert (line.attempts(id_), line.attempts(stranger)) == (0, 1)
    assert line.caller(STRANGER).do(Check(strange, CALLED)) == Unconfirmed(), "no call of his was recorded"


def test_rgt_03_of_two_requests_each_has_a_code_and_either_is_right(line: Line) -> None:
    (first, code), (second, _) = line.asked(), line.asked(wish=Wish.ERASURE)
    assert isinstance(line.caller().do(Check(code, CALLED)), Kept)
    rows = {row.id: row for row in line.vault.index.requests.all()}
    assert rows[first].identified_at is not None
    assert rows[second].identified_at is None


@pytest.mark.parametrize("time", ["00000000", "31021200", "01019961", "99999999"])
def test_rgt_03_what_is_no_time_shows_nothing_and_counts_as_no_attempt(line: Line, time: str) -> None:
    id_, code = line.asked()
    assert line.caller().do(Check(code, time)) == Unconfirmed()
    assert line.attempts(id_) == 0


def test_rgt_04_who_was_identified_enters_an_identified_request(line: Line) -> None:
    id_, code = line.asked(wish=Wish.ERASURE)
    line.caller().do(Check(code, CALLED))
    line.caller().do(Enter(Wish.ACCESS, identified=True))
    rows = {str(row["type"]): row for row in line.requests()}
    assert (rows["access"]["method"], rows["erasure"]["id"]) == ("callback", id_)
    line.caller().do(Enter(Wish.ERASURE, identified=True))
    assert len(line.requests()) == 2, "his own request is gone on with"


def test_rgt_08_erasure_destroys_all_of_this_person_with_this_controller_and_nothing_else(line: Line) -> None:
    assert line.caller().do(CarryOut(Wish.ERASURE)) == Erased()
    assert line.states() == dict.fromkeys(OWN, "erased") | {B: "sealed", NEIGHBOUR: "sealed"}
    (row,) = line.requests()
    assert (row["type"], row["state"], row["method"]) == ("erasure", "answered", "callback")
    assert line.caller().do(CarryOut(Wish.ERASURE)) == Erased(), "there is nothing left"


def test_rgt_09_what_is_held_stays_and_the_request_stays_open_for_somebody_to_say_why(line: Line) -> None:
    body = {"matter": "C-17", "owner": "legal", "review_at": line.clock.now + DAY_MS, "reason": "x", "actor": "uid:0"}
    line.vault.note(Fact(Kind.HELD, CLAIM, "acme", body))
    assert line.caller().do(CarryOut(Wish.ERASURE)) == Erased(31)
    assert line.states() == dict.fromkeys(OWN, "erased") | {CLAIM: "sealed", B: "sealed", NEIGHBOUR: "sealed"}
    (row,) = line.requests()
    assert (row["state"], row["identified_at"] is not None) == ("open", True)


def test_rgt_14_who_is_never_to_be_recorded_is_marked_once_and_by_his_pseudonym_alone(line: Line) -> None:
    caller = line.caller()
    assert caller.do(CarryOut(Wish.NEVER_RECORD)) == caller.do(CarryOut(Wish.NEVER_RECORD)) == NeverRecorded()
    assert ("acme", caller.subject) in line.vault.never
    (entry,) = line.vault.ledger.entries(kinds={Kind.NEVER_RECORD})
    assert entry.body == {"subject": caller.subject, "actor": "telephone"}
    assert line.states() == dict.fromkeys((*OWN, B, NEIGHBOUR), "sealed"), "nothing is destroyed by it"


def test_rgt_04_access_is_never_carried_out_by_telephone(line: Line) -> None:
    with pytest.raises(Refused, match="not carried out by telephone"):
        line.caller().do(CarryOut(Wish.ACCESS))


def test_sec_05_no_value_of_a_caller_shows_his_number(line: Line) -> None:
    caller = line.caller()
    assert NUMBER not in repr(caller)
    assert caller.subject not in repr(caller)
    assert NUMBER not in repr(replace(caller, language="sv"))


@pytest.mark.parametrize(
    ("keys", "now", "said"),
    [
        ("25111703", "2026-11-27T12:00+01:00", "2026-11-25T17:03+01:00"),
        ("28111703", "2026-11-27T12:00+01:00", "2025-11-28T17:03+01:00"),
        ("27111200", "2026-11-27T12:00+01:00", "2026-11-27T12:00+01:00"),
        ("27111201", "2026-11-27T12:00+01:00", "2025-11-27T12:01+01:00"),
        ("01070000", "2026-11-27T12:00+01:00", "2026-07-01T00:00+02:00"),
        ("29021200", "2025-01-27T12:00+01:00", "2024-02-29T12:00+01:00"),
        ("29021200", "2026-11-27T12:00+01:00", None),
        ("31041200", "2026-11-27T12:00+01:00", None),
        ("01012400", "2026-11-27T12:00+01:00", None),
    ],
)
def test_rgt_03_a_day_without_its_year_is_the_last_one_of_the_controllers_own_clock(
    keys: str, now: str, said: str | None
) -> None:
    found = said_at(keys, round(datetime.fromisoformat(now).timestamp() * 1000), "Europe/Stockholm")
    assert found == (None if said is None else round(datetime.fromisoformat(said).timestamp() * 1000))
