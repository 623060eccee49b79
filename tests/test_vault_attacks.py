"""Somebody has the vault folder in hand: whatever is swapped, cut, edited, added or taken away is named and not served."""

import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gdprcall import age
from gdprcall.errors import CheckFailed, GdprcallError, NotFound, VaultError
from gdprcall.vault.binding import BINDING, binding_stanza, bound_to, check_header
from gdprcall.vault.keys import Slot
from gdprcall.vault.ledger import Entry, Kind
from tests import vaults
from tests.vaults import ACME, NUMBER

A, B = vaults.recording_id(1), vaults.recording_id(2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A closed vault with two sealed recordings, A and B, in ``tmp_path / "vault"``."""
    with vaults.opened(tmp_path) as vault:
        for number in (1, 2):
            vaults.sealed(vault, tmp_path / "spool", number)
        assert list(vault.verify()) == []
    return tmp_path


def keys(folder: Path, *statements: str) -> None:
    db = sqlite3.connect(folder / "vault" / "keys.db", isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


def payload(folder: Path, recording: str = A, segment: int = 1) -> Path:
    return folder / "vault" / "objects" / recording[:2] / f"{recording}.{segment}"


HEADER_ROW = f"recording = '{A}' AND kind = 'header'"


def swap_headers(folder: Path) -> None:
    keys(
        folder,
        f"UPDATE slot_512 SET segment = 9 WHERE recording = '{A}' AND kind = 'header'",
        f"UPDATE slot_512 SET recording = '{A}' WHERE recording = '{B}' AND kind = 'header'",
        f"UPDATE slot_512 SET recording = '{B}', segment = 1 WHERE segment = 9",
    )


def swap_payloads(folder: Path) -> None:
    a, b = payload(folder, A).read_bytes(), payload(folder, B).read_bytes()
    payload(folder, A).write_bytes(b)
    payload(folder, B).write_bytes(a)


def swap_all(folder: Path) -> None:
    swap_headers(folder)
    swap_payloads(folder)


def cut(folder: Path) -> None:
    payload(folder).write_bytes(payload(folder).read_bytes()[:-1])


def cut_to_a_chunk(folder: Path) -> None:
    payload(folder).write_bytes(payload(folder).read_bytes()[:16])


def extend(folder: Path) -> None:
    payload(folder).write_bytes(payload(folder).read_bytes() + b"\0")


def edit(folder: Path) -> None:
    data = bytearray(payload(folder).read_bytes())
    data[len(data) // 2] ^= 1
    payload(folder).write_bytes(bytes(data))


def remove_payload(folder: Path) -> None:
    payload(folder).unlink()


def payload_becomes_folder(folder: Path) -> None:
    payload(folder).unlink()
    payload(folder).mkdir()


def edit_header(folder: Path) -> None:
    keys(folder, f"UPDATE slot_512 SET slot = cast(replace(slot, '-> X25519', '-> X25518') AS BLOB) WHERE {HEADER_ROW}")


def spoil_header(folder: Path) -> None:
    keys(folder, f"UPDATE slot_512 SET slot = randomblob(512) WHERE {HEADER_ROW}")


def zero_header(folder: Path) -> None:
    keys(folder, f"UPDATE slot_512 SET slot = zeroblob(512) WHERE {HEADER_ROW}")


def remove_header(folder: Path) -> None:
    keys(folder, f"DELETE FROM slot_512 WHERE {HEADER_ROW}")


def forge(folder: Path) -> None:
    """Seal other sound under A with A's own binding: anybody with the public recipients can."""
    file_key = bytes(range(16))
    recipients = [age.X25519Recipient.parse(recipient) for recipient in ACME.recipients]
    header = age.make_header(file_key, recipients, (binding_stanza(A, "acme", "1"),))
    slot = (len(header).to_bytes(2, "big") + header).ljust(512, b"\0")
    keys(folder, f"UPDATE slot_512 SET slot = x'{slot.hex()}' WHERE {HEADER_ROW}")
    with payload(folder).open("wb") as file:
        writer = age.PayloadWriter(file_key, bytes(16), file)
        writer.write(vaults.wav(seed=666))
        writer.finish()


Named = set[tuple[str, str, str]]
NOT_SEALED = "not the one that was sealed"
ATTACKS: dict[str, tuple[Callable[[Path], None], Named]] = {
    "the headers of two recordings swapped": (
        swap_headers,
        {("header", f"{A}.1", "of another recording"), ("header", f"{B}.1", "of another recording")},
    ),
    "the payloads of two recordings swapped": (
        swap_payloads,
        {("payload", f"{A}.1", f"that of {B}.1"), ("payload", f"{B}.1", f"that of {A}.1")},
    ),
    "two whole recordings swapped": (
        swap_all,
        {
            ("header", f"{A}.1", "of another recording"),
            ("header", f"{B}.1", "of another recording"),
            ("payload", f"{A}.1", f"that of {B}.1"),
            ("payload", f"{B}.1", f"that of {A}.1"),
        },
    ),
    "a cut payload": (cut, {("payload", f"{A}.1", "truncated by 1 bytes")}),
    "a payload cut at a chunk": (cut_to_a_chunk, {("payload", f"{A}.1", "truncated by 16060 bytes")}),
    "an extended payload": (extend, {("payload", f"{A}.1", "1 bytes too long")}),
    "an edited payload": (edit, {("payload", f"{A}.1", NOT_SEALED)}),
    "a missing payload": (remove_payload, {("payload", f"{A}.1", "missing")}),
    "a payload that is a folder": (
        payload_becomes_folder,
        {
            ("payload", f"{A}.1", "not readable"),
            ("payload", f"{A[:2]}/{A}.1", "nothing that the vault put there"),
        },
    ),
    "an edited header": (edit_header, {("header", f"{A}.1", NOT_SEALED)}),
    "a spoiled header": (spoil_header, {("header", f"{A}.1", "damaged")}),
    "a header of zeros": (zero_header, {("header", f"{A}.1", "missing")}),
    "a missing header": (remove_header, {("header", f"{A}.1", "missing")}),
    "a forged recording": (forge, {("header", f"{A}.1", NOT_SEALED), ("payload", f"{A}.1", NOT_SEALED)}),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_sec_01_it_is_named_and_not_served(folder: Path, attack: str) -> None:
    do, expected = ATTACKS[attack]
    do(folder)
    with vaults.opened(folder) as vault:
        found = {(finding.where, finding.name, finding.detail) for finding in vault.verify()}
        assert found == expected
        with pytest.raises((CheckFailed, VaultError)) as caught:
            vault.export(A, 1, actor="a", purpose="p")
        assert isinstance(caught.value, GdprcallError)
        assert caught.value.hint
        assert Kind.RELEASED not in {entry.kind for entry in vault.ledger.entries()}
        if not any(name == f"{B}.1" for _, name, _ in expected):
            assert ACME.opens(vaults.whole(vault, B)) == vaults.wav(seed=201)


def test_sec_01_a_header_with_the_payload_of_another_recording_does_not_open(folder: Path) -> None:
    with vaults.opened(folder) as vault:
        header = vault.export(A, 1, actor="a", purpose="p").header
        other = vault.export(B, 1, actor="a", purpose="p").payload.read_bytes()
    with pytest.raises(age.PayloadError):
        ACME.opens(header + other)


def test_sec_01_a_header_whose_binding_was_rewritten_does_not_open(folder: Path) -> None:
    with vaults.opened(folder) as vault:
        whole = vaults.whole(vault, A)
    assert A.encode() in whole
    with pytest.raises(age.MacError):
        ACME.opens(whole.replace(A.encode(), B.encode()))


def test_what_was_added_is_named(folder: Path) -> None:
    stranger = vaults.recording_id(77)
    extra = payload(folder, stranger)
    extra.parent.mkdir(exist_ok=True)
    extra.write_bytes(payload(folder).read_bytes())
    (folder / "vault" / "objects" / "note.txt").write_text("x")
    with vaults.opened(folder) as vault:
        vault.keys.put(stranger, 2, Slot.HEADER, b"a header that nobody sealed")
        assert {(f.where, f.name, f.detail) for f in vault.verify()} == {
            ("payload", f"{stranger}.1", "unknown to the ledger"),
            ("payload", "note.txt", "nothing that the vault put there"),
            ("header", f"{stranger}.2", "unknown to the ledger"),
        }
        with pytest.raises(NotFound):
            vault.export(stranger, 1, actor="a", purpose="p")


def test_ret_05_what_comes_back_after_an_erasure_is_named_and_not_served(folder: Path) -> None:
    keys_backup = (folder / "vault" / "keys.db").read_bytes()
    sound = payload(folder).read_bytes()
    with vaults.opened(folder) as vault:
        vault.erase(A, reason="request", actor="officer")
    payload(folder).write_bytes(sound)
    (folder / "vault" / "keys.db").write_bytes(keys_backup)
    with vaults.opened(folder) as vault:
        back = "there, though the recording was erased"
        assert {(f.where, f.name, f.detail) for f in vault.verify()} == {
            ("payload", f"{A}.1", back),
            ("header", f"{A}.1", back),
            ("number", A, back),
        }
        with pytest.raises(GdprcallError):
            vault.export(A, 1, actor="a", purpose="p")


def test_an_index_that_says_otherwise_than_the_ledger_is_named_and_not_believed(folder: Path) -> None:
    db = sqlite3.connect(folder / "vault" / "index.db", isolation_level=None)
    db.execute(f"UPDATE segment SET payload_sha256 = 'other' WHERE recording = '{A}'")
    db.execute(f"DELETE FROM segment WHERE recording = '{B}'")
    db.close()
    with vaults.opened(folder) as vault:
        assert {(f.where, f.name) for f in vault.verify()} == {("index", f"{A}.1"), ("index", f"{B}.1")}
        assert ACME.opens(vaults.whole(vault, A)) == vaults.wav(seed=101)
        assert vault.keys.names(Slot.HEADER) == sorted([(A, 1), (B, 1)])


def test_verify_tells_how_far_it_is(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    with vaults.opened(folder) as vault:
        assert list(vault.verify(lambda done, size: told.append((done, size)))) == []
        assert told[-1] == (4, 4)
        assert told == sorted(told)


def test_a_finding_has_its_json(folder: Path) -> None:
    cut(folder)
    with vaults.opened(folder) as vault:
        (finding,) = vault.verify()
    assert finding.as_json() == {"where": "payload", "name": f"{A}.1", "detail": "truncated by 1 bytes"}


def test_a_header_with_two_bindings_is_bound_to_nothing() -> None:
    stanzas = (binding_stanza(A, "acme", "1"), binding_stanza(B, "acme", "1"))
    assert bound_to(age.Header(stanzas, bytes(32))) is None
    assert bound_to(age.Header(stanzas[:1], bytes(32))) == (A, "ctl=acme", "part=1")
    assert bound_to(age.Header((age.Stanza(("other",), b""),), bytes(32))) is None


def test_a_header_of_the_right_recording_and_another_controller_or_segment_is_refused() -> None:
    recipients = [age.X25519Recipient.parse(ACME.recipients[0])]
    entry = Entry(1, 0, Kind.SEALED, A, "acme", {"segment": 1, "header_sha256": "x"})
    for controller, part in (("beta", "1"), ("acme", "2"), ("acme", "number")):
        header = age.make_header(bytes(16), recipients, (binding_stanza(A, controller, part),))
        assert check_header(header, entry) == "of another recording"
    header = age.make_header(bytes(16), recipients, (binding_stanza(A, "acme", "1"),))
    assert check_header(header, entry) == NOT_SEALED


@pytest.mark.parametrize("controller", ["two words", "new\nline", "ümlaut"])
def test_a_controller_that_cannot_stand_in_a_header_is_refused(tmp_path: Path, controller: str) -> None:
    with vaults.opened(tmp_path) as vault, pytest.raises(VaultError, match="header cannot be made"):
        vault.keep_number(A, controller, NUMBER, ACME.recipients)


@pytest.mark.pbx
@pytest.mark.parametrize("program", ["age", "age-1.1"])
def test_an_export_opens_with_the_public_age_tool(folder: Path, program: str) -> None:
    tool = Path(__file__).parent.parent / ".pbx" / "bin" / program
    if not tool.exists():
        pytest.skip("make pbx prepares it")
    (folder / "identity").write_text(ACME.identities[0].encode() + "\n")
    with vaults.opened(folder) as vault:
        (folder / "export.age").write_bytes(vaults.whole(vault, A))
        number = vault.sealed_number(A)
        assert number is not None
        (folder / "number.age").write_bytes(number)
    for name, plain in (("export.age", vaults.wav(seed=101)), ("number.age", NUMBER.encode())):
        done = subprocess.run(
            [tool, "-d", "-i", folder / "identity", folder / name], capture_output=True, check=True, timeout=20
        )
        assert done.stdout == plain


def test_binding_is_named_as_promised() -> None:
    assert BINDING == "gdprcall/recording-v1"
