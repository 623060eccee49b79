"""Which recordings a breach concerns: those of a time, of a host, sealed to a key, in a folder, of a package, or of a list.

It changes nothing. What is asked for twice must hold twice: the keys of a folder, within a time.
"""

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gdprcall.breach.desk import Desk
from gdprcall.errors import ConfigError, NotFound
from gdprcall.parameters import moment
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Kind
from gdprcall.vault.keys import fingerprint
from gdprcall.vault.rows import RecordingRow, Wanted
from gdprcall.vault.stores import SEALS

NAME = re.compile(r"([0-9a-f]{32})(?:\.\d+)?(?:\.[a-z0-9.]+)?")
"""How a file of a recording is called, in the spool, in the vault, in a backup, or as an export."""
ID = re.compile(r"[0-9a-f]{32}")
GONE = frozenset({"erased", "not_started"})
Scope = Mapping[str, object]
Rows = dict[str, RecordingRow]


def concerned(desk: Desk, scope: Scope) -> dict[str, list[RecordingRow]]:
    """Return the recordings that a breach concerns, by controller; raises ConfigError, NotFound.

    Without a word on what was concerned, that is nothing.
    """
    desk.vault.catch_up()
    asked = [find for name, find in _WAYS.items() if scope.get(name) not in (None, "")]
    times = "since" in scope or "until" in scope
    if not asked and not times:
        return {}
    found: Rows | None = None
    for find in asked:
        rows = find(desk, scope)
        found = rows if found is None else {id_: row for id_, row in found.items() if id_ in rows}
    within = _within(desk, scope, found) if times else found or {}
    by: dict[str, list[RecordingRow]] = {}
    for row in sorted(within.values(), key=lambda row: (row.controller, row.started_at, row.id)):
        if desk.controller in {None, row.controller} and scope.get("controller") in (None, "", row.controller):
            by.setdefault(row.controller, []).append(row)
    return by


def persons(rows: Iterable[RecordingRow]) -> int:
    """Return how many persons recordings are of, as far as is known: one without a number counts as somebody else."""
    given = list(rows)
    known = {(row.controller, row.subject) for row in given if row.subject is not None}
    return len(known) + sum(row.subject is None for row in given)


def _within(desk: Desk, scope: Scope, found: Rows | None) -> Rows:
    """Return what was being recorded at some moment between two."""
    since, until = moment(scope, "since"), moment(scope, "until")
    if since is not None and until is not None and until < since:
        raise ConfigError("until is before since", "give the earlier one first")
    rows = found.values() if found is not None else _all(desk.vault, until)
    return {
        row.id: row
        for row in rows
        if (until is None or row.started_at <= until)
        and (since is None or row.started_at + round(row.seconds * 1000) >= since)
    }


def _all(vault: Vault, until: int | None = None) -> list[RecordingRow]:
    rows = vault.recordings(Wanted(until=None if until is None else until + 1, limit=-1))
    return [row for row in rows if row.state not in GONE]


def _on_host(desk: Desk, scope: Scope) -> Rows:
    names = {socket.gethostname(), socket.getfqdn(), "localhost", desk.config.location} - {""}
    if scope["host"] not in names:
        raise NotFound("this vault lies on another host", f"this one is {socket.gethostname()}")
    return {row.id: row for row in _all(desk.vault)}


def _sealed_to(desk: Desk, scope: Scope) -> Rows:
    """Return what was ever sealed to a recipient, as the ledger says; given is the recipient, or its fingerprint."""
    key = str(scope["key"])
    marks = {key, fingerprint(key)}
    told = desk.vault.ledger.entries(kinds=SEALS | {Kind.REWRAPPED})
    ids = {entry.recording for entry in told if marks & set(_texts((entry.body or {}).get("recipients")))}
    if not ids and not any(
        marks & {one.recipient, fingerprint(one.recipient)} for one in desk.vault.index.recipients()
    ):
        raise NotFound("nothing was ever sealed to this recipient", "see: gdprcall keys list")
    return _of(desk.vault, (id_ for id_ in ids if id_ is not None))


def _in_folder(desk: Desk, scope: Scope) -> Rows:
    folder = Path(str(scope["folder"]))
    if not folder.is_absolute() or not folder.is_dir():
        raise ConfigError("the folder is no folder of this host", "give its whole path")
    try:
        names = [path.name for path in folder.rglob("*") if not path.is_dir()]
    except OSError as error:
        raise ConfigError(f"the folder cannot be read: {error.strerror}", "may the user gdprcall read it?") from error
    return _of(desk.vault, (match[1] for match in map(NAME.fullmatch, names) if match))


def _listed(desk: Desk, scope: Scope) -> Rows:
    ids = _texts(scope["recordings"])
    wrong = sum(not ID.fullmatch(id_) for id_ in ids)
    if wrong or not ids:
        raise ConfigError(
            f"{wrong or 'all'} lines are no id of a recording", "one id a line, as recordings list prints"
        )
    found = _of(desk.vault, ids)
    missing = len(set(ids) - found.keys())
    if missing:
        raise NotFound(f"{missing} of these recordings are not known here", "see: gdprcall recordings list")
    return found


def _packed(desk: Desk, scope: Scope) -> Rows:
    """Return what a person was given in a package."""
    package = str(scope["package"])
    known = desk.vault.index.package(package)
    if known is None or desk.controller not in {None, known.controller}:
        raise NotFound(f"there is no package {package}", "see: gdprcall audit log --kind access_packaged")
    released = desk.vault.ledger.entries(kinds={Kind.RELEASED})
    ids = {entry.recording for entry in released if (entry.body or {}).get("package") == package}
    return _of(desk.vault, (id_ for id_ in ids if id_ is not None))


def _of(vault: Vault, ids: Iterable[str]) -> Rows:
    rows = (vault.index.recording(id_) for id_ in sorted(set(ids)))
    return {row.id: row for row in rows if row is not None}


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


_WAYS: Mapping[str, Callable[[Desk, Scope], Rows]] = {
    "host": _on_host,
    "key": _sealed_to,
    "folder": _in_folder,
    "recordings": _listed,
    "package": _packed,
}
