import base64
import configparser
import os
import re
import shutil
import subprocess
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdprcall import config, schema
from tests.pbx.asterisk import PROGRAM, Asterisk

ROOT = Path(__file__).resolve().parents[1]
UNITS = ROOT / "systemd"
NAMES = sorted(path.name for kind in ("service", "timer", "mount") for path in UNITS.glob(f"*.{kind}"))
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
SPOOL = "/var/spool/asterisk/gdprcall"
OURS = "0123456789abcdef" * 2

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine: units are not verified"
)


def unit(name: str) -> configparser.ConfigParser:
    """Read a unit; of a key that is given twice the last one counts."""
    read = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string((UNITS / name).read_text())
    return read


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units beside an Asterisk's own, with programs that the machine that tests has."""
    place = tmp_path_factory.mktemp("units")
    shutil.copytree(UNITS / "asterisk.service.d", place / "asterisk.service.d")
    (place / "asterisk.service").write_text("[Service]\nExecStart=/bin/true\n")
    for name in NAMES:
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", (UNITS / name).read_text(), flags=re.MULTILINE)
        (place / name).write_text(text)
    return place


def complaints(place: Path, name: str) -> list[str]:
    command = ["systemd-analyze", "verify", "--man=no", place / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}
    return [line for line in done.stderr.splitlines() if "gdprcall" in line or "asterisk" in line]


@needs_systemd
@pytest.mark.parametrize("name", [*NAMES, "asterisk.service"])
def test_systemd_finds_nothing_wrong_with_the_unit(name: str, installed: Path) -> None:
    assert complaints(installed, name) == []


