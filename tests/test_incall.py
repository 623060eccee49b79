"""The calls of this moment, asked from another thread: shown without numbers, stopped by their own dialogue, noted first."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall import config, incall, operations, view
from gdprcall.asterisk import ami_events as ami
from gdprcall.asterisk.ami_status import LiveChannel
from gdprcall.consent import dialogue as d
from gdprcall.errors import ConfigError, NotFound, PeerError, Refused, VaultError
from gdprcall.livecall import LiveCall
from gdprcall.operations import Context
from gdprcall.policy.model import Basis, Line
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Entry, Fact, Kind
from tests import vaults
from tests.consents import decided
from tests.switchboard import Call, Switchboard
from tests.test_scope import configured
from tests.vaults import NUMBER, Clock

WHY = {"reason": "request 17"}


class House:
    """A vault, two controllers, and the calls of this moment."""

    def __init__(self, folder: Path, vault: Vault, board: Switchboard) -> None:
        self.vault, self.board = vault, board
        self.settings: config.Config = configured(folder)
        policy = self.settings.policy
        self.acme, self.beta = policy.controllers["acme"], policy.controllers["beta"]
        self.support, self.orders = policy.lines["support"], policy.lines["orders"]

    def ask(self, name: str, whose: str | None = "acme", **params: object) -> dict[str, object]:
        """Ask as an officer of one controller, or of all."""
        clock, calls = self.board.clock, self.board.view
        told = {"actor": "uid:7", "role": "officer", "clock": clock, "controller": whose, "calls": calls}
        answer = operations.run(Context(self.vault, self.settings, **told), f"calls/{name}", params)  # type: ignore[arg-type]
        return answer if isinstance(answer, dict) else {"rows": answer}

    def rows(self, whose: str | None = "acme", **params: object) -> list[dict[str, object]]:
        rows = self.ask("list", whose, **params)["rows"]
        assert isinstance(rows, list)
        return rows

    def state(self, call: Call) -> tuple[object, object]:
        """Return how a call stands, and why."""
        row = self.ask("show", None, id=call.facts.decision)
        return row["state"], row["why"]

    def noted(self, kind: Kind) -> list[Entry]:
        return [entry for entry in self.vault.ledger.entries() if entry.kind is kind]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(view, "ORDER_SECONDS", 0.3)
    with vaults.opened(tmp_path, clock=Clock()) as vault, Switchboard() as board:
        yield House(tmp_path, vault, board)


def test_a_call_is_shown_asking_then_recording_then_not_any_more(house: House) -> None:
    call = house.board.arrives(1, house.support, house.acme)
    house.board.clock.now += 2000
    (row,) = house.rows()
    assert (row["state"], row["seconds"], row["recording"], row["segment"]) == ("asking", 2, None, None)
    assert (row["controller"], row["line"], row["language"]) == ("acme", "support", "en")
    house.board.run(lambda: call.happens(d.Digit(1, "1", 9000)))
    house.board.clock.now += 3000
    (row,) = house.rows()
    assert (row["state"], row["seconds"], row["segment"]) == ("recording", 3, 1)
    assert (row["decision"], row["recording"]) == (call.facts.decision, call.facts.recording)
    assert row["since"] == "2026-01-01T00:00:02.000Z"
    house.board.hangs_up(call)
    assert house.rows() == []


@pytest.mark.parametrize(
    ("events", "state", "why"),
    [
        ([d.Digit(1, "2", 100)], "unrecorded", "refused"),
        ([d.Failed("ami_down")], "unrecorded", "ami_down"),
        ([d.Failed("prompt_unfit")], "unrecorded", "prompt_error"),
        ([d.Ended("left")], "unrecorded", "left"),
        ([d.Digit(1, "1", 9000), d.PartyJoined("conference")], "unrecorded", "conference"),
        ([d.Digit(1, "1", 9000), d.Withdrawn("key")], "unrecorded", "withdrawn"),
    ],
)
def test_who_is_not_recorded_is_shown_with_the_reason_until_he_hangs_up(
    house: House, events: list[d.Event], state: str, why: str
) -> None:
    call = house.board.arrives(1, house.support, house.acme)
    house.board.run(lambda: call.happens(*events))
    assert house.state(call) == (state, why)
    house.board.hangs_up(call)
    assert house.rows() == []


def test_a_call_that_waits_for_the_agents_word_says_so(house: House) -> None:
    line = replace(house.support, basis=Basis.CONTRACT)
    call = house.board.recorded(1, line, house.acme)
    assert house.state(call) == ("unrecorded", "held")


def test_who_was_not_drawn_is_not_recorded(house: House) -> None:
    call = house.board.arrives(1, house.support, house.acme)
    call.consent = d.Consent(replace(call.consent.terms, sampled=False))
    house.board.run(lambda: call.happens(d.Started()))
    assert house.state(call) == ("unrecorded", "not_drawn")


def test_a_recording_is_not_called_one_before_its_file_is_seen_and_not_when_none_came(house: House) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    call.live.seen.clear()
    assert house.state(call) == ("starting", None)
    house.board.clock.now += 3001
    assert house.state(call) == ("unrecorded", "no_file")


def test_what_the_dialplan_ended_is_not_shown_as_recorded(house: House) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    house.board.clock.now += 3001
    house.board.run(lambda: house.board.calls.handle(ami.RecordingStopped(call.facts.recording, "asked_again")))
    assert house.state(call) == ("unrecorded", "stopped")


def test_channels_that_ended_while_nobody_told_are_shown_no_more(house: House) -> None:
    refused, asked = (house.board.arrives(number, house.support, house.acme) for number in (1, 2))
    house.board.run(lambda: refused.happens(d.Digit(1, "2", 100)))
    house.board.run(lambda: house.board.calls.catch_up(frozenset(), [up(asked.facts.uniqueid)]))
    assert [row["decision"] for row in house.rows()] == [asked.facts.decision]
    house.board.run(lambda: house.board.calls.catch_up(frozenset(), []))
    assert [row["state"] for row in house.rows()] == ["asking"], "its dialogue says when it is over"
    house.board.run(lambda: house.board.view.over(asked.facts.decision))
    assert house.rows() == []


def test_calls_of_whose_end_nobody_tells_do_not_fill_the_memory(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "MOST_SHOWN", 3)
    asked = house.board.arrives(9, house.support, house.acme)
    for number in range(5):
        call = house.board.arrives(number, house.support, house.acme)
        house.board.run(lambda call=call: call.happens(d.Digit(1, "2", 100)))  # type: ignore[misc]
    shown = [str(row["decision"])[-1] for row in house.rows()]
    assert shown == ["9", "3", "4"]
    assert asked.facts.decision in {row["decision"] for row in house.rows()}


def up(uniqueid: str) -> LiveChannel:
    return LiveChannel("PJSIP/a", uniqueid, "", "", 1, "")


# What an earlier daemon began.


def adopted(house: House, number: int = 1, *, line: str = "support", runs: bool = True) -> LiveCall:
    """Let a daemon find a recording that another one began."""
    decided(house.vault, house.settings.policy, number, line=line)
    live = LiveCall(vaults.recording_id(number), f"{number}.9", "PJSIP/a", lambda _event: None, segment=2)

    def stopped(event: d.Event) -> None:
        assert event == d.StopAsked("stopped_by_officer")
        live.silent.set()

    live.deliver = stopped
    if runs:
        live.told.set()
    house.board.run(lambda: house.board.calls.add(live))
    return live


def test_a_recording_of_an_earlier_daemon_is_shown_with_what_its_decision_says(house: House) -> None:
    live = adopted(house)
    adopted(house, 2, line="orders")
    (row,) = house.rows()
    assert (row["state"], row["recording"], row["segment"]) == ("recording", live.recording, 2)
    assert (row["controller"], row["line"], row["language"]) == ("acme", "support", "en")
    assert row["since"] == "2026-01-01T00:00:00.000Z"
    assert [one["line"] for one in house.rows(None)] == ["support", "orders"]


def test_a_recording_of_an_earlier_daemon_is_stopped_as_well(house: House) -> None:
    live = adopted(house)
    assert house.ask("stop", id=live.recording, **WHY)["state"] == "unrecorded"
    (entry,) = house.noted(Kind.ORDERED)
    assert (entry.recording, entry.controller) == (live.recording, "acme")
    with pytest.raises(Refused, match="nothing to stop"):
        house.ask("stop", id=live.recording, **WHY)


def test_who_calls_is_not_known_after_a_restart(house: House) -> None:
    live = adopted(house)
    assert house.ask("number", id=live.recording, **WHY)["number"] is None
    assert house.noted(Kind.NUMBER_SHOWN) == []


def test_sec_09_a_recording_that_the_vault_cannot_explain_is_shown_to_nobody_of_one_controller(house: House) -> None:
    live = LiveCall("f" * 32, "9.9", "PJSIP/a", lambda _event: None)
    house.board.run(lambda: house.board.calls.add(live))
    assert house.rows() == []
    assert [row["recording"] for row in house.rows(None)] == ["f" * 32]


# Stopping.


def test_sec_06_a_stop_ends_the_recording_and_the_ledger_knows_who_asked_in_which_role(house: House) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    row = house.ask("stop", id=call.facts.decision, **WHY)
    assert (row["state"], row["why"]) == ("unrecorded", "stopped_by_officer")
    assert house.board.monitors.stopped == [(call.facts.uniqueid, "0x1")]
    (entry,) = house.noted(Kind.ORDERED)
    assert (entry.recording, entry.controller) == (call.facts.recording, "acme")
    asker = {"actor": "uid:7", "role": "officer"}
    assert entry.body == {"what": "stop", "decision": call.facts.decision, "reason": "request 17"} | asker
    assert NUMBER not in json.dumps(entry.as_json())


def test_sec_06_a_stop_in_the_question_lets_nothing_begin(house: House) -> None:
    call = house.board.arrives(1, house.support, house.acme)
    row = house.ask("stop", id=call.facts.decision, **WHY)
    assert (row["state"], row["why"]) == ("unrecorded", "stopped_by_officer")
    house.board.run(lambda: call.happens(d.Digit(1, "1", 9000)))
    assert house.state(call)[0] == "unrecorded"
    assert [entry.recording for entry in house.noted(Kind.ORDERED)] == [None], "there is no recording of that name"


def test_a_stop_that_asterisk_does_not_confirm_is_an_error_and_shown_as_what_it_is(house: House) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    house.board.monitors.fails = True
    with pytest.raises(PeerError, match="not certain"):
        house.ask("stop", id=call.facts.decision, **WHY)
    assert house.state(call) == ("stopping", "stopped_by_officer")
    assert len(house.noted(Kind.ORDERED)) == 1
    house.board.monitors.fails = False
    house.board.hangs_up(call)
    assert house.rows() == []


def test_a_stop_is_carried_out_though_it_cannot_be_noted_and_that_is_told(house: House) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    house.vault.ledger.distrust("damaged")
    with pytest.raises(VaultError, match="carried out, and could not be noted"):
        house.ask("stop", id=call.facts.decision, **WHY)
    assert house.state(call) == ("unrecorded", "stopped_by_officer")


def test_bas_05_what_a_law_wants_recorded_is_not_ended_by_order(house: House) -> None:
    duty: Line = replace(house.support, basis=Basis.LEGAL_OBLIGATION)
    call = house.board.recorded(1, duty, house.acme)
    with pytest.raises(Refused, match="lets nobody stop it"):
        house.ask("stop", id=call.facts.decision, **WHY)
    assert house.state(call) == ("recording", None)
    assert house.noted(Kind.ORDERED) == []


def test_a_call_that_hangs_up_while_it_is_stopped_keeps_nobody_waiting(house: House) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    happens = call.live.deliver

    def first_gone(event: d.Event) -> None:
        if isinstance(event, d.StopAsked):
            house.board._hung_up(call)
        else:
            happens(event)

    call.live.deliver = first_gone
    assert house.ask("stop", id=call.facts.decision, **WHY)["state"] == "ended"


@pytest.mark.parametrize("name", ["stop", "number"])
def test_without_a_reason_nothing_is_ordered_and_no_number_shown(house: House, name: str) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    for reason in ({}, {"reason": " "}, {"reason": 7}):
        with pytest.raises(ConfigError, match="reason is missing"):
            house.ask(name, id=call.facts.decision, **reason)
    assert house.state(call) == ("recording", None)


# Pausing.


def test_a_pause_by_order_lasts_until_it_is_taken_back_and_both_are_noted(house: House) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    row = house.ask("pause", id=call.facts.decision, **WHY)
    assert (row["state"], row["why"], row["segment"]) == ("paused", "operator", 1)
    assert house.board.monitors.stopped == [(call.facts.uniqueid, "0x1")]
    assert house.ask("resume", id=call.facts.decision, **WHY)["state"] in {"starting", "recording"}
    row = house.ask("show", id=call.facts.decision)
    assert (row["state"], row["segment"]) == ("recording", 2)
    assert [(entry.body or {})["what"] for entry in house.noted(Kind.ORDERED)] == ["pause", "resume"]


def test_what_pauses_for_another_reason_too_goes_on_pausing_when_an_order_is_taken_back(house: House) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    house.board.run(lambda: call.happens(d.Paused("card")))
    assert house.ask("pause", id=call.facts.decision, **WHY)["why"] == "card, operator"
    row = house.ask("resume", id=call.facts.decision, **WHY)
    assert (row["state"], row["why"]) == ("paused", "card")
    assert house.ask("stop", id=call.facts.decision, **WHY)["state"] == "unrecorded"


def test_fcl_06_nothing_is_resumed_that_cannot_be_noted_before_and_a_pause_is_carried_out(house: House) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    house.vault.ledger.distrust("damaged")
    with pytest.raises(VaultError, match="pause was carried out, and could not be noted"):
        house.ask("pause", id=call.facts.decision, **WHY)
    with pytest.raises(VaultError, match="nothing was resumed"):
        house.ask("resume", id=call.facts.decision, **WHY)
    assert house.state(call) == ("paused", "operator")


def test_a_pause_that_asterisk_does_not_confirm_is_not_called_one(house: House) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    house.board.monitors.fails = True
    with pytest.raises(PeerError, match="not certain"):
        house.ask("pause", id=call.facts.decision, **WHY)
    assert house.state(call) == ("stopping", "operator")


@pytest.mark.parametrize("name", ["pause", "resume"])
def test_what_is_not_recorded_neither_pauses_nor_resumes(house: House, name: str) -> None:
    call = house.board.arrives(1, house.support, house.acme)
    with pytest.raises(Refused, match=f"nothing to {name}"):
        house.ask(name, id=call.facts.decision, **WHY)
    house.board.run(lambda: call.happens(d.Digit(1, "1", 9000), d.Withdrawn("key")))
    with pytest.raises(Refused, match=f"nothing to {name}"):
        house.ask(name, id=call.facts.decision, **WHY)


# Numbers.


def test_sec_05_no_list_shows_who_calls(house: House) -> None:
    call = house.board.recorded(1, house.support, house.acme)
    shown = json.dumps([house.rows(None), house.ask("show", id=call.facts.decision)])
    assert NUMBER not in shown
    assert NUMBER not in repr(house.board.view.rows())


def test_sec_06_a_number_is_shown_after_the_ledger_knows_to_whom_and_why(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = house.board.arrives(1, house.support, house.acme)
    assert house.ask("number", id=call.facts.decision, **WHY) == {"decision": call.facts.decision, "number": NUMBER}
    (entry,) = house.noted(Kind.NUMBER_SHOWN)
    asker = {"actor": "uid:7", "role": "officer"}
    assert entry.body == {"decision": call.facts.decision, "reason": "request 17"} | asker
    assert (entry.recording, entry.controller) == (None, "acme")

    def full(_fact: Fact) -> Entry:
        raise VaultError("the disk is full")

    monkeypatch.setattr(house.vault, "note", full)
    with pytest.raises(VaultError):
        house.ask("number", id=call.facts.decision, **WHY)


def test_a_caller_without_a_number_has_none_to_be_shown(house: House) -> None:
    call = house.board.arrives(1, house.support, house.acme, caller=None)
    assert house.ask("number", id=call.facts.decision, **WHY)["number"] is None
    assert house.noted(Kind.NUMBER_SHOWN) == []


def test_con_13_the_number_of_who_refused_is_forgotten_while_his_call_goes_on(house: House) -> None:
    call = house.board.arrives(1, house.support, house.acme)
    house.board.run(lambda: call.happens(d.Digit(1, "2", 100)))
    assert house.ask("number", id=call.facts.decision, **WHY)["number"] is None
    assert [shown.facts.number for shown in house.board.view._shown.values()] == [None]


# Whose calls.


def test_sec_09_a_list_shows_the_own_controllers_calls_alone(house: House) -> None:
    house.board.recorded(1, house.support, house.acme)
    theirs = house.board.recorded(2, house.orders, house.beta)
    assert [row["line"] for row in house.rows()] == ["support"]
    assert house.rows(controller="acme") == house.rows()
    for other in ("beta", "nobody", ["beta"], 7):
        assert house.rows(controller=other) == []
    assert [row["line"] for row in house.rows(None, controller="beta")] == ["orders"]
    assert [row["decision"] for row in house.rows("beta")] == [theirs.facts.decision]


@pytest.mark.parametrize("name", ["show", "stop", "pause", "resume", "number"])
def test_sec_09_a_foreign_call_is_not_found_in_the_words_of_one_that_never_was(house: House, name: str) -> None:
    theirs = house.board.recorded(2, house.orders, house.beta)
    ended = decided(house.vault, house.settings.policy, 3, line="orders")
    size, told = house.vault.ledger.size(), set()
    for id_ in (theirs.facts.decision, theirs.facts.recording, ended, vaults.recording_id(3), "ab" * 16):
        with pytest.raises(NotFound) as error:
            house.ask(name, id=id_, **WHY)
        told.add((error.value.message.replace(id_, "ID"), error.value.hint))
    assert told == {("there is no call ID", incall.HINT)}
    assert (house.state(theirs), house.vault.ledger.size()) == (("recording", None), size)


def test_a_call_that_has_ended_is_shown_as_ended_and_is_not_stopped_any_more(house: House) -> None:
    decision = decided(house.vault, house.settings.policy, 3)
    for id_ in (decision, vaults.recording_id(3)):
        row = house.ask("show", id=id_)
        assert (row["decision"], row["state"], row["why"], row["seconds"]) == (decision, "ended", "granted", None)
        with pytest.raises(Refused, match="has ended"):
            house.ask("stop", id=id_, **WHY)


def test_a_daemon_that_is_too_busy_to_answer_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "ANSWER_SECONDS", 0.05)
    busy = threading.Event()
    house.board.loop.call_soon_threadsafe(busy.wait)
    with pytest.raises(PeerError, match="too busy"):
        house.rows()
    busy.set()
    monkeypatch.setattr(view, "ANSWER_SECONDS", 60)
    assert house.rows() == [], "it answers again"
