"""``make demo``: real calls to a real Asterisk for two companies; who agreed, or heard and did not object, can be opened.

What is printed as the outcome was looked up by a checker of its own (``checker.py``): in the dialplan's return values,
the spool, the vault's files and the decrypted sound. The daemon is not asked.
"""

import hashlib
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.pbx import hands, papers, rights
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Step, Wait
from tests.pbx.checker import Checker, Seen
from tests.pbx.installation import Installation
from tests.pbx.prepare import ROOT
from tests.pbx.speech import read_wav, whose
from tests.pbx.watch import Witness

DEMO = ROOT / ".demo"
OFFICER = ROOT / ".demo-officer"
"""Where the controllers' identities lie: never in the folder of the installation."""
TALK_SECONDS = 6
LEAST_S = 2.0
"""For how long at least everybody is heard who must be."""
NAMED = {"caller": "the caller", "agent": "the agent", "third": "the outsider", "card": "the card number"}
LINES = (
    """
[controllers.alm]
name = "Alm Reisen"
contact = "datenschutz@alm.example"
country = "AT"
notice_url = "alm.example"
recipients = ["RECIPIENT"]
operator = "processor"
contract = { reference = "AV-2026-1", date = 2026-01-01, sha256 = "SHA", sets_out = ["subject_matter", "duration", "nature_and_purpose", "data", "data_subjects", "rights_and_duties"], clauses = ["a", "b", "c", "d", "e", "f", "g", "h"] }

[operator]
name = "Sound Desk AB"
address = "1 Sea Street, Malmö"
contact = "privacy@desk.example"
officer = "officer@desk.example"

[lines.reklamation]
controller = "alm"
approved_by = "Alm Reisen"
purpose = "documentation"
basis = "legitimate_interest"
interest = "Reklamationen zu klären"
assessment = { id = "LIA-1", date = 2026-01-31, sha256 = "SHA", review_by = 2099-01-31 }
retention_reason = "the period in which a journey may be complained of"
retention_days = 60
languages = ["de"]
more = ""
timeout_seconds = 1
""".replace("SHA", "ab" * 32)
    + hands.LINES
)
DIALPLAN = (
    """
[inbound](+)
exten => support,1,Goto(shown,support,1)
exten => reklamation,1,Set(CHANNEL(language)=de)
 same => n,Goto(shown,reklamation,1)
[shown]
; What the dialplan was told, and which recording it began, is written down by caller for the checker.
exten => _[a-z].,1,Set(DB(call/${CALLERID(num)})=${UNIQUEID})
 same => n,Gosub(gdprcall,s,1(${EXTEN},may))
 same => n,Set(DB(result/${CALLERID(num)})=${GOSUB_RETVAL})
 same => n,ExecIf($["${GDPRCALL_REC}"!=""]?Set(DB(recording/${CALLERID(num)})=${GDPRCALL_REC}))
 same => n,Dial(PJSIP/agent,60)
 same => n,Hangup()
"""
    + hands.DIALPLAN
)


@dataclass(frozen=True)
class Company:
    """One controller of the demonstration, and its line."""

    id: str
    name: str
    line: str
    basis: str
    language: str


ACME = Company("acme", "Acme", "support", "consent", "en")
OFFERS = Company("acme", "Acme", "offers", "consent", "en")
ALM = Company("alm", "Alm Reisen", "reklamation", "legitimate_interest", "de")


@dataclass(frozen=True)
class Guest:
    """One caller of the demonstration, and what must have come of the call."""

    company: Company
    does: str
    number: str
    keys: str
    steps: tuple[Step, ...]
    noted: str
    recording: str
    scene: str = ""
    """Of those whose call is in hand: what happens in it."""
    holds: Mapping[str, bool] = field(default_factory=lambda: {"caller": True, "agent": True})
    """Whose speech the recording must hold, and whose not."""
    files: int = 1
    """How many segments a recording has, if there is one."""

    @property
    def returned(self) -> str:
        """What the dialplan must have been told; who hung up before was told nothing."""
        if self.noted == "hangup_in_prompt":
            return "-"
        return "unrecorded" if self.recording == "none" else "recorded"


