"""What Asterisk lets us do, and what it lets us do too much: its version, modules, dialplan, users and addresses.

It runs one empty extension on a Local channel; no command that could change anything is tried.
"""

import asyncio
import ipaddress
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from gdprcall.asterisk.ami import Ami
from gdprcall.asterisk.ami_events import AmiEvent, HungUp
from gdprcall.asterisk.ari import USE_ASTERISK, Ari, is_too_old
from gdprcall.config import Config
from gdprcall.doctor import recorders
from gdprcall.doctor.finding import FAIL, OK, WARN, Finding
from gdprcall.errors import GdprcallError, PeerError
from gdprcall.policy.dialplan import compare, gosubs
from gdprcall.policy.model import Direction, Policy

MODULES = (
    *("app_mixmonitor", "app_stasis", "app_stack", "app_userevent", "app_playback", "app_exec"),
    *("func_db", "func_timeout", "func_channel", "func_strings", "func_logic", "bridge_builtin_features", "format_wav"),
    *("res_ari", "res_ari_applications", "res_ari_asterisk", "res_ari_channels", "res_ari_events"),
    *("res_ari_playbacks", "res_stasis", "res_stasis_playback", "res_http_websocket", "pbx_config"),
)
"""What calls need that come by ARI; which ones run is told by ARI alone."""
TONES = ("app_playtones", "app_senddtmf")
"""What agents need who are to hear whether they are recorded."""
CONTEXTS = (
    *("gdprcall", "gdprcall-agi", "gdprcall-ask", "gdprcall-verdict", "gdprcall-segment", "gdprcall-stop"),
    *("gdprcall-end", "gdprcall-connected", "gdprcall-withdraw", "gdprcall-desk", "gdprcall-lamp", "gdprcall-agent"),
    *("gdprcall-forget", "gdprcall-next", "gdprcall-pause", "gdprcall-join", "gdprcall-tone", "gdprcall-xfer"),
)
OUTBOUND, RIGHTS = ("gdprcall-out", "gdprcall-left"), ("gdprcall-rights",)
NEEDED = ("StopMixMonitor", "Status", "DBGet", "DBGetTree")
# An action that is given to nobody without the class beside it.
TOO_MUCH = {"MixMonitor": "system", "Command": "command", "Originate": "originate", "UpdateConfig": "config"}
LEAST_RIGHTS = "read = call,user and write = call,reporting in manager.conf, then: manager reload"
ASK = "write Gosub(gdprcall,s,1(<line>,may)) in front of the Dial() of each line; see dialplan/README.md"
DEFAULT_SPOOL = "/var/spool/asterisk/gdprcall"
DEFAULT_AGI = "127.0.0.1:4573"
EVENT_SECONDS = 2.0
SOCKETS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENS = "0A"


async def examine(config: Config) -> list[Finding]:
    """Return what was found about Asterisk."""
    places = config.asterisk
    url = urlsplit(places.ari_url)
    tables = [path.read_text() for path in SOCKETS if path.exists()]
    found = [*(await ari(config) if "ari" in places.fronts else []), *await ami(config)]
    if "ari" in places.fronts:
        found.append(
            exposed("ari address", url.hostname or "", url.port or 0, "bindaddr = 127.0.0.1 in http.conf", tables)
        )
    if "agi" in places.fronts:
        found.append(agi(places.agi_listen[1], tables))
    return [
        *found,
        exposed("ami address", places.ami_host, places.ami_port, "bindaddr = 127.0.0.1 in manager.conf", tables),
    ]


async def ari(config: Config) -> list[Finding]:
    """Return whether ARI answers, and whether Asterisk is new enough and has what we need."""
    found = []
    try:
        link = _ari(config)
        async with link.requests():
            found.append(version(str((await link.info())["system"]["version"])))
            modules = await link.modules()
            found.append(recorders.applications(await link.applications()))
            found.append(running({name for name, state in modules.items() if state == "Running"}, config.policy))
    except GdprcallError as error:
        found.append(Finding("ari", FAIL, error.message, error.hint))
    return found


def version(text: str) -> Finding:
    """Return whether an Asterisk of that version will do."""
    if is_too_old(text):
        return Finding("asterisk", FAIL, f"version {text} is too old", USE_ASTERISK)
    return Finding("asterisk", OK, f"version {text} answers")


def agi(port: int, tables: list[str]) -> Finding:
    """Return whether FastAGI is listened for where Asterisk will look."""
    if any(listening(table, port) for table in tables):
        return Finding("agi", OK, f"port {port} is listened on, on loopback alone")
    return Finding(
        "agi", WARN, f"nobody listens on port {port}: calls go on unrecorded", "start the daemon: gdprcall serve"
    )


