"""Whose clock a deadline runs by: each country of the law has a time zone that this host knows, and others are warned."""

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gdprcall import config
from gdprcall.rights import workdays
from gdprcall.timing import CAPITALS, Timing
from tests import vaults
from tests.test_cli_exits import CONFIG

EEA = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()


def configured(folder: Path, country: str, more: str = "") -> config.Config:
    path = folder / "gdprcall.toml"
    text = CONFIG.format(folder=folder, recipient=vaults.ACME.recipients[0])
    path.write_text(text.replace('country = "SE"', f'country = "{country}"\n{more}'))
    return config.load(path)


def test_rgt_01_every_country_of_the_eea_and_the_uk_has_a_zone_that_this_host_knows() -> None:
    assert set(CAPITALS) == {*EEA, "GB", "CH"}
    for zone in CAPITALS.values():
        ZoneInfo(zone)


@pytest.mark.parametrize(
    ("country", "more", "timing"),
    [
        ("SE", "", Timing("Europe/Stockholm", 7)),
        ("PT", 'timezone = "Atlantic/Azores"', Timing("Atlantic/Azores", 7)),
        ("US", "remind_days = 14", Timing("UTC", 14)),
        ("US", 'timezone = "America/New_York"', Timing("America/New_York", 7)),
    ],
)
def test_rgt_01_a_controller_has_the_zone_that_it_says_or_that_of_its_capital(
    tmp_path: Path, country: str, more: str, timing: Timing
) -> None:
    settings = configured(tmp_path, country, more)
    assert settings.timings == {"acme": timing}
    warned = [finding.place for finding in settings.warnings if finding.rule == "RGT-01"]
    assert warned == (["controllers.acme.timezone"] if timing.zone == "UTC" else [])


def test_rgt_01_a_reload_brings_the_timing_of_a_controller_and_leaves_the_places(tmp_path: Path) -> None:
    first = configured(tmp_path, "SE")
    other = tmp_path / "other"
    other.mkdir()
    renewed = first.renewed(configured(other, "FI", "remind_days = 3"))
    assert renewed.timings == {"acme": Timing("Europe/Helsinki", 3)}
    assert renewed.policy.controllers["acme"].country == "FI"
    assert renewed.vault == first.vault


@pytest.mark.parametrize(
    ("country", "day", "free"),
    [
        ("SE", "2026-06-06", True),
        ("SE", "2026-06-08", False),
        ("GB", "2026-12-28", True),  # a substitute for Boxing Day, which is a Saturday
        ("DE", "2026-10-03", True),
        ("DE", "2026-11-01", False),  # All Saints, in some of its states
        ("XX", "2026-12-25", False),
    ],
)
def test_rgt_01_a_public_holiday_is_one_of_the_whole_country(country: str, day: str, free: bool) -> None:
    assert workdays.is_holiday(country, date.fromisoformat(day)) is free
