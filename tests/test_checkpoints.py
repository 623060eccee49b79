"""The daemon's checkpoints: hourly, soon after an erasure, and tried again until they have left the host."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from gdprcall import log
from gdprcall.checkpoints import HOUR_SECONDS, RETRY_SECONDS, Checkpoints, tell
from gdprcall.config import Config
from gdprcall.errors import GdprcallError
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.note import Signer
from tests.test_operations import settings
from tests.vaults import opened, sealed


@pytest.fixture
def out() -> StringIO:
    stream = StringIO()
    log.configure(stream, json=True)
    return stream


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with opened(tmp_path) as vault:
        vault.note(Fact(Kind.DAEMON_STARTED, None, None, {}))
        yield vault


@pytest.fixture
def config(tmp_path: Path) -> Config:
    for name in ("out", "secrets"):
        (tmp_path / name).mkdir()
    (tmp_path / "secrets" / "log-signing-key").write_text(Signer("pbx.example/gdprcall", bytes(32)).encode())
    (tmp_path / "secrets" / "log-signing-key").chmod(0o600)
    return replace(settings(tmp_path), checkpoint_folder=tmp_path / "out")


def events(out: StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in out.getvalue().splitlines()]


def grow(vault: Vault) -> None:
    vault.note(Fact(Kind.DAEMON_STARTED, None, None, {}))


def test_there_is_one_at_the_start_and_one_an_hour_if_there_is_anything_new(
    vault: Vault, config: Config, out: StringIO
) -> None:
    checkpoints = Checkpoints(vault, config)
    checkpoints.look(0)
    checkpoints.look(60)
    grow(vault)
    checkpoints.look(HOUR_SECONDS - 1)
    assert len(vault.ledger.signed()) == 1
    checkpoints.look(HOUR_SECONDS)
    assert [one.size for one in vault.ledger.signed()] == [3, 2]
    checkpoints.look(3 * HOUR_SECONDS)
    assert events(out) == ["checkpoint_made"] * 2


def test_an_erasure_does_not_wait_for_the_hour(vault: Vault, config: Config, tmp_path: Path) -> None:
    checkpoints = Checkpoints(vault, config)
    recording = sealed(vault, tmp_path / "spool")
    checkpoints.look(0)
    vault.erase(recording, reason="withdrawn", actor="test")
    checkpoints.look(60)
    checkpoints.look(120)
    assert next(one.size for one in vault.ledger.signed()) == vault.ledger.size()
    assert len(vault.ledger.signed()) == 2


def test_one_that_did_not_leave_the_host_is_an_event_and_is_tried_again(
    vault: Vault, config: Config, out: StringIO, tmp_path: Path
) -> None:
    (tmp_path / "out").rename(tmp_path / "gone")
    checkpoints = Checkpoints(vault, config)
    checkpoints.look(0)
    checkpoints.look(RETRY_SECONDS - 1)
    (tmp_path / "gone").rename(tmp_path / "out")
    checkpoints.look(RETRY_SECONDS)
    assert events(out) == ["checkpoint_failed", "checkpoint_made"]
    said = json.loads(out.getvalue().splitlines()[0])
    assert (said["level"], said["error"], "ReadWritePaths" in said["hint"]) == ("error", "NotHandedOut", True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["checkpoint-000000000002"]
    assert vault.ledger.signed()[0].handed


def test_without_a_key_the_event_says_how_to_make_one(vault: Vault, config: Config, out: StringIO) -> None:
    (config.secrets / "log-signing-key").unlink()
    checkpoints = Checkpoints(vault, config)
    checkpoints.look(0)
    assert events(out) == ["checkpoint_failed"]
    assert "gdprcall audit key --new" in out.getvalue()


def test_failures_during_erasures_are_not_logged_every_minute(
    vault: Vault, config: Config, out: StringIO, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(vault, replace(config, checkpoint_folder=tmp_path / "gone"))
    vault.erase(sealed(vault, tmp_path / "spool"), reason="withdrawn", actor="test")
    for minute in range(6):
        checkpoints.look(60.0 * minute)
    assert events(out) == ["checkpoint_failed"] * 2


async def test_it_looks_at_once_when_the_daemon_starts(vault: Vault, config: Config) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(Checkpoints(vault, config).run())
        while not list((config.checkpoint_folder or Path()).glob("checkpoint-*")):
            await asyncio.sleep(0.01)
        task.cancel()


def test_an_alarm_of_an_operation_is_the_same_event(out: StringIO) -> None:
    tell(GdprcallError("it did not work", "mend it"))
    assert events(out) == ["checkpoint_failed"]
