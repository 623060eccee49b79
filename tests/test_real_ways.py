"""The ways in which calls differ between sites: keys, codecs, direct media, diversions, Local channels, a telephone that takes over.

Each is recorded like any other, whole, and without anybody who was not asked; withdrawal works by each kind of key.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.pbx.asterisk import Asterisk, free_port
from tests.pbx.g711 import Codec
from tests.pbx.phone import Phone, Way
from tests.pbx.talks import DIALPLAN, TALK_S, Placed, Scene, Talk, alone, opened
from tests.pbx.tones import AGENT, CALLER, THIRD, seconds

pytestmark = pytest.mark.pbx

SITE = (
    DIALPLAN
    + """
exten => 310,1,Dial(PJSIP/agent,30,tTb(gdprcall-desk^s^1))
[globals](+)
WHERE_near=PJSIP/near
WHERE_local=Local/310@agent-side
WHERE_localn=Local/310@agent-side/n
WHERE_diverts=PJSIP/diverts
[inbound](+)
exten => _to-.,1,Set(DB(call/${CALLERID(num)})=${UNIQUEID})
 same => n,Set(__TRANSFER_CONTEXT=gdprcall-xfer)
 same => n,Gosub(gdprcall,s,1(friends,may))
 same => n,Dial(${WHERE_${EXTEN:3}},60,tTkKb(gdprcall-desk^s^1))
 same => n,Hangup()
exten => agi,1,Set(DB(call/${CALLERID(num)})=${UNIQUEID})
 same => n,Set(__TRANSFER_CONTEXT=gdprcall-xfer)
 same => n,Gosub(gdprcall-agi,s,1(friends,may))
 same => n,Dial(PJSIP/agent,60,tTkKb(gdprcall-desk^s^1))
 same => n,Hangup()
