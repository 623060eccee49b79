"""The register of persons' requests, through the command line and a real vault: its clock, its grounds, and who asks."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gdprcall import config
from gdprcall.cli import requests as spoken
from gdprcall.cli.backend import Backend
from gdprcall.errors import GdprcallError, Refused
from gdprcall.operations import Context, run
from gdprcall.register import identifying
from gdprcall.rights.requests import GROUNDS, METHODS, Channel, Ground, Type
from gdprcall.times import DAY_MS, now_ms, rfc3339
from gdprcall.vault import subjects
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from tests import vaults
from tests.test_api import served
from tests.test_cli_exits import RECORDING, Shell
from tests.test_controllers import KEYS, SECOND
from tests.vaults import NUMBER

DIALLED = "+49 30 12345678"
STRANGER = "+46 8 123 456 78"
ZONE = ZoneInfo("Europe/Stockholm")
CALLED = vaults.DAY_ONE - 1_000
"""When the person's recorded call began."""


@dataclass
class Desk:
    """An officer's command line over a vault in which one person has a recording."""

    shell: Shell
    folder: Path

    def __call__(self, *words: str, status: int = 0) -> str:
        found, out, err = self.shell("requests", *words)
        assert found == status, out + err
        return out + err

    def json(self, *words: str, status: int = 0) -> Any:
        found, out, err = self.shell("requests", *words, "--json")
        assert found == status, out + err
        return json.loads(out)

    def open(self, kind: str = "access", *, days: int = 3, number: str = DIALLED, more: tuple[str, ...] = ()) -> str:
        """Enter a request that came so many days ago, and return its id."""
        given = ("--controller", "acme") if "--controller" not in more else ()
        words = ("--type", kind, "--channel", "mail", "--received", day(days))
        return str(self.json("open", number, *given, *words, *more)["id"])

    def code(self, id_: str) -> str:
        return str(self.json("identify", id_, "--ask")["code"])

    def identify(self, id_: str, code: str, call: str = rfc3339(CALLED), status: int = 0) -> str:
        return self("identify", id_, "--code", code, "--call", call, status=status)

    def vault(self) -> Vault:
        return Vault.open(self.folder / "vault", clock=vaults.Clock(now_ms()))

    def stored(self, *needles: str) -> list[str]:
        """Return the files of the vault in which one of some texts lies somewhere."""
        return vaults.files_with(self.folder / "vault", *(needle.encode() for needle in needles))


def day(ago: int) -> str:
    """Return the date so many days ago, as it is with the controller."""
    return (datetime.now(ZONE).date() - timedelta(days=ago)).isoformat()


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    shell = Shell(tmp_path, capsys)
    shell.config.write_text(shell.config.read_text() + SECOND)
    for controller, key in KEYS.items():
        secret = tmp_path / "secrets" / f"pseudonym-key-{controller}"
        secret.write_text(key)
        secret.chmod(0o600)
    subject = subjects.pseudonym(config.load(shell.config).pseudonym_key("acme"), NUMBER)
    with Vault.open(tmp_path / "vault", clock=vaults.Clock()) as vault:
        vault.note(vaults.caller(RECORDING, subject=subject))
    return Desk(shell, tmp_path)


def test_rgt_01_a_request_is_entered_with_when_it_came_how_and_by_when_it_is_due(desk: Desk) -> None:
    row = desk.json("show", desk.open(days=3))
    assert (row["type"], row["channel"], row["state"], row["controller"]) == ("access", "mail", "open", "acme")
    assert datetime.fromisoformat(row["received_at"]).astimezone(ZONE).date().isoformat() == day(3)
    last = datetime.fromisoformat(row["due"]).date()
    assert datetime.fromisoformat(row["due_at"]).astimezone(ZONE) == datetime.combine(
        last + timedelta(days=1), datetime.min.time(), ZONE
    )
    assert row["latest"] >= row["due"]
    assert row["days_left"] == (last - datetime.now(ZONE).date()).days
    assert row["remains"] == f"{row['days_left']} days left"
    assert [row[name] for name in ("extended_to", "extended_at", "closed_at", "identified_at")] == [None] * 4


def test_rgt_01_the_months_end_of_the_law_is_that_of_the_register(desk: Desk) -> None:
    words = ("--controller", "acme", "--type", "access", "--channel", "email", "--received", "2026-01-31")
    row = desk.json("open", DIALLED, *words)
    assert (row["due"], row["latest"], row["overdue"]) == ("2026-02-28", "2026-03-02", True)
    assert row["remains"].startswith("overdue by ")


