"""The vault of a real daemon: looked through while a call is recorded, and free of a caller who was erased."""

import json
import subprocess
from pathlib import Path

import pytest

from gdprcall import config
from gdprcall.vault import subjects
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


def test_ret_05_after_an_erasure_the_same_search_finds_nothing_and_a_kept_copy_does_not_open(
    installation: Installation,
) -> None:
    installation.start()
    call = Caller(installation.asterisk, NUMBER, "support", [Wait(8.8), Press("1"), Wait(2), Hangup()]).start()
    assert call.wait() == 0, call.problem()
    installation.wait_until_quiet()
    (recording,) = [str(row["id"]) for row in installation.json("recordings", "list")]
    assert installation.opened(recording).stat().st_size > 1000, "it opens before"
    folder = installation.folder / "vault"
    subject = subjects.pseudonym(config.load(installation.config).pseudonym_key("acme"), NUMBER).encode()
    payload = folder / "objects" / recording[:2] / f"{recording}.1"
    copy = installation.folder / "copy"
    copy.write_bytes(payload.read_bytes())
    assert {"index.db", "ledger.db"} <= {name.removesuffix("-wal") for name in vaults.files_with(folder, subject)}
    erased = installation.cli("recordings", "erase", recording, "--reason", "request 17", "--yes", "--json").stdout
    (receipt,) = json.loads(erased)
    assert receipt["complete"]
    assert vaults.files_with(folder, subject) == []
    done = subprocess.run([AGE, "-d", "-i", installation.identity, copy], capture_output=True, check=False, timeout=20)
    assert (done.returncode != 0, done.stdout) == (True, b"")
    installation.stop()
    assert vaults.files_with(folder, subject) == []