; The same PBX once more, which is then called in G.722.
exten => _wide-.,1,Dial(PJSIP/desk-${EXTEN:5}@wide,60)
"""
)
ENDPOINTS = """
[near](trunk)
direct_media=yes
context=agent-side
aors=near
[near]
type=aor
contact=sip:near@127.0.0.1:{near}
[far](trunk)
direct_media=yes
[diverts](trunk)
context=agent-side
aors=diverts
[diverts]
type=aor
contact=sip:diverts@127.0.0.1:{diverts}
[wide](trunk)
allow=!all,g722
aors=wide
[wide]
type=aor
contact=sip:127.0.0.1:{sip}
"""


def talks_on(_talk: Talk) -> None:
    time.sleep(TALK_S)


def withdraws(way: Way) -> Callable[[Talk], None]:
    def act(talk: Talk) -> None:
        talk.outer.press("*9", way)
        talk.wait_told("withdrawn")
        time.sleep(0.5)

    return act


def changes_codec(talk: Talk) -> None:
    talk.outer.offer(codecs=(Codec.ALAW,))
    time.sleep(2 * TALK_S)


def pauses(talk: Talk) -> None:
    talk.inner.press("*7")
    time.sleep(TALK_S)
    talk.inner.press("*8")
    talk.wait_told("recording_resumed")
    time.sleep(TALK_S + 0.5)


def hands_on(talk: Talk) -> None:
    talk.inner.transfer("301")
    talk.joined()
    time.sleep(TALK_S)


def hands_on_asked(talk: Talk) -> None:
    talk.inner.transfer("301")
    joined = talk.joined()
    talk.hear_question()
    joined.press("1")
    talk.outer.wait_to_hear(THIRD, within=20)
    time.sleep(TALK_S + 0.5)


def is_taken_over(talk: Talk) -> None:
    talk.scene.third.call("300", replaced=talk.inner).wait_answered()
    talk.outer.wait_to_hear(THIRD, within=20)
    time.sleep(TALK_S)


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Talk]]:
    ports = {name: free_port(socket.SOCK_DGRAM) for name in ("near", "diverts")}

    def endpoints(asterisk: Asterisk) -> str:
        return ENDPOINTS.format(**ports, sip=asterisk.sip_port)

    with ExitStack() as stack:
        scene = stack.enter_context(opened(tmp_path_factory.mktemp("ways"), dialplan=SITE, telephones=endpoints))
        near = stack.enter_context(Phone(scene.asterisk, "near", AGENT, port=ports["near"]))
        diverts = Phone(
            scene.asterisk, "diverts", None, port=ports["diverts"], refuses=302, diverts="sip:301@127.0.0.1"
        )
        stack.enter_context(diverts)
        yield played(scene, near)


def played(scene: Scene, near: Phone) -> dict[str, Talk]:
    """Play one call for each way, and return them by name."""
    calls: dict[str, tuple[Placed, Callable[[Talk], None]]] = {
        "keys by RFC 4733": (Placed(way=Way.EVENT), withdraws(Way.EVENT)),
        "keys by INFO": (Placed(), withdraws(Way.INFO)),
        "keys in band": (Placed(name="outside", way=Way.TONES), withdraws(Way.TONES)),
        "A-law": (Placed(codecs=(Codec.ALAW,)), talks_on),
        "G.722": (Placed(extension="wide-friends", way=Way.EVENT), talks_on),
        "mu-law, then A-law": (Placed(codecs=(Codec.ULAW,)), changes_codec),
        "direct media": (Placed(name="far", extension="to-near", answers=near), pauses),
        "taken over": (Placed(), is_taken_over),
        "diverted": (Placed(extension="to-diverts", answers=scene.third, hears=THIRD), talks_on),
        "Local": (Placed(extension="to-local"), hands_on),
        "Local with /n": (Placed(extension="to-localn"), hands_on),
        "FastAGI, handed on": (Placed(extension="agi"), hands_on_asked),
        "FastAGI, paused": (Placed(extension="agi"), pauses),
        "FastAGI, withdrawn": (Placed(extension="agi"), withdraws(Way.INFO)),
    }
    acts = {name: ("friends", act) for name, (_, act) in calls.items()}
    return scene.play(acts, {name: placed for name, (placed, _) in calls.items()})


@pytest.mark.parametrize("name", ["keys by RFC 4733", "keys by INFO", "keys in band", "FastAGI, withdrawn"])
def test_con_08_by_each_kind_of_key_a_caller_agrees_and_withdraws(talks: dict[str, Talk], name: str) -> None:
    talk = talks[name]
    (row,) = [r for r in talk.scene.installation.json("recordings", "list") if r["id"] == talk.recording]
    assert (row["state"], row["outcome"]) == ("erased", "withdrawn")
    assert talk.segments() == []


@pytest.mark.parametrize("name", ["A-law", "G.722", "mu-law, then A-law"])
def test_both_voices_are_recorded_whole_in_each_codec(talks: dict[str, Talk], name: str) -> None:
    (only,) = talks[name].segments()
    assert alone(only, CALLER, AGENT), only
    # Whoever speaks without a pause is heard without one: nothing is lost where the codec changes.
    assert all(len(only[voice]) == 1 or seconds(only[voice]) > 2 * TALK_S for voice in (CALLER, AGENT)), only


@pytest.mark.parametrize("name", ["direct media", "FastAGI, paused"])
def test_a_pause_lies_between_two_segments_also_where_sound_goes_past_asterisk(
    talks: dict[str, Talk], name: str
) -> None:
    first, second = talks[name].segments()
    assert alone(first, CALLER, AGENT), first
    assert alone(second, CALLER, AGENT), second


def test_pty_03_who_joins_a_call_that_was_asked_by_fastagi_is_asked_too(talks: dict[str, Talk]) -> None:
    first, second = talks["FastAGI, handed on"].segments()
    assert alone(first, CALLER, AGENT), first
    assert alone(second, CALLER, THIRD), second


def test_pty_04_a_telephone_that_takes_the_agents_place_is_not_recorded(talks: dict[str, Talk]) -> None:
    first, *others = talks["taken over"].segments()
    assert alone(first, CALLER, AGENT), first
    assert not others


def test_whoever_a_telephone_diverts_the_call_to_is_the_one_the_caller_was_asked_about(talks: dict[str, Talk]) -> None:
    (only,) = talks["diverted"].segments()
    assert alone(only, CALLER, THIRD), only


@pytest.mark.parametrize("name", ["Local", "Local with /n"])
def test_pty_04_a_transfer_behind_a_local_channel_ends_the_recording_too(talks: dict[str, Talk], name: str) -> None:
    first, *others = talks[name].segments()
    assert alone(first, CALLER, AGENT), first
    assert not others