@pytest.mark.parametrize(
    ("days", "status", "said"),
    [(3, 0, "we need more time"), (27, 0, "two further months"), (40, 1, "must be told within it"), (200, 1, "answer")],
)
def test_rgt_01_an_extension_is_told_within_the_first_month_or_refused(
    desk: Desk, days: int, status: int, said: str
) -> None:
    id_ = desk.open(days=days)
    before = desk.json("show", id_)["due"]
    assert said in desk("extend", id_, "--reason", "240 calls", status=status)
    row = desk.json("show", id_)
    if status == 0:
        came = datetime.fromisoformat(day(days)).date()
        assert row["extended_to"] == row["due"]
        assert 88 <= (datetime.fromisoformat(row["due"]).date() - came).days <= 92
        assert row["extended_at"] is not None
        assert row["history"][-1]["words"] == "240 calls"
        assert "extended already" in desk("extend", id_, "--reason", "more", status=1)
    else:
        assert (row["extended_to"], row["due"]) == (None, before)


def test_rgt_01_an_extension_has_a_reason_and_its_letter_says_it_with_the_remedies(desk: Desk) -> None:
    id_ = desk.open()
    assert "reason" in desk("extend", id_, status=2)
    assert "reason" in desk("extend", id_, "--reason", " ", status=2)
    letter = desk("extend", id_, "--reason", "240 calls are to be looked through")
    assert "240 calls are to be looked through" in letter
    assert f"by {desk.json('show', id_)['due']} at the latest" in " ".join(letter.split())
    assert "supervisory authority" in letter
    assert "judicial remedy" in letter


def test_rgt_01_the_time_zone_is_the_controllers(desk: Desk) -> None:
    path = desk.shell.config
    path.write_text(path.read_text().replace('notice_url = "beta', 'timezone = "Pacific/Auckland"\nnotice_url = "beta'))
    moment = "2026-06-30T21:30:00Z"
    words = ("--type", "access", "--channel", "email", "--received", moment)
    assert desk.json("open", DIALLED, "--controller", "acme", *words)["due"] == "2026-07-30"
    assert desk.json("open", DIALLED, "--controller", "beta", *words)["due"] == "2026-08-01"
    path.write_text(path.read_text().replace("Pacific/Auckland", "Pacific/Atlantis"))
    status, _, err = desk.shell("check")
    assert (status, "controllers.beta.timezone" in err) == (2, True)


def test_rgt_01_the_uk_counts_from_when_the_person_has_shown_who_he_is_and_the_eu_pauses(desk: Desk) -> None:
    with desk.vault() as vault:
        for controller, regime in (("acme", "EU_GDPR"), ("beta", "UK_GDPR")):
            body = {"request": controller.encode().hex().ljust(32, "0"), "type": "access", "channel": "mail"}
            body |= {"regime": regime, "zone": "Europe/London", "country": "GB", "received_at": day_ms(20)}
            vault.note(Fact(Kind.REQUEST_OPENED, None, controller, body))
            ids = {name: name.encode().hex().ljust(32, "0") for name in ("acme", "beta")}
    for id_ in ids.values():
        desk("identify", id_, "--ask")
    waiting = {row["controller"]: row for row in desk.json("list")}
    assert {row["state"] for row in waiting.values()} == {"waiting"}
    assert waiting["acme"]["remains"].startswith("waits for the person, asked 0 days ago; then ")
    assert waiting["beta"]["days_left"] > waiting["acme"]["days_left"] + 15


def day_ms(ago: int) -> int:
    return now_ms() - ago * DAY_MS


def test_rgt_01_what_is_due_first_stands_first_with_the_days_in_words(desk: Desk) -> None:
    late, soon, fresh = desk.open("erasure", days=70), desk.open("restriction", days=27), desk.open("objection", days=1)
    closed = desk.open("withdrawal", days=100)
    desk("answer", closed, "--note", "Carried out.")
    assert [row["id"] for row in desk.json("list")] == [late, soon, fresh]
    assert [row["id"] for row in desk.json("list", "--all")] == [late, soon, fresh, closed]
    assert [row["id"] for row in desk.json("list", "--due", "7")] == [late, soon]
    assert [row["id"] for row in desk.json("list", "--due", "0")] == [late]
    assert [row["id"] for row in desk.json("list", "--type", "objection")] == [fresh]
    assert [row["state"] for row in desk.json("list", "--all")] == ["open", "open", "open", "answered"]
    text = desk("list")
    assert re.search(r"overdue by \d\d days", text)
    assert re.search(r"\t(\d days left|due tomorrow|due today)\t", text)
    assert text.splitlines()[0].startswith("DUE\tREMAINS\tREQUEST")


