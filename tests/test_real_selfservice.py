"""Real callers who use their rights by telephone: by ARI and by FastAGI, with keys alone, beside callers who are recorded.

What a caller heard is taken from Asterisk's own stream to the telephone, by a recording of the site's.
"""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gdprcall import config
from gdprcall.prompts import telephone
from gdprcall.prompts.store import manifests
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Stay, Step, Wait
from tests.pbx.installation import Installation
from tests.pbx.prepare import ROOT
from tests.pbx.speech import likeness, read_wav

pytestmark = pytest.mark.pbx

PERSON, NEIGHBOUR, STRANGER, OTHER = (f"+4670177000{place}" for place in range(4))
MOMENT = 800
ZONE = ZoneInfo("Europe/Stockholm")
SERVICE = """
[controllers.acme.self_service]
languages = ["en", "sv"]
erasure = "code"
never_record = "number"
"""
DIALPLAN = """
#include ROOT/dialplan/gdprcall-rights.conf
[inbound](+)
; A call that is recorded when it comes for rights.
exten => both,1,Gosub(LINES,s,1(support,may))
 same => n,Set(DB(rights/line)=${GOSUB_RETVAL})
 same => n,Gosub(ENTRY,s,1(acme))
 same => n,Set(DB(rights/both)=${GOSUB_RETVAL})
 same => n,Hangup()
exten => _rights-.,1,Set(NAME=${CUT(EXTEN,-,2)})
 same => n,MixMonitor(FOLDER/both-${NAME}.wav,t(FOLDER/${NAME}.wav))
 same => n,Gosub(ENTRY,s,1(acme))
 same => n,Set(DB(rights/${NAME})=${GOSUB_RETVAL})
 same => n,Hangup()
"""


PROMPT: dict[Path, float] = {}
"""How long the question of the line is, by the Asterisk that plays it."""


@dataclass
class House:
    """One installation, and what its callers heard, by the name of their call."""

    asterisk: Asterisk
    installation: Installation
    ears: Path
    requests: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    kinds: dict[str, list[str]] = field(default_factory=dict)
    states: dict[str, dict[str, str]] = field(default_factory=dict)

    def call(self, name: str, number: str, *steps: Step) -> None:
        """Let somebody use his rights, and look at what the register and the vault say then."""
        plan = [*([Wait(1)] if steps else []), *steps, *([] if Hangup() in steps else [Stay(60)])]
        with Caller(self.asterisk, number, f"rights-{name}", plan, speaks=False) as caller:
            assert caller.wait() == 0, caller.problem()
        self.look(name)

    def look(self, name: str) -> None:
        self.requests[name] = self.installation.json("requests", "list", "--all")
        self.kinds[name] = self.installation.kinds()
        self.states[name] = {str(row["id"]): str(row["state"]) for row in self.installation.json("recordings", "list")}

    def returned(self, name: str) -> str:
        return self.asterisk.db("rights")[name]

    def said(self, name: str, sentence: str) -> bool:
        """Whether a sentence or a digit was heard in a call."""
        settings = config.load(self.installation.config)
        words = telephone.words(settings.policy.controllers["acme"], "en", sentence)
        (prompt,) = [one for one in manifests(settings.prompts) if (one.language, one.text) == ("en", words.text)]
        sound = read_wav(self.asterisk.sounds / "en" / "gdprcall" / f"{prompt.sha256}.wav")
        # Of the last sound of a call its last moment is in no recording.
        return likeness(read_wav(self.ears / f"{name}.wav"), sound[:-MOMENT]) > 0.8

    def owned(self) -> dict[str, set[str]]:
        """Return whose each recording is, by the channels that Asterisk remembers."""
        calls = {uniqueid: number for number, uniqueid in self.asterisk.db("call").items()}
        found: dict[str, set[str]] = {}
        for row in self.installation.json("decisions", "list"):
            found.setdefault(calls.get(str(row["uniqueid"]), PERSON), set()).add(str(row["recording"]))
        return found


