"""A real Asterisk of its own: configuration, ports, spool and database in one folder, started and stopped at will.

It uses the dialplan and the samples of the project as they are shipped; only passwords, ports and paths are its own.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tests.pbx.prepare import PBX, ROOT

BIN = PBX / "bin"
DIALPLAN = ROOT / "dialplan"
START_SECONDS = 30

EXTENSIONS = """\
[globals]
GDPRCALL_SPOOL={spool}

#include {dialplan}/gdprcall.conf

[inbound]
; <line>[-<what>]: the line is asked, what it returned is written down by caller, and the agent is dialled.
exten => _[a-z].,1,Set(LINE=${{CUT(EXTEN,-,1)}})
 same => n,Set(WHAT=${{CUT(EXTEN,-,2)}})
 same => n,ExecIf($["${{WHAT}}"="sv" | "${{WHAT}}"="de" | "${{WHAT}}"="fr"]?Set(CHANNEL(language)=${{WHAT}}))
 same => n,Set(DB(site/before/${{CALLERID(num)}})=yes)
 same => n,ExecIf($["${{WHAT}}"="limit"]?Set(TIMEOUT(absolute)=40))
 same => n,ExecIf($["${{WHAT}}"="own"]?Set(DYNAMIC_FEATURES=sitefeature))
 same => n,ExecIf($["${{WHAT}}"="own"]?Set(CHANNEL(hangup_handler_push)=site-end,s,1))
 same => n,Gosub(gdprcall,s,1(${{LINE}},${{IF($["${{WHAT}}"="must"]?must:may)}}))
 same => n,Set(DB(result/${{IF($["${{CALLERID(num)}}"=""]?anonymous:${{CALLERID(num)}})}})=${{GOSUB_RETVAL}})
 same => n,Set(DB(left/${{CALLERID(num)}})=${{TIMEOUT(absolute)}})
 same => n,Set(DB(features/${{CALLERID(num)}})=${{DYNAMIC_FEATURES}})
 same => n,GotoIf($["${{GOSUB_RETVAL}}"="route"]?route)
 same => n,GotoIf($["${{WHAT}}"="again"]?again)
 same => n,GotoIf($["${{WHAT}}"="queue"]?queue)
 same => n,Dial(PJSIP/${{IF($["${{WHAT}}"="ring"]?silent:agent)}},60,tTkK)
 same => n,Hangup()
 same => n(queue),Queue(q1,tT,,,60)
 same => n,Hangup()
 same => n(again),Dial(PJSIP/agent,60,S(3)g)
 same => n,Gosub(gdprcall,s,1(${{LINE}},may))
 same => n,Set(DB(again/${{CALLERID(num)}})=${{GOSUB_RETVAL}})
 same => n,Dial(PJSIP/agent,60)
 same => n,Hangup()
 same => n(route),Playback(beep)
 same => n,Hangup()
exten => T,1,Set(DB(sitelimit/${{CALLERID(num)}})=yes)
 same => n,Hangup()

[site-end]
exten => s,1,Set(DB(siteend/${{CALLERID(num)}})=yes)
 same => n,Return()

