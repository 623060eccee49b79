"""What it costs to give a hundred thousand headers to other recipients, with the commands that an administrator types."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

from gdprcall import age, config
from gdprcall.custody import challenge, recipients
from gdprcall.vault.archive import Vault
from gdprcall.vault.binding import binding_stanza, bound_header
from gdprcall.vault.keys import Held, Slot, fingerprint
from gdprcall.vault.ledger import Fact, Kind
from tests import vaults
from tests.vaults import ACME, Controller, recording_id

HEADERS, AT_ONCE = 100_000, 5_000
NEW = Controller("acme", seed=77)
CONFIG = """
[vault]
folder = "{folder}/vault"
socket = "{folder}/none.sock"
[secrets]
folder = "{folder}/secrets"
[controllers.acme]
name = "Acme"
contact = "privacy@acme.example"
country = "SE"
notice_url = "acme.example"
recipients = ["{}", "{}"]
"""


def rewrapping(folder: Path, count: int = HEADERS) -> tuple[float, float, float]:
    """Return the seconds of exporting, of wrapping where the identity is, and of taking back; two recipients each."""
    path = folder / "gdprcall.toml"
    _prepare(folder, path, count)
    (folder / "officer").mkdir()
    identity = folder / "officer" / "acme.identity"
    identity.write_text(ACME.identities[0].encode() + "\n")
    out, back = folder / "officer" / "out", folder / "officer" / "back"
    to = [word for one in NEW.recipients for word in ("--to", one)]
    exported = _timed(path, "export", "acme", "-o", str(out))
    wrapped = _timed(path, "convert", str(out), "-i", str(identity), *to, "-o", str(back))
    taken = _timed(path, "take", str(back), "--yes")
    with Vault.open(folder / "vault") as vault:
        for number in (0, count // 2, count - 1):
            header = vault.keys.get(recording_id(number), 1, Slot.HEADER)
            assert header is not None
            age.open_header(header, [NEW.identities[1]])
    return exported, wrapped, taken


def _timed(path: Path, *words: str) -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "gdprcall", "--config", str(path), "keys", "rewrap", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _prepare(folder: Path, path: Path, count: int) -> None:
    path.write_text(CONFIG.format(*ACME.recipients, folder=folder))
    with Vault.open(folder / "vault") as vault:
        recipients.note_changes(vault, config.load(path).policy)
        path.write_text(CONFIG.format(*NEW.recipients, folder=folder))
        policy = config.load(path).policy
        for place, recipient in enumerate(NEW.recipients):
            asked = recipients.ask(vault, policy, "acme", recipient, challenge.Purpose.ENROL)
            answer = NEW.opens(str(asked["challenge"]).encode(), place).decode()
            recipients.check(vault, policy, recipients.Wanted("acme", challenge.Purpose.ENROL), answer, "bench")
        for begin in range(0, count, AT_ONCE):
            _fill(vault, range(begin, min(count, begin + AT_ONCE)))
        vault.catch_up()


def _fill(vault: Vault, numbers: range) -> None:
    """Give recordings real headers, and an entry that says so."""
    held, waiting = [], []
    to = [fingerprint(one) for one in ACME.recipients]
    for number in numbers:
        id_ = recording_id(number)
        header = bound_header(os.urandom(16), ACME.recipients, binding_stanza(id_, "acme", "1"), os.urandom)
        held.append(Held(id_, 1, Slot.HEADER, header))
        body = {
            "segment": 1, "payload_sha256": "0" * 64, "payload_bytes": 0, "recipients": to, "seconds": 1.0,
            "header_sha256": hashlib.sha256(header).hexdigest(), "started_at": 0, "closed_at": 0, "expires_at": 0,
        }  # fmt: skip
        waiting.append(vault.submit(vaults.decision(id_), Fact(Kind.SEALED, id_, "acme", body)))
    vault.keys.stage(held)  # put() syncs each; what is measured comes later
    vault.keys.swap([(one.recording, one.segment, one.kind) for one in held])
    vault.keys.forget_staged()
    for one in waiting:
        one.result()
