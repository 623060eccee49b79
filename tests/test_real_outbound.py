"""Real calls that go out, by both front ends: who is called is asked before the agent hears him, and each may leave.

All calls of a front end are placed side by side before the first test, on one Asterisk and one daemon each.
"""

import json
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gdprcall import config
from gdprcall.terms import holding
from gdprcall.vault import subjects
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Hangup, Press, Stay, Wait
from tests.pbx.installation import Installation
from tests.pbx.outbound import Call, Plan, lay_music, music, place, site
from tests.pbx.speech import heard, read_wav, reference, whose

pytestmark = pytest.mark.pbx

LINES = """
[lines.offers]
controller = "acme"
purpose = "quality"
basis = "consent"
direction = "outbound"
source = "your order"
languages = ["en"]
more = ""
attempts = 1
timeout_seconds = 2

[lines.survey]
controller = "acme"
purpose = "training"
basis = "consent"
direction = "outbound"
source = "your order"
agent_asks = true
languages = ["en"]
more = ""

[lines.orders]
controller = "acme"
purpose = "regulated_service"
basis = "legal_obligation"
direction = "outbound"
source = "your contract"
law = "Directive 2014/65/EU article 16"
member_state = "EU"
min_retention_days = 1827
retention_days = 1827
must = true
languages = ["en"]
more = ""
timeout_seconds = 1
"""
KEY_SECONDS = 2.0
TALK = 4.0


@dataclass
class Scene:
    """What the calls of one front end left behind."""

    installation: Installation
    asterisk: Asterisk
    heard: Path
    calls: dict[str, Call] = field(default_factory=dict)
    rows: dict[str, dict[str, object]] = field(default_factory=dict)
    decisions: dict[str, dict[str, object]] = field(default_factory=dict)

    def decision(self, name: str) -> dict[str, object] | None:
        """Return the decision of a call, found by Asterisk's own id of the leg that was called."""
        return self.decisions.get(self.asterisk.db("call")[self.calls[name].extension])

    def recording(self, name: str) -> dict[str, object] | None:
        """Return the recording of a call, if there is one."""
        return self.rows.get(str((self.decision(name) or {}).get("recording")))

    def sound(self, name: str) -> Path:
        """Return what was recorded of a call, opened with the public tool."""
        row = self.recording(name)
        assert row is not None
        return self.installation.opened(str(row["id"]))

    def agent_heard(self, name: str) -> Path:
        """Return all that the agent of a call heard, from the answer to the end."""
        return self.heard / f"{self.calls[name].extension}.heard.wav"


def plans(prompt: float, duty: float) -> dict[str, Plan]:
    """Return the calls; ``prompt`` and ``duty`` are how long the prompts last."""
    asked, over = Wait(prompt + 0.8), Wait(prompt + KEY_SECONDS + TALK)
    talks = (Wait(prompt + 1 + TALK), Hangup())
    later = (Wait(prompt + 7), Hangup())
    return {
        "agrees": Plan("offers", talks, [asked, Press("1"), Stay()]),
        "agrees-rfc4733": Plan("offers", talks, [asked, Press("1", rfc4733=True), Stay()]),
        "withdraws": Plan("offers", later, [asked, Press("1"), Wait(2), Press("*9"), Stay()]),
        "refuses": Plan("offers", (Wait(7), Hangup()), [Wait(3), Press("2"), Stay()]),
        "silent": Plan("offers", (over, Hangup()), [Stay()]),
        "agent-leaves": Plan("offers", (Wait(3), Hangup()), [Stay()]),
        "called-leaves": Plan("offers", (Stay(),), [Wait(3), Hangup()]),
        "transferred": Plan("offers", (Stay(),), [asked, Press("1"), Wait(7), Hangup()]),
        "pauses": Plan(
            "offers",
            (Wait(prompt + 3), Press("*7"), Wait(2), Press("*8"), Wait(3), Hangup()),
            [asked, Press("1"), Stay()],
        ),
        "read": Plan("survey", (Wait(2), Press("*41"), Wait(7), Hangup()), [Wait(4), Press("*1"), Stay()]),
        "read-early": Plan("survey", (Wait(5), Hangup()), [Wait(1), Press("*1"), Stay()]),
        "machine": Plan("offers", (Wait(8), Hangup()), [Wait(3), Press("1"), Stay()], amd=True),
        "human": Plan("offers", later, [Wait(2), asked, Press("1"), Stay()], voice="hello", amd=True),
        "duty": Plan("orders", (Wait(duty + 1 + TALK), Hangup()), [Stay()], how="must"),
        "duty-refused": Plan("orders", (Stay(),), [Wait(2), Press("2"), Stay()], how="must"),
        "duty-machine": Plan("orders", (Stay(),), [Stay()], how="must", amd=True),
        "line-for-callers": Plan("support", (Wait(3), Hangup()), [Stay()]),
    }