def main() -> int:
    """Run the demonstration; 0 only if what was found agrees with what each caller did."""
    say("starting Asterisk and gdprcall")
    for folder in (DEMO, OFFICER):
        shutil.rmtree(folder, ignore_errors=True)
    with Asterisk(DEMO / "pbx", dialplan=DIALPLAN) as asterisk, Agent(asterisk):
        installation = Installation(DEMO, asterisk, timeout=3, speed=200, lines=LINES, fronts=("ari", "agi"))
        installation.prepare()
        identities = {"acme": installation.identity, "alm": installation.identity_of("alm")}
        with installation, Witness(asterisk.spool) as witness:
            lengths = [prompt_seconds(installation, company) for company in (ACME, ALM, OFFERS)]
            guests = plan(*lengths[:2])
            with hands.housed(asterisk, lengths[0], lengths[2]) as house:
                place(asterisk, guests, house)
            installation.wait_until_quiet()
            time.sleep(1)
        checker = Checker(DEMO / "vault", asterisk, witness, identities)
        found = [checker.look(guest.number, guest.company.id) for guest in guests]
    say("what the checker found")
    agree = table(guests, found, len(witness.lives))
    sealed = [guest for guest in guests if guest.recording == "sealed"]
    say("what each recording holds, opened with the public age tool and its company's identity")
    for guest in sealed:
        agree &= listen(installation, guest, checker.recording(guest.number), identities[guest.company.id])
    for guest in [guest for guest in sealed if not guest.scene]:
        agree &= prove(installation, guest, checker.recording(guest.number))
    agree &= verified(installation, len(guests))
    asks = next(guest for guest in guests if guest.scene == "by FastAGI")
    say(f"{asks.company.name}'s caller who {asks.does} asks for a copy, and then to be forgotten")
    agree &= rights.exercised(installation, asks.number, checker.recording(asks.number), DEMO)
    say("a disk is lost: the papers, the officer's page, and what the authority is told")
    agree &= papers.written(installation, DEMO / "papers")
    show(installation)
    say("every row agrees" if agree else "THE ROWS DO NOT AGREE")
    return 0 if agree else 1


def plan(question: float, notice: float) -> list[Guest]:
    """Return the callers: what each does, and what must come of it; prompts in seconds."""
    heard, told, talk = Wait(question + 0.7), Wait(notice + 1.7), Wait(TALK_SECONDS)
    silent, later = Wait(2 * question + 8), (Press("*9"), Wait(5), Hangup())
    say(f"Acme asks for consent, in English: {question:.0f} s")
    say(f"Alm Reisen tells in German that it records in its legitimate interest: {notice:.0f} s")
    wrong = (Wait(3), Press("7"), Wait(3), Press("7"), talk, Hangup())
    outsider, card = {"caller": True, "agent": True, "third": False}, {"caller": True, "agent": True, "card": False}
    return [
        Guest(ACME, "agrees", "+46701740601", "1", (heard, Press("1"), talk, Hangup()), "granted", "sealed"),
        Guest(ACME, "refuses", "+46701740602", "2", (Wait(2), Press("2"), talk, Hangup()), "refused", "none"),
        Guest(ACME, "stays silent", "+46701740603", "-", (silent, talk, Hangup()), "timeout", "none"),
        Guest(ACME, "wrong key twice", "+46701740604", "7 7", wrong, "invalid", "none"),
        Guest(ACME, "hangs up in the prompt", "+46701740605", "-", (Wait(3), Hangup()), "hangup_in_prompt", "none"),
        Guest(ACME, "agrees, withdraws later", "+46701740606", "1 *9", (heard, Press("1"), talk, *later), "withdrawn", "destroyed"),
        Guest(ACME, "agrees, is handed to an outsider", "+46701740607", "1", (), "granted", "sealed", "handed on", outsider),
        Guest(ACME, "agrees, says a card number", "+46701740608", "1", (), "granted", "sealed", "card", card, 2),
        Guest(ACME, "agrees on a FastAGI line", "+46701740609", "1", (), "granted", "sealed", "by FastAGI"),
        Guest(OFFERS, "is called, agrees", "+46701740610", "1", (), "granted", "sealed", "called"),
        Guest(ALM, "hears it, is silent", "+4312345601", "-", (told, talk, Hangup()), "informed", "sealed"),
        Guest(ALM, "objects", "+4312345602", "9", (Wait(2), Press("9"), talk, Hangup()), "objected", "none"),
        Guest(ALM, "objects later", "+4312345603", "*9", (told, talk, *later), "objected", "destroyed"),
    ]  # fmt: skip


