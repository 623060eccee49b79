"""Makes the package of a person's recordings on the PBX: released one by one, sealed as they are, then all in one.

No sound is ever opened here. Of an interrupted run nothing is released again that had arrived whole.
"""

import base64
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from gdprcall import age, packing
from gdprcall.cli.backend import Backend
from gdprcall.cli.files import write_whole
from gdprcall.cli.staging import Staging, folder_of, staged
from gdprcall.errors import NotFound, Refused
from gdprcall.vault.checks import Progress

PAGE = 500
MADE, MAKING = "package", ".making"
LISTS = ("recordings", "accesses", "disclosures", "processings")
Json = Mapping[str, Any]  # JSON of our own


@dataclass(frozen=True, slots=True)
class Asked:
    """For whom a package is wanted, and where it is to lie."""

    params: Mapping[str, str]
    target: Path
    force: bool


@dataclass(frozen=True, slots=True)
class Made:
    """A package that is whole."""

    package: str
    sha256: str
    recordings: int
    withheld: tuple[Json, ...]

    def as_json(self) -> dict[str, object]:
        """Return it for print."""
        counted = {"package": self.package, "sha256": self.sha256, "recordings": self.recordings}
        return counted | {"withheld": list(self.withheld)}


def make(backend: Backend, asked: Asked, tell: Progress) -> Made:
    """Make the package, or go on with one that was interrupted; raises GdprcallError."""
    if asked.target.exists() and not asked.force and not folder_of(asked.target).exists():
        raise Refused(f"{asked.target} is there already", "choose another name, or add --force")
    with staged(asked.target, resumable=True) as staging:
        return _made(backend, asked, staging, tell)


def _made(backend: Backend, asked: Asked, staging: Staging, tell: Progress) -> Made:
    plan = _plan(backend, asked, staging)
    if finished := _finished(backend, asked, staging, plan):
        return finished
    if asked.target.exists() and not asked.force:
        raise Refused(f"{asked.target} is there already", "choose another name, or add --force")
    wanted = [(row["id"], part) for row in plan["recordings"] for part in row["parts"]]
    staging.clean({_name(id_, part) for id_, part in wanted})
    gone: dict[str, str] = {}
    for number, (id_, part) in enumerate(wanted):
        if id_ not in gone:
            _release(backend, staging, plan, id_, part, gone)
        tell(number + 1, len(wanted) + 1)
    sha256 = _assemble(backend, staging, plan, gone)
    given = len([row for row in plan["recordings"] if row["id"] not in gone])
    withheld = _withheld(plan, gone)
    counts = {"recordings": str(given), "withheld": json.dumps(withheld)}
    staging.remember({"package": plan["id"], "mark": plan["mark"], "sha256": sha256, **counts})
    finished = _finished(backend, asked, staging, plan)
    assert finished is not None
    return finished


def _plan(backend: Backend, asked: Asked, staging: Staging) -> Json:
    """Return what the package holds; raises Refused when what lies there was begun for somebody else."""
    params: dict[str, object] = dict(asked.params)
    if known := staging.state.get("package"):
        params["package"] = known
    plan = backend.call("subject/access", params)
    assert isinstance(plan, dict)
    if known and plan["mark"] != staging.state.get("mark"):
        hint = f"remove {staging.folder}, or choose another name"
        raise Refused("what was interrupted there is the package of somebody else", hint)
    if not known:
        staging.remember({"package": plan["id"], "mark": plan["mark"]})
    return plan


def _finished(backend: Backend, asked: Asked, staging: Staging, plan: Json) -> Made | None:
    """Put a package in place that is whole; None if there is none yet. Again it does nothing."""
    said, made = staging.state, staging.folder / MADE
    sha256 = said.get("sha256")
    if sha256 is None:
        return None
    there = next((path for path in (made, asked.target) if path.is_file() and _sha256(path) == sha256), None)
    if there is None:
        return None
    withheld = json.loads(said["withheld"])
    done = Made(plan["id"], sha256, int(said["recordings"]), tuple(withheld))
    counts = {"recordings": done.recordings, "withheld": len(withheld)}
    backend.call("subject/packaged", {"package": done.package, "sha256": sha256, **counts})
    if there == made:
        staging.put_in_place(made, force=asked.force)
    return done


