"""The calls of the demonstration in which something happens after the question: handed on, paused, called out, by FastAGI.

Each has its own telephones, which speak; what the recording holds is told from the sound, by whoever listens.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tests.pbx.asterisk import Asterisk
from tests.pbx.phone import Call, Phone
from tests.pbx.prepare import ROOT
from tests.pbx.speech import reference
from tests.pbx.talks import of

TALK_S = 4.0
"""How long each part of a talk lasts: long enough to know a voice by."""
LINES = """
[lines.offers]
controller = "acme"
purpose = "quality"
basis = "consent"
direction = "outbound"
source = "your order"
languages = ["en"]
more = ""
attempts = 1
timeout_seconds = 2
"""
DIALPLAN = (
    f"""
#include {ROOT}/dialplan/gdprcall-out.conf
"""
    + """
[globals](+)
GDPRCALL_ONWARD=agent-side
[inbound](+)
; In hand: the agent here has keys, and may hand the caller on.
exten => hand,1,Set(__TRANSFER_CONTEXT=gdprcall-xfer)
 same => n,Goto(hand,gdprcall,1)
exten => fastagi,1,Goto(hand,gdprcall-agi,1)
[hand]
exten => _g.,1,Set(DB(call/${CALLERID(num)})=${UNIQUEID})
 same => n,Gosub(${EXTEN},s,1(support,may))
 same => n,Set(DB(result/${CALLERID(num)})=${GOSUB_RETVAL})
 same => n,ExecIf($["${GDPRCALL_REC}"!=""]?Set(DB(recording/${CALLERID(num)})=${GDPRCALL_REC}))
 same => n,Dial(PJSIP/silent,60,tTb(gdprcall-desk^s^1))
 same => n,Hangup()
[agent-side]
; 9 and the number that is called. What the agent does not see is written down when the call is over.
exten => _9X.,1,Gosub(gdprcall-desk,s,1)
 same => n,Gosub(gdprcall-out,s,1(offers,may,${EXTEN:1}))
 same => n,Dial(PJSIP/third,60,mb(called^s^1(+${EXTEN:1}))G(gdprcall-out^met^1))
 same => n,Hangup()
[called]
exten => s,1,Set(DB(call/${ARG1})=${UNIQUEID})
 same => n,Set(CHANNEL(hangup_handler_push)=called-end,s,1(${ARG1}))
 same => n,Return()
[called-end]
exten => s,1,Set(DB(result/${ARG1})=${IF($["${GDPRCALL_REC}"=""]?unrecorded:recorded)})
 same => n,ExecIf($["${GDPRCALL_REC}"!=""]?Set(DB(recording/${ARG1})=${GDPRCALL_REC}))
 same => n,Return()
"""
)


@dataclass(frozen=True)
class House:
    """The telephones of the house and outside of it, and how long the two questions last."""

    asterisk: Asterisk
    agent: Phone
    outsider: Phone
    called: Phone
    question: float
    offer: float

    @contextmanager
    def talk(self, number: str, extension: str) -> Iterator[tuple[Call, Call]]:
        """Yield both ends of a call whose caller agreed, after some talk; the caller hangs up."""
        with Phone(self.asterisk, number, reference("caller")) as caller:
            outer = caller.call(extension).wait_answered()
            time.sleep(self.question + 0.7)
            outer.press("1")
            inner = of(self.agent, number)
            time.sleep(TALK_S)
            yield outer, inner
            outer.hang_up()

    def handed_on(self, number: str) -> None:
        """Hand the caller on to somebody outside, whom nobody asked."""
        with self.talk(number, "hand") as (_, inner):
            inner.transfer("302")
            of(self.outsider, number)
            time.sleep(TALK_S)

    def card(self, number: str) -> None:
        """Pause while the caller says the number of a card."""
        with self.talk(number, "hand") as (outer, inner):
            inner.press("*7")
            outer.say(reference("card"))
            time.sleep(TALK_S)
            outer.say(reference("caller"))
            inner.press("*8")
            time.sleep(TALK_S)

    def by_fastagi(self, number: str) -> None:
        """Agree on a line that is asked by FastAGI."""
        with self.talk(number, "fastagi"):
            time.sleep(1)

    def outbound(self, number: str) -> None:
        """Call somebody, who is asked before the agent hears him, and agrees."""
        leg = self.agent.call(f"9{number.removeprefix('+')}")
        called = self.called.wait_for_call().wait_answered()
        time.sleep(self.offer + 0.7)
        called.press("1")
        time.sleep(TALK_S + 1)
        leg.hang_up()


SCENES: Mapping[str, Callable[[House, str], None]] = {
    "handed on": House.handed_on,
    "card": House.card,
    "by FastAGI": House.by_fastagi,
    "called": House.outbound,
}


@contextmanager
def housed(asterisk: Asterisk, question: float, offer: float) -> Iterator[House]:
    """Open the telephones."""
    with (
        Phone(asterisk, "silent", reference("agent"), port=asterisk.silent_port) as agent,
        Phone(asterisk, "outside", reference("third"), port=asterisk.outside_port) as outsider,
        Phone(asterisk, "third", reference("caller"), port=asterisk.third_port) as called,
    ):
        yield House(asterisk, agent, outsider, called, question, offer)


@contextmanager
def playing(house: House, numbers: Mapping[str, str]) -> Iterator[None]:
    """Play one scene for each number, beside whatever else goes on, and wait for their ends."""
    with ThreadPoolExecutor() as pool:
        scenes = [pool.submit(SCENES[name], house, number) for name, number in numbers.items()]
        yield
        for scene in scenes:
            scene.result()
