"""What happens in one round of kills, drawn from a seed: the same seed and number always give the same plan.

It is pure: it starts nothing, reads no clock, and knows no file.
"""

import random
from dataclasses import dataclass, replace
from enum import StrEnum

from tests.pbx.scenario import KEY_MS, Hangup, Press, Stay, Step, Wait

PROMPT_SECONDS = 1.2
"""How long the prompts of the installation under test are, roughly: keys are pressed before, in and after them."""
ROUND_SECONDS = 2.6
"""Blows fall until then; calls are over by then, but for those that wait for the agent."""
DELAYS = (0.0, 0.0, 0.0005, 0.001, 0.002, 0.005, 0.01)
"""Seconds between a change on disk and the blow that waits for it: what follows the change takes milliseconds."""
LONG_EVERY, LONG_ROUND = 8, 3
"""In every eighth round, the third among them, one caller talks so long that it is sealed while it talks."""
LONGEST_STAY = 25.0
"""How long a patient caller waits at most: three seconds to be taken, then two questions with their watchdogs."""


class Target(StrEnum):
    """What is struck."""

    DAEMON = "daemon"
    ASTERISK = "asterisk"


class How(StrEnum):
    """How it is struck: killed at once, told to end, or frozen for a while and then killed."""

    KILL = "kill"
    TERM = "term"
    FREEZE = "freeze"


class Upon(StrEnum):
    """What is changed on disk at the moment of a blow that waits for it."""

    SPOOL = "spool"
    OBJECTS = "objects"
    KEYS = "keys.db-wal"
    LEDGER = "ledger.db-wal"
    INDEX = "index.db-wal"


ERASURE = (Upon.LEDGER, Upon.KEYS, Upon.OBJECTS, Upon.INDEX)


