"""Three callers of two controllers, by real calls; then each of their rights to its end, by the command line alone (RGT-04 to RGT-16).

What was there before is looked for afterwards by the same raw search. The order of the tests is that of the story.
"""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gdprcall.config import load
from gdprcall.vault import subjects
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Wait
from tests.pbx.installation import Installation
from tests.vaults import files_with

pytestmark = pytest.mark.pbx

LINES = """
[controllers.alm]
name = "Alm Reisen"
contact = "datenschutz@alm.example"
country = "AT"
notice_url = "alm.example"
recipients = ["RECIPIENT"]

[lines.reklamation]
controller = "alm"
purpose = "documentation"
basis = "legitimate_interest"
interest = "Reklamationen zu klären"
assessment = { id = "LIA-1", date = 2026-01-31, sha256 = "SHA", review_by = 2099-01-31 }
retention_reason = "the period to contest"
languages = ["de"]
more = ""
timeout_seconds = 1
""".replace("SHA", "ab" * 32)
DIALPLAN = """
[inbound](+)
exten => support,1,Goto(asked,support,1)
exten => reklamation,1,Set(CHANNEL(language)=de)
 same => n,Goto(asked,reklamation,1)
[asked]
exten => _[a-z].,1,Gosub(gdprcall,s,1(${EXTEN},may))
 same => n,Set(DB(result/${CALLERID(num)}-${EXTEN})=${GOSUB_RETVAL})
 same => n,Dial(PJSIP/agent,60)
 same => n,Hangup()
"""
ANNA, BERT, CARL = "+4312345701", "+4312345702", "+4312345703"
LINE = {"acme": "support", "alm": "reklamation"}
SPOKEN = {"acme": ("support", "en"), "alm": ("reklamation", "de")}
TALK = 2.5


@dataclass
class Story:
    """The house after six calls: each of three persons called both companies."""

    asterisk: Asterisk
    installation: Installation
    recordings: dict[tuple[str, str], str] = field(default_factory=dict)

    def __call__(self, *words: str, status: int = 0) -> str:
        done = self.installation.cli(*words, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return str(done.stdout + done.stderr if status else done.stdout)

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))

    def state(self, who: str, company: str) -> Any:
        return self.json("recordings", "show", self.recordings[who, company])

    def call(self, *calls: tuple[str, str]) -> None:
        """Let persons call companies, side by side; each agrees to whatever is asked, talks, and hangs up."""
        rows = self.installation.json("prompts", "list")  # of each line its question comes first
        begun = []
        for who, company in calls:
            asked = next(row for row in rows if (row["line"], row["language"]) == SPOKEN[company])
            seconds = float(str(asked["seconds"]))
            steps = [Wait(seconds + 0.7), Press("1")] if company == "acme" else [Wait(seconds + 1.7)]
            begun.append(Caller(self.asterisk, who, LINE[company], [*steps, Wait(TALK), Hangup()]).start())
        for caller in begun:
            assert caller.wait() == 0, caller.problem()
        self.installation.wait_until_quiet()

    def know(self) -> None:
        """Find out whose each recording is, by the pseudonyms in the index."""
        with closing(sqlite3.connect(self.installation.folder / "vault" / "index.db")) as db:
            rows = db.execute("SELECT subject, id FROM recording").fetchall()
        whose = {str(subject).encode(): str(id_) for subject, id_ in rows}
        self.recordings = {
            (who, company): whose[self.pseudonym(who, company)] for who in (ANNA, BERT, CARL) for company in LINE
        }

    def request(self, who: str, company: str, what: str) -> str:
        now = datetime.now(UTC).isoformat(timespec="minutes")
        words = ("--controller", company, "--type", what, "--channel", "mail", "--received", now)
        (id_,) = re.findall(r"^request ([0-9a-f]{32}): ", self("requests", "open", who, *words), re.MULTILINE)
        self("requests", "identify", id_, "--method", "document")
        return str(id_)

    def pseudonym(self, who: str, company: str) -> bytes:
        return subjects.pseudonym(load(self.installation.config).pseudonym_key(company), who).encode()

    def found(self, *needles: bytes) -> list[str]:
        return files_with(self.installation.folder / "vault", *needles)

    def header(self, recording: str) -> bytes:
        """Return the longest line of the wrapped key of a recording, as it lies in keys.db."""
        with closing(sqlite3.connect(self.installation.folder / "vault" / "keys.db")) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name LIKE 'slot_%'")]
            for table in tables:
                sql = f"SELECT slot FROM {table} WHERE recording = ? AND kind = 'header'"
                for (slot,) in db.execute(sql, (recording,)):
                    return bytes(max(slot.rstrip(b"\0").split(b"\n"), key=len))
        raise AssertionError(f"{recording} has no header")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("rights")
    with Asterisk(folder / "pbx", dialplan=DIALPLAN) as asterisk, Agent(asterisk):
        installation = Installation(folder / "app", asterisk, timeout=3, speed=200, lines=LINES)
        installation.prepare()
        with installation:
            told = Story(asterisk, installation)
            told.call(*((who, company) for who in (ANNA, BERT, CARL) for company in LINE))
            told.know()
            yield told


