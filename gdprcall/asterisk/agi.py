"""The AGI line protocol, without any I/O: bytes in, messages out; commands to bytes (docs.asterisk.org, "AGI Commands").

It keeps no more than one bounded line and one bounded environment, and never sends a line break inside a command.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gdprcall.errors import PeerError

LONGEST_LINE = 2048
MOST_VARIABLES = 128
LONGEST_USAGE = 16 * 1024
"""How much text may follow a reply of several lines (520)."""

_VARIABLE = re.compile(r"agi_([a-z0-9_]{1,40}): ?(.*)", re.ASCII)
_REPLY = re.compile(r"(\d{3})([ -])(.*)", re.ASCII)
_RESULT = re.compile(r"result=(-?\d{1,9})(?: |$)", re.ASCII)
_ENDPOS = re.compile(r" endpos=(\d{1,12})$", re.ASCII)


class Malformed(PeerError):
    """What came is no AGI, or more of it than anybody needs."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What Asterisk says of a call when it connects: ``agi_<name>`` by name."""

    variables: Mapping[str, str]

    def __repr__(self) -> str:
        """Leave the values out: the caller's number is among them."""
        return f"Environment({len(self.variables)} variables)"

    @property
    def arguments(self) -> list[str]:
        """The arguments of the dialplan's AGI(), in order."""
        found: list[str] = []
        while (value := self.variables.get(f"arg_{len(found) + 1}")) is not None:
            found.append(value)
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one command; ``endpos`` is in samples, as the sound file has them."""

    code: int
    result: int | None
    endpos: int | None = None


@dataclass(frozen=True, slots=True)
class HungUp:
    """A line of its own that may come at any time: the channel is no more."""


Message = Environment | Reply | HungUp


class Conversation:
    """What one connection has said so far; an environment comes first, then replies."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._variables: dict[str, str] | None = {}
        self._usage = 0
        self._code = 0

    def receive(self, data: bytes) -> list[Message]:
        """Return the messages that ``data`` completes; raises Malformed, after which nothing more is understood."""
        self._buffer += data
        messages: list[Message] = []
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            message = self._line(line)
            if message is not None:
                messages.append(message)
        if len(self._buffer) > LONGEST_LINE:
            raise Malformed("a line of AGI does not end")
        return messages

    def _line(self, line: bytes) -> Message | None:
        if len(line) > LONGEST_LINE or b"\0" in line:
            raise Malformed("a line of AGI is too long, or no text")
        text = line.decode("utf-8", "replace")
        if self._variables is not None:
            return self._variable(text)
        return self._more_usage(text) if self._code else self._reply(text)

    def _variable(self, text: str) -> Environment | None:
        assert self._variables is not None
        if not text and self._variables:
            environment, self._variables = Environment(self._variables), None
            return environment
        found = _VARIABLE.fullmatch(text)
        if found is None or len(self._variables) >= MOST_VARIABLES:
            raise Malformed("the environment of AGI is malformed, or too long")
        self._variables[found[1]] = found[2]
        return None

    def _reply(self, text: str) -> Reply | HungUp | None:
        if text == "HANGUP":
            return HungUp()
        found = _REPLY.fullmatch(text)
        if found is None:
            raise Malformed("a reply of AGI is malformed")
        code, rest = int(found[1]), found[3]
        if found[2] == "-":
            self._code, self._usage = code, 0
            return None
        result, endpos = _RESULT.match(rest), _ENDPOS.search(rest)
        return Reply(code, int(result[1]) if result else None, int(endpos[1]) if endpos else None)

    def _more_usage(self, text: str) -> Reply | None:
        self._usage += len(text) + 1
        if self._usage > LONGEST_USAGE:
            raise Malformed("a reply of AGI does not end")
        if not text.startswith(f"{self._code} "):
            return None
        reply, self._code = Reply(self._code, None), 0
        return reply


def command(verb: str, *arguments: str | int) -> bytes:
    """Return one command as it is sent, its arguments quoted; raises Malformed for what a line cannot hold."""
    words = [verb, *(_quoted(str(argument)) for argument in arguments)]
    return (" ".join(words) + "\n").encode()


def _quoted(argument: str) -> str:
    if any(char in argument for char in "\r\n\0"):
        raise Malformed("an argument for AGI holds a line break", "this is never sent: find out where it comes from")
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'
