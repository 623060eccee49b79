"""A person who objects or wants to be forgotten, and what stands against it: holds, restrictions, the law's own minimum."""

import asyncio
import json
import re
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall import config, operations
from gdprcall.asterisk.arrival import Arrival
from gdprcall.errors import ConfigError, Refused
from gdprcall.operations import Context
from gdprcall.times import DAY_MS, now_ms, rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from tests import vaults
from tests.gates import Gate
from tests.pbx.prepare import ROOT
from tests.test_access import APART, ASKED, CLAIM, DIALLED, OWN, PARTS, WAITING, House, house
from tests.test_cli_exits import RECORDING
from tests.test_controllers import B
from tests.test_reception import CHANNEL, open_desk
from tests.vaults import DAY_ONE, NUMBER, Clock, recording_id

__all__ = ["house"]

SOON = rfc3339(now_ms() + 30 * DAY_MS)
TOLD = rfc3339(now_ms() - DAY_MS)
HELD = ("--matter", "C-17", "--owner", "legal", "--review", SOON, "--reason", "claim")
PERSON = {"number": DIALLED, "controller": "acme"}


def states(house: House) -> dict[str, str]:
    with house.vault() as vault:
        return {id_: vault.recording(id_).state for id_ in (*OWN, B)}


def asked(vault: Vault, house: House, name: str, clock: Clock | None = None, **params: object) -> object:
    """Ask as the daemon would."""
    settings = config.load(house.shell.config)
    return operations.run(Context(vault, settings, clock=clock or Clock(), role="officer"), name, params)


def test_rgt_11_what_is_held_outlives_its_time_until_it_is_let_go(house: House) -> None:
    assert house.shell("recordings", "hold", ASKED, *HELD)[0] == 0
    assert house.shell("retention", "sweep", "--yes")[0] == 0
    assert states(house) == dict.fromkeys([*OWN, B], "erased") | {ASKED: "sealed"}
    status, out, _ = house.shell("recordings", "kept", "--json")
    assert status == 0
    assert [(one["recording"], one["flag"], one["name"]) for one in json.loads(out)] == [(ASKED, "hold", "C-17")]
    assert house.shell("recordings", "release", ASKED, "--matter", "C-17", "--reason", "settled")[0] == 0
    assert house.shell("retention", "sweep", "--yes")[0] == 0
    assert states(house)[ASKED] == "erased"


def test_rgt_11_what_is_held_is_still_heard_and_released(house: House) -> None:
    assert house.shell("recordings", "hold", ASKED, *HELD)[0] == 0
    assert house.shell("recordings", "export", ASKED, "-o", str(house.folder / "out.age"))[0] == 0


@pytest.mark.parametrize(
    ("review", "says"),
    [(TOLD, "not within"), (rfc3339(now_ms() + 200 * DAY_MS), "not within"), ("soon", "no RFC 3339")],
    ids=["past", "late", "words"],
)
def test_rgt_11_a_hold_has_a_review_within_half_a_year(house: House, review: str, says: str) -> None:
    words = ("--matter", "C-17", "--owner", "legal", "--review", review, "--reason", "x")
    status, _, err = house.shell("recordings", "hold", ASKED, *words)
    assert (status, says in err) == (2, True)
    assert house.shell("recordings", "kept")[1] == "nothing is held or restricted\n"


def test_rgt_11_a_review_that_is_overdue_is_found_and_two_matters_are_two_holds(house: House) -> None:
    clock = Clock()
    with house.vault() as vault:
        for matter, days in (("C-1", 10), ("C-2", 20)):
            review = rfc3339(DAY_ONE + days * DAY_MS)
            asked(vault, house, "recordings/hold", ids=[ASKED], matter=matter, owner="o", review=review, reason="x")
        clock.now = DAY_ONE + 10 * DAY_MS
        told = asked(vault, house, "recordings/kept", clock)
        assert [(one["name"], one["overdue"]) for one in told] == [("C-1", True), ("C-2", False)]  # type: ignore[attr-defined]
        asked(vault, house, "recordings/release", ids=[ASKED], matter="C-1", reason="x")
        assert vault.recording(ASKED).held
        with pytest.raises(Refused, match="no such hold"):
            asked(vault, house, "recordings/release", ids=[ASKED], matter="C-1", reason="x")
    status, _, err = house.shell("recordings", "kept")
    assert (status, "overdue" in err) == (4, True)


