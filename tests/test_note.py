"""Signed notes: byte for byte those of the reference implementation, and nothing that was changed is taken for one."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from gdprcall.vault.note import BadKey, BadNote, Signer, Verifier, opened

# The example of golang.org/x/mod/sumdb/note, where the format comes from.
PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
OTHER = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
# The example of c2sp.org/signed-note.
POEM_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
POEM = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
NOTE = f"{TEXT}\n{PETER}"
KEYS = [Verifier.parse(PUBLIC)]


def test_a_note_is_signed_as_the_reference_implementation_signs_it() -> None:
    signer = Signer.parse(PRIVATE)
    assert signer.sign(TEXT) == NOTE
    assert (signer.encode(), signer.verifier().encode()) == (PRIVATE, PUBLIC)


def test_published_notes_open_with_their_published_keys() -> None:
    assert opened(NOTE, KEYS) == (TEXT, KEYS[0])
    assert opened(f"{TEXT}\n{PETER}{ENOCH}", [Verifier.parse(OTHER)])[0] == TEXT
    assert opened(POEM, [Verifier.parse(POEM_KEY)])[0] == "This is an example message.\n"


def test_a_signature_is_plain_ed25519_over_the_documented_bytes() -> None:
    seed = bytes(range(32))
    note = Signer("pbx.example/gdprcall", seed).sign("a\nb\n")
    text, line = note.encode().split(b"\n\n")
    dash, name, encoded = line.decode().rstrip("\n").split(" ")
    value = base64.b64decode(encoded)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    assert (dash, name) == ("\u2014", "pbx.example/gdprcall")
    assert value[:4] == hashlib.sha256(b"pbx.example/gdprcall\n\x01" + public.public_bytes_raw()).digest()[:4]
    public.verify(value[4:], text + b"\n")  # raises when it is not


def test_the_signatures_of_unknown_keys_are_passed_over_and_one_known_is_enough() -> None:
    assert opened(f"{TEXT}\n{ENOCH}{PETER}", KEYS)[1] == KEYS[0]
    with pytest.raises(BadNote, match="not signed by a key that is known"):
        opened(f"{TEXT}\n{ENOCH}", KEYS)
    with pytest.raises(BadNote, match="not signed by a key that is known"):
        opened(NOTE, [])


def test_a_wrong_signature_of_a_known_key_is_not_made_good_by_another() -> None:
    changed = PETER.replace("ZJku", "ZJkv")
    with pytest.raises(BadNote, match="changed after"):
        opened(f"{TEXT}\n{ENOCH}{changed}", [*KEYS, Verifier.parse(OTHER)])


@settings(deadline=None)
@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_no_character_of_a_note_can_be_changed(at: int, character: str) -> None:
    changed = NOTE[:at] + character + NOTE[at + 1 :]
    if changed == NOTE:
        return
    with pytest.raises(BadNote):
        opened(changed, KEYS)


@settings(deadline=None)
@given(st.integers(0, len(NOTE) - 1))
def test_no_part_of_a_note_is_taken_for_one(end: int) -> None:
    with pytest.raises(BadNote):
        opened(NOTE[:end], KEYS)


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace("\n", "\r\n"),
        NOTE + "\n",
        NOTE + "more\n",
        NOTE + "— PeterNeumann x\n",
        f"\n\n{PETER}",
        TEXT + "\n" + PETER + ENOCH * 100,
        "x" * 70_000 + NOTE,
    ],
    ids=["carriage returns", "an empty line", "no signature", "no base64", "no text", "too many", "too long"],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(BadNote):
        opened(note, KEYS)


@pytest.mark.parametrize(("text", "kind"), [(PRIVATE, Signer), (PUBLIC, Verifier)], ids=["private", "public"])
def test_no_mangled_key_is_a_key_and_its_error_does_not_show_it(text: str, kind: type[Signer] | type[Verifier]) -> None:
    mangled = [text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :] for at in range(len(text))]
    mangled += [text[:end] for end in range(len(text))] + [text[start:] for start in range(1, len(text))]
    for one in mangled:
        with pytest.raises(BadKey) as caught:
            kind.parse(one)
        assert text[-20:] not in str(caught.value)


def test_keys_of_another_length_or_kind_are_refused() -> None:
    with pytest.raises(BadKey):
        Verifier.parse("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==")
    with pytest.raises(BadKey):
        Verifier.parse("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b"])
def test_a_name_that_a_note_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(BadKey):
        Signer(name, bytes(32))


def test_a_private_key_does_not_show_itself() -> None:
    assert "seed" not in repr(Signer("x", bytes(range(32))))