def _release(backend: Backend, staging: Staging, plan: Json, id_: str, part: Json, gone: dict[str, str]) -> None:
    """Let one segment come, unless it is there; what may not or can not any more is written down."""
    path = staging.folder / _name(id_, part)
    if path.exists() and _is_whole(path, part):
        return
    # The person asks, so he agrees, should it be restricted (Art. 18(2)).
    noted = {"reason": plan["reason"], "package": plan["id"], "mark": plan["mark"], "exception": "consent"}
    try:
        write_whole(path, lambda sink: backend.export(id_, part["segment"], plan["purpose"], sink, noted), force=True)
    except (Refused, NotFound):
        reason = _why(backend, id_)
        if reason is None:  # nothing stands against this recording: it is we who may not, and that is no answer
            raise
        gone[id_] = reason
        for left in staging.folder.glob(f"{id_}.*.age"):
            left.unlink()


def _why(backend: Backend, id_: str) -> str | None:
    """Return why a recording that was to be given is not any more; None when it is as it was."""
    try:
        row = backend.call("recordings/show", {"id": id_})
    except NotFound:
        return "erased"
    assert isinstance(row, dict)
    if row["state"] == "erased" or row["erasing"] or row["withdrawn"]:
        return "erased"
    return None


def _assemble(backend: Backend, staging: Staging, plan: Json, gone: Mapping[str, str]) -> str:
    """Write the package, sealed, into the folder; return its hash."""
    making = staging.folder / MAKING
    recipients = [age.parse_recipient(one) for one in plan["recipients"]]
    rows = [row for row in plan["recordings"] if row["id"] not in gone]

    def fill(sink: BinaryIO) -> None:
        with packing.sealed(sink, recipients) as seal:
            pack = packing.Zipped(seal)
            for row in rows:
                for part in row["parts"]:
                    with (staging.folder / _name(row["id"], part)).open("rb") as source:
                        pack.add(f"sealed/{_name(row['id'], part)}", source)
            for name, value in _papers(backend, plan, [row["id"] for row in rows], pack):
                _add(pack, name, value)
            _add(pack, "withheld.json", _withheld(plan, gone))
            pack.finish()

    write_whole(making, fill, force=True)
    sha256 = _sha256(making)
    making.rename(staging.folder / MADE)
    return sha256


def _papers(backend: Backend, plan: Json, ids: list[str], pack: packing.Zipped) -> Iterator[tuple[str, object]]:
    """Yield the papers; receipts and prompts go in as they come, a page at a time."""
    lists: dict[str, list[Any]] = {name: [] for name in LISTS}
    consents, facts, prompts = [], None, set()
    for place in range(0, max(len(ids), 1), PAGE):
        page = backend.call("subject/papers", {"package": plan["id"], "ids": ids[place : place + PAGE]})
        assert isinstance(page, dict)
        facts = page["facts"]
        for name in LISTS:
            lists[name] += page[name]
        for receipt in page["receipts"]:
            record = receipt["record"]
            _add(pack, f"receipts/{record['record_id']}.json", receipt)
            consents.append(_consent(record))
        for sha256, sound in page["prompts"].items():
            if sound and sha256 not in prompts:
                prompts.add(sha256)
                pack.add(f"prompts/{sha256}.wav", io.BytesIO(base64.b64decode(sound)))
    yield "facts.json", facts
    yield "consents.json", consents
    yield from ((f"{name}.json", lists[name]) for name in LISTS)


def _consent(record: Json) -> Json:
    call = record["telephony"]
    names = ("outcome", "reason", "decided_at", "withdrawn_at", "recording")
    told = {"decision": record["record_id"], "language": record["pii_processing"]["language"]}
    return told | {name: call[name] for name in names} | {"events": record["events"]}


def _withheld(plan: Json, gone: Mapping[str, str]) -> list[Json]:
    names = ("started_at", "purpose")
    refused = [
        {"recording": row["id"], **{name: row[name] for name in names}, "reason": gone[row["id"]]}
        for row in plan["recordings"]
        if row["id"] in gone
    ]
    return [*plan["withheld"], *refused]


def _add(pack: packing.Zipped, name: str, value: object) -> None:
    pack.add(name, io.BytesIO((json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()))


def _name(id_: str, part: Json) -> str:
    return f"{id_}.{part['segment']}.age"


def _is_whole(path: Path, part: Json) -> bool:
    """Whether what lies there is the segment as the vault has it now: header and payload."""
    with path.open("rb") as file:
        try:
            header = age.read_header(file)
        except age.AgeError:
            return False
        payload = hashlib.file_digest(file, "sha256").hexdigest()
    return (hashlib.sha256(header).hexdigest(), payload) == (part["header_sha256"], part["payload_sha256"])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