def running(modules: set[str], policy: Policy) -> Finding:
    """Return which of the modules that we need do not run."""
    needed = (*MODULES, *(TONES if any(line.agents.tone for line in policy.lines.values()) else ()))
    absent = [name for name in needed if f"{name}.so" not in modules]
    if absent:
        mend = "load them in modules.conf; on Debian they are all in the package asterisk-modules or asterisk"
        return Finding("modules", FAIL, f"do not run: {', '.join(absent)}", mend)
    return Finding("modules", OK, f"the {len(needed)} that we need run")


async def ami(config: Config) -> list[Finding]:
    """Return whether AMI answers, and whether our user has the rights that we need and no others."""
    ended = asyncio.Event()

    def take(event: AmiEvent) -> None:
        if isinstance(event, HungUp):
            ended.set()

    found = []
    try:
        link = _ami(config, take)
        async with link.once():
            allowed = set((await link.action("ListCommands"))[0].keys())
            found += rights(allowed)
            if "ShowDialPlan" in allowed:
                found += [await contexts(link, config.policy), await demands(link, config.policy)]
            found.append(await _spool(link, config.asterisk.spool))
            if "agi" in config.asterisk.fronts:
                found += [await _agi_module(link), await _agi_place(link, config.asterisk.agi_listen)]
            if "ari" in config.asterisk.fronts:
                found.append(await _events(config, ended))
            else:
                found.append(version(await link.version()))
    except GdprcallError as error:
        found.append(Finding("ami", FAIL, error.message, error.hint))
    return found


def rights(allowed: set[str]) -> list[Finding]:
    """Return what a user with those actions can do too little and too much."""
    lacking = [action for action in NEEDED if action not in allowed]
    surplus = sorted({kind for action, kind in TOO_MUCH.items() if action in allowed})
    found = []
    if lacking:
        found.append(Finding("ami rights", FAIL, f"our user may not: {', '.join(lacking)}", LEAST_RIGHTS))
    if surplus:
        text = f"our user may more than it needs: {', '.join(surplus)}; who had its password could run programs"
        found.append(Finding("ami surplus", WARN, text, LEAST_RIGHTS))
    return found or [Finding("ami rights", OK, "our user has what it needs, and cannot record or run programs")]


async def contexts(link: Ami, policy: Policy) -> Finding:
    """Say whether the contexts are loaded that calls come by."""
    absent, outbound = [], any(line.direction is Direction.OUTBOUND for line in policy.lines.values())
    for context in (*CONTEXTS, *(OUTBOUND if outbound else ()), *(RIGHTS if policy.self_service else ())):
        try:
            await link.action("ShowDialPlan", Context=context)
        except PeerError as error:
            if "did not find" not in error.message.lower():
                raise
            absent.append(context)
    if absent:
        mend = "add to extensions.conf: #include gdprcall.conf (and gdprcall-out.conf, gdprcall-rights.conf), then: dialplan reload"
        return Finding("dialplan", FAIL, f"these contexts are not there: {', '.join(absent)}", mend)
    return Finding("dialplan", OK, "our contexts are loaded")


async def demands(link: Ami, policy: Policy) -> Finding:
    """Say whether the dialplan that Asterisk has loaded says may and must as the policy does."""
    try:
        answers = await link.action("ShowDialPlan")
    except PeerError as error:
        text = f"Asterisk did not list its dialplan, which is therefore not compared: {error.message}"
        return Finding("demands", WARN, text, "gdprcall check --dialplan /etc/asterisk/extensions.conf")
    steps = [{str(key): str(value) for key, value in answer.items()} for answer in answers]
    found = [
        gosub
        for step in steps
        if not step.get("Context", "").startswith("gdprcall")
        for gosub in gosubs(step.get("AppData", ""), *_place(step))
    ]
    if not found:
        return Finding("demands", WARN, "nothing in the dialplan asks for a line: nobody is recorded", ASK)
    wrong = compare(policy, found, whole=True)
    if wrong:
        text = "; ".join(f"{one.place}: {one.text}" for one in wrong)
        return Finding("demands", WARN, text, wrong[0].mend)
    return Finding("demands", OK, f"the dialplan and the policy agree at {len(found)} places")


def _place(step: Mapping[str, str]) -> tuple[str, str]:
    entrance = f"{step.get('Context', '')},{step.get('Extension', '')}"
    return entrance, f"{entrance},{step.get('Priority', '')}"


