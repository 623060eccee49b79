"""Looks whether bytes that were overwritten still lie anywhere in a file: thousands of them in one pass.

It never says that they do not without having read the whole file, and keeps nothing of what it read.
"""

import os
import sys
from collections.abc import Collection, Iterator

WORD = 8
SHORTEST = 2 * WORD
"""What is looked for is at least this long: however it lies, it then holds a whole word of the file."""

CHUNK = 1 << 20
AROUND = 128
"""How far around a word of it the whole of it is looked for: more than anything that is looked for is long."""


def found(descriptor: int, needles: Collection[bytes]) -> set[bytes]:
    """Return which of ``needles``, each of 16 to 128 bytes, lie in a file.

    The file is read as words of 8 bytes. A needle may begin at any byte of a word, so each of its first eight words
    is looked up, and where one is there, the needle itself is.
    """
    assert all(SHORTEST <= len(needle) <= AROUND for needle in needles)
    by_word: dict[int, list[bytes]] = {}
    for needle in needles:
        for start in range(WORD):
            by_word.setdefault(int.from_bytes(needle[start : start + WORD], sys.byteorder), []).append(needle)
    words, seen = set(by_word), set[bytes]()
    for place, chunk in _chunks(descriptor):
        hits = words.intersection(memoryview(chunk).cast("Q"))
        if hits:
            around = os.pread(descriptor, CHUNK + 2 * AROUND, max(0, place - AROUND))
            seen |= {needle for word in hits for needle in by_word[word] if needle in around}
    return seen


def _chunks(descriptor: int) -> Iterator[tuple[int, bytes]]:
    place = 0
    while chunk := os.pread(descriptor, CHUNK, place):
        yield place, chunk.ljust(-(-len(chunk) // WORD) * WORD, b"\0")
        place += len(chunk)
