"""Opens one sealed segment of a package into a file, checked to be the one that it is said to be, with one voice silent if wanted.

Of what was never finished it gives what is genuine.
"""

from collections.abc import Sequence
from typing import BinaryIO

from gdprcall import age
from gdprcall.cli.muting import Muted, Voice
from gdprcall.errors import CheckFailed, GdprcallError, Refused
from gdprcall.vault import wav
from gdprcall.vault.binding import bound_to


class OneChannel(Refused):
    """A voice is to be silent in what has both in one channel."""


def open_part(
    source: BinaryIO, identities: Sequence[age.Identity], bound: tuple[str, ...], sink: BinaryIO, voice: Voice | None
) -> None:
    """Write the sound of a segment to ``sink``, which can seek; ``bound`` is what its header must be bound to.

    Raises GdprcallError, CheckFailed, and OneChannel when ``voice`` is not apart.
    """
    try:
        file_key, header = age.open_header(age.read_header(source), identities)
        if bound_to(header) != bound:
            raise CheckFailed("a recording of the package is not the one it is said to be", "make the package again")
        _payload(file_key, source, sink, voice)
    except age.NoMatch as error:
        raise GdprcallError(
            "this identity opens the package, and not a recording in it", "use the other one"
        ) from error
    except age.AgeError as error:
        raise CheckFailed(f"a recording of the package is not what was sealed: {error}", "make it again") from error


def _payload(file_key: bytes, source: BinaryIO, sink: BinaryIO, voice: Voice | None) -> None:
    if voice is None:
        _whole_or_salvaged(file_key, source, sink)
        return
    muted = Muted(sink, voice)
    try:
        age.decrypt_payload(file_key, source, muted)
    except Refused as error:
        raise OneChannel(error.message, error.hint) from error
    if not muted.begun:
        raise OneChannel("there is no sound of two channels in it", "open it by itself")


def _whole_or_salvaged(file_key: bytes, source: BinaryIO, sink: BinaryIO) -> None:
    """Write the sound; of a payload that was never finished what is genuine of it, under a header of its size."""
    place = source.tell()
    try:
        age.decrypt_payload(file_key, source, sink)
    except age.PayloadError:
        source.seek(place)
        sink.seek(0)
        sink.truncate()
        sink.write(bytes(wav.HEADER_BYTES))
        size = age.salvage_payload(file_key, source, sink)
        if not size:
            raise
        sink.seek(0)
        sink.write(wav.header_of(size))
