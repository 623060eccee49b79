"""The dialogue in which a caller uses his rights by telephone: every way through it, and what is said on none of them."""

import random
from dataclasses import replace

import pytest

from gdprcall.consent.values import Digit, Ended, Failed, NoInput, Played, Started
from gdprcall.policy.selfservice import Proof
from gdprcall.rights import telephone
from gdprcall.rights.talk import (
    CarryOut,
    Check,
    Command,
    Enter,
    Entered,
    Erased,
    Event,
    Finish,
    Impossible,
    Kept,
    Listen,
    NeverRecorded,
    Outcome,
    Result,
    Say,
    State,
    Talk,
    Terms,
    Unconfirmed,
    Wish,
)
from gdprcall.rights.telephone import ENTRIES, ENTRY_MS, TRIES, step

CODE, TIME = "12345678", "31121759"
PLAIN, SOME = Terms(number=True), Kept(12, 27)
CARRIED_OUT = Terms(number=True, erasure=Proof.CODE, never_record=Proof.NUMBER)


class Call:
    """One call: what is pressed goes through the dialogue, and what it says is remembered."""

    def __init__(self, terms: Terms = PLAIN) -> None:
        self.talk = Talk(terms)
        self.last: tuple[Command, ...] = ()
        self.done: list[Command] = []
        self.happens(Started())

    def happens(self, event: Event) -> tuple[Command, ...]:
        self.talk, self.last = step(self.talk, event)
        self.done += self.last
        return self.last

    def press(self, keys: str) -> tuple[Command, ...]:
        for key in keys:
            self.happens(Digit(self.talk.asked, key, 0))
        return self.last

    def is_silent(self) -> tuple[Command, ...]:
        self.happens(Played(self.talk.asked, 1_000))
        return self.last if self.talk.state is State.OVER else self.happens(NoInput(self.talk.asked))

    def comes_back(self, result: Result) -> tuple[Command, ...]:
        """Let a deed be done while one moment is asked for."""
        assert self.happens(result) == ()
        return self.is_silent()

    def enters(self, code: str = CODE, time: str = TIME) -> tuple[Command, ...]:
        self.press("4")
        return self.press(code + time)

    @property
    def heard(self) -> tuple[str, ...]:
        """What was said last."""
        return next(command.sounds for command in reversed(self.done) if isinstance(command, Say))

    @property
    def deeds(self) -> list[Command]:
        return [command for command in self.done if isinstance(command, Check | Enter | CarryOut)]

    def ends(self, *, served: bool, outcome: Outcome) -> None:
        """Hear the last sentence out."""
        assert self.talk.state is State.LEAVING
        assert self.happens(Played(self.talk.asked, 1_000)) == (Finish(served),)
        assert (self.talk.state, self.talk.outcome) == (State.OVER, outcome)


def identified(terms: Terms = CARRIED_OUT, kept: Kept = SOME) -> Call:
    call = Call(terms)
    call.enters()
    call.comes_back(kept)
    return call


def test_rgt_01_a_caller_hears_what_this_is_and_what_he_may_ask_for() -> None:
    call = Call()
    assert call.heard == ("welcome", "menu")
    assert call.talk.state is State.MENU


@pytest.mark.parametrize(("key", "wish"), [("1", Wish.ACCESS), ("2", Wish.ERASURE), ("3", Wish.NEVER_RECORD)])
def test_rgt_01_without_a_code_a_key_enters_a_request_that_waits_for_the_call_back(key: str, wish: Wish) -> None:
    call = Call()
    assert call.press(key) == (Enter(wish, identified=False), Say(2, ("moment",), telephone.MOMENT_MS))
    call.comes_back(Entered(30))
    assert call.heard == ("callback", "3", "0", "goodbye")
    call.ends(served=True, outcome=Outcome.ENTERED)


def test_rgt_03_never_to_be_recorded_is_carried_out_on_the_number_alone_where_the_policy_says_so() -> None:
    call = Call(CARRIED_OUT)
    assert call.press("3")[:1] == (CarryOut(Wish.NEVER_RECORD),)
    call.comes_back(NeverRecorded())
    assert call.heard == ("never", "goodbye")
    call.ends(served=True, outcome=Outcome.NEVER_RECORD)


@pytest.mark.parametrize("erasure", Proof)
@pytest.mark.parametrize("never", Proof)
def test_rgt_03_on_the_number_alone_nothing_is_destroyed_and_nothing_told_whatever_the_policy_says(
    erasure: Proof, never: Proof
) -> None:
    for key in "123":
        call = Call(Terms(number=True, erasure=erasure, never_record=never))
        call.press(key)
        assert CarryOut(Wish.ERASURE) not in call.done
        assert all(not deed.identified for deed in call.deeds if isinstance(deed, Enter))
        call.comes_back(Entered(30))
        assert not {"kept", "none", "until"} & set(call.heard)


