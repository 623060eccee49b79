"""Real calls in which the parties change, hold, and pause: which voices each recording holds is read from its sound.

All calls of a module are played before its first test, some side by side.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.pbx.talks import TALK_S, Scene, Talk, alone, opened
from tests.pbx.tones import AGENT, CALLER, MUSIC, OUTSIDE, THIRD, seconds

pytestmark = pytest.mark.pbx


def by_transfer(key: str) -> Callable[[Talk], None]:
    """Return a blind transfer to the third telephone, which hears the question and presses ``key``, if any."""

    def act(talk: Talk) -> None:
        talk.inner.transfer("301")
        answer(talk, key)

    return act


def answer(talk: Talk, key: str, *, consulted: bool = False) -> None:
    joined = talk.joined(consulted=consulted)
    talk.hear_question()
    if key:
        joined.press(key)
    talk.outer.wait_to_hear(THIRD, within=20)
    time.sleep(TALK_S + 0.5)


def by_consultation(talk: Talk) -> None:
    talk.inner.hold()
    talk.outer.wait_to_hear(MUSIC)
    consultation = talk.scene.agent.call("302")
    consultation.wait_to_hear(OUTSIDE)
    time.sleep(TALK_S)
    talk.inner.transfer(consultation)
    talk.hear_question()
    talk.scene.outside.calls[-1].press("1")
    talk.outer.wait_to_hear(OUTSIDE, within=20)
    time.sleep(TALK_S + 0.5)


def by_keys(talk: Talk) -> None:
    talk.inner.press("*2")
    talk.outer.wait_to_hear(MUSIC)
    talk.inner.press("301")
    talk.inner.wait_to_hear(THIRD)
    time.sleep(TALK_S)
    talk.inner.hang_up()
    time.sleep(0.7)
    answer(talk, "1", consulted=True)


def on_hold(talk: Talk) -> None:
    talk.inner.hold()
    talk.outer.wait_to_hear(MUSIC)
    time.sleep(TALK_S)
    talk.inner.resume()
    talk.outer.wait_to_hear(AGENT)
    time.sleep(TALK_S + 0.5)


CARD_S = 3.5
"""How long a card number takes."""


def card(talk: Talk) -> None:
    talk.inner.press("*7")
    time.sleep(CARD_S)
    talk.inner.press("*8")
    time.sleep(TALK_S + 0.5)


def withdrawn_in_the_pause(talk: Talk) -> None:
    talk.inner.press("*7")
    time.sleep(TALK_S)
    talk.outer.press("*9")
    time.sleep(TALK_S)
    talk.inner.press("*8")
    time.sleep(TALK_S)


def into_a_conference(talk: Talk) -> None:
    talk.inner.transfer("303")
    time.sleep(TALK_S + 1)


def parked(talk: Talk) -> None:
    talk.inner.transfer("700")
    time.sleep(TALK_S)
    back = talk.scene.third.call("701")
    talk.hear_question()
    back.press("1")
    talk.outer.wait_to_hear(THIRD, within=20)
    time.sleep(TALK_S + 0.5)
    back.hang_up()


SCENARIOS: dict[str, tuple[str, Callable[[Talk], None]]] = {
    "agreed": ("friends", by_transfer("1")),
    "refused": ("friends", by_transfer("2")),
    "silent": ("friends", by_transfer("")),
    "told": ("complaints", by_transfer("")),
    "objected": ("complaints", by_transfer("9")),
    "not asked": ("support", by_transfer("")),
    "consulted": ("friends", by_consultation),
    "keys": ("friends", by_keys),
    "hold": ("friends", on_hold),
    "hold, nobody asked": ("support", on_hold),
    "card": ("friends", card),
    "withdrawn": ("friends", withdrawn_in_the_pause),
    "conference": ("friends", into_a_conference),
    "parked": ("friends", parked),
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("parties")) as scene:
        yield scene


@pytest.fixture(scope="module")
def talks(scene: Scene) -> dict[str, Talk]:
    return scene.play(SCENARIOS)


@pytest.mark.parametrize("name", ["agreed", "told", "consulted", "keys", "parked"])
def test_pty_03_who_joined_and_was_asked_is_recorded_from_then_on_and_not_before(
    talks: dict[str, Talk], name: str
) -> None:
    first, *others = talks[name].segments()
    assert alone(first, CALLER, AGENT), first
    assert others
    who = OUTSIDE if name == "consulted" else THIRD
    # Whoever transfers takes the caller off hold first: for that moment the two who were asked are together.
    moments = [other for other in others if max(map(seconds, other.values())) < 0.1]
    assert not any(other[voice] for other in moments for voice in (THIRD, OUTSIDE, MUSIC))
    others = [other for other in others if other not in moments]
    assert others
    assert all(alone(other, CALLER, who) for other in others), others


@pytest.mark.parametrize("name", ["refused", "silent", "objected", "not asked", "conference"])
def test_pty_04_who_did_not_agree_is_not_recorded_for_a_moment(talks: dict[str, Talk], name: str) -> None:
    (only,) = talks[name].segments()
    assert alone(only, CALLER, AGENT), only


@pytest.mark.parametrize("name", ["hold", "hold, nobody asked"])
def test_pty_06_hold_is_absent_and_the_talk_goes_on_in_a_segment_of_its_own(talks: dict[str, Talk], name: str) -> None:
    first, second = talks[name].segments()
    assert alone(first, CALLER, AGENT), first
    assert alone(second, CALLER, AGENT), second


def test_prf_pci_between_the_agents_two_keys_nothing_is_recorded_and_a_long_pause_is_told(
    talks: dict[str, Talk],
) -> None:
    first, second = talks["card"].segments()
    assert alone(first, CALLER, AGENT), first
    assert alone(second, CALLER, AGENT), second
    assert seconds(first[CALLER]) + seconds(second[CALLER]) < talks["card"].seconds - CARD_S + 0.5
    assert "pause_overdue" in talks["card"].told()


def test_con_08_a_withdrawal_in_a_pause_leaves_nothing_and_no_key_of_the_agent_records_again(
    talks: dict[str, Talk],
) -> None:
    talk = talks["withdrawn"]
    shown = talk.scene.installation.cli("recordings", "show", talk.recording, "--json").stdout
    assert '"erased"' in shown
    assert "recording_resumed" not in talk.told()
    assert "pause_overdue" not in talk.told(), "there is nothing that could go on"
