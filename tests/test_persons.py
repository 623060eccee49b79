"""A number as an operator types it finds the person whom a call of that number left, and nobody else."""

from pathlib import Path

import pytest

from gdprcall import config, persons
from gdprcall.errors import ConfigError, NotFound
from tests.test_cli_exits import Shell


@pytest.fixture
def settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> config.Config:
    shell = Shell(tmp_path, capsys)
    secret = tmp_path / "secrets" / "pseudonym-key-acme"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("k" * 32)
    secret.chmod(0o600)
    return config.load(shell.config)


def test_sec_03_one_number_is_one_person_however_it_is_written(settings: config.Config) -> None:
    written = ["+46 8 123 456 78", "08-12345678", "0046 (8) 12345678"]
    assert len({persons.subject_of(settings, "acme", number) for number in written}) == 1
    assert persons.subject_of(settings, "acme", "+46812345679") != persons.subject_of(settings, "acme", written[0])


@pytest.mark.parametrize("number", ["", "201", "anonymous", "+46 8 123 456 78 ext. 5", "0800 FLOWERS"])
def test_what_stands_for_nobody_is_refused_and_not_repeated(settings: config.Config, number: str) -> None:
    with pytest.raises(ConfigError) as said:
        persons.subject_of(settings, "acme", number)
    assert not number or number not in said.value.message + said.value.hint


def test_a_controller_that_is_not_there_is_told_apart_from_a_person_who_is_not(settings: config.Config) -> None:
    with pytest.raises(NotFound):
        persons.subject_of(settings, "nobody", "+46812345678")