def test_rgt_03_code_and_time_of_a_call_are_asked_for_one_after_the_other_and_looked_at_together() -> None:
    call = Call()
    assert call.press("4") == (Say(2, ("code",), ENTRY_MS),)
    assert call.press(CODE) == (Say(3, ("time",), ENTRY_MS),)
    assert call.deeds == []
    assert call.press(TIME)[:1] == (Check(CODE, TIME),)
    assert call.talk.code == call.talk.keys == ""


def test_rgt_03_with_the_right_code_he_hears_how_many_there_are_and_until_when() -> None:
    call = identified()
    assert call.heard == ("kept", "1", "2", "until", "2", "7", "choices")
    assert identified(kept=Kept(1, 0, held=True)).heard == ("kept", "1", "until", "0", "longer", "choices")
    assert identified(kept=Kept(0, 0)).heard == ("none", "choices")


def test_rgt_04_access_is_entered_as_identified_and_never_carried_out_by_telephone() -> None:
    call = identified()
    assert call.press("1")[:1] == (Enter(Wish.ACCESS, identified=True),)
    call.comes_back(Entered(9))
    assert call.heard == ("entered", "9", "goodbye")
    call.ends(served=True, outcome=Outcome.ENTERED)


@pytest.mark.parametrize(
    ("erasure", "deed"),
    [
        (Proof.REQUEST, Enter(Wish.ERASURE, identified=True)),
        (Proof.CODE, CarryOut(Wish.ERASURE)),
        (Proof.NUMBER, CarryOut(Wish.ERASURE)),
    ],
)
def test_rgt_08_erasure_with_a_code_is_entered_or_carried_out_as_the_policy_says(erasure: Proof, deed: Command) -> None:
    assert identified(Terms(number=True, erasure=erasure)).press("2")[:1] == (deed,)


@pytest.mark.parametrize(
    ("came", "said", "outcome"),
    [
        (Erased(), ("erased", "goodbye"), Outcome.ERASED),
        (Erased(28), ("erased_part", "2", "8", "goodbye"), Outcome.ERASED_IN_PART),
    ],
)
def test_rgt_16_he_is_told_what_was_destroyed_and_by_when_he_hears_of_the_rest(
    came: Erased, said: tuple[str, ...], outcome: Outcome
) -> None:
    call = identified()
    call.press("2")
    call.comes_back(came)
    assert call.heard == said
    call.ends(served=True, outcome=outcome)


@pytest.mark.parametrize(
    ("never", "deed"),
    [
        (Proof.REQUEST, Enter(Wish.NEVER_RECORD, identified=True)),
        (Proof.CODE, CarryOut(Wish.NEVER_RECORD)),
        (Proof.NUMBER, CarryOut(Wish.NEVER_RECORD)),
    ],
)
def test_rgt_14_never_to_be_recorded_with_a_code(never: Proof, deed: Command) -> None:
    assert identified(Terms(number=True, never_record=never)).press("3")[:1] == (deed,)


def test_rgt_03_a_wrong_code_is_told_nothing_and_the_menu_is_there_again() -> None:
    call = Call()
    call.enters()
    call.comes_back(Unconfirmed())
    assert call.heard == ("unconfirmed", "menu")
    assert not call.talk.identified
    call.press("2")
    assert call.deeds[-1] == Enter(Wish.ERASURE, identified=False)


def test_rgt_03_after_too_many_codes_the_call_ends() -> None:
    call = Call()
    for _ in range(ENTRIES):
        call.enters()
        call.comes_back(Unconfirmed())
    assert call.heard == ("unconfirmed", "write")
    call.ends(served=False, outcome=Outcome.UNCONFIRMED)
    assert len(call.deeds) == ENTRIES


def test_rgt_03_who_has_no_number_is_told_to_write_and_nothing_else() -> None:
    call = Call(replace(CARRIED_OUT, number=False))
    assert call.heard == ("welcome", "withheld", "write")
    assert call.press("1234") == (Listen(),)
    assert call.deeds == []
    call.ends(served=False, outcome=Outcome.WITHHELD)


def test_a_wrong_key_and_silence_ask_again_and_the_third_time_end_the_call() -> None:
    for event in ("5", "*", None):
        call = Call()
        for _ in range(TRIES - 1):
            assert call.press(event) if event else call.is_silent()
            assert call.heard == ("menu",)
        assert call.press(event) if event else call.is_silent()
        assert call.heard == ("write",)
        call.ends(served=False, outcome=Outcome.NOTHING)


