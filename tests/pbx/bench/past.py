"""What taking an archive in costs, against what its bytes cost: each file written and synced once."""

import os
import sys
import time
from pathlib import Path

from gdprcall import config, operations
from gdprcall.operations import Context
from gdprcall.times import now_ms
from gdprcall.vault.archive import Vault
from tests import vaults
from tests.test_cli_exits import CONFIG
from tests.vaults import ACME

FILES, SECONDS = 100, 600


def importing(folder: Path, files: int = FILES, seconds: int = SECONDS) -> float:
    """Return how fast an archive is imported: 1 is as fast as writing and syncing it."""
    settings, archive, sound = _settings(folder), folder / "archive", vaults.wav(float(seconds))
    written = _write(folder / "written", files, sound)
    for path in (folder / "written").iterdir():
        path.unlink()
    _write(archive, files, sound)
    (folder / "proofs.csv").write_text("file,proof\n" + "".join(f"{path.name},form\n" for path in archive.iterdir()))
    params = {"folder": str(archive), "line": "support", "table": str(folder / "proofs.csv"), "reason": "bench"}
    with Vault.open(settings.vault) as vault:
        begun = time.perf_counter()
        done = operations.run(Context(vault, settings), "vault/import", params)
        took = time.perf_counter() - begun
    assert isinstance(done, dict)
    assert len(done["taken"]) == files, done["failed"]
    assert not list(archive.iterdir())
    return written / took


def _write(folder: Path, files: int, sound: bytes) -> float:
    """Write so many files, each synced, and return the seconds."""
    folder.mkdir()
    made = now_ms() // 1000 - 86_400
    begun = time.perf_counter()
    for number in range(files):
        with (folder / f"{made}.{number}.wav").open("wb") as file:
            file.write(sound)
            file.flush()
            os.fsync(file.fileno())
    return time.perf_counter() - begun


def _settings(folder: Path) -> config.Config:
    path, secrets = folder / "gdprcall.toml", folder / "secrets"
    secrets.mkdir()
    (secrets / "pseudonym-key-acme").write_text("a1" * 32)
    (secrets / "pseudonym-key-acme").chmod(0o600)
    path.write_text(CONFIG.format(folder=folder, recipient=ACME.recipients[0]))
    return config.load(path)


if __name__ == "__main__":
    place = Path(sys.argv[1]).resolve()
    place.mkdir()
    print(importing(place, *map(int, sys.argv[2:])))
