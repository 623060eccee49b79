"""Decisions are checked: whatever somebody changes of what proves them is found, named, and exits with 4."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from gdprcall import operations
from gdprcall.config import load
from gdprcall.vault.archive import Vault
from gdprcall.vault.kept import POLICIES, PROMPTS
from gdprcall.vault.ledger import Fact, Kind
from tests import vaults
from tests.consents import agreed, decided, sign
from tests.test_cli_exits import Shell
from tests.test_cli_exits import shell as shell  # noqa: PLC0414 # a fixture
from tests.test_operations import asked, one, settings
from tests.vaults import DAY_ONE, Clock, opened, recording_id


def findings(vault: Vault, folder: Path, id_: str | None = None) -> list[tuple[str | None, str, str]]:
    found = one(asked(vault, folder), "decisions/verify", id=id_)["findings"]
    assert isinstance(found, list)
    return [(one_["decision"], one_["where"], one_["detail"]) for one_ in found]


def sql(folder: Path, name: str, statement: str, *values: object) -> None:
    database = sqlite3.connect(folder / "vault" / name)
    with database:
        database.execute(statement, values)
    database.close()


def test_con_04_decisions_of_every_outcome_are_found_whole(tmp_path: Path) -> None:
    config = settings(tmp_path)
    sign(config)
    with opened(tmp_path) as vault:
        agreed(vault, config.policy, tmp_path / "spool", 1)
        decided(vault, config.policy, 2, outcome="refused")
        decided(vault, config.policy, 3, outcome="timeout")
        decided(vault, config.policy, 4, outcome="system_fail", attempts=0, prompt_sha256="", heard_ms=0)
        agreed(vault, config.policy, tmp_path / "spool", 5)
        vault.note(Fact(Kind.WITHDRAWN, recording_id(5), "acme", {"method": "key", "reason": "withdrawn"}))
        vault.erase(recording_id(5), reason="withdrawn", actor="test")
        decided(vault, config.policy, 6)
        vault.note(Fact(Kind.NOT_STARTED, recording_id(6), "acme", {"reason": "no_file"}))
        decided(vault, config.policy, 7)
        told: list[tuple[int, int]] = []
        context = asked(vault, tmp_path)
        answer = type(context)(vault, config, progress=lambda *now: told.append(now))
        assert operations.run(answer, "decisions/verify", {}) == {"decisions": 7, "findings": []}
        assert told[-1] == (7, 7)
        for row in vault.decisions():
            assert findings(vault, tmp_path, row.id) == []


def sound(vault: Vault, suffix: str = ".wav") -> Path:
    return next((vault.folder / PROMPTS).glob(f"*{suffix}"))


def policy(vault: Vault) -> Path:
    return next((vault.folder / POLICIES).glob("*.json"))


def payload(vault: Vault) -> Path:
    path = vault.objects.path(recording_id(), 1)
    path.chmod(0o600)
    return path


def index(vault: Vault, statement: str) -> None:
    sql(vault.folder.parent, "index.db", statement)


def reworded(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"text": "We may record."}))


def withdrawn(vault: Vault) -> None:
    body = {"method": "key", "reason": "withdrawn"}
    vault.note(Fact(Kind.WITHDRAWN, recording_id(), "acme", body))


# what is done, where it must be found, what must be said, and whether another decision names the same thing
CHANGES: dict[str, tuple[Callable[[Vault], object], str, str, bool]] = {
    "sound": (
        lambda v: sound(v).write_bytes(sound(v).read_bytes()[:-2] + b"\0\1"),
        "prompt",
        "not the one that",
        False,
    ),
    "sound gone": (lambda v: sound(v).unlink(), "prompt", "its sound is missing", False),
    "wide sound": (lambda v: sound(v, ".wav16").write_bytes(b"other"), "prompt", "16 kHz", False),
    "text": (lambda v: reworded(sound(v, ".json")), "prompt", "its text is not the one that was spoken", False),
    "text gone": (lambda v: sound(v, ".json").unlink(), "prompt", "its text is missing", False),
    "policy": (lambda v: policy(v).write_text(policy(v).read_text() + " "), "policy", "not what its hash says", True),
    "policy gone": (lambda v: policy(v).unlink(), "policy", "missing", True),
    "payload gone": (lambda v: payload(v).unlink(), "recording", "segment 1 is not whole", False),
    "payload short": (lambda v: os.truncate(payload(v), 99), "recording", "segment 1 is not whole", False),
    "header gone": (lambda v: v.keys.destroy(recording_id(), 1), "recording", "segment 1 is not whole", False),
    "outcome": (lambda v: index(v, "UPDATE decision SET outcome = 'timeout'"), "index", "outcome", True),
    "line": (lambda v: index(v, "UPDATE decision SET line = 'sales'"), "index", "line", True),
    "state": (lambda v: index(v, "UPDATE recording SET state = 'not_started'"), "recording", "1 sealed", False),
    "withdrawn alone": (withdrawn, "recording", "withdrawn, and not destroyed", False),
}


@pytest.mark.parametrize("what", CHANGES)
def test_con_04_what_was_changed_is_named_with_its_decision(tmp_path: Path, what: str) -> None:
    config = settings(tmp_path)
    changed, where, says, shared = CHANGES[what]
    with opened(tmp_path) as vault:
        id_ = agreed(vault, config.policy, tmp_path / "spool")
        other = decided(vault, config.policy, 2, outcome="refused", prompt_sha256="", text_sha256="")
        assert findings(vault, tmp_path) == []
        changed(vault)
        found = findings(vault, tmp_path, id_)
        assert [one_[:2] for one_ in found if says in one_[2]] == [(id_, where)], found
        assert {one_[0] for one_ in findings(vault, tmp_path)} == ({id_, other} if shared else {id_})


def test_con_02_a_segment_that_began_before_the_decision_is_named(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        id_ = decided(vault, config.policy)
        vault.seal(vaults.spooled(tmp_path / "spool", recording_id()), vaults.facts(recording_id(), closed_at=DAY_ONE))
        assert findings(vault, tmp_path) == [(id_, "recording", "segment 1 began before the decision")]


def test_con_03_an_agreement_before_the_mandatory_part_was_heard_is_named(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        id_ = agreed(vault, settings(tmp_path).policy, tmp_path / "spool", heard_ms=200)
        assert findings(vault, tmp_path) == [(id_, "prompt", "agreed before what had to be said was heard")]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE body SET body = replace(body, 'granted', 'refused') WHERE seq = 1", "entry 1"),
        ("DELETE FROM body WHERE seq = 1", "entry 1"),
        ("UPDATE entry SET leaf = replace(leaf, 'acme', 'evil') WHERE seq = 1", "entry 1"),
    ],
)
def test_an_entry_that_was_changed_is_named(tmp_path: Path, statement: str, says: str) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        id_ = agreed(vault, config.policy, tmp_path / "spool")
        vault.index.proofs.applied()
        sql(tmp_path, "ledger.db", statement)
        found = findings(vault, tmp_path, id_)
        assert any(one_[1] == "ledger" and says in one_[2] for one_ in found), found


def test_a_body_that_somebody_marked_as_erased_is_named_though_the_tree_is_whole(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        id_ = agreed(vault, config.policy, tmp_path / "spool")
        assert findings(vault, tmp_path, id_) == []
        vault.ledger.forget([1])
        assert list(vault.ledger.verify()) == []
        assert [one_[1:] for one_ in findings(vault, tmp_path)] == [
            ("ledger", "what it said is gone, though it is still to be proven")
        ]


def test_a_payload_that_is_back_after_its_erasure_is_named(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        id_ = agreed(vault, config.policy, tmp_path / "spool")
        place = vault.objects.path(recording_id(), 1)
        kept = place.read_bytes()
        vault.erase(recording_id(), reason="request", actor="test")
        place.write_bytes(kept)
        assert findings(vault, tmp_path) == [(id_, "recording", "its sound is there, though it was erased")]


def test_the_command_exits_with_4_and_names_what_is_wrong(shell: Shell) -> None:
    # the one decision of this vault names a prompt and a policy that nobody kept
    status, out, err = shell("decisions", "verify")
    assert status == 4
    assert "prompt" in out
    assert "policy" in out
    assert "findings" in err
    id_ = json.loads(shell("decisions", "list", "--json")[1])[0]["id"]
    assert shell("decisions", "verify", id_)[0] == 4
    status, out, _ = shell("decisions", "verify", id_, "--json")
    assert (status, json.loads(out)["decisions"]) == (4, 1)
    assert shell("decisions", "verify", "ab" * 16)[0] == 3


def test_the_command_says_that_all_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(tmp_path, capsys)
    with Vault.open(tmp_path / "vault", clock=Clock()) as vault:
        vault.erase(recording_id(), reason="test", actor="test")
        agreed(vault, load(shell.config).policy, tmp_path / "spool", 2)
        # the vault of the shell holds one decision without what it names
        known = [row.id for row in vault.decisions() if row.recording == recording_id(2)]
    assert shell("decisions", "verify", known[0])[:2] == (0, "1 decisions looked at\n")
