"""Single keys of a terminal, as they are pressed; where there is no terminal, none ever are."""

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gdprcall.playing import LEFT, RIGHT

ARROWS = {"\x1b[D": LEFT, "\x1b[C": RIGHT, "\x1bOD": LEFT, "\x1bOC": RIGHT}
LONGEST = 8
"""Bytes of the longest thing that one key sends."""


@contextmanager
def keys() -> Iterator[Callable[[], str]]:
    """Yield what tells the key that was pressed, "" for none, without waiting; the terminal is as before afterwards."""
    if not sys.stdin.isatty():
        yield lambda: ""
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number)
        yield lambda: _pressed(number)
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _pressed(number: int) -> str:
    if not select.select([number], [], [], 0)[0]:
        return ""
    sent = os.read(number, LONGEST).decode(errors="replace")
    return ARROWS.get(sent, sent[:1])