def test_rgt_01_a_check_ends_with_4_while_something_is_overdue_or_soon_due(desk: Desk) -> None:
    fresh = desk.open(days=1)
    assert "nothing presses; 1 open" in desk("check")
    desk.shell.config.write_text(
        desk.shell.config.read_text().replace('contact = "privacy@acme', 'remind_days = 40\ncontact = "privacy@acme')
    )
    assert [row["id"] for row in desk.json("check", status=4)["due"]] == [fresh]
    desk.shell.config.write_text(desk.shell.config.read_text().replace("remind_days = 40", "remind_days = 0"))
    assert desk.json("check") == {"open": 1, "overdue": [], "due": []}
    late = desk.open("restriction", days=70)
    assert [row["id"] for row in desk.json("check", status=4)["overdue"]] == [late]
    assert "1 overdue, 0 to be looked at soon" in desk("check", status=4)
    desk("answer", late, "--note", "Restricted.")
    assert desk.json("check")["overdue"] == []
    assert desk.json("list", "--all")[-1]["remains"] == "answered, too late"


def test_rgt_01_a_person_who_never_says_who_he_is_is_not_forgotten(desk: Desk) -> None:
    id_ = "ab" * 16
    body = {"request": id_, "type": "access", "channel": "mail", "regime": "EU_GDPR", "zone": "UTC", "country": "SE"}
    with Vault.open(desk.folder / "vault", clock=(clock := vaults.Clock(day_ms(45)))) as vault:
        vault.note(Fact(Kind.REQUEST_OPENED, None, "acme", body | {"received_at": clock.now}))
        vault.note(Fact(Kind.REQUEST_CODE, None, "acme", {"request": id_, "code": "00", "until": clock.now}))
    (row,) = desk.json("check", status=4)["due"]
    assert (row["state"], row["overdue"]) == ("waiting", False)
    assert row["remains"].startswith("waits for the person, asked 45 days ago")


# --- who asks


def test_rgt_03_a_code_and_the_time_of_a_call_together_show_who_asks(desk: Desk) -> None:
    id_ = desk.open()
    told = desk("identify", id_, "--ask")
    number, code = re.search(r"call (\+\d+) and say: (\d{4} \d{4})", told).groups()  # type: ignore[union-attr]
    assert number == NUMBER
    local = datetime.fromtimestamp(CALLED / 1000, ZONE) + timedelta(minutes=59)
    assert "identified (callback)" in desk.identify(id_, code, local.strftime("%Y-%m-%dT%H:%M"))
    row = desk.json("show", id_)
    assert (row["state"], row["method"], row["identified_at"] is not None) == ("open", "callback", True)
    assert "has shown who he is" in desk("identify", id_, "--ask", status=1)


@pytest.mark.parametrize(
    ("wrong", "minutes"), [(True, 0), (False, 61), (False, -61), (True, 61)], ids=["code", "late", "early", "both"]
)
def test_rgt_03_neither_half_alone_shows_anything_and_which_was_wrong_is_not_said(
    desk: Desk, wrong: bool, minutes: int
) -> None:
    id_ = desk.open()
    code = desk.code(id_)
    given = f"{(int(code) + 1) % 10**8:08}" if wrong else code
    said = desk.identify(id_, given, rfc3339(CALLED + minutes * 60_000 + (1 if minutes > 0 else 0)), status=1)
    assert said.splitlines()[0] == "error: the code and the time of a call do not fit this person: 2 attempts left"
    assert desk.json("show", id_)["identified_at"] is None
    assert desk.json("show", id_)["state"] == "waiting"


def test_rgt_03_the_call_of_somebody_else_shows_nothing(desk: Desk) -> None:
    with desk.vault() as vault:
        vaults.sealed(vault, desk.folder / "spool", 5, subject="77" * 16)
    id_ = desk.open(number=STRANGER)
    assert "do not fit" in desk.identify(id_, desk.code(id_), status=1)


def test_rgt_03_attempts_are_limited_and_codes_too(desk: Desk) -> None:
    id_ = desk.open()
    codes = set()
    for round_ in range(identifying.CODES):
        code = desk.code(id_)
        codes.add(code)
        wrong = f"{(int(code) + 1) % 10**8:08}"
        for left in ("2 attempts left", "1 attempt left", "no attempt is left"):
            assert left in desk.identify(id_, wrong, status=1)
        assert "tried too often" in desk.identify(id_, code, status=1), "though it is the right one"
        assert round_ < identifying.CODES
    assert len(codes) == identifying.CODES
    assert "--method" in desk("identify", id_, "--ask", status=1)
    assert desk.json("show", id_)["identified_at"] is None