@pytest.fixture(scope="module", params=["ari", "agi"])
def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[House]:
    front = str(request.param)
    folder = tmp_path_factory.mktemp(f"rights-{front}")
    ears = folder / "ears"
    ears.mkdir()
    entry = "gdprcall-rights" if front == "ari" else "gdprcall-rights-agi"
    dialplan = DIALPLAN.replace("ROOT", str(ROOT)).replace("FOLDER", str(ears)).replace("ENTRY", entry)
    dialplan = dialplan.replace("LINES", entry.replace("-rights", ""))
    with Asterisk(folder / "pbx", dialplan=dialplan, stasis=front == "ari") as asterisk, Agent(asterisk):
        installation = Installation(folder / "app", asterisk, lines=SERVICE, fronts=(front,))
        installation.prepare()
        with installation:
            house = House(asterisk, installation, ears)
            record(house)
            use_rights(house)
            from_a_recording(house)
            freeze(house)
            installation.stop()
            house.call("dead", OTHER)
            yield house


def record(house: House) -> None:
    """Let three calls be recorded: two of one person, one of a neighbour."""
    (seconds,) = {
        float(str(row["mandatory_seconds"]))
        for row in house.installation.json("prompts", "list")
        if (row["line"], row["language"]) == ("support", "en")
    }
    PROMPT[house.asterisk.folder] = seconds
    steps: list[Step] = [Wait(seconds + 0.7), Press("1"), Wait(3), Hangup()]
    calls = [Caller(house.asterisk, number, "support", steps).start() for number in (PERSON, PERSON, NEIGHBOUR)]
    assert [call.wait() for call in calls] == [0, 0, 0]
    house.installation.wait_for("sealed", 3)
    house.installation.wait_until_quiet()


def use_rights(house: House) -> None:
    """Let the person, his neighbour and strangers call, one after the other and two at once."""
    now = datetime.now(ZONE).strftime("%d%m%H%M")
    house.look("before")
    house.call("access", PERSON, Press("1"))
    (asked,) = house.requests["access"]
    code = json.loads(house.installation.cli("requests", "identify", str(asked["id"]), "--ask", "--json").stdout)[
        "code"
    ]
    wrong = f"{(int(code) + 1) % 10**8:08}"
    house.call("wrong", PERSON, Press("4"), Press(wrong), Press(now), Wait(4), Hangup())
    house.call("foreign", NEIGHBOUR, Press("4"), Press(code), Press(now), Wait(4), Hangup())
    house.call("right", PERSON, Press("4"), Wait(1), Press(code), Wait(1), Press(now), Wait(14), Press("2"))
    house.call("withheld", "")
    house.call("never", NEIGHBOUR, Press("3"))
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(house.call, *one) for one in (("one", STRANGER, Press("1")), ("two", OTHER, Press("2")))]
        for call in both:
            call.result()
    house.call("gone", OTHER, Press("4123"), Hangup())
    house.installation.wait_for("rights_call", 9)
    house.look("after")


def from_a_recording(house: House) -> None:
    """Let a caller be recorded, and then use his rights in the same call, for six seconds."""
    steps: list[Step] = [Wait(PROMPT[house.asterisk.folder] + 0.7), Press("1"), Wait(6), Press("3"), Stay(60)]
    with Caller(house.asterisk, OTHER, "both", steps) as caller:
        assert caller.wait() == 0, caller.problem()
    house.installation.wait_until_quiet()
    house.look("both")


def freeze(house: House) -> None:
    """Let the daemon stand still while a caller is in the menu."""
    with Caller(house.asterisk, STRANGER, "rights-frozen", [Stay(60)], speaks=False) as caller:
        house.installation.wait_until((house.ears / "frozen.wav").exists)
        house.installation.wait_until(lambda: house.asterisk.rx("core show channels concise").count("gdprcall-ask") > 0)
        house.installation.send(signal.SIGSTOP)
        assert caller.wait() == 0, caller.problem()
    house.installation.send(signal.SIGCONT)


def test_rgt_01_a_key_enters_a_request_that_waits_for_the_call_back(house: House) -> None:
    (row,) = house.requests["access"]
    assert (row["type"], row["channel"], row["state"], row["identified_at"]) == ("access", "phone", "open", None)
    assert house.returned("access") == "served"
    assert house.said("access", "callback")
    assert not house.said("access", "kept")


