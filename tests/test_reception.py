"""The front desk: which calls are asked, what an asked call is served with, and what is noted and told of it."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gdprcall import calls as calls_module
from gdprcall import recorder
from gdprcall.asterisk import ami_events as ami
from gdprcall.asterisk.ari import Ari
from gdprcall.asterisk.arrival import Arrival, question_seconds
from gdprcall.asterisk.spool import Spool, SpoolFile
from gdprcall.asterisk.stasis import Stasis
from gdprcall.calls import Calls
from gdprcall.holding import Holding
from gdprcall.intake import Intake
from gdprcall.policy.model import Basis, Direction, Line, Override, Policy
from gdprcall.prompts import catalogue, synthesis
from gdprcall.reception import House, Reception
from gdprcall.vault import subjects
from gdprcall.vault.ledger import Entry, Kind
from gdprcall.vault.rows import RecordingRow
from gdprcall.work import Work
from tests.exchange import Monitors
from tests.fakes.ari import FakeAri, serving
from tests.policies import LAWFUL
from tests.test_evidence import CONTROLLER
from tests.test_intake import Marks
from tests.vaults import ACME, NUMBER, decision, opened, recording_id, sealed, spooled

CHANNEL, AGENT = "17.1", "17.2"
KEY = b"k" * 32
LINE = Line("support", "acme", "quality", Basis.CONSENT, ("en", "de"), 30, timeout_ms=60_000, attempts=1)
POLICY = Policy({"acme": CONTROLLER}, {"support": LINE})


class Clicks:
    """A synthesiser of almost nothing, so that no test waits for a prompt."""

    name = "clicks"

    def speak(self, text: str, voice: str) -> synthesis.Speech:
        # Not the same for any two texts: a sound is named by its content.
        return synthesis.Speech({rate: hashlib.sha256(text.encode()).digest()[:8] for rate in synthesis.RATES})


class Desk:
    """A reception with a vault, a spool and an Asterisk that is played by the test."""

    def __init__(self, folder: Path, fake: FakeAri, ari: Ari, tasks: asyncio.TaskGroup) -> None:
        self.fake = fake
        self.unfit = ""
        self.unattended: list[str] = []
        self.watched: list[tuple[str, str]] = []
        self.vault = opened(folder)
        self.spool = Spool(folder / "spool")
        self.spool.folder.mkdir()
        self.sounds = folder / "sounds"
        catalogue.build(POLICY, self.sounds, folder / "prompts", Clicks())
        self.monitors = Monitors()
        self.calls = Calls(self.monitors, self.unattended.append, lambda _recording, _segment: None)
        live = lambda: self.calls.recordings  # noqa: E731 # one line of wiring
        work = Work(self.vault, self.spool.files, lambda _id: ACME.recipients, Marks(), live)
        self.intake = Intake(work)
        house = House(self.vault, self.intake, self.calls, tasks, self.spool.folder, lambda: self.unfit, self.watch)
        self.reception = Reception(house)
        prompts = catalogue.Catalogue(POLICY, self.sounds, folder / "prompts")
        self.reception.terms = Holding(POLICY, prompts, {"acme": KEY})
        self.stasis = Stasis(ari, tasks=tasks, claim=self.reception.claim, arrive=self.reception.arrive)

    def watch(self, uniqueid: str, line: Line) -> None:
        self.watched.append((uniqueid, line.id))

    def arrives(
        self, hop: str = "ask", line: str = "support", demand: str = "may", number: str = NUMBER, called: str = ""
    ) -> None:
        channel = {"id": CHANNEL, "name": "PJSIP/a-1", "caller": {"number": number}}
        args = ["v1", hop, line, demand, "en", *([called] if called else [])]
        self.stasis.handle({"type": "StasisStart", "args": args, "channel": channel})

    def tell(self, kind: str, **more: object) -> None:
        self.stasis.handle({"type": kind, "channel": {"id": CHANNEL}, **more})

    def press(self, digit: str) -> None:
        self.tell("ChannelDtmfReceived", digit=digit, duration_ms=0)

    async def asked(self, demand: str = "may", number: str = NUMBER) -> None:
        """Let a call arrive and wait until its prompt plays."""
        self.arrives(demand=demand, number=number)
        await until(lambda: bool(self._plays()))
        playback = {"id": self._plays()[-1], "target_uri": f"channel:{CHANNEL}"}
        self.stasis.handle({"type": "PlaybackStarted", "playback": playback})

    async def granted(self) -> str:
        """Let a call be asked, accepted and recorded; return its recording."""
        await self.asked()
        self.press("1")
        await until(lambda: bool(self.verdicts()))
        (verdict,) = self.verdicts()
        recording = verdict.removeprefix("rec")
        self.tell("StasisEnd")
        self.calls.handle(ami.RecordingStarted(recording, 1, "0x1", "PJSIP/a-1", CHANNEL))
        return recording

    def file(self, recording: str) -> SpoolFile:
        """Let Asterisk open the file of a recording."""
        file = SpoolFile(spooled(self.spool.folder, recording), recording, 1)
        self.intake.created(file)
        self.calls.file_seen(recording, 1)
        return file

    def hangs_up(self) -> None:
        self.tell("ChannelHangupRequest")
        self.calls.handle(ami.HungUp(CHANNEL))

    def _plays(self) -> list[str]:
        return [
            path.rsplit("/", 1)[-1] for method, path, _ in self.fake.requests if method == "POST" and "/play/" in path
        ]

    def verdicts(self) -> list[str]:
        queries = self.fake.asked("POST", f"/channels/{CHANNEL}/continue")
        return [query["extension"] for query in queries if query["context"] == "gdprcall-verdict"]

    def entries(self, kind: Kind) -> list[Entry]:
        return [entry for entry in self.vault.ledger.entries() if entry.kind is kind]

    async def noted(self, kind: Kind) -> Mapping[str, object]:
        """Wait for the one entry of a kind and return its body."""
        await until(lambda: bool(self.entries(kind)))
        (entry,) = self.entries(kind)
        return entry.body or {}

    def row(self, recording: str) -> RecordingRow:
        return self.vault.recording(recording)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.002)


async def _nothing() -> None:
    pass


@asynccontextmanager
async def open_desk(folder: Path) -> AsyncIterator[Desk]:
    async with serving() as fake:
        ari = Ari(fake.url, "u", "p", "gdprcall", on_event=lambda _e: None, on_up=_nothing)
        async with ari.requests(), asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            desk = Desk(folder, fake, ari, tasks)
            yield desk
            desk.hangs_up()
    assert desk.reception.asking == len(desk.calls) == 0
    assert not desk.reception._sessions
    assert not desk.reception.view._shown
    assert not desk.reception.view._on
    desk.vault.close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait as long as in earnest."""
    monkeypatch.setattr(recorder, "FILE_SECONDS", 0.05)
    monkeypatch.setattr(calls_module, "INSIST_SECONDS", 0.005)
    monkeypatch.setattr(calls_module, "MIXMONITOR_WAIT_S", 0.05)


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def events(logged: list[EventDict]) -> list[str]:
    return [str(line["event"]) for line in logged]


