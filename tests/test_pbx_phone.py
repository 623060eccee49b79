"""The acting telephone against a PBX that is one socket: what it answers to what an Asterisk may send, at whatever moment."""

import socket
from collections.abc import Iterator

import pytest

from tests.pbx import sip
from tests.pbx.phone import Codec, Phone, State
from tests.pbx.sdp import Direction, Media, describe
from tests.pbx.sip import Dialog, Message
from tests.pbx.tones import AGENT

OFFER = describe(4000, [Codec.ALAW, Codec.ULAW], 101, Direction.SENDRECV, 1)


class Pbx:
    """A socket, and the dialog of the one call that it makes."""

    def __init__(self) -> None:
        self.phone_port = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((sip.HOST, 0))
        self.socket.settimeout(5)
        self.sip_port: int = self.socket.getsockname()[1]
        self.dialog = Dialog.placing("123", "agent", self.sip_port, 0)

    def receive(self) -> Message:
        return Message.parse(self.socket.recv(65536))

    def ask(self, request: Message) -> Message:
        self.socket.sendto(request.data(), (sip.HOST, self.phone_port))
        return self.receive()

    def call(self) -> Message:
        """Call the telephone, and return its answer."""
        invite = self.dialog.invite(OFFER)
        assert self.ask(invite).status == 180
        answer = self.receive()
        self.dialog.learn(answer)
        self.socket.sendto(self.dialog.request("ACK", counted=invite.sequence).data(), (sip.HOST, self.phone_port))
        return answer


@pytest.fixture
def pbx() -> Iterator[Pbx]:
    pbx = Pbx()
    with pbx.socket:
        yield pbx


@pytest.fixture
def phone(pbx: Pbx) -> Iterator[Phone]:
    with Phone(pbx, "agent", AGENT) as phone:
        pbx.phone_port = int(phone.uri.rpartition(":")[2])
        yield phone


def test_it_answers_a_call_with_one_codec_and_ends_with_the_other_side(pbx: Pbx, phone: Phone) -> None:
    answer = pbx.call()
    assert (answer.status, Media.parse(answer.body).codecs) == (200, (Codec.ALAW,))
    call = phone.wait_for_call()
    assert (call.state, call.number) == (State.UP, "123")
    assert pbx.ask(pbx.dialog.request("BYE")).status == 200
    call.wait_ended()
    assert call.ended_by_peer


def test_it_goes_along_with_a_hold_and_with_an_update(pbx: Pbx, phone: Phone) -> None:
    pbx.call()
    call = phone.wait_for_call()
    held = pbx.ask(pbx.dialog.invite(OFFER.replace("a=sendrecv", "a=sendonly")))
    assert Media.parse(held.body).direction is Direction.RECVONLY
    assert not call.stream.direction.sends
    resumed = pbx.ask(pbx.dialog.request("UPDATE", [("Content-Type", "application/sdp")], OFFER))
    assert Media.parse(resumed.body).direction is Direction.SENDRECV
    assert pbx.ask(pbx.dialog.request("UPDATE")).body == ""
    offered = pbx.ask(pbx.dialog.request("INVITE"))
    assert Media.parse(offered.body).codecs == (Codec.ULAW, Codec.ALAW)


def test_it_answers_what_else_may_come(pbx: Pbx, phone: Phone) -> None:
    outside = Dialog.placing("", "agent", pbx.sip_port, 0)
    assert pbx.ask(outside.request("OPTIONS")).status == 200
    assert pbx.ask(outside.request("MESSAGE")).status == 481
    pbx.call()
    statuses = {method: pbx.ask(pbx.dialog.request(method)).status for method in ("OPTIONS", "NOTIFY", "REFER")}
    assert statuses == {"OPTIONS": 200, "NOTIFY": 200, "REFER": 501}
    assert pbx.ask(pbx.dialog.request("INFO", body="Signal=*\r\nDuration=100\r\n")).status == 200
    assert phone.wait_for_call().stream.keys == "*"


def test_what_comes_twice_is_answered_twice_and_done_once(pbx: Pbx, phone: Phone) -> None:
    pbx.call()
    info = pbx.dialog.request("INFO", body="Signal=7\r\nDuration=100\r\n")
    assert pbx.ask(info).headers == pbx.ask(info).headers
    assert phone.wait_for_call().stream.keys == "7"


def test_whoever_is_told_that_a_transfer_failed_stays_in_the_call(pbx: Pbx, phone: Phone) -> None:
    pbx.call()
    call = phone.wait_for_call()
    for status in ("100 Trying", "503 Service Unavailable"):
        pbx.ask(pbx.dialog.request("NOTIFY", body=f"SIP/2.0 {status}\r\n"))
    assert (call.referred, call.state) == ([100, 503], State.UP)
    pbx.ask(pbx.dialog.request("NOTIFY", body="SIP/2.0 200 OK\r\n"))
    assert pbx.receive().method == "BYE"
    assert call.state is State.ENDED


def test_what_is_no_message_is_passed_over(pbx: Pbx, phone: Phone) -> None:
    for data in (b"nonsense", b"\x80\xc8\xff"):
        pbx.socket.sendto(data, (sip.HOST, int(phone.uri.rpartition(":")[2])))
    pbx.call()
    assert phone.wait_for_call().state is State.UP


def test_a_broken_telephone_says_so_to_whoever_waits(pbx: Pbx) -> None:
    with pytest.raises(AssertionError, match="the telephone broke"), Phone(pbx, "agent", AGENT) as phone:
        # A message that names no sequence breaks the rules of RFC 3261 8.1.1.
        pbx.socket.sendto(b"INVITE sip:agent@127.0.0.1 SIP/2.0\r\n\r\n", (sip.HOST, int(phone.uri.rpartition(":")[2])))
        phone.wait_for_call()
