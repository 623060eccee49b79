"""The folder beside a file in which it is made: for its owner alone, used by one run at a time, gone when the file is there.

What an interrupted run left in it is found by the next one; nothing in it is ever mistaken for the file.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gdprcall.cli.files import write_whole
from gdprcall.errors import GdprcallError, Refused
from gdprcall.vault.objects import sync_folder

STATE = "state.json"


class Staging:
    """The folder; ``state`` is what an earlier run wrote down."""

    def __init__(self, target: Path, folder: Path) -> None:
        self.target = target
        self.folder = folder
        self.state = self._read()

    def remember(self, values: Mapping[str, str]) -> None:
        """Write down, durably, what the next run must know if this one is interrupted."""
        self.state = dict(values)
        text = json.dumps(self.state).encode()
        write_whole(self.folder / STATE, lambda sink: sink.write(text), force=True)

    def clean(self, keep: set[str]) -> None:
        """Remove everything but what is to be kept."""
        for path in self.folder.iterdir():
            if path.name not in keep | {STATE}:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def put_in_place(self, made: Path, *, force: bool) -> None:
        """Give what was made its name, durably; a folder replaces none."""
        if made.is_dir():
            if self.target.exists():
                raise Refused(f"{self.target} is there already", "choose another name")
        elif self.target.exists() and not force:
            raise Refused(f"{self.target} is there already", "choose another name, or add --force")
        made.rename(self.target)
        sync_folder(self.target.resolve().parent)

    def _read(self) -> dict[str, str]:
        try:
            said = json.loads((self.folder / STATE).read_text())
        except (OSError, ValueError):
            return {}
        return {str(name): str(value) for name, value in said.items()} if isinstance(said, dict) else {}


def folder_of(target: Path) -> Path:
    """Return where a file is made."""
    return target.with_name(f".{target.name}.partial")


@contextmanager
def staged(target: Path, *, resumable: bool) -> Iterator[Staging]:
    """Yield the folder of a file for this run alone, and remove it when the run ends well, or when nothing goes on with it.

    Raises Refused, GdprcallError.
    """
    folder = folder_of(target)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise GdprcallError(f"{target} cannot be written: {error.strerror}", "check the folder") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(f"{target} is being made by another process", "wait for it") from error
        os.fchmod(descriptor, 0o700)
        try:
            yield Staging(target, folder)
        except BaseException:
            if not resumable or not any(folder.iterdir()):
                shutil.rmtree(folder)
            raise
        shutil.rmtree(folder)
    finally:
        os.close(descriptor)
    sync_folder(target.resolve().parent)