@contextmanager
def staged(folder: Path, front: str) -> Iterator[tuple[Asterisk, Installation, Path]]:
    """Yield an Asterisk whose agents call out, and a daemon that runs."""
    ears = folder / "ears"
    ears.mkdir()
    entry = "gdprcall-out" if front == "ari" else "gdprcall-out-agi"
    asterisk = Asterisk(folder / "pbx", stasis=front == "ari", dialplan=site(ears, entry))
    lay_music(asterisk)
    with asterisk:
        installation = Installation(folder / "app", asterisk, fronts=[front], lines=LINES)
        installation.prepare()
        with installation:
            yield asterisk, installation, ears


@contextmanager
def played(folder: Path, front: str) -> Iterator[Scene]:
    """Place all calls side by side, and yield what they left."""
    with staged(folder, front) as (asterisk, installation, ears), Agent(asterisk, voice="third"):
        scene = Scene(installation, asterisk, ears)
        lengths = {str(row["line"]): float(str(row["seconds"])) for row in installation.json("prompts", "list")}
        try:
            for number, (name, plan) in enumerate(plans(lengths["offers"], lengths["orders"]).items()):
                scene.calls[name] = place(asterisk, f"0701760{number:03d}", plan)
            transfer(scene)
            problems = {name: call.wait().problem for name, call in scene.calls.items()}
            installation.wait_until_quiet()
        finally:
            for call in scene.calls.values():
                call.stop()
        assert not any(problems.values()), problems
        scene.decisions = {str(row["uniqueid"]): row for row in installation.json("decisions", "list")}
        scene.rows = {str(row["id"]): row for row in installation.json("recordings", "list")}
        yield scene


def bridged(asterisk: Asterisk, call: Call) -> str:
    """Return the agent's channel once he and who is called have met, or nothing."""
    channels = [line.split("!") for line in asterisk.rx("core show channels concise").splitlines()]
    peers = [row[6] for row in channels if len(row) > 7 and row[5] == "Bridge" and row[7] == call.extension]
    return peers[0].split(",")[0] if peers else ""


def met(asterisk: Asterisk, call: Call, seconds: float) -> str:
    """Wait until the two have met, and return the agent's channel."""
    deadline = time.monotonic() + seconds
    while not (channel := bridged(asterisk, call)):
        assert time.monotonic() < deadline, f"they have not met after {seconds} s"
        time.sleep(0.05)
    return channel


def transfer(scene: Scene) -> None:
    """Let the agent of one call hand it over to a third two seconds after the two have met."""
    channel = met(scene.asterisk, scene.calls["transferred"], 30)
    time.sleep(2)
    login = f"Action: Login\r\nUsername: gdprcall\r\nSecret: {scene.asterisk.ami_password}\r\n\r\n"
    action = f"Action: BlindTransfer\r\nChannel: {channel}\r\nContext: agent-side\r\nExten: 300\r\n\r\n"
    with socket.create_connection(("127.0.0.1", scene.asterisk.ami_port)) as ami:
        ami.sendall(f"{login}{action}".encode())
        ami.settimeout(5)
        said = b""
        while b"Transfer succeeded" not in said:
            said += ami.recv(4096)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    contexts = {front: played(tmp_path_factory.mktemp(front), front) for front in ("ari", "agi")}
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        futures = {front: pool.submit(context.__enter__) for front, context in contexts.items()}
        for front, future in futures.items():
            if future.exception() is None:
                stack.push(contexts[front].__exit__)
        yield {front: future.result() for front, future in futures.items()}


@pytest.fixture(scope="module", params=["ari", "agi"])
def scene(request: pytest.FixtureRequest, scenes: dict[str, Scene]) -> Scene:
    return scenes[request.param]


