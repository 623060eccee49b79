"""Whole age files: many recipients, extra stanzas, exchanged parts, and agreement with the public age tool."""

import io
import os
import random as random_module
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdprcall import age

IDENTITY = age.X25519Identity.generate(lambda n: bytes(range(n)))
OTHER = age.X25519Identity.generate(lambda n: bytes(range(1, n + 1)))
STRANGER = age.X25519Identity.generate(lambda n: bytes(range(2, n + 2)))
BINDING = age.Stanza(("gdprcall/recording-v1", "0" * 32, "ctl=acme", "part=1"), b"")
BIN = Path(__file__).parents[1] / ".pbx" / "bin"
TOOLS = ["age", "age-1.1"]
SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000]


def seal(plain: bytes, *identities: age.X25519Identity, extra: tuple[age.Stanza, ...] = ()) -> bytes:
    out = io.BytesIO()
    size = age.encrypt(io.BytesIO(plain), [identity.recipient() for identity in identities], out, extra)
    assert size == len(out.getvalue())
    return out.getvalue()


def unseal(file: bytes, *identities: age.X25519Identity) -> bytes:
    out = io.BytesIO()
    age.decrypt(io.BytesIO(file), identities, out)
    return out.getvalue()


def parts(file: bytes) -> tuple[bytes, bytes]:
    source = io.BytesIO(file)
    return age.read_header(source), source.read()


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens_to_the_same_bytes_for_each_recipient(size: int) -> None:
    plain = os.urandom(size)
    file = seal(plain, IDENTITY, OTHER, extra=(BINDING,))
    assert unseal(file, IDENTITY) == plain
    assert unseal(file, OTHER) == plain
    assert unseal(file, STRANGER, OTHER) == plain


def test_a_stranger_opens_nothing() -> None:
    file = seal(b"x", IDENTITY, OTHER)
    for identities in ([STRANGER], []):
        with pytest.raises(age.NoMatch):
            unseal(file, *identities)


