"""Looks at a real installation, from Asterisk's modules to the modes of the vault, and says what is wrong and its mend.

It changes nothing and asks Asterisk for nothing that a caller could notice.
"""

import asyncio
import os
import socket
import stat
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from gdprcall.asterisk.ami import Ami
from gdprcall.asterisk.ari import Ari
from gdprcall.config import Config, refuse_identities
from gdprcall.errors import ConfigError, GdprcallError, PeerError
from gdprcall.prompts.catalogue import Catalogue

OK, WARN, FAIL = "ok", "WARN", "FAIL"
STALE_SECONDS = 60
LEAST_FREE_BYTES = 256 * 1024 * 1024
RESOLVE_SECONDS = 1.0
MODULES = (
    *("app_mixmonitor.so", "app_stasis.so", "app_stack.so", "app_userevent.so", "app_playback.so", "func_db.so"),
    *("func_timeout.so", "res_ari_channels.so", "res_ari_playbacks.so", "res_ari_events.so", "res_stasis_playback.so"),
    *("bridge_builtin_features.so", "format_wav.so"),
)
CONTEXT = "gdprcall-forget"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ``ok``, ``WARN`` or ``FAIL``, what was seen, and how to mend it."""

    check: str
    grade: str
    text: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the finding as JSON."""
        return asdict(self)


async def examine(config: Config) -> list[Finding]:
    """Return all findings; never raises for what is wrong with the installation."""
    found = [*_keys(config), *_places(config), *_prompts(config)]
    found += [finding async for finding in _ari(config)]
    found += [finding async for finding in _ami(config)]
    found += [await _resolver(), _clock(), _daemon(config), *_swap()]
    return found


def _keys(config: Config) -> Iterator[Finding]:
    try:
        refuse_identities(config, config.path.parent)
        yield Finding("identities", OK, "no private key lies on this host's places")
    except ConfigError as error:
        yield Finding("identities", FAIL, error.message, error.hint)
    names = ["ari-password", "ami-password", *(f"pseudonym-key-{id_}" for id_ in config.policy.controllers)]
    for name in names:
        try:
            config.secret(name) if name.endswith("password") else config.pseudonym_key(name[len("pseudonym-key-") :])
            yield Finding(f"secret {name}", OK, "is there, and only its owner can read it")
        except ConfigError as error:
            yield Finding(f"secret {name}", FAIL, error.message, error.hint)


def _places(config: Config) -> Iterator[Finding]:
    spool = config.asterisk.spool
    if not spool.is_dir():
        yield Finding("spool", FAIL, f"{spool} is not there", "mount it: systemd/var-spool-asterisk-gdprcall.mount")
    else:
        mode = stat.S_IMODE(spool.stat().st_mode)
        if mode & stat.S_IRWXO:
            yield Finding("spool modes", FAIL, f"everybody can look into {spool}", f"chmod 2770 {spool}")
        else:
            yield Finding("spool modes", OK, f"{mode:o}")
        if not os.access(spool, os.W_OK | os.X_OK):
            yield Finding("spool access", FAIL, f"{spool} cannot be written by us", "put us into its group")
        kind = _file_system(spool)
        mend = "" if kind == "tmpfs" else "mount a tmpfs there, or see that the disk below is encrypted"
        yield Finding("spool kind", OK if kind == "tmpfs" else WARN, f"{spool} is on {kind}", mend)
        yield _stale(spool)
        yield _free("spool space", spool)
    vault = config.vault
    if not vault.is_dir():
        yield Finding("vault", WARN, f"{vault} is not there yet", "the daemon makes it at its first start")
        return
    mode = stat.S_IMODE(vault.stat().st_mode)
    grade = FAIL if mode & (stat.S_IRWXG | stat.S_IRWXO) else OK
    yield Finding("vault modes", grade, f"{mode:o}", "" if grade == OK else f"chmod 700 {vault}")
    yield _free("vault space", vault)


def _stale(spool: Path) -> Finding:
    ages = [time.time() - path.stat().st_mtime for path in spool.glob("*.wav")]
    stale = sum(age > STALE_SECONDS for age in ages)
    if stale:
        text = f"{stale} sound files were not written to for {STALE_SECONDS} s"
        return Finding("plaintext", WARN, text, "a long silent call, or files that cannot be sealed: see the log")
    return Finding("plaintext", OK, f"{len(ages)} sound files, none stale")


def _free(check: str, folder: Path) -> Finding:
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if free < LEAST_FREE_BYTES:
        return Finding(check, FAIL, f"{free >> 20} MiB free", "make room: below 64 MiB nothing is recorded")
    return Finding(check, OK, f"{free >> 20} MiB free")


def _file_system(folder: Path) -> str:
    best, kind = "", "an unknown file system"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, type_, *_ = line.split()
        if folder.resolve().is_relative_to(place) and len(place) >= len(best):
            best, kind = place, type_
    return kind


def _prompts(config: Config) -> Iterator[Finding]:
    missing = Catalogue(config.policy, config.asterisk.sounds, config.prompts).missing()
    if missing:
        text = ", ".join(f"{line} ({language})" for line, language in missing)
        yield Finding("prompts", FAIL, f"cannot be played: {text}", "gdprcall prompts build")
    elif config.policy.lines:
        yield Finding("prompts", OK, "each line has its prompt in each language")
    else:
        yield Finding("prompts", WARN, "no line is configured: nothing is recorded", "add one under [lines]")