def place(asterisk: Asterisk, guests: list[Guest], house: hands.House) -> None:
    """Let all guests call, and wait until the last has hung up."""
    say(f"{len(guests)} callers ring at the same time")
    alone = [guest for guest in guests if not guest.scene]
    calls = [Caller(asterisk, guest.number, guest.company.line, list(guest.steps)).start() for guest in alone]
    begun = time.monotonic()
    try:
        with hands.playing(house, {guest.scene: guest.number for guest in guests if guest.scene}):
            for call in calls:
                if call.wait():
                    raise RuntimeError(f"a call did not go as planned: {call.problem()}")
    finally:
        for call in calls:
            call.stop()
    say(f"all calls have ended after {time.monotonic() - begun:.0f} s")


def table(guests: list[Guest], found: list[Seen], files: int) -> bool:
    """Print what was found row by row; whether it is what each caller's own deeds lead to."""
    rows = [("company", "caller", "key", "noted", "dialplan returned", "recording", "plaintext life", "")]
    agree = files == sum(guest.files for guest in guests if guest.recording != "none")
    for guest, seen in zip(guests, found, strict=True):
        company, noted = guest.company, (guest.company.basis, guest.company.language, guest.noted)
        right = (seen.returned, seen.noted, seen.recording) == (guest.returned, noted, guest.recording)
        agree &= right
        rows.append((
            f"{company.name}, {seen.noted[1]}", guest.does, guest.keys, seen.noted[2], seen.returned, seen.recording,
            seen.plaintext, "ok" if right else "WRONG",
        ))  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    print(f"  sound files that were ever in the spool: {files}")
    return agree


def listen(installation: Installation, guest: Guest, recording: str, identity: Path) -> bool:
    """Open a recording and say for how many seconds whose speech it holds; whether that is as it must be."""
    parts = [read_wav(installation.opened(recording, part + 1, identity)) for part in range(guest.files)]
    seconds = {who: sum(whose(part, (who,))[who] for part in parts) for who in guest.holds}
    holds = ", ".join(f"{NAMED[who]} {seconds[who]:.1f} s" for who in guest.holds)
    print(f"  {guest.company.name}, {guest.does}: {sum(map(len, parts)) / 8000:.1f} s of sound: {holds}")
    return all((seconds[who] >= LEAST_S) if must else (seconds[who] == 0) for who, must in guest.holds.items())


def prove(installation: Installation, guest: Guest, recording: str) -> bool:
    """Write the receipt of a recorded call and the prompt that its caller heard; whether the two name one sound."""
    decision = next(str(row["id"]) for row in installation.json("decisions", "list") if row["recording"] == recording)
    receipt, prompt = DEMO / f"receipt-{guest.company.id}.txt", DEMO / f"prompt-{guest.company.id}.wav"
    text = installation.cli("decisions", "receipt", decision, "--sound", str(prompt)).stdout
    receipt.write_text(text)
    say(f"the receipt of {guest.company.name}'s caller who {guest.does}, and the prompt that was heard")
    digest = hashlib.sha256(prompt.read_bytes()).hexdigest()
    same = f"SHA-256 {digest}" in text
    if guest.company.basis == "consent":
        print("  " + text.strip().replace("\n", "\n  "))
    print(f"  {receipt.relative_to(ROOT)}")
    print(f"  {prompt.relative_to(ROOT)}: SHA-256 {digest}, {'as' if same else 'NOT AS'} in the receipt")
    return same


def verified(installation: Installation, calls: int) -> bool:
    """Let every decision and the ledger be verified; whether there is one for each call and nothing is wrong."""
    good = True
    for words in (("decisions", "verify"), ("audit", "verify")):
        say(f"gdprcall {' '.join(words)}")
        done = installation.cli(*words, check=False)
        print("  " + (done.stdout + done.stderr).strip().replace("\n", "\n  "))
        good &= done.returncode == 0
        good &= words[0] != "decisions" or done.stdout.strip() == f"{calls} decisions looked at"
    return good


def show(installation: Installation) -> None:
    """Print a few lines of the log, and what to try next."""
    say("what the daemon logged of the calls")
    for line in installation.log_path.read_text().splitlines():
        if '"call_finished"' in line or '"withdrawn"' in line:
            print(f"  {line}")
    command = f".venv/bin/gdprcall --config {Path('.demo') / 'gdprcall.toml'}"
    say("everything is still there; try")
    for words in (
        "recordings list",
        "decisions list",
        "audit log",
        "check --explain reklamation",
        "simulate support 1",
    ):
        print(f"  {command} {words}")


def prompt_seconds(installation: Installation, company: Company) -> float:
    """Return the length of the prompt of a company's line: of each line its question comes first."""
    rows = installation.json("prompts", "list")
    return float(
        str(next(row["seconds"] for row in rows if row["line"] == company.line and row["language"] == company.language))
    )


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"demo: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
