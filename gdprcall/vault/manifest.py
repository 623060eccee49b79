"""What a backup says of itself: ``backup.json``, whose renaming into place is the moment at which it counts.

It holds sizes, hashes and times, and no name of a caller, number or key.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from gdprcall.errors import CheckFailed, NotFound
from gdprcall.times import parse_rfc3339, rfc3339
from gdprcall.vault.placing import write_whole

NAME = "backup.json"
FORMAT = "gdprcall/backup-v1"
LARGEST = 1 << 20

_STAMP = re.compile(r"\d{8}T\d{9}Z")
_KEYS = re.compile(r"([a-z][a-z0-9_]{0,39})\.(\d{8}T\d{9}Z)\.until-(\d{8}T\d{9}Z)\.age")


@dataclass(frozen=True, slots=True)
class KeysFile:
    """One sealed file of keys in a backup folder; ``expires_at`` in milliseconds."""

    controller: str
    stamp: str
    expires_at: int

    @property
    def name(self) -> str:
        """Its name, which says until when it may exist."""
        return f"{self.controller}.{self.stamp}.until-{stamp(self.expires_at)}.age"

    @classmethod
    def of(cls, name: str) -> "KeysFile | None":
        """Return what a name says; None for what is no file of keys."""
        match = _KEYS.fullmatch(name)
        return cls(match[1], match[2], _time(match[3])) if match else None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One whole backup: the folder ``stamp`` with index and ledger; times in milliseconds, hashes in hex."""

    stamp: str
    made_at: int
    entries: int
    root: str
    sha256: dict[str, str]
    payloads: int
    keys: tuple[KeysFile, ...]

    def write(self, folder: Path) -> None:
        """Make this the backup that counts, durably; raises OSError."""
        keys = [{"file": f.name, "controller": f.controller, "expires_at": rfc3339(f.expires_at)} for f in self.keys]
        value = {
            "format": FORMAT,
            "folder": self.stamp,
            "made_at": rfc3339(self.made_at),
            "ledger_entries": self.entries,
            "ledger_root": self.root,
            "sha256": self.sha256,
            "payloads": self.payloads,
            "keys": keys,
        }
        text = json.dumps(value, indent=2) + "\n"
        write_whole(folder / NAME, text.encode())


def read(folder: Path) -> Manifest:
    """Return the backup in a folder; raises NotFound when there is none, CheckFailed when it cannot be understood."""
    try:
        with (folder / NAME).open("rb") as file:
            value = json.loads(file.read(LARGEST))
        if value["format"] != FORMAT or not _STAMP.fullmatch(value["folder"]):
            raise ValueError
        keys = tuple(KeysFile.of(one["file"]) for one in value["keys"])
        hashes = {name: str(value["sha256"][name]) for name in ("index.db", "ledger.db")}
        made_at, entries = parse_rfc3339(value["made_at"]), int(value["ledger_entries"])
        known = tuple(one for one in keys if one is not None)
        return Manifest(
            value["folder"], made_at, entries, str(value["ledger_root"]), hashes, int(value["payloads"]), known
        )
    except FileNotFoundError as error:
        raise NotFound(f"there is no backup in {folder}", "name the folder of: gdprcall vault backup") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckFailed(f"{folder / NAME} cannot be understood", "is it of a newer version?") from error


def stamp(ms: int) -> str:
    """Return a time as it stands in names, such as ``20260131T080000000Z``."""
    return re.sub(r"[-:.]", "", rfc3339(ms))


def is_stamp(name: str) -> bool:
    """Whether a name is such a time."""
    return _STAMP.fullmatch(name) is not None


def _time(text: str) -> int:
    return parse_rfc3339(f"{text[:4]}-{text[4:6]}-{text[6:11]}:{text[11:13]}:{text[13:15]}.{text[15:18]}Z")
