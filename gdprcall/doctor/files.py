"""What lies on this host: secrets, the vault, the spool, the prompts. Contents of recordings are never read.

Run as root, it asks what the daemon's own user may do, not what root may.
"""

import os
import pwd
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gdprcall.asterisk.spool import Spool
from gdprcall.config import Config, refuse_identities
from gdprcall.doctor.finding import FAIL, OK, WARN, Finding
from gdprcall.errors import ConfigError, PeerError
from gdprcall.prompts.catalogue import Catalogue, Kind, now_wanted, sound_path
from gdprcall.vault.punching import in_memory, punches

USER = "gdprcall"
STALE_SECONDS = 60
LEAST_FREE_BYTES = 256 * 1024 * 1024
SHORTEST_PASSWORD = 16
SAMPLE_PASSWORD = b"CHANGE-ME"
MOUNTS = Path("/proc/mounts")
SWAPS = Path("/proc/swaps")
ANSWERS = {Kind.WITHDRAWN: "a withdrawal", Kind.OBJECTED: "an objection"}
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class User:
    """Whose rights count: the one that the daemon runs as."""

    uid: int
    gid: int
    name: str
    groups: tuple[int, ...]


def secrets(config: Config) -> Iterator[Finding]:
    """Yield whether every secret is there and closed, and no private key is."""
    try:
        refuse_identities(config)
        yield Finding("identities", OK, "no private key lies in our folders or below them")
    except ConfigError as error:
        yield Finding("identities", FAIL, error.message, error.hint)
    for name in ("ari-password", "ami-password") if "ari" in config.asterisk.fronts else ("ami-password",):
        yield _password(config, name)
    for controller in config.policy.controllers:
        try:
            config.pseudonym_key(controller)
            yield Finding(f"secret pseudonym-key-{controller}", OK, "is there, and only its owner can read it")
        except ConfigError as error:
            yield Finding(f"secret pseudonym-key-{controller}", FAIL, error.message, error.hint)
    try:
        config.pseudonym_keys()
    except ConfigError as error:
        yield Finding("pseudonym keys", FAIL, error.message, error.hint)


def _password(config: Config, name: str) -> Finding:
    try:
        value = config.secret(name)
    except ConfigError as error:
        return Finding(f"secret {name}", FAIL, error.message, error.hint)
    mend = f"choose another (openssl rand -hex 16), for the secret {name} and in Asterisk's configuration"
    if value == SAMPLE_PASSWORD:
        return Finding(f"secret {name}", FAIL, "is still the one of the sample, which everybody knows", mend)
    if len(value) < SHORTEST_PASSWORD:
        return Finding(f"secret {name}", WARN, f"is shorter than {SHORTEST_PASSWORD} characters", mend)
    return Finding(f"secret {name}", OK, "is there, and only its owner can read it")


def vault(config: Config) -> Iterator[Finding]:
    """Yield whether the vault is closed to others and open to the daemon."""
    folder = config.vault
    try:
        status = folder.stat()
        foreign = sum(path.lstat().st_uid != status.st_uid for path in folder.iterdir())
    except FileNotFoundError:
        yield Finding("vault", WARN, f"{folder} is not there yet", "the daemon makes it at its first start")
        return
    except OSError as error:
        yield Finding("vault", FAIL, f"{folder}: {error.strerror}", "run the doctor as root or as the daemon's user")
        return
    mode = stat.S_IMODE(status.st_mode)
    closed = not mode & OTHERS
    yield Finding("vault modes", OK if closed else FAIL, f"{mode:o}", "" if closed else f"chmod 700 {folder}")
    if foreign:
        owner = f"uid {status.st_uid}"
        text = f"{foreign} files do not belong to {owner}, whose vault it is: he may be unable to write them"
        yield Finding("vault owner", FAIL, text, f"chown -R --reference={folder} {folder}; use its user for commands")
    else:
        yield Finding("vault owner", OK, "everything belongs to one user")
    yield _free("vault space", folder, config.reserve_bytes)


