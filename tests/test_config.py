"""The configuration: what is right is read, what is wrong is named with its place and its mend."""

import os
from pathlib import Path

import pytest

from gdprcall import config, service
from gdprcall.age import X25519Identity
from gdprcall.errors import ConfigError

IDENTITY = X25519Identity.generate(lambda n: bytes(range(n)))
GOOD = f"""
[controllers.acme]
name = "Acme"
contact = "privacy@acme.example"
country = "SE"
notice_url = "https://acme.example/calls"
recipients = ["{IDENTITY.recipient().encode()}"]
retention_days = 14

[lines.support]
controller = "acme"
purpose = "quality"
basis = "consent"
languages = ["en", "sv"]
"""


def load(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "gdprcall.toml"
    path.write_text(text)
    return config.load(path)


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert caught.value.exit_status == 2
    assert caught.value.hint
    return caught.value.message


def test_bas_10_an_empty_configuration_records_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "").policy.lines == {}


def test_a_line_takes_its_retention_from_its_controller_unless_it_has_its_own(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).policy.lines["support"].retention_days == 14
    assert load(tmp_path, GOOD + "retention_days = 7\n").policy.lines["support"].retention_days == 7


def test_ret_01_a_controller_that_says_nothing_keeps_recordings_for_30_days(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD.replace("retention_days = 14", "")).policy.lines["support"].retention_days == 30


def test_seconds_become_milliseconds_and_keys_are_kept(tmp_path: Path) -> None:
    line = load(tmp_path, GOOD + 'timeout_seconds = 7\naccept = "3"\nwithdraw = "*5"\n').policy.lines["support"]
    assert (line.timeout_ms, line.keys.accept, line.keys.refuse, line.keys.withdraw) == (7000, "3", "2", "*5")


@pytest.mark.parametrize(
    ("old", "new", "place", "mend"),
    [
        ('basis = "consent"', "", "lines.support.basis", "add it"),
        ('basis = "consent"', 'basis = "because"', "lines.support.basis", "legitimate_interest"),
        ('basis = "consent"', 'basis = "contract"', "lines.support.basis", 'write basis = "consent"'),
        ('controller = "acme"', 'controller = "acne"', "lines.support.controller", "acme"),
        ('purpose = "quality"', 'purpose = "marketing"', "lines.support.purpose", "quality"),
        ('["en", "sv"]', '["en", "xx"]', "lines.support.languages", "sv"),
        ('["en", "sv"]', '["no language"]', "lines.support.languages", "write for example"),
        ('["en", "sv"]', "[]", "lines.support.languages", "correct it"),
        ('["en", "sv"]', '["en"]\nrefuse = "1"', "lines.support.refuse", "another digit"),
        ('["en", "sv"]', '["en"]\nwithdraw = "*99"', "lines.support.withdraw", "*9"),
        ('["en", "sv"]', '["en"]\nwithdraw = "a"', "lines.support.withdraw", "*9"),
        ('["en", "sv"]', '["en"]\naccept = "12"', "lines.support.accept", "correct it"),
        ('["en", "sv"]', '["en"]\nattempts = 0', "lines.support.attempts", "correct it"),
        ("retention_days = 14", "retention_days = 0", "controllers.acme.retention_days", "correct it"),
        ("retention_days = 14", 'retention_days = "forever"', "controllers.acme.retention_days", "correct it"),
        ("retention_days = 14", "retention_day = 14", "controllers.acme.retention_day", "did you mean retention_days?"),
        ('country = "SE"', 'country = "se"', "controllers.acme.country", "correct it"),
        ("age1", "age2", "controllers.acme.recipients[0]", "gdprcall keys new"),
        ("[lines.support]", "[lines.Support]", "lines.Support", "rename it"),
        ("[lines.support]", "[zzz]\n[lines.support]", "zzz", "remove it"),
        ("[lines.support]", "[line.support]", "line", "did you mean lines?"),
        (
            "[lines.support]",
            '[asterisk]\nari_url = "http://10.0.0.1/ari"\n[lines.support]',
            "asterisk.ari_url",
            "https",
        ),
        *(
            (
                "[lines.support]",
                f'[asterisk]\nagi_listen = "{address}"\n[lines.support]',
                "asterisk.agi_listen",
                "for example 127.0.0.1:4573",
            )
            for address in (
                "0.0.0.0:4573",
                "127.0.0.1:65536",
                "127.0.0.1:0",
                "127.0.0.256:4573",
                "127.0.0.1",
                "[::]:4573",
            )
        ),
        ("[lines.support]", "[asterisk]\nfronts = []\n[lines.support]", "asterisk.fronts", "at least 1"),
        ("[lines.support]", '[asterisk]\nfronts = ["sip"]\n[lines.support]', "asterisk.fronts", "'ari' or 'agi'"),
    ],
)
def test_each_mistake_is_named_with_its_place_and_its_mend(
    tmp_path: Path, old: str, new: str, place: str, mend: str
) -> None:
    message = refused(tmp_path, GOOD.replace(old, new, 1))
    assert place in message
    assert mend in message


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace('"quality"', '"x"').replace('"acme"', '"y"').replace('"sv"', '"zz"'))
    assert message.count("\n") >= 3
    assert "mistakes" in message


