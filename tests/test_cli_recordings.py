"""Recordings on the command line: what leaves is whole and sealed, what opens is what was asked for, what goes was meant."""

import json
import os
import pty
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from gdprcall import age
from gdprcall.cli import recordings
from gdprcall.errors import CheckFailed
from gdprcall.vault.archive import Vault
from tests import vaults
from tests.test_cli_exits import RECORDING, Shell

TWO = vaults.recording_id(2)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, capsys)
    with Vault.open(tmp_path / "vault", clock=vaults.Clock()) as vault:
        vaults.sealed(vault, tmp_path / "spool", 2, segments=2)
    return shell


def program(shell: Shell, *words: str) -> list[str]:
    return [sys.executable, "-m", "gdprcall", "--config", str(shell.config), *words]


def on_a_terminal(shell: Shell, *words: str, types: str = "") -> tuple[int, str]:
    """Run a command as a person does; return its status and all that the terminal showed."""
    ours, its = pty.openpty()
    with subprocess.Popen(program(shell, *words), stdin=its, stdout=its, stderr=its, close_fds=True) as process:
        os.close(its)
        os.write(ours, types.encode())
        shown = b""
        try:
            while data := os.read(ours, 65536):
                shown += data
        except OSError:  # the other side is closed
            pass
    os.close(ours)
    return process.returncode, shown.decode()


def left_over(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".")]


def exported(shell: Shell, recording: str = RECORDING, segment: int = 1) -> Path:
    status, out, _ = shell("recordings", "export", recording, "--segment", str(segment), "-o", str(shell.folder))
    assert status == 0
    return Path(out.strip())


