"""The telephone's SIP and SDP as text: messages, dialogs, and who sends after an offer and its answer."""

import pytest

from tests.pbx import sip
from tests.pbx.g711 import Codec
from tests.pbx.sdp import Direction, Media, describe
from tests.pbx.sip import Dialog, Message

INVITE = Message.parse(
    b"INVITE sip:agent@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK1\r\n"
    b"Record-Route: <sip:a;lr>\r\nRecord-Route: <sip:b;lr>\r\nFrom: \"1\" <sip:1@127.0.0.1>;tag=theirs\r\n"
    b"To: <sip:agent@127.0.0.1>\r\nContact: <sip:asterisk@127.0.0.1:5060>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n\r\n"
)  # fmt: skip


def test_a_message_that_is_written_is_read_as_it_was() -> None:
    message = Dialog.placing("123", "support", 5070, 5060).invite("v=0\r\n")
    read = Message.parse(message.data())
    assert (read.start, read.body, read.method) == (message.start, "v=0\r\n", "INVITE")
    assert read.headers == (*message.headers, ("Content-Length", "5"))


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(ValueError, match="no SIP message"):
        Message.parse(b"\0\0\r\n\r\n")


def test_a_called_telephone_keeps_who_is_who_and_the_way_back() -> None:
    dialog = Dialog.answering(INVITE, 5070)
    answer = sip.response(INVITE, 200, to_tag=sip.tag(dialog.local))
    assert (answer.status, answer.all("Via"), answer.branch) == (200, INVITE.all("Via"), "z9hG4bK1")
    assert answer.get("To") == dialog.local
    bye = dialog.request("BYE")
    assert bye.start == "BYE sip:asterisk@127.0.0.1:5060 SIP/2.0"
    assert (bye.get("From"), bye.get("To")) == (dialog.local, INVITE.get("From"))
    assert bye.all("Route") == ["<sip:a;lr>", "<sip:b;lr>"]


def test_a_calling_telephone_learns_tag_target_and_routes_from_the_answer() -> None:
    dialog = Dialog.placing("", "support", 5070, 5060)
    invite = dialog.invite("")
    headers = [("Contact", "<sip:asterisk@127.0.0.1:5061>"), ("Record-Route", "<sip:a>"), ("Record-Route", "<sip:b>")]
    dialog.learn(sip.response(invite, 200, to_tag="theirs", headers=headers))
    ack = dialog.request("ACK", counted=invite.sequence)
    assert ack.start == "ACK sip:asterisk@127.0.0.1:5061 SIP/2.0"
    assert ack.all("Route") == ["<sip:b>", "<sip:a>"]
    assert (ack.sequence, ack.branch != invite.branch) == (invite.sequence, True)
    assert dialog.request("INFO").sequence == invite.sequence + 1
    assert dialog.replacing().endswith(
        f"Replaces={dialog.call_id}%3Bto-tag%3Dtheirs%3Bfrom-tag%3D{sip.tag(dialog.local)}"
    )


def test_what_ends_an_invite_has_its_branch_and_number() -> None:
    invite = Dialog.placing("1", "support", 5070, 5060).invite("")
    for method in ("CANCEL", "ACK"):
        ending = sip.same_hop(invite, method)
        assert (ending.branch, ending.sequence, ending.method) == (invite.branch, invite.sequence, method)


@pytest.mark.parametrize(
    ("offered", "wanted", "answered"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
    ],
)
def test_a_direction_is_answered_by_what_both_want(offered: str, wanted: str, answered: str) -> None:
    assert Direction(offered).answer(Direction(wanted)) is Direction(answered)


def test_a_description_is_read_as_it_was_written() -> None:
    text = describe(4000, [Codec.ALAW, Codec.ULAW], 101, Direction.SENDONLY, 2)
    assert Media.parse(text) == Media("127.0.0.1", 4000, (Codec.ALAW, Codec.ULAW), 101, Direction.SENDONLY)
    assert Media.parse(describe(4000, [Codec.ULAW], 0, Direction.SENDRECV, 1)).events == 0


def test_a_description_without_sound_is_refused() -> None:
    with pytest.raises(ValueError, match="no sound"):
        Media.parse("v=0\r\nc=IN IP4 127.0.0.1\r\nm=image 1 udptl t38\r\n")