def test_rgt_10_what_is_restricted_is_only_kept_until_the_person_was_told_that_it_is_lifted(house: House) -> None:
    out = str(house.folder / "out.age")
    assert house.shell("recordings", "restrict", ASKED, "--ground", "accuracy", "--reason", "request 3")[0] == 0
    status, _, err = house.shell("recordings", "export", ASKED, "-o", out)
    assert (status, "Art. 18(2)" in err, Path(out).exists()) == (1, True, False)
    assert house.shell("recordings", "export", ASKED, "-o", out, "--exception", "claims")[0] == 0
    assert house.shell("recordings", "erase", ASKED, "--reason", "x", "--yes")[0] == 1
    lift = ("recordings", "unrestrict", ASKED, "--ground", "accuracy", "--reason", "corrected")
    for told in ((), ("--told", SOON)):
        status, _, err = house.shell(*lift, *told)
        assert (status, "Art. 18(3)" in err) == (2, True)
    assert house.shell(*lift, "--told", TOLD)[0] == 0
    assert house.shell("recordings", "erase", ASKED, "--reason", "x", "--yes")[0] == 0
    with house.vault() as vault:
        kinds = [entry.kind for entry in vault.ledger.entries(recording=ASKED)]
    assert kinds.index(Kind.RESTRICTED) < kinds.index(Kind.RELEASED) < kinds.index(Kind.RESTRICTION_LIFTED)


def test_rgt_14_an_objection_restricts_what_rests_on_a_weighing_and_says_of_the_rest_why_not(house: House) -> None:
    status, out, _ = house.shell("subject", "object", DIALLED, "--controller", "acme", "--json")
    assert status == 0
    told = {one["recording"]: (one["outcome"], one["why"]) for one in json.loads(out)}
    assert told.keys() == {*OWN, WAITING}
    assert told[CLAIM] == ("restrict", "an objection that is not decided yet, Art. 18(1)(d)")
    assert {told[id_] for id_ in OWN if id_ != CLAIM} == {("keep", "its basis knows no objection, Art. 21(1)")}
    with house.vault() as vault:
        assert {id_ for id_ in OWN if vault.recording(id_).restricted} == {CLAIM}
    status, _, err = house.shell(
        "recordings", "erase", CLAIM, "--reason", "x", "--yes"
    )  # fmt: skip
    assert (status, "Art. 18" in err) == (1, True)


def test_rgt_14_an_objection_that_is_upheld_destroys_and_one_that_is_overridden_was_told(house: House) -> None:
    assert house.shell("recordings", "decide", CLAIM, "--upheld", "--reason", "x", "--yes")[0] == 1
    house.shell("subject", "object", DIALLED, "--controller", "acme")
    override = ("recordings", "decide", CLAIM, "--overridden", "--reason", "a fraud case")
    assert house.shell(*override)[0] == 2
    assert house.shell(*override, "--told", TOLD)[0] == 0
    assert states(house)[CLAIM] == "sealed"
    house.shell("subject", "object", DIALLED, "--controller", "acme")
    upheld = ("recordings", "decide", CLAIM, "--upheld", "--reason", "none")
    assert house.shell(*upheld, "--dry-run") == (0, f"{CLAIM}: would be erased\n", "")
    assert states(house)[CLAIM] == "sealed"
    status, out, _ = house.shell(*upheld, "--yes")
    assert (status, out) == (0, f"{CLAIM}: erased\n")
    with house.vault() as vault:
        assert vault.decision(vault.recording(CLAIM).decision).outcome == "objected"