def test_a_line_that_is_well_written_is_judged_though_another_is_not(tmp_path: Path) -> None:
    other = """
[lines.sales]
controller = "acme"
purpose = "quality"
basis = "consent"
languages = ["en"]
must = true
[lines.lost]
controller = "beta"
purpose = "quality"
basis = "consent"
languages = ["en"]
must = true
[controllers.beta]
name = 7
"""
    message = refused(tmp_path, GOOD + 'attempts = "many"\n' + other)
    assert "lines.support.attempts" in message
    assert "lines.sales.must" in message
    assert "controllers.beta.name" in message
    # Its controller is not known, so neither is what it owes.
    assert "lines.lost" not in message


def test_toml_that_does_not_parse_is_named_with_its_line(tmp_path: Path) -> None:
    assert "line 2" in refused(tmp_path, "[controllers]\nx = \n")


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path / "none.toml")


def test_an_identity_in_the_configuration_is_refused_and_never_repeated(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD + f'# {IDENTITY.encode()}\ncontact = "x"\n')
    assert "private key" in message
    assert IDENTITY.encode()[16:40] not in message


def test_a_wrong_value_is_never_repeated(tmp_path: Path) -> None:
    assert "hunter2" not in refused(tmp_path, GOOD.replace('country = "SE"', 'country = "hunter2"'))


def test_identities_among_our_own_files_are_refused(tmp_path: Path) -> None:
    settings = load(
        tmp_path, GOOD + f'[secrets]\nfolder = "{tmp_path}/secrets"\n[vault]\nfolder = "{tmp_path}/vault"\n'
    )
    (tmp_path / "secrets").mkdir()
    config.refuse_identities(settings)
    (tmp_path / "secrets" / "key").write_text(IDENTITY.encode())
    with pytest.raises(ConfigError, match="must not be on the PBX"):
        config.refuse_identities(settings)


@pytest.mark.parametrize(
    "place", ["", "deep/down", "secrets", "secrets/old", "vault", "vault/prompts", "vault/objects/ab", "credentials"]
)
def test_identities_are_refused_in_every_folder_of_ours_and_below(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    settings = load(
        tmp_path, GOOD + f'[secrets]\nfolder = "{tmp_path}/secrets"\n[vault]\nfolder = "{tmp_path}/vault"\n'
    )
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    path = tmp_path / place / "notes.txt"
    path.write_text(f"# for later\n{IDENTITY.encode().lower()}\n")
    with pytest.raises(ConfigError) as caught:
        config.refuse_identities(settings)
    assert str(path) in caught.value.message
    assert IDENTITY.encode().lower() not in caught.value.message
    with pytest.raises(ConfigError, match="must not be on the PBX"):
        service.serve(settings.path)
    assert not (tmp_path / "vault" / "lock").exists()


def test_a_folder_that_cannot_be_looked_into_and_what_is_no_file_are_passed_over(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD + f'[vault]\nfolder = "{tmp_path}/vault"\n')
    (tmp_path / "vault" / "objects" / "ab").mkdir(parents=True)
    (tmp_path / "vault" / "objects" / "ab" / f"{'ab' * 16}.1").write_bytes(b"AGE-SECRET-KEY-1 by chance, in a payload")
    (tmp_path / "vault" / "lost").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "vault" / "pipe")
    config.refuse_identities(settings)


def settings_with_secrets(tmp_path: Path) -> config.Config:
    (tmp_path / "secrets").mkdir()
    return load(tmp_path, GOOD + f'[secrets]\nfolder = "{tmp_path}/secrets"\n')


def write(path: Path, text: str, mode: int = 0o600) -> None:
    path.write_text(text)
    path.chmod(mode)


