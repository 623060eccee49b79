"""``make demo``: real calls to a real Asterisk; one caller agrees, and only that call can be found and opened.

What is printed as the outcome was looked up by a checker of its own: in the dialplan's return values, the spool, the
vault's files and the decrypted sound. The daemon is not asked.
"""

import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Step, Wait
from tests.pbx.installation import Installation
from tests.pbx.prepare import PBX, ROOT
from tests.pbx.speech import read_wav, whose
from tests.pbx.watch import Witness

DEMO = ROOT / ".demo"
OFFICER = ROOT / ".demo-officer"
"""Where the controller's identity lies: never in the folder of the installation."""
TALK_SECONDS = 6


@dataclass(frozen=True)
class Guest:
    """One caller of the demonstration, and what must have come of the call."""

    does: str
    number: str
    keys: str
    steps: tuple[Step, ...]
    returned: str
    recording: str


@dataclass(frozen=True)
class Seen:
    """What the checker found of one caller."""

    returned: str
    recording: str
    plaintext: str


def main() -> int:
    """Run the demonstration; 0 only if what was found agrees with what each caller did."""
    say("starting Asterisk and gdprcall")
    for folder in (DEMO, OFFICER):
        shutil.rmtree(folder, ignore_errors=True)
    with Asterisk(DEMO / "pbx") as asterisk, Agent(asterisk):
        installation = Installation(DEMO, asterisk, timeout=3, speed=200)
        installation.prepare()
        with installation, Witness(asterisk.spool) as witness:
            guests = plan(prompt_seconds(installation))
            say(f"{len(guests)} callers ring at the same time; the prompt is {prompt_seconds(installation):.0f} s long")
            place(asterisk, guests)
            installation.wait_until_quiet()
            time.sleep(1)
        found = [look(installation, asterisk, witness, guest) for guest in guests]
    say("what the checker found")
    agree = table(guests, found, len(witness.lives))
    agree &= listen(installation, guests[0])
    show(installation)
    say("every row agrees" if agree else "THE ROWS DO NOT AGREE")
    return 0 if agree else 1


def plan(prompt: float) -> list[Guest]:
    """Return the callers: what each does, and what must come of it."""
    heard, talk = Wait(prompt + 0.7), Wait(TALK_SECONDS)
    return [
        Guest("agrees", "+46701740601", "1", (heard, Press("1"), talk, Hangup()), "recorded", "sealed"),
        Guest("refuses", "+46701740602", "2", (Wait(2), Press("2"), talk, Hangup()), "unrecorded", "none"),
        Guest("stays silent", "+46701740603", "-", (Wait(2 * prompt + 8), talk, Hangup()), "unrecorded", "none"),
        Guest(
            "wrong key twice", "+46701740604", "7 7",
            (Wait(3), Press("7"), Wait(3), Press("7"), talk, Hangup()), "unrecorded", "none",
        ),
        Guest("hangs up in the prompt", "+46701740605", "-", (Wait(3), Hangup()), "-", "none"),
        Guest(
            "agrees, withdraws later", "+46701740606", "1 *9",
            (heard, Press("1"), talk, Press("*9"), Wait(5), Hangup()), "recorded", "destroyed",
        ),
    ]  # fmt: skip


def place(asterisk: Asterisk, guests: list[Guest]) -> None:
    """Let all guests call, and wait until the last has hung up."""
    calls = [Caller(asterisk, guest.number, "support", list(guest.steps)).start() for guest in guests]
    begun = time.monotonic()
    try:
        for call in calls:
            if call.wait():
                raise RuntimeError(f"a call did not go as planned: {call.problem()}")
    finally:
        for call in calls:
            call.stop()
    say(f"all calls have ended after {time.monotonic() - begun:.0f} s")


