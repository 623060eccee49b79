"""A sound that is played: where it is, and what a key does to it. Pure: it touches no device and no terminal."""

from dataclasses import dataclass

SKIP_SECONDS = 5
BLOCKS_A_SECOND = 20
"""How often a key is looked for."""
LEFT, RIGHT, PAUSE, QUIT = "left", "right", " ", "q"


@dataclass(slots=True)
class Tape:
    """Sound in memory: ``frame`` bytes for each moment, ``rate`` moments a second, ``at`` the next moment that is heard."""

    sound: bytes
    rate: int
    frame: int
    at: int = 0
    paused: bool = False
    over: bool = False

    @property
    def length(self) -> int:
        """How many moments there are."""
        return len(self.sound) // self.frame

    def press(self, key: str) -> None:
        """Take a key: the arrows skip, the blank pauses and goes on, q ends it; others do nothing."""
        match key:
            case "left":
                self._go(self.at - SKIP_SECONDS * self.rate)
            case "right":
                self._go(self.at + SKIP_SECONDS * self.rate)
            case " ":
                self.paused = not self.paused
            case "q":
                self.over = True
            case _:
                pass

    def begin_at(self, seconds: float) -> None:
        """Go to a place."""
        self._go(round(seconds * self.rate))

    def block(self) -> bytes:
        """Return what is heard next, nothing while it pauses; after the last of it, it is over."""
        if self.paused or self.over:
            return b""
        begin, self.at = self.at, min(self.at + max(1, self.rate // BLOCKS_A_SECOND), self.length)
        self.over = self.at == self.length
        return self.sound[begin * self.frame : self.at * self.frame]

    def line(self) -> str:
        """Return where it is, as a person reads it."""
        state = "  paused" if self.paused else ""
        return f"{_clock(self.at // self.rate)} / {_clock(self.length // self.rate)}{state}"

    def _go(self, to: int) -> None:
        self.at = max(0, min(to, self.length))


def _clock(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}"
