"""Erasure on somebody's decision: what stands against it, and what is left afterwards."""

from pathlib import Path

import pytest

from gdprcall.errors import NotFound, Refused
from gdprcall.rights import erasure
from gdprcall.vault.keys import Slot
from gdprcall.vault.ledger import Kind
from tests.vaults import decision, opened, recording_id, sealed


def test_rgt_08_an_erased_recording_leaves_no_header_no_payload_and_no_number(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool", segments=2)
        receipt = vault.erase(recording, reason="request 17", actor="test")
        assert receipt.complete
        assert vault.recording(recording).state == "erased"
        assert vault.objects.segments(recording) == []
        assert [vault.keys.get(recording, part, Slot.HEADER) for part in (1, 2)] == [None, None]
        assert vault.sealed_number(recording) is None
        assert list(vault.verify()) == []


def test_erasing_again_gives_the_same_receipt_and_no_second_entry(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        first = vault.erase(recording, reason="request 17", actor="test")
        assert vault.erase(recording, reason="another", actor="somebody") == first
        assert [entry.kind for entry in vault.ledger.entries(recording=recording)].count(Kind.ERASED) == 1


def test_an_unknown_recording_is_not_found(tmp_path: Path) -> None:
    with opened(tmp_path) as vault, pytest.raises(NotFound):
        erasure.weigh(vault, recording_id(), 0)


def test_what_is_still_being_recorded_is_refused_and_the_call_is_pointed_to_its_key(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = recording_id()
        vault.note(decision(recording))
        with pytest.raises(Refused) as refused:
            erasure.weigh(vault, recording, 0)
        assert "key" in refused.value.hint
        assert [entry.kind for entry in vault.ledger.entries(recording=recording)] == [Kind.DECISION]


def test_weighing_destroys_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        before = vault.ledger.size()
        assert erasure.weigh(vault, recording, 0).state == "sealed"
        assert vault.ledger.size() == before