def test_rgt_04_anna_gets_a_copy_of_what_acme_has_and_of_nothing_else(story: Story, tmp_path: Path) -> None:
    request = story.request(ANNA, "acme", "access")
    package, copy = tmp_path / "package.age", tmp_path / "copy"
    story("subject", "access", ANNA, "--controller", "acme", "--request", request, "-o", str(package))
    identity = str(story.installation.identity)
    story("subject", "finish", str(package), "--identity", identity, "--plain", "-o", str(copy))
    told = json.loads((copy / "metadata.json").read_text())
    assert [one["id"] for one in told] == [story.recordings[ANNA, "acme"]]
    (sound,) = [copy / name for name in told[0]["files"] if name.endswith(".wav")]
    assert sound.stat().st_size > TALK * 16_000
    for other in (who_company for who_company in story.recordings if who_company != (ANNA, "acme")):
        assert not files_with(copy, story.recordings[other].encode())
    story("requests", "answer", request, "--note", "You were sent a copy.")


def test_rgt_13_what_rests_on_consent_is_portable(story: Story, tmp_path: Path) -> None:
    request = story.request(ANNA, "acme", "portability")
    package, copy = tmp_path / "package.age", tmp_path / "copy"
    story("subject", "access", ANNA, "--controller", "acme", "--request", request, "-o", str(package))
    words = ("subject", "finish", str(package), "--identity", str(story.installation.identity))
    story(*words, "--portability", "--plain", "-o", str(copy))
    assert story.recordings[ANNA, "acme"] in (copy / "portable.json").read_text()
    story("requests", "answer", request, "--note", "You were sent a file.")


def test_bas_12_what_is_wrong_about_anna_is_corrected_with_its_history(story: Story) -> None:
    id_ = story.recordings[ANNA, "acme"]
    story("recordings", "correct", id_, "--language", "sv", "--reason", "request 3")
    history = story.state(ANNA, "acme")["history"]
    assert any(entry["kind"] == "corrected" and entry["body"]["new"] == "sv" for entry in history)


def test_rgt_10_what_anna_disputes_is_restricted_and_free_again_once_she_is_told(story: Story) -> None:
    id_ = story.recordings[ANNA, "alm"]
    story("recordings", "restrict", id_, "--ground", "accuracy", "--reason", "request 4")
    refused = story("recordings", "export", id_, "--purpose", "documentation", "-o", "-", status=1)
    assert "restricted" in refused
    now = datetime.now(UTC).isoformat(timespec="seconds")
    story("recordings", "unrestrict", id_, "--ground", "accuracy", "--told", now, "--reason", "it is right")
    assert story.state(ANNA, "alm")["restricted"] is False


def test_rgt_14_carl_objects_at_alm_which_restricts_at_once_and_is_decided(story: Story) -> None:
    id_ = story.recordings[CARL, "alm"]
    story("subject", "object", CARL, "--controller", "alm", "--reason", "request 5")
    assert story.state(CARL, "alm")["restricted"] is True
    story("recordings", "decide", id_, "--upheld", "--reason", "nothing weighs more", "--yes")
    assert story.state(CARL, "alm")["state"] == "erased"
    assert story.state(CARL, "acme")["state"] == "sealed"


