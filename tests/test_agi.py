"""The AGI line protocol: what Asterisk says in any pieces, what nobody should say, and what we never send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall.asterisk.agi import (
    LONGEST_LINE,
    LONGEST_USAGE,
    MOST_VARIABLES,
    Conversation,
    Environment,
    HungUp,
    Malformed,
    Message,
    Reply,
    command,
)

GREETING = (
    b"agi_network: yes\nagi_network_script: claim\nagi_channel: PJSIP/a-1\nagi_callerid: +46701740001\n"
    b"agi_calleridname: J\xc3\xbcrgen\nagi_rdnis: \nagi_arg_1: v1\nagi_arg_2: support\n\n"
)


def greeted() -> Conversation:
    conversation = Conversation()
    conversation.receive(GREETING)
    return conversation


def test_the_environment_ends_with_an_empty_line_and_gives_the_arguments_in_order() -> None:
    (environment,) = Conversation().receive(GREETING)
    assert isinstance(environment, Environment)
    assert environment.arguments == ["v1", "support"]
    assert environment.variables["calleridname"] == "Jürgen"
    assert environment.variables["rdnis"] == ""


def test_sec_05_the_callers_number_is_not_shown() -> None:
    (environment,) = Conversation().receive(GREETING)
    assert "4670" not in repr(environment)


@given(st.lists(st.integers(1, 40)))
def test_the_same_comes_out_whatever_the_pieces(sizes: list[int]) -> None:
    data = (
        GREETING + b"200 result=49 endpos=9440\nHANGUP\n520-Invalid\nUsage: x\n520 End of proper usage.\n200 result=0\n"
    )
    whole = Conversation().receive(data)
    conversation, pieces, at = Conversation(), list[Message](), 0
    for size in sizes:
        pieces += conversation.receive(data[at : at + size])
        at += size
    assert pieces + conversation.receive(data[at:]) == whole
    assert whole[1:] == [Reply(200, 49, 9440), HungUp(), Reply(520, None), Reply(200, 0)]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"200 result=-1 endpos=0\r\n", Reply(200, -1, 0)),
        (b"200 result=1 (speech) endpos=12\n", Reply(200, 1, 12)),
        (b"200 result=0\n", Reply(200, 0)),
        (b"100 result=0 Trying...\n", Reply(100, 0)),
        (b"511 Command Not Permitted on a dead channel or intercept routine\n", Reply(511, None)),
        (b"510 Invalid or unknown command\n", Reply(510, None)),
    ],
)
def test_replies_are_read(line: bytes, reply: Reply) -> None:
    assert greeted().receive(line) == [reply]


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"GET / HTTP/1.1\r\n",
        b"agi_network: yes\nHANGUP\n",
        b"agi_x: \0\n\n",
        b"agi_" + b"x" * 50 + b": y\n",
        b"x" * (LONGEST_LINE + 1),
        b"agi_x: " + b"y" * LONGEST_LINE + b"\n",
        b"".join(b"agi_v%d: 1\n" % number for number in range(MOST_VARIABLES + 1)),
        bytes(range(256)),
    ],
)
def test_what_is_no_greeting_is_refused_within_its_first_lines(data: bytes) -> None:
    with pytest.raises(Malformed):
        Conversation().receive(data)


@pytest.mark.parametrize(
    "data", [b"hello\n", b"20 result=0\n", b"2000\n", b"x" * (LONGEST_LINE + 1), b"520-\n" + b"usage\n" * LONGEST_USAGE]
)
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        greeted().receive(data)


@given(st.binary(max_size=5000))
def test_random_bytes_are_understood_or_refused_and_nothing_else(data: bytes) -> None:
    for conversation in (Conversation(), greeted()):
        try:
            conversation.receive(data)
        except Malformed as error:
            assert str(error)  # noqa: PT017 # any other exception fails the test


def test_arguments_are_quoted() -> None:
    assert command("STREAM FILE", "/a b/c", "0123", 7) == b'STREAM FILE "/a b/c" "0123" "7"\n'
    assert command("EXEC Goto", 'a"b\\c') == b'EXEC Goto "a\\"b\\\\c"\n'


@pytest.mark.parametrize("char", ["\r", "\n", "\0"])
def test_a_line_break_never_leaves_in_an_argument(char: str) -> None:
    with pytest.raises(Malformed):
        command("EXEC Goto", f"a{char}HANGUP")
