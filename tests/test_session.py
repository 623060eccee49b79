"""One call from its start to its end: events in, commands out, evidence first, and no failure that records."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall.consent.dialogue import (
    Ask,
    Basis,
    Consent,
    ContractBegun,
    ContractEnded,
    Digit,
    Ended,
    Ending,
    Event,
    NoInput,
    Outcome,
    PartyJoined,
    Played,
    SpokenYes,
    State,
    Terms,
    Withdrawn,
)
from gdprcall.errors import PeerError
from gdprcall.evidence import LedgerEvidence
from gdprcall.session import Session
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Kind
from tests.test_evidence import REC, call_facts
from tests.vaults import opened

MAY = Terms("prompt", 4000, "1", "2", 2, 5000)
MUST = Terms("prompt", 4000, "1", "2", 2, 5000, must=True)
CONTRACT, DUTY = replace(MAY, basis=Basis.CONTRACT), replace(MUST, basis=Basis.LEGAL_OBLIGATION)
INTEREST = replace(MAY, basis=Basis.LEGITIMATE_INTEREST)
TOLD: list[Event] = [Played(1, 9000), NoInput(1)]
ACCEPTS: list[Event] = [Digit(1, "1", 4500)]


class Telephone:
    """Asterisk's side of one call: it is asked, records, and tells what the caller does at each moment.

    ``does`` is what follows each thing that was said to it; ``fails`` what it does not do.
    """

    def __init__(self, vault: Vault) -> None:
        self.said: list[str] = []
        self.followed: list[str] = []
        self.does: dict[str, list[Event]] = {}
        self.fails: set[str] = set()
        self.durable: list[str] = []
        self.quieted = 0
        self.when_stopped: Callable[[], None] = lambda: None
        self._vault = vault
        self._deliver: Callable[[Event], None] = lambda _event: None

    def listen(self, deliver: Callable[[Event], None]) -> None:
        self._deliver = deliver

    async def ask(self, ask: Ask, prompt: str) -> None:
        self._hear(f"ask {ask.asked} {prompt}", "ask")

    async def listen_on(self) -> None:
        self._hear("listen on", "listen")

    async def quiet(self) -> None:
        self.quieted += 1

    async def record(self, recording: str, ending: Ending = Ending.WITHDRAWAL) -> None:
        # What stands in the ledger when Asterisk hears of it.
        entries = (entry for entry in self._vault.ledger.entries() if entry.kind is Kind.DECISION)
        self.durable = [str((entry.body or {})["outcome"]) for entry in entries]
        self._hear(f"record {recording}" + (" for good" if ending is Ending.NONE else ""), "record")

    async def hold(self) -> None:
        self._hear("hold", "hold")

    async def begin(self) -> None:
        entries = (entry for entry in self._vault.ledger.entries() if entry.kind is Kind.DECISION)
        self.durable = [str((entry.body or {})["outcome"]) for entry in entries]
        self._hear("begin", "begin")

    async def release(self) -> None:
        self._hear("release", "release")

    async def route(self) -> None:
        self._hear("route", "route")

    def follow(self, recording: str) -> None:
        self.followed.append(recording)

    async def stop(self, reason: str) -> None:
        self._hear(f"stop {reason}", "stop")
        self.when_stopped()

    async def erase(self) -> None:
        self._hear("erase", "erase")

    def _hear(self, what: str, word: str) -> None:
        self.said.append(what)
        for event in self.does.get(word, []):
            self._deliver(event)
        if word in self.fails:
            raise PeerError("Asterisk did not answer")


class Call:
    """A session with its telephone, on a real vault."""

    def __init__(self, folder: Path) -> None:
        self.vault = opened(folder)
        self.telephone = Telephone(self.vault)

    def session(self, terms: Terms = MAY) -> Session[str]:
        telephone = self.telephone
        evidence = LedgerEvidence(self.vault, call_facts())
        return Session(
            terms,
            recording=REC,
            prompt="sound",
            notice="whole notice",
            front=telephone,
            evidence=evidence,
            recorder=telephone,
        )

    async def run(self, *events: Event, terms: Terms = MAY) -> Session[str]:
        """Run a call in which the caller answers the first question with ``events``."""
        if events:
            self.telephone.does["ask"] = list(events)
        session = self.session(terms)
        async with asyncio.timeout(5):
            await session.run()
        return session

    def noted(self) -> list[tuple[Kind, object]]:
        return [
            (entry.kind, (entry.body or {}).get("outcome") or (entry.body or {})["reason"])
            for entry in self.vault.ledger.entries()
            if entry.kind is not Kind.SUBJECT  # who called stands beside what was decided
        ]


@pytest.fixture
async def call(tmp_path: Path) -> AsyncIterator[Call]:
    call = Call(tmp_path)
    yield call
    call.vault.close()


async def test_ev_01_a_grant_is_durable_before_asterisk_hears_of_it(call: Call) -> None:
    call.telephone.does["record"] = [Ended()]
    session = await call.run(Played(1, 4800), *ACCEPTS)
    assert call.telephone.said == ["ask 1 sound", f"record {REC}"]
    assert call.telephone.durable == ["granted"]
    assert call.telephone.quieted == 1, "the caller hears at once that the key counts"
    assert session.recorded
    assert (session.consent.state, session.consent.outcome) == (State.STOPPED, Outcome.GRANTED)
    assert call.noted() == [(Kind.DECISION, "granted")]


async def test_a_refusal_is_given_its_way_on_and_then_noted(call: Call) -> None:
    session = await call.run(Digit(1, "2", 100))
    assert call.telephone.said == ["ask 1 sound", "release"]
    assert call.noted() == [(Kind.DECISION, "refused")]
    assert not session.recorded


async def test_a_refusal_on_a_must_line_is_routed(call: Call) -> None:
    await call.run(Digit(1, "2", 100), terms=MUST)
    assert call.telephone.said == ["ask 1 sound", "route"]


async def test_silence_is_asked_once_more_and_then_goes_on_unrecorded(call: Call) -> None:
    await call.run(NoInput(1), NoInput(2))
    assert call.telephone.said == ["ask 1 sound", "ask 2 sound", "release"]
    assert call.noted() == [(Kind.DECISION, "timeout")]


async def test_con_03_an_accept_key_that_comes_too_early_changes_nothing(call: Call) -> None:
    await call.run(Digit(1, "1", 3900), Digit(1, "2", 4100))
    assert call.telephone.said == ["ask 1 sound", "listen on", "release"]
    assert call.noted() == [(Kind.DECISION, "refused")]


async def test_fcl_06_without_evidence_nothing_is_recorded(call: Call) -> None:
    call.vault.ledger.distrust("it was cut")
    session = await call.run(*ACCEPTS)
    assert call.telephone.said == ["ask 1 sound", "release"]
    assert session.failure == "note_failed:VaultError"
    assert session.consent.outcome is Outcome.SYSTEM_FAIL
    assert not session.recorded


async def test_a_question_that_cannot_be_asked_lets_the_call_go_on(call: Call) -> None:
    call.telephone.fails.add("ask")
    session = await call.run()
    assert call.telephone.said == ["ask 1 sound", "release"]
    assert session.failure == "ask_failed:PeerError"
    assert call.noted() == [(Kind.DECISION, "system_fail")]


@pytest.mark.parametrize(("terms", "way"), [(MAY, "release"), (MUST, "route")])
async def test_fcl_01_a_verdict_that_may_be_lost_is_stopped_and_the_call_goes_on(
    call: Call, terms: Terms, way: str
) -> None:
    call.telephone.fails.add("record")
    call.telephone.does["stop"] = [Ended()]
    session = await call.run(*ACCEPTS, terms=terms)
    assert set(call.telephone.said[2:]) == {way, "stop record_failed:PeerError"}
    assert session.recorded, "Asterisk may have heard of it"
    assert session.failure == "record_failed:PeerError"


async def test_fcl_01_a_verdict_that_may_be_lost_keeps_no_caller_waiting_though_the_stop_fails(call: Call) -> None:
    call.telephone.fails |= {"record", "stop"}
    call.telephone.does["stop"] = [Ended()]
    await call.run(*ACCEPTS)
    assert "release" in call.telephone.said


async def test_con_08_a_withdrawal_is_stopped_noted_and_erased_in_this_order(call: Call) -> None:
    call.telephone.does["record"] = [Withdrawn("key")]
    session = await call.run(*ACCEPTS)
    assert call.telephone.said[2:] == ["stop withdrawn", "erase"]
    assert call.noted() == [(Kind.DECISION, "granted"), (Kind.WITHDRAWN, "withdrawn")]
    assert session.consent.outcome is Outcome.WITHDRAWN


async def test_con_08_a_withdrawal_that_cannot_be_noted_erases_nothing_until_asterisks_mark_is_read(call: Call) -> None:
    call.telephone.does["record"] = [Withdrawn("key")]
    call.telephone.when_stopped = lambda: call.vault.ledger.distrust("it was cut")
    session = await call.run(*ACCEPTS)
    assert call.telephone.said[2:] == ["stop withdrawn"]
    assert session.consent.outcome is Outcome.WITHDRAWN


async def test_con_08_a_stopped_recording_can_still_be_withdrawn(call: Call) -> None:
    call.telephone.does["record"] = [PartyJoined("conference"), Withdrawn("key"), Ended()]
    await call.run(*ACCEPTS)
    assert call.telephone.said[2:] == ["stop conference", "stop withdrawn", "erase"]


async def test_pty_04_a_recording_is_stopped_once_however_many_parties_join(call: Call) -> None:
    call.telephone.does["record"] = [PartyJoined("conference"), PartyJoined("party_joined"), Ended()]
    await call.run(*ACCEPTS)
    assert call.telephone.said[2:] == ["stop conference"]


async def test_events_after_the_end_are_ignored(call: Call) -> None:
    call.telephone.does["release"] = [Ended(), Digit(1, "1", 4900), Withdrawn("key"), PartyJoined()]
    session = await call.run(Digit(1, "2", 100), *ACCEPTS)
    session.feed(Withdrawn("key"))
    await asyncio.sleep(0)
    assert call.telephone.said == ["ask 1 sound", "release"]
    assert call.noted() == [(Kind.DECISION, "refused")]


@pytest.mark.parametrize(
    ("after", "reason"), [(Digit(1, "2", 4600), "refused"), (Ended("hangup", 4600), "hangup_in_prompt")]
)
async def test_fcl_06_a_grant_that_is_undone_before_the_verdict_is_noted_as_not_started(
    call: Call, after: Event, reason: str
) -> None:
    session = await call.run(*ACCEPTS, after)
    assert not session.recorded
    assert f"record {REC}" not in call.telephone.said
    assert call.noted() == [(Kind.DECISION, "granted"), (Kind.DECISION, reason), (Kind.NOT_STARTED, reason)]


async def test_what_failed_before_the_call_was_asked_asks_nothing(call: Call) -> None:
    session = call.session()
    session.feed(Ended("hangup", 0))
    async with asyncio.timeout(5):
        await session.run()
    assert call.telephone.said == []
    assert session.consent == Consent(MAY, State.UNRECORDED, outcome=Outcome.HANGUP_IN_PROMPT)


async def test_inf_05_who_was_told_of_an_interest_is_recorded_on_a_durable_note_of_it(call: Call) -> None:
    call.telephone.does["record"] = [Ended()]
    session = await call.run(*TOLD, terms=INTEREST)
    assert call.telephone.said == ["ask 1 sound", f"record {REC}"]
    assert call.telephone.durable == ["informed"]
    assert session.recorded
    assert call.vault.recording(REC).state == "recording"
    assert call.vault.sealed_number(REC) is not None


async def test_rgt_14_an_objection_in_mid_call_is_noted_as_one_and_erased(call: Call) -> None:
    call.telephone.does["record"] = [Withdrawn("key")]
    await call.run(*TOLD, terms=INTEREST)
    assert call.telephone.said[-2:] == ["stop objected", "erase"]
    assert call.noted() == [(Kind.DECISION, "informed"), (Kind.WITHDRAWN, "objected")]
    row = call.vault.recording(REC)
    assert row.withdrawn
    assert row.outcome == "objected"


async def test_bas_05_a_duty_is_recorded_for_good_and_a_wish_keeps_the_recording(call: Call) -> None:
    call.telephone.does["record"] = [Withdrawn("spoken"), Ended()]
    session = await call.run(*TOLD, terms=DUTY)
    assert call.telephone.said == ["ask 1 sound", f"record {REC} for good"]
    assert call.noted() == [(Kind.DECISION, "legal_required"), (Kind.DECISION, "legal_required")]
    assert session.consent.state is State.STOPPED
    row = call.vault.recording(REC)
    assert (row.state, row.withdrawn) == ("recording", False)
    assert call.vault.sealed_number(REC) is not None


async def test_bas_04_a_contract_is_open_until_the_agents_word_and_noted_again_before_it_is_recorded(
    call: Call,
) -> None:
    call.telephone.does["hold"] = [ContractBegun()]
    call.telephone.does["begin"] = [ContractEnded(), Ended()]
    session = await call.run(*TOLD, terms=CONTRACT)
    assert call.telephone.said == ["ask 1 sound", "hold", "begin", "stop contract_ended"]
    assert call.telephone.durable == ["informed", "informed"]
    assert session.consent.state is State.CONCLUDED
    first, second = (entry for entry in call.vault.ledger.entries() if entry.kind is Kind.DECISION)
    assert (first.recording, second.recording) == (None, REC)
    assert call.vault.recording(REC).state == "recording"


async def test_bas_04_a_contract_call_without_a_contract_leaves_no_recording_and_no_number(call: Call) -> None:
    call.telephone.does["hold"] = [Ended()]
    session = await call.run(*TOLD, terms=CONTRACT)
    assert not session.recorded
    assert call.noted() == [(Kind.DECISION, "informed")]
    assert call.vault.sealed_number(REC) is None


async def test_bas_04_a_contract_whose_recording_cannot_begin_is_stopped(call: Call) -> None:
    call.telephone.does["hold"] = [ContractBegun()]
    call.telephone.fails.add("begin")
    call.telephone.does["stop"] = [Ended()]
    await call.run(*TOLD, terms=CONTRACT)
    assert call.telephone.said == ["ask 1 sound", "hold", "begin", "stop begin_failed:PeerError"]


async def test_con_01_a_spoken_yes_becomes_a_grant_only_when_it_is_confirmed(call: Call) -> None:
    call.telephone.does["hold"] = [SpokenYes(), SpokenYes()]
    call.telephone.does["begin"] = [Ended()]
    session = await call.run(NoInput(1), terms=replace(MAY, attempts=1, spoken=True))
    assert call.telephone.said == ["ask 1 sound", "hold", "begin"]
    assert call.noted() == [(Kind.DECISION, "timeout"), (Kind.DECISION, "granted")]
    assert session.recorded


async def test_inf_02_the_full_notice_is_a_sound_of_its_own(call: Call) -> None:
    terms = replace(MAY, more="0", notice="n")
    await call.run(Digit(1, "0", 100), Digit(2, "2", 100), terms=terms)
    assert call.telephone.said == ["ask 1 sound", "ask 2 whole notice", "release"]


async def test_bas_04_a_second_contract_is_noted_as_a_decision_about_a_recording_of_its_own(tmp_path: Path) -> None:
    call = Call(tmp_path)
    told = [[ContractEnded(), ContractBegun()], [Ended()]]
    call.telephone.does["hold"] = [ContractBegun()]

    async def begin() -> None:
        call.telephone.said.append("begin")
        for event in told.pop(0):
            call.telephone._deliver(event)

    call.telephone.begin = begin  # type: ignore[method-assign]  # each contract ends in its own way
    session = await call.run(*TOLD, terms=CONTRACT)
    begun = [
        (entry.recording, (entry.body or {})["decision"])
        for entry in call.vault.ledger.entries()
        if entry.kind is Kind.DECISION and entry.recording
    ]
    assert call.telephone.said.count("begin") == 2
    assert [recording for recording, _ in begun] == [REC, *call.telephone.followed]
    assert session.recording == call.telephone.followed[0]
    assert len({decision for _, decision in begun}) == 2
