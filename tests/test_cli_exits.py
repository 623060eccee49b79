"""The command line's word and exit status: done 0, refused 1, wrong usage 2, not found 3, something found 4."""

import json
import os
import sqlite3
import wave
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gdprcall.cli.main import root, run
from gdprcall.vault.archive import Vault
from gdprcall.vault.note import Signer
from tests import vaults
from tests.recorders import in_memory

CONFIG = """
[asterisk]
spool = "{folder}/spool"
sounds = "{folder}/sounds"
[vault]
folder = "{folder}/vault"
socket = "{folder}/none.sock"
[secrets]
folder = "{folder}/secrets"
[controllers.acme]
name = "Acme"
contact = "privacy@acme.example"
country = "SE"
notice_url = "acme.example"
recipients = ["{recipient}"]
[lines.support]
controller = "acme"
purpose = "quality"
basis = "consent"
languages = ["en"]
"""
RECORDING = vaults.recording_id()


class Shell:
    """A command line with a configuration and a vault that holds one sealed recording."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture
        self.config = folder / "gdprcall.toml"
        self.config.write_text(CONFIG.format(folder=folder, recipient=vaults.ACME.recipients[0]))
        self.identity = folder / "acme.identity"
        self.identity.write_text(vaults.ACME.identities[0].encode() + "\n")
        self.signing_key = folder / "secrets" / "log-signing-key"
        self.signing_key.parent.mkdir(exist_ok=True)
        self.signing_key.write_text(Signer("pbx.example/gdprcall", bytes(range(32))).encode() + "\n")
        self.signing_key.chmod(0o600)
        with Vault.open(folder / "vault", clock=vaults.Clock()) as vault:
            vaults.sealed(vault, folder / "spool")

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Run a command; return its status, what it printed, and what it complained of."""
        status = run(["--config", str(self.config), *words])
        said = self._capture.readouterr()
        assert "Traceback" not in said.err
        if status not in {0, 4}:
            assert said.err.lstrip().startswith("error: ")
        return status, said.out, said.err

    def sql(self, name: str, statement: str, *values: object) -> None:
        database = sqlite3.connect(self.folder / "vault" / name)
        with database:
            database.execute(statement, values)
        database.close()

    @property
    def payload(self) -> Path:
        return self.folder / "vault" / "objects" / RECORDING[:2] / f"{RECORDING}.1"


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def test_a_whole_vault_verifies(shell: Shell) -> None:
    status, out, _ = shell("audit", "verify")
    assert status == 0
    assert "everything is as it was written" in out


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def tamper_payload(shell: Shell) -> str:
    flip(shell.payload)
    return RECORDING


def remove_payload(shell: Shell) -> str:
    shell.payload.unlink()
    return RECORDING


def tamper_header(shell: Shell) -> str:
    shell.sql(
        "keys.db",
        "UPDATE slot_512 SET slot = CAST(substr(slot, 1, 200) || x'00' || substr(slot, 202) AS BLOB) WHERE kind = 'header'",
    )
    return RECORDING


def tamper_ledger_text(shell: Shell) -> str:
    shell.sql("ledger.db", "UPDATE entry SET leaf = replace(leaf, 'sealed', 'erased') WHERE seq = 2")
    return "2"


def tamper_ledger_body(shell: Shell) -> str:
    shell.sql("ledger.db", "UPDATE body SET body = replace(body, 'granted', 'refused') WHERE seq = 1")
    return "1"


def cut_ledger(shell: Shell) -> str:
    shell.sql("ledger.db", "DELETE FROM body WHERE seq = 2")
    shell.sql("ledger.db", "DELETE FROM entry WHERE seq = 2")
    return "2"


def add_payload(shell: Shell) -> str:
    other = vaults.recording_id(7)
    place = shell.folder / "vault" / "objects" / other[:2]
    place.mkdir(exist_ok=True)
    (place / f"{other}.1").write_bytes(b"x")
    return other


@pytest.mark.parametrize(
    "tamper",
    [tamper_payload, remove_payload, tamper_header, tamper_ledger_text, tamper_ledger_body, cut_ledger, add_payload],
    ids=lambda tamper: tamper.__name__,
)
def test_what_was_tampered_with_is_named_with_status_4(shell: Shell, tamper) -> None:  # type: ignore[no-untyped-def]
    name = tamper(shell)
    status, out, err = shell("audit", "verify")
    assert status == 4
    assert name in out
    assert "finding" in err
    status, out, _ = shell("audit", "verify", "--json")
    assert status == 4
    assert json.loads(out)["findings"]


