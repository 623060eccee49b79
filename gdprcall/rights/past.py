"""What an archive of clear recordings says of itself: when each was made and with whom, by its name or by a table.

It names what cannot be taken, and why; it guesses nothing, and opens no file but the table.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gdprcall.errors import ConfigError
from gdprcall.times import DAY_MS, parse_rfc3339
from gdprcall.vault.wav import Wav

UNIQUEID = r"(?P<seconds>\d{9,10})\.\d{1,6}"
FREEPBX = re.compile(rf"(?P<kind>[a-z]+)-(?P<first>[^-]*)-(?P<second>[^-]*)-\d{{8}}-\d{{6}}-{UNIQUEID}")
"""``external-201-0701234567-20260131-120000-1769860800.17``: kind, to, from, day, time, and Asterisk's own name of the call."""
PLAIN = re.compile(rf"(?:.*-)?{UNIQUEID}")
"""``1769860800.17``, as ``MixMonitor(${UNIQUEID}.wav)`` leaves it."""
OUTGOING = frozenset({"out"})
COLUMNS = ("file", "started_at", "number", "language", "proof")


class Why(StrEnum):
    """Why a file of an archive is not taken."""

    NO_TIME = "nothing says when it was made; name it in the table (started_at)"
    NO_PROOF = "nothing proves that the caller agreed (Art. 7(1)); name the proof in the table, or delete it"
    NO_WAV = "it is no WAV of one channel with 16 bit; convert it"
    EMPTY = "it holds no sound"
    OVER = "its time is over; delete it"
    NOT_A_FILE = "it is no file of its own"
    GONE = "it is not there; was it taken before?"


@dataclass(frozen=True, slots=True)
class Item:
    """One file: when it was made (milliseconds), and, where it is known, with whom, in which language, by which proof."""

    path: Path
    started_at: int | None
    number: str = ""
    language: str = ""
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the line says of what is taken under it."""

    consent: bool
    retention_days: int


def table(path: Path) -> dict[str, Mapping[str, str]]:
    """Return the rows of a CSV file by the name of their file; raises ConfigError, which names the line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            unknown = set(reader.fieldnames or ()) - set(COLUMNS)
            if unknown or "file" not in (reader.fieldnames or ()):
                raise ConfigError(
                    f"{path.name}: columns are {', '.join(COLUMNS)}; file must be one",
                    "give it a first line with names",
                )
            rows: dict[str, Mapping[str, str]] = {}
            for row in reader:
                place = f"{path.name}, line {reader.line_num}"
                _check(row, rows, place)
                rows[row["file"]] = {name: (row.get(name) or "").strip() for name in COLUMNS}
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path.name} cannot be read: {type(error).__name__}", "it is CSV in UTF-8") from error


def items(folder: Path, rows: Mapping[str, Mapping[str, str]]) -> tuple[list[Item], list[str]]:
    """Return the sound files below a folder in the order of their names, and the names of rows that are none of them."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".wav")
    names = [str(path.relative_to(folder)) for path in found]
    known = [item(path, rows.get(name, {})) for path, name in zip(found, names, strict=True)]
    return known, sorted(set(rows) - set(names))


def item(path: Path, row: Mapping[str, str]) -> Item:
    """Return what is known of a file: what its row says counts before its name."""
    named = FREEPBX.fullmatch(path.stem) or PLAIN.fullmatch(path.stem)
    started = int(named["seconds"]) * 1000 if named else None
    number = ""
    if named and "kind" in named.groupdict():
        number = named["first"] if named["kind"] in OUTGOING else named["second"]
    if row.get("started_at"):
        started = parse_rfc3339(row["started_at"])
    return Item(path, started, row.get("number") or number, row.get("language", ""), row.get("proof", ""))


def weigh(known: Item, sound: Wav | None, terms: Terms, now: int) -> Why | None:
    """Return why a file is not taken at ``now`` (milliseconds), None if it is; without a ``sound`` it is no WAV."""
    if sound is None:
        return Why.NO_WAV
    if known.started_at is None:
        return Why.NO_TIME
    if terms.consent and not known.proof:
        return Why.NO_PROOF
    if ended(known, sound) + terms.retention_days * DAY_MS <= now:
        return Why.OVER
    return None


def ended(known: Item, sound: Wav) -> int:
    """Return when a recording ended (milliseconds): its retention counts from there."""
    assert known.started_at is not None
    return known.started_at + round(sound.seconds * 1000)


def _check(row: Mapping[str, str], before: Mapping[str, object], place: str) -> None:
    if not row["file"] or row["file"] in before:
        raise ConfigError(f"{place}: the file is missing, or named twice", "one row for each file")
    if row.get("started_at"):
        try:
            parse_rfc3339(row["started_at"])
        except ValueError as error:
            raise ConfigError(f"{place}: started_at is no RFC 3339 time", "for example 2026-01-31T12:00:00Z") from error


def counted(reasons: Sequence[Why]) -> dict[str, int]:
    """Return how many files each reason keeps out."""
    return {str(why): reasons.count(why) for why in Why if why in reasons}