async def _spool(link: Ami, configured: Path) -> Finding:
    """Say whether Asterisk writes where we look."""
    try:
        answer = (await link.action("Getvar", Variable="GDPRCALL_SPOOL"))[0]
        written = Path(str(answer.get("Value") or DEFAULT_SPOOL))
    except PeerError:
        return Finding("spool place", WARN, "Asterisk did not say where it writes", LEAST_RIGHTS)
    if written.resolve() != configured.resolve():
        mend = f"set GDPRCALL_SPOOL={configured} in [globals] of extensions.conf, or asterisk.spool in gdprcall.toml"
        return Finding("spool place", FAIL, f"Asterisk writes to {written}, we look into {configured}", mend)
    return Finding("spool place", OK, "Asterisk writes where we look")


async def _agi_module(link: Ami) -> Finding:
    """Say whether res_agi runs: AMI knows its action only then, and refuses it to us without doing anything."""
    try:
        await link.action("AGI")
    except PeerError as error:
        if "unknown command" in error.message.lower():
            return Finding("agi module", FAIL, "res_agi does not run", "load res_speech and res_agi in modules.conf")
    return Finding("agi module", OK, "res_agi runs")


async def _agi_place(link: Ami, listen: tuple[str, int]) -> Finding:
    """Say whether Asterisk connects to where we listen."""
    host, port = listen
    ours = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        answer = (await link.action("Getvar", Variable="GDPRCALL_AGI"))[0]
    except PeerError:
        return Finding("agi place", WARN, "Asterisk did not say where it connects", LEAST_RIGHTS)
    called = str(answer.get("Value") or DEFAULT_AGI)
    if called != ours:
        mend = f"set GDPRCALL_AGI={ours} in [globals] of extensions.conf, or asterisk.agi_listen in gdprcall.toml"
        return Finding("agi place", FAIL, f"Asterisk connects to {called}, we listen on {ours}", mend)
    return Finding("agi place", OK, "Asterisk connects to where we listen")


async def _events(config: Config, ended: asyncio.Event) -> Finding:
    """Say whether ARI may start something, and AMI tells us that it ended: one Local channel through ``i``."""
    try:
        link = _ari(config)
        async with link.requests():
            await link.run_local("probe", "gdprcall-forget")
        async with asyncio.timeout(EVENT_SECONDS):
            await ended.wait()
    except TimeoutError:
        mend = f"{LEAST_RIGHTS}; and an eventfilter that includes Hangup"
        return Finding("events", FAIL, "the end of a channel was not reported by AMI", mend)
    except GdprcallError as error:
        mend = "read_only = no in ari.conf, and #include gdprcall.conf in extensions.conf"
        return Finding("events", FAIL, f"ARI could not run an extension of ours: {error.message}", mend)
    return Finding("events", OK, "ARI may act, and AMI tells us of it")


def exposed(check: str, host: str, port: int, mend: str, tables: list[str]) -> Finding:
    """Return whether a service on this host listens on other addresses than the loopback."""
    if not _is_loopback(host):
        text = "it is on another host: see that the way there is encrypted and closed to others"
        return Finding(check, WARN, text, "TLS or a tunnel, and permit= for this host alone")
    addresses = {address for table in tables for address in listening(table, port)}
    outside = sorted(str(address) for address in addresses if not address.is_loopback)
    if outside:
        return Finding(check, WARN, f"port {port} listens on {', '.join(outside)}", mend)
    return Finding(check, OK, "listens on loopback alone" if addresses else "does not listen on this host's network")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listening(table: str, port: int) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return the addresses that a port listens on, after the text of /proc/net/tcp or tcp6."""
    found: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    for line in table.splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        address, _, number = local.partition(":")
        if state == LISTENS and int(number, 16) == port:
            found.add(_address(address))
    return found


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    # The kernel prints each 32-bit word as this machine's own byte order has it.
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _ari(config: Config) -> Ari:
    password = config.secret("ari-password").decode(errors="replace")
    places = config.asterisk
    return Ari(places.ari_url, places.ari_user, password, "gdprcall", on_event=lambda _event: None, on_up=_nothing)


def _ami(config: Config, take: Callable[[AmiEvent], None]) -> Ami:
    secret = config.secret("ami-password").decode(errors="replace")
    places = config.asterisk
    return Ami(places.ami_host, places.ami_port, places.ami_user, secret, on_event=take, on_up=_nothing)


async def _nothing() -> None:
    """Do nothing when the link is up."""
