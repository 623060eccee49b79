"""Who answers a recorded call: he is noted, or nothing of it is kept; private calls are noted; lamps are put out."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gdprcall import agents, config
from gdprcall.asterisk import ami_events as ami
from gdprcall.asterisk import lamps
from gdprcall.consent.dialogue import AgentUnready, Event
from gdprcall.doctor import agents as doctor
from gdprcall.doctor.finding import OK, WARN, Grade
from gdprcall.errors import PeerError, VaultError
from gdprcall.intake import Intake
from gdprcall.policy.agents import standing
from gdprcall.policy.model import Basis, Line, Policy
from gdprcall.policy.staff import Agent, AgentBasis, Agents
from gdprcall.prompts import catalogue
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from tests.test_cli_exits import Shell, shell
from tests.test_evidence import CONTROLLER
from tests.test_intake import Room
from tests.test_reception import AGENT, CHANNEL, DUTY, LINE, Clicks, Desk, hurry, open_desk, until
from tests.vaults import ACME, decision, opened, recording_id

__all__ = ["hurry", "shell"]

REC = recording_id(1)
READY = Agent("north", ("PJSIP/201",), AgentBasis.WORKS_AGREEMENT, "2", "2020-01-31")
NEW = Agent("south", ("PJSIP/202",), AgentBasis.WORKS_AGREEMENT, "", "")
EACH = Agents(each=True)
NAMED = replace(LINE, agents=EACH)
NOTED = {"agent": "north", "basis": "works_agreement", "notice": "2", "acknowledged_on": "2020-01-31", "lacks": ""}


def known(line: Line = NAMED) -> Policy:
    return Policy({"acme": CONTROLLER}, {"support": line}, agents={agent.id: agent for agent in (READY, NEW)})


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def on(desk: Desk, line: Line, folder: Path) -> None:
    """Let the desk hold a line whose agents each stand for themselves."""
    catalogue.build(known(line), desk.sounds, folder / "prompts", Clicks())
    assert desk.reception.terms is not None
    prompts = catalogue.Catalogue(known(line), desk.sounds, folder / "prompts")
    desk.reception.terms = replace(desk.reception.terms, policy=known(line), catalogue=prompts)


def answers(desk: Desk, channel: str) -> None:
    """Let a telephone meet the caller."""
    desk.calls.handle(ami.BridgeEntered(CHANNEL, "b", "PJSIP/trunk-00000001"))
    desk.calls.handle(ami.BridgeEntered(AGENT, "b", channel))


async def test_pty_01_an_agent_who_has_acknowledged_is_noted_and_recorded(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, NAMED, tmp_path)
        recording = await desk.granted()
        desk.file(recording)
        answers(desk, "PJSIP/201-00000002")
        assert await desk.noted(Kind.AGENT) == NOTED
        assert desk.monitors.stopped == []
        assert agents.noted(desk.vault, recording)


async def test_pty_01_where_the_line_says_so_the_one_who_answers_hears_that_he_is_recorded(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, replace(NAMED, agents=replace(EACH, tone=True)), tmp_path)
        await desk.granted()
        answers(desk, "PJSIP/201-00000001")
        await until(lambda: desk.monitors.sounds)
        assert desk.monitors.sounds == [(CHANNEL, "INUSE")]
        desk.calls.handle(ami.HungUp(CHANNEL))


@pytest.mark.parametrize(
    ("channel", "reason"), [("PJSIP/202-00000002", "agent_unacknowledged"), ("PJSIP/203-00000002", "agent_unknown")]
)
async def test_pty_01_an_agent_who_has_not_is_not_recorded_and_what_there_is_is_destroyed(
    tmp_path: Path, logged: list[EventDict], channel: str, reason: str
) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, NAMED, tmp_path)
        recording = await desk.granted()
        file = desk.file(recording)
        answers(desk, channel)
        await until(lambda: desk.row(recording).state == "erased")
        assert not file.path.exists()
        assert desk.monitors.stopped == [(CHANNEL, "0x1")]
        assert desk.monitors.lamps == [(CHANNEL, "0x1", "NOT_INUSE")]
        assert (await desk.noted(Kind.WITHDRAWN)) == {"method": reason, "reason": "unacknowledged"}
        assert desk.entries(Kind.AGENT) == []
        (line,) = [line for line in logged if line["event"] == "agent_unready"]
        assert (line["reason"], line["line"], line["uniqueid"]) == (reason, "support", CHANNEL)
        assert not any("PJSIP" in str(value) for line in logged for value in line.values())


async def test_pty_01_what_a_law_requires_is_recorded_whoever_answers_and_that_is_told_and_noted(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        on(desk, replace(DUTY, agents=EACH), tmp_path)
        await desk.asked(demand="must")
        for kind in ("PlaybackFinished",):
            desk.stasis.handle(
                {
                    "type": kind,
                    "playback": {"id": desk._plays()[-1], "state": "done", "target_uri": f"channel:{CHANNEL}"},
                }
            )
        desk.press("1")
        await until(lambda: bool(desk.verdicts()))
        recording = desk.verdicts()[0].removeprefix("reck")
        desk.calls.handle(ami.RecordingStarted(recording, 1, "0x1", "PJSIP/a-1", CHANNEL))
        desk.file(recording)
        answers(desk, "PJSIP/202-00000002")
        body = await desk.noted(Kind.AGENT)
        assert (body["agent"], body["lacks"]) == ("south", "agent_unacknowledged")
        assert desk.monitors.stopped == []
        assert [line["reason"] for line in logged if line["event"] == "agent_unready"] == ["agent_unacknowledged"]


async def test_pty_01_where_all_agents_acknowledged_together_nobody_is_looked_at(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        recording = await desk.granted()
        desk.file(recording)
        answers(desk, "PJSIP/203-00000002")
        await asyncio.sleep(0.05)
        assert desk.entries(Kind.AGENT) == []
        assert desk.monitors.stopped == []


async def test_pty_02_a_private_call_that_was_not_asked_is_noted_without_anybody_in_it(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.reception.private("support", CHANNEL, must=False)
        body = await desk.noted(Kind.DECISION)
        assert (body["outcome"], body["reason"], body["front"]) == ("private", "prefix", "dialplan")
        assert (body["heard_ms"], body["prompt_sha256"], body["keep_days"]) == (0, "", CONTROLLER.refusal_days)
        await desk.reception.private("support", CHANNEL, must=True)
        await desk.reception.private("nowhere", CHANNEL, must=False)
        assert len(desk.entries(Kind.DECISION)) == 1
        assert [line["demand"] for line in logged if line["event"] == "private_call"] == ["may", "must", "may"]


def test_pty_02_the_prefix_and_the_key_come_by_userevents() -> None:
    said = {"Event": "UserEvent", "UserEvent": "GdprCall", "Uniqueid": CHANNEL}
    prefix = ami.parse(said | {"Kind": "private", "Line": "support", "Demand": "must"})
    assert prefix == ami.PrivateCalled(CHANNEL, "support", must=True)
    assert ami.parse(said | {"Kind": "agent", "Word": "private"}) == ami.AgentSaid(CHANNEL, "private")


class Failing:
    """A vault whose ledger takes nothing."""

    def submit(self, *_facts: object) -> object:
        raise VaultError("the disk is full")


async def test_pty_01_an_agent_whose_note_does_not_become_durable_counts_as_unknown(logged: list[EventDict]) -> None:
    told: list[Event] = []
    attendance = agents.Attendance(Failing(), NAMED)  # type: ignore[arg-type] # of a vault it needs this alone
    found = standing(known(), NAMED, "PJSIP/201-00000002", "2026-01-01")
    await attendance.met(found, told.append)
    assert told == []  # what is not recorded leaves no note of an agent
    # Each contract of a call is a recording of its own.
    for recording in (recording_id(2), REC):
        assert [(fact.recording, fact.body) for fact in attendance.grant(recording)] == [(recording, NOTED)]
    await attendance.met(found, told.append)
    assert told == [AgentUnready("agent_not_noted")]
    assert [line["event"] for line in logged] == ["evidence_failed"]


def test_pty_07_the_recordings_of_one_agent_are_found_by_his_name(shell: Shell) -> None:
    other = recording_id(2)
    with opened(shell.folder) as vault:
        vault.note(decision(other))
        for recording, name in ((REC, "north"), (other, "south")):
            vault.note(Fact(Kind.AGENT, recording, "acme", NOTED | {"agent": name}))
    rows = json.loads(shell("recordings", "list", "--agent", "south", "--json")[1])
    assert [row["id"] for row in rows] == [other]
    assert json.loads(shell("recordings", "list", "--agent", "nobody", "--json")[1]) == []


def test_an_agents_name_is_forgotten_with_the_recording(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        granted(vault)
        vault.note(agents.fact(REC, "acme", standing(known(), NAMED, "PJSIP/201-1234abcd", "2026-01-01")))
        vault.erase(REC, reason="request", actor="officer")
        (entry,) = vault.ledger.entries(recording=REC, kinds={Kind.AGENT})
        assert entry.body is None


def granted(vault: Vault) -> None:
    vault.note(decision(REC))


@pytest.mark.parametrize(
    ("line", "basis", "wanted"),
    [
        (NAMED, Basis.CONSENT, True),
        (LINE, Basis.CONSENT, False),
        (replace(DUTY, agents=EACH), Basis.LEGAL_OBLIGATION, False),
        (replace(DUTY, agents=EACH), Basis.CONSENT, True),
    ],
)
def test_pty_01_a_note_of_the_agent_is_wanted_where_each_stands_for_himself_and_nothing_must_be_recorded(
    line: Line, basis: Basis, wanted: bool
) -> None:
    assert agents.wants_agent(known(line), "support", basis) is wanted
    assert not agents.wants_agent(known(line), "elsewhere", basis)
    assert not agents.wants_agent(None, "support", basis)


# Lamps.


class Manager:
    """Asterisk as far as lamps are asked for and set over AMI."""

    def __init__(self, peers: Mapping[str, str], states: Mapping[str, str] | None = None) -> None:
        self.peers = peers
        self.states = dict(states or {})
        self.over = ""

    async def __call__(self, action: str, **values: str) -> list[Mapping[str, Any]]:
        name = values.get("Variable", "")
        if action == "Getvar":
            return [{"Value": self.peers.get(values["Channel"], "")}]
        if action == "DeviceStateList":
            return [{}, *({"Device": device, "State": state} for device, state in self.states.items())]
        if name == "GDPRCALL_OVER":
            self.over = values["Value"]
        else:
            self.states[name.removeprefix("DEVICE_STATE(").removesuffix(")")] = values["Value"]
        return [{}]


@pytest.mark.parametrize(
    "peers",
    [
        {CHANNEL: "PJSIP/201-0000001f"},
        {CHANNEL: "Local/9@floor-0000001f;1", "Local/9@floor-0000001f;2": "PJSIP/201-00000020"},
        {CHANNEL: "PJSIP/201-0000001f,Local/9@third-0000001f;2"},
    ],
)
async def test_the_lamp_of_who_talks_with_the_caller_is_put_out_also_behind_a_local_channel(
    peers: Mapping[str, str],
) -> None:
    asterisk = Manager(peers, {"Custom:gdprcall-201": "INUSE", "Custom:gdprcall-202": "INUSE"})
    await lamps.over(asterisk, CHANNEL, "0x1")
    assert asterisk.states == {"Custom:gdprcall-201": "NOT_INUSE", "Custom:gdprcall-202": "INUSE"}
    assert asterisk.over == "0x1"


async def test_lamps_that_no_channel_keeps_lit_are_put_out_and_the_sites_own_are_left() -> None:
    own = {"Custom:nightmode": "INUSE", "PJSIP/201": "INUSE"}
    lit = {"Custom:gdprcall-201": "INUSE", "Custom:gdprcall-a-b": "ONHOLD", "Custom:gdprcall-203": "INUSE"}
    asterisk = Manager({}, own | lit)

    async def channels() -> list[str]:
        return ["PJSIP/203-0000001f", "Local/201@floor-0000001f;2"]

    await lamps.put_out_orphans(asterisk, channels)
    dark = {"Custom:gdprcall-201": "NOT_INUSE", "Custom:gdprcall-a-b": "NOT_INUSE", "Custom:gdprcall-203": "INUSE"}
    assert asterisk.states == own | dark


async def test_while_no_lamp_is_lit_nobody_is_asked_for_channels() -> None:
    async def channels() -> list[str]:
        raise PeerError("asked for nothing")

    await lamps.put_out_orphans(Manager({}, {"Custom:gdprcall-201": "NOT_INUSE"}), channels)


# What intake and the doctor say.


@pytest.mark.parametrize("live", [False, True])
async def test_pty_01_a_finished_file_without_a_note_of_its_agent_is_destroyed(
    tmp_path: Path, logged: list[EventDict], live: bool
) -> None:
    room = Room(tmp_path)
    intake = Intake(replace(room.intake._work, unattended=lambda row: not agents.noted(room.vault, row.id)))
    room.grant()
    room.live = {REC} if live else set()
    file = room.file()
    await intake.take(file)
    assert not file.path.exists()
    assert room.state() == "erased"
    assert room.reasons(Kind.WITHDRAWN) == ["unacknowledged"]
    assert room.vault.recording(REC).outcome == "unacknowledged"
    # While the call goes on, whoever looked at the agent has told already.
    told = [line["reason"] for line in logged if line["event"] == "agent_unready"]
    assert told == ([] if live else ["agent_not_seen"])
    room.vault.close()


async def test_pty_01_a_finished_file_with_a_note_of_its_agent_is_sealed_and_an_empty_one_is_none(
    tmp_path: Path,
) -> None:
    room = Room(tmp_path)
    intake = Intake(replace(room.intake._work, unattended=lambda row: not agents.noted(room.vault, row.id)))
    room.grant()
    await intake.take(room.file(segment=2, data=b"RIFF"))
    assert room.state() == "not_started"
    room.vault.note(agents.fact(REC, "acme", standing(known(), NAMED, "PJSIP/201-1234abcd", "2026-01-01")))
    await intake.take(room.file())
    assert room.state() == "sealed"
    room.vault.close()


@pytest.mark.parametrize(
    ("each", "south", "grade", "says"),
    [
        ("true", 'notice = "2"\nacknowledged_on = 2020-01-31', OK, "all 2 have acknowledged"),
        ("true", 'notice = "2"', WARN, "not recorded: south"),
        ("true", 'notice = "1"\nacknowledged_on = 2020-01-31', WARN, "not recorded: south"),
        ("true", None, WARN, "nothing is recorded on: support"),
        ("false", 'notice = "2"', None, ""),
    ],
)
def test_pty_01_the_doctor_says_which_agents_have_acknowledged_nothing(
    tmp_path: Path, each: str, south: str | None, grade: Grade | None, says: str
) -> None:
    path = tmp_path / "gdprcall.toml"
    whole = 'basis = "works_agreement"\nnotice = "2"\nacknowledged_on = 2020-01-31\n'
    block = (
        f'{{ notice = "2", each = {each} }}'
        if each == "true"
        else '{ basis = "works_agreement", notice = "2", acknowledged_on = 2020-01-31 }'
    )
    text = TOML.replace("AGENTS", block)
    if south is not None:
        text += f'[agents.north]\ninterfaces = ["PJSIP/201"]\n{whole}'
        text += f'[agents.south]\ninterfaces = ["PJSIP/202"]\nbasis = "works_agreement"\n{south}\n'
    path.write_text(text)
    found = list(doctor.examine(config.load(path)))
    assert [one.grade for one in found] == ([] if grade is None else [grade])
    assert all(says in one.text for one in found)


TOML = """
[controllers.acme]
name = "Acme"
contact = "privacy@acme.example"
country = "SE"
notice_url = "acme.example"
recipients = ["RECIPIENT"]
[lines.support]
controller = "acme"
purpose = "quality"
basis = "consent"
languages = ["en"]
more = ""
agents = AGENTS
""".replace("RECIPIENT", ACME.recipients[0])
