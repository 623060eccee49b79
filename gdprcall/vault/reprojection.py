"""Compares the index with what the ledger makes of it: row for row, while both go on.

It mends nothing. The copy that it makes beside the index for this holds no caller, so that an erasure leaves nothing in it.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from gdprcall.errors import VaultError
from gdprcall.vault.entry import Entry, Kind, names_caller
from gdprcall.vault.index import Index, Key
from gdprcall.vault.ledger import PAGE, Ledger
from gdprcall.vault.proof import Finding

ROWS = 500
"""How many rows are compared at once."""

TRIES = 5
"""How often rows that differ are looked at again: the daemon may just have changed them."""


class Reprojection:
    """An index made anew beside the one that is in use; ``path`` is where, and may hold what an earlier one made."""

    def __init__(self, path: Path, index: Index, ledger: Ledger) -> None:
        self._index, self._ledger = index, ledger
        self._anew = Index(path)

    def build(self) -> tuple[int, int]:
        """Take a page of the ledger in; return how many entries of how many are in."""
        done, size = self._anew.applied(), self._ledger.size()
        self._anew.apply([_nameless(entry) for entry in islice(self._ledger.entries(after=done), PAGE)])
        reached = self._anew.applied()
        if reached == done < size:  # nothing there, or an entry of another number in its place
            raise VaultError("the ledger is shorter than it says", "run: gdprcall audit verify")
        return reached, size

    def compare(self, table: str, after: Key) -> tuple[list[Finding], Key | None]:
        """Return what differs in the next rows of a table, and the key to go on after, or None at its end."""
        rows = self._index.page(table, after, ROWS)
        until = list(rows)[-1] if len(rows) == ROWS else None
        other = self._anew.page(table, after, -1, until)
        suspects = [key for key in {**rows, **other} if rows.get(key) != other.get(key)]
        found = list(self._confirmed(table, suspects)) if suspects else []
        if table == "recording":
            found += [finding for key in rows for finding in self._caller(str(key[0]))]
        return found, until

    def close(self) -> None:
        """Close the copy."""
        self._anew.close()

    def _confirmed(self, table: str, keys: list[Key]) -> Iterator[Finding]:
        """Yield those that differ when both have taken in the same entries."""
        for _ in range(TRIES):
            place = self._place()
            while self._anew.applied() < place:
                self.build()
            rows = {key: (self._index.row(table, key), self._anew.row(table, key)) for key in keys}
            if self._anew.applied() == place == self._place():
                break
        else:
            raise VaultError("the index does not come to rest", "try again when fewer calls come")
        for key, (row, other) in rows.items():
            if row != other:
                how = "missing" if row is None else "unknown to the ledger" if other is None else _differ(row, other)
                yield Finding("index", f"{table} {'.'.join(map(str, key))}", how)

    def _place(self) -> int:
        """Return up to which entry the index and the ledger go both: the index may have seen some that were cut off."""
        return min(self._index.applied(), self._ledger.size())

    def _caller(self, recording: str) -> Iterator[Finding]:
        for _ in range(TRIES):
            row = self._index.recording(recording)
            told = [entry for entry in self._ledger.entries(recording=recording) if names_caller(entry)]
            noted = str((told[-1].body or {})["subject"]) if told else None
            if row is None or row.subject == noted or (row.subject is None and (row.erasing or row.state == "erased")):
                return
        yield Finding("index", f"recording {recording}", "another caller than the ledger says")


def _nameless(entry: Entry) -> Entry:
    if not names_caller(entry) and entry.kind is not Kind.REQUEST_PERSON:
        return entry
    body = {name: value for name, value in (entry.body or {}).items() if name != "subject"}
    return Entry(entry.seq, entry.time, entry.kind, entry.recording, entry.controller, body)


def _differ(row: Mapping[str, object], other: Mapping[str, object]) -> str:
    names = [name for name, value in row.items() if other[name] != value]
    return f"not as the ledger says: {', '.join(names)}"
