"""A finished sound on its way into the vault: one file, or one of each voice, opened warily and read as one WAV.

It writes nothing, and never has more of a sound in memory than is read at once.
"""

import errno
import os
import stat
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from gdprcall.errors import VaultError
from gdprcall.vault import wav
from gdprcall.vault.objects import sync_folder
from gdprcall.vault.punching import hole
from gdprcall.vault.stores import Step


@dataclass(frozen=True, slots=True)
class Legs:
    """The files of a segment whose voices were recorded apart: the caller's, and the others'. One may be missing."""

    caller: Path
    others: Path


Source = Path | Legs
"""Where a segment's sound is."""


@dataclass(frozen=True, slots=True)
class Part:
    """One open file of a sound, and what was known of it when it was opened."""

    path: Path
    file: BinaryIO
    stat: os.stat_result


@dataclass(frozen=True, slots=True)
class Sound:
    """What will be sealed of open files: ``head`` in place of their own, then ``rest`` bytes of what ``read`` gives.

    ``hole`` is where its plaintext was taken out already, if it was; ``legs`` how long the file of each voice is, if
    there are two, 0 for one that is missing. ``heard`` tells, once all was read, in which of the two there is any sound.
    """

    parts: tuple[Part, ...]
    read: Callable[[int], bytes]
    head: bytes
    rest: int
    seconds: float
    repaired: bool
    hole: tuple[int, int] | None = None
    legs: tuple[int, int] | None = None
    heard: Sequence[bool] = ()

    @property
    def size(self) -> int:
        """How many bytes are sealed."""
        return len(self.head) + self.rest

    @property
    def plaintext(self) -> int:
        """How many bytes its files have."""
        return sum(part.stat.st_size for part in self.parts)

    def check(self, unread: int) -> None:
        """Raise VaultError if something of it could not be read, or its files are not as they were opened."""
        for part in self.parts:
            now = os.fstat(part.file.fileno())
            if unread or (now.st_size, now.st_mtime_ns) != (part.stat.st_size, part.stat.st_mtime_ns):
                raise VaultError("the sound file changed while it was sealed", "it is tried again once it is closed")


def paths(source: Source) -> tuple[Path, ...]:
    """Return the files that a sound is made of, or would be."""
    return (source,) if isinstance(source, Path) else (source.caller, source.others)


def stats(source: Source) -> list[os.stat_result]:
    """Return what is known of each file of a sound that is there; raises FileNotFoundError when none is."""
    found = []
    for path in paths(source):
        with suppress(FileNotFoundError):
            found.append(path.stat())
    if not found:
        raise FileNotFoundError
    return found


@contextmanager
def opened(source: Source, *, raw: bool) -> Iterator[Sound]:
    """Open a sound to be read once; a ``raw`` one may be anything.

    Two legs become one WAV of two channels, the caller's left and the others' right; what one lacks is silence. Raises
    wav.NotAWav and wav.EmptyWav, VaultError.
    """
    with ExitStack() as files:
        try:
            if isinstance(source, Path):
                yield _one(_open(source, files), raw=raw)
            else:
                yield _two([_found(path, files) for path in paths(source)], raw=raw)
        except OSError as error:
            raise VaultError(f"a sound file cannot be read: {error.strerror}", "check the spool") from error


def rest_of(sound: Sound) -> Sound:
    """Return the sound of one file before and after its hole as one, under a right header of its own."""
    (part,) = sound.parts
    begin, end = sound.hole or (part.stat.st_size, part.stat.st_size)
    first = os.pread(part.file.fileno(), begin, 0)
    found = wav.examine(first[: wav.HEADER_BYTES], begin + part.stat.st_size - end)
    part.file.seek(end)
    head = found.header + first[wav.HEADER_BYTES :]
    rest = found.sound_bytes - (len(head) - wav.HEADER_BYTES)
    return replace(sound, head=head, rest=rest, seconds=found.seconds, repaired=True)


def remove(files: Sequence[Path], step: Step) -> None:
    """Remove sound files, each of which may be gone already; raises VaultError when one is still there."""
    try:
        for number, path in enumerate(files):
            if number:
                step("a leg removed")
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)
    except OSError as error:
        raise VaultError(
            f"a sound file could not be removed: {error.strerror}", "check the spool's owner and modes"
        ) from error
    if any(map(os.path.lexists, files)):
        raise VaultError("a sound file is still there after its removal", "look who writes into the spool")


