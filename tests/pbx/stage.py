"""One stage for each front end: all dialogues and many other calls, placed side by side on a real Asterisk.

It looks at nothing that the daemon says of itself but what it shows to an administrator.
"""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import dialogue_files as files
from tests.pbx.acting import Lengths, act, actable, line_of
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Stay, Step, Wait
from tests.pbx.installation import Installation
from tests.pbx.watch import Witness

DIALOGUES = [file for file in files.read_all() if actable(file)]
TALK = Wait(3)
AT_ONCE = 24
"""How many calls go on at once at most, so that their steps keep their times on two slow cores."""


@dataclass
class Stage:
    """What the calls left behind that came by one front end."""

    front: str
    installation: Installation
    asterisk: Asterisk
    witness: Witness
    numbers: dict[str, str] = field(default_factory=dict)
    results: dict[str, dict[str, str]] = field(default_factory=dict)
    decisions: dict[str, dict[str, object]] = field(default_factory=dict)
    recordings: dict[str, dict[str, object]] = field(default_factory=dict)
    processes: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def result(self, call: str, family: str = "result") -> str | None:
        """Return what the dialplan wrote down for a call."""
        return self.results.setdefault(family, self.asterisk.db(family)).get(self.numbers[call])

    def decision(self, call: str) -> dict[str, object]:
        """Return the decision of a call, found by Asterisk's own id of it."""
        return self.decisions[str(self.result(call, "call"))]

    def front_of(self, call: str) -> object:
        """Return by which front end a call was asked, as the ledger says."""
        decision = self.decision(call)["id"]
        bodies = [entry["body"] for entry in self.installation.json("audit", "log", "--limit", "10000")]
        return next(body["front"] for body in bodies if isinstance(body, dict) and body.get("decision") == decision)

    def recording(self, call: str) -> dict[str, object] | None:
        """Return the recording of a call, if one was granted."""
        return self.recordings.get(str(self.decision(call)["recording"]))


def others(lengths: Lengths) -> dict[str, tuple[str, list[Step]]]:
    """Return the calls that no dialogue file describes: name, extension and steps."""
    heard = Wait(lengths.total + 0.4)
    yes: list[Step] = [heard, Press("1"), TALK, Hangup()]
    longer = Wait(lengths.total + 2.6)
    return {
        "swedish": ("support-sv", [longer, Press("1"), TALK, Hangup()]),
        "unspoken-language": ("support-fr", yes),
        "prompt-removed": ("support-de", [TALK, Hangup()]),
        "prompt-unplayable": ("staff", [TALK, Hangup()]),
        "hangs-up-at-once": ("support", [Hangup()]),
        "agent-never-answers": ("support-ring", [heard, Press("1"), TALK, Hangup()]),
        "rfc4733": ("support", [heard, Press("1", rfc4733=True), TALK, Hangup()]),
        "accept-and-refuse-at-once": ("support", [heard, Press("12", together=True), TALK, Hangup()]),
        "refuse-and-accept-at-once": ("support", [heard, Press("21", together=True), TALK, Hangup()]),
        "queue": ("support-queue", yes),
        "queue-refused": ("support-queue", [heard, Press("2"), TALK, Hangup()]),
        "queue-withdrawal": ("support-queue", [heard, Press("1"), TALK, Press("*9"), Wait(2), Hangup()]),
        "asked-again": ("support-again", [heard, Press("1"), Wait(3.2), heard, Press("2"), TALK, Hangup()]),
        "own-features": ("support-own", yes),
        "own-timeout": ("support-limit", yes),
        "own-timeout-ends-the-call": ("support-limit", [heard, Press("1"), Stay(60)]),
        "unknown-line": ("nowhere", [Wait(1), Hangup()]),
        "unknown-line-must": ("nowhere-must", [Stay(10)]),
        "third-party": ("support", [heard, Press("1"), Wait(8), Hangup()]),
    }


