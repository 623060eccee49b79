"""The end of a controller's contract: returned or destroyed at its choice, with a certificate, the neighbour untouched (DOC-06)."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gdprcall import operations
from gdprcall.cli.main import run
from gdprcall.errors import ConfigError, NotFound, Refused, VaultError
from gdprcall.operations import Context
from gdprcall.times import DAY_MS
from gdprcall.vault.entry import Kind
from tests import vaults
from tests.breachhouse import House, fill, house
from tests.vaults import ACME, files_with, wav

OFFICER = {"role": "officer", "actor": "uid:7"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        yield made


class Desk:
    """A command line over a filled house."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capture = folder, capture
        with house(folder) as place:
            self.made = fill(place)

    def __call__(self, *words: str, status: int = 0) -> str:
        found = run(["--config", str(self.folder / "gdprcall.toml"), *words])
        said = self._capture.readouterr()
        assert found == status, said.out + said.err
        return said.out if status == 0 else said.out + said.err

    def states(self) -> dict[str, str]:
        rows = json.loads(self("recordings", "list", "--json"))
        return {row["id"]: row["state"] for row in rows}


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


END = ("vault", "end", "acme", "--reason", "contract C-1 ended")


def test_doc_06_what_is_to_be_deleted_is_destroyed_with_a_certificate_and_the_neighbours_stays(desk: Desk) -> None:
    told = desk(*END, "--choice", "delete", "--dry-run")
    assert "would destroy 2 recordings" in told
    assert set(desk.states().values()) == {"sealed"}
    certificate = json.loads(desk(*END, "--choice", "delete", "--yes", "--json"))
    assert {one["recording"] for one in certificate["erased"]} == set(desk.made["acme"])
    assert certificate["kept"] == certificate["failed"] == []
    states = desk.states()
    assert {states[id_] for id_ in desk.made["acme"]} == {"erased"}
    assert {states[id_] for id_ in (*desk.made["beta"], *desk.made["own"])} == {"sealed"}
    for id_ in desk.made["acme"]:
        assert not list((desk.folder / "vault" / "objects").rglob(f"{id_}.*"))
    desk("audit", "verify")


def test_doc_06_what_is_to_be_returned_leaves_first_and_opens_with_the_controllers_identity(desk: Desk) -> None:
    target = desk.folder / "return"
    certificate = json.loads(desk(*END, "--choice", "return", "-o", str(target), "--yes", "--json"))
    assert certificate["choice"] == "return"
    files = sorted(target.iterdir())
    assert [file.name for file in files] == sorted(f"{id_}.1.age" for id_ in desk.made["acme"])
    opened = {ACME.opens(file.read_bytes()) for file in files}
    assert opened == {wav(seed=101), wav(seed=201)}
    assert {desk.states()[id_] for id_ in desk.made["acme"]} == {"erased"}


def test_doc_06_nothing_is_destroyed_before_everything_has_left(place: House) -> None:
    made = fill(place)
    params = {"controller": "acme", "choice": "return", "reason": "x"}
    with pytest.raises(Refused, match="2 recordings have not been returned"):
        place.run("vault/end", OFFICER, **params)
    would = place.run("vault/end", OFFICER, dry_run=True, **params)
    assert sorted(would["to_return"]) == sorted(made["acme"])
    assert {place.vault.recording(id_).state for id_ in made["acme"]} == {"sealed"}


def test_doc_06_the_certificate_can_be_checked_against_the_ledger(place: House) -> None:
    fill(place)
    certificate = place.run("vault/end", OFFICER, controller="acme", choice="delete", reason="x")
    told = {name: value for name, value in certificate.items() if name not in {"sha256", "ledger_entry"}}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert hashlib.sha256(text.encode()).hexdigest() == certificate["sha256"]
    entry = place.vault.ledger.entry(certificate["ledger_entry"])
    assert (entry.kind, entry.controller) == (Kind.CONTRACT_ENDED, "acme")
    assert (entry.body or {})["sha256"] == certificate["sha256"]


def test_doc_06_what_a_claim_keeps_stays_and_is_named(place: House) -> None:
    made = fill(place)
    held = {"matter": "m", "owner": "o", "reason": "x", "review": "2026-03-01T00:00:00Z"}
    place.run("recordings/hold", OFFICER, ids=made["acme"][:1], **held)
    certificate = place.run("vault/end", OFFICER, controller="acme", choice="delete", reason="x")
    assert [one["recording"] for one in certificate["kept"]] == made["acme"][:1]
    assert "Art. 17(3)(e)" in certificate["kept"][0]["why"]
    assert place.vault.recording(made["acme"][0]).state == "sealed"
    place.run("recordings/release", OFFICER, ids=made["acme"][:1], matter="m", reason="settled")
    again = place.run("vault/end", OFFICER, controller="acme", choice="delete", reason="x")
    assert [one["recording"] for one in again["erased"]] == made["acme"][:1]


