"""The live calls: who talks with whom, what ends a recording, and what is made up for after AMI was away."""

import asyncio

import pytest

from gdprcall import calls as module
from gdprcall.asterisk import ami_events as ami
from gdprcall.consent.dialogue import (
    Agreed,
    ContractBegun,
    ContractEnded,
    Ended,
    Event,
    MinorSuspected,
    PartyJoined,
    PrivateCall,
    SpokenYes,
    Withdrawn,
)
from gdprcall.errors import PeerError
from tests.exchange import AGENT, CALLER, OTHER, REC, THIRD, Exchange, channel
from tests.vaults import recording_id


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.mark.parametrize("order", [(CALLER, AGENT), (AGENT, CALLER)])
def test_the_first_party_to_meet_the_caller_is_the_one_that_was_asked_about(
    exchange: Exchange, order: tuple[str, str]
) -> None:
    call = exchange.recorded()
    exchange.joins(*order)
    assert call.peer == AGENT
    assert exchange.events == []


def test_the_same_party_may_leave_and_come_back(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.joins(CALLER, AGENT)
    exchange.leaves(AGENT)
    exchange.joins(AGENT)
    assert exchange.events == []


def test_pty_04_a_second_party_beside_the_first_ends_the_recording(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.joins(CALLER, AGENT, THIRD)
    assert exchange.events == [PartyJoined("party_joined")]


def test_pty_04_a_party_in_the_place_of_the_first_ends_the_recording(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.joins(CALLER, AGENT)
    exchange.leaves(CALLER, AGENT)
    exchange.joins(CALLER, THIRD, bridge="c")
    assert exchange.events == [PartyJoined("party_joined")]


def test_pty_04_a_caller_who_comes_into_a_bridge_of_two_is_with_somebody_nobody_asked_about(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.joins(AGENT, THIRD, CALLER)
    assert exchange.events == [PartyJoined("party_joined")]


def test_what_happens_in_other_bridges_is_nothing_to_a_call(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.joins(CALLER, AGENT)
    exchange.joins("2.1", "2.2", "2.3", bridge="other")
    assert exchange.events == []


@pytest.mark.parametrize("side", [CALLER, AGENT])
@pytest.mark.parametrize("why", ["blind_transfer", "attended_transfer", "parked", "conference"])
def test_pty_04_a_transfer_by_either_side_ends_the_recording(exchange: Exchange, side: str, why: str) -> None:
    exchange.recorded()
    exchange.recorded(OTHER, "9.1")
    exchange.joins(CALLER, AGENT)
    exchange.calls.handle(ami.PartyChanged(side, why))
    assert exchange.events == [PartyJoined(why)]
    assert exchange.told[OTHER] == []


def test_a_party_seen_before_asterisk_told_of_the_recording_still_counts(exchange: Exchange) -> None:
    call = exchange.follow()
    exchange.joins(CALLER, AGENT)
    exchange.calls.handle(ami.RecordingStarted(REC, 1, "0x1", call.channel, CALLER))
    assert call.peer == AGENT
    exchange.joins(THIRD)
    assert exchange.events == [PartyJoined("party_joined")]


async def test_a_recording_is_ended_by_the_uniqueid_and_monitor_that_asterisk_named(exchange: Exchange) -> None:
    call = exchange.recorded()
    await exchange.calls.stop(call)
    assert exchange.monitors.stopped == [(CALLER, "0x1.1")]


async def test_a_stop_waits_for_asterisk_to_tell_which_recording_it_started(exchange: Exchange) -> None:
    call = exchange.follow()
    stopping = asyncio.ensure_future(exchange.calls.stop(call))
    await asyncio.sleep(0)
    assert exchange.monitors.stopped == []
    exchange.calls.handle(ami.RecordingStarted(REC, 1, "0x7", call.channel, CALLER))
    await stopping
    assert exchange.monitors.stopped == [(CALLER, "0x7")]


async def test_a_stop_of_a_recording_that_asterisk_never_told_of_is_not_certain(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIXMONITOR_WAIT_S", 0.01)
    with pytest.raises(PeerError, match="did not say"):
        await exchange.calls.stop(exchange.follow())


async def test_a_stop_that_failed_is_tried_again_until_it_works(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INSIST_SECONDS", 0.001)
    call = exchange.recorded()
    exchange.monitors.fails = True
    insisting = asyncio.ensure_future(exchange.calls.insist(call))
    async with asyncio.timeout(5):
        while exchange.monitors.tried < 3:
            await asyncio.sleep(0.001)
        exchange.monitors.fails = False
        assert await insisting is True
    assert exchange.monitors.stopped == [(CALLER, "0x1.1")]


async def test_nobody_insists_on_ending_the_recording_of_a_call_that_is_over(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INSIST_SECONDS", 0.001)
    call = exchange.recorded()
    exchange.monitors.fails = True
    insisting = asyncio.ensure_future(exchange.calls.insist(call))
    exchange.calls.handle(ami.HungUp(CALLER))
    async with asyncio.timeout(5):
        assert await insisting is False


def test_con_08_a_withdrawal_is_told_to_the_call_that_it_belongs_to(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.calls.handle(ami.Withdrawn(REC))
    assert exchange.events == [Withdrawn("key")]
    assert exchange.unattended == []


def test_con_08_a_withdrawal_that_no_call_answers_for_goes_the_unattended_way(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.calls.handle(ami.Withdrawn(OTHER))
    assert exchange.unattended == [OTHER]
    assert exchange.events == []


def test_a_hangup_ends_the_call_it_belongs_to_and_no_other(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.recorded(OTHER, "9.1")
    exchange.calls.handle(ami.HungUp(CALLER))
    assert exchange.events == [Ended()]
    assert exchange.told[OTHER] == []
    assert exchange.calls.recordings == {OTHER}


def test_events_that_mean_nothing_to_a_call_change_nothing(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.calls.handle(ami.RecordingStopped(REC, "asked_again"))
    exchange.calls.handle(ami.WatchdogFired("support"))
    exchange.calls.handle(ami.RecordingStarted(OTHER, 1, "0x9", "PJSIP/9", "9.1"))
    assert exchange.events == []
    assert len(exchange.calls) == 1


def test_only_the_first_file_of_a_live_recording_is_news(exchange: Exchange) -> None:
    exchange.recorded()
    assert exchange.calls.file_seen(REC, 1) is True
    assert exchange.calls.file_seen(REC, 1) is False
    assert exchange.calls.file_seen(OTHER, 1) is False


def test_a_call_that_ended_while_ami_was_away_is_told_so(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.recorded(OTHER, "9.1")
    exchange.back(channel("9.1", recording=OTHER, mixmonitor="0x9"))
    assert exchange.events == [Ended()]
    assert exchange.told[OTHER] == []
    assert exchange.calls.recordings == {OTHER}


def test_a_call_whose_verdict_was_lost_and_that_ended_while_ami_was_away_is_told_so(exchange: Exchange) -> None:
    exchange.follow()
    exchange.back()
    assert exchange.events == [Ended()]
    assert exchange.empty


def test_a_call_that_came_while_asterisk_was_listing_its_channels_is_not_taken_for_ended(exchange: Exchange) -> None:
    followed = exchange.calls.begin_anew()
    exchange.follow()
    exchange.calls.catch_up(followed, [])
    assert exchange.events == []
    assert exchange.calls.recordings == {REC}


def test_a_call_that_ended_while_asterisk_was_listing_its_channels_is_told_so_once(exchange: Exchange) -> None:
    exchange.recorded()
    followed = exchange.calls.begin_anew()
    exchange.calls.handle(ami.HungUp(CALLER))
    exchange.calls.catch_up(followed, [channel(CALLER, recording=REC, mixmonitor="0x1")])
    assert exchange.events == [Ended()]


async def test_a_recording_that_began_while_ami_was_away_can_be_ended(exchange: Exchange) -> None:
    call = exchange.follow()
    exchange.back(channel(CALLER, recording=REC, mixmonitor="0x7"))
    await exchange.calls.stop(call)
    assert exchange.monitors.stopped == [(CALLER, "0x7")]


def test_pty_04_a_party_that_came_while_ami_was_away_ends_the_recording(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.joins(CALLER, AGENT)
    running = channel(CALLER, recording=REC, mixmonitor="0x1", bridge="c")
    exchange.back(running, channel(THIRD, bridge="c"))
    assert exchange.events == [PartyJoined("party_joined")]


LOCAL = ami.BridgeEntered("1.8", "b", "Local/201@floor-0001;1")


def test_whoever_is_behind_a_local_channel_is_the_one_the_caller_was_asked_about(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.joins(CALLER)
    exchange.calls.handle(LOCAL)
    exchange.calls.handle(ami.BridgeEntered(AGENT, "b", "PJSIP/201-0001", swap="1.8"))
    exchange.leaves("1.8")
    assert exchange.events == []
    exchange.joins(THIRD)
    assert exchange.events == [PartyJoined("party_joined")]


def test_a_caller_who_is_moved_to_the_far_end_of_a_local_channel_meets_the_same_party(exchange: Exchange) -> None:
    call = exchange.recorded()
    exchange.joins(CALLER)
    exchange.calls.handle(LOCAL)
    exchange.calls.handle(ami.BridgeEntered("1.9", "c", "Local/201@floor-0001;2"))
    exchange.calls.handle(ami.BridgeEntered(AGENT, "c", "PJSIP/201-0001"))
    exchange.calls.handle(ami.BridgeEntered(CALLER, "c", call.channel, swap="1.9"))
    exchange.leaves(CALLER, "1.8")
    assert exchange.events == []


def test_pty_04_who_takes_the_place_of_a_telephone_or_of_another_local_channel_is_a_stranger(
    exchange: Exchange,
) -> None:
    exchange.recorded()
    exchange.joins(CALLER)
    exchange.calls.handle(LOCAL)
    exchange.calls.handle(ami.BridgeEntered(AGENT, "b", "PJSIP/201-0001", swap="1.8"))
    exchange.calls.handle(ami.BridgeEntered(THIRD, "b", "PJSIP/301-0001", swap=AGENT))
    assert exchange.events == [PartyJoined("party_joined")]


def test_pty_04_what_the_dialplan_heard_of_who_is_on_the_line_ends_the_recording(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.joins(CALLER, AGENT)
    exchange.calls.handle(ami.PartyChanged(CALLER, "connected_line"))
    assert exchange.events == [PartyJoined("connected_line")]


async def test_pty_01_an_agent_is_told_each_change_of_the_recording_from_the_moment_he_is_there(
    exchange: Exchange,
) -> None:
    call, shown = exchange.recorded(), []
    call.shown = shown.append
    exchange.joins(CALLER, AGENT)
    await exchange.calls.set_lamp(call, "ONHOLD")
    exchange.calls.handle(ami.RecordingStarted(REC, 2, "0x2", call.channel, CALLER))
    await exchange.calls.set_lamp(call, "NOT_INUSE")
    assert shown == ["INUSE", "ONHOLD", "INUSE", "NOT_INUSE"]


def test_an_agent_who_comes_when_nothing_runs_is_told_nothing(exchange: Exchange) -> None:
    call, shown = exchange.follow(), []
    call.shown = shown.append
    exchange.joins(CALLER, AGENT)
    assert shown == []


async def test_pty_04_who_came_while_ami_was_away_can_be_heard_and_what_ran_is_not_kept(exchange: Exchange) -> None:
    call = exchange.recorded()
    exchange.joins(CALLER, AGENT)
    running = channel(CALLER, recording=REC, mixmonitor="0x1", bridge="c")
    exchange.back(running, channel(THIRD, bridge="c"))
    await exchange.calls.stop(call)
    assert exchange.overheard == [(REC, 1)]


async def test_pty_04_who_is_told_of_too_late_can_be_heard_too(exchange: Exchange) -> None:
    call = exchange.recorded()
    exchange.joins(CALLER, AGENT)
    exchange.behind = True
    exchange.calls.handle(ami.PartyChanged(CALLER, "transfer"))
    exchange.joins(THIRD)
    await exchange.calls.stop(call)
    assert exchange.overheard == [(REC, 1)]


async def test_pty_04_who_comes_in_time_or_after_the_dialplan_ended_it_is_not_heard(exchange: Exchange) -> None:
    call = exchange.recorded()
    exchange.joins(CALLER, AGENT, THIRD)
    await exchange.calls.stop(call)
    exchange.behind, exchange.monitors.over = True, True
    exchange.leaves(THIRD)
    exchange.joins("1.4")
    await exchange.calls.stop(call)
    assert exchange.overheard == []


async def test_bas_04_what_was_heard_in_one_contract_is_not_in_the_recording_of_the_next(exchange: Exchange) -> None:
    call = exchange.recorded()
    exchange.joins(CALLER, AGENT)
    exchange.behind = True
    exchange.joins(THIRD)
    await exchange.calls.stop(call)
    exchange.calls.renew(call, OTHER)
    exchange.calls.handle(ami.RecordingStarted(OTHER, 1, "0x2", call.channel, CALLER))
    await exchange.calls.stop(call)
    assert exchange.overheard == [(REC, 1)]


async def test_bas_04_the_next_recording_begins_with_its_first_segment(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIXMONITOR_WAIT_S", 0.01)
    call = exchange.recorded()
    await exchange.calls.resume(call)
    exchange.calls.renew(call, OTHER)
    with pytest.raises(PeerError):
        await exchange.calls.stop(call)
    assert exchange.monitors.called_off == []


def test_who_was_asked_about_is_no_stranger_however_late_he_is_told_of(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.behind = True
    exchange.joins(CALLER, AGENT)
    assert exchange.overheard == []


def test_pty_04_after_ami_was_away_the_caller_is_still_known_to_be_in_his_bridge(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.joins(CALLER, AGENT)
    exchange.back(channel(CALLER, recording=REC, mixmonitor="0x1", bridge="b"), channel(AGENT, bridge="b"))
    assert exchange.events == []
    exchange.joins(THIRD)
    assert exchange.events == [PartyJoined("party_joined")]


def test_bridges_that_ended_while_ami_was_away_are_forgotten(exchange: Exchange) -> None:
    for number in range(1000):
        exchange.joins("8.1", "8.2", bridge=f"b{number}")
    exchange.back()
    assert exchange.empty


def test_thousands_of_bridges_that_come_and_go_leave_nothing_behind(exchange: Exchange) -> None:
    for number in range(2000):
        caller, agent, bridge = f"{number}.1", f"{number}.2", f"b{number}"
        recording = recording_id(number)
        exchange.recorded(recording, caller)
        exchange.joins(caller, agent, bridge=bridge)
        if number % 2:
            exchange.leaves(agent, caller, bridge=bridge)
        exchange.calls.handle(ami.HungUp(caller))
        exchange.calls.handle(ami.HungUp(agent))
        assert exchange.told[recording] == [Ended()]
    assert exchange.empty


def test_leaving_a_bridge_that_nobody_knows_leaves_nothing_behind(exchange: Exchange) -> None:
    exchange.leaves(CALLER)
    exchange.calls.drop(REC)
    assert exchange.empty


@pytest.mark.parametrize(
    ("word", "event"),
    [
        ("contract", ContractBegun()),
        ("done", ContractEnded()),
        ("yes", SpokenYes()),
        ("agreed", Agreed()),
        ("no", Withdrawn("spoken")),
        ("minor", MinorSuspected()),
        ("private", PrivateCall()),
    ],
)
def test_bas_04_the_agents_word_reaches_the_call_on_whose_channel_it_was_said(
    exchange: Exchange, word: str, event: Event
) -> None:
    exchange.follow()
    exchange.follow(OTHER, THIRD)
    exchange.calls.handle(ami.AgentSaid(CALLER, word))
    assert exchange.events == [event]
    assert exchange.told[OTHER] == []


def test_a_word_that_no_agent_says_and_a_call_that_nobody_knows_change_nothing(exchange: Exchange) -> None:
    exchange.follow()
    exchange.calls.handle(ami.AgentSaid(CALLER, "record"))
    exchange.calls.handle(ami.AgentSaid("9.9", "contract"))
    assert exchange.events == []


async def test_bas_04_a_recording_begins_in_mid_call_by_the_channels_own_id(exchange: Exchange) -> None:
    call = exchange.follow()
    await exchange.calls.begin(call)
    assert exchange.monitors.let == [(CALLER, REC)]
    exchange.monitors.fails = True
    with pytest.raises(PeerError):
        await exchange.calls.begin(call)
