"""The guard: whose recorder is told on which call, which one is ended, and that none of ours ever is."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gdprcall import guard as module
from gdprcall.asterisk import ami_events as ami
from gdprcall.asterisk.ami_status import LiveChannel
from gdprcall.errors import PeerError
from gdprcall.guard import Guard
from gdprcall.policy.model import Basis, ForeignRecorder, Line
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Fact, Kind
from tests.vaults import opened

CALLER, AGENT, OTHER, SPY = "1.1", "1.2", "1.3", "1.9"
LINE = Line("support", "acme", "quality", Basis.CONSENT, ("en",), 30)
STOPS = replace(LINE, id="strict", foreign_recorder=ForeignRecorder.STOP)
SITE, OURS = "from-trunk", ami.STARTS_OURS
MIX = ami.Recorder.MIXMONITOR


@dataclass
class Recorders:
    """Asterisk's MixMonitors, as AMI ends them without an id: the newest of a channel first; none of them has a name."""

    on: dict[str, list[str]] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    fails: int = 0

    async def __call__(self, found: ami.RecorderStarted, *, every: bool) -> bool:
        if self.fails:
            self.fails -= 1
            raise PeerError("AMI did not answer in time", "is Asterisk overloaded?")
        there = self.on.get(found.place, [])
        gone = [there.pop() for _ in range(len(there) if every else min(1, len(there)))]
        self.ended += gone
        return bool(gone)


class House:
    """A guard with a real ledger, and an exchange that is played by the test."""

    def __init__(self, vault: Vault, tasks: asyncio.TaskGroup) -> None:
        self.vault = vault
        self.recorders = Recorders()
        self.guard = Guard(self.recorders, vault.submit, tasks.create_task)

    def starts(self, name: str, place: str = CALLER, context: str = SITE, linked: str = "") -> None:
        self.recorders.on.setdefault(place, []).append(name)
        self.guard.handle(ami.RecorderStarted(MIX, place, context, linked))

    def stops(self, place: str = CALLER, context: str = SITE) -> None:
        self.guard.handle(ami.RecorderStopped(MIX, place, context))

    def talk(self, *members: str, bridge: str = "b") -> None:
        for member in members:
            self.guard.handle(ami.BridgeEntered(member, bridge))

    def noted(self) -> list[tuple[object, object, object]]:
        self.vault.note(Fact(Kind.DAEMON_STOPPED, None, None, {}))  # durable after all that was submitted before
        entries = list(self.vault.ledger.entries(kinds={Kind.FOREIGN_RECORDING}))
        assert all(entry.controller == "acme" and entry.body for entry in entries)
        return [(entry.body["what"], entry.body["line"], entry.body["state"]) for entry in entries if entry.body]


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    vault = opened(tmp_path)
    yield vault
    vault.close()


