"""Checkpoints: three lines and a signature, and nothing else is one."""

import base64

import pytest

from gdprcall.vault.checkpoint import Checkpoint, checked, root_of, signed
from gdprcall.vault.note import BadNote, Signer

ROOT = bytes(range(32))
LINE = base64.b64encode(ROOT).decode()
SIGNER = Signer("pbx.example/gdprcall", bytes(range(32)))
KEYS = [SIGNER.verifier()]


def test_a_checkpoint_is_origin_size_and_root_a_line_each() -> None:
    note = signed(1234, ROOT, SIGNER)
    assert note.split("\n")[:4] == ["pbx.example/gdprcall", "1234", LINE, ""]
    assert checked(note, KEYS) == Checkpoint("pbx.example/gdprcall", 1234, ROOT)
    assert root_of(note) == ROOT


def test_lines_that_another_adds_to_a_checkpoint_mean_nothing_to_us() -> None:
    note = SIGNER.sign(f"{SIGNER.name}\n0\n{LINE}\nextension\n")
    assert checked(note, KEYS) == Checkpoint(SIGNER.name, 0, ROOT)


@pytest.mark.parametrize(
    "text",
    [
        f"{SIGNER.name}\n01\n{LINE}\n",
        f"{SIGNER.name}\n-1\n{LINE}\n",
        f"{SIGNER.name}\n{'9' * 20}\n{LINE}\n",
        f"{SIGNER.name}\n\u0663\n{LINE}\n",
        f"{SIGNER.name}\n1\n{LINE[:-4]}\n",
        f"{SIGNER.name}\n1\n!{LINE}\n",
        f"{SIGNER.name}\n1\n\u00e4\n",
        f"{SIGNER.name}\n1\n{LINE}\n\nmore\n",
        f"{SIGNER.name}\n1\n",
        f"\n1\n{LINE}\n",
    ],
)
def test_what_is_signed_and_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote, match="no checkpoint"):
        checked(SIGNER.sign(text), KEYS)
    assert root_of(SIGNER.sign(text)) == b"" or "more" in text


def test_the_checkpoint_of_another_ledger_is_refused_though_a_known_key_signed_it() -> None:
    with pytest.raises(BadNote, match="another ledger"):
        checked(SIGNER.sign(f"elsewhere\n1\n{LINE}\n"), KEYS)
