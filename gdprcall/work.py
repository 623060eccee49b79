"""What intake stands on: the vault, the spool's listing, Asterisk's marks, and who says what.

It does nothing itself.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gdprcall.errors import NotFound, Refused
from gdprcall.policy.model import Controller
from gdprcall.times import Clock, now_ms
from gdprcall.vault.archive import Vault
from gdprcall.vault.rows import RecordingRow
from gdprcall.vault.sound import Legs, Source
from gdprcall.vault.wav import EmptyWav, NotAWav

UNSEALED: Mapping[type[Exception], str] = {
    FileNotFoundError: "gone",
    NotFound: "no_decision",
    Refused: "withdrawn",  # or its erasure was begun, since it was looked at
    EmptyWav: "empty",
    NotAWav: "no_wav",
}
"""Why a file was not sealed."""


class Marks(Protocol):
    """The withdrawals that the dialplan wrote down while nobody listened."""

    async def withdrawn_mark(self, recording: str) -> bool:
        """Whether the caller of ``recording`` withdrew; raises PeerError when Asterisk cannot be asked."""

    async def forget_mark(self, recording: str) -> None:
        """Remove the mark once the erasure is durable; raises PeerError."""


class Found(Protocol):
    """One segment in the spool, named ``<recording>.<segment>.wav``."""

    @property
    def path(self) -> Path:
        """Where it lies, or would if it were one file."""

    @property
    def legs(self) -> tuple[Path, Path] | None:
        """The two files that it is instead, the caller's and the others'; None for one file."""

    @property
    def recording(self) -> str:
        """The recording it belongs to: 32 hex digits."""

    @property
    def segment(self) -> int:
        """Its number in the recording, from 1."""


def source(file: Found) -> Source:
    """Return where the sound of a segment is."""
    return Legs(*file.legs) if file.legs is not None else file.path


def nobody(_file: Found) -> None:
    """Look after no file."""


@dataclass(frozen=True, slots=True)
class Work:
    """What intake stands on: the vault, the spool's listing and who says what.

    ``unattended`` says whether a recording must not be kept because nobody noted which agent answered;
    ``follow`` is told of each file that Asterisk writes and ``leave`` of each that it closed.
    """

    vault: Vault
    files: Callable[[], Sequence[Found]]
    recipients: Callable[[str], tuple[str, ...]]
    marks: Marks
    live: Callable[[], AbstractSet[str] | None]
    sole_controller: Callable[[], Controller | None] = lambda: None
    clock: Clock = now_ms
    quarantine_days: int = 7
    unattended: Callable[[RecordingRow], bool] = lambda _row: False
    follow: Callable[[Found], None] = nobody
    leave: Callable[[Found], None] = nobody
