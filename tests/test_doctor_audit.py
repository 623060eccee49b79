"""The doctor on the ledger's proof: a key that signs, and a way out of the host."""

from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall.config import Config
from gdprcall.doctor import audit
from gdprcall.doctor.finding import FAIL, OK, WARN, Finding
from gdprcall.vault.note import Signer
from tests.test_operations import settings


@pytest.fixture
def config(tmp_path: Path) -> Config:
    for name in ("out", "secrets", "vault"):
        (tmp_path / name).mkdir()
    key = tmp_path / "secrets" / "log-signing-key"
    key.write_text(Signer("pbx.example/gdprcall", bytes(32)).encode())
    key.chmod(0o600)
    return replace(settings(tmp_path), checkpoint_folder=tmp_path / "out", checkpoint_command=("/bin/cat",))


def found(config: Config) -> dict[str, Finding]:
    return {finding.check: finding for finding in audit.examine(config)}


def test_a_ledger_that_is_signed_and_leaves_the_host_is_in_order(config: Config) -> None:
    checks = found(config)
    assert set(checks) == {"ledger key", "checkpoint folder", "checkpoint command"}
    assert {finding.grade for finding in checks.values()} == {OK}


def test_a_missing_key_and_a_missing_way_out_are_told_with_their_mend(config: Config, tmp_path: Path) -> None:
    (tmp_path / "secrets" / "log-signing-key").unlink()
    checks = found(replace(config, checkpoint_folder=None, checkpoint_command=()))
    assert checks["ledger key"].grade is FAIL
    assert "audit key --new" in checks["ledger key"].mend
    assert checks["checkpoints"].grade is WARN
    assert "[audit]" in checks["checkpoints"].mend


@pytest.mark.parametrize("program", ["/nowhere/send", "/tmp"])
def test_a_command_that_cannot_be_run_is_a_failure(config: Config, program: str) -> None:
    finding = found(replace(config, checkpoint_command=(program,)))["checkpoint command"]
    assert (finding.grade, bool(finding.mend)) == (FAIL, True)


def test_a_folder_that_is_not_there_or_not_the_daemons_is_a_failure(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = found(replace(config, checkpoint_folder=tmp_path / "gone"))["checkpoint folder"]
    assert (finding.grade, "install -d" in finding.mend) == (FAIL, True)
    monkeypatch.setattr(audit, "may_use", lambda _folder, _user: False)
    assert found(config)["checkpoint folder"].grade is FAIL