def spool(config: Config) -> Iterator[Finding]:
    """Yield whether Asterisk's sound reaches the daemon, nobody else, and no disk."""
    folder = config.asterisk.spool
    if not folder.is_dir():
        mend = "systemctl enable --now var-spool-asterisk-gdprcall.mount, or make it (see systemd/README.md)"
        yield Finding("spool", FAIL, f"{folder} is not there", mend)
        return
    user = daemon_user(config)
    yield _spool_modes(folder, user)
    if may_use(folder, user):
        yield Finding("spool access", OK, "the daemon may read, remove and make files there")
    else:
        text = f"the daemon's user may not work in {folder} or not pass a folder above it"
        yield Finding(
            "spool access", FAIL, text, "systemd-tmpfiles --create; on Debian see dpkg-statoverride in its README"
        )
    yield from _memory(folder)
    yield from _contents(folder, user)
    yield _free("spool space", folder, config.reserve_bytes)


def _spool_modes(folder: Path, user: User) -> Finding:
    status = folder.stat()
    mode = stat.S_IMODE(status.st_mode)
    mend = f"chmod 2770 {folder}"
    if mode & stat.S_IRWXO:
        return Finding("spool modes", FAIL, f"{mode:o}: everybody can look into it", mend)
    if status.st_uid != user.uid and not mode & stat.S_ISGID:
        return Finding("spool modes", FAIL, f"{mode:o}: new files would belong to Asterisk's group", mend)
    return Finding("spool modes", OK, f"{mode:o}")


def _memory(folder: Path) -> Iterator[Finding]:
    kind, options = mounted(folder, MOUNTS.read_text())
    mend = "" if kind == "tmpfs" else "mount a tmpfs there, or see that the disk below is encrypted"
    yield Finding("spool kind", OK if kind == "tmpfs" else WARN, f"{folder} is on {kind}", mend)
    swaps = [line.split()[0] for line in SWAPS.read_text().splitlines()[1:]]
    disks = [name for name in swaps if not name.startswith("/dev/zram")]
    if disks and kind == "tmpfs" and "noswap" not in options:
        mend = "mount the spool with noswap (Linux 6.4), or use encrypted swap or none"
        yield Finding("swap", WARN, "the spool's memory could be swapped to a disk", mend)
    else:
        yield Finding("swap", OK, "the spool's memory reaches no disk by swapping")


def mounted(folder: Path, mounts: str) -> tuple[str, frozenset[str]]:
    """Return the kind of the file system that ``folder`` is on, and its options, after the text of /proc/mounts."""
    best, found = "", ("an unknown file system", "")
    for line in mounts.splitlines():
        _, place, kind, options, *_ = line.split()
        # A later mount on the same place hides the earlier one.
        if folder.resolve().is_relative_to(place.replace("\\040", " ")) and len(place) >= len(best):
            best, found = place, (kind, options)
    return found[0], frozenset(found[1].split(","))


def sealing(config: Config) -> Iterator[Finding]:
    """Yield whether recordings can be sealed while their calls go on, which needs holes in files and keys in memory."""
    apart = [line.id for line in config.policy.lines.values() if line.legs]
    if apart:
        text = f"at the end of each call, since their voices are recorded apart: {', '.join(apart)}"
        yield Finding("sealing of legs", OK, text)
    if not config.progressive:
        yield Finding("sealing", OK, "at the end of each call, as sealing.progressive says")
        return
    if not in_memory(config.memory):
        mend = "name a folder in memory: sealing.memory"
        yield Finding("sealing", WARN, f"{config.memory} is not in memory: sealed at the end of each call", mend)
    elif config.asterisk.spool.is_dir() and not punches(config.asterisk.spool):
        mend = "mount a tmpfs there (see systemd/README.md)"
        yield Finding("sealing", WARN, "the spool's file system punches no holes: sealed at the end of each call", mend)
    else:
        yield Finding("sealing", OK, "while the call goes on; its keys are kept in memory")