def test_a_damaged_payload_is_not_exported_and_nothing_is_left(shell: Shell, tmp_path: Path) -> None:
    flip(shell.payload)
    target = tmp_path / "out.age"
    status, _, err = shell("recordings", "export", RECORDING, "-o", str(target))
    assert status == 4
    assert "audit verify" in err
    assert not target.exists()
    assert not list(tmp_path.glob(".out.age*"))


@pytest.mark.parametrize(
    "words",
    [
        ("recordings", "show", "0" * 32),
        ("decisions", "show", "0" * 32),
        ("recordings", "export", "0" * 32),
        ("simulate", "sales", "1"),
    ],
)
def test_what_does_not_exist_is_status_3(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell(*words)[0] == 3


@pytest.mark.parametrize(
    "words",
    [
        ("recordings",),
        ("recordings", "list", "--limit", "0"),
        ("recordings", "list", "--since", "yesterday"),
        ("audit", "log", "--kind", "nonsense"),
        ("recordings", "erase", "x"),
        ("no-such-command",),
        ("simulate", "support", "x"),
    ],
)
def test_wrong_usage_is_status_2(shell: Shell, words: tuple[str, ...]) -> None:
    status, _, err = shell(*words)
    assert status == 2
    assert "hint: " in err


def test_nothing_is_destroyed_without_a_yes(shell: Shell) -> None:
    status, _, err = shell("recordings", "erase", RECORDING, "--reason", "test")
    assert status == 1
    assert "--yes" in err
    status, out, _ = shell("recordings", "erase", RECORDING, "--reason", "test", "--dry-run")
    assert (status, RECORDING in out) == (0, True)
    assert shell.payload.exists()


def test_an_erased_recording_is_gone_and_its_receipt_stays(shell: Shell) -> None:
    status, out, _ = shell("recordings", "erase", RECORDING, "--reason", "request 17", "--yes", "--json")
    assert status == 0
    (receipt,) = json.loads(out)
    assert receipt["recording"] == RECORDING
    assert not shell.payload.exists()
    assert json.loads(shell("recordings", "list", "--json")[1])[0]["state"] == "erased"
    assert shell("recordings", "export", RECORDING)[0] in {1, 3}
    assert shell("audit", "verify")[0] == 0


def test_ret_02_what_has_expired_goes_and_what_has_not_stays(shell: Shell) -> None:
    status, out, _ = shell("retention", "due", "--json")
    assert (status, [row["id"] for row in json.loads(out)]) == (0, [RECORDING])
    assert shell("retention", "sweep")[0] == 1
    status, out, _ = shell("retention", "sweep", "--yes", "--json")
    assert status == 0
    assert len(json.loads(out)["erased"]) == 1
    assert json.loads(shell("retention", "due", "--json")[1]) == []


def test_what_was_never_finished_is_salvaged_and_otherwise_refused(shell: Shell, tmp_path: Path) -> None:
    with in_memory() as memory:
        whole = vaults.wav(20, 4)
        with Vault.open(shell.folder / "vault", clock=vaults.Clock(), memory=memory / "keys") as vault:
            recording = vaults.recording_id(7)
            vault.note(vaults.decision(recording))
            path = vaults.spooled(memory / "spool", recording, data=whole)
            vault.advance(path, recording, 1, lambda _id: vaults.ACME.recipients)
            path.unlink()
            vault.put_away(vaults.facts(recording))
    exported, identity = tmp_path / f"{recording}.1.age", ("-i", str(shell.identity))
    assert shell("recordings", "export", recording, "-o", str(exported), "--purpose", "quality")[0] == 0
    assert shell("recordings", "open", str(exported), *identity)[0] == 4
    assert not exported.with_suffix(".wav").exists()
    assert shell("recordings", "open", str(exported), *identity, "--salvage")[0] == 0
    with wave.open(str(exported.with_suffix(".wav")), "rb") as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        assert sound.readframes(sound.getnframes()) == whole[65_536 : 4 * 65_536]
    with exported.open("r+b") as file:
        file.truncate(1000)
    status, _, err = shell("recordings", "open", str(exported), *identity, "--salvage", "--force")
    assert (status, "without --salvage" in err) == (4, True)


def test_an_export_opens_only_as_the_recording_that_its_name_says(shell: Shell, tmp_path: Path) -> None:
    exported = tmp_path / f"{RECORDING}.1.age"
    assert shell("recordings", "export", RECORDING, "-o", str(tmp_path))[0] == 0
    assert shell("recordings", "export", RECORDING, "-o", str(tmp_path))[0] == 1
    status, out, _ = shell("recordings", "open", str(exported), "-i", str(shell.identity))
    assert status == 0
    assert Path(out.strip()).read_bytes()[:4] == b"RIFF"
    renamed = exported.rename(tmp_path / f"{'0' * 32}.1.age")
    status, _, err = shell("recordings", "open", str(renamed), "-i", str(shell.identity))
    assert (status, RECORDING in err) == (4, True)
    assert not renamed.with_suffix(".wav").exists()
    assert shell("recordings", "open", str(renamed), "-i", str(shell.identity), "--recording", RECORDING)[0] == 0


def test_a_truncated_or_foreign_export_is_status_4_or_1_and_leaves_nothing(shell: Shell, tmp_path: Path) -> None:
    shell("recordings", "export", RECORDING, "-o", str(tmp_path))
    exported = tmp_path / f"{RECORDING}.1.age"
    exported.write_bytes(exported.read_bytes()[:-1])
    assert shell("recordings", "open", str(exported), "-i", str(shell.identity))[0] == 4
    stranger = tmp_path / "stranger"
    assert shell("keys", "new", "-o", str(stranger))[0] == 0
    assert stranger.stat().st_mode & 0o077 == 0
    assert shell("keys", "new", "-o", str(stranger))[0] == 1
    assert shell("recordings", "open", str(exported), "-i", str(stranger))[0] == 1
    assert not exported.with_suffix(".wav").exists()


def test_the_json_of_recordings_and_decisions_has_its_stable_keys(shell: Shell) -> None:
    (recording,) = json.loads(shell("recordings", "list", "--json")[1])
    assert set(recording) >= {
        *("id", "call", "controller", "line", "purpose", "basis", "decision", "outcome", "started_at", "seconds"),
        *("segments", "state", "restricted", "held", "expires_at"),
    }
    (decision,) = json.loads(shell("decisions", "list", "--json")[1])
    assert set(decision) >= {
        *("id", "call", "controller", "line", "purpose", "basis", "outcome", "language", "prompt_sha256"),
        *("decided_at", "recording", "withdrawn_at"),
    }


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("status",),
        ("keys", "list"),
        ("prompts", "list"),
        ("decisions", "list"),
        ("recordings", "show", RECORDING),
        ("audit", "log"),
        ("requests", "list"),
        ("requests", "check"),
        ("retention", "due"),
        ("retention", "sweep", "--dry-run"),
        ("simulate", "support", "1"),
        ("completion", "bash"),
        ("completion", "zsh"),
        ("completion", "fish"),
        ("manual",),
    ],
    ids=" ".join,
)
def test_commands_print_text_and_where_it_fits_json(shell: Shell, words: tuple[str, ...]) -> None:
    status, out, _ = shell(*words)
    assert (status, bool(out.strip())) == (0, True)
    if words[0] not in {"completion", "manual"}:
        status, out, _ = shell(*words, "--json")
        assert status == 0
        json.loads(out)


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from commands(child, (*path, name))
    else:
        yield path