def test_rgt_03_an_attempt_counts_before_it_is_looked_at(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = desk.open()
    code = desk.code(id_)

    def killed(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(identifying.hmac, "compare_digest", killed)
        for _ in range(identifying.ATTEMPTS):
            desk.identify(id_, code, status=1)
    assert "tried too often" in desk.identify(id_, code, status=1)


def test_rgt_03_a_code_is_of_one_request_and_its_time_is_bounded(desk: Desk) -> None:
    first, second = desk.open(), desk.open("portability")
    one = desk.code(first)
    desk.code(second)
    assert "do not fit" in desk.identify(second, one, status=1)
    asked = {"id": first, "code": one, "call": rfc3339(CALLED)}
    over = now_ms() + identifying.CODE_DAYS * DAY_MS
    with desk.vault() as vault:
        context = Context(vault, config.load(desk.shell.config), clock=lambda: over + DAY_MS)
        with pytest.raises(Refused, match="its time is over"):
            run(context, "requests/identify", asked)
        run(replace(context, clock=lambda: over - DAY_MS), "requests/identify", asked)


def test_rgt_03_what_is_no_code_costs_no_attempt(desk: Desk) -> None:
    id_ = desk.open()
    code = desk.code(id_)
    for wrong in ("1234", "abcdefgh", "123456789", "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18"):
        desk.identify(id_, wrong, status=2)
    desk("identify", id_, "--code", code, "--call", "yesterday", status=2)
    desk("identify", id_, "--code", code, status=2)
    desk("identify", id_, status=2)
    desk.identify(id_, f"{code[:4]}-{code[4:]}")


def test_rgt_03_only_a_keyed_hash_of_a_code_is_kept_and_no_log_has_it(desk: Desk) -> None:
    id_ = desk.open()
    code = desk.code(id_)
    assert desk.stored(code) == []
    assert code not in desk.shell("audit", "log", "--json")[1]
    desk.identify(id_, code)
    assert desk.stored(code) == []


@pytest.mark.parametrize("method", ["eid", "document", "account"])
def test_rgt_03_of_another_way_the_register_keeps_that_it_was_gone_and_by_whom(desk: Desk, method: str) -> None:
    id_ = desk.open("erasure")
    desk("identify", id_, "--method", method)
    row = desk.json("show", id_)
    assert (row["method"], row["history"][-1]["kind"]) == (method, "request_identified")
    assert row["history"][-1]["actor"].startswith("uid:")


@pytest.mark.parametrize("kind", ["access", "portability", "erasure", "rectification"])
def test_rgt_03_what_gives_out_destroys_or_changes_is_not_answered_to_a_number_alone(desk: Desk, kind: str) -> None:
    id_ = desk.open(kind)
    assert "has not shown who he is" in desk("answer", id_, "--note", "Done.", status=1)
    desk.code(id_)
    assert "has not shown who he is" in desk("answer", id_, "--note", "Done.", status=1)
    desk("identify", id_, "--method", "document")
    assert "what was done" in desk("answer", id_, "--note", "Done.")


def test_rgt_03_no_package_leaves_for_a_request_before_the_person_has_shown_who_he_is(desk: Desk) -> None:
    id_, package = desk.open(), desk.folder / "request.age"
    words = ("subject", "access", DIALLED, "--controller", "acme", "-o", str(package), "--request")
    status, _, err = desk.shell(*words, id_)
    assert (status, "has not shown who he is" in err, package.exists()) == (1, True, False)
    with desk.vault() as vault:
        assert list(vault.ledger.entries(kinds={Kind.ACCESS_BEGUN, Kind.RELEASED})) == []
    desk.identify(id_, desk.code(id_))
    assert desk.shell(*words, id_)[0] == 0
    assert package.exists()
    other, erasure = desk.open(number=STRANGER), desk.open("erasure")
    desk("identify", other, "--method", "eid")
    desk("identify", erasure, "--method", "eid")
    assert "another number" in desk.shell(*words, other, "--force")[2]
    assert "one for erasure" in desk.shell(*words, erasure, "--force")[2]
    assert desk.shell(*words, "ab" * 16, "--force")[0] == 3


# --- refusals and answers


def test_rgt_02_a_refusal_without_a_ground_or_a_reason_is_none(desk: Desk) -> None:
    id_ = desk.open("erasure")
    assert "--ground" in desk("refuse", id_, "--reason", "No.", status=2)
    assert "--reason" in desk("refuse", id_, "--ground", "legal_claims", status=2)
    desk("refuse", id_, "--ground", "legal_claims", "--reason", "", status=2)
    desk("refuse", id_, "--ground", "we_do_not_want_to", "--reason", "No.", status=2)
    assert desk.json("show", id_)["state"] == "open"


@pytest.mark.parametrize("kind", list(Type))
def test_rgt_02_each_ground_refuses_what_its_article_says_and_nothing_else(desk: Desk, kind: Type) -> None:
    for ground in Ground:
        article, fits = GROUNDS[ground]
        id_ = desk.open(str(kind))
        said = desk("refuse", id_, "--ground", str(ground), "--reason", "As it is.", status=0 if kind in fits else 1)
        assert article in " ".join(said.split())
        assert desk.json("show", id_)["state"] == ("refused" if kind in fits else "open")


EXPECTED = {
    "access": {"manifestly_unfounded", "excessive", "not_identified", "others_rights"},
    "erasure": {"manifestly_unfounded", "excessive", "not_identified", "legal_obligation", "legal_claims"},
    "rectification": {"manifestly_unfounded", "excessive", "not_identified", "data_are_accurate"},
    "restriction": {"manifestly_unfounded", "excessive", "not_identified", "no_condition"},
    "objection": {"manifestly_unfounded", "excessive", "not_identified", "compelling_grounds"},
    "portability": {"manifestly_unfounded", "excessive", "not_identified", "others_rights", "not_applicable"},
    "withdrawal": {"not_identified"},
}


def test_rgt_02_the_grounds_of_each_request_are_those_of_the_law() -> None:
    assert {str(kind): {str(one) for one, (_, fits) in GROUNDS.items() if kind in fits} for kind in Type} == EXPECTED


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            [
                "The contract is in dispute.",
                "supervisory authority",
                "judicial remedy",
                "Art. 17(3)(e)",
                "legal claims",
            ],
        ),
        (
            "sv",
            [
                "The contract is in dispute.",
                "tillsynsmyndighet",
                "effektivt rättsmedel",
                "domstol",
                "rättsliga anspråk",
            ],
        ),
        ("de", ["The contract is in dispute.", "Aufsichtsbehörde", "gerichtlichen Rechtsbehelf", "Rechtsansprüchen"]),
        ("fi", ["supervisory authority", "judicial remedy"]),
    ],
)
def test_rgt_02_the_letter_of_a_refusal_says_reason_complaint_and_court(
    desk: Desk, language: str, said: list[str]
) -> None:
    id_ = desk.open("erasure", more=("--language", language))
    page = desk.folder / "letter.html"
    words = ("--ground", "legal_claims", "--reason", "The contract is in dispute.", "--html", str(page))
    letter = " ".join(desk("refuse", id_, *words).split())
    for one in [*said, "privacy@acme.example", id_, day(3)]:
        assert one in letter
        assert one in page.read_text()


