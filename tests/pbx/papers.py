"""The papers of the demonstration: addendum, registers, the officer's page, and the first notification of a breach, from what was just recorded.

What they say is compared with the vault, not with the program's word.
"""

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from tests.pbx.installation import Installation
from tests.pbx.prepare import ROOT

FACTS = "A backup disk with the recordings of this day was lost on its way to the bank."
PAPERS = ("alm/addendum", "acme/register", "alm/register", "processor-register")


def written(installation: Installation, folder: Path) -> bool:
    """Write the papers, print where they are, and return whether they say what is so."""
    installation.cli("documents", "write", str(folder))
    notice, concerned = notified(installation, folder)
    pages = [folder / f"{name}.html" for name in PAPERS]
    for company in ("acme", "alm"):
        page = folder / f"officer-{company}.html"
        installation.cli("report", company, "--out", str(page))
        pages.append(page)
    pages.append(notice)
    for path in pages:
        print(f"  {path.relative_to(ROOT)}")
    good = all(path.stat().st_size > 2000 for path in pages)
    return good and concerned == there(installation, "acme") and counted(installation, "acme", folder)


def notified(installation: Installation, folder: Path) -> tuple[Path, int]:
    """Let a disk of Acme's be lost: open a breach, and draft what the authority is told; return that, and how many recordings it concerns."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    words = ["--since", f"{datetime.now(UTC):%Y-%m-%d}T00:00:00Z", "--facts", FACTS, "--kinds", "confidentiality"]
    words += ["--aware", now, "--by", "the duty engineer", "--reason", "it did not arrive"]
    opened = json.loads(installation.cli("breach", "open", *words, "--json").stdout)["breaches"]
    (acme,) = [one for one in opened if one["controller"] == "acme"]
    print(f"  the clock of {acme['controller']}: {acme['remains']}")
    page = folder / "breach-notification.html"
    installation.cli("breach", "notice", acme["id"], "--to", "authority", "--html", str(page))
    assert FACTS in page.read_text()
    return page, acme["records"]


def there(installation: Installation, controller: str) -> int:
    """Return how many recordings of a controller the index has that are not gone."""
    with sqlite3.connect(f"file:{installation.folder}/vault/index.db?mode=ro", uri=True) as db:
        sql = "SELECT count(*) FROM recording WHERE controller = ? AND state NOT IN ('erased', 'not_started')"
        ((count,),) = db.execute(sql, (controller,)).fetchall()
    db.close()
    return int(count)


def counted(installation: Installation, controller: str, folder: Path) -> bool:
    """Whether the officer's page says how many were asked, as the index has it."""
    with sqlite3.connect(f"file:{installation.folder}/vault/index.db?mode=ro", uri=True) as db:
        ((asked,),) = db.execute("SELECT count(*) FROM decision WHERE controller = ?", (controller,)).fetchall()
    db.close()
    return f"of {asked} who were asked or informed" in (folder / f"officer-{controller}.html").read_text()
