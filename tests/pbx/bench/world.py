"""The PBX that is measured: the one of the tests, with a baseline beside gdprcall and room for many calls at once.

The baseline is what an administrator writes without us: ``Read()``, and ``MixMonitor()`` for those who press 1.
"""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

from gdprcall import config
from gdprcall.prompts import catalogue
from gdprcall.prompts.synthesis import RATES, EspeakNg, Speech
from tests.pbx.asterisk import Asterisk
from tests.pbx.installation import Installation
from tests.pbx.prepare import PBX

MANDATORY_MS, KEYS_MS = 800, 900
"""A prompt as short as can be: what is measured is not how long somebody speaks."""
# What the unit sets, and no library that only the tests have: another one would load it because it is there.
AS_INSTALLED = {"MALLOC_ARENA_MAX": "2", "PYTHONPATH": str(Path(__file__).with_name("installed"))}
BASELINE = "plain"
"""The extension of the baseline; those of gdprcall are named after the front end that asks."""
OBSERVER = "observer"
DIALPLAN = """
[inbound](+)
exten => ari,1,Gosub(gdprcall,s,1(support,may))
 same => n,Dial(PJSIP/agent,30)
 same => n,Hangup()
exten => agi,1,Gosub(gdprcall-agi,s,1(support,may))
 same => n,Dial(PJSIP/agent,30)
 same => n,Hangup()
exten => plain,1,Answer()
 same => n,Read(KEY,gdprcall/{sound},1,,1,5)
 same => n,GotoIf($["${{KEY}}"!="1"]?dial)
 same => n,MixMonitor({spool}/${{UNIQUEID}}.wav,bi(MMID))
 same => n(dial),Dial(PJSIP/agent,30)
 same => n,Hangup()
"""
USER = """
[{user}]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = call,dtmf
write = reporting
writetimeout = 5000
eventfilter(action(include),name(DTMFEnd)) =
eventfilter(action(include),name(MixMonitorStart)) =
eventfilter(action(include),name(MixMonitorStop)) =
"""


class Clipped:
    """espeak-ng, cut off after a moment: the mandatory part first, then the keys."""

    name = "espeak-ng, clipped"

    def __init__(self) -> None:
        self._espeak = EspeakNg(400)

    def speak(self, text: str, voice: str) -> Speech:
        """Return the beginning of ``text`` as speech."""
        ms = KEYS_MS if text.startswith(("Press", "To ")) else MANDATORY_MS
        spoken = self._espeak.speak(text, voice)
        return Speech({rate: spoken.samples[rate][: 2 * rate * ms // 1000] for rate in RATES})


@dataclass(frozen=True, slots=True)
class World:
    """A running PBX with gdprcall beside it, and where the baseline's recordings go."""

    asterisk: Asterisk
    installation: Installation
    plain_spool: Path


def build(folder: Path) -> World:
    """Write everything that a PBX with gdprcall and the baseline needs; nothing is started."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asterisk = Asterisk(folder / "pbx")
    plain = asterisk.spool.with_name("plain")
    plain.mkdir()
    installation = Installation(folder / "app", asterisk, fronts=("ari", "agi"), environment=AS_INSTALLED)
    installation.prepare()
    sound = _short_prompt(installation)
    etc = asterisk.folder / "etc"
    _append(etc / "extensions.conf", DIALPLAN.format(sound=sound, spool=plain))
    _append(etc / "manager.conf", USER.format(user=OBSERVER, secret=asterisk.ami_password))
    manager = (etc / "manager.conf").read_text()
    (etc / "manager.conf").write_text(manager.replace("[general]", "[general]\ntimestampevents = yes", 1))
    # Room for many calls; on an address of their own, so that nobody else's ports are in the way.
    (etc / "rtp.conf").write_text("[general]\nrtpstart=10000\nrtpend=29999\n")
    pjsip = (etc / "pjsip.conf").read_text()
    address = f"media_address={media_address()}\nbind_rtp_to_media_address=yes"
    (etc / "pjsip.conf").write_text(pjsip.replace("media_address=127.0.0.1", address))
    return World(asterisk, installation, plain)


def media_address(place: int = 1) -> str:
    """Return an address of the loopback that is this process's own."""
    return f"127.{1 + os.getpid() % 250}.{1 + os.getpid() // 250 % 250}.{place}"


def _short_prompt(installation: Installation) -> str:
    settings = config.load(installation.config)
    for path in settings.prompts.glob("*"):
        path.unlink()
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{PBX / 'bin'}{os.pathsep}{before}"
    try:
        made = catalogue.build(settings.policy, settings.asterisk.sounds, settings.prompts, Clipped())
    finally:
        os.environ["PATH"] = before
    return next(one.prompt.sha256 for one in made if one.line == "support" and one.language == "en")


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)