def test_rgt_02_a_refusal_after_the_first_month_is_told_to_be_late_also_where_the_time_was_extended(desk: Desk) -> None:
    fresh, late = desk.open("erasure"), desk.open("erasure", days=40)
    words = ("--ground", "legal_claims", "--reason", "In dispute.")
    assert "warning" not in desk("refuse", fresh, *words)
    assert "warning: a refusal must be told within the first month" in desk("refuse", late, *words)
    with Vault.open(desk.folder / "vault", clock=vaults.Clock(day_ms(40))) as vault:
        body = {"request": "cd" * 16, "type": "erasure", "channel": "mail", "regime": "EU_GDPR", "zone": "UTC"}
        vault.note(Fact(Kind.REQUEST_OPENED, None, "acme", body | {"received_at": day_ms(41)}))
        vault.note(Fact(Kind.REQUEST_EXTENDED, None, "acme", {"request": "cd" * 16}))
    assert desk.json("show", "cd" * 16)["overdue"] is False
    assert "warning" in desk("refuse", "cd" * 16, *words)


def test_rgt_15_an_objection_to_marketing_has_no_ground_against_it_and_no_extension(desk: Desk) -> None:
    id_ = desk.open("objection", more=("--marketing",))
    for ground in Ground:
        assert "never refused (Art. 21(3))" in desk("refuse", id_, "--ground", str(ground), "--reason", "x", status=1)
    assert "at once" in desk("extend", id_, "--reason", "x", status=1)
    assert desk.json("show", id_)["state"] == "open"
    letter = desk("answer", id_, "--note", "No more calls for marketing.")
    assert "direct marketing" in letter
    words = ("open", DIALLED, "--controller", "acme", "--channel", "mail", "--received", day(1), "--marketing")
    desk(*words, "--type", "access", status=2)