def _found(path: Path, files: ExitStack) -> Part | None:
    try:
        return _open(path, files)
    except FileNotFoundError:
        return None


def _open(path: Path, files: ExitStack) -> Part:
    file = files.enter_context(open(path, "rb", opener=_warily))  # noqa: SIM115 # the stack closes it
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise VaultError("what lies in the spool is no file", "look who put it there")
    return Part(path, file, status)


def _warily(path: str, flags: int) -> int:
    # Whoever may write the spool may leave a link or a pipe there: neither is followed or waited for.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _one(part: Part, *, raw: bool) -> Sound:
    size = part.stat.st_size
    hidden = hole(part.file.fileno(), size)
    head = part.file.read(wav.HEADER_BYTES)
    try:
        found = wav.examine(head, size)
    except (wav.NotAWav, wav.EmptyWav):
        if not raw:
            raise
        return Sound((part,), part.file.read, head, size - len(head), 0.0, repaired=False, hole=hidden)
    return Sound((part,), part.file.read, found.header, found.sound_bytes, found.seconds, found.repaired, hidden)


def _two(legs: Sequence[Part | None], *, raw: bool) -> Sound:
    parts = tuple(part for part in legs if part is not None)
    if not parts:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    caller, others = (part.stat.st_size if part else 0 for part in legs)
    try:
        voices = [_voice(part) for part in legs]
        lengths = [voice.sound_bytes if voice else 0 for voice in voices]
        rates = {voice.rate for voice in voices if voice}
        if not rates:
            raise wav.EmptyWav("neither sound file holds any sound", "discard them")
        if len(rates) > 1:
            raise wav.NotAWav("the two sound files are not of one rate", "quarantine or discard them")
    except (wav.NotAWav, wav.EmptyWav):
        if not raw:
            raise
        # The one file and then the other, as they are: ``legs`` says where the first one ends.
        for part in parts:
            part.file.seek(0)
        return Sound(parts, _Chained(parts).read, b"", caller + others, 0.0, repaired=False, legs=(caller, others))
    longest, (rate,) = max(lengths), rates
    repaired = len(set(lengths)) > 1 or any(voice.repaired for voice in voices if voice)
    head, seconds = wav.header_of(2 * longest, channels=2, rate=rate), round(longest / (wav.FRAME_BYTES * rate), 3)
    both = _Interleaved([part.file if part else None for part in legs], lengths)
    return Sound(parts, both.read, head, 2 * longest, seconds, repaired, legs=(caller, others), heard=both.heard)


def _voice(part: Part | None) -> wav.Wav | None:
    """Return what the file of one voice is; None for one that is missing or holds no sound."""
    if part is None or part.stat.st_size <= wav.EMPTY_WAV_BYTES:
        return None
    try:
        return wav.examine(part.file.read(wav.HEADER_BYTES), part.stat.st_size)
    except wav.EmptyWav:
        return None


class _Interleaved:
    """Reads two sounds of one channel as one of two; what one lacks is silence."""

    def __init__(self, files: Sequence[BinaryIO | None], lengths: Sequence[int]) -> None:
        self._files = files
        self._left = list(lengths)
        self._rest = max(lengths)
        self.heard = [False] * len(files)
        """In which of them anything but zeros was read."""

    def read(self, size: int) -> bytes:
        """Return the next bytes, ``size`` of them or what is left; ``size`` is of whole frames of both channels."""
        wanted = min(size // 2, self._rest)
        self._rest -= wanted
        both = array("H", bytes(2 * wanted))
        for channel, file in enumerate(self._files):
            there = min(wanted, self._left[channel])
            self._left[channel] -= there
            data = file.read(there) if file is not None else b""
            self.heard[channel] = self.heard[channel] or bool(data.strip(b"\0"))
            # A file that has become shorter meanwhile is found out when all is read.
            both[channel::2] = array("H", data.ljust(wanted, b"\0"))
        return both.tobytes()


class _Chained:
    """Reads one file after the other."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = list(parts)

    def read(self, size: int) -> bytes:
        """Return the next bytes, ``size`` of them at most; none at the end of the last file."""
        while self._parts:
            if data := self._parts[0].file.read(size):
                return data
            del self._parts[0]
        return b""