def test_all_segments_go_into_a_folder_each_as_a_plain_age_file_for_its_owner_only(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    status, out, _ = shell("recordings", "export", TWO, "-o", str(tmp_path / "out"))
    assert status == 0
    paths = [Path(line) for line in out.split()]
    assert [path.name for path in paths] == [f"{TWO}.1.age", f"{TWO}.2.age"]
    for segment, path in enumerate(paths, 1):
        assert vaults.ACME.opens(path.read_bytes()) == vaults.wav(seed=200 + segment)
        assert path.stat().st_mode & 0o077 == 0
    assert left_over(tmp_path / "out") == []


@pytest.mark.parametrize("target", ["one.age", "-"])
def test_two_segments_do_not_go_into_one_file_or_pipe(shell: Shell, tmp_path: Path, target: str) -> None:
    place = target if target == "-" else str(tmp_path / target)
    status, _, err = shell("recordings", "export", TWO, "-o", place)
    assert (status, "--segment" in err) == (1, True)
    assert not (tmp_path / "one.age").exists()


def test_one_segment_goes_to_the_file_that_was_named_and_an_unknown_one_is_not_found(
    shell: Shell, tmp_path: Path
) -> None:
    target = tmp_path / "named.age"
    assert shell("recordings", "export", TWO, "--segment", "2", "-o", str(target))[0] == 0
    assert vaults.ACME.opens(target.read_bytes()) == vaults.wav(seed=202)
    assert shell("recordings", "export", TWO, "--segment", "3", "-o", str(target))[0] == 3


def test_a_file_is_overwritten_by_force_only(shell: Shell, tmp_path: Path) -> None:
    target = tmp_path / "there.age"
    target.write_text("precious")
    status, _, err = shell("recordings", "export", RECORDING, "-o", str(target))
    assert (status, "--force" in err, target.read_text()) == (1, True, "precious")
    assert shell("recordings", "export", RECORDING, "-o", str(target), "--force")[0] == 0
    assert vaults.ACME.opens(target.read_bytes()) == vaults.wav(seed=101)


def test_a_folder_that_is_not_there_is_said_to_be_the_matter(shell: Shell, tmp_path: Path) -> None:
    status, _, err = shell("recordings", "export", RECORDING, "-o", str(tmp_path / "no" / "x.age"))
    assert status == 1
    assert "No such file or directory" in err


def test_a_pipe_gets_the_bytes_and_nothing_else(shell: Shell) -> None:
    done = subprocess.run(program(shell, "recordings", "export", RECORDING, "-o", "-"), capture_output=True, check=True)
    assert vaults.ACME.opens(done.stdout) == vaults.wav(seed=101)


def test_a_terminal_gets_no_bytes(shell: Shell) -> None:
    status, shown = on_a_terminal(shell, "recordings", "export", RECORDING, "-o", "-")
    assert status == 1
    assert "not for a terminal" in shown
    assert "age-encryption.org" not in shown


def test_the_purpose_stands_in_the_history_and_is_not_left_out(shell: Shell, tmp_path: Path) -> None:
    assert shell("recordings", "export", RECORDING, "-o", str(tmp_path), "--purpose", " ")[0] == 2
    assert (
        shell("recordings", "export", RECORDING, "-o", str(tmp_path), "--purpose", "quality", "--reason", "audit 5")[0]
        == 0
    )
    status, out, _ = shell("recordings", "show", RECORDING)
    assert status == 0
    assert '"purpose": "quality"' in out
    assert '"reason": "audit 5"' in out
    assert "kind=released" in out


def test_bas_02_a_purpose_that_is_neither_its_own_nor_the_laws_is_refused_and_the_ledger_knows(shell: Shell) -> None:
    status, _, err = shell("recordings", "export", RECORDING, "-o", str(shell.folder), "--purpose", "marketing")
    assert (status, "purposes: quality, access, claims, authority" in err) == (1, True)
    assert not list(shell.folder.glob("*.age"))
    _, out, _ = shell("recordings", "show", RECORDING)
    assert "kind=release_denied" in out
    assert '"purpose": "marketing"' in out
    assert "kind=released" not in out


def test_a_header_with_another_recordings_payload_is_status_4_and_leaves_nothing(shell: Shell, tmp_path: Path) -> None:
    one, two = exported(shell).read_bytes(), exported(shell, TWO).read_bytes()
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    path = mixed / f"{RECORDING}.1.age"
    header = age.read_header(BytesIO(one))
    path.write_bytes(header + two[len(age.read_header(BytesIO(two))) :])
    status, out, err = shell("recordings", "open", str(path), "-i", str(shell.identity))
    assert (status, out) == (4, "")
    assert "is not what was sealed" in err
    assert list(mixed.iterdir()) == [path]


def test_another_segment_under_this_name_is_status_4(shell: Shell) -> None:
    path = exported(shell, TWO, 2).rename(shell.folder / f"{TWO}.1.age")
    status, _, err = shell("recordings", "open", str(path), "-i", str(shell.identity))
    assert (status, "segment 2, not 1" in err) == (4, True)
    assert not path.with_suffix(".wav").exists()


def test_what_age_opens_and_gdprcall_did_not_seal_is_status_4(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / f"{RECORDING}.1.age"
    recipient = vaults.ACME.identities[0].recipient()
    for extra in ((), (age.Stanza(("gdprcall/recording-v1",), b""),)):
        with path.open("wb") as sink:
            age.encrypt(BytesIO(b"sound"), [recipient], sink, extra)
        status, _, err = shell("recordings", "open", str(path), "-i", str(shell.identity))
        assert (status, "not sealed by gdprcall" in err) == (4, True)
    assert not path.with_suffix(".wav").exists()


def test_a_sealed_number_is_not_opened_as_sound(shell: Shell, tmp_path: Path) -> None:
    with Vault.open(tmp_path / "vault") as vault:
        number = vault.sealed_number(RECORDING)
    assert number is not None
    path = tmp_path / f"{RECORDING}.age"
    path.write_bytes(number)
    status, out, err = shell("recordings", "open", str(path), "-i", str(shell.identity))
    assert (status, "not sound" in err) == (4, True)
    assert "3012345678" not in out + err
    assert not path.with_suffix(".wav").exists()


@pytest.mark.parametrize("content", [b"", b"AGE-SECRET-KEY-1NOTONE\n", b"\xff\xfe", b"age1qqqq\n"])
def test_a_file_that_is_no_identity_is_said_to_be_that_and_its_content_is_not_shown(
    shell: Shell, tmp_path: Path, content: bytes
) -> None:
    path, bad = exported(shell), tmp_path / "bad.identity"
    bad.write_bytes(content)
    status, _, err = shell("recordings", "open", str(path), "-i", str(bad))
    assert (status, "is no identity file" in err) == (1, True)
    assert "NOTONE" not in err


def test_what_is_no_age_file_is_status_4_and_what_is_not_there_wrong_usage(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "x.age"
    path.write_bytes(b"RIFF")
    assert shell("recordings", "open", str(path), "-i", str(shell.identity))[0] == 4
    assert shell("recordings", "open", str(tmp_path / "y.age"), "-i", str(shell.identity))[0] == 2


def test_an_opened_recording_is_for_its_owner_only_and_goes_where_it_was_sent(shell: Shell, tmp_path: Path) -> None:
    target = tmp_path / "call.wav"
    words = ("recordings", "open", str(exported(shell)), "-i", str(shell.identity), "-o", str(target))
    assert shell(*words)[0] == 0
    assert target.read_bytes() == vaults.wav(seed=101)
    assert target.stat().st_mode & 0o077 == 0
    assert shell(*words)[0] == 1
    assert shell(*words, "--force")[0] == 0
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(("types", "state"), [("y\n", "erased"), ("n\n", "sealed"), ("\n", "sealed")])
def test_on_a_terminal_it_asks_before_it_destroys(shell: Shell, types: str, state: str) -> None:
    status, shown = on_a_terminal(shell, "recordings", "erase", RECORDING, "--reason", "request 17", types=types)
    assert "Destroy 1 recording(s) for good?" in shown
    assert status == (0 if state == "erased" else 1)
    assert json.loads(shell("recordings", "show", RECORDING, "--json")[1])["state"] == state
    assert "payload: 1 files removed" in shown or state == "sealed"


def test_one_mistyped_id_among_several_destroys_nothing(shell: Shell) -> None:
    assert shell("recordings", "erase", RECORDING, "0" * 32, "--reason", "x", "--yes")[0] == 3
    assert shell.payload.exists()


def test_a_reason_of_spaces_is_wrong_usage(shell: Shell) -> None:
    assert shell("recordings", "erase", RECORDING, "--reason", " ", "--yes")[0] == 2
    assert shell.payload.exists()


def test_an_erasure_that_was_not_verified_in_every_step_is_status_4() -> None:
    with pytest.raises(CheckFailed) as failed:
        recordings._refuse_unverified([{"recording": "ab", "complete": True}, {"recording": "cd", "complete": False}])
    assert "cd" in failed.value.message
    assert "ab" not in failed.value.message


def test_a_sweep_names_what_it_could_not_erase_and_erases_the_rest(shell: Shell) -> None:
    shell.payload.unlink()
    (shell.payload / "in the way").mkdir(parents=True)
    status, out, err = shell("retention", "sweep", "--yes")
    assert status == 1
    assert "erased 1, failed 1" in out
    assert RECORDING in out
    assert "1 recordings could not be erased" in err
    status, out, err = shell("retention", "due", "--json")
    assert (status, [row["id"] for row in json.loads(out)]) == (0, [RECORDING])
    assert err.startswith("warning: 1 erasures could not be finished")


def test_nothing_due_is_said_in_words(shell: Shell) -> None:
    assert shell("retention", "sweep", "--yes")[0] == 0
    assert shell("retention", "due")[1] == "nothing is due\n"
    assert shell("retention", "sweep")[1] == "erased 0, failed 0\n"
    assert shell("recordings", "list", "--state", "sealed")[1] == "no recordings\n"


def test_a_list_is_a_table_on_a_terminal_and_tab_separated_in_a_pipe(shell: Shell) -> None:
    shown = on_a_terminal(shell, "recordings", "list")[1]
    assert "\t" not in shown
    assert "RECORDING" in shown
    lines = shell("recordings", "list")[1].splitlines()
    assert lines[0].split("\t") == list(recordings.COLUMNS.values())
    assert {line.split("\t")[1] for line in lines[1:]} == {RECORDING, TWO}


def test_a_decision_is_shown_in_words(shell: Shell) -> None:
    (first, _) = json.loads(shell("decisions", "list", "--json")[1])
    status, out, _ = shell("decisions", "show", first["id"])
    assert status == 0
    assert "outcome        granted" in out
    assert "withdrawn_at   -" in out