def test_rgt_16_the_letter_says_what_was_done_what_stays_and_until_when_backups_do(desk: Desk) -> None:
    words = ("--note", "Three recordings were erased.")
    first = desk.open("withdrawal")
    letter = " ".join(desk("answer", first, *words).split())
    assert "Three recordings were erased." in letter
    assert "The proof of what you decided when you were asked, for 1096 days" in letter
    assert "No backup copies" in letter
    until = now_ms() + 14 * DAY_MS
    with desk.vault() as vault:
        vault.note(Fact(Kind.KEYS_BACKED_UP, None, "acme", {"expires_at": until}))
    for language, said in (("en", "until"), ("sv", "senast till"), ("de", "spätestens bis")):
        letter = " ".join(desk("answer", desk.open("withdrawal"), *words, "--language", language).split())
        assert f"{said} {rfc3339(until)[:10]}" in letter


def test_a_closed_request_stays_as_it_was_closed(desk: Desk) -> None:
    id_ = desk.open("restriction")
    desk("refuse", id_, "--ground", "no_condition", "--reason", "None applies.")
    for words in (
        ("answer", id_, "--note", "x"),
        ("extend", id_, "--reason", "x"),
        ("refuse", id_, "--ground", "no_condition", "--reason", "x"),
        ("identify", id_, "--ask"),
        ("identify", id_, "--method", "eid"),
    ):
        assert "was refused on" in desk(*words, status=1)
    row = desk.json("show", id_)
    assert (row["state"], row["ground"], row["history"][-1]["words"]) == ("refused", "no_condition", "None applies.")


# --- through the daemon


async def test_rgt_01_the_register_is_the_same_through_the_daemon(desk: Desk) -> None:
    settings = config.load(desk.shell.config)

    def asked(backend: Backend) -> list[Any]:
        given = {"number": DIALLED, "controller": "acme", "type": "access", "channel": "phone", "received": day(2)}
        id_ = backend.call("requests/open", given)["id"]  # type: ignore[index]
        code = backend.call("requests/identify", {"id": id_, "ask": True})["code"]  # type: ignore[index]
        with pytest.raises(GdprcallError, match="2 attempts left"):
            backend.call("requests/identify", {"id": id_, "code": code, "call": rfc3339(CALLED - DAY_MS)})
        backend.call("requests/identify", {"id": id_, "code": code, "call": rfc3339(CALLED)})
        backend.call("requests/extend", {"id": id_, "reason": "many calls"})
        backend.call("requests/answer", {"id": id_, "note": "Sent."})
        return [backend.call("requests/list", {"all": True}), backend.call("requests/show", {"id": id_})]

    with desk.vault() as vault:
        async with served(vault, settings) as backend:
            shown = await asyncio.to_thread(asked, backend)
    desk("check", status=0)  # takes the daemon's log lines out of the way
    assert shown == [desk.json("list", "--all"), desk.json("show", shown[1]["id"])]
    assert shown[1]["state"] == "answered"


def test_rgt_01_the_daemon_tells_its_log_at_its_start_what_is_overdue_and_of_nobody(desk: Desk) -> None:
    desk.open(days=70)
    for secret in ("ami-password", "ari-password"):
        (desk.folder / "secrets" / secret).write_text("none of it answers")
        (desk.folder / "secrets" / secret).chmod(0o600)
    places = 'ari_url = "http://127.0.0.1:9/ari"\nami_port = 9\nspool'
    desk.shell.config.write_text(desk.shell.config.read_text().replace("spool", places, 1))
    (desk.folder / "spool").mkdir(exist_ok=True)
    desk.shell.identity.unlink()
    with subprocess.Popen(
        [sys.executable, "-m", "gdprcall", "--config", str(desk.shell.config), "serve"],
        stdout=subprocess.PIPE, text=True, cwd=desk.folder,
    ) as daemon:  # fmt: skip
        assert daemon.stdout is not None
        lines = []
        try:
            for line in daemon.stdout:
                lines.append(line)
                if "request_overdue" in line:
                    daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(30) == 0
        finally:
            daemon.kill()
    (told,) = [json.loads(line) for line in lines if "request_overdue" in line]
    assert (told["level"], told["controller"], told["count"]) == ("error", "acme", 1)
    assert NUMBER[3:] not in "".join(lines)


async def test_rgt_03_attempts_that_come_at_once_are_counted_one_by_one(desk: Desk) -> None:
    id_ = desk.open()
    code = desk.code(id_)
    wrong = {"id": id_, "code": f"{(int(code) + 1) % 10**8:08}", "call": rfc3339(CALLED)}

    def tried(backend: Backend) -> str:
        with pytest.raises(GdprcallError) as told:
            backend.call("requests/identify", wrong)
        return told.value.message

    with desk.vault() as vault:
        async with served(vault, config.load(desk.shell.config)) as backend:
            loop, clients = asyncio.get_running_loop(), ThreadPoolExecutor(12)
            said = await asyncio.gather(*(loop.run_in_executor(clients, tried, backend) for _ in range(12)))
        entries = list(vault.ledger.entries(kinds={Kind.REQUEST_TRIED}))
    assert len(entries) == identifying.ATTEMPTS
    assert sum("tried too often" in one for one in said) == 12 - identifying.ATTEMPTS