def finished(logged: list[EventDict]) -> EventDict:
    (line,) = [line for line in logged if line["event"] == "call_finished"]
    return line


# Which calls are asked.


async def test_a_call_is_claimed_for_as_long_as_one_question_to_it_may_last(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        prompt = next(iter(desk.reception.terms.catalogue._prompts.values())) if desk.reception.terms else None
        assert prompt is not None
        seconds = desk.reception.claim(Arrival(CHANNEL, "PJSIP/a-1", "support", "may", "en", NUMBER))
        assert seconds == question_seconds(prompt.total_ms, LINE.timeout_ms)


@pytest.mark.parametrize("draining", [False, True])
async def test_fcl_01_each_call_of_a_line_is_watched_whether_it_is_asked_or_given_back(
    tmp_path: Path, draining: bool
) -> None:
    async with open_desk(tmp_path) as desk:
        desk.reception.draining = draining
        for line in ("support", "nowhere"):
            desk.reception.claim(Arrival(CHANNEL, "PJSIP/a-1", line, "may", "en", NUMBER))
        assert desk.watched == [(CHANNEL, "support")]


@pytest.mark.parametrize(
    ("line", "draining", "terms", "reason"),
    [
        ("nowhere", False, True, "unknown_line"),
        ("support", True, True, "stopping"),
        ("support", False, False, "configuration"),
    ],
)
@pytest.mark.parametrize("demand", ["may", "must"])
async def test_fcl_07_a_call_that_cannot_be_asked_is_given_back_at_once(
    tmp_path: Path, logged: list[EventDict], line: str, draining: bool, terms: bool, reason: str, demand: str
) -> None:
    async with open_desk(tmp_path) as desk:
        desk.reception.draining = draining
        if not terms:
            desk.reception.terms = None
        desk.arrives("claim", line, demand)
        await until(lambda: bool(desk.verdicts()))
        # What that means on a must line, the dialplan knows.
        assert desk.verdicts() == ["norec"]
        (said,) = [entry for entry in logged if entry["event"] == "call_unasked"]
        assert (said["line"], said["reason"], said["uniqueid"]) == (line, reason, CHANNEL)
        assert list(desk.vault.ledger.entries()) == []


async def test_pty_08_a_line_for_callers_asks_nobody_who_is_called(tmp_path: Path, logged: list[EventDict]) -> None:
    async with open_desk(tmp_path) as desk:
        desk.arrives("claim", called=f"out{NUMBER}")
        await until(lambda: bool(desk.verdicts()))
        assert desk.verdicts() == ["norec"]
        (said,) = [entry for entry in logged if entry["event"] == "call_unasked"]
        assert (said["line"], said["reason"]) == ("support", "direction")


async def test_pty_08_a_line_for_those_who_are_called_asks_no_caller_and_takes_their_number(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        out = replace(LINE, direction=Direction.OUTBOUND, source="our form", agent_asks=True)
        lines = Policy({"acme": CONTROLLER}, {"support": out})
        catalogue.build(lines, desk.sounds, tmp_path / "prompts", Clicks())
        prompts = catalogue.Catalogue(lines, desk.sounds, tmp_path / "prompts")
        desk.reception.terms = Holding(lines, prompts, {"acme": KEY})
        desk.arrives("claim")
        await until(lambda: bool(desk.verdicts()))
        assert [entry["reason"] for entry in logged if entry["event"] == "call_unasked"] == ["direction"]
        # The agent asks: nothing is played, and his word comes first.
        desk.arrives(number="90701760001", called=f"out{NUMBER}")
        await until(lambda: "hold" in desk.verdicts())
        desk.tell("StasisEnd")
        desk.calls.handle(ami.AgentSaid(CHANNEL, "yes"))
        desk.calls.handle(ami.AgentSaid(CHANNEL, "agreed"))
        await until(lambda: bool(desk.monitors.let))
        assert desk._plays() == []
        subject = (await desk.noted(Kind.SUBJECT))["subject"]
        assert subject == subjects.pseudonym(KEY, NUMBER)
        assert (await desk.noted(Kind.DECISION))["reason"] == "read"


@pytest.mark.parametrize("what", ["draining", "terms"])
async def test_fcl_07_a_claimed_call_whose_terms_went_meanwhile_is_given_back(tmp_path: Path, what: str) -> None:
    async with open_desk(tmp_path) as desk:
        desk.arrives("claim")
        desk.reception.draining = what == "draining"
        desk.reception.terms = None if what == "terms" else desk.reception.terms
        desk.arrives("ask")
        await until(lambda: bool(desk.verdicts()))
        assert desk.verdicts() == ["norec"]
        assert desk._plays() == []


@pytest.mark.parametrize(("demand", "verdict"), [("may", "norec"), ("must", "route")])
@pytest.mark.parametrize("why", ["ami_down", "spool_waiting"])
async def test_fcl_05_an_unfit_house_asks_nobody(
    tmp_path: Path, logged: list[EventDict], demand: str, verdict: str, why: str
) -> None:
    async with open_desk(tmp_path) as desk:
        desk.unfit = why
        desk.arrives(demand=demand)
        decided = await desk.noted(Kind.DECISION)
        assert (decided["outcome"], decided["reason"]) == ("system_fail", why)
        assert desk.verdicts() == [verdict]
        assert desk._plays() == []
    assert finished(logged)["reason"] == why


def with_free(monkeypatch: pytest.MonkeyPatch, free: dict[Path, int]) -> None:
    """Let the kernel say of these folders that so much is free."""
    usage = shutil.disk_usage
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: usage(path)._replace(**({"free": free[path]} if path in free else {}))
    )


@pytest.mark.parametrize("where", ["spool", "vault"])
async def test_fcl_05_without_the_reserve_in_spool_or_vault_nothing_new_is_recorded_and_nothing_old_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    async with open_desk(tmp_path) as desk:
        old = sealed(desk.vault, tmp_path / "others", 7)
        free = {desk.spool.folder: 64 << 20, desk.vault.folder: 64 << 20}
        with_free(monkeypatch, free)
        assert desk.reception.short_of_space() == ""
        free[desk.spool.folder if where == "spool" else desk.vault.folder] -= 1
        assert desk.reception.short_of_space() == "no_space"
        desk.arrives()
        await until(lambda: "no_space" in {row.reason for row in desk.vault.decisions()})
        assert desk.verdicts() == ["norec"]
        assert desk._plays() == []
        assert desk.vault.recording(old).state == "sealed"
        assert desk.vault.objects.segments(old) == [1]


async def test_fcl_05_a_recording_that_runs_is_sealed_though_the_reserve_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_desk(tmp_path) as desk:
        with_free(monkeypatch, {desk.spool.folder: 0, desk.vault.folder: 0})
        assert desk.reception.short_of_space() == "no_space"
        running = recording_id(8)
        desk.vault.note(decision(running))
        await desk.intake.take(SpoolFile(spooled(desk.spool.folder, running), running, 1))
        assert desk.vault.recording(running).state == "sealed"


async def test_how_much_is_kept_free_is_for_the_configuration_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_desk(tmp_path) as desk:
        with_free(monkeypatch, {desk.spool.folder: 100 << 20, desk.vault.folder: 100 << 20})
        assert desk.reception.short_of_space() == ""
        desk.reception._house = replace(desk.reception._house, reserve_bytes=(100 << 20) + 1)
        assert desk.reception.short_of_space() == "no_space"


async def test_fcl_05_without_a_spool_nothing_is_recorded(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.spool.folder.rmdir()
        desk.arrives()
        assert (await desk.noted(Kind.DECISION))["reason"] == "no_spool"
        assert desk.verdicts() == ["norec"]


async def test_inf_05_without_its_prompt_a_line_records_nobody(tmp_path: Path, logged: list[EventDict]) -> None:
    async with open_desk(tmp_path) as desk:
        shutil.rmtree(desk.sounds)
        desk.arrives()
        decided = await desk.noted(Kind.DECISION)
        assert (decided["outcome"], decided["prompt_sha256"]) == ("prompt_error", "")
        assert desk.verdicts() == ["norec"]
        assert desk._plays() == []
    (said,) = [line for line in logged if line["event"] == "prompt_unfit"]
    assert (said["line"], said["language"]) == ("support", "en")


# What an asked call leads to.


async def test_a_granted_call_is_recorded_and_its_file_noted(tmp_path: Path, logged: list[EventDict]) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.asked()
        assert desk.reception.asking == len(desk.calls) == 1
        desk.press("1")
        await until(lambda: bool(desk.verdicts()))
        recording = desk.verdicts()[0].removeprefix("rec")
        file = desk.file(recording)
        decided = await desk.noted(Kind.DECISION)
        assert decided["outcome"] == "granted"
        assert (await desk.noted(Kind.SUBJECT))["subject"] == subjects.pseudonym(KEY, NUMBER)
        assert (await desk.noted(Kind.STARTED))["segment"] == 1
        assert desk.reception.asking == 0
        desk.hangs_up()
        await desk.intake.take(file)
        assert desk.row(recording).state == "sealed"
    told = finished(logged)
    assert (told["recording"], told["outcome"], told["line"]) == (recording, "granted", "support")
    assert NUMBER not in str(logged)


async def test_sec_03_a_caller_without_a_number_has_no_subject(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.asked(number="anonymous")
        desk.press("1")
        await desk.noted(Kind.DECISION)
        assert Kind.SUBJECT not in {entry.kind for entry in desk.vault.ledger.entries()}


async def test_a_refused_call_is_served_unrecorded(tmp_path: Path, logged: list[EventDict]) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.asked()
        desk.press("2")
        decided = await desk.noted(Kind.DECISION)
        assert decided["outcome"] == "refused"
        assert Kind.SUBJECT not in {entry.kind for entry in desk.vault.ledger.entries()}
        assert desk.verdicts() == ["norec"]
    assert finished(logged)["recording"] is None


async def test_bas_03_who_said_no_is_not_asked_for_the_same_purpose_on_another_basis_while_his_call_goes_on(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        interest = replace(LAWFUL[Basis.LEGITIMATE_INTEREST], id="interest", controller="acme", purpose=LINE.purpose)
        other = replace(interest, id="other", purpose="documentation")
        again = replace(LINE, id="again")
        lines = Policy({"acme": CONTROLLER}, {line.id: line for line in (LINE, interest, other, again)})
        catalogue.build(lines, desk.sounds, tmp_path / "prompts", Clicks())
        prompts = catalogue.Catalogue(lines, desk.sounds, tmp_path / "prompts")
        desk.reception.terms = Holding(lines, prompts, {"acme": KEY})
        await desk.asked()
        desk.press("2")
        await until(lambda: "call_finished" in [entry["event"] for entry in logged])

        def claimed(line: str) -> bool:
            return desk.reception.claim(Arrival(CHANNEL, "PJSIP/a-1", line, "may", "en", NUMBER)) is not None

        # Another purpose is another question, and who is asked for the same again may change his mind.
        assert {line: claimed(line) for line in lines.lines} == {
            "support": True,
            "interest": False,
            "other": True,
            "again": True,
        }
        assert [entry["reason"] for entry in logged if entry["event"] == "call_unasked"] == ["refused_before"]
        desk.calls.handle(ami.HungUp(CHANNEL))
        assert claimed("interest"), "that was another call"


async def test_a_refused_call_on_a_must_line_is_routed_and_the_contradiction_told(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.asked(demand="must")
        desk.press("2")
        await until(lambda: bool(desk.verdicts()))
        assert desk.verdicts() == ["route"]
    assert "must_on_consent" in events(logged)


async def test_a_granted_recording_that_shows_no_file_is_stopped_and_noted(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        recording = await desk.granted()
        assert (await desk.noted(Kind.NOT_STARTED))["reason"] == "no_file"
        assert desk.monitors.stopped == [(CHANNEL, "0x1")]
        assert desk.row(recording).state == "not_started"
    assert "recording_missing" in events(logged)


async def test_pty_04_a_party_that_nobody_asked_ends_the_recording_and_is_noted(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        recording = await desk.granted()
        desk.file(recording)
        for uniqueid in (CHANNEL, AGENT, "17.3"):
            desk.calls.handle(ami.BridgeEntered(uniqueid, "b"))
        assert (await desk.noted(Kind.STOPPED))["reason"] == "party_joined"
        assert desk.monitors.stopped == [(CHANNEL, "0x1")]
    assert "recording_stopped" in events(logged)


async def test_pty_04_a_recording_that_cannot_be_ended_is_ended_as_soon_as_it_can(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        recording = await desk.granted()
        desk.file(recording)
        desk.monitors.fails = True
        desk.calls.handle(ami.PartyChanged(CHANNEL, "conference"))
        await until(lambda: "stop_failed" in events(logged))
        desk.monitors.fails = False
        assert (await desk.noted(Kind.STOPPED))["reason"] == "conference"
        assert desk.monitors.stopped == [(CHANNEL, "0x1")]
    assert events(logged).count("stop_failed") == events(logged).count("recording_stopped") == 1


async def test_con_08_a_withdrawal_in_the_call_stops_and_destroys(tmp_path: Path, logged: list[EventDict]) -> None:
    async with open_desk(tmp_path) as desk:
        recording = await desk.granted()
        desk.file(recording)
        desk.calls.handle(ami.Withdrawn(recording))
        await until(lambda: bool(desk.entries(Kind.ERASED)))
        assert desk.monitors.stopped == [(CHANNEL, "0x1")]
        assert desk.spool.files() == []
        assert desk.row(recording).withdrawn
        assert desk.vault.sealed_number(recording) is None
    assert finished(logged)["outcome"] == "withdrawn"
    assert desk.unattended == []


async def test_con_08_a_withdrawal_is_carried_out_though_the_recording_cannot_be_stopped(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        recording = await desk.granted()
        desk.file(recording)
        desk.monitors.fails = True
        desk.calls.handle(ami.Withdrawn(recording))
        await until(lambda: bool(desk.entries(Kind.ERASED)))
        assert desk.spool.files() == []
    assert "stop_failed" in events(logged)


async def test_con_08_a_withdrawal_that_cannot_be_carried_out_is_told(tmp_path: Path, logged: list[EventDict]) -> None:
    async with open_desk(tmp_path) as desk:
        recording = await desk.granted()
        desk.file(recording)
        await desk.noted(Kind.STARTED)
        shutil.rmtree(desk.spool.folder)
        desk.calls.handle(ami.Withdrawn(recording))
        await until(lambda: "withdrawal_failed" in events(logged))
        assert desk.row(recording).withdrawn
    (said,) = [line for line in logged if line["event"] == "withdrawal_failed"]
    assert said["hint"]


async def test_fcl_06_a_grant_that_does_not_become_durable_records_nothing(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.asked()
        desk.vault.ledger.distrust("it was cut")
        desk.press("1")
        await until(lambda: bool(desk.verdicts()))
        assert desk.verdicts() == ["norec"]
        await until(lambda: "call_finished" in events(logged))
        assert len(desk.calls) == 0
    assert "evidence_failed" in events(logged)


async def test_fcl_01_a_verdict_that_asterisk_does_not_take_lets_the_call_go_on(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.asked()

        def refuse(path: str, query: Mapping[str, str]) -> None:
            status = 500 if query.get("extension", "").startswith("rec") else 204
            desk.fake.answers[f"POST {path.removeprefix('/ari')}"] = (status, None)

        desk.fake.on_request = refuse
        desk.press("1")
        await until(lambda: "norec" in desk.verdicts())
        assert (await desk.noted(Kind.NOT_STARTED))["reason"] == "no_file"
        await until(lambda: "stop_failed" in events(logged))
    assert finished(logged)["reason"].startswith("stop_failed")


async def test_a_hangup_in_the_prompt_is_noted_as_that(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.asked()
        desk.hangs_up()
        assert (await desk.noted(Kind.DECISION))["outcome"] == "hangup_in_prompt"
        assert desk.verdicts() == []


async def test_a_fault_of_our_own_in_one_call_gives_it_back_and_leaves_the_others_alone(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        assert desk.reception.terms is not None
        whole = desk.reception.terms
        desk.reception.terms = replace(whole, pseudonym_keys={})
        desk.arrives()
        await until(lambda: bool(desk.verdicts()))
        assert desk.verdicts() == ["norec"]
        assert "internal_error" in events(logged)
        desk.tell("StasisEnd")
        desk.reception.terms = whole
        desk.fake.requests.clear()
        await desk.asked()
        desk.press("2")
        assert (await desk.noted(Kind.DECISION))["outcome"] == "refused"


ADVICE = Override("opinion 7", "0" * 64, ("DE", "SE", "GB"))
INTEREST = replace(
    LINE, basis=Basis.LEGITIMATE_INTEREST, interest="to settle complaints", purpose="documentation", override=ADVICE
)
DUTY = replace(
    LINE, basis=Basis.LEGAL_OBLIGATION, law="an act", member_state="EU", purpose="regulated_service", must=True
)
RESCUE = replace(LINE, basis=Basis.VITAL_INTEREST, purpose="emergency", emergency=True)


def on(desk: Desk, line: Line, folder: Path, *, built: bool = True) -> None:
    """Let the desk hold another line, with its prompts or without."""
    policy = Policy({"acme": CONTROLLER}, {"support": line})
    if built:
        catalogue.build(policy, desk.sounds, folder / "prompts", Clicks())
    prompts = catalogue.Catalogue(policy, desk.sounds, folder / "prompts")
    desk.reception.terms = Holding(policy, prompts, {"acme": KEY})


async def test_rgt_14_the_objection_key_of_the_line_records_nothing(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, INTEREST, tmp_path)
        await desk.asked()
        desk.press("9")
        assert (await desk.noted(Kind.DECISION))["outcome"] == "objected"
        assert desk.verdicts() == ["norec"]


async def test_inf_03_a_duty_without_a_prompt_is_routed(tmp_path: Path, logged: list[EventDict]) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, DUTY, tmp_path, built=False)
        desk.arrives(demand="must")
        assert (await desk.noted(Kind.DECISION))["outcome"] == "prompt_error"
        assert desk.verdicts() == ["route"]
        assert "prompt_unfit" in {line["event"] for line in logged}


async def test_bas_05_a_duty_that_the_dialplan_calls_may_is_told_of_and_never_served_unrecorded(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, DUTY, tmp_path)
        await desk.asked()
        desk.press("2")
        assert (await desk.noted(Kind.DECISION))["outcome"] == "routed"
        assert desk.verdicts() == ["route"]
        assert "may_on_obligation" in {line["event"] for line in logged}


@pytest.mark.parametrize(("deferred", "reason"), [(True, "notice_deferred"), (False, "notice_failed")])
async def test_bas_06_an_emergency_without_a_prompt_is_recorded(tmp_path: Path, deferred: bool, reason: str) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, replace(RESCUE, notice_deferred=deferred), tmp_path, built=False)
        desk.arrives()
        body = await desk.noted(Kind.DECISION)
        assert (body["outcome"], body["reason"]) == ("informed", reason)
        await until(lambda: bool(desk.verdicts()))
        assert [verdict[:-32] for verdict in desk.verdicts()] == ["reck"]


@pytest.mark.parametrize("legs", [False, True])
async def test_the_policy_says_whether_the_voices_are_recorded_apart(tmp_path: Path, legs: bool) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, replace(LINE, legs=legs), tmp_path)
        await desk.asked()
        desk.press("1")
        await until(lambda: bool(desk.verdicts()))
        assert [verdict[:-32] for verdict in desk.verdicts()] == ["recl" if legs else "rec"]


async def test_what_no_key_ends_may_be_recorded_by_voices_too(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, replace(RESCUE, legs=True), tmp_path, built=False)
        desk.arrives()
        await until(lambda: bool(desk.verdicts()))
        assert [verdict[:-32] for verdict in desk.verdicts()] == ["reckl"]


async def test_bas_10_who_is_not_drawn_is_given_back_unasked_and_leaves_no_decision(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, replace(LINE, sample_rate=1e-12), tmp_path)
        desk.arrives()
        await until(lambda: bool(desk.verdicts()))
        assert desk.verdicts() == ["norec"]
        await until(lambda: any(line["event"] == "call_finished" for line in logged))
        assert next(line for line in logged if line["event"] == "call_finished")["outcome"] == "not_drawn"
        assert desk.entries(Kind.DECISION) == []


async def test_bas_09_who_calls_from_where_rules_are_stricter_is_asked_for_consent_and_the_evidence_says_so(
    tmp_path: Path,
) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, INTEREST, tmp_path)
        await desk.asked(number="+33612345678")
        desk.press("1")
        body = await desk.noted(Kind.DECISION)
        assert (body["outcome"], body["basis"], body["stricter"]) == ("granted", "consent", ["BAS-09"])
        consent = next(p for p in desk.reception.terms.catalogue._prompts.values() if p.sha256 == body["prompt_sha256"])  # type: ignore[union-attr]
        assert consent.kind == "consent"


async def test_bas_09_a_caller_without_a_number_is_asked_for_consent(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, INTEREST, tmp_path)
        await desk.asked(number="")
        desk.press("2")
        body = await desk.noted(Kind.DECISION)
        assert (body["outcome"], body["basis"]) == ("refused", "consent")
