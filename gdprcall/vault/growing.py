"""Seals a sound file while Asterisk still writes it: each full chunk is encrypted, and its plaintext taken out at once.

The first chunk, whose header Asterisk rewrites at the end, and the last one wait until the file is closed. Nothing is
taken out before it is sealed and known to be followed, and no key of it is kept on a disk.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from gdprcall import age
from gdprcall.errors import VaultError
from gdprcall.vault import wav
from gdprcall.vault.binding import binding_stanza, bound_header
from gdprcall.vault.growth import Growth, pause, payload_size, wanted
from gdprcall.vault.keys import Slot, fingerprint
from gdprcall.vault.memory import Kept, Memory
from gdprcall.vault.objects import Stored
from gdprcall.vault.punching import hole, punch
from gdprcall.vault.stores import Stores

OPEN_STATES = ("recording", "spooled")
"""The states of a recording of which more must come."""
Recipients = Callable[[str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Whole:
    """A finished sound: its right header, then the file's bytes up to ``size``."""

    head: bytes
    size: int


class Growing:
    """All sound files that are being sealed while they grow; whoever calls holds the recording's lock."""

    def __init__(self, stores: Stores, memory: Path | None) -> None:
        self._stores = stores
        self._memory = Memory(memory) if memory else None
        self._growths: dict[tuple[str, int], Growth] = {}

    def __len__(self) -> int:
        return sum(not growth.forgotten for growth in list(self._growths.values()))

    def advance(self, source: Path, recording: str, segment: int, recipients: Recipients) -> float | None:
        """Seal what has become full, and return the seconds until it is worth looking again.

        None for a file that is left to the end of its call: nobody is known to have agreed to it, it is no sound, or
        it is gone. Raises NotFound without a decision, VaultError and OSError: its sound then is still there.
        """
        growth = self._growths.get((recording, segment))
        try:
            status = os.stat(source, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if growth is not None and growth.forgotten:
            return None
        if status.st_size >= wanted(growth.following if growth else 1):
            growth = growth or self._take_up(source, recording, segment, recipients)
            if growth is None:
                return None
            growth.check(status)
            while status.st_size >= wanted(growth.following):
                self._chunk(growth, status.st_size)
        return pause(status, growth.following if growth else 1)

    def find(self, source: Path, known: os.stat_result, recording: str, segment: int) -> Growth | None:
        """Return the growth of a closed file, taken up again if another daemon began it; None if there is none.

        Raises VaultError when another file lies under its name, OSError.
        """
        growth = self._growths.get((recording, segment)) or self._continue(source, recording, segment, os.O_RDONLY)
        if growth is not None and growth.forgotten:
            return None
        if growth is not None:
            growth.check(known)
        return growth

    def finish(self, growth: Growth, whole: Whole, recording: str, segment: int) -> Stored:
        """Seal what is left, the first chunk last, and put the payload in its place; raises VaultError."""
        objects, chunks = self._stores.objects, age.chunks_of(whole.size)
        if not objects.grows(recording, segment) and objects.size(recording, segment) == payload_size(whole.size):
            return objects.stored(recording, segment) or Stored(0, "")  # it was finished, and not noted
        growth.look_at(os.fstat(growth.source).st_size)
        try:
            for number in range(growth.following, chunks - 1):
                growth.write(number, growth.read(number), self._stores.step)
                growth.count(self._stores.step)
            rest = growth.read(chunks - 1, whole.size - (chunks - 1) * age.CHUNK_BYTES)
            growth.write(chunks - 1, rest, self._stores.step, last=True)
            first = whole.head + growth.read(0)[len(whole.head) :]
            growth.write(0, first, self._stores.step)
            if os.fstat(growth.partial).st_size != payload_size(whole.size):
                raise VaultError("a payload that grew is not as long as its sound", "see the spool, and move it away")
        except OSError as error:
            raise VaultError(
                f"a payload could not be finished: {error.strerror}", "check free space and the vault folder"
            ) from error
        stored = objects.grown(recording, segment)
        self._stores.step("payload whole")
        objects.settle(recording, segment)
        return stored

    def over(self, recording: str, segment: int) -> None:
        """Forget the key of one segment, for its sound is sealed or is to be destroyed; raises VaultError."""
        growth = self._growths.pop((recording, segment), None)
        if growth is not None:
            growth.close()
        if self._memory is not None:
            self._memory.forget(recording, segment)

    def forget(self, recordings: Collection[str]) -> dict[str, VaultError]:
        """Forget the keys of recordings at once: what was sealed of running segments opens for nobody here any more.

        Their payloads and headers go with the recordings. Returns those of which a key is still there, and why.
        """
        failed: dict[str, VaultError] = {}
        for recording, segment in {*self._growths, *self.kept()}:
            if recording in recordings:
                try:
                    if growth := self._growths.get((recording, segment)):
                        growth.forget()
                    if self._memory is not None:
                        self._memory.forget(recording, segment)
                except VaultError as error:
                    failed[recording] = error
        return failed

    def kept(self) -> list[tuple[str, int]]:
        """Return recording and segment of every key that is kept."""
        return list(self._memory.names()) if self._memory is not None else []

    def _continue(self, source: Path, recording: str, segment: int, mode: int) -> Growth | None:
        """Go on where another daemon was; None when nothing was begun, or what is needed to go on is lost."""
        kept = self._memory.read(recording, segment) if self._memory is not None else None
        if kept is None or self._memory is None or not self._fits(kept, recording, segment):
            return None
        with ExitStack() as opened:
            counter = self._memory.counter(recording, segment)
            opened.callback(os.close, counter)
            partial = os.open(self._stores.objects.growing(recording, segment), os.O_RDWR | os.O_CLOEXEC)
            opened.callback(os.close, partial)
            # Last, for to let go of it would look as if Asterisk had.
            file = os.open(source, mode | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            opened.pop_all()
        growth = self._growths[recording, segment] = Growth(file, partial, counter, kept)
        if mode == os.O_RDWR and kept.following > 1:  # what was counted and not yet taken out
            growth.check(os.fstat(growth.source))
            punch(growth.source, age.CHUNK_BYTES, (kept.following - 1) * age.CHUNK_BYTES)
        return growth

    def _fits(self, kept: Kept, recording: str, segment: int) -> bool:
        """Whether what is kept belongs to the header and the payload that lie there, up to the last chunk counted."""
        header = self._stores.keys.get(recording, segment, Slot.HEADER)
        if header is None or hashlib.sha256(header).hexdigest() != kept.header_sha256:
            return False
        latest = kept.following - 1
        try:
            sealer = age.ChunkSealer(kept.file_key, kept.nonce, kept.following)
            with self._stores.objects.growing(recording, segment).open("rb") as partial:
                if partial.read(age.NONCE_BYTES) != kept.nonce:
                    return False
                partial.seek(age.chunk_place(latest))
                return not latest or sealer.opens(latest, partial.read(age.CHUNK_BYTES + age.TAG_BYTES))
        except (FileNotFoundError, ValueError):
            return False

    def _take_up(self, source: Path, recording: str, segment: int, recipients: Recipients) -> Growth | None:
        row = self._stores.recording(recording)
        if row.state not in OPEN_STATES or row.outcome != "granted" or row.withdrawn or row.erasing:
            return None
        growth = self._continue(source, recording, segment, os.O_RDWR)
        file = None if growth else self._fresh(source, recording, segment)
        if file is not None:
            self._begin(recording, segment, row.controller, recipients(row.controller), file)
            growth = self._continue(source, recording, segment, os.O_RDWR)
        return growth

    def _fresh(self, source: Path, recording: str, segment: int) -> tuple[int, int] | None:
        """Return which file this is; None if there is nothing to begin with: some is sealed already, or it is no sound."""
        if self._memory is None or os.path.lexists(self._stores.objects.path(recording, segment)):
            return None
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or hole(descriptor, status.st_size) is not None:
                return None
            wav.examine(os.pread(descriptor, wav.HEADER_BYTES, 0), status.st_size)
        except wav.NotAWav:
            return None
        finally:
            os.close(descriptor)
        return status.st_dev, status.st_ino

    def _begin(
        self, recording: str, segment: int, controller: str, recipients: tuple[str, ...], file: tuple[int, int]
    ) -> None:
        """Make a header durable, then a payload without a chunk, then keep what is needed to go on."""
        assert self._memory is not None
        stores = self._stores
        file_key, nonce = stores.random(age.FILE_KEY_BYTES), stores.random(age.NONCE_BYTES)
        header = bound_header(file_key, recipients, binding_stanza(recording, controller, str(segment)), stores.random)
        # What a crash left of an earlier beginning: all of its sound is still in the spool.
        self._memory.forget(recording, segment)
        stores.keys.put(recording, segment, Slot.HEADER, header)
        stores.step("header stored")
        stores.objects.begin(recording, segment, nonce)
        stores.step("payload begun")
        prints = tuple(fingerprint(recipient) for recipient in recipients)
        self._memory.keep(recording, segment, Kept(file_key, nonce, hashlib.sha256(header).hexdigest(), prints, file))
        stores.step("key kept")

    def _chunk(self, growth: Growth, size: int) -> None:
        """Seal the next chunk, count it, and only then take its plaintext out."""
        growth.look_at(size)
        number = growth.following
        growth.write(number, growth.read(number), self._stores.step)
        growth.count(self._stores.step)
        punch(growth.source, number * age.CHUNK_BYTES, age.CHUNK_BYTES)
        self._stores.step("plaintext taken out")

    def close(self) -> None:
        """Let go of everything; what is needed to go on stays for the next daemon."""
        for name in list(self._growths):
            with suppress(KeyError):
                self._growths.pop(name).close()