def test_rgt_11_what_is_held_for_a_claim_outlasts_carls_wish_until_it_is_let_go(story: Story) -> None:
    id_ = story.recordings[CARL, "acme"]
    review = datetime.fromtimestamp(time.time() + 90 * 86_400, UTC).isoformat(timespec="seconds")
    story("recordings", "hold", id_, "--matter", "C-1", "--owner", "legal", "--review", review, "--reason", "a claim")
    certificate = story.json("subject", "erase", CARL, "--controller", "acme", "--reason", "request 6", "--yes")
    assert [one["recording"] for one in certificate["kept"]] == [id_]
    story("recordings", "release", id_, "--matter", "C-1", "--reason", "settled")
    certificate = story.json("subject", "erase", CARL, "--controller", "acme", "--reason", "request 6", "--yes")
    assert [one["recording"] for one in certificate["erased"]] == [id_]


def test_rgt_08_bert_is_forgotten_by_acme_and_the_same_search_that_found_him_finds_nothing(story: Story) -> None:
    id_, pseudonym = story.recordings[BERT, "acme"], story.pseudonym(BERT, "acme")
    header = story.header(id_)
    assert story.found(pseudonym)
    assert story.found(header)
    request = story.request(BERT, "acme", "erasure")
    words = ("subject", "erase", BERT, "--controller", "acme", "--request", request, "--reason", "request 7")
    assert id_ in story(*words, "--dry-run")
    assert story.state(BERT, "acme")["state"] == "sealed"
    certificate = story.json(*words, "--yes")
    assert [one["recording"] for one in certificate["erased"]] == [id_]
    story("requests", "answer", request, "--note", "It is destroyed.")
    assert story.found(header) == []
    assert BERT.encode() not in b"".join(
        path.read_bytes() for path in (story.installation.folder / "vault").glob("*.db*")
    )
    story("subject", "erase", BERT, "--controller", "acme", "--reason", "again", "--yes", status=3)
    assert story.state(BERT, "alm")["state"] == "sealed", "another company's stays"


def test_rgt_08_the_neighbours_recordings_open_and_the_ledger_verifies(story: Story) -> None:
    for who, company in ((ANNA, "acme"), (ANNA, "alm"), (BERT, "alm")):
        identity = story.installation.identity if company == "acme" else story.installation.identity_of(company)
        wav = story.installation.opened(story.recordings[who, company], identity=identity)
        assert wav.stat().st_size > TALK * 16_000
    assert "everything is as it was written" in story("audit", "verify")


def test_con_08_anna_withdraws_by_letter_and_it_is_destroyed_while_the_proof_stays(story: Story) -> None:
    request = story.request(ANNA, "acme", "withdrawal")
    id_ = story.recordings[ANNA, "acme"]
    story("recordings", "erase", id_, "--reason", f"withdrawn, request {request}", "--yes")
    story("requests", "answer", request, "--note", "It is destroyed.")
    assert story.state(ANNA, "acme")["state"] == "erased"
    (decision,) = [row for row in story.installation.json("decisions", "list") if row["recording"] == id_]
    story("decisions", "verify", str(decision["id"]))


def test_rgt_14_who_is_never_to_be_recorded_is_not_at_his_next_call_by_his_pseudonym_alone(story: Story) -> None:
    words = ("subject", "erase", BERT, "--controller", "alm", "--reason", "request 8", "--never-record", "--yes")
    story.json(*words)
    before = len(story.installation.json("recordings", "list"))
    story.call((BERT, "alm"))
    assert len(story.installation.json("recordings", "list")) == before
    assert story.asterisk.db("result")[f"{BERT}-reklamation"] == "unrecorded"


def test_rgt_01_every_request_was_answered_in_time(story: Story) -> None:
    assert "nothing presses" in story("requests", "check")
    rows = story.json("requests", "list", "--all")
    assert {row["state"] for row in rows} == {"answered"}
    assert len(rows) == 4
