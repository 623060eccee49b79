"""A site of desks: each call has a telephone of its own, which does its steps once it has answered, and a lamp.

The policy has agents who each stand for themselves; what the desks are called says who has acknowledged what.
"""

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.pbx.asterisk import Asterisk, free_port
from tests.pbx.callers import Agent, Caller, Press, Stay, Step, Wait
from tests.pbx.installation import Installation
from tests.pbx.lamps import Lamps
from tests.pbx.speech import read_wav, whose
from tests.test_real_bases import LINES as BASES

LINES = (
    BASES.replace("must = true", 'must = true\nagents = { notice = "2", each = true }')
    + """
[lines.named]
controller = "acme"
purpose = "quality"
basis = "consent"
languages = ["en"]
more = ""
attempts = 1
timeout_seconds = 1
agents = { notice = "2", each = true }

[agents.floor]
interfaces = [FLOOR]
basis = "works_agreement"
notice = "2"
acknowledged_on = 2026-01-31

[agents.newcomer]
interfaces = ["PJSIP/newcomer"]
basis = "works_agreement"

[agents.returner]
interfaces = ["PJSIP/returner"]
basis = "works_agreement"
notice = "1"
acknowledged_on = 2025-01-31
"""
)
APART_SECONDS = 0.25
"""How long after each other calls are placed: where all press in the same moment two cores are late, and record nothing."""
UNNAMED = {"newcomer", "returner", "stranger", "local"}
DIALPLAN = """
[desk]
exten => _[a-z].,1,Set(DB(call/${CALLERID(num)})=${UNIQUEID})
 same => n,Set(LINE=named)
 same => n,ExecIf($["${EXTEN}"="phase" | "${EXTEN}"="closed"]?Set(LINE=sales))
 same => n,ExecIf($["${EXTEN:-4}"="duty"]?Set(LINE=orders))
 same => n,ExecIf($["${EXTEN:0:6}"="prefix"]?Set(GDPRCALL_PRIVATE=yes))
 same => n,Gosub(gdprcall,s,1(${LINE},${IF($["${LINE}"="orders"]?must:may)}))
 same => n,Set(DB(result/${CALLERID(num)})=${GOSUB_RETVAL})
 same => n,ExecIf($["${EXTEN}"="local"]?Dial(Local/201@floor/n,60))
 same => n,Dial(PJSIP/${EXTEN},60,b(gdprcall-desk^s^1))
 same => n,Hangup()
[floor]
exten => 201,1,Dial(PJSIP/local,60,b(gdprcall-desk^s^1))
[lamps]
"""


def site(folder: Path, desks: Sequence[str]) -> tuple[Asterisk, dict[str, int]]:
    """Return an Asterisk with a telephone for each desk, and the ports of those."""
    enter = "[inbound](+)\n" + "".join(f"exten => {name},1,Goto(desk,{name},1)\n" for name in desks)
    hints = "".join(f"exten => rec{name},hint,Custom:gdprcall-{name}\n" for name in desks)
    asterisk = Asterisk(folder, dialplan=enter + DIALPLAN + hints)
    ports = {name: free_port(socket.SOCK_DGRAM) for name in desks}
    telephones = "".join(
        f"[{name}](trunk)\ncontext=agent-side\naors={name}\n[{name}]\ntype=aor\ncontact=sip:{name}@127.0.0.1:{port}\n"
        for name, port in ports.items()
    )
    path = asterisk.folder / "etc" / "pjsip.conf"
    path.write_text(path.read_text() + telephones)
    Lamps.write_user(asterisk)
    return asterisk, ports


@contextmanager
def opened(
    folder: Path, desks: Mapping[str, Sequence[Step]], delays: Mapping[str, float] | None = None
) -> Iterator["Scene"]:
    """Open the site with a daemon; ``delays`` says how many seconds a desk lets it ring."""
    asterisk, ports = site(folder / "pbx", list(desks))
    named = [f"PJSIP/{name}" for name in desks if name not in UNNAMED] + ["Local/201@floor/n"]
    with ExitStack() as stack:
        stack.enter_context(asterisk)
        lines = LINES.replace("FLOOR", ", ".join(f'"{one}"' for one in named))
        installation = Installation(folder / "app", asterisk, lines=lines)
        installation.prepare()
        stack.enter_context(installation)
        for name, steps in desks.items():
            delay = (delays or {}).get(name, 0)
            stack.enter_context(Agent(asterisk, steps=[*steps, Stay(60)], port=ports[name], ports=20, delay=delay))
        lamps = stack.enter_context(Lamps(asterisk))
        seconds: dict[str, float] = {}
        for row in installation.json("prompts", "list"):  # of each line its question comes first
            seconds.setdefault(str(row["line"]), float(str(row["seconds"])))
        yield Scene(installation, asterisk, lamps, seconds)


@dataclass
class Scene:
    """A site, what is said of the calls that were placed there, and their lamps."""

    installation: Installation
    asterisk: Asterisk
    lamps: Lamps
    seconds: dict[str, float]
    numbers: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, dict[str, object]] = field(default_factory=dict)
    rows: dict[str, dict[str, object]] = field(default_factory=dict)

    def call(self, name: str, line: str, *after: Step) -> Caller:
        """Call a desk; ``after`` is done once the question of ``line`` is over."""
        if self.numbers:
            time.sleep(APART_SECONDS)
        self.numbers[name] = f"+467017600{len(self.numbers):02d}"
        asked = Wait(self.seconds[line] + 0.4 if line else 0.2)
        answer: list[Step] = [Press("1")] if line == "named" else [Wait(1.4)] if line else []
        return Caller(self.asterisk, self.numbers[name], name, [asked, *answer, *after]).start()

    def look(self) -> None:
        """Look at what the vault holds by now."""
        self.installation.wait_until_quiet()
        self.decisions = {str(row["uniqueid"]): row for row in self.installation.json("decisions", "list")}
        self.rows = {str(row["id"]): row for row in self.installation.json("recordings", "list")}

    def decision(self, name: str) -> dict[str, object]:
        """Return the decision of a call."""
        return self.decisions[self.asterisk.db("call")[self.numbers[name]]]

    def returned(self, name: str) -> str | None:
        """Return what the dialplan was told of a call."""
        return self.asterisk.db("result").get(self.numbers[name])

    def state(self, name: str) -> object:
        """Return the state of a call's recording, None without one."""
        return self.rows.get(str(self.decision(name)["recording"]), {}).get("state")

    def heard(self, name: str) -> dict[str, float]:
        """Return whose speech is in the recording of a call, and for how many seconds."""
        return whose(read_wav(self.installation.opened(str(self.decision(name)["recording"]))))

    def bodies(self, name: str, kind: str) -> list[dict[str, object]]:
        """Return what the ledger says of a kind about the recording of a call."""
        log = self.installation.json("audit", "log", "--limit", "10000")
        mine = self.decision(name)["recording"]
        return [dict(entry["body"] or {}) for entry in log if (entry["kind"], entry["recording"]) == (kind, mine)]  # type: ignore[call-overload]

    def wait_for_lamp(self, name: str, state: str, seconds: float = 20) -> None:
        """Wait until a lamp has a state."""
        self.installation.wait_until(lambda: self.lamps.of(name)[-1:] == [state], seconds)
