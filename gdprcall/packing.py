"""Packs files into one ZIP, sealed or not, or into a folder, with a manifest of their hashes; and reads such a ZIP again.

It keeps nothing in memory but one piece of a file, and names no file as it is told to by one that it reads.
"""

import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from gdprcall import age
from gdprcall.errors import CheckFailed
from gdprcall.vault.objects import sync_folder

COPY_BYTES = 256 * 1024
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
FORMAT = "gdprcall/manifest-v1"
NAME = re.compile(r"(?:[a-z0-9]+/)?[A-Za-z0-9][A-Za-z0-9.-]*")
"""What a file in a package is called: in one folder at most."""
EPOCH = (1980, 1, 1, 0, 0, 0)


class Packing(Protocol):
    """Where the files of a package go."""

    def add(self, name: str, source: BinaryIO) -> None:
        """Put a file in."""

    def finish(self) -> None:
        """Put the manifest in, and end it."""


class _Listed:
    """What every way of packing has: the list of what was put in."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, object]] = {}

    def _copied(self, name: str, source: BinaryIO, write: Callable[[bytes], object]) -> None:
        if not NAME.fullmatch(name) or name in self._files:
            raise ValueError("a file of a package has a plain name of its own")
        digest, size = hashlib.sha256(), 0
        while data := source.read(COPY_BYTES):
            digest.update(data)
            size += len(data)
            write(data)
        self._files[name] = {"sha256": digest.hexdigest(), "bytes": size}

    def _manifest(self) -> bytes:
        return (json.dumps({"format": FORMAT, "files": self._files}, indent=1) + "\n").encode()

    def _sums(self) -> bytes:
        return "".join(f"{said['sha256']}  {name}\n" for name, said in self._files.items()).encode()


class Zipped(_Listed):
    """A ZIP that is written from its beginning to its end, as a pipe or a seal needs it."""

    def __init__(self, sink: age.PayloadWriter | BinaryIO) -> None:
        super().__init__()
        self._zip = zipfile.ZipFile(cast("BinaryIO", _Forward(sink)), "w", zipfile.ZIP_STORED)

    def add(self, name: str, source: BinaryIO) -> None:
        """Put a file in; of times it says nothing."""
        info = zipfile.ZipInfo(name, EPOCH)
        info.external_attr = 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as out:
            self._copied(name, source, out.write)

    def finish(self) -> None:
        """Put the manifest in, and end the ZIP."""
        self.add(MANIFEST, io.BytesIO(self._manifest()))
        self.add(SUMS, io.BytesIO(self._sums()))
        self._zip.close()


class Foldered(_Listed):
    """A folder, made for its owner alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        folder.mkdir(mode=0o700)

    def add(self, name: str, source: BinaryIO) -> None:
        """Put a file in, durably."""
        path = self._folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            self._copied(name, source, out.write)
            out.flush()
            os.fsync(out.fileno())

    def finish(self) -> None:
        """Put the manifest in, and make the names durable."""
        self.add(MANIFEST, io.BytesIO(self._manifest()))
        self.add(SUMS, io.BytesIO(self._sums()))
        for place, _, _ in os.walk(self._folder):
            sync_folder(Path(place))


class Packed:
    """A ZIP of ``Zipped``, checked against its manifest before anything of it is read; raises CheckFailed."""

    def __init__(self, source: BinaryIO) -> None:
        try:
            self._zip = zipfile.ZipFile(source)
            self.files = self._listed()
            wrong = [name for name, said in self.files.items() if self._digest(name) != said["sha256"]]
        except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, NotImplementedError) as error:
            raise CheckFailed("this is no package as gdprcall makes it", "make it again on the PBX") from error
        if wrong:
            raise CheckFailed(f"{wrong[0]} is not what the manifest says", "make the package again on the PBX")

    def read(self, name: str) -> object:
        """Return a JSON file; raises CheckFailed."""
        try:
            return json.loads(self._zip.read(name))
        except (KeyError, ValueError) as error:
            raise CheckFailed(f"the package has no {name}", "make it again on the PBX") from error

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """Open a file of it."""
        with self._zip.open(name) as source:
            yield source  # type: ignore[misc]  # typeshed knows it as IO[bytes]

    def _listed(self) -> Mapping[str, Mapping[str, object]]:
        files = json.loads(self._zip.read(MANIFEST))["files"]
        there = [info.filename for info in self._zip.infolist()]
        stored = all(info.compress_type == zipfile.ZIP_STORED for info in self._zip.infolist())
        if not stored or sorted(there) != sorted([*files, MANIFEST, SUMS]):
            raise ValueError("what is there is not what the manifest lists")
        # The sums name the manifest too, so that nothing of the package is without a hash.
        manifest = hashlib.sha256(self._zip.read(MANIFEST)).hexdigest()
        if f"{manifest}  {MANIFEST}\n" not in self._zip.read(SUMS).decode() or not all(map(NAME.fullmatch, files)):
            raise ValueError("the manifest is not what the sums say")
        return dict(files)

    def _digest(self, name: str) -> str:
        with self._zip.open(name) as source:
            digest = hashlib.sha256()
            while data := source.read(COPY_BYTES):
                digest.update(data)
        return digest.hexdigest()


@contextmanager
def sealed(sink: BinaryIO, recipients: Sequence[age.Recipient]) -> Iterator[age.PayloadWriter]:
    """Yield what seals all that is written to it into ``sink``; whole only when it ends without an error."""
    file_key = os.urandom(age.FILE_KEY_BYTES)
    sink.write(age.make_header(file_key, recipients))
    writer = age.PayloadWriter(file_key, os.urandom(age.NONCE_BYTES), sink)
    yield writer
    writer.finish()


def copy(source: BinaryIO, sink: BinaryIO) -> None:
    """Copy all that is left of a file."""
    shutil.copyfileobj(source, sink, COPY_BYTES)


class _Forward:
    """A sink as zipfile wants one that cannot seek."""

    def __init__(self, sink: age.PayloadWriter | BinaryIO) -> None:
        self._sink = sink

    def write(self, data: bytes, /) -> int:
        """Pass on."""
        self._sink.write(data)
        return len(data)

    def flush(self) -> None:
        """Keep nothing back."""