@pytest.mark.parametrize("path", list(commands(root)), ids=" ".join)
def test_every_command_has_help_with_examples(shell: Shell, path: tuple[str, ...]) -> None:
    status, out, _ = shell(*path, "--help")
    assert status == 0
    assert "Examples:" in out
    assert f"gdprcall {' '.join(path)}" in out or path == ("completion",)


def test_the_manual_page_names_every_command(shell: Shell) -> None:
    page = shell("manual")[1]
    assert all(f"gdprcall {' '.join(path)}" in page.replace("\\-", "-") for path in commands(root))


def test_a_fault_of_our_own_is_one_line_without_what_it_had_in_its_hands(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        number = "+46701740001"
        raise RuntimeError(f"about {number}")

    monkeypatch.setattr("gdprcall.simulate.run", fail)
    status, _, err = shell("simulate", "support", "1")
    assert status == 1
    assert "internal error: RuntimeError" in err
    assert "4670" not in err


def test_an_interrupt_and_a_closed_pipe_end_quietly(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gdprcall.simulate.run", interrupt)
    assert shell("simulate", "support", "1")[0] == 1


def test_a_vault_that_is_in_use_is_told(shell: Shell) -> None:
    with Vault.open(shell.folder / "vault"):
        status, _, err = shell("recordings", "list")
    assert status == 1
    assert str(os.getpid()) in err
