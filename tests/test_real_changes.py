"""Calls that are handed on at random, again and again: each segment holds the caller and the one who had him, from end to end.

Every telephone's RTP begins with a random number at each call, so that a voice that Asterisk drops after a change would be
missed here; a voice too many would be found. A failure names the seed that repeats the plan.
"""

import os
import random
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock

import pytest

from tests.pbx.phone import Call, Phone
from tests.pbx.talks import DIALPLAN, TALK_S, Scene, Talk, alone, opened
from tests.pbx.tones import AGENT, CALLER, MUSIC, OUTSIDE, THIRD, seconds

pytestmark = pytest.mark.pbx

CALLS, CHANGES = 5, 5
SITE = (
    DIALPLAN
    + """
exten => 310,1,Dial(PJSIP/agent,30,tTb(gdprcall-desk^s^1))
exten => 311,1,Dial(PJSIP/third,30,tTb(gdprcall-desk^s^1))
exten => 312,1,Dial(PJSIP/outside,30,tTb(gdprcall-desk^s^1))
"""
)
EXTENSIONS = {AGENT: "310", THIRD: "311", OUTSIDE: "312"}
WAYS = ("refer", "keys", "consulted", "keys, consulted")
# The trunk's telephone reaches no extension of the house by itself: it asks the PBX for the transfer.
FROM_OUTSIDE = ("refer", "keys")


@dataclass
class Relay:
    """One call on its way through the house: who has it, and who had it."""

    talk: Talk
    lock: Lock
    has: int = AGENT
    had: list[int] = field(default_factory=lambda: [AGENT])
    ways: list[str] = field(default_factory=list)

    @property
    def phones(self) -> dict[int, Phone]:
        """The telephones by their tones."""
        scene = self.talk.scene
        return {AGENT: scene.agent, THIRD: scene.third, OUTSIDE: scene.outside}

    def hand_on(self, to: int, way: str) -> None:
        """Hand the caller on to another telephone, whose owner agrees, and let the two talk."""
        self.ways.append(way)
        joined = self.consulted(to, way) if "consulted" in way else self.blind(to, way)
        self.talk.hear_question()
        joined.press("1")
        self.talk.outer.wait_to_hear(to, within=20)
        self.talk.inner, self.has = joined, to
        self.had.append(to)
        time.sleep(TALK_S + 0.5)

    def blind(self, to: int, way: str) -> Call:
        before = len(self.come(to))
        if way == "refer":
            assert self.talk.inner.transfer(EXTENSIONS[to]) == 202
        else:
            self.talk.inner.press("##")
            self.talk.outer.wait_to_hear(MUSIC)
            self.talk.inner.press(EXTENSIONS[to])
        return self.next(to, before)

    def consulted(self, to: int, way: str) -> Call:
        """Consult first; one at a time, since nothing on the new telephone says whose consultation it is."""
        phone, inner = self.phones[self.has], self.talk.inner
        with self.lock:
            before = len(self.come(to, consulting=True))
            if way == "consulted":
                inner.hold()
                consultation = phone.call(EXTENSIONS[to])
            else:
                inner.press("*2")
                self.talk.outer.wait_to_hear(MUSIC)
                inner.press(EXTENSIONS[to])
            joined = self.next(to, before, consulting=True)
        (consultation if way == "consulted" else inner).wait_to_hear(to)
        time.sleep(TALK_S)
        if way == "consulted":
            inner.transfer(consultation)
        else:
            inner.hang_up()
            time.sleep(0.7)
        return joined

    def come(self, to: int, *, consulting: bool = False) -> list[Call]:
        """Return the calls that came to a telephone from this caller, or from none of the callers."""
        ours = self.talk.number
        return [
            call
            for call in list(self.phones[to].calls)
            if call.came and (call.number == ours or (consulting and not call.number.startswith(ours[:-2])))
        ]

    def next(self, to: int, before: int, *, consulting: bool = False) -> Call:
        deadline = time.monotonic() + 30
        while len(calls := self.come(to, consulting=consulting)) <= before:
            assert time.monotonic() < deadline, f"{to} was not reached by {self.ways}, {self.had}"
            time.sleep(0.02)
        return calls[-1].wait_answered()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("changes"), dialplan=SITE) as scene:
        yield scene


def test_pty_03_whoever_has_the_caller_in_turn_is_heard_in_a_segment_of_his_own_and_nowhere_else(scene: Scene) -> None:
    seed = int(os.environ.get("GDPRCALL_TEST_SEED") or secrets.randbelow(1_000_000))
    lock, relays = Lock(), dict[str, Relay]()

    def acting(name: str) -> "tuple[str, object]":
        dice = random.Random(f"{seed} {name}")

        def act(talk: Talk) -> None:
            relay = relays[name] = Relay(talk, lock)
            way = "refer"
            for _ in range(CHANGES):
                # Asterisk forgets that a telephone may transfer by keys once it was consulted.
                ways = [one for one in WAYS if "keys" not in one] if "consulted" in way else list(WAYS)
                way = dice.choice([one for one in ways if relay.has != OUTSIDE or one in FROM_OUTSIDE])
                # Who was consulted on the trunk has no extension of the house to hand on to.
                house = [
                    tone for tone in EXTENSIONS if tone != relay.has and ("consulted" not in way or tone != OUTSIDE)
                ]
                relay.hand_on(dice.choice(house), way)

        return "friends", act

    talks = scene.play({name: acting(name) for name in map(str, range(CALLS))})  # type: ignore[arg-type]
    for name, talk in talks.items():
        # Whoever transfers takes the caller off hold first: for that moment the two who were asked are together.
        segments = [found for found in talk.segments() if max(map(seconds, found.values())) >= 0.1]
        had = relays[name].had
        assert len(had) == CHANGES + 1
        assert len(segments) == len(had), (seed, name, had, relays[name].ways, talk.told(), segments)
        assert all(alone(found, CALLER, who) for found, who in zip(segments, had, strict=True)), (
            seed,
            name,
            had,
            segments,
        )
