"""Checkpoints of a real daemon: at its start, after a withdrawal, on demand; and what they prove of a ledger in use."""

import json
from pathlib import Path

import pytest

from gdprcall.vault.checkpoint import checked
from gdprcall.vault.note import Verifier
from tests.pbx.callers import Caller, Hangup, Press, Wait
from tests.pbx.installation import Installation

pytestmark = pytest.mark.pbx


def test_the_daemons_checkpoints_leave_the_host_and_prove_its_ledger(installation: Installation) -> None:
    out = installation.folder / "out"
    out.mkdir()
    with installation.config.open("a") as config:
        config.write(f'\n[audit]\ncheckpoint_folder = "{out}"\n')
    installation.start()
    installation.wait_until(lambda: bool(list(out.glob("checkpoint-*"))))
    (first,) = out.iterdir()
    key = installation.cli("audit", "key").stdout.strip()
    size = checked(first.read_text(), [Verifier.parse(key)]).size
    steps = [Wait(8.8), Press("1"), Wait(2), Press("*"), Press("9"), Wait(1), Hangup()]
    call = Caller(installation.asterisk, "+46701742001", "support", steps).start()
    assert call.wait() == 0, call.problem()
    installation.wait_until_quiet()
    made = installation.cli("audit", "checkpoint").stdout
    assert made in [path.read_text() for path in out.iterdir()]
    (recording,) = [str(row["id"]) for row in installation.json("recordings", "list")]
    proof = json.loads(installation.cli("audit", "prove", recording).stdout)
    kinds = [json.loads(entry["leaf"])["kind"] for entry in proof["entries"]]
    assert {"decision", "withdrawn", "erased"} <= set(kinds)
    since = json.loads(installation.cli("audit", "verify", "--since", str(first), "--key", key, "--json").stdout)
    assert (since["findings"], since["since"][0]["old_size"]) == ([], size)


def test_a_checkpoint_that_cannot_leave_is_logged_and_calls_go_on(installation: Installation) -> None:
    with installation.config.open("a") as config:
        config.write(f'\n[audit]\ncheckpoint_folder = "{Path("/nowhere/at/all")}"\n')
    installation.start()
    (said,) = installation.wait_for("checkpoint_failed")
    assert "ReadWritePaths" in str(said["hint"])
    assert '"fit": true' in installation.cli("status", "--json").stdout