def _contents(folder: Path, user: User) -> Iterator[Finding]:
    try:
        strangers, paths = Spool(folder).strangers(), [path for file in Spool(folder).files() for path in file.paths]
    except PeerError as error:
        yield Finding("plaintext", FAIL, error.message, error.hint)
        return
    files = [status for path in paths if (status := _status(path)) is not None]
    stale = sum(time.time() - status.st_mtime > STALE_SECONDS for status in files)
    if stale:
        text = f"{stale} sound files were not written to for {STALE_SECONDS} s and are not sealed"
        yield Finding("plaintext", WARN, text, "a call that rings or is muted for long; or see: gdprcall status")
    else:
        yield Finding("plaintext", OK, f"{len(files)} sound files, none stale")
    if strangers:
        text = f"{strangers} files are not named as ours; they are never touched, and not sealed either"
        yield Finding("spool strangers", WARN, text, "find out who writes them, and remove them")
    group = stat.S_IRGRP | stat.S_IWGRP
    if any(status.st_uid != user.uid and status.st_mode & group != group for status in files):
        mend = "give Asterisk UMask=0007 (systemd/asterisk.service.d/gdprcall.conf) and restart it"
        yield Finding("spool files", FAIL, "Asterisk writes files that its group may not read and write", mend)


def _status(path: Path) -> os.stat_result | None:
    """Return the status of a file, or None when it was sealed in the meantime."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _free(check: str, folder: Path, reserve: int) -> Finding:
    """Return whether there is room: warned of before the reserve is touched, below which nothing new is recorded."""
    status = os.statvfs(folder)
    free, least = status.f_bavail * status.f_frsize, max(LEAST_FREE_BYTES, 4 * reserve)
    text, mend = (
        f"{free >> 20} MiB free, {reserve >> 20} of them in reserve",
        f"make room: have {least >> 20} MiB or more",
    )
    if free < reserve:
        return Finding(check, FAIL, f"{free >> 20} MiB free, less than the reserve: nothing new is recorded", mend)
    return Finding(check, WARN, text, mend) if free < least else Finding(check, OK, text)


def prompts(config: Config) -> Iterator[Finding]:
    """Yield whether every line can be asked in each of its languages, and every withdrawal confirmed."""
    if not config.policy.lines:
        yield Finding("prompts", WARN, "no line is configured: nothing is recorded", "add one under [lines]")
        return
    catalogue = Catalogue(config.policy, config.asterisk.sounds, config.prompts)
    wrong = [f"{line} ({language})" for line, language in catalogue.missing()]
    wrong += [f"the full notice of {line} ({tag})" for line, tag, kind in catalogue.silent() if kind is Kind.NOTICE]
    wrong += [f"what {controller} says of rights by telephone ({tag})" for controller, tag in catalogue.mute()]
    # The dialplan plays the answers by name, with the daemon dead too.
    answers = sorted({(tag, kind) for _, tag, kind in now_wanted(config.policy) if kind in ANSWERS})
    silent = [one for one in answers if not sound_path(config.asterisk.sounds, *one).is_file()]
    wrong += [f"the answer to {ANSWERS[kind]} ({tag})" for tag, kind in silent]
    if wrong:
        yield Finding("prompts", FAIL, f"cannot be played: {', '.join(wrong)}", "gdprcall prompts build")
    else:
        yield Finding("prompts", OK, "each line has its prompt in each language")


def daemon_user(config: Config) -> User:
    """Return the user that the daemon runs as: the owner of the vault, else the user gdprcall, else ourselves."""
    try:
        entry = pwd.getpwuid(config.vault.stat().st_uid)
    except (OSError, KeyError):
        try:
            entry = pwd.getpwnam(USER)
        except KeyError:
            return User(os.geteuid(), os.getegid(), "", tuple(os.getgroups()))
    return User(entry.pw_uid, entry.pw_gid, entry.pw_name, tuple(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def may_use(folder: Path, user: User) -> bool:
    """Return whether ``user`` may read, write and search ``folder``; others than ourselves only root can ask about."""
    if os.geteuid() != 0 or user.uid == 0:
        return os.access(folder, os.R_OK | os.W_OK | os.X_OK)
    # The kernel knows best, with all groups and access lists: a process of that user tries.
    tests = ["test", "-r", str(folder), "-a", "-w", str(folder), "-a", "-x", str(folder)]
    try:
        done = subprocess.run(
            tests, user=user.uid, group=user.gid, extra_groups=user.groups, cwd="/", timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
