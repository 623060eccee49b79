"""Keys on the command line: an identity is made once, for its owner only, and never where the PBX keeps its files."""

import json
from io import BytesIO
from pathlib import Path

import pytest

from gdprcall import age
from gdprcall.cli.main import run
from gdprcall.vault.keys import fingerprint
from tests.test_cli_exits import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def test_a_new_identity_opens_what_is_sealed_to_the_printed_recipient(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "new.identity"
    status, out, err = shell("keys", "new", "-o", str(path))
    assert status == 0
    recipient = age.X25519Recipient.parse(out.strip())
    assert path.stat().st_mode & 0o777 == 0o600
    identities = age.parse_identities(path.read_text())
    sealed, opened = BytesIO(), BytesIO()
    age.encrypt(BytesIO(b"sound"), [recipient], sealed)
    age.decrypt(BytesIO(sealed.getvalue()), identities, opened)
    assert opened.getvalue() == b"sound"
    assert "AGE-SECRET-KEY-" not in out + err


def test_a_post_quantum_identity_is_made_where_it_is_asked_for(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "new.identity"
    status, out, _ = shell("keys", "new", "--post-quantum", "-o", str(path))
    assert status == 0
    (identity,) = age.parse_identities(path.read_text())
    assert age.parse_recipient(out.strip()) == identity.recipient()
    assert isinstance(identity, age.HybridIdentity)


def test_as_json_the_recipient_comes_with_its_fingerprint(shell: Shell, tmp_path: Path) -> None:
    status, out, _ = shell("keys", "new", "-o", str(tmp_path / "new.identity"), "--json")
    made = json.loads(out)
    assert status == 0
    assert made["fingerprint"] == fingerprint(made["recipient"])
    assert made["identity"] == str(tmp_path / "new.identity")


@pytest.mark.parametrize("kind", ["file", "link"])
def test_an_identity_is_never_written_over_or_through_anything(shell: Shell, tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "x.identity", tmp_path / "other"
    path.write_text("precious") if kind == "file" else path.symlink_to(other)
    status, _, err = shell("keys", "new", "-o", str(path))
    assert (status, "never overwritten" in err) == (1, True)
    assert not other.exists()
    assert kind == "link" or path.read_text() == "precious"


@pytest.mark.parametrize("place", ["vault", "vault/prompts", "secrets", "spool", "sounds"])
def test_no_identity_is_made_where_the_pbx_keeps_its_files(shell: Shell, tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    (tmp_path / "elsewhere").symlink_to(folder)
    for path in (folder / "x.identity", tmp_path / "elsewhere" / "x.identity"):
        status, _, err = shell("keys", "new", "-o", str(path))
        assert (status, "belongs to the PBX" in err) == (1, True)
    assert not (folder / "x.identity").exists()


@pytest.mark.parametrize("place", ["/etc/gdprcall", "/var/lib/gdprcall", "/var/spool/asterisk/monitor"])
def test_the_usual_places_of_a_pbx_are_refused_without_any_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    assert run(["--config", str(tmp_path / "none.toml"), "keys", "new", "-o", f"{place}/x.identity"]) == 1
    assert "belongs to the PBX" in capsys.readouterr().err
    assert not Path(f"{place}/x.identity").exists()


def test_an_officers_machine_needs_no_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--config", str(tmp_path / "none.toml"), "keys", "new", "-o", str(tmp_path / "x.identity")]) == 0
    assert capsys.readouterr().out.startswith("age1")


def test_a_folder_that_is_not_there_is_said_to_be_the_matter(shell: Shell, tmp_path: Path) -> None:
    status, _, err = shell("keys", "new", "-o", str(tmp_path / "no" / "x.identity"))
    assert (status, "No such file or directory" in err) == (1, True)


def test_the_recipients_of_each_controller_are_listed_with_fingerprints(shell: Shell) -> None:
    (row,) = json.loads(shell("keys", "list", "--json")[1])
    assert row["controller"] == "acme"
    assert row["fingerprint"] == fingerprint(row["recipient"])
    assert row["fingerprint"] in shell("keys", "list")[1]