def test_doc_06_an_end_that_could_not_be_noted_is_certified_whole_the_next_time(place: House) -> None:
    made = fill(place)
    place.run("recordings/erase", OFFICER, ids=made["beta"][:1], reason="x")
    ledger = place.folder / "vault" / "ledger.db"
    refused = (
        "BEFORE INSERT ON entry WHEN NEW.leaf LIKE '%contract_ended%' BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
    )
    with closing(sqlite3.connect(ledger)) as db, db:
        db.execute(f"CREATE TRIGGER no_end {refused}")
    with pytest.raises(VaultError):
        place.run("vault/end", OFFICER, controller="acme", choice="delete", reason="x")
    with closing(sqlite3.connect(ledger)) as db, db:
        db.execute("DROP TRIGGER no_end")
    certificate = place.run("vault/end", OFFICER, controller="acme", choice="delete", reason="x")
    assert {one["recording"] for one in certificate["erased"]} == set(made["acme"])
    assert place.run("vault/end", OFFICER, controller="acme", choice="delete", reason="x")["erased"] == []


def test_doc_06_a_call_that_goes_on_is_not_cut_off(place: House) -> None:
    fill(place)
    place.vault.submit(vaults.decision(vaults.recording_id(99), line="support")).result()
    with pytest.raises(Refused, match="still being recorded"):
        place.run("vault/end", OFFICER, controller="acme", choice="delete", reason="x")


def test_doc_06_a_controller_that_is_configured_no_more_can_still_be_ended(place: House) -> None:
    made = fill(place)
    others = {id_: one for id_, one in place.config.policy.controllers.items() if id_ != "acme"}
    place.config = replace(place.config, policy=replace(place.config.policy, controllers=others))
    certificate = place.run("vault/end", OFFICER, controller="acme", choice="delete", reason="x")
    assert len(certificate["erased"]) == len(made["acme"])


def test_sec_09_nobody_ends_the_contract_of_another(place: House) -> None:
    fill(place)
    for name in ("acme", "nobody"):
        with pytest.raises(NotFound, match=f"there is no controller '{name}'"):
            place.run("vault/end", OFFICER | {"controller": "beta"}, controller=name, choice="delete", reason="x")
    with pytest.raises(ConfigError, match="choice"):
        place.run("vault/end", OFFICER, controller="acme", choice="keep", reason="x")


def test_sec_06_who_returns_many_needs_a_second_person(tmp_path: Path) -> None:
    with house(tmp_path, vault="releases_an_hour = 1") as place:
        first, second = fill(place)["acme"]
        context = Context(place.vault, place.config, clock=place.clock, **OFFICER)  # type: ignore[arg-type]  # two texts
        operations.export(context, first, 1, "return")
        with pytest.raises(Refused, match="second person"):
            operations.export(context, second, 1, "return")


def test_what_is_half_said_is_wrong_usage(desk: Desk) -> None:
    assert "--output" in desk(*END, "--choice", "return", "--yes", status=2)
    assert "--output" in desk(*END, "--choice", "delete", "-o", str(desk.folder / "x"), "--yes", status=2)
    assert "nothing was destroyed" in desk(*END, "--choice", "delete", status=1)


def test_doc_06_nothing_of_its_callers_is_left_in_the_vault(place: House) -> None:
    fill(place)
    subject = place.vault.recording(vaults.recording_id(1)).subject
    assert subject is not None
    assert files_with(place.folder / "vault", subject.encode())
    place.clock.now += DAY_MS
    place.run("vault/end", OFFICER, controller="acme", choice="delete", reason="x")
    assert files_with(place.folder / "vault", subject.encode()) == []


def test_rgt_12_that_a_recipient_was_told_is_noted(place: House) -> None:
    made = fill(place)
    context = Context(place.vault, place.config, clock=place.clock, **OFFICER)  # type: ignore[arg-type]  # two texts
    operations.export(context, made["acme"][0], 1, "claims", {"recipient": "Police of Malmö", "basis": "order 4"})
    place.run("subject/erase", OFFICER, controller="acme", number=vaults.NUMBER, reason="request 1")
    (owed,) = place.run("subject/notices", OFFICER)
    assert (owed["recipient"], owed["recordings"], owed["told_at"]) == ("Police of Malmö", made["acme"][:1], None)
    key: dict[str, Any] = {"certificate": owed["certificate"], "recipient": owed["recipient"]}
    with pytest.raises(NotFound):
        place.run("subject/told", OFFICER, certificate=owed["certificate"], recipient="somebody else")
    for controller in ("beta",):
        assert place.run("subject/notices", OFFICER | {"controller": controller}) == []
        with pytest.raises(NotFound):
            place.run("subject/told", OFFICER | {"controller": controller}, **key)
    assert place.run("subject/told", OFFICER, **key)["told_at"] == "2026-01-01T00:00:00.000Z"
    assert place.run("subject/notices", OFFICER) == []
    assert len(place.run("subject/notices", OFFICER, all=True)) == 1
    with pytest.raises(Refused, match="was told"):
        place.run("subject/told", OFFICER, **key)