async def _ari(config: Config) -> AsyncIterator[Finding]:
    places = config.asterisk
    try:
        password = config.secret("ari-password").decode()
        ari = Ari(places.ari_url, places.ari_user, password, "gdprcall", on_event=lambda _event: None, on_up=_nothing)
        async with ari.requests():
            version = str((await ari.info())["system"]["version"])
            yield Finding("asterisk", OK, f"version {version} answers on ARI")
            modules = await ari.modules()
            absent = [name for name in MODULES if modules.get(name) != "Running"]
            mend = f"load them in modules.conf: {' '.join(absent)}" if absent else ""
            yield Finding("modules", FAIL if absent else OK, f"{len(absent)} needed modules are not running", mend)
            yield await _may_write(ari)
    except GdprcallError as error:
        yield Finding("ari", FAIL, error.message, error.hint)
    yield _exposed("ari", places.ari_url.rsplit(":", 1)[-1].split("/")[0], "bindaddr = 127.0.0.1 in http.conf")


async def _may_write(ari: Ari) -> Finding:
    # An extension that does nothing: it shows that the ARI user may write, and that the dialplan is there.
    try:
        await ari.run_local("probe", CONTEXT)
    except PeerError as error:
        mend = "read_only = no in ari.conf, and #include gdprcall.conf in extensions.conf"
        return Finding("dialplan", FAIL, f"the context {CONTEXT} cannot be run: {error.message}", mend)
    return Finding("dialplan", OK, "our contexts are loaded and ARI may use them")


async def _ami(config: Config) -> AsyncIterator[Finding]:
    places = config.asterisk
    try:
        secret = config.secret("ami-password").decode()
        ami = Ami(
            places.ami_host, places.ami_port, places.ami_user, secret, on_event=lambda _event: None, on_up=_nothing
        )
        async with ami.once():
            yield Finding("ami", OK, "the login works")
            for name, action, mend in [
                ("ami status", ami.live, "read=call,user"),
                ("ami marks", ami.withdrawn_marks, "write=call,reporting"),
            ]:
                yield await _works(name, action(), mend)
            yield await _too_much(ami)
    except GdprcallError as error:
        yield Finding("ami", FAIL, error.message, error.hint)
    yield _exposed("ami", str(places.ami_port), "bindaddr = 127.0.0.1 in manager.conf")


async def _works(name: str, doing: "asyncio.Future[object] | object", mend: str) -> Finding:
    try:
        await doing  # type: ignore[misc]  # a coroutine of Ami
    except PeerError as error:
        return Finding(name, FAIL, error.message, f"{mend} in manager.conf")
    return Finding(name, OK, "allowed")


async def _too_much(ami: Ami) -> Finding:
    try:
        await ami.action("Command", Command="core show uptime")
    except PeerError:
        return Finding("ami rights", OK, "no command can be run through our AMI user")
    return Finding("ami rights", WARN, "our AMI user may run commands", "write=call,reporting in manager.conf")


def _exposed(name: str, port: str, mend: str) -> Finding:
    """Look whether a service of this host answers on an address that is not the loopback."""
    outside = [address for address in _addresses() if _answers(address, int(port) if port.isdecimal() else 0)]
    if outside:
        return Finding(
            f"{name} address", WARN, f"port {port} answers on {len(outside)} address(es) besides loopback", mend
        )
    return Finding(f"{name} address", OK, "answers on loopback alone")


def _addresses() -> list[str]:
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)}
    except OSError:
        return []
    return sorted(address for address in found if not address.startswith(("127.", "::1", "fe80")))


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=0.5):
            return True
    except OSError:
        return False


async def _resolver() -> Finding:
    """Asterisk looks up its own host's name during calls; a slow answer delays every call."""
    begun = time.monotonic()
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(2 * RESOLVE_SECONDS):
            await loop.getaddrinfo(socket.gethostname(), None)
    except (OSError, TimeoutError):
        return Finding("name", FAIL, "this host's own name does not resolve", "add it to /etc/hosts")
    took = time.monotonic() - begun
    grade = OK if took < RESOLVE_SECONDS else FAIL
    return Finding(
        "name", grade, f"this host's own name resolves in {took:.2f} s", "" if grade == OK else "add it to /etc/hosts"
    )


def _clock() -> Finding:
    known = [Path("/run/systemd/timesync/synchronized"), Path("/run/chrony/chronyd.pid"), Path("/run/chrony")]
    if any(path.exists() for path in known):
        return Finding("clock", OK, "a time service keeps the clock")
    return Finding("clock", WARN, "it is not known whether the clock is kept right", "run systemd-timesyncd or chrony")


def _daemon(config: Config) -> Finding:
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(str(config.socket))
    except OSError:
        return Finding("daemon", WARN, "the daemon does not run: nothing is recorded", "systemctl start gdprcall")
    return Finding("daemon", OK, "the daemon answers")


def _swap() -> Iterator[Finding]:
    used = Path("/proc/swaps").read_text().splitlines()[1:]
    if used:
        mend = "use encrypted swap, none, or mount the spool with noswap (Linux 6.4)"
        yield Finding("swap", WARN, "the spool's memory could be swapped to a disk", mend)
    else:
        yield Finding("swap", OK, "there is no swap")


async def _nothing() -> None:
    pass