# --- what is kept


def test_the_number_is_kept_to_call_back_and_gone_when_the_request_is_closed(desk: Desk) -> None:
    id_ = desk.open("withdrawal")
    assert desk.stored(NUMBER) != [], "in the body of an entry"
    seen = desk.shell("audit", "log", "--json")[1] + desk("show", id_) + desk("list")
    assert NUMBER not in seen
    assert NUMBER[1:] not in seen
    desk("answer", id_, "--note", "Done.")
    assert desk.stored(NUMBER) == []
    assert desk.shell("audit", "verify")[0] == 0
    assert desk.shell("vault", "verify")[0] == 0


YEARS = 1097 * DAY_MS


def test_who_asked_is_forgotten_when_it_need_no_longer_be_proven_and_the_register_stays(desk: Desk) -> None:
    subject = subjects.pseudonym(config.load(desk.shell.config).pseudonym_key("acme"), NUMBER)
    long_ago = now_ms() - YEARS
    for id_, closed in (("ab" * 16, long_ago), ("cd" * 16, now_ms() - DAY_MS)):
        body = {"request": id_, "type": "objection", "channel": "mail", "regime": "EU_GDPR", "zone": "UTC"}
        with Vault.open(desk.folder / "vault", clock=vaults.Clock(closed)) as vault:
            person = Fact(Kind.REQUEST_PERSON, None, "acme", {"request": id_, "subject": subject})
            number = Fact(Kind.REQUEST_CONTACT, None, "acme", {"request": id_, "number": NUMBER})
            vault.submit(
                Fact(Kind.REQUEST_OPENED, None, "acme", body | {"received_at": closed}), person, number
            ).result()
            words = Fact(Kind.REQUEST_WORDS, None, "acme", {"request": id_, "words": f"words of {id_}"})
            vault.submit(Fact(Kind.REQUEST_ANSWERED, None, "acme", {"request": id_}), words).result()
    assert desk.stored(NUMBER) != [], "a crash came between the answer and the end of the number"
    assert desk.shell("recordings", "erase", RECORDING, "--reason", "x", "--yes")[0] == 0
    assert json.loads(desk.shell("retention", "sweep", "--dry-run", "--json")[1])["requests"] == ["ab" * 16]
    assert desk.stored(f"words of {'ab' * 16}") != []
    status, out, _ = desk.shell("retention", "sweep", "--yes", "--json")
    assert (status, json.loads(out)["requests"]) == (0, ["ab" * 16])
    assert desk.stored(NUMBER) == []
    assert desk.stored(f"words of {'ab' * 16}") == []
    assert desk.stored(f"words of {'cd' * 16}") != []
    assert desk.stored(subject) != [], "of the younger one"
    with desk.vault() as vault:
        assert [row.id for row in vault.index.requests.of_person("acme", subject)] == ["cd" * 16]
    assert {row["id"] for row in desk.json("list", "--all")} == {"ab" * 16, "cd" * 16}
    assert json.loads(desk.shell("retention", "sweep", "--yes", "--json")[1])["requests"] == []
    assert desk.shell("vault", "verify")[0] == 0
    before = desk.json("list", "--all")
    (desk.folder / "vault" / "index.db").unlink()
    assert desk.json("list", "--all") == before


def test_no_leaf_of_the_ledger_has_anything_of_the_person(desk: Desk) -> None:
    id_ = desk.open()
    desk("identify", id_, "--ask")
    desk("extend", id_, "--reason", "many calls")
    subject = subjects.pseudonym(config.load(desk.shell.config).pseudonym_key("acme"), NUMBER)
    with desk.vault() as vault:
        rows = [vault.ledger.row(seq) for seq in range(1, vault.ledger.size() + 1)]
    leaves = "".join(leaf for leaf, _, _ in rows)
    assert "request_contact" in leaves
    for needle in (NUMBER[3:], subject, "many calls", "access"):
        assert needle not in leaves
        assert needle in "".join(body or "" for _, _, body in rows)


def test_sec_09_what_is_noted_of_another_controller_changes_no_request(desk: Desk) -> None:
    id_ = desk.open("withdrawal")
    before = [desk.json("list", "--all"), desk.json("show", id_)]
    with desk.vault() as vault:
        for kind in (Kind.REQUEST_ANSWERED, Kind.REQUEST_EXTENDED, Kind.REQUEST_IDENTIFIED, Kind.REQUEST_FORGOTTEN):
            vault.note(Fact(kind, None, "beta", {"request": id_}))
    assert [desk.json("list", "--all"), desk.json("show", id_)] == before


