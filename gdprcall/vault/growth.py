"""One sound file that is being sealed while it grows: its chunks go to their places in the payload, each once.

It takes nothing out of the sound file, and writes over nothing that stands in the payload.
"""

import os
import time

from gdprcall import age
from gdprcall.errors import VaultError
from gdprcall.vault import wav
from gdprcall.vault.memory import Kept, count
from gdprcall.vault.stores import Step

SOUND_BYTES_PER_SECOND = 16_000
SLACK_SECONDS = 1.5
"""How long after the moment at which a chunk can be full it is looked for, so that many are looked at together. Asterisk
writes two seconds of sound at a time: until it writes again there is no more in the clear."""
UNSURE_SECONDS = 1.0
"""How often a file is looked at that does not grow as it should: its call rings, or is muted."""
LONGEST_SECONDS = 10.0


class Growth:
    """The sound file, its payload, and where is counted how far it is; all are open.

    The sound file stays open, once it is open for writing, until it is sealed or destroyed: to let go of it while
    Asterisk still writes it would look as if Asterisk had.
    """

    def __init__(self, source: int, partial: int, counter: int, kept: Kept) -> None:
        self.source, self.partial, self.counter = source, partial, counter
        self.file, self.recipients = kept.file, kept.recipients
        self.following, self.peak = kept.following, kept.peak
        self.sealer = age.ChunkSealer(kept.file_key, kept.nonce, kept.following)
        self.forgotten = False

    def check(self, status: os.stat_result) -> None:
        """Raise VaultError unless ``status`` is that of the file whose chunks were sealed so far."""
        if (status.st_dev, status.st_ino) != self.file:
            hint = "a name was used twice in the spool: look at the dialplan, and move the file away"
            raise VaultError("another sound lies under the name of one that is being sealed", hint)

    def look_at(self, size: int) -> None:
        """Note how much plaintext there is, now that the sound file has ``size`` bytes."""
        self.peak = max(self.peak, size - (self.following - 1) * age.CHUNK_BYTES)

    def count(self, step: Step) -> None:
        """Write down that the next chunk is in its place; raises OSError, and then it is sealed and counted again."""
        count(self.counter, self.following + 1, self.peak)
        self.following += 1
        step("chunk counted")

    def read(self, number: int, size: int = age.CHUNK_BYTES) -> bytes:
        """Return the plaintext of a chunk; raises VaultError when it is not there, OSError."""
        plain = os.pread(self.source, size, number * age.CHUNK_BYTES)
        if len(plain) != size:
            raise VaultError("a sound file became shorter while it was sealed", "look who writes into the spool")
        return plain

    def write(self, number: int, plain: bytes, step: Step, *, last: bool = False) -> None:
        """Put a chunk in its place; raises VaultError when other bytes were ever sealed for it, OSError."""
        hint = "look who writes into the spool, and move the file away"
        try:
            sealed = self.sealer.seal(number, plain, last=last)
        except ValueError as error:
            raise VaultError(f"a chunk was not sealed twice: {error}", hint) from None
        place = age.chunk_place(number)
        there = os.pread(self.partial, len(sealed), place)
        # A kill may have come in the middle of a write. Nothing else may ever stand in this place: see ChunkSealer.
        if there.count(0) != len(there) and not sealed.startswith(there):
            raise VaultError("another chunk stands in the place of one", hint)
        done = 0
        while done < len(sealed):
            done += os.pwrite(self.partial, sealed[done:] if done else sealed, place + done)
        step("chunk written")

    def forget(self) -> None:
        """Let go of the key and of the payload, for ever."""
        if not self.forgotten:
            self.forgotten = True
            del self.sealer
            os.close(self.partial)
            os.close(self.counter)

    def close(self) -> None:
        """Let go of everything."""
        self.forget()
        os.close(self.source)


def payload_size(plain: int) -> int:
    """Return the size of the age payload of ``plain`` bytes."""
    return age.NONCE_BYTES + plain + age.TAG_BYTES * age.chunks_of(plain)


def wanted(following: int) -> int:
    """Return how long a file must be for a chunk to go out: it is full, and at least one whole frame follows it."""
    return (following + 1) * age.CHUNK_BYTES + wav.FRAME_BYTES


def pause(status: os.stat_result, following: int) -> float:
    """Return in how many seconds the next chunk can be full at the earliest, counted from what was written last."""
    missing = wanted(following) - status.st_size
    soonest = status.st_mtime + missing / SOUND_BYTES_PER_SECOND + SLACK_SECONDS - time.time()
    return min(soonest, LONGEST_SECONDS) if soonest > 0 else UNSURE_SECONDS
