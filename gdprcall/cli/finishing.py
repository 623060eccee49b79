"""Makes what a person is given of a sealed package, where the controller's identity is: letter, sound, and all that is known.

Opened sound is in files without a name, for their owner alone, and in the package; a package that is not whole has no name.
"""

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

import click

from gdprcall import age, letters, opus, packing
from gdprcall.cli import opening, receipts
from gdprcall.cli.joined import Joined
from gdprcall.cli.muting import Voice
from gdprcall.cli.staging import Staging, staged
from gdprcall.errors import CheckFailed, GdprcallError, Refused
from gdprcall.times import now_ms, rfc3339
from gdprcall.vault.checks import Progress
from gdprcall.vault.placing import private

MADE = "made"
PORTABLE = frozenset({"consent", "contract"})
COPIED = ("consents", "accesses", "disclosures")
Json = Mapping[str, Any]  # JSON of our own


@dataclass(frozen=True, slots=True)
class Way:
    """How a package is made: for whom, in which language, which voice is silent and why, and whether Art. 20 is answered."""

    recipients: tuple[age.Recipient, ...] = ()
    templates: Path | None = None
    language: str | None = None
    voice: Voice | None = None
    reason: str = ""
    portability: bool = False


class Finishing:
    """One package on its way to the person."""

    def __init__(self, package: Path, identities: Sequence[age.Identity], target: Path, way: Way) -> None:
        self._package, self._identities, self._target, self._way = package, identities, target, way
        self._at = rfc3339(now_ms())
        self._joined = False
        self._told: dict[str, object] = {}

    def run(self, tell: Progress, *, force: bool) -> dict[str, object]:
        """Make it, and return what it holds; what an interrupted run left of it is removed first. Raises GdprcallError."""
        if self._target.exists() and (self._target.is_dir() or not force):
            with staged(self._target, resumable=False):  # a run that died when all was done left it
                pass
            raise Refused(f"{self._target} is there already", "choose another name, or add --force for a file")
        if not opus.available():
            click.echo(f"warning: the sound is given as WAV alone\nhint: {opus.HINT}", err=True)
        with staged(self._target, resumable=False) as staging, _unnamed(staging) as plain:
            staging.clean(set())
            self._open(plain)
            packed = packing.Packed(plain)
            with self._packing(staging) as pack:
                self._fill(pack, packed, staging, tell)
            staging.put_in_place(staging.folder / MADE, force=force)
        return self._told

    def _open(self, plain: BinaryIO) -> None:
        try:
            with self._package.open("rb") as source:
                age.decrypt(source, self._identities, plain)
        except age.NoMatch as error:
            raise GdprcallError("this identity does not open it", "it was sealed to another recipient") from error
        except age.AgeError as error:
            text = f"{self._package.name} is not what was sealed: {error}"
            raise CheckFailed(text, "make it again on the PBX: gdprcall subject access") from error

    @contextmanager
    def _packing(self, staging: Staging) -> Iterator[packing.Packing]:
        """Yield where the files go: into a folder, a ZIP, or a sealed ZIP; it is whole when this ends without an error."""
        made = staging.folder / MADE
        if not self._way.recipients and self._target.suffix != ".zip":
            pack: packing.Foldered | packing.Zipped = packing.Foldered(made)
            yield pack
            pack.finish()
            return
        with open(made, "xb", opener=private) as file:
            with ExitStack() as stack:
                sealed = (
                    stack.enter_context(packing.sealed(file, self._way.recipients)) if self._way.recipients else file
                )
                pack = packing.Zipped(sealed)
                yield pack
                pack.finish()
            file.flush()
            os.fsync(file.fileno())

    def _fill(self, pack: packing.Packing, packed: packing.Packed, staging: Staging, tell: Progress) -> None:
        facts, rows, withheld = (
            cast("Any", packed.read(f"{name}.json")) for name in ("facts", "recordings", "withheld")
        )
        given: list[Json] = []
        for number, row in enumerate(rows, 1):
            try:
                files = self._sound(pack, packed, (facts["controller"]["id"], row, number), staging)
            except opening.OneChannel:
                reason = {name: row[name] for name in ("started_at", "purpose")} | {"reason": "one_channel"}
                withheld = [*withheld, {"recording": row["id"], **reason}]
                click.echo(f"warning: left out: {row['id']}: both voices are in one channel", err=True)
            else:
                given.append({**row, "number": number, "files": files})
            tell(number, len(rows) + 1)
        _add(pack, "metadata.json", given)
        _add(pack, "withheld.json", withheld)
        self._papers(pack, packed)
        self._letters(pack, packed, facts, given, withheld)

    def _sound(
        self, pack: packing.Packing, packed: packing.Packed, which: tuple[str, Json, int], staging: Staging
    ) -> list[str]:
        """Put the sound of a recording in: each part, and all of them joined; return the names of the files."""
        controller, row, number = which
        stem, parts, names = f"audio/{number:04}-{row['started_at'][:10]}", row["parts"], []
        with ExitStack() as stack:
            sounds = [stack.enter_context(_unnamed(staging)) for _ in parts]
            for part, sound in zip(parts, sounds, strict=True):
                bound = (row["id"], f"ctl={controller}", f"part={part['segment']}")
                with packed.opened(f"sealed/{row['id']}.{part['segment']}.age") as source:
                    opening.open_part(source, self._identities, bound, sound, self._way.voice)
            for part, sound in zip(parts, sounds, strict=True):
                names += _audio(pack, stem if len(parts) == 1 else f"{stem}-part-{part['segment']}", sound, staging)
            if len(parts) > 1:
                names += self._whole(pack, f"{stem}-whole", list(zip(parts, sounds, strict=True)), staging)
        return names

    def _whole(
        self, pack: packing.Packing, name: str, parts: Sequence[tuple[Json, BinaryIO]], staging: Staging
    ) -> list[str]:
        with _unnamed(staging) as whole:
            joined = Joined(whole)
            try:
                for part, sound in parts:
                    sound.seek(0)
                    joined.begin(str(part["segment"]))
                    packing.copy(sound, cast("BinaryIO", joined))
                joined.end()
            except Refused as error:
                click.echo(f"warning: the parts of one recording are not joined: {error.message}", err=True)
                return []
            self._joined = True
            return _audio(pack, name, whole, staging)

    def _papers(self, pack: packing.Packing, packed: packing.Packed) -> None:
        """Put in what goes on as it is, and a page for each receipt."""
        for name in COPIED:
            _add(pack, f"{name}.json", packed.read(f"{name}.json"))
        for name in packed.files:
            if name.startswith("receipts/"):
                receipt = cast("Any", packed.read(name))
                _add(pack, name, receipt)
                pack.add(name.removesuffix(".json") + ".html", io.BytesIO(receipts.page(receipt).encode()))
            elif name.startswith("prompts/"):
                with packed.opened(name) as sound:
                    pack.add(name, sound)

    def _letters(
        self,
        pack: packing.Packing,
        packed: packing.Packed,
        facts: Json,
        given: Sequence[Json],
        withheld: Sequence[Json],
    ) -> None:
        values = {name: cast("Any", packed.read(f"{name}.json")) for name in (*COPIED, "processings")}
        wanted = self._way.language or facts["language"] or _spoken(values["consents"])
        language = letters.language_for("access", wanted, self._way.templates)
        if language != wanted.replace("_", "-").lower().split("-")[0] and language != wanted.lower():
            click.echo(f"warning: there is no letter in {wanted!r}: it is in {language!r}", err=True)
        muted, portability = self._muted(), self._portability(given)
        if muted:
            _add(pack, "muted.json", muted)
        if portability is not None:
            _add(pack, "portable.json", _portable(facts, portability["applicable"]))
        self._told = {"recordings": len(given), "withheld": len(withheld), "language": language}
        values |= {"disclosed_to": _all(values["processings"], facts, "disclosed_to")}
        values |= {"transfers": _all(values["processings"], facts, "transfers"), "opus": opus.available()}
        values |= {"recordings": given, "withheld": withheld, "muted": muted, "portability": portability}
        values |= {**facts, "joined": self._joined}
        for name, file in (("access", "letter"), ("glossary", "glossary")):
            own = letters.language_for(name, language, self._way.templates)
            letter = letters.write(name, own, values, self._way.templates)
            pack.add(f"{file}.html", io.BytesIO(letter.page.encode()))
            pack.add(f"{file}.txt", io.BytesIO(letter.text.encode()))

    def _muted(self) -> Json | None:
        if self._way.voice is None:
            return None
        return {"voice": str(self._way.voice), "reason": self._way.reason, "decided_at": self._at}

    def _portability(self, given: Sequence[Json]) -> Json | None:
        if not self._way.portability:
            return None
        both = {True: [], False: []}  # type: dict[bool, list[Json]]
        for row in given:
            both[row["basis"] in PORTABLE].append(row)
        return {"applicable": both[True], "not_applicable": both[False]}


