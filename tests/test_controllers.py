"""Two controllers on one installation: neither opens, lists or recognises what is the other's."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from gdprcall import config
from gdprcall.daemon import holding
from gdprcall.doctor import files
from gdprcall.doctor.finding import Grade
from gdprcall.errors import ConfigError
from gdprcall.vault import backup, subjects
from gdprcall.vault.archive import Vault
from gdprcall.vault.rows import Wanted
from tests import vaults
from tests.test_cli_exits import Shell
from tests.vaults import ACME, NUMBER, Controller

AGE = Path(__file__).parent.parent / ".pbx" / "bin" / "age"
BETA = Controller("beta", seed=2)
A, B = vaults.recording_id(1), vaults.recording_id(2)
KEYS = {"acme": "a1" * 32, "beta": "b2" * 32}
SECOND = f"""
[controllers.beta]
name = "Beta"
contact = "privacy@beta.example"
country = "SE"
notice_url = "beta.example"
recipients = ["{BETA.recipients[0]}"]
[lines.orders]
controller = "beta"
purpose = "quality"
basis = "consent"
languages = ["en"]
"""


@dataclass(frozen=True)
class Two:
    """An installation of both, where the same person called each of them once."""

    shell: Shell
    folder: Path
    subjects: dict[str, str]

    @property
    def vault(self) -> Path:
        return self.folder / "vault"

    def rows(self, *words: str) -> list[dict[str, object]]:
        status, out, err = self.shell(*words, "--json")
        assert status == 0, err
        rows = json.loads(out)
        assert isinstance(rows, list)
        return rows


@pytest.fixture
def two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Two:
    shell = Shell(tmp_path, capsys)
    shell.config.write_text(shell.config.read_text() + SECOND)
    for controller, key in KEYS.items():
        secret = tmp_path / "secrets" / f"pseudonym-key-{controller}"
        secret.write_text(key)
        secret.chmod(0o600)
    keys = config.load(shell.config).pseudonym_keys()
    known = {controller: subjects.pseudonym(key, NUMBER) for controller, key in keys.items()}
    with Vault.open(tmp_path / "vault", clock=vaults.Clock()) as vault:
        vault.note(vaults.caller(A, subject=known["acme"]))
        vaults.sealed(vault, tmp_path / "spool", 2, controller=BETA, subject=known["beta"])
    return Two(shell, tmp_path, known)


def opened(folder: Path, identity: Controller, sealed: bytes) -> bytes | None:
    """Return what the public age makes of a file with an officer's identity, None if it does not open."""
    (folder / "identity").write_text(identity.identities[0].encode() + "\n")
    done = subprocess.run(
        [AGE, "-d", "-i", folder / "identity"], input=sealed, capture_output=True, check=False, timeout=20
    )
    assert done.returncode == 0 or (done.stdout == b"" and b"no identity matched" in done.stderr)
    return None if done.returncode else done.stdout


@pytest.mark.pbx
def test_sec_01_neither_identity_opens_the_others_recording_or_number(two: Two) -> None:
    with Vault.open(two.vault) as vault:
        sound = {one: vaults.whole(vault, one) for one in (A, B)}
        number = {one: vault.sealed_number(one) or b"" for one in (A, B)}
    for own, other, controller, seed in ((A, B, ACME, 101), (B, A, BETA, 201)):
        assert opened(two.folder, controller, sound[own]) == vaults.wav(seed=seed)
        assert opened(two.folder, controller, number[own]) == NUMBER.encode()
        assert opened(two.folder, controller, sound[other]) is None
        assert opened(two.folder, controller, number[other]) is None


@pytest.mark.pbx
def test_sec_01_neither_officer_opens_the_others_backup_of_keys(two: Two) -> None:
    escrow = {one.name: backup.escrow((one.recipients[0],)) for one in (ACME, BETA)}
    with Vault.open(two.vault, clock=vaults.Clock()) as vault:
        backup.backup(vault, backup.Wanted(two.folder / "backups", escrow, 7))
    for own, other in ((ACME, BETA), (BETA, ACME)):
        (path,) = (two.folder / "backups" / "keys").glob(f"{own.name}.*.age")
        mine, theirs = opened(two.folder, own, path.read_bytes()), opened(two.folder, other, path.read_bytes())
        assert mine is not None
        assert theirs is None
        assert (A.encode() in mine, B.encode() in mine) == (own is ACME, own is BETA)


def test_a_list_of_one_controller_shows_nothing_of_the_other(two: Two) -> None:
    assert [row["id"] for row in two.rows("recordings", "list", "--controller", "acme")] == [A]
    assert [row["id"] for row in two.rows("recordings", "list", "--controller", "beta")] == [B]
    for controller, recording in (("acme", A), ("beta", B)):
        (row,) = two.rows("decisions", "list", "--controller", controller)
        assert (row["controller"], row["recording"]) == (controller, recording)


def test_sec_03_the_pseudonyms_of_one_number_differ_and_say_nothing_at_the_other(two: Two) -> None:
    acme, beta = two.subjects["acme"], two.subjects["beta"]
    assert acme != beta
    with Vault.open(two.vault) as vault:
        found = {
            (controller, subject): [row.id for row in vault.recordings(Wanted(controller=controller, subject=subject))]
            for controller in ("acme", "beta")
            for subject in (acme, beta)
        }
    assert found == {("acme", acme): [A], ("beta", beta): [B], ("acme", beta): [], ("beta", acme): []}


def test_sec_03_nobody_is_asked_about_of_all_controllers_at_once(two: Two) -> None:
    with pytest.raises(ValueError, match="one controller"):
        Wanted(subject=two.subjects["acme"])


def test_sec_03_one_pseudonym_key_for_two_controllers_takes_no_call_and_the_doctor_says_so(two: Two) -> None:
    (two.folder / "secrets" / "pseudonym-key-beta").write_text(KEYS["acme"])
    settings = config.load(two.shell.config)
    with pytest.raises(ConfigError, match="acme and beta have the same pseudonym key") as caught:
        holding(settings)
    assert "openssl rand" in caught.value.hint
    assert KEYS["acme"] not in caught.value.message + caught.value.hint
    told = [finding for finding in files.secrets(settings) if finding.check == "pseudonym keys"]
    assert [finding.grade for finding in told] == [Grade.FAIL]


def test_sec_01_one_recipient_for_two_controllers_is_refused_with_its_place(two: Two) -> None:
    text = two.shell.config.read_text().replace(BETA.recipients[0], ACME.recipients[0])
    two.shell.config.write_text(text)
    status, _, err = two.shell("check")
    assert status == 2
    assert "controllers.beta.recipients[0]: is one of acme as well" in err
    assert "gdprcall keys new" in err