@contextmanager
def staged(folder: Path, front: str) -> Iterator[Stage]:
    """Place all calls on an Asterisk and a daemon of their own, and yield what they left."""
    with (
        Asterisk(folder / "pbx", stasis=front == "ari") as asterisk,
        Agent(asterisk),
        Agent(asterisk, answers=False),
    ):
        installation = Installation(folder / "app", asterisk, fronts=[front])
        installation.prepare()
        with installation, Witness(asterisk.spool) as witness:
            stage = Stage(front, installation, asterisk, witness)
            place(stage)
            installation.wait_until_quiet()
            stage.decisions = {str(row["uniqueid"]): row for row in installation.json("decisions", "list")}
            stage.recordings = {str(row["id"]): row for row in installation.json("recordings", "list")}
            yield stage


def prompt_lengths(installation: Installation) -> Lengths:
    rows = installation.json("prompts", "list")
    sha256 = next(row["sha256"] for row in rows if row["language"] == "en")
    manifest = json.loads((installation.folder / "vault" / "prompts" / f"{sha256}.json").read_text())
    return Lengths(manifest["mandatory_ms"] / 1000, manifest["total_ms"] / 1000, 2.0)


def place(stage: Stage) -> None:
    """Place all calls, a few at a time."""
    lengths = prompt_lengths(stage.installation)
    rows = stage.installation.json("prompts", "list")
    german = next(row for row in rows if row["language"] == "de")
    (stage.asterisk.sounds / "de" / "gdprcall" / f"{german['sha256']}.wav").unlink()
    spoil(stage.asterisk.sounds / "en" / "gdprcall" / f"{next(r for r in rows if r['line'] == 'staff')['sha256']}.wav")
    plans: dict[str, tuple[str, list[Step]]] = {file.name: (line_of(file), act(file, lengths)) for file in DIALOGUES}
    plans |= others(lengths)
    plans["anonymous"] = ("support", [Wait(lengths.total + 0.4), Press("1"), TALK, Hangup()])
    numbers = {name: f"+4670174{place:04d}" for place, name in enumerate(plans)}
    stage.numbers.update(numbers | {"anonymous": "anonymous"})
    calls: dict[str, Caller] = {}
    try:
        with ThreadPoolExecutor(1) as beside:
            for name, (extension, steps) in plans.items():
                while sum(not call.ended() for call in calls.values()) >= AT_ONCE:
                    time.sleep(0.1)
                number = "" if name == "anonymous" else numbers[name]
                calls[name] = Caller(stage.asterisk, number, extension, steps).start()
                if name == "third-party":
                    third = beside.submit(bring_in_a_third, stage, lengths)
                time.sleep(0.1)
            third.result()
        stage.processes = command_lines(stage)
        for name, call in calls.items():
            if call.wait():
                stage.problems[name] = call.problem()
    finally:
        for call in calls.values():
            call.stop()


def spoil(sound: Path) -> None:
    """Make a sound that Asterisk cannot play of one that looks, from outside, as it did."""
    known = sound.stat()
    with sound.open("r+b") as file:
        file.write(b"JUNK")
    os.utime(sound, ns=(known.st_atime_ns, known.st_mtime_ns))


def bring_in_a_third(stage: Stage, lengths: Lengths) -> None:
    """Put somebody who was not asked into the bridge of one recorded call."""
    deadline = time.monotonic() + lengths.total + 12
    while time.monotonic() < deadline:
        channels = [line.split("!") for line in stage.asterisk.rx("core show channels concise").splitlines()]
        wanted = stage.numbers["third-party"]
        found = [c[0] for c in channels if len(c) > 12 and c[7] == wanted and c[5] == "Dial" and c[4] == "Up"]
        if found:
            time.sleep(2)
            stage.asterisk.rx(f"channel originate Local/300@agent-side application BridgeAdd {found[0]}")
            return
        time.sleep(0.1)
    raise AssertionError("the call that a third party was to join never came up")


def command_lines(stage: Stage) -> list[str]:
    """Return the command lines of all processes but the callers' own."""
    found = [
        path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.exists()
    ]
    return [line for line in found if "sipp" not in line]
