"""The doctor on custody: who is not enrolled, who is alone, and who opened nothing for long. It opens no vault."""

import json
from pathlib import Path

import pytest

from gdprcall.doctor import custody
from gdprcall.doctor.finding import OK, WARN, Finding
from gdprcall.times import DAY_MS
from tests.test_custody import Desk
from tests.vaults import ACME, DAY_ONE, Clock


def examined(desk: Desk, now: int = DAY_ONE) -> list[Finding]:
    return list(custody.examine(desk.config, Clock(now)))


def test_until_somebody_enrolled_each_recipient_is_warned_of_with_the_mend(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.close()
    found = examined(desk)
    assert [finding.grade for finding in found] == [WARN, WARN]
    assert ["operational" in found[0].text, "escrow" in found[1].text] == [True, True]
    assert found[0].mend == "gdprcall keys enrol acme RECIPIENT -o FILE"


def test_one_recipient_alone_is_a_risk_that_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ACME.recipients[:1])
    desk.close()
    assert "there is one alone" in examined(desk)[0].text


def test_each_recipient_that_opened_nothing_for_31_days_is_warned_of(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.enrol()
    assert [(finding.grade, finding.check) for finding in examined(desk)] == [(OK, "recipients of acme")]
    desk.clock.now = DAY_ONE + 20 * DAY_MS
    text = ACME.opens(desk.challenge(ACME.recipients[1], "canary").encode(), 1).decode()
    desk.answer(text, "canary")
    desk.close()
    assert examined(desk, DAY_ONE + 31 * DAY_MS)[0].grade is OK
    (found,) = examined(desk, DAY_ONE + 31 * DAY_MS + 1)
    assert ("(operational)" in found.text, "31 days" in found.text, found.mend) == (
        True,
        True,
        "gdprcall keys canary acme -o DIR",
    )


def test_a_vault_that_is_not_there_yet_knows_nobody_and_stays_not_there(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.close()
    (tmp_path / "vault").rename(tmp_path / "away")
    assert {finding.grade for finding in examined(desk)} == {WARN}
    assert not (tmp_path / "vault").exists()


@pytest.mark.parametrize("content", [b"", b"no database at all, not at all" * 40])
def test_an_index_that_cannot_be_read_is_told_and_nothing_is_raised(tmp_path: Path, content: bytes) -> None:
    desk = Desk(tmp_path)
    desk.close()
    for path in (tmp_path / "vault").glob("index.db*"):
        path.unlink()
    (tmp_path / "vault" / "index.db").write_bytes(content)
    found = examined(desk)
    assert {finding.grade for finding in found} == {WARN}
    assert json.dumps([finding.as_json() for finding in found])
