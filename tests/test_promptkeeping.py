"""What of the prompts may go: only what neither a line nor any proof refers to."""

from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall import operations
from gdprcall.errors import ConfigError, Refused
from gdprcall.policy.selfservice import SelfService
from gdprcall.prompts import catalogue, store
from gdprcall.prompts.store import Prompt
from gdprcall.prompts.texts import Kind as Said
from gdprcall.vault.ledger import Fact, Kind
from tests.test_operations import ask, asked
from tests.vaults import opened
from tests.voices import Tones


def two_generations(context: operations.Context) -> tuple[Prompt, list[Prompt]]:
    """Build the prompts of a policy that is gone, and of today's; return an old question and all old prompts."""
    config = context.config
    line = config.policy.lines["support"]
    before = replace(config.policy, lines={"support": replace(line, retention_days=399)})
    catalogue.build(before, config.asterisk.sounds, config.prompts, Tones())
    old = catalogue.Catalogue(before, config.asterisk.sounds, config.prompts).find("support", "en")
    catalogue.build(config.policy, config.asterisk.sounds, config.prompts, Tones())
    now = {text for _, text in catalogue.now_said(config.policy)}
    assert old is not None
    return old, [prompt for prompt in store.manifests(config.prompts) if prompt.text not in now]


def shas(answer: object) -> set[str]:
    assert isinstance(answer, list)
    return {row["sha256"] for row in answer}


def test_what_nothing_refers_to_is_named_and_then_removed_everywhere(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        context = asked(vault, tmp_path)
        _, gone = two_generations(context)
        assert shas(ask(context, "prompts/purge", dry_run=True)) == {prompt.sha256 for prompt in gone}
        assert len(gone) == 2, "the question and the full notice; the confirmation is the same"
        assert shas(ask(context, "prompts/purge")) == {prompt.sha256 for prompt in gone}
        left = [
            path.name
            for folder in (context.config.prompts, context.config.asterisk.sounds)
            for path in folder.rglob("*.*")
        ]
        assert not [name for name in left for prompt in gone if name.startswith(prompt.sha256)]
        config = context.config
        assert list(catalogue.Catalogue(config.policy, config.asterisk.sounds, config.prompts).lacking()) == []
        assert ask(context, "prompts/purge") == []


def test_con_04_what_a_proof_refers_to_stays_wherever_in_it_that_stands(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        context = asked(vault, tmp_path)
        old, gone = two_generations(context)
        vault.submit(
            Fact(Kind.DECISION, None, "acme", {"outcome": "refused", "played": [{"prompt": old.sha256}]})
        ).result()
        assert shas(ask(context, "prompts/purge", dry_run=True)) == {prompt.sha256 for prompt in gone} - {old.sha256}
        ask(context, "prompts/purge")
        assert (context.config.prompts / f"{old.sha256}.wav").exists()
        assert (context.config.prompts / f"{old.sha256}.json").exists()


def test_a_prompt_of_today_stays_also_when_asterisk_has_lost_it(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        context = asked(vault, tmp_path)
        config = context.config
        catalogue.build(config.policy, config.asterisk.sounds, config.prompts, Tones())
        for sound in config.asterisk.sounds.rglob("*.wav"):
            sound.unlink()
        assert ask(context, "prompts/purge", dry_run=True) == []


def test_nothing_goes_while_callers_are_asked(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        context = replace(asked(vault, tmp_path), live=lambda: {"asking": 1})
        _, gone = two_generations(context)
        with pytest.raises(Refused, match="being asked"):
            ask(context, "prompts/purge")
        assert (context.config.prompts / f"{gone[0].sha256}.wav").exists()


def test_whether_something_goes_is_never_guessed(tmp_path: Path) -> None:
    with opened(tmp_path) as vault, pytest.raises(ConfigError, match="neither true nor false"):
        ask(asked(vault, tmp_path), "prompts/purge", dry_run="no")


def test_nothing_goes_while_the_ledger_is_in_doubt(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        context = asked(vault, tmp_path)
        two_generations(context)
        vault.ledger.distrust("it was changed")
        with pytest.raises(Refused, match="ledger"):
            ask(context, "prompts/purge", dry_run=True)


def test_what_is_said_of_rights_by_telephone_is_kept_as_long_as_it_is_offered(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        context = asked(vault, tmp_path)
        config = context.config
        policy = replace(config.policy, self_service={"acme": SelfService(("sv",))})
        catalogue.build(policy, config.asterisk.sounds, config.prompts, Tones())
        said = {one.sha256 for one in store.manifests(config.prompts) if one.kind is Said.TELEPHONE}
        offering = replace(context, config=replace(config, policy=policy))
        assert said
        assert shas(ask(offering, "prompts/purge", dry_run=True)) & said == set()
        assert said <= shas(ask(context, "prompts/purge", dry_run=True))
