"""The care of the vault on the command line: out of it, back into it, and never by guessing."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from gdprcall import config, operations, safekeeping
from gdprcall.errors import ConfigError
from gdprcall.vault.archive import Vault
from gdprcall.vault.verifying import Verification
from tests import vaults
from tests.test_cli_exits import RECORDING, Shell
from tests.vaults import ACME


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, capsys)
    (tmp_path / "drop").mkdir()
    text = shell.config.read_text().replace(
        "[controllers", f'[backup]\ntombstones = "{tmp_path}/drop"\n[controllers', 1
    )
    shell.config.write_text(text)
    return shell


def backed_up(shell: Shell) -> Path:
    status, out, err = shell("vault", "backup", str(shell.folder / "backups"))
    assert (status, err) == (0, "")
    assert "payloads: 0 present, 1 linked, 0 copied, 0 missing\nkeys of acme: keys/acme." in out
    return shell.folder / "backups"


def lose_the_vault(shell: Shell) -> None:
    (shell.folder / "vault").rename(shell.folder / "lost")


def opened_keys(shell: Shell, folder: Path) -> Path:
    (path,) = (folder / "keys").iterdir()
    opened = shell.folder / "opened"
    opened.write_bytes(ACME.opens(path.read_bytes()))
    return opened


def test_ret_05_the_whole_way_out_and_back_keeps_what_was_kept_and_not_what_was_erased(shell: Shell) -> None:
    with Vault.open(shell.folder / "vault", clock=vaults.Clock()) as vault:
        other = vaults.sealed(vault, shell.folder / "spool", 2)
    status, out, _ = shell("vault", "backup", str(shell.folder / "backups"), "--json")
    made = json.loads(out)
    assert (status, made["payloads"]["linked"], made["keys"][0]["slots"]) == (0, 2, 4)
    status, out, _ = shell("recordings", "erase", RECORDING, "--reason", "x", "--yes", "--json")
    (receipt,) = json.loads(out)
    assert receipt["steps"][-1]["seen"].endswith(f"may exist until {made['keys'][0]['expires_at']}")
    lose_the_vault(shell)
    status, out, _ = shell("vault", "restore", str(shell.folder / "backups"), "--json")
    result = json.loads(out)
    assert (status, result["payloads"], result["erased_by_tombstones"]) == (0, 1, 1)
    status, out, _ = shell("vault", "restore-keys", str(opened_keys(shell, shell.folder / "backups")))
    assert (status, out) == (0, "keys of acme: 2 put back, 2 passed over\n")
    states = {row["id"]: row["state"] for row in json.loads(shell("recordings", "list", "--json")[1])}
    assert states == {RECORDING: "erased", other: "sealed"}
    assert shell("audit", "verify")[0] == 0


def test_a_dry_run_writes_nothing(shell: Shell) -> None:
    status, out, _ = shell("vault", "backup", str(shell.folder / "backups"), "--dry-run")
    assert (status, out.splitlines()[0]) == (0, "would make a backup")
    assert not (shell.folder / "backups").exists()
    folder = backed_up(shell)
    lose_the_vault(shell)
    status, out, _ = shell("vault", "restore", str(folder), "--dry-run")
    assert (status, out.splitlines()[0][:13]) == (0, "would restore")
    assert not (shell.folder / "vault").exists()


def test_what_a_later_backup_removed_is_said(shell: Shell) -> None:
    folder = backed_up(shell)
    expired = "acme.20200101T000000000Z.until-20200102T000000000Z.age"
    (folder / "keys" / expired).touch(mode=0o600)
    assert shell("recordings", "erase", RECORDING, "--reason", "x", "--yes")[0] == 0
    for dry, said in ((["--dry-run"], "would be removed"), ([], "removed")):
        status, out, _ = shell("vault", "backup", str(folder), *dry)
        assert (status, f"expired, {said}: {expired}\n" in out, f"erased, {said}: 1 payloads" in out) == (0, True, True)


def test_ret_05_a_restore_without_a_word_of_tombstones_is_refused(shell: Shell) -> None:
    folder = backed_up(shell)
    shell.config.write_text(shell.config.read_text().replace("tombstones =", "#tombstones ="))
    lose_the_vault(shell)
    status, _, err = shell("vault", "restore", str(folder))
    assert (status, "--tombstones" in err) == (1, True)
    status, out, err = shell("vault", "restore", str(folder), "--without-tombstones")
    assert (status, "restored the backup of" in out, "restore-keys" in err) == (0, True, True)


def test_payloads_that_are_missing_are_named_with_status_four(shell: Shell) -> None:
    folder = backed_up(shell)
    next((folder / "objects").rglob(f"{RECORDING}.1")).unlink()
    lose_the_vault(shell)
    status, out, _ = shell("vault", "restore", str(folder))
    assert (status, f"missing: {RECORDING}.1\n" in out) == (4, True)


def test_a_vault_in_use_and_a_full_one_are_not_restored_into(shell: Shell) -> None:
    folder = backed_up(shell)
    status, _, err = shell("vault", "restore", str(folder))
    assert (status, "longer" in err) == (1, True)
    with Vault.open(shell.folder / "vault"):
        status, _, err = shell("vault", "restore", str(folder))
        assert (status, "in use" in err) == (1, True)
        status, _, err = shell("vault", "restore-keys", str(opened_keys(shell, folder)))
        assert (status, "in use" in err) == (1, True)


def test_a_folder_without_a_backup_is_not_found_and_a_sealed_file_of_keys_is_not_taken(shell: Shell) -> None:
    folder = backed_up(shell)
    (sealed,) = (folder / "keys").iterdir()
    assert shell("vault", "restore-keys", str(sealed), "--json")[0] == 4
    (shell.folder / "empty").mkdir()
    lose_the_vault(shell)
    assert shell("vault", "restore", str(shell.folder / "empty"))[0] == 3


def test_keys_come_from_a_pipe_too(shell: Shell) -> None:
    folder = backed_up(shell)
    data = opened_keys(shell, folder).read_bytes()
    words = [sys.executable, "-m", "gdprcall", "--config", str(shell.config), "vault", "restore-keys", "-", "--json"]
    done = subprocess.run(words, input=data, capture_output=True, check=True)
    assert json.load(BytesIO(done.stdout)) == {"controller": "acme", "restored": 0, "passed_over": 2}


def test_keys_of_who_is_no_longer_configured_are_left_out_with_a_warning(shell: Shell) -> None:
    text = shell.config.read_text()
    shell.config.write_text(text.replace("controllers.acme", "controllers.beta").replace('= "acme"', '= "beta"'))
    status, _, err = shell("vault", "backup", str(shell.folder / "backups"))
    assert (status, err) == (0, "warning: keys of acme are left out: it is not configured\n")


def test_an_erasure_whose_tombstone_stays_here_ends_with_status_four_and_a_warning(shell: Shell) -> None:
    (shell.folder / "drop").rmdir()
    status, out, err = shell("recordings", "erase", RECORDING, "--reason", "x", "--yes")
    assert (status, "tombstone: could not be handed out" in out) == (4, True)
    warned, _, complained = err.partition("error: ")
    assert warned.startswith("warning: ")
    assert RECORDING not in warned
    assert "not every step was verified" in complained


def test_the_daemon_makes_a_backup_in_an_absolute_folder_only(shell: Shell) -> None:
    settings = config.load(shell.config)
    with Vault.open(shell.folder / "vault") as vault, pytest.raises(ConfigError, match="absolute"):
        operations.run(operations.Context(vault, settings), "vault/backup", {"folder": "backups"})


def test_verify_says_of_a_whole_vault_that_it_is_whole(shell: Shell) -> None:
    status, out, _ = shell("vault", "verify")
    assert (status, out.splitlines()[-1]) == (0, "everything is there, whole, and in its place")
    status, out, _ = shell("vault", "verify", "--sample", "5%", "--controller", "acme", "--json")
    found = json.loads(out)
    assert (status, found["stage"], found["percent"], found["share"]) == (0, "finished", 100, 0.05)
    assert (found["findings"], found["payloads_seen"]) == ([], 1)


def test_verify_names_what_is_wrong_with_status_4(shell: Shell) -> None:
    shell.payload.write_bytes(shell.payload.read_bytes()[:-5])
    status, out, err = shell("vault", "verify")
    assert (status, out.splitlines()[0]) == (4, f"payload {RECORDING}.1 truncated by 5 bytes")
    assert "error: 1 findings" in err


def test_verify_that_was_stopped_goes_on_where_it_was(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safekeeping, "SLICE_SECONDS", 0.0)
    looks: list[float] = []
    go_on = Verification.go_on

    def stopped(self: Verification, seconds: float) -> object:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt
        return go_on(self, seconds)

    monkeypatch.setattr(Verification, "go_on", stopped)
    assert shell("vault", "verify")[0] != 0
    assert (shell.folder / "vault" / "verify.json").exists()
    status, _, err = shell("vault", "verify", "--resume", "--sample", "5")
    assert (status, "as it was begun" in err) == (2, True)
    status, out, _ = shell("vault", "verify", "--resume", "--json")
    assert (status, json.loads(out)["findings"]) == (0, [])
    status, _, err = shell("vault", "verify", "--resume")
    assert (status, "hint: begin one" in err) == (3, True)


@pytest.mark.parametrize("sample", ["0", "none", "101%"])
def test_verify_refuses_what_is_no_sample(shell: Shell, sample: str) -> None:
    status, _, err = shell("vault", "verify", "--sample", sample)
    assert (status, "hint: for example --sample 5%" in err) == (2, True)
