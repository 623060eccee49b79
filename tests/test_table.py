"""The table of the law, cell by cell: what can happen under each basis, and what the simulation then does."""

import asyncio

import pytest

from gdprcall import simulate
from gdprcall.consent import dialogue as d
from gdprcall.consent.table import DRAWN, ENDING, TABLE, Act, Answer, Row
from tests import dialogue_files as files
from tests.test_simulate import FileCaller

FILES = {file.name: file for file in files.read_all()}
COLUMNS = {
    "consent": d.Basis.CONSENT,
    "interest": d.Basis.LEGITIMATE_INTEREST,
    "contract": d.Basis.CONTRACT,
    "obligation": d.Basis.LEGAL_OBLIGATION,
    "vital": d.Basis.VITAL_INTEREST,
}
# what happens: for each column of COLUMNS the dialogue that proves it, how the call was given back, and its outcome
CELLS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "prompt heard, accept key": (
        ("accept", "record", "granted"),
        ("interest-accept", "record", "informed"),
        ("contract-accept", "hold begin", "informed"),
        ("obligation-accept", "record", "legal_required"),
        ("vital-accept", "record", "informed"),
    ),
    "refuse or object key in the prompt": (
        ("refuse-at-once", "release", "refused"),
        ("interest-object-in-prompt", "release", "objected"),
        ("contract-refused", "release", "refused"),
        ("obligation-refused", "route", "routed"),
        ("vital-refused", "record", "informed"),
    ),
    "refuse or object key after the prompt": (
        ("refuse", "release", "refused"),
        ("interest-object-after-prompt", "release", "objected"),
        ("contract-refused", "release", "refused"),
        ("obligation-refused", "route", "routed"),
        ("vital-refused", "record", "informed"),
    ),
    "accept key too early": (
        ("accept-too-early-only", "release", "timeout"),
        ("interest-accept-in-prompt", "record", "informed"),
        ("contract-silence", "hold", "informed"),
        ("obligation-accept-in-prompt", "record", "legal_required"),
        ("vital-silence", "record", "informed"),
    ),
    "silence": (
        ("silence", "release", "timeout"),
        ("interest-silence", "record", "informed"),
        ("contract-silence", "hold", "informed"),
        ("obligation-silence", "record", "legal_required"),
        ("vital-silence", "record", "informed"),
    ),
    "invalid key": (
        ("wrong-key-twice", "release", "invalid"),
        ("interest-wrong-key", "record", "informed"),
        ("contract-wrong-key", "hold", "informed"),
        ("obligation-wrong-key", "record", "legal_required"),
        ("vital-wrong-key", "record", "informed"),
    ),
    "key for the full notice": (
        ("notice-then-accept", "record", "granted"),
        ("interest-notice-objected", "release", "objected"),
        ("contract-notice", "hold", "informed"),
        ("obligation-notice", "record", "legal_required"),
        ("vital-wrong-key", "record", "informed"),
    ),
    "hangup in the prompt": (
        ("hangup-in-prompt", "", "hangup_in_prompt"),
        ("interest-hangup-in-prompt", "", "hangup_in_prompt"),
        ("contract-hangup-in-prompt", "", "hangup_in_prompt"),
        ("obligation-hangup-in-prompt", "", "hangup_in_prompt"),
        ("vital-hangup-in-prompt", "", "hangup_in_prompt"),
    ),
    "prompt missing or failed": (
        ("prompt-missing", "release", "prompt_error"),
        ("interest-prompt-fails", "release", "prompt_error"),
        ("contract-prompt-fails", "release", "prompt_error"),
        ("obligation-prompt-fails", "route", "prompt_error"),
        ("vital-prompt-fails", "record", "informed"),
    ),
    "no keys": (
        ("spoken-yes-without-keys", "hold begin", "granted"),
        ("interest-object-spoken", "record erase", "objected"),
        ("contract-refused-spoken", "hold", "refused"),
        ("obligation-withdrawn", "record", "legal_required"),
        ("vital-withdrawn", "record", "informed"),
    ),
    "withdrawal or objection in mid-call": (
        ("withdrawal", "record erase", "withdrawn"),
        ("interest-object-mid-call", "record erase", "objected"),
        ("contract-withdrawn-in-phase", "hold begin erase", "withdrawn"),
        ("obligation-withdrawn", "record", "legal_required"),
        ("vital-withdrawn", "record", "informed"),
    ),
    "somebody joins": (
        ("party-joins", "record stop", "granted"),
        ("interest-party-joins", "record stop", "informed"),
        ("contract-party-joins", "hold begin stop", "informed"),
        ("obligation-party-joins", "record stop", "legal_required"),
        ("vital-party-joins", "record", "informed"),
    ),
    "somebody in charge ends it": (
        ("stop-asked", "record stop", "granted"),
        ("interest-stop-asked", "record stop", "informed"),
        ("contract-stop-asked", "hold begin stop", "informed"),
        ("obligation-stop-asked", "record", "legal_required"),
        ("vital-stop-asked", "record stop", "informed"),
    ),
    "minor suspected": (
        ("minor", "record erase", "minor"),
        ("interest-minor", "record stop", "minor"),
        ("contract-minor", "hold", "minor"),
        ("obligation-minor", "record", "legal_required"),
        ("vital-minor", "record", "informed"),
    ),
    "private call": (
        ("private-stays", "record stop", "granted"),
        ("interest-private", "record stop", "informed"),
        ("contract-private", "hold", "private"),
        ("obligation-private", "record", "legal_required"),
        ("vital-private", "record", "informed"),
    ),
    "agent without acknowledgement": (
        ("agent-unready", "record erase", "unacknowledged"),
        ("interest-agent-unready", "record erase", "unacknowledged"),
        ("contract-agent-unready", "hold", "unacknowledged"),
        ("obligation-agent-unready", "record", "legal_required"),
        ("vital-agent-unready", "record", "informed"),
    ),
    "disk, link or clock fails at the start": (
        ("not-ready", "release", "system_fail"),
        ("interest-not-ready", "release", "system_fail"),
        ("contract-not-ready", "release", "system_fail"),
        ("obligation-not-ready", "route", "system_fail"),
        ("vital-not-ready", "release", "system_fail"),
    ),
    "the note does not become durable": (
        ("evidence-fails", "release", "system_fail"),
        ("interest-evidence-fails", "release", "system_fail"),
        ("contract-evidence-fails", "hold", "system_fail"),
        ("obligation-evidence-fails", "route", "system_fail"),
        ("vital-evidence-fails", "release", "system_fail"),
    ),
}
PARAMETERS = [
    pytest.param(row, column, *cell, id=f"{column}: {row}")
    for row, cells in CELLS.items()
    for column, cell in zip(COLUMNS, cells, strict=True)
]


