"""Papers in a folder: each with its version, its hash and what it was before; unchanged, it stays as it is.

Nothing in the folder is written over but the newest of each paper, and only once the one before it lies beside it.
"""

import difflib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from gdprcall.errors import ConfigError
from gdprcall.papers import Paper, pdf

LIST = "papers.json"
FORMATS = ("md", "html", "pdf")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a paper: which, from which day, and the SHA-256 of its Markdown."""

    number: int
    date: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one paper: its file without ending, its version, whether that is new, and what changed."""

    name: str
    version: Version
    new: bool
    difference: str

    def as_json(self) -> dict[str, object]:
        """Return it for print."""
        return {"paper": self.name, **asdict(self.version), "new": self.new, "difference": self.difference}


def sha256(paper: Paper) -> str:
    """Return the hash by which a version of a paper is known: that of its Markdown without the day on which it was made."""
    return hashlib.sha256(_undated(paper.text).encode()).hexdigest()


def keep(folder: Path, name: str, paper: Paper, date: str, formats: Iterable[str]) -> Written:
    """Write a paper into a folder if it is another than the last one, or in another format; raises ConfigError, OSError.

    ``name`` is its path below the folder. The last version is kept as ``NAME.vN.md``, and its difference is returned.
    """
    versions = read(folder)
    last, mine = versions.get(name), sha256(paper)
    new = last is None or last.sha256 != mine
    version = Version((last.number if last else 0) + 1, date, mine) if new or last is None else last
    place = folder / f"{name}.md"
    before = _before(folder, name, last) if new else ""
    place.parent.mkdir(parents=True, exist_ok=True)
    for kind in FORMATS if new else ():
        if kind != "md" and kind not in formats:
            (folder / f"{name}.{kind}").unlink(missing_ok=True)  # of the version before, under the name of this one
    for kind in formats:
        made = _made(paper, kind)
        target = folder / f"{name}.{kind}"
        if new or not target.exists():
            _whole(target, made)
    if new and "md" not in set(formats):
        _whole(place, paper.text.encode())  # what the next version is compared with
    if new:
        _whole(folder / LIST, _listed(versions | {name: version}))
    return Written(name, version, new, difference(before, paper.text, name) if new else "")


def _before(folder: Path, name: str, last: Version | None) -> str:
    """Return the text of the last version, kept under its own name from now on; one that is kept is never written over.

    After a death in between the newest file has the new text already, and what is kept is the one that counts.
    """
    place = folder / f"{name}.md"
    if last is None or not place.exists():
        return ""
    kept = folder / f"{name}.v{last.number}.md"
    if not kept.exists():
        _whole(kept, place.read_bytes())
    return kept.read_text(encoding="utf-8")


def difference(before: str, after: str, name: str) -> str:
    """Return what changed, as a unified diff; nothing where there was nothing before."""
    if not before:
        return ""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name} before", f"{name} now", lineterm="", n=1
    )
    return "\n".join(lines)


def read(folder: Path) -> dict[str, Version]:
    """Return the versions that lie in a folder; raises ConfigError for a list that is none."""
    path = folder / LIST
    if not path.exists():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(name): Version(int(one["number"]), str(one["date"]), str(one["sha256"])) for name, one in told.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is no list of papers", "name a folder of its own for the papers") from error


def _made(paper: Paper, kind: str) -> bytes:
    if kind == "pdf":
        return pdf(paper.page)
    return (paper.text if kind == "md" else paper.page).encode()


def _undated(text: str) -> str:
    """Return a paper without its introduction, which says on which day it was made."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("> "))


def _listed(versions: Mapping[str, Version]) -> bytes:
    return (json.dumps({name: asdict(one) for name, one in sorted(versions.items())}, indent=2) + "\n").encode()


def _whole(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
