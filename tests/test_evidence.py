"""Evidence: durable within a second or not at all, the number sealed first, and nothing of who did not agree."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gdprcall import evidence as module
from gdprcall.consent.dialogue import Consent, Note, Outcome, Terms
from gdprcall.errors import NotFound, VaultError
from gdprcall.evidence import CallFacts, LedgerEvidence
from gdprcall.policy.model import Basis, Controller, Line
from gdprcall.vault.archive import Vault
from gdprcall.vault.keys import Slot, fingerprint
from gdprcall.vault.ledger import Fact, Kind
from tests.gates import Gate
from tests.pbx.waiting import locked
from tests.vaults import ACME, NUMBER, SUBJECT, Clock, opened, recording_id

REC = recording_id(1)
TERMS = Terms("prompt", 4000, "1", "2", 2, 5000)
ASKED = Consent(TERMS, asked=1, heard_ms=4500)
GRANTED = Note(Outcome.GRANTED)
LINE = Line("support", "acme", "quality", Basis.CONSENT, ("en",), 14)
CONTROLLER = Controller("acme", "Acme", "privacy@acme.example", "DE", "acme.example", ACME.recipients)
REFUSALS = [Outcome.REFUSED, Outcome.TIMEOUT, Outcome.INVALID, Outcome.HANGUP_IN_PROMPT, Outcome.SYSTEM_FAIL]


def call_facts(number: str | None = NUMBER, controller: Controller = CONTROLLER) -> CallFacts:
    return CallFacts(
        call="ca" * 16,
        decision="de" * 16,
        recording=REC,
        uniqueid="1767225600.1",
        line=LINE,
        controller=controller,
        policy_sha256="ef" * 32,
        language="en",
        front="test",
        prompt_sha256="cd" * 32,
        mandatory_ms=4000,
        subject=SUBJECT if number else None,
        number=number,
    )


class Desk:
    """Evidence on a real vault; ``salting`` is called by the ledger's thread, ``drawing`` by those that seal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.salting: Callable[[], None] = lambda: None
        self.drawing: Callable[[], None] = lambda: None
        self.vault = Vault.open(folder / "vault", clock=Clock(), random=self._random)
        self.evidence = LedgerEvidence(self.vault, call_facts())

    def _random(self, count: int) -> bytes:
        (self.salting if threading.current_thread().name == "ledger" else self.drawing)()
        return bytes(count - 1) + b"\1"

    @property
    def number(self) -> bytes | None:
        return self.vault.sealed_number(REC)

    def noted(self) -> list[tuple[Kind, str | None]]:
        return [(entry.kind, entry.recording) for entry in self.vault.ledger.entries()]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.vault.close()


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


async def test_ev_01_a_grant_is_in_the_ledger_when_the_note_returns(desk: Desk) -> None:
    await desk.evidence.note(ASKED, GRANTED)
    entry, caller = desk.vault.ledger.entries()
    assert (entry.kind, entry.recording, entry.controller) == (Kind.DECISION, REC, "acme")
    assert (caller.kind, caller.recording, caller.controller) == (Kind.SUBJECT, REC, "acme")
    assert caller.body == {"subject": SUBJECT}
    assert SUBJECT not in str(entry.body)
    body = dict(entry.body or {})
    assert (body["outcome"], body["heard_ms"], body["attempts"]) == ("granted", 4500, 1)
    assert body["recipients"] == [fingerprint(recipient) for recipient in ACME.recipients]
    assert body["retention_days"] == 14
    row = desk.vault.recording(REC)
    assert (row.state, row.subject) == ("recording", SUBJECT)


async def test_the_number_is_sealed_before_the_grant_is_written(desk: Desk) -> None:
    seen: list[bytes | None] = []
    desk.salting = lambda: seen.append(desk.number)
    await desk.evidence.note(ASKED, GRANTED)
    there, _ = seen
    assert there is not None
    assert ACME.opens(there) == NUMBER.encode()


async def test_a_grant_without_a_number_seals_none(desk: Desk) -> None:
    await LedgerEvidence(desk.vault, call_facts(None)).note(ASKED, GRANTED)
    assert desk.number is None
    assert [entry.kind for entry in desk.vault.ledger.entries()] == [Kind.DECISION]
    assert desk.vault.recording(REC).subject is None


@pytest.mark.parametrize("outcome", REFUSALS)
async def test_con_13_who_did_not_agree_leaves_no_pseudonym_and_no_number(desk: Desk, outcome: Outcome) -> None:
    await desk.evidence.note(ASKED, Note(outcome, "why"))
    assert desk.number is None
    (entry,) = desk.vault.ledger.entries()
    assert entry.recording is None
    assert (entry.body or {})["recipients"] == []
    with pytest.raises(NotFound):
        desk.vault.recording(REC)
    stored = b"".join(path.read_bytes() for path in (desk.folder / "vault").glob("*.db*"))
    for trace in (NUMBER, SUBJECT, NUMBER[3:]):
        assert trace.encode() not in stored


@pytest.mark.parametrize("outcome", REFUSALS)
async def test_con_13_who_takes_the_grant_back_before_it_records_leaves_no_number(desk: Desk, outcome: Outcome) -> None:
    await desk.evidence.note(ASKED, GRANTED)
    assert desk.number is not None
    await desk.evidence.note(ASKED, Note(outcome, "second_key"))
    assert desk.vault.keys.names(Slot.NUMBER) == []


