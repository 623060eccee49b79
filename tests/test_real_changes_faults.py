"""The daemon dies, or hangs, while callers are handed over, parked, paused and asked: the calls live, and nobody is recorded unasked.

Two waves of calls for each way to fail, and for each way to come back: while the calls still go on, or when they are over.
In each the fault is there before the change, and Asterisk alone ends what must end. On hold, or while a transfer is dialled, nobody
stops the recorder then: music is no party.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.pbx.talks import TALK_S, Scene, Talk, opened
from tests.pbx.tones import AGENT, CALLER, MUSIC, OUTSIDE, THIRD, seconds

pytestmark = pytest.mark.pbx

BACK_S = 3.0
"""How long the calls go on once the daemon is back, if it comes back in them."""
Act = Callable[[Talk], None]


class Fault:
    """One fault, in which the calls of a wave meet: they are ready, it comes, they change, it ends."""

    def __init__(self, scene: Scene, how: str, calls: int, *, in_call: bool) -> None:
        self.scene, self.how, self.in_call = scene, how, in_call
        self._meet = Barrier(calls + 1, timeout=90)

    def run(self) -> None:
        """Bring it about once all calls are ready, and, if it ends in the calls, end it when all have changed."""
        self._meet.wait()
        installation = self.scene.installation
        if self.how == "killed":
            installation.kill()
        else:
            installation.send(signal.SIGSTOP)
        self._meet.wait()
        self._meet.wait()
        if self.in_call:
            self.end()
        self._meet.wait()

    def end(self) -> None:
        if self.how == "killed":
            self.scene.installation.start()
        else:
            self.scene.installation.send(signal.SIGCONT)

    def around(self, before: Act, after: Act) -> Act:
        """Return what one call does: something before the fault, something in it."""

        def act(talk: Talk) -> None:
            before(talk)
            self._meet.wait()
            self._meet.wait()
            after(talk)
            time.sleep(TALK_S)
            self._meet.wait()
            self._meet.wait()
            time.sleep(BACK_S if self.in_call else 0)

        return act


def nothing(_talk: Talk) -> None:
    """Do nothing."""


def refers(talk: Talk) -> None:
    assert talk.inner.transfer("301") == 202
    talk.outer.wait_to_hear(THIRD, within=20)


def hears_the_question(talk: Talk) -> None:
    talk.inner.transfer("301")
    talk.joined()
    time.sleep(1)


def agrees_unheard(talk: Talk) -> None:
    talk.joined().press("1")
    talk.outer.wait_to_hear(THIRD, within=20)


def by_keys(talk: Talk) -> None:
    talk.inner.press("##")
    talk.outer.wait_to_hear(MUSIC)
    talk.inner.press("301")
    talk.outer.wait_to_hear(THIRD, within=20)


def consults(talk: Talk) -> None:
    talk.inner.hold()
    talk.outer.wait_to_hear(MUSIC)
    consultation = talk.scene.agent.call("302")
    consultation.wait_to_hear(OUTSIDE)
    talk.inner.transfer(consultation)
    talk.outer.wait_to_hear(OUTSIDE, within=20)


def consults_by_keys(talk: Talk) -> None:
    talk.inner.press("*2")
    talk.outer.wait_to_hear(MUSIC)
    talk.inner.press("301")
    talk.inner.wait_to_hear(THIRD)
    talk.inner.hang_up()
    talk.outer.wait_to_hear(THIRD, within=20)


def parks(talk: Talk) -> None:
    talk.inner.transfer("700")
    talk.outer.wait_to_hear(MUSIC)
    talk.scene.third.call("701")
    talk.outer.wait_to_hear(THIRD, within=20)


def holds(talk: Talk) -> None:
    talk.inner.hold()
    talk.outer.wait_to_hear(MUSIC)
    time.sleep(TALK_S)
    talk.inner.resume()
    talk.outer.wait_to_hear(AGENT)


def pauses(talk: Talk) -> None:
    talk.inner.press("*7")
    time.sleep(0.5)


def pauses_and_resumes(talk: Talk) -> None:
    pauses(talk)
    time.sleep(TALK_S)
    talk.inner.press("*8")


def resumes(talk: Talk) -> None:
    talk.inner.press("*8")


def confers(talk: Talk) -> None:
    talk.inner.transfer("303")


WAVES: tuple[Mapping[str, tuple[Act, Act]], ...] = (
    {
        "blind": (nothing, refers),
        "consulted": (nothing, consults),
        "paused": (nothing, pauses_and_resumes),
        "in the question": (hears_the_question, agrees_unheard),
    },
    {
        "by keys": (nothing, by_keys),
        "parked": (nothing, parks),
        "resumed": (pauses, resumes),
        "hold": (nothing, holds),
        "conference": (nothing, confers),
    },
    {"consulted by keys": (nothing, consults_by_keys)},
)
"""What is done before the fault, and in it; in one wave only one call may come to a telephone without the caller's number."""


@pytest.fixture(scope="module", params=["killed, back in the call", "killed", "frozen, back in the call", "frozen"])
def talks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Talk]]:
    how, _, back = str(request.param).partition(", ")
    talks: dict[str, Talk] = {}
    with opened(tmp_path_factory.mktemp("faults")) as scene:
        for place, wave in enumerate(WAVES):
            fault = Fault(scene, how, len(wave), in_call=bool(back))
            acts = {f"{place} {name}": ("friends", fault.around(*both)) for name, both in wave.items()}
            with ThreadPoolExecutor(1) as beside:
                running = beside.submit(fault.run)
                done = scene.play(acts, first=10 * place)
                running.result()
            if not back:
                fault.end()
            talks |= {name.partition(" ")[2]: talk for name, talk in done.items()}
            scene.installation.wait_until(lambda: scene.asterisk.channels() == 0)
            scene.installation.wait_until_quiet()
        yield talks


def voices(talk: Talk) -> list[dict[int, float]]:
    """Return for how long each tone is in each sealed segment."""
    return [{hz: round(seconds(spans), 2) for hz, spans in found.items()} for found in talk.segments()]


@pytest.mark.parametrize("name", [name for wave in WAVES for name in wave])
def test_pty_04_whoever_comes_while_the_daemon_is_away_is_in_no_recording(talks: dict[str, Talk], name: str) -> None:
    found = voices(talks[name])
    assert all(segment[THIRD] <= 0.04 and segment[OUTSIDE] <= 0.04 for segment in found), (name, found)


@pytest.mark.parametrize("name", [name for wave in WAVES for name in wave])
def test_what_the_dialplan_ended_by_itself_is_kept(talks: dict[str, Talk], name: str) -> None:
    first, *_ = voices(talks[name])
    assert min(first[CALLER], first[AGENT]) > 0.6, first
    assert "overheard" not in talks[name].told()


def test_prf_pci_a_pause_that_no_daemon_saw_is_absent(talks: dict[str, Talk]) -> None:
    talk = talks["paused"]
    recorded = sum(seconds(found[CALLER]) for found in talk.segments())
    assert recorded < talk.seconds - TALK_S
