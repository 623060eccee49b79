"""What decisions refer to: kept before it holds, found by its hash alone, and never believed for its name."""

import hashlib
import stat
from pathlib import Path

import pytest

from gdprcall import terms
from gdprcall.errors import VaultError
from gdprcall.vault.kept import POLICIES, Kept
from tests.test_operations import settings
from tests.vaults import opened


def test_con_04_a_policy_is_kept_before_it_holds_for_calls(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        terms.note_terms(vault, config)
        form = Kept(vault.folder).policy(config.policy.sha256(config.policy.lines["support"]))
        assert form is not None
        assert (form["controller"]["name"], form["line"]["purpose"]) == ("Acme", "quality")
        (path,) = (vault.folder / POLICIES).iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()
        before = path.stat().st_mtime_ns
        terms.note_terms(vault, config)
        assert path.stat().st_mtime_ns == before


def test_con_04_where_a_policy_cannot_be_kept_nothing_holds(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        (vault.folder / POLICIES).write_text("in the way")
        with pytest.raises(VaultError):
            terms.note_terms(vault, settings(tmp_path))


@pytest.mark.parametrize("name", ["", "..", "../secrets/x", "AB" * 32, "ab" * 31, "ab" * 32 + "\n"])
def test_nothing_is_read_by_a_name_that_is_no_hash(tmp_path: Path, name: str) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / ".wav").write_bytes(b"x")
    kept = Kept(tmp_path)
    assert kept.prompt(name).problem == "its sound is missing"
    assert kept.policy(name) is None