def events(logged: list[EventDict]) -> list[str]:
    return [str(line["event"]) for line in logged]


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_fcl_01_a_recorder_of_others_on_an_asked_call_is_told_noted_and_counted(
    vault: Vault, logged: list[EventDict]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.guard.watch(CALLER, LINE)
        house.starts("theirs")
        house.starts("ours", context=OURS)
    (line,) = logged
    assert (line["event"], line["log_level"]) == ("foreign_recording", "error")
    assert (line["line"], line["uniqueid"], line["reason"]) == ("support", CALLER, "mixmonitor")
    assert house.noted() == [("mixmonitor", "support", "found")]
    assert house.guard.found == 1
    assert house.recorders.ended == []


async def test_what_began_before_the_question_is_told_when_it_is_asked_and_what_ended_before_is_not(
    vault: Vault, logged: list[EventDict]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.starts("over", OTHER)
        house.stops(OTHER)
        house.starts("theirs")
        assert logged == []
        house.guard.watch(OTHER, LINE)
        house.guard.watch(CALLER, LINE)
        house.guard.watch(CALLER, LINE)
    assert [line["uniqueid"] for line in logged] == [CALLER]


@pytest.mark.parametrize("first", ["recorder", "bridge"])
async def test_a_recorder_on_the_other_channel_of_the_bridge_hears_the_call_too(
    vault: Vault, logged: list[EventDict], first: str
) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.guard.watch(CALLER, LINE)
        if first == "recorder":
            house.starts("theirs", AGENT)
            house.talk(CALLER, AGENT)
        else:
            house.talk(CALLER, AGENT)
            house.starts("theirs", AGENT)
        house.guard.handle(ami.BridgeLeft(AGENT, "b"))
        house.talk(AGENT)
    assert events(logged) == ["foreign_recording"]


async def test_a_recorder_further_down_the_same_call_is_found_by_its_first_channel(
    vault: Vault, logged: list[EventDict]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.guard.watch(CALLER, LINE)
        house.starts("theirs", AGENT, linked=CALLER)
    assert events(logged) == ["foreign_recording"]


async def test_recorders_that_have_no_part_in_a_call_of_a_line_are_left_alone(
    vault: Vault, logged: list[EventDict]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.guard.watch(CALLER, STOPS)
        house.talk(CALLER, AGENT)
        house.talk(OTHER, SPY, bridge="c")
        house.starts("theirs", OTHER)
        house.guard.handle(ami.HungUp(CALLER))
        house.starts("later", AGENT)
    assert logged == []
    assert house.recorders.ended == []


async def test_a_call_that_is_asked_is_watched_until_it_hangs_up_and_not_longer(vault: Vault) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.guard.watch(CALLER, LINE)
        assert len(house.guard) == 1
        house.guard.handle(ami.HungUp(CALLER))
        house.guard.handle(ami.HungUp(AGENT))
        # AMI may tell of the end before a front end tells of the beginning.
        house.guard.watch(AGENT, LINE)
        assert len(house.guard) == 0


async def test_fcl_01_on_a_line_that_says_stop_it_ends_and_ours_goes_on(vault: Vault, logged: list[EventDict]) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.guard.watch(CALLER, STOPS)
        house.starts("ours", context=OURS)
        house.starts("first")
        house.starts("second")
        await settled()
        house.stops()
        house.stops()
    assert sorted(house.recorders.ended) == ["first", "second"]
    assert house.recorders.on[CALLER] == ["ours"]
    assert sorted(events(logged)) == [*["foreign_recording"] * 2, *["foreign_stopped"] * 2]
    assert house.noted().count(("mixmonitor", "strict", "stopped")) == 2


async def test_what_is_below_ours_is_not_ended_before_ours_has_ended(vault: Vault, logged: list[EventDict]) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.starts("theirs")
        house.starts("ours", context=OURS)
        house.guard.watch(CALLER, STOPS)
        await settled()
        assert house.recorders.ended == []
        assert events(logged) == ["foreign_recording", "foreign_stop_failed"]
        house.recorders.on[CALLER].remove("ours")
        house.stops(context="gdprcall-stop")
        await settled()
        assert house.recorders.ended == ["theirs"]
    assert [state for _, _, state in house.noted()] == ["found", "not_stopped", "stopped"]


async def test_a_segment_of_ours_that_ends_and_the_next_are_never_taken_for_anothers(
    vault: Vault, logged: list[EventDict]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.guard.watch(CALLER, STOPS)
        for _ in range(3):
            house.starts("ours", context=OURS)
            house.stops(context="gdprcall-withdraw")
        await settled()
    assert logged == []
    assert house.recorders.ended == []


async def test_a_pause_of_ours_by_ami_is_no_end_of_anothers(vault: Vault, logged: list[EventDict]) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.starts("theirs")
        house.starts("ours", context=OURS)
        house.guard.watch(CALLER, STOPS)
        await settled()
        house.recorders.on[CALLER].remove("ours")
        house.stops()  # in the context where the caller's Dial() runs
        await settled()
        assert house.recorders.ended == ["theirs"]
        house.stops()
        house.starts("next", context=OURS)
        house.starts("later")
        await settled()
    assert house.recorders.on[CALLER] == ["next"]


async def test_on_the_agents_channel_everything_ends(vault: Vault) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.recorders.on[AGENT] = ["unseen"]
        house.guard.watch(CALLER, STOPS)
        house.talk(CALLER, AGENT)
        house.starts("theirs", AGENT)
        await settled()
        house.stops(AGENT)
    assert house.recorders.on[AGENT] == []


async def test_an_end_that_failed_is_told_and_tried_again_until_it_is_certain(
    vault: Vault, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.001)
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.recorders.fails = 3
        house.guard.watch(CALLER, STOPS)
        house.starts("theirs")
    assert events(logged) == ["foreign_recording", "foreign_stop_failed", "foreign_stopped"]
    assert house.recorders.ended == ["theirs"]


async def test_an_end_that_fails_is_given_up_when_its_call_has_ended(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.001)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.recorders.fails = 1_000_000
        house.guard.watch(CALLER, STOPS)
        house.starts("theirs")
        await settled()
        house.guard.handle(ami.HungUp(CALLER))


async def test_a_conference_that_is_recorded_is_told_for_each_call_of_a_line_in_it(
    vault: Vault, logged: list[EventDict]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        for caller in (CALLER, AGENT):
            house.guard.watch(caller, LINE)
        house.talk(CALLER, OTHER)
        house.guard.handle(ami.RecorderStarted(ami.Recorder.CONFERENCE, "b"))
        house.talk(AGENT)
    assert [(line["uniqueid"], line["reason"]) for line in logged] == [(CALLER, "conference"), (AGENT, "conference")]


async def test_a_conference_that_cannot_be_ended_is_told_once_and_not_tried_for_ever(
    vault: Vault, logged: list[EventDict]
) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.recorders.fails = 1_000_000
        house.guard.watch(CALLER, STOPS)
        house.talk(CALLER)
        house.guard.handle(ami.RecorderStarted(ami.Recorder.CONFERENCE, "b"))
    assert events(logged) == ["foreign_recording", "foreign_stop_failed"]


async def test_a_snoop_is_told_and_forgotten_with_the_channel_that_listens(
    vault: Vault, logged: list[EventDict]
) -> None:
    snoop = ami.RecorderStarted(ami.Recorder.SNOOP, CALLER, tap=SPY)
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.guard.watch(CALLER, LINE)
        house.guard.handle(snoop)
        house.guard.handle(ami.HungUp(SPY))
        house.guard.watch(CALLER, STOPS)
    assert [line["reason"] for line in logged] == ["snoop"]


async def test_after_ami_was_away_the_calls_that_are_up_are_watched_and_no_others(
    vault: Vault, logged: list[EventDict]
) -> None:
    up = [
        LiveChannel("PJSIP/a-1", CALLER, "b", "", 1, "", line="support"),
        LiveChannel("PJSIP/b-1", AGENT, "b", "", 1, ""),
        LiveChannel("PJSIP/c-1", OTHER, "", "", 1, "", line="a_line_that_is_gone"),
    ]
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        house.guard.watch(SPY, LINE)
        house.starts("gone", SPY)
        logged.clear()
        house.guard.catch_up(up, {"support": LINE})
        assert len(house.guard) == 1
        house.starts("theirs", AGENT)
    assert [line["uniqueid"] for line in logged] == [CALLER]


async def test_evidence_that_cannot_be_noted_is_told(vault: Vault, logged: list[EventDict]) -> None:
    async with asyncio.TaskGroup() as tasks:
        house = House(vault, tasks)
        vault.close()
        house.guard.watch(CALLER, LINE)
        house.starts("theirs")
    assert events(logged) == ["foreign_recording", "evidence_failed"]
