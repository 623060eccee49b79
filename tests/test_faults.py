"""The tables of faults are what the tests prove, and no more."""

import pytest

from gdprcall.log import EVENTS
from tests import faults


@pytest.mark.parametrize("page", faults.PLACES)
def test_the_tables_of_faults_are_made_of_the_tests(page: str) -> None:
    assert faults.section(page) == faults.table(with_tests=faults.PLACES[page]), "run: make tables"


def test_each_row_names_events_of_the_log_and_a_mend() -> None:
    rows = faults.rows()
    assert len(rows) >= 20
    assert {event for row in rows for event in row.log} <= EVENTS.keys()
    assert all(row.caller and row.recording and row.mend for row in rows)
    assert len({row.what for row in rows}) == len(rows)