async def test_con_13_a_number_that_is_sealed_after_it_was_given_up_does_not_stay(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVIDENCE_TIMEOUT_S", 0.05)
    gate = Gate()
    desk.drawing = gate
    with pytest.raises(VaultError):
        await desk.evidence.note(ASKED, GRANTED)
    await desk.evidence.note(ASKED, Note(Outcome.SYSTEM_FAIL, "note_failed:VaultError"))
    gate.open()
    await asyncio.get_running_loop().shutdown_default_executor()  # waits for the thread that sealed it
    assert desk.vault.keys.names(Slot.NUMBER) == []


async def test_con_13_no_number_stays_though_the_ledger_takes_nothing(desk: Desk) -> None:
    desk.vault.ledger.distrust("it was cut")
    for note in (GRANTED, Note(Outcome.SYSTEM_FAIL, "note_failed:VaultError")):
        with pytest.raises(VaultError):
            await desk.evidence.note(ASKED, note)
    assert desk.vault.keys.names(Slot.NUMBER) == []


async def test_con_08_a_withdrawal_leaves_the_number_to_the_erasure(desk: Desk) -> None:
    await desk.evidence.note(ASKED, GRANTED)
    await desk.evidence.note(ASKED, Note(Outcome.WITHDRAWN, "key"))
    assert desk.number is not None


async def test_no_number_is_readable_anywhere_after_a_grant(desk: Desk) -> None:
    await desk.evidence.note(ASKED, GRANTED)
    stored = b"".join(path.read_bytes() for path in (desk.folder / "vault").rglob("*") if path.is_file())
    assert NUMBER[3:].encode() not in stored
    assert NUMBER not in repr(call_facts())


async def test_con_08_a_withdrawal_says_how_it_was_made(desk: Desk) -> None:
    await desk.evidence.note(ASKED, GRANTED)
    await desk.evidence.note(ASKED, Note(Outcome.WITHDRAWN, "key"))
    assert desk.noted() == [(Kind.DECISION, REC), (Kind.SUBJECT, REC), (Kind.WITHDRAWN, REC)]
    assert desk.vault.recording(REC).withdrawn


async def test_a_grant_that_led_to_nothing_is_noted_as_not_started(desk: Desk) -> None:
    await desk.evidence.note(ASKED, GRANTED)
    await desk.evidence.not_started("hangup")
    assert desk.vault.recording(REC).state == "not_started"


async def test_fcl_06_evidence_that_takes_longer_than_its_time_is_a_failure(
    desk: Desk, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVIDENCE_TIMEOUT_S", 0.05)
    gate = Gate()
    desk.salting = gate
    with pytest.raises(VaultError, match="durable"):
        await desk.evidence.note(ASKED, GRANTED)
    (line,) = logged
    assert (line["event"], line["call"], line["outcome"]) == ("evidence_failed", "ca" * 16, "granted")
    gate.open()


async def test_fcl_06_a_grant_that_nobody_waits_for_any_more_is_not_written_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVIDENCE_TIMEOUT_S", 0.05)
    gate = Gate()
    desk.salting = gate
    other = desk.vault.submit(Fact(Kind.DAEMON_STARTED, None, None, {}))
    await gate.reached.wait()
    with pytest.raises(VaultError):
        await desk.evidence.note(ASKED, GRANTED)
    gate.open()
    await asyncio.wrap_future(other)
    desk.salting = lambda: None
    desk.vault.note(Fact(Kind.DAEMON_STOPPED, None, None, {}))
    assert [kind for kind, _ in desk.noted()] == [Kind.DAEMON_STARTED, Kind.DAEMON_STOPPED]


async def test_fcl_06_a_grant_that_was_being_written_when_its_time_was_over_is_closed_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVIDENCE_TIMEOUT_S", 0.2)
    with locked(desk.folder / "vault" / "ledger.db"), pytest.raises(VaultError):
        await desk.evidence.note(ASKED, GRANTED)
    async with asyncio.timeout(5):
        while [kind for kind, _ in desk.noted()] != [Kind.DECISION, Kind.SUBJECT, Kind.NOT_STARTED]:
            await asyncio.sleep(0.01)


async def test_fcl_06_a_number_that_is_sealed_too_late_grants_nothing_and_goes_at_the_next_start(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVIDENCE_TIMEOUT_S", 0.05)
    gate = Gate()
    desk.drawing = gate
    with pytest.raises(VaultError):
        await desk.evidence.note(ASKED, GRANTED)
    gate.open()
    assert desk.noted() == []
    desk.vault.close()
    with opened(desk.folder) as vault:
        assert vault.keys.names(Slot.NUMBER) == []


@pytest.mark.parametrize("recipients", [(), ("age1nobody",)])
async def test_fcl_05_a_number_that_cannot_be_sealed_is_no_evidence_and_the_hint_says_what_to_mend(
    desk: Desk, logged: list[EventDict], recipients: tuple[str, ...]
) -> None:
    facts = call_facts(controller=replace(CONTROLLER, recipients=recipients))
    with pytest.raises(VaultError) as failed:
        await LedgerEvidence(desk.vault, facts).note(ASKED, GRANTED)
    assert "recipient" in failed.value.hint or "configuration" in failed.value.hint
    assert desk.noted() == []
    assert logged[0]["hint"] == failed.value.hint


async def test_fcl_05_a_ledger_that_takes_nothing_is_no_evidence(desk: Desk, logged: list[EventDict]) -> None:
    desk.vault.ledger.distrust("it was cut")
    with pytest.raises(VaultError):
        await desk.evidence.note(ASKED, GRANTED)
    with pytest.raises(VaultError):
        await desk.evidence.not_started("hangup")
    assert [line["event"] for line in logged] == ["evidence_failed"]