def test_rgt_14_an_upheld_objection_that_a_crash_interrupts_is_finished_at_the_next_start(house: House) -> None:
    house.shell("subject", "object", DIALLED, "--controller", "acme")

    def crash(name: str) -> None:
        if name == "erasure intended":
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt), vaults.opened(house.folder, step=crash) as vault:
        asked(vault, house, "recordings/decide", ids=[CLAIM], upheld=True, reason="x")
    with house.vault() as vault:
        assert [receipt.recording for receipt in vault.finish_erasures()] == [CLAIM]


def test_ret_04_a_withdrawal_of_what_is_held_is_noted_and_carried_out_when_it_is_let_go(house: House) -> None:
    house.shell("recordings", "hold", ASKED, *HELD)
    with house.vault() as vault:
        vault.note(Fact(Kind.WITHDRAWN, ASKED, "acme", {"method": "key", "reason": "withdrawn"}))
        assert vault.finish_erasures() == []
        assert vault.recording(ASKED).state == "sealed"
    out_ = ("-o", str(house.folder / "out.age"))
    assert house.shell("recordings", "export", ASKED, *out_)[0] == 1
    assert house.shell("recordings", "export", ASKED, *out_, "--purpose", "claims")[0] == 0
    status, out, _ = house.shell("recordings", "release", ASKED, "--matter", "C-17", "--reason", "settled")
    assert (status, out) == (0, f"{ASKED}: erased\n")


def test_rgt_08_a_person_who_is_forgotten_is_found_no_more_and_the_neighbour_stays(house: House) -> None:
    before = b"".join(path.read_bytes() for path in (house.folder / "vault").glob("*.db*"))
    assert house.subject.encode() in before
    person = ("subject", "erase", DIALLED, "--controller", "acme", "--reason", "request 17")
    status, out, _ = house.shell(*person, "--dry-run")
    assert (status, all(id_ in out for id_ in OWN)) == (0, True)
    assert set(states(house).values()) == {"sealed"}
    assert house.shell(*person)[0] == 1, "there is no terminal to ask on"
    status, out, _ = house.shell(*person, "--yes", "--json")
    assert status == 0
    certificate = json.loads(out)
    assert {one["recording"] for one in certificate["erased"]} == set(OWN)
    assert all(one["complete"] for one in certificate["erased"])
    assert certificate["kept"] == [
        next(iter(certificate["kept"])) | {"recording": WAITING, "why": "its call is still being recorded"}
    ]
    assert states(house) == dict.fromkeys(OWN, "erased") | {B: "sealed"}
    with house.vault() as vault:
        vault.note(Fact(Kind.NOT_STARTED, WAITING, "acme", {"reason": "no_file"}))
    assert house.shell(*person, "--yes")[0] == 0
    after = b"".join(path.read_bytes() for path in (house.folder / "vault").glob("*.db*"))
    assert house.subject.encode() not in after
    assert house.shell(*person, "--yes")[0] == 3
    assert house.access()[0] == 3
    assert house.shell("audit", "verify")[0] == 0
    assert house.shell("recordings", "export", B, "-o", str(house.folder / "beta.age"))[0] == 0


def test_ret_04_what_is_held_or_restricted_or_kept_by_law_stays_and_is_named_with_its_article(house: House) -> None:
    house.shell("recordings", "hold", ASKED, *HELD)
    house.shell("recordings", "restrict", PARTS, "--ground", "claims", "--reason", "request 3")
    by_law = recording_id(20)
    with house.vault() as vault:
        vaults.sealed(vault, house.folder / "spool", 20)
        vault.note(vaults.caller(by_law, subject=house.subject))
    house.shell("subject", "object", DIALLED, "--controller", "acme")
    with house.vault() as vault:
        done = asked(vault, house, "subject/erase", **PERSON, reason="request 17")
        assert isinstance(done, dict)
        kept = {one["recording"]: one["why"] for one in done["kept"]}
    assert kept == {
        ASKED: "a legal hold, Art. 17(3)(e)",
        PARTS: "a restriction, Art. 18",
        CLAIM: "a restriction, Art. 18",
        WAITING: "its call is still being recorded",
    }
    assert {one["recording"] for one in done["erased"]} == {RECORDING, APART, by_law}


