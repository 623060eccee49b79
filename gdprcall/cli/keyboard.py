"""Single keys of a terminal, as they are pressed; where there is no terminal, none ever are."""

import os
import re
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gdprcall.playing import LEFT, RIGHT

ARROWS = {"\x1b[D": LEFT, "\x1b[C": RIGHT, "\x1bOD": LEFT, "\x1bOC": RIGHT}
_KEY = re.compile(r"\x1b[\[O][A-Za-z]|.", re.DOTALL)
AT_ONCE = 64
"""So many bytes of what was typed ahead are read together."""


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
        ahead: list[str] = []
        yield lambda: _pressed(number, ahead)
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _pressed(number: int, ahead: list[str]) -> str:
    if select.select([number], [], [], 0)[0]:
        sent = os.read(number, AT_ONCE).decode(errors="replace")
        ahead += _KEY.findall(sent)
    key = ahead.pop(0) if ahead else ""
    return ARROWS.get(key, key)
