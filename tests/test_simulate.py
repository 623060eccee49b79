"""The simulation: the dialogue files and typed keys lead to the same ends as the dialogue itself."""

import asyncio
from dataclasses import replace

import pytest

from gdprcall import simulate
from gdprcall.consent import dialogue as d
from gdprcall.errors import ConfigError, NotFound
from gdprcall.policy.model import Basis, Controller, Direction, Line, Policy
from tests import dialogue_files as files
from tests import policies

ALL = files.read_all()
ACME = Controller("acme", "Acme", "privacy@acme.example", "SE", "https://acme.example", ("age1",))
SUPPORT = Line("support", "acme", "quality", Basis.CONSENT, ("en",), 30)
SURVEY = replace(SUPPORT, id="survey", direction=Direction.OUTBOUND, source="our form", agent_asks=True)
POLICY = Policy({"acme": ACME}, {"support": SUPPORT, "survey": SURVEY})


class FileCaller:
    """Acts out a dialogue file: what stands between two commands happens in the moment of the first."""

    def __init__(self, file: files.DialogueFile) -> None:
        self._blocks: list[tuple[str, list[d.Event]]] = [("arrived", [])]
        for line in file.lines:
            if line.mark == "<":
                self._blocks.append((line.text.split()[0], []))
            elif line.text != "started":
                self._blocks[-1][1].append(files.event(line.text))

    def act(self, moment: simulate.Moment, asked: int) -> list[d.Event]:
        wanted = {
            simulate.Moment.ASKED: {"ask", "explain"},
            simulate.Moment.LISTENING: {"listen"},
            simulate.Moment.NOTING: {"note"},
            simulate.Moment.HELD: {"hold"},
            simulate.Moment.RECORDING: {"record", "begin"},
            simulate.Moment.CONCLUDED: {"stop"},
        }.get(moment, {str(moment)})
        while self._blocks:
            command, events = self._blocks.pop(0)
            if command in wanted:
                if moment is simulate.Moment.HELD and not events:
                    events = self._after_the_note()
                return events + self._afterwards(moment)
        return []

    def _after_the_note(self) -> list[d.Event]:
        return self._blocks.pop(0)[1] if self._blocks and self._blocks[0][0] == "note" else []

    def _afterwards(self, moment: simulate.Moment) -> list[d.Event]:
        if moment is not simulate.Moment.RECORDING:
            return []
        if any(command == "renew" for command, _ in self._blocks):
            return []  # what comes after the contract that now ends happens in the next moment
        later = [event for _, events in self._blocks for event in events]
        self._blocks.clear()
        return [*later, d.Ended()]


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_each_dialogue_file_ends_in_simulation_as_it_says(file: files.DialogueFile) -> None:
    simulation = simulate.Simulation(file.terms, FileCaller(file))
    consent = asyncio.run(simulation.run())
    assert consent.outcome == file.outcome
    ended_later = file.state is d.State.RECORDING and consent.state is d.State.STOPPED
    assert consent.state == file.state or ended_later
    commands = [line for line in simulation.lines if line.startswith("<") and "not started" not in line]
    assert commands == [f"< {line.text}" for line in file.lines if line.mark == "<"]


@pytest.mark.parametrize(
    ("keys", "end"),
    [
        ("1", "= stopped granted"),
        ("2", "= unrecorded refused"),
        ("", "= unrecorded timeout"),
        ("77", "= unrecorded invalid"),
        (".1", "= stopped granted"),
        ("h", "= unrecorded hangup_in_prompt"),
        ("1*9", "= unrecorded withdrawn"),
    ],
)
def test_typed_keys_lead_to_their_outcome(keys: str, end: str) -> None:
    assert simulate.run(POLICY, "support", keys)[-1] == end


@pytest.mark.parametrize(
    ("keys", "contracts", "end"),
    [
        (".", 0, "= unrecorded informed"),
        (".c", 1, "= stopped informed"),
        (".ce", 1, "= concluded informed"),
        (".cece", 2, "= concluded informed"),
        (".cec*9", 2, "= unrecorded withdrawn"),
        (".ce*9c", 1, "= concluded informed"),
        (".cemc", 1, "= stopped minor"),
        (".yyc", 1, "= stopped informed"),
        (".eec", 1, "= stopped informed"),
    ],
)
def test_bas_04_typed_words_of_the_agent_make_one_contract_after_the_other(keys: str, contracts: int, end: str) -> None:
    line = policies.of(Basis.CONTRACT)
    lines = simulate.run(policies.policy(line), line.id, keys)
    assert lines.count("< begin") == contracts
    assert lines[-1] == end


@pytest.mark.parametrize(
    ("keys", "end"),
    [
        ("ya", "= stopped granted"),
        ("yy", "= stopped granted"),
        ("a", "= unrecorded timeout"),
        ("y", "= unrecorded timeout"),
        ("y*9", "= unrecorded refused"),
        ("ya*9", "= unrecorded withdrawn"),
    ],
)
def test_pty_08_where_the_agent_asks_his_word_comes_before_the_key_of_who_is_called(keys: str, end: str) -> None:
    assert simulate.run(POLICY, "survey", keys)[-1] == end


def test_a_granted_decision_without_a_recording_is_noted_as_not_started() -> None:
    file = next(file for file in ALL if file.name == "two-keys-at-once")
    simulation = simulate.Simulation(file.terms, FileCaller(file))
    asyncio.run(simulation.run())
    assert simulation.lines[-1] == "< not started refused"


def test_a_line_that_does_not_exist_is_named() -> None:
    with pytest.raises(NotFound, match="sales"):
        simulate.run(POLICY, "sales", "1")


def test_keys_that_no_telephone_has_are_refused() -> None:
    with pytest.raises(ConfigError):
        simulate.run(POLICY, "support", "1x")
