"""Who may be heard in a recorded call: who joins is asked, who holds is not recorded, and when the recording goes on."""

import pytest

from gdprcall.asterisk import ami_events as ami
from gdprcall.consent.dialogue import PartyJoined, Paused, Resumed
from gdprcall.errors import PeerError
from gdprcall.livecall import LiveCall
from tests.exchange import AGENT, CALLER, REC, THIRD, Exchange, channel


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


def test_pty_04_who_is_there_in_the_place_of_the_one_that_was_dialled_ends_what_an_earlier_daemon_began(
    exchange: Exchange,
) -> None:
    call = exchange.follow()
    call.expects = f"PJSIP/{AGENT}"
    exchange.back(channel(CALLER, recording=REC, mixmonitor="0x1", bridge="b"), channel(THIRD, bridge="b"))
    assert exchange.events == [PartyJoined("party_joined")]


def test_who_was_dialled_and_is_still_there_was_asked_about(exchange: Exchange) -> None:
    call = exchange.follow()
    call.expects = f"PJSIP/{AGENT}"
    exchange.back(channel(CALLER, recording=REC, mixmonitor="0x1", bridge="b"), channel(AGENT, bridge="b"))
    assert (exchange.events, call.peer) == ([], AGENT)


def asking(exchange: Exchange) -> LiveCall:
    """Follow a recorded call whose line asks who joins."""
    call = exchange.recorded()
    call.ask = exchange.put.append
    return call


def test_pty_03_who_joins_is_asked_once_and_the_recording_goes_on_when_all_have_been(exchange: Exchange) -> None:
    call = asking(exchange)
    exchange.joins(CALLER, AGENT)
    exchange.calls.handle(ami.PartyChanged(CALLER, "blind_transfer"))
    exchange.leaves(AGENT, CALLER)
    exchange.joins(THIRD, CALLER, bridge="c")
    exchange.joins(THIRD, bridge="c")
    assert exchange.put == [THIRD]
    assert exchange.events == [PartyJoined("blind_transfer")]
    exchange.calls.clear(call, THIRD)
    assert exchange.events[1:] == [Resumed("party")]


def test_pty_03_a_place_in_between_is_not_asked_but_who_comes_through_it(exchange: Exchange) -> None:
    asking(exchange)
    exchange.joins(CALLER, AGENT)
    exchange.leaves(AGENT)
    exchange.calls.handle(ami.BridgeEntered("1.4", "b", "Local/300@x-0001;1"))
    assert exchange.put == []
    exchange.leaves("1.4")
    exchange.calls.handle(ami.BridgeEntered(THIRD, "b", "PJSIP/third-0002"))
    assert exchange.put == [THIRD]


def test_pty_03_nobody_is_asked_in_a_conference_and_nothing_goes_on_there(exchange: Exchange) -> None:
    call = asking(exchange)
    exchange.joins(CALLER, AGENT)
    exchange.leaves(CALLER)
    exchange.calls.handle(ami.BridgeEntered(THIRD, "c", "PJSIP/third", crowd=True))
    exchange.calls.handle(ami.BridgeEntered(CALLER, "c", call.channel, crowd=True))
    exchange.calls.clear(call, THIRD)
    assert exchange.put == []
    assert exchange.events == [PartyJoined("party_joined")]


def test_pty_04_when_who_joined_has_left_the_recording_goes_on_with_those_who_were_asked(exchange: Exchange) -> None:
    asking(exchange)
    exchange.joins(CALLER, AGENT, THIRD)
    exchange.leaves(THIRD)
    assert exchange.events == [PartyJoined("party_joined"), Resumed("party")]


@pytest.mark.parametrize("holder", [CALLER, AGENT])
def test_pty_06_a_hold_by_either_side_pauses_and_its_end_ends_the_pause(exchange: Exchange, holder: str) -> None:
    exchange.recorded()
    exchange.joins(CALLER, AGENT)
    exchange.calls.handle(ami.PutOnHold(holder, on=True))
    exchange.calls.handle(ami.PutOnHold(holder, on=True))
    exchange.calls.handle(ami.PutOnHold(holder, on=False))
    assert exchange.events == [Paused("hold"), Resumed("hold")]


def test_pty_06_a_holder_who_goes_away_to_consult_leaves_the_caller_on_hold(exchange: Exchange) -> None:
    exchange.recorded()
    exchange.joins(CALLER, AGENT)
    exchange.calls.handle(ami.PutOnHold(AGENT, on=True))
    exchange.leaves(AGENT)
    assert exchange.events == [Paused("hold")]
    exchange.calls.handle(ami.HungUp(AGENT))
    exchange.joins(THIRD)
    assert exchange.events == [Paused("hold"), PartyJoined("party_joined"), Resumed("hold")]


def test_the_agents_words_pause_and_resume(exchange: Exchange) -> None:
    exchange.recorded()
    for word in ("pause", "resume"):
        exchange.calls.handle(ami.AgentSaid(CALLER, word))
    assert exchange.events == [Paused("card"), Resumed("card")]


async def test_a_segment_whose_beginning_was_lost_is_called_off_and_is_no_failure(exchange: Exchange) -> None:
    call = exchange.recorded()
    await exchange.calls.resume(call)
    await exchange.calls.stop(call)
    assert exchange.monitors.called_off == [CALLER]
    assert exchange.monitors.stopped == [(CALLER, "0xlast")], "the last that began is ended, if it runs"


async def test_a_first_segment_of_which_nothing_is_known_cannot_be_called_off(exchange: Exchange) -> None:
    call = exchange.follow()
    with pytest.raises(PeerError):
        await exchange.calls.stop(call)


async def test_a_recording_that_goes_on_waits_for_its_next_file_and_monitor(exchange: Exchange) -> None:
    call = exchange.recorded()
    exchange.calls.file_seen(REC, 1)
    await exchange.calls.resume(call)
    assert not call.told.is_set()
    assert not call.seen.is_set()
    assert exchange.monitors.went_on == [(CALLER, REC)]
    assert exchange.calls.file_seen(REC, 2)
    assert call.segment == 2