def test_ret_04_a_laws_own_minimum_stands_against_an_erasure_until_it_is_over(tmp_path: Path, house: House) -> None:
    clock, law = Clock(), recording_id(21)
    with house.vault() as vault:
        vault.submit(vaults.decision(law, basis="legal_obligation"), vaults.caller(law, subject=house.subject)).result()
        vault.seal(vaults.spooled(tmp_path / "spool", law), vaults.facts(law))
        with pytest.raises(Refused, match="a law's minimum is running"):
            asked(vault, house, "recordings/erase", ids=[law], reason="x")
        clock.now = DAY_ONE + 31 * DAY_MS
        assert asked(vault, house, "recordings/erase", clock, ids=[law], reason="x")


def test_a_dry_run_says_what_goes_on_of_an_erasure_that_was_begun_and_destroys_nothing(house: House) -> None:
    def crash(name: str) -> None:
        if name == "erasure intended":
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt), vaults.opened(house.folder, step=crash) as vault:
        asked(vault, house, "subject/erase", **PERSON, reason="request 17")
    with house.vault() as vault:
        would = asked(vault, house, "subject/erase", **PERSON, reason="request 17", dry_run=True)
        assert isinstance(would, dict)
        assert {one["recording"] for one in would["would_erase"]} == set(OWN)
        assert {vault.recording(id_).state for id_ in OWN} == {"sealed"}
        done = asked(vault, house, "subject/erase", **PERSON, reason="request 17")
        assert isinstance(done, dict)
        assert {one["recording"] for one in done["erased"]} == set(OWN)
        assert done["certificate"] == would["certificate"] != ""


def test_rgt_12_whoever_was_given_a_copy_is_named_with_the_erasure_and_owed_a_notice(house: House) -> None:
    with house.vault() as vault:
        noted = {"recipient": "Police of Malmö", "basis": "order 4"}
        vault.export(ASKED, 1, actor="officer", purpose="claims", noted=noted)
    house.access()
    status, out, _ = house.shell("subject", "erase", DIALLED, "--controller", "acme", "--reason", "x", "--yes")
    assert (status, "to be told (Art. 19): Police of Malmö, of 1 recording(s)" in out) == (0, True)
    assert "copies went out in package" in out
    with house.vault() as vault:
        (owed,) = vault.ledger.entries(kinds={Kind.NOTICE_OWED})
    assert (owed.body or {})["recordings"] == [ASKED]