@dataclass(frozen=True, slots=True)
class Moment:
    """After so many seconds of the round, or upon the ``count``-th change after them and ``delay`` seconds later."""

    after: float
    upon: Upon | None = None
    count: int = 1
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Blow:
    """One kill; ``frozen`` seconds lie between SIGSTOP and SIGKILL, ``pause`` seconds between death and restart."""

    target: Target
    how: How
    moment: Moment
    frozen: float
    pause: float


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One caller: when it calls, whom, and what it does then. Patient ones stay until they were served."""

    at: float
    extension: str
    steps: tuple[Step, ...]

    @property
    def patient(self) -> bool:
        """Whether the caller does not hang up by itself."""
        return isinstance(self.steps[-1], Stay)

    @property
    def busy_seconds(self) -> float:
        """How long after its start the caller still does something by itself."""
        keys = sum(len(step.keys) for step in self.steps if isinstance(step, Press))
        return sum(step.seconds for step in self.steps if isinstance(step, Wait)) + keys * KEY_MS / 1000

    @property
    def withdraws(self) -> bool:
        """Whether the caller presses the withdrawal key at some time."""
        return Press("*9") in self.steps

    @property
    def must(self) -> bool:
        """Whether the call may not be served unrecorded."""
        return self.extension.endswith("-must")


@dataclass(frozen=True, slots=True)
class Erasing:
    """A command that erases ``count`` earlier recordings; ``pick`` (0 to 1) says which ones of those there are."""

    at: float
    pick: float
    count: int


@dataclass(frozen=True, slots=True)
class Round:
    """All that happens in one round."""

    number: int
    calls: tuple[CallPlan, ...]
    blows: tuple[Blow, ...]
    erasing: Erasing | None

    @property
    def seconds(self) -> float:
        """How long the callers who do not stay are busy at most."""
        return max([ROUND_SECONDS, *(plan.at + plan.busy_seconds for plan in self.calls if not plan.patient)])


def plan(seed: int, number: int) -> Round:
    """Return round ``number`` (from 1) of ``seed``."""
    dice = random.Random(f"{seed}/{number}")
    calls = tuple(_call(dice) for _ in range(dice.randint(3, 5)))
    blows = [_blow(dice) for _ in range(dice.choice((1, 1, 1, 2)))]
    erasing = None
    if dice.random() < 0.5:
        erasing = Erasing(_tenths(dice, 0.5, 2.2), dice.random(), dice.randint(1, 2))
        if dice.random() < 0.5:
            # Into the middle of the erasure, which is over in some milliseconds.
            moment = Moment(erasing.at, dice.choice(ERASURE), 1, dice.choice(DELAYS))
            blows[0] = Blow(Target.DAEMON, How.KILL, moment, 0.0, 0.0)
    if number % 5 == 0 and all(blow.target is Target.DAEMON for blow in blows):
        how = How.TERM if blows[-1].how is How.TERM else How.KILL
        blows[-1] = replace(blows[-1], target=Target.ASTERISK, how=how)
    if number % LONG_EVERY == LONG_ROUND:
        calls, blows = (_long_call(dice), *calls[1:]), [_late_blow(dice), *blows[1:]]
    return Round(number, calls, tuple(sorted(blows, key=lambda blow: blow.moment.after)), erasing)


def _call(dice: random.Random) -> CallPlan:
    extension = dice.choices(("support", "once", "support-must"), (6, 2, 2))[0]
    if dice.random() < 0.4:
        extension = f"agi-{extension}"
    asked: list[Step] = []
    match dice.choices(("accept", "refuse", "silence", "wrong"), (10, 1, 1, 1))[0]:
        case "accept":
            asked = [Wait(_tenths(dice, PROMPT_SECONDS - 0.3, PROMPT_SECONDS + 0.4)), Press("1")]
        case "refuse":
            asked = [Wait(_tenths(dice, 0.2, PROMPT_SECONDS + 0.5)), Press("2")]
        case "wrong":
            asked = [Wait(_tenths(dice, 0.2, PROMPT_SECONDS)), Press("7"), Wait(_tenths(dice, 0.2, 1.2)), Press("1")]
        case _:
            pass
    said: list[Step] = [Wait(_tenths(dice, 0.2, 1.2))]
    if dice.random() < 0.4:
        said += [Press("*9"), Wait(_tenths(dice, 0.1, 0.5))]
    # A call that may be routed away is ended by the other side at any moment; so it has no end of its own.
    stays = extension.endswith("-must") or dice.random() < 0.35
    end: Step = Stay(LONGEST_STAY) if stays else Hangup()
    steps = [*asked, *said, end]
    if not stays and dice.random() < 0.2:
        steps = [Wait(_tenths(dice, 0.1, PROMPT_SECONDS + 0.5)), Hangup()]
    return CallPlan(_tenths(dice, 0, 0.5), extension, tuple(steps))


def _long_call(dice: random.Random) -> CallPlan:
    steps: list[Step] = [Wait(_tenths(dice, PROMPT_SECONDS + 0.2, PROMPT_SECONDS + 0.5)), Press("1")]
    steps.append(Wait(_tenths(dice, 9.5, 13.5)))
    if dice.random() < 0.3:
        steps += [Press("*9"), Wait(_tenths(dice, 0.1, 0.5))]
    extension = dice.choice(("support", "agi-support"))
    return CallPlan(_tenths(dice, 0, 0.3), extension, (*steps, Hangup()))


def _late_blow(dice: random.Random) -> Blow:
    """Return a blow that falls while a long call is being sealed, mostly right upon a chunk of it."""
    how = dice.choices((How.KILL, How.TERM, How.FREEZE), (6, 2, 1))[0]
    moment = Moment(_tenths(dice, 9.5, 12.5))
    if dice.random() < 0.75:
        upon = dice.choices((Upon.OBJECTS, Upon.KEYS, Upon.SPOOL), (4, 1, 1))[0]
        moment = Moment(_tenths(dice, 7.5, 9.5), upon, dice.choice((1, 1, 2, 3)), dice.choice(DELAYS))
    return Blow(Target.DAEMON, how, moment, _tenths(dice, 0.1, 1.0), dice.choice((0.0, 0.1, 0.8)))


def _blow(dice: random.Random) -> Blow:
    target = dice.choices((Target.DAEMON, Target.ASTERISK), (3, 1))[0]
    how = dice.choices((How.KILL, How.TERM, How.FREEZE), (6, 2, 2))[0]
    if target is Target.ASTERISK and how is How.FREEZE:
        how = How.KILL
    moment = Moment(_tenths(dice, 0, ROUND_SECONDS))
    if dice.random() < 0.55:
        after = _tenths(dice, 0.3, ROUND_SECONDS - 0.3)
        moment = Moment(after, dice.choice(tuple(Upon)), dice.choice((1, 1, 2, 3)), dice.choice(DELAYS))
    return Blow(target, how, moment, _tenths(dice, 0.1, 1.0), dice.choice((0.0, 0.0, 0.1, 0.3, 0.8)))


def _tenths(dice: random.Random, least: float, most: float) -> float:
    return round(dice.uniform(least, most), 2)