def look(installation: Installation, asterisk: Asterisk, witness: Witness, guest: Guest) -> Seen:
    """Find out what became of one caller, from files and the dialplan alone."""
    returned = asterisk.db("result").get(guest.number, "-")
    mine = sealed_numbers(installation).get(guest.number)
    if mine is not None:
        payload = DEMO / "vault" / "objects" / mine[:2] / f"{mine}.1"
        lives = witness.of(mine)
        state = "sealed" if payload.is_file() and lives else "a header without a payload"
        return Seen(returned, state, f"{max(life.plaintext_seconds for life in lives) * 1000:.0f} ms")
    # A caller without a sealed number: the file, if one ever was, is that of an emptied slot.
    emptied = emptied_recordings(installation)
    if returned == "recorded" and len(emptied) == 1 and witness.of(emptied[0]):
        gone = not list((DEMO / "vault" / "objects").glob(f"*/{emptied[0]}.*"))
        life = max(life.plaintext_seconds for life in witness.of(emptied[0]))
        return Seen(returned, "destroyed" if gone else "still there", f"{life * 1000:.0f} ms")
    return Seen(returned, "none", "-")


def slots(installation: Installation) -> list[tuple[str, str, bytes]]:
    """Return recording, kind and bytes of every slot of keys.db, read without gdprcall."""
    database = sqlite3.connect(f"file:{installation.folder / 'vault' / 'keys.db'}?mode=ro", uri=True)
    try:
        tables = [
            name
            for (name,) in database.execute(
                "SELECT name FROM sqlite_master WHERE name LIKE 'slot_%' AND type = 'table'"
            )
        ]
        return [row for name in tables for row in database.execute(f"SELECT recording, kind, slot FROM {name}")]
    finally:
        database.close()


def sealed_numbers(installation: Installation) -> dict[str, str]:
    """Return the recording of each number that is sealed in keys.db, opened with the public age tool."""
    numbers = {}
    for recording, kind, slot in slots(installation):
        # A slot begins with the length of what it holds, in two bytes.
        used = int.from_bytes(slot[:2], "big")
        if kind == "number" and used:
            command = [PBX / "bin" / "age", "-d", "-i", installation.identity]
            numbers[
                subprocess.run(command, input=slot[2 : 2 + used], capture_output=True, check=True).stdout.decode()
            ] = recording
    return numbers


def emptied_recordings(installation: Installation) -> list[str]:
    """Return the recordings whose slots were all overwritten with zeros."""
    used: dict[str, bool] = {}
    for recording, _, slot in slots(installation):
        used[recording] = used.get(recording, False) or any(slot)
    return [recording for recording, still in used.items() if not still]


def table(guests: list[Guest], found: list[Seen], files: int) -> bool:
    """Print what was found row by row; whether it is what each caller's own deeds lead to."""
    rows = [("caller", "key", "dialplan returned", "recording", "plaintext life", "")]
    agree = files == sum(guest.recording != "none" for guest in guests)
    for guest, seen in zip(guests, found, strict=True):
        right = (seen.returned, seen.recording) == (guest.returned, guest.recording)
        agree &= right
        rows.append((guest.does, guest.keys, seen.returned, seen.recording, seen.plaintext, "ok" if right else "WRONG"))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    for row in rows:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    print(f"  sound files that were ever in the spool: {files}")
    return agree


def listen(installation: Installation, guest: Guest) -> bool:
    """Open the one recording with the public age tool and say whose speech it holds."""
    recording = sealed_numbers(installation)[guest.number]
    wav = installation.opened(recording)
    sound = read_wav(wav)
    seconds = whose(sound)
    say(f"{wav.name}: exported sealed, opened by the public age tool")
    print(
        f"  {len(sound) / 8000:.1f} s of sound: the caller speaks in {seconds['caller']:.1f} s of it, the agent in {seconds['agent']:.1f} s"
    )
    return min(seconds.values()) >= TALK_SECONDS - 2


def show(installation: Installation) -> None:
    """Print a few lines of the log, the verification, and what to try next."""
    say("what the daemon logged of the calls")
    for line in installation.log_path.read_text().splitlines():
        if '"call_finished"' in line or '"withdrawn"' in line:
            print(f"  {line}")
    say("gdprcall audit verify")
    print("  " + installation.cli("audit", "verify").stdout.strip().replace("\n", "\n  "))
    command = f".venv/bin/gdprcall --config {Path('.demo') / 'gdprcall.toml'}"
    say("everything is still there; try")
    for words in ("recordings list", "decisions list", "audit log", "simulate support 1"):
        print(f"  {command} {words}")


def prompt_seconds(installation: Installation) -> float:
    """Return the length of the English prompt."""
    return float(str(next(row for row in installation.json("prompts", "list") if row["language"] == "en")["seconds"]))


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"demo: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