@settings(max_examples=200)
@given(st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    file = bytearray(seal(b"sound" * 40, IDENTITY, extra=(BINDING,)))
    place = data.draw(st.integers(0, len(file) - 1))
    file[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(age.AgeError):
        unseal(bytes(file), IDENTITY)


@settings(max_examples=100)
@given(st.data())
def test_a_file_cut_anywhere_is_refused(data: st.DataObject) -> None:
    file = seal(b"sound" * 40, IDENTITY, extra=(BINDING,))
    with pytest.raises(age.AgeError):
        unseal(file[: data.draw(st.integers(0, len(file) - 1))], IDENTITY)


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_foreign_bytes_end_in_an_error_of_this_package_and_no_other(data: bytes) -> None:
    for file in (data, b"age-encryption.org/v1\n" + data, parts(seal(b"", IDENTITY))[0] + data):
        with pytest.raises(age.AgeError):
            unseal(file, IDENTITY)


def test_the_payload_of_one_file_does_not_open_under_the_header_of_another() -> None:
    (head, _), (_, payload) = parts(seal(b"one", IDENTITY)), parts(seal(b"two", IDENTITY))
    with pytest.raises(age.PayloadError):
        unseal(head + payload, IDENTITY)


def test_header_and_payload_kept_apart_are_a_file_again_when_put_together() -> None:
    head, payload = parts(seal(b"sound", IDENTITY, extra=(BINDING,)))
    file_key, header = age.open_header(head, [IDENTITY])
    out = io.BytesIO()
    age.decrypt_payload(file_key, io.BytesIO(payload), out)
    assert out.getvalue() == b"sound"
    assert header.stanzas[1:] == (BINDING,)
    assert unseal(age.make_header(file_key, [OTHER.recipient()], (BINDING,)) + payload, OTHER) == b"sound"


@pytest.mark.parametrize(("old", "new"), [(b"ctl=acme", b"ctl=evil"), (b"part=1", b"part=2"), (b"-v1 0", b"-v1 1")])
def test_the_extra_stanza_is_covered_by_the_mac(old: bytes, new: bytes) -> None:
    file = seal(b"x", IDENTITY, extra=(BINDING,))
    assert file.count(old) == 1
    with pytest.raises(age.MacError):
        unseal(file.replace(old, new), IDENTITY)


def test_a_recipient_cannot_be_added_without_the_file_key() -> None:
    head, payload = parts(seal(b"x", IDENTITY))
    header = age.Header.parse(head)
    added = OTHER.recipient().wrap(bytes(16), os.urandom)
    forged = age.Header((*header.stanzas, added), header.mac).encode() + payload
    for identity in (IDENTITY, OTHER):
        with pytest.raises(age.MacError):
            unseal(forged, identity)


def test_encryption_is_a_pure_function_of_its_randomness() -> None:
    made = []
    for seed in (7, 7, 8):
        out = io.BytesIO()
        source = random_module.Random(seed)
        age.encrypt(io.BytesIO(b"same"), [IDENTITY.recipient()], out, random=source.randbytes)
        made.append(out.getvalue())
    assert made[0] == made[1] != made[2]


def test_two_files_share_neither_file_key_nor_nonce_nor_share() -> None:
    one, two = parts(seal(b"same", IDENTITY)), parts(seal(b"same", IDENTITY))
    (key_one, head_one), (key_two, head_two) = (age.open_header(head, [IDENTITY]) for head, _ in (one, two))
    assert key_one != key_two
    assert one[1][:16] != two[1][:16]
    assert head_one.stanzas[0].args[1] != head_two.stanzas[0].args[1]


def test_a_header_that_nobody_could_open_is_not_made() -> None:
    with pytest.raises(ValueError, match="recipient"):
        age.make_header(bytes(16), [])
    with pytest.raises(ValueError, match="recipient"):
        age.make_header(bytes(16), [], (BINDING,))


def test_an_identity_file_is_read_with_its_comments() -> None:
    text = f"# created: today\r\n\n  {IDENTITY.encode()}  \n# public key: x\n{OTHER.encode()}"
    assert [identity.encode() for identity in age.parse_identities(text)] == [IDENTITY.encode(), OTHER.encode()]


def test_a_faulty_line_of_an_identity_file_is_named_by_its_number_only() -> None:
    damaged = IDENTITY.encode()[:-1] + ("Q" if IDENTITY.encode()[-1] != "Q" else "P")
    with pytest.raises(age.BadIdentity, match=r"^line 3: ") as caught:
        age.parse_identities(f"# mine\n{OTHER.encode()}\n{damaged}\n")
    assert damaged[16:40] not in str(caught.value)
    with pytest.raises(age.BadIdentity, match="no identity"):
        age.parse_identities("# nothing\n\n")


@pytest.mark.pbx
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("size", SIZES)
def test_the_public_age_tool_and_we_open_each_others_files(tool: str, size: int, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(IDENTITY.encode() + "\n")
    plain = os.urandom(size)
    ours = seal(plain, OTHER, IDENTITY, extra=(BINDING,))
    command = [BIN / tool, "-d", "-i", key]
    assert subprocess.run(command, input=ours, capture_output=True, check=True).stdout == plain
    command = [BIN / tool, "-r", OTHER.recipient().encode(), "-r", IDENTITY.recipient().encode()]
    theirs = subprocess.run(command, input=plain, capture_output=True, check=True).stdout
    assert unseal(theirs, IDENTITY) == plain == unseal(theirs, OTHER)


@pytest.mark.pbx
@pytest.mark.parametrize("tool", TOOLS)
def test_the_public_age_tool_refuses_a_changed_binding_and_a_cut_payload(tool: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(IDENTITY.encode() + "\n")
    file = seal(bytes(100_000), IDENTITY, extra=(BINDING,))
    for damaged in (file.replace(b"ctl=acme", b"ctl=evil"), file[:-1], file[:-34_480]):
        done = subprocess.run([BIN / tool, "-d", "-i", key], input=damaged, capture_output=True, check=False)
        assert done.returncode == 1


@pytest.mark.pbx
@pytest.mark.parametrize("tool", ["age-keygen", "age-keygen-1.1"])
def test_keys_made_by_the_public_tool_are_read(tool: str) -> None:
    made = subprocess.run([BIN / tool], capture_output=True, text=True, check=True).stdout
    public = made.split("public key: ")[1].split()[0]
    assert age.parse_identities(made)[0].recipient() == age.X25519Recipient.parse(public)


@pytest.mark.pbx
@pytest.mark.parametrize("tool", ["age-keygen", "age-keygen-1.1"])
def test_the_public_tool_finds_the_same_public_half(tool: str) -> None:
    identity = age.X25519Identity.generate(os.urandom)
    done = subprocess.run(
        [BIN / tool, "-y"], input=identity.encode() + "\n", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == identity.recipient().encode()


@pytest.mark.pbx
@pytest.mark.parametrize("tool", ["age", "age-1.1"])
def test_the_public_tool_and_we_read_each_others_armor(tool: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(IDENTITY.encode() + "\n")
    theirs = subprocess.run(
        [BIN / tool, "-a", "-r", IDENTITY.recipient().encode()], input=bytes(200_000), capture_output=True, check=True
    ).stdout
    plain = io.BytesIO()
    age.decrypt(io.BytesIO(theirs), [IDENTITY], plain)
    assert plain.getvalue() == bytes(200_000)
    ours = io.BytesIO()
    armor = age.ArmorWriter(ours)
    age.encrypt(io.BytesIO(bytes(200_000)), [IDENTITY.recipient()], armor)
    armor.finish()
    done = subprocess.run([BIN / tool, "-d", "-i", key], input=ours.getvalue(), capture_output=True, check=True)
    assert done.stdout == bytes(200_000)


@pytest.mark.pbx
def test_the_public_tool_and_we_open_each_others_post_quantum_files(tmp_path: Path) -> None:
    key = tmp_path / "key"
    made = subprocess.run([BIN / "age-keygen", "-pq"], capture_output=True, text=True, check=True).stdout
    key.write_text(made)
    (identity,) = age.parse_identities(made)
    recipient = made.split("public key: ")[1].split()[0]
    assert age.parse_recipient(recipient) == identity.recipient()
    theirs = subprocess.run(
        [BIN / "age", "-r", recipient], input=bytes(100_000), capture_output=True, check=True
    ).stdout
    plain = io.BytesIO()
    age.decrypt(io.BytesIO(theirs), [identity], plain)
    assert plain.getvalue() == bytes(100_000)
    ours = io.BytesIO()
    age.encrypt(io.BytesIO(bytes(100_000)), [identity.recipient()], ours, extra=(BINDING,))
    done = subprocess.run([BIN / "age", "-d", "-i", key], input=ours.getvalue(), capture_output=True, check=True)
    assert done.stdout == bytes(100_000)