@needs_systemd
def test_systemd_would_find_a_misspelt_setting(installed: Path, tmp_path: Path) -> None:
    wrong = (installed / "gdprcall.service").read_text().replace("WatchdogSec=", "WatchdogSeconds=")
    (tmp_path / "gdprcall.service").write_text(wrong)
    assert len(complaints(tmp_path, "gdprcall.service")) == 1


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_systemd_rates_the_exposure_of_the_service_at_one_and_a_half_or_less(name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", UNITS / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rated = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert rated is not None, done.stderr
    assert float(rated[1]) <= 1.5
    assert done.returncode == 0


@pytest.mark.parametrize("name", SERVICES)
def test_sec_02_no_service_leaves_a_core_file(name: str) -> None:
    assert unit(name)["Service"]["LimitCORE"] == "0"


def test_sec_02_the_processes_that_hold_keys_are_never_swapped() -> None:
    for name in ("gdprcall.service", "gdprcall-retention.service"):
        assert unit(name)["Service"]["MemorySwapMax"] == "0"


def test_the_daemon_is_watched_and_comes_back() -> None:
    service = unit("gdprcall.service")["Service"]
    assert (service["Type"], service["NotifyAccess"], service["Restart"]) == ("notify", "main", "always")
    assert int(service["WatchdogSec"]) <= 10


def test_fcl_03_a_daemon_that_does_not_come_back_is_given_up_within_ten_seconds_of_its_starts() -> None:
    read = unit("gdprcall.service")
    starts, pause = int(read["Unit"]["StartLimitBurst"]), int(read["Service"]["RestartSec"])
    assert starts * pause <= 10
    # Were the interval shorter, starts that each take a few seconds would go on for ever.
    assert int(read["Unit"]["StartLimitIntervalSec"]) >= 3 * starts * pause


def test_fcl_03_then_the_recordings_that_run_are_ended_from_outside() -> None:
    name = unit("gdprcall.service")["Unit"]["OnFailure"]
    assert unit(name)["Service"]["ExecStart"] == "/usr/lib/gdprcall/stop-recordings"
    assert os.access(UNITS / "stop-recordings", os.X_OK)


def test_a_mistake_in_the_configuration_is_not_started_again_and_again() -> None:
    assert unit("gdprcall.service")["Service"]["RestartPreventExitStatus"] == str(config.ConfigError.exit_status)


def test_the_secrets_stay_with_root_and_reach_the_daemon_as_credentials() -> None:
    given = unit("gdprcall.service")["Service"]["LoadCredential"]
    assert given == f"secrets:{schema.Secrets().folder}"
    assert "d /etc/gdprcall/secrets 0700 root root -" in (UNITS / "tmpfiles.d/gdprcall.conf").read_text()


def test_the_daemon_finds_its_secrets_among_the_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gdprcall.toml"
    path.write_text(f'[secrets]\nfolder = "{tmp_path}/closed"\n')
    # As systemd.exec(5) names the files of a folder.
    (tmp_path / "secrets_pseudonym-key-acme").write_text("0123456789abcdef" * 4)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert config.load(path).pseudonym_key("acme") == b"0123456789abcdef" * 4


def test_the_daemon_reaches_this_host_alone() -> None:
    service = unit("gdprcall.service")["Service"]
    assert (service["IPAddressDeny"], service["IPAddressAllow"]) == ("any", "localhost")
    assert unit("gdprcall-onfailure.service")["Service"]["PrivateNetwork"] == "yes"


def test_spool_vault_and_socket_are_where_the_configuration_and_the_dialplan_look_for_them() -> None:
    assert schema.Asterisk().spool == SPOOL
    service = unit("gdprcall.service")
    assert service["Service"]["ReadWritePaths"] == SPOOL
    assert SPOOL in service["Unit"]["RequiresMountsFor"].split()
    mount = unit("var-spool-asterisk-gdprcall.mount")["Mount"]
    assert (mount["Where"], mount["Type"]) == (SPOOL, "tmpfs")
    assert f"d {SPOOL} 2770 asterisk gdprcall -" in (UNITS / "tmpfiles.d/gdprcall.conf").read_text()
    assert f"?{SPOOL}:" in (ROOT / "dialplan/gdprcall.conf").read_text()
    assert schema.Vault().folder == f"/var/lib/{service['Service']['StateDirectory']}"
    runtime = f"/run/{service['Service']['RuntimeDirectory']}"
    assert schema.Vault().socket.startswith(f"{runtime}/")
    # The keys of running calls outlive the daemon, and the daily sweep may take one away.
    assert Path(schema.Sealing().memory).parent == Path(runtime)
    assert service["Service"]["RuntimeDirectoryPreserve"] == "yes"
    assert unit("gdprcall-retention.service")["Service"]["ReadWritePaths"] == f"-{runtime}"


def test_sec_02_the_spool_is_memory_that_only_asterisk_and_the_daemon_can_look_into() -> None:
    options = unit("var-spool-asterisk-gdprcall.mount")["Mount"]["Options"].split(",")
    assert {"mode=2770", "uid=asterisk", "gid=gdprcall", "nodev", "nosuid", "noexec"} <= set(options)
    dropin = configparser.ConfigParser(interpolation=None)
    dropin.read(UNITS / "asterisk.service.d/gdprcall.conf")
    assert dropin["Service"]["UMask"] == "0007"
    # The telephone must not depend on us.
    assert "requires" not in dropin["Unit"]


def test_ret_03_the_sweep_is_daily_and_made_up_for_after_the_host_was_off() -> None:
    timer = unit("gdprcall-retention.timer")["Timer"]
    assert (timer["Persistent"], timer["RandomizedDelaySec"]) == ("true", "30min")
    assert timer["OnCalendar"].startswith("*-*-* ")
    assert unit("gdprcall-retention.service")["Service"]["ExecStart"].endswith("retention sweep --yes")


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not on this machine")
def test_the_user_of_the_vault_is_made_without_a_shell_and_in_no_other_group(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("asterisk:x:106:\n")
    place = tmp_path / "usr/lib/sysusers.d"
    place.mkdir(parents=True)
    shutil.copy(UNITS / "sysusers.d/gdprcall.conf", place)
    command = ["systemd-sysusers", f"--root={tmp_path}"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    user = (tmp_path / "etc/passwd").read_text()
    assert re.search(r"^gdprcall:x:(\d+):\d+:[^:]*:/var/lib/gdprcall:/usr/sbin/nologin$", user, re.MULTILINE)
    assert re.search(r"^gdprcall:x:\d+:$", (tmp_path / "etc/group").read_text(), re.MULTILINE)


def test_the_sample_configuration_is_refused_until_a_recipient_is_named_and_then_accepted(tmp_path: Path) -> None:
    text = (UNITS / "gdprcall.toml").read_text()
    path = tmp_path / "gdprcall.toml"
    path.write_text(text)
    with pytest.raises(config.ConfigError, match=r"controllers\.example\.recipients") as refused:
        config.load(path)
    assert "1 mistake" in refused.value.message
    recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"  # of age's own README
    path.write_text(text.replace("age1-REPLACE-ME", recipient))
    loaded = config.load(path)
    assert loaded.policy.lines["support"].keys.withdraw == "*9"


def test_what_the_sample_comments_out_is_the_default(tmp_path: Path) -> None:
    recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    text = (UNITS / "gdprcall.toml").read_text().replace("age1-REPLACE-ME", recipient)
    path = tmp_path / "gdprcall.toml"
    path.write_text(text)
    defaults = config.load(path)
    path.write_text(re.sub(r"^#(?=[a-z_]+ = )", "", text, flags=re.MULTILINE))
    assert path.read_text() != text
    assert config.load(path) == defaults


def stop_recordings(asterisk: str) -> subprocess.CompletedProcess[str]:
    outside = os.environ | {"ASTERISK": asterisk}
    return subprocess.run(
        [UNITS / "stop-recordings"], env=outside, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("console", "status", "said"),
    [
        ("echo 'Unable to connect to remote asterisk' >&2; exit 1", 0, "Asterisk is not running"),
        ("exit 124", 1, "Asterisk does not answer"),
        ("exit 0", 0, "recordings ended: 0"),
        # A recording that stays in the list although it was told to stop.
        *(
            (
                f"""case "$2" in core*) echo 'SIP/x-1!a!b';; *list*) printf '0x1f\\t{files}\\n';; esac""",
                1,
                "1 recordings could not be ended",
            )
            for files in (f"/spool/{OURS}.2\\t\\t", f"\\t/spool/{OURS}.2.r.wav\\t/spool/{OURS}.2.t.wav")
        ),
    ],
)
def test_the_end_of_recordings_says_what_it_found(tmp_path: Path, console: str, status: int, said: str) -> None:
    program = tmp_path / "asterisk"
    program.write_text(f"#!/bin/sh\n{console}\n")
    program.chmod(0o755)
    done = stop_recordings(str(program))
    assert done.returncode == status
    assert said in done.stdout + done.stderr


@pytest.fixture(params=["", "yes"], ids=["one file", "legs"])
def legs(request: pytest.FixtureRequest) -> str:
    """Whether the voices are recorded apart."""
    return str(request.param)


@pytest.fixture
def recorded(tmp_path: Path, legs: str) -> Iterator[Asterisk]:
    """An Asterisk with one channel that we record in its second segment, and that somebody else records too."""
    with Asterisk(tmp_path) as pbx:
        steps = [
            "Answer()",
            f"Set(GDPRCALL_REC={OURS})",
            "Set(GDPRCALL_SEG=1)",
            f"Set(GDPRCALL_LEGS={legs})",
            "Gosub(gdprcall-segment\\,s\\,1)",
            f"MixMonitor({pbx.spool}/foreign.wav\\,i(FOREIGN))",
            "Wait(60)",
        ]
        for number, step in enumerate(steps, 1):
            pbx.rx(f"dialplan add extension 1,{number},{step} into probe")
        pbx.rx("dialplan add extension 2,1,Wait(60) into probe")
        call = f"{pbx.ari_url}/channels?endpoint=Local/1@probe/n&context=probe&extension=2&priority=1"
        login = base64.b64encode(f"gdprcall:{pbx.ari_password}".encode()).decode()
        request = urllib.request.Request(call, method="POST", headers={"Authorization": f"Basic {login}"})
        urllib.request.urlopen(request, timeout=10).close()
        while len(recordings(pbx)) < 2:
            assert pbx.channels() > 0
        yield pbx


def recordings(pbx: Asterisk) -> set[str]:
    """Return the names of the files that are being recorded."""
    channels = [line.split("!")[0] for line in pbx.rx("core show channels concise").splitlines()]
    listed = "\n".join(pbx.rx(f"mixmonitor list {channel}") for channel in channels)
    return {Path(name).name for name in re.findall(r"^0x[0-9a-f]+\t+(\S+)", listed, re.MULTILINE)}


@pytest.mark.pbx
def test_fcl_03_our_recording_ends_with_a_whole_file_and_a_foreign_one_goes_on(recorded: Asterisk, legs: str) -> None:
    before = recordings(recorded)
    assert before == {f"{OURS}.2.r" if legs else f"{OURS}.2", "foreign"}
    console = f"{PROGRAM} -C {recorded.folder}/etc/asterisk.conf"
    done = stop_recordings(console)
    assert (done.returncode, done.stdout) == (0, "recordings ended: 1\n"), done.stderr
    assert recordings(recorded) == {"foreign"}
    for name in (".2.r.wav", ".2.t.wav") if legs else (".2.wav",):
        with wave.open(str(recorded.spool / f"{OURS}{name}")) as sound:
            assert sound.getframerate() == 8000
    assert recorded.channels() == 2
    assert stop_recordings(console).stdout == "recordings ended: 0\n"