@pytest.mark.parametrize(("before", "question"), [("4", "code"), ("4" + CODE, "time")])
def test_an_entry_that_is_not_whole_begins_anew(before: str, question: str) -> None:
    call = Call()
    call.press(before)
    call.press("123")
    assert call.is_silent() == (Say(call.talk.asked, (question,), ENTRY_MS),)
    assert call.talk.keys == ""
    call.press("1*")
    assert (call.heard, call.talk.keys) == ((question,), "")
    call.press("7#")
    assert call.heard == ("write",)
    assert call.deeds == []


def test_who_was_told_and_asks_for_nothing_is_served_all_the_same() -> None:
    call = identified()
    for _ in range(TRIES):
        call.is_silent()
    assert call.heard == ("goodbye",)
    call.ends(served=True, outcome=Outcome.IDENTIFIED)


def test_a_moment_is_asked_for_until_it_is_done_and_what_came_is_said_after_it() -> None:
    call = Call()
    call.press("1")
    for _ in range(3):
        assert call.is_silent() == (Say(call.talk.asked, ("moment",), telephone.MOMENT_MS),)
    assert call.happens(Entered(30)) == (), "the words are not cut"
    assert call.press("3") == (Listen(),)
    call.is_silent()
    assert call.heard == ("callback", "3", "0", "goodbye")
    assert len(call.deeds) == 1


def test_what_takes_too_long_goes_on_without_the_caller() -> None:
    call = Call()
    call.press("1")
    for _ in range(telephone.MOMENTS):
        call.is_silent()
        assert call.heard == ("moment",)
    call.is_silent()
    assert call.heard == ("write",)
    assert call.happens(Entered(30)) == (), "it is too late to say"
    call.ends(served=False, outcome=Outcome.FAILED)
    assert call.talk.asked < 60


def test_what_cannot_be_done_is_said_and_is_no_service() -> None:
    call = Call()
    call.press("2")
    call.comes_back(Impossible())
    assert call.heard == ("write",)
    call.ends(served=False, outcome=Outcome.FAILED)
    call = identified()
    call.press("2")
    call.comes_back(Impossible())
    call.ends(served=True, outcome=Outcome.IDENTIFIED)


def test_keys_and_silences_of_a_question_that_is_over_do_nothing() -> None:
    call = Call()
    call.press("4")
    for late in (Digit(1, "1", 0), NoInput(1), Played(1, 0)):
        assert call.happens(late) == ()
    assert (call.talk.state, call.deeds) == (State.CODE, [])


def test_a_result_that_nobody_waits_for_does_nothing() -> None:
    call = Call()
    assert call.happens(Kept(3, 3)) == ()
    assert (call.talk.state, call.talk.identified, call.talk.result) == (State.MENU, False, None)


@pytest.mark.parametrize("keys", ["", "1", "4", "4123", "4" + CODE, "4" + CODE + TIME])
def test_who_hangs_up_is_forgotten_and_asked_nothing_more(keys: str) -> None:
    call = Call()
    call.press(keys)
    assert call.happens(Ended()) == ()
    assert (call.talk.state, call.talk.keys, call.talk.code) == (State.OVER, "", "")
    for event in (Started(), Kept(1, 1), Digit(call.talk.asked, "2", 0), NoInput(call.talk.asked)):
        assert call.happens(event) == ()


def test_a_front_end_that_fails_gives_the_call_back() -> None:
    call = Call()
    assert call.happens(Failed("ari_lost")) == (Finish(served=False),)
    assert call.talk.outcome is Outcome.FAILED
    assert identified().happens(Failed("ari_lost")) == (Finish(served=True),)


def test_sec_05_no_value_shows_a_key_that_was_pressed() -> None:
    call = Call()
    call.press("4" + CODE + TIME[:5])
    assert call.talk.code == CODE
    for shown in (repr(call.talk), repr(Check(CODE, TIME)), repr(Digit(1, "7", 0))):
        assert CODE not in shown
        assert TIME[:5] not in shown
        assert "'7'" not in shown


def test_rgt_03_whatever_happens_nobody_is_told_anything_or_loses_anything_without_a_confirmed_code() -> None:
    source = random.Random(7)
    results = (Unconfirmed(), Entered(30), NeverRecorded(), Impossible())
    for _ in range(3_000):
        call = Call(Terms(number=source.random() < 0.9, erasure=source.choice(list(Proof)), never_record=Proof.CODE))
        for _ in range(source.randint(1, 60)):
            asked = call.talk.asked - (source.random() < 0.1)
            key = Digit(asked, source.choice("0123456789*#44"), 0)
            events: list[Event] = [key, NoInput(asked), Played(asked, 9), *results]
            call.happens(source.choice(events))
        assert not any(isinstance(command, CarryOut) for command in call.done)
        said = {sound for command in call.done if isinstance(command, Say) for sound in command.sounds}
        assert not {"kept", "none", "until", "longer", "choices", "entered"} & said
        assert sum(isinstance(command, Check) for command in call.done) <= ENTRIES
        assert sum(isinstance(command, Finish) for command in call.done) <= 1
