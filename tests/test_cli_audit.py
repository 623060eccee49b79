"""The ledger's proof on the command line: keys, checkpoints, proofs, and every forgery named with exit status 4.

Proofs are verified here as ARCHITECTURE.md tells a stranger to do it: with json, base64, SHA-256, Ed25519 and an
implementation of RFC 6962 that is not ours.
"""

import base64
import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pymerkle
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.merkle import Tree, leaf_hash
from tests import vaults
from tests.test_cli_exits import RECORDING, Shell
from tests.test_ledger import ATTACKS, change

ORIGIN = "pbx.example.com/gdprcall"


class Audited(Shell):
    """A command line whose ledger has a signing key and a folder that checkpoints are handed out to."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, capture)
        self.out = folder / "out"
        self.out.mkdir()
        self.signing_key.unlink()
        self.configure(f'checkpoint_folder = "{self.out}"')
        self.key = self.said("audit", "key", "--new", ORIGIN).strip()

    def configure(self, lines: str) -> None:
        text = self.config.read_text().partition("[audit]")[0]
        self.config.write_text(f"{text}[audit]\n{lines}\n")

    def said(self, *words: str) -> str:
        status, out, err = self(*words)
        assert status == 0, err
        return out

    def json(self, *words: str) -> dict[str, object]:
        value = json.loads(self.said(*words, "--json"))
        assert isinstance(value, dict)
        return value

    def grow(self, count: int) -> None:
        with Vault.open(self.folder / "vault", clock=vaults.Clock()) as vault:
            for number in range(count):
                vault.note(Fact(Kind.DAEMON_STARTED, None, None, {"version": str(number)}))

    def handed(self) -> list[Path]:
        return sorted(self.out.iterdir())


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Audited:
    return Audited(tmp_path, capsys)


def checkpoint_of(note: str, key: str) -> tuple[int, bytes]:
    """Return size and root of a checkpoint after its signature was verified, as the page says."""
    name, id_, encoded = key.split("+", 2)
    public = base64.b64decode(encoded)
    text, _, signatures = note.rpartition("\n\n")
    (line,) = [line for line in signatures.splitlines() if line.split(" ")[1] == name]
    signature = base64.b64decode(line.split(" ")[2])
    assert public[:1] == b"\x01"
    assert signature[:4].hex() == id_ == hashlib.sha256(name.encode() + b"\n" + public).digest()[:4].hex()
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], text.encode() + b"\n")
    origin, size, root = text.split("\n")
    assert origin == name
    return int(size), base64.b64decode(root)


def verify_inclusion(entry: dict[str, object], size: int, root: bytes) -> None:
    """Verify one entry of a proof with an implementation that is not ours; raises when it is wrong."""
    index, leaf = int(str(entry["index"])), hashlib.sha256(b"\x00" + str(entry["leaf"]).encode()).digest()
    path = entry["path"]
    assert isinstance(path, list)
    # Its proofs say, besides the hashes, on which side each belongs, which index and size alone determine.
    like = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(size):
        like.append_entry(str(number).encode())
    rule = like.prove_inclusion(index + 1, size).rule
    hashes = [leaf, *(base64.b64decode(part) for part in path)]
    proof = pymerkle.InclusionProof("sha256", True, size, index + 1, rule, hashes)
    pymerkle.verify_inclusion(leaf, root, proof, index=index + 1, size=size)


def consistent(proof: dict[str, object], old: tuple[int, bytes], new: tuple[int, bytes]) -> bool:
    """RFC 9162 section 2.1.4.2, from the roots of the subtrees instead of bit by bit: shares nothing with our own."""
    path = [base64.b64decode(part) for part in proof["path"]]  # type: ignore[union-attr,attr-defined]

    def walk(low: int, high: int, known: bool) -> tuple[bytes, bytes]:
        """Return what the part of the old tree below a node, and the node itself, hash to."""
        if old[0] == high:
            value = old[1] if known else path.pop(0)
            return value, value
        split = low + (1 << (high - low - 1).bit_length() - 1)
        if old[0] <= split:
            before, left = walk(low, split, known)
            return before, hashlib.sha256(b"\x01" + left + path.pop(0)).digest()
        before, right = walk(split, high, False)
        left = path.pop(0)
        return tuple(hashlib.sha256(b"\x01" + left + value).digest() for value in (before, right))  # type: ignore[return-value]

    return walk(0, new[0], True) == (old[1], new[1]) and not path


def test_a_key_is_made_once_for_its_owner_alone_and_its_public_half_is_printed(shell: Audited) -> None:
    secret = shell.signing_key
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.read_text().startswith(f"PRIVATE+KEY+{ORIGIN}+")
    assert shell.key.startswith(f"{ORIGIN}+")
    assert shell.json("audit", "key") == {"origin": ORIGIN, "verifier": shell.key}
    status, _, err = shell("audit", "key", "--new", ORIGIN)
    assert (status, "never overwritten" in err) == (1, True)
    assert shell("audit", "key", "--new", "a name")[0] == 2


@pytest.mark.parametrize("words", [("checkpoint",), ("key",), ("prove", RECORDING)], ids=" ".join)
def test_without_a_key_nothing_is_signed_and_the_hint_makes_one(shell: Audited, words: tuple[str, ...]) -> None:
    secret = shell.signing_key
    kept = secret.read_text()
    secret.unlink()
    status, _, err = shell("audit", *words)
    assert (status, "hint: make it with: gdprcall audit key --new" in err) == (2, True)
    secret.write_text(kept[:-9])
    secret.chmod(0o600)
    status, _, err = shell("audit", *words)
    assert (status, "no signing key" in err, kept[40:60] in err) == (2, True, False)
    secret.write_text(kept)
    secret.chmod(0o644)
    status, _, err = shell("audit", *words)
    assert (status, "chmod 600" in err) == (2, True)


def test_a_checkpoint_is_signed_kept_and_handed_out(shell: Audited) -> None:
    note = shell.said("audit", "checkpoint")
    size, root = checkpoint_of(note, shell.key)
    (handed,) = shell.handed()
    assert handed.read_text() == note
    assert handed.name == f"checkpoint-{size:012}"
    result = shell.json("audit", "verify")
    assert (result["entries"], result["root"], result["checkpoints"], result["findings"]) == (size, root.hex(), 1, [])
    made = shell.json("audit", "checkpoint")
    assert (made["checkpoint"], made["size"], made["handed_to"]) == (note, size, [str(shell.out)])


def test_a_checkpoint_that_goes_nowhere_says_so(shell: Audited) -> None:
    shell.configure("")
    status, _, err = shell("audit", "checkpoint")
    assert (status, "this host alone" in err) == (0, True)


def test_a_checkpoint_that_cannot_be_handed_out_is_an_error_and_is_kept(shell: Audited) -> None:
    shell.configure(f'checkpoint_folder = "{shell.folder}/gone"')
    status, _, err = shell("audit", "checkpoint")
    assert (status, "gone" in err) == (1, True)
    assert shell.json("audit", "verify")["checkpoints"] == 1


def test_an_erasure_is_followed_by_a_checkpoint_that_leaves_the_host(shell: Audited) -> None:
    assert shell("recordings", "erase", RECORDING, "--reason", "test", "--yes")[0] == 0
    (handed,) = shell.handed()
    size, _ = checkpoint_of(handed.read_text(), shell.key)
    kinds = {entry["seq"]: entry["kind"] for entry in json.loads(shell.said("audit", "log", "--json"))}
    assert any(kind == "erased" and seq <= size for seq, kind in kinds.items())


def test_an_erasure_stands_though_its_checkpoint_did_not_leave_and_that_is_said(shell: Audited) -> None:
    shell.configure(f'checkpoint_folder = "{shell.folder}/gone"')
    status, _, err = shell("recordings", "erase", RECORDING, "--reason", "test", "--yes")
    assert (status, "warning: " in err, "gone" in err) == (0, True, True)
    assert not shell.payload.exists()


def test_a_proof_is_verified_with_another_implementation_of_rfc_6962(shell: Audited, tmp_path: Path) -> None:
    shell.grow(20)
    file = tmp_path / "proof.json"
    shell.said("audit", "prove", RECORDING, "-o", str(file))
    proof = json.loads(file.read_text())
    assert proof["format"] == "gdprcall/inclusion-v1"
    assert proof["verifier"] == shell.key
    assert shell.handed()[-1].read_text() == proof["checkpoint"]
    size, root = checkpoint_of(proof["checkpoint"], shell.key)
    leaves = []
    for entry in proof["entries"]:
        verify_inclusion(entry, size, root)
        leaf = json.loads(entry["leaf"])
        assert (leaf["seq"], leaf["recording"]) == (entry["index"] + 1, RECORDING)
        assert leaf["commit"] == hashlib.sha256(bytes.fromhex(entry["salt"]) + entry["body"].encode()).hexdigest()
        leaves.append(leaf["kind"])
    assert leaves == ["decision", "sealed"]
    proof["entries"][0]["leaf"] = proof["entries"][0]["leaf"].replace("decision", "released")
    with pytest.raises(pymerkle.InvalidProof):
        verify_inclusion(proof["entries"][0], size, root)
    assert shell("audit", "prove", RECORDING, "-o", str(file))[0] == 1


def test_a_proof_stands_on_the_last_checkpoint_if_that_counts_its_entries(shell: Audited) -> None:
    note = shell.said("audit", "checkpoint")
    shell.grow(3)
    assert json.loads(shell.said("audit", "prove", RECORDING))["checkpoint"] == note
    assert len(shell.handed()) == 1


def test_a_proof_can_keep_to_itself_what_entries_say(shell: Audited, tmp_path: Path) -> None:
    entries = json.loads(shell.said("audit", "prove", RECORDING, "--without-bodies"))["entries"]
    assert all(set(entry) == {"index", "leaf", "path"} for entry in entries)
    answer = shell.json("audit", "prove", RECORDING, "-o", str(tmp_path / "p"))
    assert answer["entries"] == [entry["index"] + 1 for entry in entries]


def test_a_decision_without_a_recording_is_proven_by_its_own_id(shell: Audited) -> None:
    with Vault.open(shell.folder / "vault", clock=vaults.Clock()) as vault:
        fact = vaults.decision("0" * 32, outcome="refused")
        vault.note(Fact(Kind.DECISION, None, "acme", fact.body))
    (entry,) = json.loads(shell.said("audit", "prove", str(fact.body["decision"])))["entries"]
    assert json.loads(entry["body"])["outcome"] == "refused"
    status, _, err = shell("audit", "prove", "f" * 32)
    assert (status, "hint: " in err) == (3, True)


@pytest.mark.parametrize("grown", [0, 1, 2, 5, 8, 13])
def test_verify_since_proves_that_the_ledger_only_grew_and_a_stranger_can_check_it(shell: Audited, grown: int) -> None:
    old = shell.said("audit", "checkpoint")
    (file,) = shell.handed()
    shell.grow(grown)
    result = shell.json("audit", "verify", "--since", str(file), "--key", shell.key)
    assert result["findings"] == []
    (proof,) = result["since"]  # type: ignore[misc,attr-defined]
    before, now = checkpoint_of(old, shell.key), checkpoint_of(proof["checkpoint"], shell.key)
    assert (proof["format"], proof["old_size"], now[0]) == ("gdprcall/consistency-v1", before[0], before[0] + grown)
    assert consistent(proof, before, now)
    if grown:
        assert not consistent(proof | {"path": [*proof["path"], proof["path"][0]]}, before, now)
        assert not consistent(proof, (before[0], bytes(32)), now)
    assert "are as they were" in shell.said("audit", "verify", "--since", str(file))


def test_verify_since_goes_without_the_private_key_when_the_public_one_is_given(shell: Audited) -> None:
    shell.said("audit", "checkpoint")
    shell.signing_key.unlink()
    result = shell.json("audit", "verify", "--since", str(shell.handed()[0]), "--key", shell.key)
    assert result["since"][0]["checkpoint"] is None  # type: ignore[index]
    assert shell("audit", "verify", "--since", str(shell.handed()[0]), "--key", "nonsense")[0] == 2


def forged(folder: Path, edit: Callable[[list[str]], list[str]], *, notes: bool = False) -> None:
    """Rewrite the ledger so that it agrees with itself again: what root on the PBX can do.

    ``edit`` gets the texts of the entries in order; ``notes`` leaves the signed checkpoints where they are.
    """
    with closing(sqlite3.connect(folder / "vault" / "ledger.db", isolation_level=None)) as db:
        rows = {
            leaf: row
            for leaf, *row in db.execute("SELECT leaf, salt, body, recording FROM entry JOIN body USING (seq)")
        }
        leaves = edit([leaf for (leaf,) in db.execute("SELECT leaf FROM entry ORDER BY seq")])
        for table in ("body", "checkpoint", "entry") if notes else ("body", "checkpoint", "entry", "signed"):
            db.execute(f"DELETE FROM {table}")
        tree = Tree()
        for seq, old in enumerate(leaves, 1):
            salt, body, recording = rows.get(old, [bytes(32), "{}", None])
            leaf = json.dumps(json.loads(old) | {"seq": seq}, sort_keys=True, separators=(",", ":"))
            if old not in rows:
                commit = hashlib.sha256(salt + body.encode()).hexdigest()
                leaf = json.dumps(json.loads(leaf) | {"commit": commit}, sort_keys=True, separators=(",", ":"))
                recording = json.loads(leaf)["recording"]
            value = leaf_hash(leaf.encode())
            tree.append(value)
            db.execute("INSERT INTO entry VALUES (?, ?, ?, ?)", (seq, recording, leaf, value))
            db.execute("INSERT INTO body VALUES (?, ?, ?)", (seq, salt, body))
            db.execute("INSERT INTO checkpoint VALUES (?, ?, 0)", (seq, tree.root()))


@pytest.mark.parametrize("attack", ATTACKS)
def test_bas_11_what_somebody_did_to_the_ledger_is_named_with_status_4(shell: Audited, attack: str) -> None:
    shell.grow(8)
    statements, expected = ATTACKS[attack]
    change(shell.folder / "vault" / "ledger.db", *(one.replace("'started'", "'daemon_started'") for one in statements))
    status, out, err = shell("audit", "verify")
    assert status == 4, err
    assert set(expected) <= {line.removeprefix("ledger ") for line in out.splitlines()}


FORGERIES: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "an edited entry": (lambda all_: [*all_[:4], all_[4].replace('"time":1', '"time":2'), *all_[5:]], "entries 4 to 9"),
    "an entry cut out": (lambda all_: [*all_[:4], *all_[5:]], "entries 4 to 9"),
    "two swapped entries": (lambda all_: [*all_[:4], all_[5], all_[4], *all_[6:]], "entries 4 to 9"),
    "a replaced entry": (lambda all_: [*all_[:4], all_[6], *all_[5:]], "entries 4 to 9"),
    "an entry put in": (lambda all_: [*all_[:4], all_[4], *all_[4:]], "entries 4 to 9"),
    "a cut tail": (lambda all_: all_[:7], "entries 8 to 9"),
    "an edit before the first checkpoint": (
        lambda all_: [all_[0].replace("acme", "evil"), *all_[1:]],
        "entries 1 to 3",
    ),
}


@pytest.fixture
def nine(shell: Audited) -> Audited:
    """A ledger whose first three entries and then nine were signed, with eleven in it."""
    shell.said("audit", "checkpoint")
    shell.grow(6)
    shell.said("audit", "checkpoint")
    shell.grow(2)
    assert [int(path.name[-3:]) for path in shell.handed()] == [3, 9]
    return shell


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_ledger_that_was_rewritten_as_a_whole_is_found_by_what_left_the_host(nine: Audited, forgery: str) -> None:
    edit, place = FORGERIES[forgery]
    forged(nine.folder, edit)
    (nine.folder / "vault" / "index.db").unlink()  # root rewrites everything here
    since = [word for path in nine.handed() for word in ("--since", str(path))]
    status, out, _ = nine("audit", "verify", *since, "--key", nine.key)
    assert status == 4
    assert f"ledger {place} " in out


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_ledger_that_was_rewritten_is_found_by_the_kept_checkpoints_and_takes_nothing_more(
    nine: Audited, forgery: str
) -> None:
    edit, place = FORGERIES[forgery]
    forged(nine.folder, edit, notes=True)
    (nine.folder / "vault" / "index.db").unlink()
    status, out, _ = nine("audit", "verify")
    assert (status, f"ledger {place} " in out) == (4, True)
    assert nine("audit", "checkpoint")[0] == 1
    with Vault.open(nine.folder / "vault") as vault:
        assert not vault.ledger.trusted()


def test_what_was_appended_by_a_forger_after_the_last_checkpoint_is_not_found_and_that_is_written_down(
    nine: Audited,
) -> None:
    forged(nine.folder, lambda all_: all_[:10])
    (nine.folder / "vault" / "index.db").unlink()
    assert nine("audit", "verify", "--since", str(nine.handed()[-1]))[0] == 0
    assert "after the last checkpoint" in (Path(__file__).parents[1] / "ARCHITECTURE.md").read_text()


def test_a_kept_checkpoint_that_was_changed_or_signed_by_a_stranger_is_named(nine: Audited, tmp_path: Path) -> None:
    nine.sql("ledger.db", "UPDATE signed SET note = replace(note, 'pbx', 'xbp') WHERE size = 3")
    status, out, _ = nine("audit", "verify")
    assert (status, out.splitlines()[0]) == (
        4,
        "checkpoint of 3 entries not signed by a key that is known here",
    )
    nine.sql(
        "ledger.db", "UPDATE signed SET note = replace(note, char(10) || '3' || char(10), char(10) || '4' || char(10))"
    )
    assert nine("audit", "verify")[0] == 4


@pytest.mark.parametrize("change", ["signature", "size", "no checkpoint", "another key"])
def test_a_checkpoint_file_that_is_not_what_was_signed_is_named(nine: Audited, tmp_path: Path, change: str) -> None:
    file, key = tmp_path / "mine", nine.key
    text = nine.handed()[0].read_text()
    if change == "signature":
        at = len(text) - 20
        text = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    elif change == "size":
        text = text.replace("\n3\n", "\n4\n")
    elif change == "no checkpoint":
        text = "\x00\xff" * 40_000
    else:
        key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    file.write_text(text)
    status, out, _ = nine("audit", "verify", "--since", str(file), "--key", key)
    assert (status, f"checkpoint {file} " in out) == (4, True)


def test_a_new_key_is_noted_in_the_ledger_and_the_checkpoints_of_the_old_one_stay_good(nine: Audited) -> None:
    secret = nine.signing_key
    secret.rename(nine.folder / "old")
    nine.said("audit", "key", "--new", ORIGIN)
    nine.said("audit", "checkpoint")
    assert nine.json("audit", "verify")["checkpoints"] == 3
    noted = json.loads(nine.said("audit", "log", "--kind", "log_key", "--json"))
    assert [entry["body"]["verifier"] for entry in noted] == [nine.key, nine.json("audit", "key")["verifier"]]
    assert nine("audit", "verify", "--since", str(nine.handed()[0]))[0] == 0


def test_a_checkpoint_of_a_damaged_ledger_is_refused(nine: Audited) -> None:
    nine.sql("ledger.db", "DELETE FROM entry WHERE seq = 11")
    status, _, err = nine("audit", "checkpoint")
    assert (status, "not signed" in err) == (1, True)
