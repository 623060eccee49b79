import asyncio
import fcntl
import ipaddress
import json
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall import config as configuration
from gdprcall import doctor
from gdprcall.age import X25519Identity
from gdprcall.asterisk.ami import Ami
from gdprcall.config import Config
from gdprcall.doctor import features, files, host, pbx, serving
from gdprcall.doctor.finding import FAIL, OK, WARN, Finding, Grade
from gdprcall.policy.model import Policy
from gdprcall.policy.selfservice import SelfService
from tests.fakes import ami as fake_ami
from tests.pbx.asterisk import Asterisk
from tests.pbx.installation import Installation
from tests.pbx.prepare import ROOT
from tests.policies import SUPPORT, policy

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask what another user may do")
NOBODY = files.User(65534, 65534, "nobody", (65534,))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """An installation on disk as it should be, without an Asterisk and without a daemon."""
    recipient = X25519Identity.generate(os.urandom).recipient().encode()
    for name, mode in (("vault", 0o700), ("spool", 0o770), ("secrets", 0o700), ("sounds", 0o755)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    for name in ("ari-password", "ami-password", "pseudonym-key-acme"):
        (tmp_path / "secrets" / name).touch(mode=0o600)
        (tmp_path / "secrets" / name).write_text(secrets.token_hex(32))
    path = tmp_path / "gdprcall.toml"
    path.write_text(f"""
[asterisk]
ari_url = "http://127.0.0.1:1/ari"
ami_port = 1
spool = "{tmp_path}/spool"
sounds = "{tmp_path}/sounds"
configuration = "{tmp_path}/etc"
[vault]
folder = "{tmp_path}/vault"
socket = "{tmp_path}/api.sock"
[secrets]
folder = "{tmp_path}/secrets"
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
languages = ["en", "sv"]
""")
    return configuration.load(path)


def grades(found: Iterator[Finding] | list[Finding]) -> dict[str, Grade]:
    return {finding.check: finding.grade for finding in found}


def one(found: Iterator[Finding] | list[Finding], check: str) -> Finding:
    (finding,) = [finding for finding in found if finding.check == check]
    return finding


def test_an_installation_as_it_should_be_has_nothing_wrong_with_its_files(config: Config) -> None:
    found = [*files.secrets(config), *files.vault(config), *files.spool(config)]
    assert [finding for finding in found if finding.grade is FAIL] == []
    assert len(found) >= 10


def test_everything_that_is_wrong_says_how_to_mend_it(config: Config) -> None:
    found = asyncio.run(doctor.examine(config))
    wrong = [finding for finding in found if finding.grade is not OK]
    assert {"ari", "ami", "prompts", "daemon"} <= {finding.check for finding in wrong}
    assert [finding.check for finding in wrong if not finding.mend] == []


def test_a_finding_is_told_as_text_in_json() -> None:
    finding = Finding("clock", WARN, "unknown", "run chrony")
    assert finding.as_json() == {"check": "clock", "grade": "WARN", "text": "unknown", "mend": "run chrony"}


# Secrets


def test_a_missing_secret_is_named_with_the_command_that_makes_it(config: Config) -> None:
    (config.secrets / "ami-password").unlink()
    (config.secrets / "pseudonym-key-acme").unlink()
    found = list(files.secrets(config))
    assert one(found, "secret ami-password").grade is FAIL
    assert "openssl rand" in one(found, "secret pseudonym-key-acme").mend


def test_a_secret_that_others_can_read_is_a_failure(config: Config) -> None:
    (config.secrets / "ari-password").chmod(0o640)
    assert one(files.secrets(config), "secret ari-password").grade is FAIL


@pytest.mark.parametrize(("password", "grade"), [("CHANGE-ME", FAIL), ("short", WARN), ("a" * 16, OK)])
def test_the_password_of_the_sample_and_short_ones_are_told(config: Config, password: str, grade: Grade) -> None:
    (config.secrets / "ari-password").write_text(password)
    finding = one(files.secrets(config), "secret ari-password")
    assert finding.grade is grade
    assert password not in finding.mend


@pytest.mark.parametrize("place", ["secrets", "vault", "."])
def test_a_private_key_on_the_pbx_is_a_failure_wherever_it_lies(config: Config, place: str) -> None:
    path = config.path.parent / place / "officer.txt"
    path.write_text(f"# kept here for a moment\n{X25519Identity.generate(os.urandom).encode()}\n")
    assert one(files.secrets(config), "identities").grade is FAIL


# Codes


def test_con_07_codes_that_callers_are_told_and_asterisk_has_not_are_a_failure(config: Config) -> None:
    assert one(features.examine(config), "features").grade is WARN, "there is no file to compare"
    path = config.asterisk.configuration / "features.conf"
    path.parent.mkdir()
    path.write_text(f"#include {ROOT}/dialplan/features.conf\n")
    assert one(features.examine(config), "features").grade is OK
    path.write_text(
        f"#include {ROOT}/dialplan/features.conf\n[applicationmap]\ngdprstop => *8,self,Gosub(gdprcall-withdraw,s,1)\n"
    )
    found = one(features.examine(config), "features")
    assert found.grade is FAIL
    assert "lines.support.withdraw: gdprstop is *8, and *9 in the policy" in found.text
    path.write_text("#exec /bin/codes\n#include none.conf\n")
    found_ = grades(features.examine(config))
    assert found_ == {"features read": WARN, "features": FAIL}


# Vault


def test_a_vault_that_is_not_there_yet_is_made_by_the_daemon(config: Config) -> None:
    config.vault.rmdir()
    assert grades(files.vault(config)) == {"vault": WARN}


def test_a_vault_that_others_can_look_into_is_a_failure(config: Config) -> None:
    config.vault.chmod(0o750)
    finding = one(files.vault(config), "vault modes")
    assert (finding.grade, finding.mend) == (FAIL, f"chmod 700 {config.vault}")


def test_a_vault_that_cannot_be_looked_into_is_a_finding_and_no_crash(config: Config) -> None:
    wrong = config.path / "vault"  # below a file
    assert grades(files.vault(replace(config, vault=wrong))) == {"vault": FAIL}


@as_root
def test_files_of_root_in_the_vault_of_another_user_are_a_failure(config: Config) -> None:
    os.chown(config.vault, 65534, 65534)
    (config.vault / "index.db").touch()
    assert one(files.vault(config), "vault owner").grade is FAIL
    os.chown(config.vault / "index.db", 65534, 65534)
    assert one(files.vault(config), "vault owner").grade is OK


def test_little_room_is_told_before_there_is_none(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LEAST_FREE_BYTES", 1 << 60)
    assert one(files.vault(config), "vault space").grade is WARN
    assert one(files.spool(config), "spool space").grade is WARN


def test_fcl_05_the_reserve_is_warned_of_before_it_is_touched_and_is_a_failure_then(config: Config) -> None:
    free = os.statvfs(config.vault)
    there = free.f_bavail * free.f_frsize
    for reserve, grade in ((there // 100, OK), (there // 3, WARN), (there * 2, FAIL)):
        changed = replace(config, reserve_bytes=reserve)
        assert one(files.vault(changed), "vault space").grade is grade
    assert one(files.spool(replace(config, reserve_bytes=1 << 60)), "spool space").grade is FAIL


# Spool


def test_a_spool_that_is_not_there_is_a_failure(config: Config) -> None:
    config.asterisk.spool.rmdir()
    assert grades(files.spool(config)) == {"spool": FAIL}


def test_sec_02_a_spool_that_everybody_can_look_into_is_a_failure(config: Config) -> None:
    config.asterisk.spool.chmod(0o2775)
    assert one(files.spool(config), "spool modes").grade is FAIL


@as_root
def test_a_spool_of_asterisk_hands_its_files_to_the_group_of_the_daemon(config: Config) -> None:
    os.chown(config.vault, 65534, 65534)
    config.asterisk.spool.chmod(0o770)
    assert one(files.spool(config), "spool modes").grade is FAIL
    config.asterisk.spool.chmod(0o2770)
    assert one(files.spool(config), "spool modes").grade is OK


@as_root
def test_the_access_that_counts_is_the_one_of_the_user_of_the_daemon(tmp_path: Path) -> None:
    # pytest's own folders are closed to others, so a place of its own is needed.
    top = Path(f"/var/tmp/doctor-{secrets.token_hex(8)}")
    spool = top / "asterisk" / "spool"
    spool.mkdir(parents=True)
    try:
        for folder in (top, spool.parent):
            folder.chmod(0o755)
        os.chown(spool, 0, NOBODY.gid)
        spool.chmod(0o2770)
        assert files.may_use(spool, NOBODY)
        # What the upgrade of a package does.
        spool.chmod(0o750)
        assert not files.may_use(spool, NOBODY)
        spool.chmod(0o2770)
        spool.parent.chmod(0o750)
        assert not files.may_use(spool, NOBODY)
        assert files.may_use(spool, replace(NOBODY, uid=0))
    finally:
        shutil.rmtree(top)


@as_root
def test_a_spool_that_the_daemon_cannot_use_is_a_failure(config: Config) -> None:
    os.chown(config.vault, 65534, 65534)
    # pytest's folders above are closed to nobody.
    assert one(files.spool(config), "spool access").grade is FAIL


def test_a_user_whose_rights_cannot_be_tried_has_none(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not files.may_use(config.asterisk.spool, NOBODY)


def test_the_daemon_runs_as_the_owner_of_the_vault(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.daemon_user(config).uid == os.geteuid()
    config.vault.rmdir()
    monkeypatch.setattr(files, "USER", "nobody")
    assert files.daemon_user(config).name == "nobody"
    monkeypatch.setattr(files, "USER", "no such user")
    assert files.daemon_user(config).uid == os.geteuid()


@pytest.mark.parametrize("name", ["1.wav", "1.r.wav", "1.t.wav"])
def test_sec_02_a_sound_file_that_nobody_writes_or_seals_is_told(config: Config, name: str) -> None:
    path = config.asterisk.spool / f"{'ab' * 16}.{name}"
    path.touch()
    assert one(files.spool(config), "plaintext").grade is OK
    old = time.time() - 2 * files.STALE_SECONDS
    os.utime(path, (old, old))
    finding = one(files.spool(config), "plaintext")
    assert (finding.grade, "ab" * 16 in finding.text) == (WARN, False)


def test_sec_01_whether_a_call_can_be_sealed_while_it_goes_on_is_told(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory = replace(config, memory=Path("/dev/shm/gdprcall-none"))
    assert one(files.sealing(in_memory), "sealing").grade is OK
    assert "while the call goes on" in one(files.sealing(in_memory), "sealing").text
    on_disk = one(files.sealing(replace(config, memory=Path("/proc/keys"))), "sealing")
    assert (on_disk.grade, on_disk.mend) == (WARN, "name a folder in memory: sealing.memory")
    assert not [found for found in files.sealing(in_memory) if found.check == "sealing of legs"]
    lines = {"support": replace(config.policy.lines["support"], legs=True)}
    apart = replace(in_memory, policy=replace(config.policy, lines=lines))
    assert one(files.sealing(apart), "sealing of legs").text.endswith("recorded apart: support")
    off = one(files.sealing(replace(config, progressive=False)), "sealing")
    assert (off.grade, "at the end" in off.text) == (OK, True)
    monkeypatch.setattr(files, "punches", lambda _folder: False)
    unfit = one(files.sealing(in_memory), "sealing")
    assert (unfit.grade, "punches no holes" in unfit.text) == (WARN, True)


def test_a_stranger_in_the_spool_is_told_without_his_name(config: Config) -> None:
    (config.asterisk.spool / "+4670-call.wav").touch()
    finding = one(files.spool(config), "spool strangers")
    assert (finding.grade, "4670" in finding.text) == (WARN, False)


@as_root
def test_files_of_asterisk_that_its_group_cannot_touch_are_a_failure(config: Config) -> None:
    path = config.asterisk.spool / f"{'ab' * 16}.1.wav"
    path.touch(mode=0o644)
    os.chown(path, 65534, 65534)
    assert "UMask=0007" in one(files.spool(config), "spool files").mend
    path.chmod(0o660)
    assert "spool files" not in grades(files.spool(config))


def test_a_spool_that_cannot_be_listed_is_a_finding(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert one(files.spool(config), "plaintext").grade is FAIL


def refuse(_path: Path) -> Iterator[Path]:
    raise PermissionError(13, "Permission denied")


def test_a_file_that_is_sealed_while_we_look_is_no_finding(tmp_path: Path) -> None:
    assert files._status(tmp_path / "gone.wav") is None


MOUNTS = """\
/dev/vda1 / ext4 rw,relatime 0 0
tmpfs {spool} tmpfs rw,nosuid,noswap,size=1048576k 0 0
tmpfs /with\\040space tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("mounts", "swaps", "kind", "swap"),
    [
        (MOUNTS, "/dev/sda2 partition 1 0 -2", OK, OK),
        (MOUNTS.replace(",noswap", ""), "/dev/sda2 partition 1 0 -2", OK, WARN),
        (MOUNTS.replace(",noswap", ""), "/dev/zram0 partition 1 0 -2", OK, OK),
        (MOUNTS.replace(",noswap", ""), "", OK, OK),
        (MOUNTS.splitlines()[0], "/dev/sda2 partition 1 0 -2", WARN, OK),
    ],
)
def test_sec_02_the_spool_should_be_memory_that_is_never_swapped(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mounts: str, swaps: str, kind: Grade, swap: Grade
) -> None:
    (tmp_path / "mounts").write_text(mounts.format(spool=config.asterisk.spool))
    (tmp_path / "swaps").write_text(f"Filename Type Size Used Priority\n{swaps}\n".replace("\n\n", "\n"))
    monkeypatch.setattr(files, "MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr(files, "SWAPS", tmp_path / "swaps")
    found = list(files.spool(config))
    assert (one(found, "spool kind").grade, one(found, "swap").grade) == (kind, swap)


def test_the_innermost_mount_counts_and_a_space_in_its_name_does_not_confuse() -> None:
    assert files.mounted(Path("/with space/spool"), MOUNTS)[0] == "tmpfs"
    assert files.mounted(Path("/elsewhere"), MOUNTS) == ("ext4", frozenset({"rw", "relatime"}))
    assert files.mounted(Path("/elsewhere"), "")[0] == "an unknown file system"


# Prompts


def test_each_prompt_that_is_missing_is_named_and_each_answer_to_a_withdrawal(config: Config) -> None:
    finding = one(files.prompts(config), "prompts")
    assert finding.grade is FAIL
    assert finding.mend == "gdprcall prompts build"
    for missing in ("support (en)", "support (sv)", "withdrawal (en)", "withdrawal (sv)"):
        assert missing in finding.text


def offering(config: Config) -> Config:
    """Return a configuration whose controllers all offer rights by telephone."""
    offered = {id_: SelfService(("sv",)) for id_ in config.policy.controllers}
    return replace(config, policy=replace(config.policy, self_service=offered))


def test_what_cannot_be_said_of_rights_by_telephone_is_named_where_it_is_offered(config: Config) -> None:
    assert "rights by telephone" not in one(files.prompts(config), "prompts").text
    assert "what acme says of rights by telephone (sv)" in one(files.prompts(offering(config)), "prompts").text


def test_without_a_line_nothing_is_recorded_and_that_is_told(config: Config) -> None:
    empty = replace(config, policy=replace(config.policy, lines={}))
    assert grades(files.prompts(empty)) == {"prompts": WARN}


# The host


async def test_the_name_of_this_host_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    assert (await host.name_resolution()).grade is OK
    monkeypatch.setattr(socket, "gethostname", lambda: "no-such-host.invalid")
    assert (await host.name_resolution()).mend == "add this host's name to /etc/hosts"


@pytest.mark.parametrize(("seconds", "grade"), [(0.01, OK), (0.99, OK), (1.0, FAIL), (1.9, FAIL)])
def test_a_slow_look_up_of_the_own_name_is_a_failure(seconds: float, grade: Grade) -> None:
    assert host.judged_name(seconds).grade is grade


@pytest.mark.parametrize(("state", "grade"), [(0, OK), (1, OK), (5, WARN), (-1, WARN)])
def test_fcl_05_a_clock_that_nobody_keeps_is_told(state: int, grade: Grade) -> None:
    assert host.clock(state).grade is grade


def test_the_kernel_tells_the_state_of_its_clock() -> None:
    assert -1 <= host.kernel_clock() <= 5


def test_a_daemon_that_answers_is_seen(config: Config) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(config.socket))
        assert grades(host.daemon(config)) == {"daemon": WARN}
        server.listen()
        assert grades(host.daemon(config)) == {"daemon": OK}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"fit": True, "unfit": None, "quarantined": 0}, {"recording": OK, "quarantine": OK}),
        ({"fit": True, "unfit": None, "quarantined": 2, "quarantine_ends": "2026-01-08"}, {"recording": OK, "quarantine": WARN}),
        ({"fit": False, "unfit": "no_space", "quarantined": 0}, {"recording": FAIL, "quarantine": OK}),
        ({"fit": False, "unfit": "ami_down", "quarantined": 0}, {"recording": FAIL, "quarantine": OK}),
    ],
)  # fmt: skip
def test_what_the_daemon_says_of_itself_is_told(
    config: Config, said: dict[str, object], expected: dict[str, Grade]
) -> None:
    with answering(config.socket, json.dumps(said).encode()):
        found = list(serving.examine(config))
    assert grades(found) == expected
    assert all(finding.mend for finding in found if finding.grade is not OK)
    for told in ("unfit", "quarantine_ends"):
        assert not said.get(told) or any(str(said[told]) in finding.text for finding in found)


@pytest.mark.parametrize("answer", [b"[]", b"no json", b""])
def test_a_daemon_that_answers_nonsense_or_not_at_all_is_no_crash(config: Config, answer: bytes) -> None:
    with answering(config.socket, answer):
        assert list(serving.examine(config)) == []
    config.socket.unlink()
    assert list(serving.examine(config)) == []


@contextmanager
def answering(path: Path, body: bytes) -> Iterator[None]:
    """Answer one request on a socket."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(10)

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                asked = b""
                while not asked.endswith(b"{}"):  # the body may come by itself
                    asked += peer.recv(4096)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join(10)


def test_a_vault_that_another_process_holds_without_a_daemon_is_a_failure(config: Config) -> None:
    path = config.vault / "lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = host.daemon(config)
        assert grades(found) == {"daemon": WARN, "vault lock": FAIL}
        assert str(os.getpid()) in one(found, "vault lock").text
    assert grades(host.daemon(config)) == {"daemon": WARN}


def test_a_lock_that_somebody_waits_for_belongs_to_who_has_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    status = lock.stat()
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    locks = f"1: POSIX  ADVISORY  WRITE 7 {place} 0 EOF\n2: FLOCK  ADVISORY  WRITE 8 {place} 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 9 {place} 0 EOF\n"
    assert host.holder(lock, locks) == 8
    assert host.holder(lock, "") == 0
    assert host.holder(tmp_path / "none", locks) == 0


@as_root
def test_a_socket_that_we_may_not_use_does_not_mean_that_the_daemon_is_down(config: Config) -> None:
    program = (
        "import os, sys; from pathlib import Path; from types import SimpleNamespace\n"
        "from gdprcall.doctor import host\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "print(host.daemon(SimpleNamespace(vault=Path('/'), socket=Path(sys.argv[1])))[0].text)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, config.socket], capture_output=True, text=True, check=False, cwd=config.vault
    )
    assert "may not be used by us" in done.stdout, done.stderr


# Asterisk


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        *(("13.38.3", FAIL), ("16.2.1", FAIL), ("16.3.0", OK), ("16.28.0~dfsg-0", OK)),
        *(("certified/20.7", OK), ("GIT-22-1a2b3c", OK), ("", FAIL)),
    ],
)
def test_an_asterisk_that_is_too_old_is_a_failure(text: str, grade: Grade) -> None:
    assert pbx.version(text).grade is grade


def test_a_module_that_does_not_run_is_named() -> None:
    whole = {f"{name}.so" for name in pbx.MODULES}
    assert pbx.running(whole, policy(SUPPORT)).grade is OK
    finding = pbx.running(whole - {"func_db.so"}, policy(SUPPORT))
    assert (finding.grade, finding.text) == (FAIL, "do not run: func_db")
    finding = pbx.running(whole, policy(replace(SUPPORT, agents=replace(SUPPORT.agents, tone=True))))
    assert (finding.grade, finding.text) == (FAIL, "do not run: app_playtones, app_senddtmf")


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ({*pbx.NEEDED}, {"ami rights": OK}),
        ({"Status", "DBGet", "DBGetTree"}, {"ami rights": FAIL}),
        ({*pbx.NEEDED, "MixMonitor"}, {"ami surplus": WARN}),
        ({"Originate", "Command"}, {"ami rights": FAIL, "ami surplus": WARN}),
    ],
)
def test_rights_that_are_missing_and_rights_that_are_too_many_are_told(
    allowed: set[str], expected: dict[str, Grade]
) -> None:
    assert grades(pbx.rights(allowed)) == expected


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:1F98 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   1: 00000000:13AE 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   2: 0101A8C0:13AF 0201A8C0:0050 01 00000000:00000000 00:00000000 00000000     0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000001000000:1F98 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 0000000000000000FFFF00000100007F:13AF 00000000000000000000000000000000:0000 0A 00000000:00000000
   2: 00000000000000000000000000000000:1F99 00000000000000000000000000000000:0000 0A 00000000:00000000
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the tables are those of a little-endian machine")
@pytest.mark.parametrize(
    ("port", "addresses"),
    [(8088, {"127.0.0.1", "::1"}), (5038, {"0.0.0.0"}), (5039, {"127.0.0.1"}), (8089, {"::"}), (1, set[str]())],
)
def test_the_kernel_tells_on_which_addresses_a_port_listens(port: int, addresses: set[str]) -> None:
    found = pbx.listening(TCP, port) | pbx.listening(TCP6, port)
    assert found == {ipaddress.ip_address(address) for address in addresses}


def test_a_port_of_this_very_test_is_found() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        table = pbx.SOCKETS[0].read_text()
        assert pbx.listening(table, server.getsockname()[1]) == {ipaddress.ip_address("127.0.0.1")}


@pytest.mark.parametrize(
    ("place", "port", "grade", "text"),
    [
        ("127.0.0.1", 8088, OK, "loopback alone"),
        ("localhost", 5038, WARN, "port 5038 listens on 0.0.0.0"),
        ("::1", 8089, WARN, "listens on ::"),
        ("127.0.0.1", 1, OK, "does not listen"),
        ("pbx.example", 443, WARN, "another host"),
    ],
)
def test_a_service_that_others_can_reach_is_told(place: str, port: int, grade: Grade, text: str) -> None:
    finding = pbx.exposed("ari address", place, port, "bind it", [TCP, TCP6])
    assert (finding.grade, text in finding.text) == (grade, True), finding


def listed(*steps: tuple[str, str, str]) -> bytes:
    """Return what Asterisk answers to ShowDialPlan."""
    events = "".join(
        f"Event: ListDialplan\r\n%TAG%Context: {context}\r\nExtension: {extension}\r\nPriority: 1\r\n"
        f"Application: Gosub\r\nAppData: {data}\r\nRegistrar: pbx_config\r\n\r\n"
        for context, extension, data in steps
    )
    head = "Response: Success\r\n%TAG%EventList: start\r\nMessage: DialPlan list will follow\r\n\r\n"
    return f"{head}{events}Event: ShowDialPlanComplete\r\n%TAG%EventList: Complete\r\n\r\n".encode()


async def demanded(
    config: Config, answer: bytes, ask: Callable[[Ami, Policy], Awaitable[Finding]] = pbx.demands
) -> Finding:
    async with fake_ami.serving() as fake:
        fake.answers["ShowDialPlan"] = answer
        link = Ami(
            "127.0.0.1", fake.port, "gdprcall", "secret", on_event=lambda _event: None, on_up=asyncio.Event().wait
        )  # type: ignore[arg-type]  # never called
        async with link.once():
            return await ask(link, config.policy)


@pytest.mark.parametrize("offered", [False, True])
async def test_the_context_of_rights_by_telephone_is_looked_for_where_a_controller_offers_them(
    config: Config, offered: bool
) -> None:
    if offered:
        config = offering(config)
    finding = await demanded(config, b"Response: Error\r\n%TAG%Message: Did not find context\r\n\r\n", pbx.contexts)
    assert finding.grade is FAIL
    assert ("gdprcall-rights" in finding.text) is offered
    assert "gdprcall-rights.conf" in finding.mend


@pytest.mark.parametrize(
    ("steps", "grade", "text"),
    [
        ([("trunk", "s", "gdprcall,s,1(support,may)")], OK, "agree at 1 places"),
        ([("trunk", "s", "gdprcall,s,1(support,must)")], WARN, "trunk,s,1: says must of support"),
        ([("trunk", "s", "gdprcall,s,1(${LINE},may)")], WARN, "cannot be compared"),
        ([("gdprcall", "s", "gdprcall,s,1(support,must)")], WARN, "nothing in the dialplan asks for a line"),
        ([("trunk", "s", "PJSIP/1")], WARN, "nobody is recorded"),
    ],
)
async def test_may_and_must_of_the_loaded_dialplan_are_compared_with_the_policy(
    config: Config, steps: list[tuple[str, str, str]], grade: Grade, text: str
) -> None:
    finding = await demanded(config, listed(*steps))
    assert (finding.grade, text in finding.text) == (grade, True), finding


async def test_a_dialplan_that_asterisk_does_not_list_is_said_not_to_be_compared(config: Config) -> None:
    finding = await demanded(config, b"Response: Error\r\n%TAG%Message: Permission denied\r\n\r\n")
    assert (finding.grade, "not compared" in finding.text) == (WARN, True)
    assert "--dialplan" in finding.mend


# A real installation


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A daemon beside a real Asterisk."""
    with Asterisk(tmp_path_factory.mktemp("asterisk")) as asterisk:
        asterisk.spool.chmod(0o2770)
        whole = Installation(tmp_path_factory.mktemp("gdprcall"), asterisk)
        whole.prepare()
        with whole:
            yield whole


async def examined(installation: Installation) -> list[Finding]:
    return await doctor.examine(configuration.load(installation.config))


@pytest.mark.pbx
async def test_a_real_installation_in_order_fails_no_check(installation: Installation) -> None:
    found = await examined(installation)
    assert [finding for finding in found if finding.grade is FAIL] == []
    told = grades(found)
    wanted = [
        "asterisk",
        "modules",
        "ami rights",
        "dialplan",
        "spool place",
        "events",
        "ari address",
        "ami address",
        "features",
    ]
    assert {check: told.get(check) for check in wanted} == dict.fromkeys(wanted, OK)
    assert told["daemon"] is OK


@pytest.mark.pbx
async def test_the_calls_and_the_log_of_the_daemon_do_not_notice_the_doctor(installation: Installation) -> None:
    before = installation.log()
    await examined(installation)
    assert installation.log() == before
    assert installation.asterisk.channels() == 0


@pytest.mark.pbx
async def test_a_context_that_is_gone_and_a_spool_elsewhere_are_failures(installation: Installation) -> None:
    asterisk = installation.asterisk
    asterisk.rx("dialplan remove context gdprcall-withdraw")
    asterisk.rx("dialplan set global GDPRCALL_SPOOL /elsewhere")
    try:
        found = await examined(installation)
    finally:
        asterisk.rx("dialplan reload")
    assert one(found, "dialplan").text == "these contexts are not there: gdprcall-withdraw"
    assert one(found, "spool place").grade is FAIL
    assert "/elsewhere" in one(found, "spool place").text


@pytest.mark.pbx
async def test_rights_are_judged_as_the_real_asterisk_gives_them(installation: Installation) -> None:
    path = installation.asterisk.folder / "etc" / "manager.conf"
    text = path.read_text()
    wrong = text.replace("read = call,user", "read = user").replace("write = call,reporting", "write = all")
    assert wrong.count("write = all") == wrong.count("read = user") == 1
    try:
        path.write_text(wrong)
        installation.asterisk.rx("manager reload")
        surplus = await examined(installation)
        path.write_text(text.replace("write = call,reporting", "write = user"))
        installation.asterisk.rx("manager reload")
        lacking = await examined(installation)
    finally:
        path.write_text(text)
        installation.asterisk.rx("manager reload")
    assert one(surplus, "ami surplus").text.startswith(
        "our user may more than it needs: command, config, originate, system"
    )
    assert one(surplus, "events").grade is FAIL
    assert "StopMixMonitor" in one(lacking, "ami rights").text
    assert grades(lacking)["spool place"] is WARN


@pytest.mark.pbx
async def test_an_ari_user_who_may_only_read_is_a_failure(installation: Installation) -> None:
    path = installation.asterisk.folder / "etc" / "ari.conf"
    text = path.read_text()
    try:
        path.write_text(text.replace("read_only = no", "read_only = yes"))
        installation.asterisk.rx("module reload res_ari.so")
        found = await examined(installation)
    finally:
        path.write_text(text)
        installation.asterisk.rx("module reload res_ari.so")
    assert "read_only = no" in one(found, "events").mend
    assert one(found, "asterisk").grade is OK


@pytest.mark.pbx
async def test_wrong_passwords_are_failures_and_are_not_told(installation: Installation) -> None:
    kept = {}
    for name in ("ari-password", "ami-password"):
        path = installation.folder / "secrets" / name
        kept[path] = path.read_text()
        path.write_text("wrong-wrong-wrong-wrong\n")
    try:
        found = await examined(installation)
    finally:
        for path, text in kept.items():
            path.write_text(text)
    assert grades(found)["ari"] is grades(found)["ami"] is FAIL
    assert not [finding for finding in found if "wrong-wrong" in str(finding)]


@pytest.mark.pbx
def test_the_command_prints_what_is_wrong_and_ends_with_4(installation: Installation) -> None:
    spool = installation.asterisk.spool
    mode = stat.S_IMODE(spool.stat().st_mode)
    assert installation.cli("doctor").returncode == 0
    spool.chmod(0o777)
    try:
        done = installation.cli("doctor", check=False)
    finally:
        spool.chmod(mode)
    assert done.returncode == 4
    assert "FAIL  spool modes" in done.stdout
