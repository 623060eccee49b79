"""What a person's package costs: his recordings found among a million, packed sealed, and finished where the identity is.

The vault is a real one, and so is each of his recordings; the others are rows of the index: to seal them would take a day.
"""

import sys
import time
from pathlib import Path

from gdprcall import config
from gdprcall.cli import sealing
from gdprcall.cli.backend import Backend
from gdprcall.cli.finishing import Finishing, Way
from gdprcall.times import DAY_MS
from gdprcall.vault import subjects
from gdprcall.vault.archive import Vault
from tests import vaults
from tests.test_cli_exits import CONFIG
from tests.vaults import ACME, DAY_ONE, NUMBER, recording_id

OTHERS, OWN, SECONDS = 999_500, 500, 10
CALLERS = 20_000


def giving(folder: Path, others: int = OTHERS, own: int = OWN) -> tuple[float, float, float]:
    """Return the seconds of finding, and how much faster than their sound the recordings are packed, and finished."""
    settings = _settings(folder)
    _fill(settings, folder, others, own)
    asked = {"number": NUMBER, "controller": "acme", "request": "", "language": "en", "reason": ""}
    asked |= {"identified": "document"}
    backend, package = Backend(settings), folder / "package.age"
    with backend.one_vault():
        backend.call("status", {})  # the vault is open, as the daemon has it
        begun = time.perf_counter()
        plan = backend.call("subject/access", asked)
        found = time.perf_counter() - begun
        assert isinstance(plan, dict)
        assert len(plan["recordings"]) == own
        begun = time.perf_counter()
        sealing.make(backend, sealing.Asked(asked, package, force=False), lambda _done, _all: None)
        packed = time.perf_counter() - begun
    begun = time.perf_counter()
    way = Way((ACME.identities[1].recipient(),))
    Finishing(package, ACME.identities, folder / "person.zip.age", way).run(lambda _done, _all: None, force=False)
    finished = time.perf_counter() - begun
    return found, own * SECONDS / packed, own * SECONDS / finished


def _settings(folder: Path) -> config.Config:
    path, secrets = folder / "gdprcall.toml", folder / "secrets"
    secrets.mkdir()
    (secrets / "pseudonym-key-acme").write_text("a1" * 32)
    (secrets / "pseudonym-key-acme").chmod(0o600)
    path.write_text(CONFIG.format(folder=folder, recipient=ACME.recipients[0]))
    return config.load(path)


def _fill(settings: config.Config, folder: Path, others: int, own: int) -> None:
    subject = subjects.pseudonym(settings.pseudonym_key("acme"), NUMBER)
    sound = vaults.wav(SECONDS)
    with Vault.open(settings.vault, clock=vaults.Clock()) as vault:
        for number in range(own):
            id_ = recording_id(number)
            vault.submit(vaults.decision(id_), vaults.caller(id_, subject=subject)).result()
            vault.seal(vaults.spooled(folder / "spool", id_, 1, sound), vaults.facts(id_))
        vault.catch_up()
        rows = (
            (
                f"{number:032x}", "call", "acme" if number % 4 else "other", "support", "quality", "consent", "decision",
                "sealed", DAY_ONE + number * 3_000, 30, DAY_ONE + number * 3_000 + 30 * DAY_MS,
                f"{number * 7919 % CALLERS:032x}", 0,
            )
            for number in range(others)
        )  # fmt: skip
        with vault.index._store.transaction() as db:
            db.executemany(f"INSERT INTO recording VALUES ({', '.join('?' * 13)})", rows)


if __name__ == "__main__":
    place = Path(sys.argv[1]).resolve()
    place.mkdir()
    print(giving(place, *map(int, sys.argv[2:])))