[agent-side]
exten => 300,1,Dial(PJSIP/agent,30)
"""

PJSIP = """\
[global]
type=global
user_agent=asterisk
[transport]
type=transport
protocol=udp
bind=127.0.0.1:{sip_port}
[trunk](!)
type=endpoint
transport=transport
context=inbound
disallow=all
allow=ulaw
direct_media=no
dtmf_mode=rfc4733
media_address=127.0.0.1
rtp_symmetric=yes
[anonymous](trunk)
[agent](trunk)
context=agent-side
aors=agent
[agent]
type=aor
contact=sip:agent@127.0.0.1:{agent_port}
[silent](trunk)
context=agent-side
aors=silent
[silent]
type=aor
contact=sip:agent@127.0.0.1:{silent_port}
"""

MODULES = """\
[modules]
autoload=no
""" + "".join(
    f"load={name}.so\n"
    for name in [
        *("app_stack", "app_dial", "app_queue", "app_mixmonitor", "app_stasis", "app_playback", "app_userevent"),
        *("app_db", "app_exec", "app_read", "app_echo", "app_sayunixtime", "app_cdr", "app_verbose", "app_bridgewait"),
        *("func_callerid", "func_channel", "func_cut", "func_db", "func_logic", "func_strings", "func_timeout"),
        *("func_math", "func_global", "func_periodic_hook", "func_groupcount", "func_uri", "app_chanspy"),
        *(
            "bridge_simple",
            "bridge_softmix",
            "bridge_holding",
            "bridge_builtin_features",
            "bridge_builtin_interval_features",
        ),
        *("chan_pjsip", "codec_ulaw", "codec_alaw", "codec_resample", "format_wav", "format_pcm", "format_wav_gsm"),
        *(
            "res_ari",
            "res_ari_applications",
            "res_ari_asterisk",
            "res_ari_bridges",
            "res_ari_channels",
            "res_ari_endpoints",
        ),
        *("res_ari_events", "res_ari_model", "res_ari_playbacks", "res_ari_recordings", "res_ari_sounds"),
        *("res_stasis", "res_stasis_answer", "res_stasis_playback", "res_stasis_recording", "res_stasis_snoop"),
        *(
            "res_http_websocket",
            "res_websocket_client",
            "res_sorcery_astdb",
            "res_sorcery_config",
            "res_sorcery_memory",
        ),
        *(
            "res_sorcery_realtime",
            "res_timing_timerfd",
            "res_rtp_asterisk",
            "res_musiconhold",
            "res_parking",
            "res_crypto",
        ),
        *(
            "res_pjproject",
            "res_pjsip",
            "res_pjsip_session",
            "res_pjsip_sdp_rtp",
            "res_pjsip_caller_id",
            "res_pjsip_dtmf_info",
        ),
        *(
            "res_pjsip_endpoint_identifier_ip",
            "res_pjsip_endpoint_identifier_anonymous",
            "res_pjsip_endpoint_identifier_user",
        ),
        *(
            "res_pjsip_nat",
            "res_pjsip_refer",
            "res_pjsip_rfc3326",
            "res_pjsip_pubsub",
            "res_pjsip_one_touch_record_info",
        ),
        *(
            "res_statsd",
            "pbx_config",
            "res_pjsip_authenticator_digest",
            "res_pjsip_header_funcs",
        ),
        *("res_stasis_device_state", "res_ari_device_states", "app_confbridge", "app_dumpchan", "res_geolocation"),
    ]
)


class Asterisk:
    """One Asterisk in one folder; a context manager that leaves no process behind."""

    def __init__(self, folder: Path, *, agent_port: int = 0, silent_port: int = 0) -> None:
        self.folder = folder.resolve()
        self.ari_port, self.ami_port = free_port(), free_port()
        self.sip_port = free_port(socket.SOCK_DGRAM)
        self.agent_port = agent_port or free_port(socket.SOCK_DGRAM)
        self.silent_port = silent_port or free_port(socket.SOCK_DGRAM)
        self.ari_password, self.ami_password = secrets.token_hex(16), secrets.token_hex(16)
        self.spool = Path(tempfile.mkdtemp(prefix="gdprcall-spool-", dir=_memory(self.folder)))
        self._process: subprocess.Popen[bytes] | None = None
        self._write()

    @property
    def ari_url(self) -> str:
        """Where ARI listens."""
        return f"http://127.0.0.1:{self.ari_port}/ari"

    @property
    def sounds(self) -> Path:
        """The folder of sounds, with one folder per language."""
        return self.folder / "data" / "sounds"

    def __enter__(self) -> "Asterisk":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.spool, ignore_errors=True)

    def start(self) -> None:
        """Start and wait until calls can be made."""
        log = (self.folder / "log" / "console.log").open("ab")
        self._process = subprocess.Popen(
            [BIN / "asterisk", "-C", self.folder / "etc" / "asterisk.conf", "-f", "-g"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.folder,
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while "fully booted" not in self.rx("core waitfullybooted"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Asterisk did not start: {self.log()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it as a system does, with SIGTERM."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it without warning."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def rx(self, command: str) -> str:
        """Run a command of Asterisk's console and return what it printed."""
        done = subprocess.run(
            [BIN / "asterisk", "-C", self.folder / "etc" / "asterisk.conf", "-rx", command],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        return done.stdout + done.stderr

    def db(self, family: str) -> dict[str, str]:
        """Return one family of the internal database."""
        found = re.findall(rf"^/{family}/(\S+)\s*: (.*?)\s*$", self.rx(f"database show {family}"), re.MULTILINE)
        return dict(found)

    def channels(self) -> int:
        """Return how many channels are up."""
        found = re.search(r"(\d+) active channel", self.rx("core show channels count"))
        return int(found[1]) if found else 0

    def log(self) -> str:
        """Return all that it logged."""
        return "".join(
            path.read_text(errors="replace") for path in sorted((self.folder / "log").glob("*")) if path.is_file()
        )

    def _write(self) -> None:
        for name in ("etc", "db", "data", "log", "run", "data/keys", "spool", "data/moh"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copytree(
            _system("share/asterisk"),
            self.folder / "data",
            symlinks=True,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("sounds"),
        )
        (self.sounds / "en").mkdir(parents=True, exist_ok=True)
        beep = next(_system("share/asterisk").glob("sounds/en/beep.wav"), None)
        if beep:
            shutil.copy(beep, self.sounds / "en")
        values = {name: getattr(self, name) for name in ("sip_port", "agent_port", "silent_port", "spool")}
        files = {
            "asterisk.conf": self._directories(),
            "modules.conf": MODULES,
            "pjsip.conf": PJSIP.format(**values),
            "extensions.conf": EXTENSIONS.format(dialplan=DIALPLAN, **values),
            "queues.conf": "[q1]\nmusicclass=default\nstrategy=ringall\ntimeout=30\nmember=PJSIP/agent\n",
            "features.conf": f"#include {DIALPLAN}/features.conf\n",
            "musiconhold.conf": f"[default]\nmode=files\ndirectory={self.folder}/data/moh\n",
            "rtp.conf": f"[general]\nrtpstart={(start := rtp_range())}\nrtpend={start + 998}\n",
            "res_parking.conf": "[default]\nparkext=700\nparkpos=701-720\ncontext=parked\n",
            "confbridge.conf": "[default_bridge]\ntype=bridge\n[default_user]\ntype=user\n",
            "cdr.conf": "[general]\nenable=no\n",
            "logger.conf": (DIALPLAN / "logger.conf").read_text(),
            "ari.conf": (DIALPLAN / "ari.conf").read_text().replace("CHANGE-ME", self.ari_password),
            "http.conf": (DIALPLAN / "http.conf").read_text().replace("8088", str(self.ari_port)),
            "manager.conf": (DIALPLAN / "manager.conf")
            .read_text()
            .replace("CHANGE-ME", self.ami_password)
            .replace("5038", str(self.ami_port)),
        }
        for name, text in files.items():
            (self.folder / "etc" / name).write_text(text)

    def _directories(self) -> str:
        modules = next(_system("lib").glob("**/app_dial.so")).parent
        places = {
            "astetcdir": "etc", "astvarlibdir": "data", "astdatadir": "data", "astdbdir": "db", "astkeydir": "data",
            "astspooldir": "spool", "astrundir": "run", "astlogdir": "log", "astagidir": "data/agi-bin",
        }  # fmt: skip
        lines = [f"{name} => {self.folder / place}" for name, place in places.items()]
        return "\n".join(
            ["[directories]", f"astmoddir => {modules}", *lines, "[options]", "documentation_language = en_US", ""]
        )


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of the loopback that nobody has now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rtp_range() -> int:
    """Return the even start of a range for sound, below the ports that the system gives out by itself."""
    return 12000 + 1000 * (os.getpid() % 18)


def _memory(folder: Path) -> Path:
    shared = Path("/dev/shm")  # a tmpfs on every Debian
    return shared if os.access(shared, os.W_OK) else folder


def _system(part: str) -> Path:
    private = PBX / "root" / "usr" / part
    uses_own = ".pbx" in (BIN / "asterisk").read_text() or "$root" in (BIN / "asterisk").read_text()
    return private if uses_own else Path("/usr") / part