def test_a_secret_is_read_from_its_folder_without_its_line_end(tmp_path: Path) -> None:
    settings = settings_with_secrets(tmp_path)
    write(tmp_path / "secrets" / "ari-password", "word\n")
    assert settings.secret("ari-password") == b"word"


@pytest.mark.parametrize("name", ["ari-password", "secrets_ari-password"])
def test_a_secret_from_systemd_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    settings = settings_with_secrets(tmp_path)
    write(tmp_path / "secrets" / "ari-password", "from the folder")
    (tmp_path / "credentials").mkdir()
    write(tmp_path / "credentials" / name, "from systemd", 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert settings.secret("ari-password") == b"from systemd"


@pytest.mark.parametrize(
    ("text", "mode", "what"), [("x", 0o640, "others"), ("", 0o600, "empty"), ("a\nb", 0o600, "lines")]
)
def test_a_secret_that_others_can_read_or_that_is_none_is_refused(
    tmp_path: Path, text: str, mode: int, what: str
) -> None:
    settings = settings_with_secrets(tmp_path)
    write(tmp_path / "secrets" / "ari-password", text, mode)
    with pytest.raises(ConfigError, match=what):
        settings.secret("ari-password")


def test_a_missing_secret_says_how_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_with_secrets(tmp_path).secret("ami-password")
    assert "openssl rand" in caught.value.hint


def test_sec_03_a_short_pseudonym_key_is_refused(tmp_path: Path) -> None:
    settings = settings_with_secrets(tmp_path)
    write(tmp_path / "secrets" / "pseudonym-key-acme", "short")
    with pytest.raises(ConfigError, match="shorter"):
        settings.pseudonym_key("acme")
    write(tmp_path / "secrets" / "pseudonym-key-acme", "0" * 64)
    assert settings.pseudonym_key("acme") == b"0" * 64


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4573", ("127.0.0.1", 4573)),
        ("[::1]:65535", ("::1", 65535)),
        ("127.255.1.99:1", ("127.255.1.99", 1)),
    ],
)
def test_fastagi_listens_on_any_address_of_the_loopback(tmp_path: Path, text: str, address: tuple[str, int]) -> None:
    path = tmp_path / "gdprcall.toml"
    path.write_text(GOOD.replace("[lines.support]", f'[asterisk]\nagi_listen = "{text}"\n[lines.support]', 1))
    assert config.load(path).asterisk.agi_listen == address


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('checkpoint_folder = "out"', "audit.checkpoint_folder: must be a whole path"),
        ('checkpoint_folder = "/var/lib/gdprcall/out"', "audit.checkpoint_folder: lies in /var/lib/gdprcall"),
        ('checkpoint_folder = "/etc/gdprcall/secrets"', "audit.checkpoint_folder: lies in /etc/gdprcall/secrets"),
        ('checkpoint_command = ["send"]', "audit.checkpoint_command: the program has no whole path"),
        ('checkpoint_command = "/bin/send"', "audit.checkpoint_command: "),
        ('checkpoint_folders = "/out"', "did you mean checkpoint_folder?"),
    ],
)
def test_where_checkpoints_go_is_checked_before_anything_runs(tmp_path: Path, lines: str, said: str) -> None:
    path = tmp_path / "gdprcall.toml"
    path.write_text(f"[audit]\n{lines}\n")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert said in caught.value.message


def test_reserve_and_quarantine_have_defaults_and_are_taken_as_written(tmp_path: Path) -> None:
    loaded = load(tmp_path, "")
    assert (loaded.reserve_bytes, loaded.quarantine_days) == (64 << 20, 7)
    loaded = load(tmp_path, "[vault]\nreserve_mib = 500\nquarantine_days = 2\n")
    assert (loaded.reserve_bytes, loaded.quarantine_days) == (500 << 20, 2)
    for wrong in ("reserve_mib = 0", "quarantine_days = 0", "quarantine_days = 4000", 'reserve_mib = "64"'):
        assert f"vault.{wrong.split()[0]}: " in refused(tmp_path, f"[vault]\n{wrong}\n")


def test_checkpoints_go_where_the_configuration_says(tmp_path: Path) -> None:
    path = tmp_path / "gdprcall.toml"
    path.write_text('[audit]\ncheckpoint_folder = "/srv/out"\ncheckpoint_command = ["/bin/send", "there"]\n')
    loaded = config.load(path)
    assert (loaded.checkpoint_folder, loaded.checkpoint_command) == (Path("/srv/out"), ("/bin/send", "there"))
    path.write_text("")
    assert (config.load(path).checkpoint_folder, config.load(path).checkpoint_command) == (None, ())