def test_what_is_kept_is_known_again_from_the_ledger_alone(house: House) -> None:
    house.shell("recordings", "hold", ASKED, *HELD)
    house.shell("recordings", "restrict", PARTS, "--ground", "claims", "--reason", "request 3")
    house.shell("subject", "erase", DIALLED, "--controller", "acme", "--reason", "x", "--never-record", "--yes")
    _, before, _ = house.shell("recordings", "kept")
    for path in (house.folder / "vault").glob("index.db*"):
        path.unlink()
    assert house.shell("recordings", "kept")[1] == before
    with house.vault() as vault:
        assert vault.index.never_record("acme", house.subject)
    assert house.shell("audit", "verify")[0] == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("recordings", "restrict", WAITING, "--ground", "claims", "--reason", "x"), 1),
        (("recordings", "unrestrict", ASKED, "--ground", "claims", "--told", TOLD, "--reason", "x"), 1),
        (("recordings", "restrict", "ab" * 16, "--ground", "claims", "--reason", "x"), 3),
        (("recordings", "restrict", ASKED, "--ground", "whim", "--reason", "x"), 2),
        (("recordings", "restrict", ASKED, "--ground", "objection", "--reason", "x"), 1),
        (("subject", "erase", "110", "--controller", "acme", "--reason", "x", "--yes"), 2),
        (("subject", "erase", DIALLED, "--controller", "nobody", "--reason", "x", "--yes"), 3),
        (("subject", "object", "+49 30 99999999", "--controller", "acme"), 3),
    ],
    ids=[
        "unfinished",
        "not-restricted",
        "unknown",
        "no-ground",
        "no-objection",
        "no-number",
        "no-controller",
        "nothing-of-him",
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(house: House, words: tuple[str, ...], status: int) -> None:
    with house.vault() as vault:
        size = vault.ledger.size()
    assert house.shell(*words)[0] == status
    with house.vault() as vault:
        assert vault.ledger.size() == size


def test_no_number_is_in_the_ledger_of_who_is_never_recorded_and_he_may_be_asked_again(house: House) -> None:
    person = (DIALLED, "--controller", "acme", "--reason", "x")
    assert house.shell("subject", "erase", *person, "--never-record", "--yes")[0] == 0
    assert house.shell("subject", "allow", *person) == (0, "is asked again\n", "")
    assert house.shell("subject", "allow", *person) == (0, "was never marked\n", "")
    everything = b"".join(path.read_bytes() for path in (house.folder / "vault").glob("*.db*"))
    assert NUMBER.encode() not in everything
    with house.vault() as vault:
        (mark,) = vault.ledger.entries(kinds={Kind.NEVER_RECORD})
    assert mark.body is None


async def test_rgt_08_who_is_never_to_be_recorded_is_not_asked_and_a_stranger_is(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        claim: Callable[[str], int | None] = lambda number: desk.reception.claim(  # noqa: E731 # one question
            Arrival(CHANNEL, "PJSIP/a-1", "support", "may", "en", number)
        )
        assert desk.reception.terms is not None
        case = desk.reception.terms.case(Arrival(CHANNEL, "PJSIP/a-1", "support", "may", "en", NUMBER))
        assert claim(NUMBER) is not None
        desk.vault.note(Fact(Kind.NEVER_RECORD, None, case.controller.id, {"subject": case.subject}))
        desk.vault.catch_up()
        desk.vault.know_marks()
        # A long look through the index must keep no call waiting.
        busy = Gate()
        looking = asyncio.ensure_future(asyncio.to_thread(look_long, desk.vault, busy))
        await busy.reached.wait()
        assert claim(NUMBER) is None
        busy.open()
        await looking
        assert claim("+46701760001") is not None
        assert claim("") is not None


def look_long(vault: Vault, busy: Gate) -> None:
    with vault.index._store.lock:
        busy()


def test_who_is_never_to_be_recorded_is_known_from_the_opening_on(house: House) -> None:
    person = (DIALLED, "--controller", "acme", "--reason", "x")
    house.shell("subject", "erase", *person, "--never-record", "--yes")
    with house.vault() as vault:
        assert vault.never == {("acme", house.subject)}
    house.shell("subject", "allow", *person)
    with house.vault() as vault:
        assert vault.never == set()


def test_a_told_that_is_no_time_is_named(house: House) -> None:
    house.shell("recordings", "restrict", ASKED, "--ground", "claims", "--reason", "request 3")
    with house.vault() as vault, pytest.raises(ConfigError, match="told is no RFC 3339 time"):
        asked(vault, house, "recordings/unrestrict", ids=[ASKED], ground="claims", told="x", reason="x")


def test_every_command_of_the_readmes_section_runs(house: House) -> None:
    section = (
        (ROOT / "README.md").read_text().split("\n### A person objects, or wants to be forgotten\n")[1].split("\n##")[0]
    )
    (block,) = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    with house.vault() as vault:
        vault.note(Fact(Kind.NOT_STARTED, WAITING, "acme", {"reason": "no_file"}))
    given = {"OBJECTED": CLAIM, "RECORDING": ASKED, "OTHER": PARTS, "REVIEW": SOON, "2026-11-20T09:00:00Z": TOLD}
    for command in block.splitlines():
        words = [given.get(word, word) for word in shlex.split(command)]
        assert words[0] == "gdprcall"
        status, out, err = house.shell(*words[1:])
        assert status == 0, f"{command}\n{out}{err}"
    assert states(house) == dict.fromkeys(OWN, "erased") | {B: "sealed"}


def test_sec_06_a_package_lets_nothing_go_that_is_not_its_persons(house: House) -> None:
    settings = config.load(house.shell.config)
    with house.vault() as vault:
        officer = Context(vault, settings, actor="uid:5", clock=Clock(), role="officer")
        plan = operations.run(officer, "subject/access", PERSON | {"identified": "document"})
        assert isinstance(plan, dict)
        noted = {"package": plan["id"], "mark": plan["mark"]}
        operations.export(officer, ASKED, 1, "access", noted)
        stranger = recording_id(5)  # of the same company, and another caller's
        for recording, said in (
            (stranger, noted),
            (ASKED, noted | {"mark": "ab" * 32}),
            (ASKED, {"package": "ab" * 16}),
        ):
            with pytest.raises(Refused, match="not in this package"):
                operations.export(officer, recording, 1, "access", said)
        (released,) = vault.ledger.entries(kinds={Kind.RELEASED})
        assert "mark" not in (released.body or {})


def test_bas_02_the_purposes_of_the_law_are_for_who_decides_of_them(house: House) -> None:
    settings = config.load(house.shell.config)
    with house.vault() as vault:
        reviewer = Context(vault, settings, actor="uid:5", clock=Clock(), role="reviewer")
        for purpose in ("access", "claims", "authority"):
            with pytest.raises(Refused, match="was not made for"):
                operations.export(reviewer, ASKED, 1, purpose)
        operations.export(reviewer, ASKED, 1, "quality")


def test_sec_06_more_releases_than_a_few_in_an_hour_need_a_second_person(house: House) -> None:
    text = house.shell.config.read_text()
    house.shell.config.write_text(text.replace("[vault]", "[vault]\nreleases_an_hour = 2"))
    settings, clock = config.load(house.shell.config), Clock()

    def release(actor: str, **noted: str) -> None:
        context = Context(vault, settings, actor=actor, clock=clock, role="reviewer")
        operations.export(context, ASKED, 1, "quality", noted)

    with vaults.opened(house.folder, clock=clock) as vault:
        release("uid:5")
        release("uid:5")
        with pytest.raises(Refused, match="need a second person"):
            release("uid:5")
        release("uid:6")
        officer = Context(vault, settings, actor="uid:5", clock=clock, role="officer")
        approval = {"actor": "uid:5", "count": 1, "reason": "an audit"}
        with pytest.raises(Refused, match="nobody approves"):
            operations.run(officer, "recordings/approve", approval)
        operations.run(replace(officer, actor="uid:7"), "recordings/approve", approval)
        release("uid:5")
        with pytest.raises(Refused, match="more than 3 releases"):
            release("uid:5")
        clock.now += 3_600_001
        release("uid:5")


def test_rgt_09_a_request_for_erasure_is_not_refused_without_a_ground_of_the_law(house: House) -> None:
    words = ("--controller", "acme", "--type", "erasure", "--channel", "mail", "--received", rfc3339(now_ms()))
    (id_,) = re.findall(r"^request ([0-9a-f]{32}): ", house.shell("requests", "open", DIALLED, *words)[1], re.MULTILINE)
    assert house.shell("requests", "refuse", id_, "--reason", "we need it")[0] == 2
    assert house.shell("requests", "refuse", id_, "--ground", "whim", "--reason", "we need it")[0] == 2
    assert house.shell("requests", "refuse", id_, "--ground", "legal_claims", "--reason", "we need it")[0] == 0