@pytest.mark.parametrize(("row", "column", "name", "given_back", "outcome"), PARAMETERS)
def test_each_cell_of_the_law_ends_in_simulation_as_it_says(
    row: str, column: str, name: str, given_back: str, outcome: str
) -> None:
    file = FILES[name]
    assert file.terms.basis is COLUMNS[column], row
    simulation = simulate.Simulation(file.terms, FileCaller(file))
    consent = asyncio.run(simulation.run())
    assert consent.outcome == outcome
    said = [line.split()[1] for line in simulation.lines if line.startswith("<")]
    for verdict in ("record", "hold", "begin", "release", "route", "erase"):
        assert said.count(verdict) == given_back.split().count(verdict), verdict
    assert "stop" in said or "stop" not in given_back


def test_every_basis_has_an_answer_to_everything_that_can_happen() -> None:
    assert set(TABLE) == set(d.Basis)
    assert all(set(column) == set(Row) for column in TABLE.values())


def test_bas_07_public_task_bows_to_an_objection_as_legitimate_interest_does() -> None:
    assert TABLE[d.Basis.PUBLIC_TASK] is TABLE[d.Basis.LEGITIMATE_INTEREST]


def test_a_duty_and_a_life_are_neither_drawn_nor_switched_off() -> None:
    kept = {basis for basis in d.Basis if ENDING[basis] is d.Ending.NONE}
    assert set(d.Basis) - DRAWN == kept == {d.Basis.LEGAL_OBLIGATION, d.Basis.VITAL_INTEREST}


def test_inf_04_the_callers_key_objects_where_the_table_says_that_it_is_an_objection() -> None:
    objected = Answer(Act.DESTROY, d.Outcome.OBJECTED)
    for basis, column in TABLE.items():
        assert (ENDING[basis] is d.Ending.OBJECTION) is (column[Row.WITHDRAWN] == objected)


def test_con_02_consent_alone_is_granted_and_a_duty_alone_is_required() -> None:
    granted = {b for b, c in TABLE.items() for a in c.values() if a.outcome is d.Outcome.GRANTED}
    required = {b for b, c in TABLE.items() for a in c.values() if a.outcome is d.Outcome.LEGAL_REQUIRED}
    assert (granted, required) == ({d.Basis.CONSENT}, {d.Basis.LEGAL_OBLIGATION})