def _portable(facts: Json, rows: Sequence[Json]) -> Json:
    """Return what Art. 20 gives: what the person provided himself, by his voice and his keys, for machines to read."""
    names = ("id", "call", "line", "purpose", "basis", "outcome", "started_at", "seconds", "files")
    recordings = [{name: row[name] for name in names} for row in rows]
    return {"format": "gdprcall/portable-v1", "controller": facts["controller"]["name"], "recordings": recordings}


def _audio(pack: packing.Packing, name: str, sound: BinaryIO, staging: Staging) -> list[str]:
    sound.seek(0)
    pack.add(f"{name}.wav", sound)
    names = [f"{name}.wav"]
    sound.seek(0)
    with _unnamed(staging) as small:
        if opus.encode(sound, small):
            pack.add(f"{name}.ogg", small)
            names.append(f"{name}.ogg")
    return names


def _spoken(consents: Sequence[Json]) -> str:
    """Return the language of a person's last call."""
    return next((str(one["language"]) for one in reversed(consents) if one["language"] != "und"), letters.DEFAULT)


def _all(processings: Sequence[Json], facts: Json, name: str) -> list[str]:
    """Return what the policies of all recordings, and that of today, name."""
    return list(dict.fromkeys([one for each in processings for one in each[name]] + facts["controller"][name]))


def _add(pack: packing.Packing, name: str, value: object) -> None:
    pack.add(name, io.BytesIO((json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()))


def _unnamed(staging: Staging) -> Any:  # what tempfile returns
    """Return a file that has no name from its beginning, for its owner alone: whatever happens, nothing of it is left."""
    return TemporaryFile(dir=staging.folder)
