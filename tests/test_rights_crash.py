"""kill -9 before any write of a person's erasure, of an import and of a sweep: the next run finishes, and nothing is lost or twice.

A model is made once and copied for each death; what dies is a process of its own.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gdprcall import config, operations
from gdprcall.operations import Context
from gdprcall.vault import subjects
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Entry, Kind
from tests import vaults
from tests.consents import sign
from tests.deaths import Begin, Mortal
from tests.test_cli_exits import CONFIG
from tests.vaults import ACME, DAY_ONE, EXPIRED, NUMBER, Clock, recording_id

Work = Callable[[Path, Begin], None]
HIS = [recording_id(number) for number in (1, 2)]
ANOTHERS = recording_id(3)
WHEN = DAY_ONE // 1000
PERSON = {"number": "+49 30 12345678", "controller": "acme", "reason": "request 17", "never_record": True}
MADE = f"{WHEN}.18.wav"


def settings(site: Path) -> config.Config:
    path = site / "gdprcall.toml"
    path.write_text(CONFIG.format(folder=site, recipient=ACME.recipients[0]))
    secret = site / "secrets" / "pseudonym-key-acme"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("a1" * 32)
    secret.chmod(0o600)
    known = config.load(path)
    sign(known)
    return known


def asked(site: Path, name: str, now: int, begin: Begin = lambda: None, **params: object) -> dict[str, object]:
    known = settings(site)
    with vaults.opened(site, clock=Clock(now)) as vault:
        begin()
        done = operations.run(Context(vault, known, clock=Clock(now)), name, params)
    assert isinstance(done, dict)
    return done


def erase(site: Path, begin: Begin) -> None:
    asked(site, "subject/erase", DAY_ONE, begin, **PERSON)


def sweep(site: Path, begin: Begin) -> None:
    asked(site, "retention/sweep", EXPIRED, begin)


def take_in(site: Path, begin: Begin) -> None:
    table = site / "table.csv"
    table.write_text(f"file,proof\n{MADE},form 17\n")
    asked(
        site, "vault/import", DAY_ONE, begin, folder=str(site / "archive"), line="support", table=str(table), reason="x"
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("model")
    subject = subjects.pseudonym(settings(site).pseudonym_key("acme"), NUMBER)
    with vaults.opened(site, clock=Clock()) as vault:
        for number in (1, 2, 3):
            vaults.sealed(vault, site / "spool", number, subject=subject if number < 3 else "77" * 16)
        noted = {"recipient": "Police", "basis": "order 4"}
        vault.export(HIS[0], 1, actor="officer", purpose="claims", noted=noted)
    vaults.spooled(site / "archive", "a" * 32).rename(site / "archive" / MADE)
    return site


def deaths(model: Path, folder: Path, mortal: Mortal, work: Work) -> Iterator[Path]:
    """Yield what each death leaves, one before each write of the work."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(model, folder / name))

    writes = mortal.writes(work, copy("whole"))
    assert writes > 5
    for at in range(writes):
        site = copy(str(at))
        mortal.dies(work, site, at=at)
        yield site
        shutil.rmtree(site)


def whole(site: Path) -> Vault:
    vault = Vault.open(site / "vault", clock=Clock(EXPIRED))
    assert list(vault.verify()) == []
    return vault


def test_rgt_08_an_erasure_that_is_killed_before_any_write_is_finished_under_one_certificate(
    model: Path, tmp_path: Path, mortal: Mortal
) -> None:
    for site in deaths(model, tmp_path, mortal, erase):
        numbers = {
            str((entry.body or {})["certificate"])
            for entry in noted(site, Kind.ERASURE_ASKED)
            if not noted(site, Kind.ERASURE_CERTIFIED)
        }
        done = asked(site, "subject/erase", DAY_ONE, **PERSON)
        if not noted(site, Kind.ERASURE_CERTIFIED)[1:]:  # else it had ended, and this one found nothing more
            assert {one["recording"] for one in done["erased"]} == set(HIS)  # type: ignore[attr-defined]
            assert numbers <= {done["certificate"]}
            assert [one["recipient"] for one in done["recipients"]] == ["Police"]  # type: ignore[attr-defined]
        assert len(noted(site, Kind.NOTICE_OWED)) == 1
        assert [entry.body for entry in noted(site, Kind.ERASURE_PERSON) if entry.body] == []
        assert len(noted(site, Kind.NEVER_RECORD)) == 1
        with whole(site) as vault:
            assert [vault.recording(id_).state for id_ in (*HIS, ANOTHERS)] == ["erased", "erased", "sealed"]


def test_ret_03_a_sweep_that_is_killed_before_any_write_is_finished_by_the_next(
    model: Path, tmp_path: Path, mortal: Mortal
) -> None:
    for site in deaths(model, tmp_path, mortal, sweep):
        asked(site, "retention/sweep", EXPIRED)
        with whole(site) as vault:
            assert {vault.recording(id_).state for id_ in (*HIS, ANOTHERS)} == {"erased"}


def test_an_import_that_is_killed_before_any_write_loses_nothing_and_takes_nothing_twice(
    model: Path, tmp_path: Path, mortal: Mortal
) -> None:
    for site in deaths(model, tmp_path, mortal, take_in):
        left = (site / "archive" / MADE).exists()
        take_in(site, lambda: None)
        assert not (site / "archive" / MADE).exists()
        assert not (site / "vault" / "import").exists()
        with whole(site) as vault:
            (row,) = [row for row in vault.recordings() if row.id not in {*HIS, ANOTHERS}]
            assert (row.state, row.segments) == ("sealed", 1)
            assert left or vault.check(row.id, 1) is None
            export = vault.export(row.id, 1, actor="test", purpose="quality")
            assert ACME.opens(export.header + export.payload.read_bytes()) == vaults.wav(seed=1)


def noted(site: Path, kind: Kind) -> list[Entry]:
    with vaults.opened(site) as vault:
        return list(vault.ledger.entries(kinds={kind}))


def test_the_hash_of_a_certificate_is_that_of_what_it_says(model: Path, tmp_path: Path) -> None:
    site = Path(shutil.copytree(model, tmp_path / "site"))
    done = asked(site, "subject/erase", DAY_ONE, **PERSON)
    said = {name: value for name, value in done.items() if name not in {"sha256", "ledger_entry"}}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert done["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    (entry,) = noted(site, Kind.ERASURE_CERTIFIED)
    assert (entry.seq, (entry.body or {})["sha256"]) == (done["ledger_entry"], done["sha256"])
