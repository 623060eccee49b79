"""The vault of a real daemon: looked through while a call is recorded, and free of a caller who was erased."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from gdprcall import config
from gdprcall.vault import subjects
from gdprcall.vault.keys import SLOT_SIZES
from tests import vaults
from tests.pbx.callers import Caller, Hangup, Press, Wait
from tests.pbx.installation import Installation

pytestmark = pytest.mark.pbx

NUMBER = "+46701742101"
AGE = Path(__file__).parent.parent / ".pbx" / "bin" / "age"


def test_a_vault_is_looked_through_while_a_call_is_recorded_into_it(installation: Installation) -> None:
    installation.start()
    first = Caller(installation.asterisk, NUMBER, "support", [Wait(8.8), Press("1"), Wait(2), Hangup()]).start()
    assert first.wait() == 0, first.problem()
    installation.wait_until_quiet()
    second = Caller(installation.asterisk, NUMBER, "support", [Wait(8.8), Press("1"), Wait(6), Hangup()]).start()
    installation.wait_until(lambda: bool(list(installation.asterisk.spool.glob("*.wav"))))
    found = json.loads(installation.cli("vault", "verify", "--json").stdout)
    assert (found["findings"], found["payloads_read"]) == ([], 1)
    assert second.wait() == 0, second.problem()
    installation.wait_until_quiet()
    found = json.loads(installation.cli("vault", "verify", "--json").stdout)
    assert (found["findings"], found["payloads_read"]) == ([], 2)


def slots(folder: Path, recording: str) -> dict[str, bytes]:
    """Return what keys.db holds of a recording, by kind, read from the file beside the running daemon."""
    with closing(sqlite3.connect(f"file:{folder}/keys.db?mode=ro", uri=True)) as db:
        rows = [row for size in SLOT_SIZES for row in db.execute(
            f"SELECT kind, slot FROM slot_{size} WHERE recording = ?", (recording,)
        )]  # fmt: skip
    return {kind: slot[2 : 2 + int.from_bytes(slot[:2], "big")] for kind, slot in rows}


def secrets_of(held: dict[str, bytes], subject: str) -> dict[str, list[bytes]]:
    """Return what must be nowhere after the erasure, by the file that holds it before."""
    header, number = held["header"], held["number"]
    wrapped = [line for line in header.split(b"\n") if len(line) == 43 and b" " not in line]
    payload = number[number.rindex(b"\n--- ") + 49 :]
    assert len(wrapped) == 1
    return {"keys.db": [*wrapped, header[-32:], number[:100], payload], "index.db": [subject.encode()]}


def test_rgt_08_after_an_erasure_the_same_search_finds_nothing_and_a_kept_copy_does_not_open(
    installation: Installation,
) -> None:
    """The same bytes, looked for in every file that the installation has but what the officer took out of it."""
    installation.start()
    callers = [
        Caller(installation.asterisk, number, "support", [Wait(8.8), Press("1"), Wait(2), Hangup()]).start()
        for number in (NUMBER, "+46701742102")
    ]
    for call in callers:
        assert call.wait() == 0, call.problem()
    installation.wait_until_quiet()
    settings, folder = config.load(installation.config), installation.folder / "vault"
    subject = subjects.pseudonym(settings.pseudonym_key("acme"), NUMBER)
    with closing(sqlite3.connect(f"file:{folder}/index.db?mode=ro", uri=True)) as db:
        (recording,) = db.execute("SELECT id FROM recording WHERE subject = ?", (subject,)).fetchone()
        (other,) = db.execute("SELECT id FROM recording WHERE subject <> ?", (subject,)).fetchone()
    payload = (folder / "objects" / recording[:2] / f"{recording}.1").read_bytes()
    held = slots(folder, recording)
    before = secrets_of(held, subject)
    assert opened(installation, held["header"] + payload), "a kept copy of header and payload opens before"
    for name, needles in before.items():
        for needle in needles:
            found = vaults.files_with(folder, needle)
            assert name in {one.removesuffix("-wal") for one in found}, (name, found)
    needles = [*before["keys.db"], *before["index.db"], bytes.fromhex(subject), NUMBER.encode(), NUMBER[1:].encode()]
    erased = installation.cli("recordings", "erase", recording, "--reason", "request 17", "--yes", "--json").stdout
    (receipt,) = json.loads(erased)
    assert receipt["complete"]
    assert vaults.files_with(installation.folder, *needles) == []
    # The payload is as good as ever; what opened it is nowhere, and no other header of the same controller does.
    for header in (b"", slots(folder, other)["header"]):
        assert opened(installation, header + payload) == b""
    assert json.loads(installation.cli("vault", "verify", "--json").stdout)["findings"] == []
    installation.stop()
    assert vaults.files_with(installation.folder, *needles) == []


def opened(installation: Installation, sealed: bytes) -> bytes:
    """Return what the public age makes of a file with the controller's right identity."""
    command = [AGE, "-d", "-i", installation.identity]
    done = subprocess.run(command, input=sealed, capture_output=True, check=False, timeout=20)
    assert (done.returncode == 0) == bool(done.stdout)
    return done.stdout