@pytest.mark.parametrize(
    ("name", "outcome", "reason", "state"),
    [
        ("agrees", "granted", "", "sealed"),
        ("agrees-rfc4733", "granted", "", "sealed"),
        ("withdraws", "withdrawn", None, "erased"),
        ("refuses", "refused", "", None),
        ("silent", "timeout", "", None),
        ("agent-leaves", "hangup_in_prompt", "hangup", None),
        ("called-leaves", "hangup_in_prompt", "hangup", None),
        ("transferred", "granted", "", "sealed"),
        ("pauses", "granted", "", "sealed"),
        ("read", "granted", "read", "sealed"),
        ("read-early", "timeout", "not_read", None),
        ("human", "granted", "", "sealed"),
        ("duty", "legal_required", "", "sealed"),
        ("duty-refused", "routed", "", None),
    ],
)
def test_pty_08_who_is_called_is_asked_and_each_answer_ends_as_it_should(
    scene: Scene, name: str, outcome: str, reason: str | None, state: str | None
) -> None:
    decision = scene.decision(name)
    assert decision is not None
    assert decision["outcome"] == outcome
    assert reason is None or decision["reason"] == reason
    assert (scene.recording(name) or {}).get("state") == state


@pytest.mark.parametrize("name", ["agrees", "agrees-rfc4733", "read", "duty"])
def test_pty_08_a_recording_holds_both_voices_and_neither_the_prompt_nor_the_music(scene: Scene, name: str) -> None:
    sound, decision = read_wav(scene.sound(name)), scene.decision(name)
    assert decision is not None
    seconds = whose(sound)
    assert min(seconds.values()) >= 2
    prompt = read_wav(scene.asterisk.sounds / "en" / "gdprcall" / f"{decision['prompt_sha256']}.wav")
    assert (heard(sound, prompt), music(sound)) == (0, 0)


@pytest.mark.parametrize("name", ["agrees", "refuses", "silent"])
def test_pty_08_the_agent_hears_music_until_the_question_is_over_and_nothing_of_it(scene: Scene, name: str) -> None:
    sound, decision = read_wav(scene.agent_heard(name)), scene.decision(name)
    assert decision is not None
    prompt = read_wav(scene.asterisk.sounds / "en" / "gdprcall" / f"{decision['prompt_sha256']}.wav")
    asked = {"refuses": 3.0}.get(name, len(prompt) / 8000)
    assert music(sound) > asked - 0.5
    assert heard(sound, prompt) == 0
    assert heard(sound[: round((asked - 0.5) * 8000)], reference("caller")) == 0
    assert heard(sound[round((asked + 2.5) * 8000) :], reference("caller")) >= 1


@pytest.mark.parametrize("name", ["agent-leaves", "called-leaves"])
def test_pty_08_whoever_leaves_in_the_question_frees_the_other_at_once(scene: Scene, name: str) -> None:
    call = scene.calls[name]
    assert call.apart() < 0.5
    assert call.wait().hung_up_itself is (name == "agent-leaves")


@pytest.mark.parametrize("name", ["duty-refused", "duty-machine"])
def test_bas_05_a_call_that_must_not_be_served_unrecorded_ends_for_both(scene: Scene, name: str) -> None:
    assert scene.calls[name].apart() < 0.5
    assert not scene.calls[name].wait().hung_up_itself


def test_pty_08_no_answering_machine_is_asked_or_recorded(scene: Scene) -> None:
    assert scene.decision("machine") is scene.decision("duty-machine") is None
    told = {(line["line"], line["reason"]) for line in scene.installation.log("machine_answered")}
    assert told == {("offers", "machine"), ("orders", "machine")}
    # He can leave a word.
    assert heard(read_wav(scene.agent_heard("machine")), reference("caller")) >= 3


def test_pty_04_who_was_asked_and_is_handed_over_stays_in_his_call_and_is_recorded_no_more(scene: Scene) -> None:
    called, agent = scene.calls["transferred"].called, scene.calls["transferred"].wait()
    ((ended, hung_up_itself),) = called.ended()
    assert hung_up_itself, "the call went on without the agent"
    assert agent.ended_at is not None
    assert ended - agent.ended_at > 2
    seconds = whose(read_wav(scene.sound("transferred")), ("caller", "agent", "third"))
    assert seconds["third"] == 0
    assert min(seconds["caller"], seconds["agent"]) >= 1