def test_rgt_03_a_wrong_code_is_counted_and_told_nothing(house: House) -> None:
    assert house.kinds["wrong"].count("request_tried") == 1
    assert house.requests["wrong"][0]["state"] == "waiting"
    assert house.said("wrong", "unconfirmed")
    assert not house.said("wrong", "kept")


def test_rgt_03_the_code_of_somebody_else_is_worth_nothing_and_counts_nowhere(house: House) -> None:
    assert house.kinds["foreign"].count("request_tried") == 1
    assert house.said("foreign", "unconfirmed")
    assert not house.said("foreign", "kept")


def test_rgt_03_the_right_code_and_the_time_of_a_call_open_the_count(house: House) -> None:
    rows = {row["type"]: row for row in house.requests["right"]}
    assert rows["access"]["method"] == "callback"
    assert rows["access"]["identified_at"] is not None
    assert house.said("right", "kept")
    assert house.said("right", "2"), "so many are kept"
    assert house.said("right", "until")


def test_rgt_08_erasure_is_carried_out_and_the_neighbours_recordings_stay(house: House) -> None:
    owned = house.owned()
    states = house.states["after"]
    assert len(states) == 3
    assert {states[id_] for id_ in owned[NEIGHBOUR]} == {"sealed"}
    assert sorted(states.values()) == ["erased", "erased", "sealed"]
    assert set(house.states["wrong"].values()) == set(house.states["foreign"].values()) == {"sealed"}
    erasure = next(row for row in house.requests["right"] if row["type"] == "erasure")
    assert (erasure["state"], erasure["method"]) == ("answered", "callback")
    assert house.said("right", "erased")
    assert house.returned("right") == "served"


def test_rgt_03_who_withholds_his_number_is_told_to_write(house: House) -> None:
    assert house.said("withheld", "withheld")
    assert house.said("withheld", "write")
    assert house.returned("withheld") == "unserved"
    assert len(house.requests["withheld"]) == len(house.requests["right"])


def test_rgt_14_never_to_be_recorded_is_carried_out_on_the_number(house: House) -> None:
    assert house.said("never", "never")
    assert house.kinds["never"].count("never_record") == 1
    assert house.returned("never") == "served"


def test_rgt_01_two_callers_at_once_have_a_request_each(house: House) -> None:
    new = [row for row in house.requests["after"] if row["id"] not in {one["id"] for one in house.requests["never"]}]
    assert sorted(str(row["type"]) for row in new) == ["access", "erasure"]
    assert house.returned("one") == house.returned("two") == "served"


def test_fcl_01_with_the_daemon_dead_the_call_comes_back_unserved_at_once(house: House) -> None:
    assert house.returned("dead") == "unserved"


def test_fcl_01_with_the_daemon_frozen_the_watchdog_frees_the_caller_unserved(house: House) -> None:
    assert house.returned("frozen") == "unserved"
    assert not house.said("frozen", "write")


def test_con_01_a_recording_that_runs_ends_before_its_caller_uses_his_rights(house: House) -> None:
    assert (house.asterisk.db("rights")["line"], house.returned("both")) == ("recorded", "served")
    (new,) = house.states["both"].keys() - house.states["after"].keys()
    (row,) = [row for row in house.installation.json("recordings", "list") if row["id"] == new]
    assert float(str(row["seconds"])) < 1, "six seconds and more were spoken after it"


def test_sec_05_the_log_has_one_line_for_each_call_and_no_number_code_or_key(house: House) -> None:
    text = house.installation.log_path.read_text()
    for secret in (PERSON, NEIGHBOUR, STRANGER, OTHER, PERSON[1:], STRANGER[3:]):
        assert secret not in text
    outcomes = [str(line["outcome"]) for line in house.installation.log("rights_call")][:9]
    told = [
        "entered",
        "unconfirmed",
        "unconfirmed",
        "erased",
        "withheld",
        "never_record",
        "entered",
        "entered",
        "nothing",
    ]
    assert outcomes == told
    assert house.installation.log("internal_error") == house.installation.log("rights_failed") == []


def test_con_01_nothing_of_these_calls_is_recorded_by_us(house: House) -> None:
    assert len(house.states["after"]) == len(house.states["before"]) == 3
    assert house.kinds["after"].count("decision") == house.kinds["before"].count("decision")
    assert list(house.asterisk.spool.glob("*.wav")) == []
