"""Changes the recipients of one controller in the text of a configuration, and nothing else; whoever doubts is told to do it.

It writes the file whole or not at all, and keeps the former one beside it.
"""

import os
import re
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gdprcall.errors import GdprcallError, Refused
from gdprcall.vault.objects import sync_folder

_VALUE = re.compile(r"""(?m)^[^#\n]*?\brecipients["']?[ \t]*=[ \t]*(\[[^\]]*\])""")


@dataclass(frozen=True, slots=True)
class Edited:
    """The text of a configuration before and after, and the line that changed."""

    before: str
    after: str
    line: str


def line(recipients: Sequence[str]) -> str:
    """Return the line that names recipients."""
    return f"recipients = {_array(recipients)}"


def edited(text: str, controller: str, recipients: Sequence[str]) -> Edited:
    """Return a configuration with other recipients; raises Refused unless exactly one place in it is to be changed."""
    wanted = tomllib.loads(text)
    wanted["controllers"][controller]["recipients"] = list(recipients)
    found = [new for new in _replaced(text, _array(recipients)) if _is(new, wanted)]
    if len(found) != 1:
        hint = f"put this line into [controllers.{controller}] yourself: {line(recipients)}"
        raise Refused("the recipients cannot be changed safely in this file", hint)
    return Edited(text, found[0], line(recipients))


def _replaced(text: str, array: str) -> Iterator[str]:
    for match in _VALUE.finditer(text):
        # A comment between the old recipients would be lost.
        if "#" not in match[1]:
            yield text[: match.start(1)] + array + text[match.end(1) :]


def _is(text: str, wanted: dict[str, object]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _array(recipients: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{one}"' for one in recipients) + "]"


def write(path: Path, change: Edited, stamp: str) -> Path:
    """Put the new text into the place of the old, for the same owner and with the same modes; return where that is kept.

    Raises Refused when the file is not as it was read, GdprcallError when it cannot be written.
    """
    target = path.resolve()
    kept, partial = target.with_name(f"{target.name}.{stamp}"), target.with_name(f".{target.name}.{stamp}.partial")
    try:
        if target.read_text() != change.before:
            raise Refused("the configuration was changed meanwhile", "run it again")
        status = target.stat()
        partial.unlink(missing_ok=True)
        with open(partial, "x", opener=_private) as file:
            file.write(change.after)
            file.flush()
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            os.fsync(file.fileno())
        shutil.copy2(target, kept)
        _synchronise(kept)
        partial.replace(target)
        sync_folder(target.parent)
        return kept
    except OSError as error:
        raise GdprcallError(
            f"{path} cannot be written: {error.strerror}", "run it as who owns the configuration, such as root"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _synchronise(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