def test_the_agents_codes_work_as_in_a_call_that_came_in(scene: Scene) -> None:
    row = scene.recording("pauses")
    assert row is not None
    assert row["segments"] == 2


def test_sec_03_the_subject_is_who_was_called_and_not_the_agent(scene: Scene) -> None:
    row, number = scene.recording("agrees"), scene.calls["agrees"].number
    assert row is not None
    with closing(sqlite3.connect(scene.installation.folder / "vault" / "index.db")) as index:
        (subject,) = index.execute("SELECT subject FROM recording WHERE id = ?", (row["id"],)).fetchone()
    key = holding(config.load(scene.installation.config)).pseudonym_keys["acme"]
    assert subject == subjects.pseudonym(key, f"+46{number[1:]}")


def test_sec_05_no_number_that_was_called_is_in_the_log_or_the_vault(scene: Scene) -> None:
    vault = scene.installation.folder / "vault"
    files = [scene.installation.log_path, *(path for path in vault.rglob("*") if path.is_file())]
    assert not [path.name for path in files if b"701760" in path.read_bytes()]


def test_what_the_channel_of_who_is_called_says_of_his_number_is_what_the_agent_dialled(scene: Scene) -> None:
    extension = scene.calls["agrees"].extension
    assert scene.asterisk.db("cid")[extension] == f"{extension}/"


def test_inf_06_who_is_called_hears_where_his_number_is_from_before_a_key_counts(scene: Scene) -> None:
    decision = scene.decision("agrees")
    assert decision is not None
    path = scene.installation.folder / "vault" / "prompts" / f"{decision['prompt_sha256']}.json"
    manifest = json.loads(path.read_text())
    assert "We have your number from: your order." in manifest["text"]
    assert int(str(decision["heard_ms"])) >= int(str(decision["mandatory_ms"])) == manifest["mandatory_ms"]


def test_pty_08_a_line_for_callers_asks_nobody_who_is_called(scene: Scene) -> None:
    assert scene.decision("line-for-callers") is None
    assert [line["line"] for line in scene.installation.log("call_unasked")] == ["support"]
    assert heard(read_wav(scene.agent_heard("line-for-callers")), reference("caller")) >= 1


def test_nothing_else_was_recorded_and_the_vault_is_whole(scene: Scene) -> None:
    states = sorted(str(row["state"]) for row in scene.rows.values())
    assert states == ["erased", *["sealed"] * 7]
    assert not scene.installation.log("internal_error")
    assert "everything is as it was written" in scene.installation.cli("audit", "verify").stdout


@pytest.fixture(scope="module", params=["ari", "agi"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Asterisk, Installation]]:
    with staged(tmp_path_factory.mktemp("stage"), request.param) as (asterisk, installation, _):
        yield asterisk, installation


def test_fcl_02_a_daemon_that_freezes_or_dies_in_the_question_costs_what_is_left_of_it_and_three_seconds(
    stage: tuple[Asterisk, Installation],
) -> None:
    asterisk, installation = stage
    rows = {str(row["line"]): float(str(row["seconds"])) for row in installation.json("prompts", "list")}
    question = rows["offers"] + KEY_SECONDS
    for number, how in ((801, signal.SIGSTOP), (802, signal.SIGKILL)):
        plan = Plan("offers", [Wait(question + 8), Hangup()], [Wait(question - 1), Press("1"), Stay()])
        call = place(asterisk, f"0701760{number}", plan)
        try:
            time.sleep(2)
            installation.send(how)
            met(asterisk, call, question + 3 - 2 + 1)
            if how is signal.SIGSTOP:
                installation.send(signal.SIGCONT)
            assert not call.wait().problem
            assert call.wait().hung_up_itself
        finally:
            call.stop()
    installation.ended(5)
    assert not list(asterisk.spool.glob("*.wav"))
    # Dead, it costs nobody anything but the recording; and the agent who leaves still frees who is called.
    call = place(asterisk, "0701760803", Plan("offers", [Wait(2), Hangup()], [Stay()]))
    met(asterisk, call, 1)
    assert not call.wait().problem
    call.stop()
    installation.start()
    # Who froze may note the key that came meanwhile, and then that nothing came of it.
    assert {row["state"] for row in installation.json("recordings", "list")} <= {"not_started"}
