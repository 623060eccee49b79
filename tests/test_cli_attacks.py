"""Edited, cut, reordered, replaced: whatever was done to an entry, a payload, a header or a row is named with status 4.

Asked by the command line, as an auditor would; that the process itself ends with 4 is looked at for one of each.
"""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gdprcall import age
from gdprcall.age.stream import CHUNK_BYTES, NONCE_BYTES, TAG_BYTES
from gdprcall.vault.archive import Vault
from gdprcall.vault.binding import binding_stanza
from tests import vaults
from tests.test_cli_exits import Shell
from tests.vaults import DAY_ONE

LONG, OTHER = vaults.recording_id(2), vaults.recording_id(3)
"""The first has two segments, and the sound of the first of them three chunks."""

CHUNK = CHUNK_BYTES + TAG_BYTES
Attack = Callable[[Path], None]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, capsys)
    with Vault.open(tmp_path / "vault", clock=vaults.Clock()) as vault:
        vault.note(vaults.decision(LONG))
        for segment, seconds in ((1, 9), (2, 1)):
            sound = vaults.wav(seconds, seed=segment)
            vault.seal(vaults.spooled(tmp_path / "spool", LONG, segment, sound), vaults.facts(LONG, segment))
        vaults.sealed(vault, tmp_path / "spool", 3)
        vault.catch_up()
    return shell


def payload(folder: Path, recording: str = LONG, segment: int = 1) -> Path:
    return folder / "vault" / "objects" / recording[:2] / f"{recording}.{segment}"


def changed(edit: Callable[[bytes], bytes]) -> Attack:
    return lambda folder: payload(folder).write_bytes(edit(payload(folder).read_bytes())) and None


def swapped_chunks(data: bytes) -> bytes:
    chunks = [data[start : start + CHUNK] for start in range(NONCE_BYTES, len(data), CHUNK)]
    assert len(chunks) == 3
    return data[:NONCE_BYTES] + chunks[1] + chunks[0] + chunks[2]


