"""What a person who answers for one controller is shown of a vault that holds those of several.

What belongs to another is not there for him: not refused, which would say that it exists. It changes nothing.
"""

import re
from collections.abc import Iterable, Sequence

from gdprcall.errors import NotFound
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Entry
from gdprcall.vault.rows import DecisionRow, Wanted

_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
GENERAL = frozenset({"ledger", "checkpoint", "vault"})
"""Where findings say of no recording and no decision more than the number of an entry."""


def rows(controller: str | None, wanted: Wanted) -> Wanted:
    """Return which rows are asked for, of the own controller alone."""
    if controller is None:
        return wanted
    other = wanted.controller not in {None, controller}
    names = ("line", "state", "outcome", "since", "until", "subject")
    kept = {name: getattr(wanted, name) for name in names}
    return Wanted(controller, **kept, limit=0 if other else wanted.limit)


def entries(controller: str | None, given: Iterable[Entry]) -> Iterable[Entry]:
    """Return the entries of the own controller alone."""
    return (entry for entry in given if controller in {None, entry.controller})


def recording(vault: Vault, controller: str | None, id_: str) -> str:
    """Return the id of a recording of the own controller; raises NotFound as for one that never was."""
    if controller is not None and not any(entries(controller, vault.ledger.entries(recording=id_))):
        raise NotFound(f"there is no recording {id_}", "see: gdprcall recordings list")
    return id_


def decision(vault: Vault, controller: str | None, id_: str) -> DecisionRow:
    """Return a decision of the own controller; raises NotFound as for one that never was."""
    row = vault.decision(id_)
    if controller not in {None, row.controller}:
        raise NotFound(f"there is no decision {id_}", "see: gdprcall decisions list")
    return row


def either(vault: Vault, controller: str | None, id_: str) -> str:
    """Return the id of a recording or a decision of the own controller; raises NotFound as for one that never was."""
    vault.catch_up()
    if controller is not None and not _owned(vault, controller, id_):
        text = f"the ledger knows no recording and no decision {id_}"
        raise NotFound(text, "see: gdprcall recordings list")
    return id_


def findings(vault: Vault, controller: str | None, found: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Return the findings that name nothing of another controller."""
    return [one for one in found if controller is None or _is_ours(vault, controller, one)]


def _is_ours(vault: Vault, controller: str, finding: dict[str, object]) -> bool:
    said = " ".join(str(value) for value in finding.values())
    ids = set(_ID.findall(said))
    if ids:
        return all(_owned(vault, controller, id_) for id_ in ids)
    return finding.get("where") in GENERAL or bool(re.search(rf"(?<!\w){re.escape(controller)}(?!\w)", said))


def _owned(vault: Vault, controller: str, id_: str) -> bool:
    if any(entries(controller, vault.ledger.entries(recording=id_))):
        return True
    row = vault.index.decision(id_) or vault.index.requests.find(id_)
    return row is not None and row.controller == controller
