"""A file that ``recordings export`` wrote: opened, and held against what it says it is. It decrypts nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gdprcall import age
from gdprcall.errors import CheckFailed, GdprcallError
from gdprcall.vault.binding import NUMBER, bound_to


@contextmanager
def sealed(file: Path) -> Iterator[BinaryIO]:
    """Open an export; what age finds wrong with it is told in the words of whoever opens it."""
    try:
        with file.open("rb") as source:
            yield source
    except age.NoMatch as error:
        raise GdprcallError("this identity does not open it", "it was sealed to another recipient") from error
    except age.AgeError as error:
        raise CheckFailed(
            f"{file.name} is not what was sealed: {error}", "export it again; run: gdprcall audit verify"
        ) from error


def check_binding(header: age.Header, file: Path, wanted: str | None) -> tuple[str, str]:
    """Return recording and segment; another one than was asked for or than the file is named after is refused."""
    bound = bound_to(header)
    if bound is None or len(bound) != 3:
        raise CheckFailed("this age file was not sealed by gdprcall", "open it with age itself")
    recording, _, part = bound
    if part == f"part={NUMBER}":
        raise CheckFailed("this holds a caller's number, not sound", "open it with age itself")
    named, segment = [*file.name.split("."), ""][:2]
    if recording != (wanted or named):
        hint = f"if that is the one you want: --recording {recording}"
        raise CheckFailed(f"this is sealed as recording {recording}, not {wanted or named}", hint)
    if recording == named and segment.isdecimal() and part != f"part={segment}":
        raise CheckFailed(f"this is sealed as segment {part.removeprefix('part=')}, not {segment}", "export it again")
    return recording, part.removeprefix("part=")