def swap_segments(folder: Path) -> None:
    one, two = payload(folder), payload(folder, segment=2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def sql(name: str, *statements: str) -> Attack:
    def attack(folder: Path) -> None:
        with closing(sqlite3.connect(folder / "vault" / name, isolation_level=None)) as db:
            for statement in statements:
                assert db.execute(statement).rowcount > 0, statement

    return attack


HEADER = f"recording = '{LONG}' AND segment = 1 AND kind = 'header'"


def sealed_to_somebody_else(folder: Path) -> None:
    """Put a header there that only the attacker opens, with the right binding, and his sound."""
    attacker, file_key = vaults.Controller("acme", seed=666), bytes(range(16))
    recipients = [age.X25519Recipient.parse(attacker.recipients[0])]
    header = age.make_header(file_key, recipients, (binding_stanza(LONG, "acme", "1"),))
    slot = (len(header).to_bytes(2, "big") + header).ljust(512, b"\0")
    sql("keys.db", f"UPDATE slot_512 SET slot = x'{slot.hex()}' WHERE {HEADER}")(folder)


def swap_rows(table: str, column: str, one: str, two: str) -> Attack:
    names = [f"UPDATE {table} SET {column} = '{{}}' WHERE {column} = '{{}}'".format(*pair) for pair in (
        ("x", one), (one, two), (two, "x"),
    )]  # fmt: skip
    return sql("index.db", *names)


ENTRY = f"(SELECT seq FROM entry WHERE recording = '{LONG}' AND leaf LIKE '%\"sealed\"%' LIMIT 1)"
LAST = "(SELECT max(seq) FROM entry)"
ATTACKS: dict[str, tuple[Attack, str]] = {
    # what was done: how, and what must be named
    "a payload, edited": (changed(lambda data: data[:999] + bytes([data[999] ^ 1]) + data[1000:]), f"payload {LONG}.1"),
    "a payload, cut by a byte": (changed(lambda data: data[:-1]), f"payload {LONG}.1"),
    "a payload, cut by a chunk": (changed(lambda data: data[: NONCE_BYTES + 2 * CHUNK]), f"payload {LONG}.1"),
    "a payload, its chunks reordered": (changed(swapped_chunks), f"payload {LONG}.1"),
    "a payload, reordered with the next segment's": (swap_segments, f"payload {LONG}.2"),
    "a payload, replaced by another recording's": (
        lambda folder: payload(folder).write_bytes(payload(folder, OTHER).read_bytes()) and None,
        f"payload {LONG}.1",
    ),
    "a header, edited": (
        sql("keys.db", f"UPDATE slot_512 SET slot = cast(replace(slot, 'X25519', 'x25519') AS BLOB) WHERE {HEADER}"),
        f"header {LONG}.1",
    ),
    "a header, cut": (
        sql("keys.db", f"UPDATE slot_512 SET slot = cast(x'0064' || substr(slot, 3) AS BLOB) WHERE {HEADER}"),
        f"header {LONG}.1",
    ),
    "a header, reordered with the next segment's": (
        sql("keys.db", *(
            f"UPDATE slot_512 SET segment = {to} WHERE recording = '{LONG}' AND segment = {of} AND kind = 'header'"
            for of, to in ((1, 9), (2, 1), (9, 2))
        )),
        f"header {LONG}.2",
    ),
    "a header, replaced by another recording's": (
        sql(
            "keys.db",
            f"UPDATE slot_512 SET slot = (SELECT slot FROM slot_512 WHERE recording = '{OTHER}' AND kind = 'header') "
            f"WHERE {HEADER}",
        ),
        f"header {LONG}.1",
    ),
    "a header, replaced by one for somebody else": (sealed_to_somebody_else, f"header {LONG}.1"),
    "a row, edited": (
        sql("index.db", f"UPDATE recording SET expires_at = expires_at + 1 WHERE id = '{LONG}'"),
        f"index recording {LONG}",
    ),
    "a row, cut": (sql("index.db", f"DELETE FROM recording WHERE id = '{LONG}'"), f"index recording {LONG}"),
    "a row of a segment, cut": (
        sql("index.db", f"DELETE FROM segment WHERE recording = '{LONG}' AND segment = 2"),
        f"index segment {LONG}.2",
    ),
    "rows, reordered": (swap_rows("recording", "id", LONG, OTHER), f"index recording {LONG}"),
    "a row, replaced": (
        sql(
            "index.db",
            f"UPDATE segment SET payload_sha256 = (SELECT payload_sha256 FROM segment WHERE recording = '{OTHER}') "
            f"WHERE recording = '{LONG}' AND segment = 1",
        ),
        f"index segment {LONG}.1",
    ),
    "an entry, edited": (sql("ledger.db", f"UPDATE entry SET leaf = leaf || ' ' WHERE seq = {ENTRY}"), "ledger entry 4"),
    "an entry, its body edited": (
        sql("ledger.db", f"UPDATE body SET body = replace(body, '\"seconds\":9', '\"seconds\":8') WHERE seq = {ENTRY}"),
        "ledger entry 4",
    ),
    "an entry, cut out": (sql("ledger.db", "DELETE FROM entry WHERE seq = 4"), "ledger entry 4"),
    "the last entry, cut off": (
        sql("ledger.db", f"DELETE FROM body WHERE seq = {LAST}", f"DELETE FROM entry WHERE seq = {LAST}"),
        "ledger entry 7",
    ),
    "the last entry, replaced by an earlier one": (
        sql(
            "ledger.db",
            "UPDATE entry SET (recording, leaf, hash) = (SELECT recording, leaf, hash FROM entry WHERE seq = 3) "
            f"WHERE seq = {LAST}",
        ),
        "ledger entry 7 replaced by entry 3",
    ),
    "entries, reordered": (
        sql("ledger.db", *(
            f"UPDATE {table} SET seq = {to} WHERE seq = {of}"
            for table in ("entry", "body") for of, to in ((4, 99), (5, 4), (99, 5))
        )),
        "ledger entry 4 replaced by entry 5",
    ),
    "an entry, replaced by another": (
        sql(
            "ledger.db",
            "UPDATE entry SET (recording, leaf, hash) = (SELECT recording, leaf, hash FROM entry WHERE seq = 7) "
            "WHERE seq = 4",
        ),
        "ledger entry 4 replaced by entry 7",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_sec_01_whatever_was_done_is_named_with_status_4(shell: Shell, attack: str) -> None:
    do, expected = ATTACKS[attack]
    assert shell("vault", "verify")[0] == shell("audit", "verify")[0] == 0
    do(shell.folder)
    named = {}
    for command in (("vault", "verify"), ("audit", "verify")):
        status, out, err = shell(*command)
        named[command] = status == 4 and any(line.startswith(expected) for line in out.splitlines())
        assert not named[command] or "hint: " in err
        findings = json.loads(shell(*command, "--json")[1])["findings"]
        assert bool(findings) == (status == 4)
    assert named["vault", "verify"]
    # Rows are compared one by one by the first alone: the second proves the ledger and what it speaks of.
    assert named["audit", "verify"] or "row" in attack


@pytest.mark.parametrize("attack", [
    "a payload, cut by a chunk", "a header, replaced by one for somebody else", "an entry, replaced by another",
    "entries, reordered", "a payload, its chunks reordered", "a header, cut",
])  # fmt: skip
def test_sec_01_what_was_changed_is_not_released(shell: Shell, attack: str, tmp_path: Path) -> None:
    ATTACKS[attack][0](shell.folder)
    target = tmp_path / "out.age"
    status, _, err = shell("recordings", "export", LONG, "-o", str(target))
    assert status in {1, 4}
    assert "hint: " in err
    assert not target.exists()


@pytest.mark.parametrize("attack", ["a payload, edited", "a header, cut", "a row, edited", "an entry, cut out"])
def test_sec_01_the_process_itself_ends_with_status_4(shell: Shell, attack: str) -> None:
    do, expected = ATTACKS[attack]
    do(shell.folder)
    command = [sys.executable, "-m", "gdprcall", "--config", str(shell.config), "vault", "verify"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, expected in done.stdout) == (4, True), done.stderr


@pytest.mark.pbx
@pytest.mark.parametrize(
    "attack",
    ["a payload, edited", "a payload, cut by a byte", "a payload, cut by a chunk", "a payload, its chunks reordered"],
)
def test_sec_01_nor_does_the_public_age_take_a_changed_payload_for_the_whole(shell: Shell, attack: str) -> None:
    with Vault.open(shell.folder / "vault", clock=vaults.Clock(DAY_ONE)) as vault:
        header = vault.export(LONG, 1, actor="test", purpose="test").header
    tool = Path(__file__).parent.parent / ".pbx" / "bin" / "age"

    def opened() -> subprocess.CompletedProcess[bytes]:
        whole = header + payload(shell.folder).read_bytes()
        return subprocess.run(
            [tool, "-d", "-i", shell.identity], input=whole, capture_output=True, check=False, timeout=20
        )

    assert opened().stdout == vaults.wav(9, seed=1)
    ATTACKS[attack][0](shell.folder)
    assert opened().returncode == 1