def test_an_index_that_is_made_anew_has_the_same_register(desk: Desk) -> None:
    ids = [desk.open(kind) for kind in ("access", "objection", "erasure", "withdrawal")]
    desk.identify(ids[0], desk.code(ids[0]))
    desk("extend", ids[0], "--reason", "many calls")
    desk.identify(ids[2], "00000000" if (code := desk.code(ids[2])) != "00000000" else "00000001", status=1)
    desk("refuse", ids[1], "--ground", "compelling_grounds", "--reason", "They weigh more.")
    desk("answer", ids[3], "--note", "Done.")
    before = [desk.json("list", "--all"), *(desk.json("show", id_) for id_ in ids)]
    assert desk.shell("vault", "verify")[0] == 0
    (desk.folder / "vault" / "index.db").unlink()
    assert [desk.json("list", "--all"), *(desk.json("show", id_) for id_ in ids)] == before
    assert "1 attempt left" in desk.identify(ids[2], f"{(int(code) + 7) % 10**8:08}", status=1)
    earlier = desk.json(
        "open", DIALLED, "--controller", "acme", "--type", "access", "--channel", "phone", "--received", day(0)
    )
    assert set(earlier["earlier"]) == set(ids)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (("--controller", "nobody", "--type", "access", "--channel", "mail", "--received", "2026-01-31"), 3),
        (("--controller", "acme", "--type", "nonsense", "--channel", "mail", "--received", "2026-01-31"), 2),
        (("--controller", "acme", "--type", "access", "--channel", "pigeon", "--received", "2026-01-31"), 2),
        (("--controller", "acme", "--type", "access", "--channel", "mail", "--received", "yesterday"), 2),
        (("--controller", "acme", "--type", "access", "--channel", "mail", "--received", "2126-01-31"), 2),
        (("--controller", "acme", "--type", "access", "--channel", "mail", "--received", "0001-01-01"), 2),
        (("--controller", "acme", "--type", "access", "--channel", "mail"), 2),
    ],
)
def test_what_cannot_be_entered_is_refused_and_leaves_nothing(desk: Desk, given: tuple[str, ...], status: int) -> None:
    found, out, err = desk.shell("requests", "open", DIALLED, *given)
    assert found == status
    assert "12345678" not in out + err
    assert desk.json("list", "--all") == []


def test_a_number_that_stands_for_nobody_is_not_repeated(desk: Desk) -> None:
    words = ("--controller", "acme", "--type", "access", "--channel", "mail", "--received", day(1))
    status, out, err = desk.shell("requests", "open", "12 34", *words)
    assert status == 2
    assert "12 34" not in out + err


def test_an_unknown_request_is_not_found(desk: Desk) -> None:
    for words in (
        ("show", "0" * 32),
        ("answer", "0" * 32, "--note", "x"),
        ("extend", "0" * 32, "--reason", "x"),
        ("refuse", "0" * 32, "--ground", "excessive", "--reason", "x"),
        ("identify", "0" * 32, "--ask"),
    ):
        assert "there is no request" in desk(*words, status=3)


def test_a_page_that_is_there_already_is_refused_before_anything_is_noted(desk: Desk) -> None:
    id_, page = desk.open("withdrawal"), desk.folder / "letter.html"
    page.write_text("mine")
    assert "is there already" in desk("answer", id_, "--note", "x", "--html", str(page), status=2)
    assert desk.json("show", id_)["state"] == "open"
    assert page.read_text() == "mine"


def test_an_own_template_that_cannot_be_used_is_refused_before_anything_is_noted(desk: Desk) -> None:
    id_, folder = desk.open("withdrawal"), desk.folder / "templates"
    folder.mkdir()
    own = folder / "request.en.j2"
    for text in ("# {{ nonsense }}", "# {% if what == 'answer' %}{{ controller.nonsense }}{% endif %}", "{% if"):
        own.write_text(text)
        said = desk("answer", id_, "--note", "x", "--templates", str(folder), status=2)
        assert "request.en.j2 cannot be used" in said
        assert desk.json("show", id_)["state"] == "open"
    own.write_text("# Dear {{ controller.name }}, {{ note }}")
    assert "Dear Acme, Done." in desk("answer", id_, "--note", "Done.", "--templates", str(folder))


def test_the_words_of_the_command_line_are_those_of_the_law() -> None:
    words = (spoken.TYPES, spoken.GROUNDS, spoken.CHANNELS, spoken.METHODS)
    assert words == (tuple(Type), tuple(Ground), tuple(Channel), METHODS)
