"""What a breach means for the persons: whether they must be told (BRE-06), and how the risk is weighed (BRE-07)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gdprcall.errors import ConfigError, Refused
from tests import vaults
from tests.breachhouse import House, decided, house


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("encrypted", "keys", "fits"),
    [
        ("yes", "safe", True),
        ("yes", "unknown", False),
        ("yes", "compromised", False),
        ("no", "safe", False),
        (None, None, False),
    ],
)
def test_bre_06_that_nobody_can_read_it_is_claimed_only_while_the_keys_are_safe(
    place: House, encrypted: str | None, keys: str | None, fits: bool
) -> None:
    id_ = place.open("own")
    if encrypted:
        place("update", id=id_, fields={"encrypted": encrypted, "key_state": keys})
    claim = {"exemption": "unintelligible", "evidence": "the keys are in the safe"}
    if not fits:
        with pytest.raises(Refused, match="34\\(3\\)\\(a\\)"):
            decided(place, id_, "high", **claim)
        return
    decided(place, id_, "high", **claim)
    assert [one["to"] for one in place.show(id_)["duties"]] == ["authority"]
    place("update", id=id_, fields={"key_state": "compromised"})
    assert [one["to"] for one in place.show(id_)["duties"]] == ["authority", "persons"]


def test_bre_06_an_exemption_needs_its_evidence(place: House) -> None:
    with pytest.raises(ConfigError, match="evidence"):
        decided(place, place.open("own"), "high", exemption="mitigated")


def test_bre_06_many_that_cannot_each_be_told_are_told_in_public(place: House) -> None:
    id_ = place.open("own")
    decided(place, id_, "high", exemption="disproportionate", evidence="no addresses are known")
    place("notify", id=id_, to="public", text="in the newspaper")
    assert place.duty(id_, "public")["done"] is not None


def test_bre_06_how_many_persons_were_told_is_noted(place: House) -> None:
    id_ = place.open("own")
    decided(place, id_, "high")
    with pytest.raises(ConfigError, match="how many"):
        place("notify", id=id_, to="persons", text="t")
    place("notify", id=id_, to="persons", text="t", count=214)
    assert place.show(id_)["told"][0]["count"] == 214


def test_bre_07_a_decision_against_the_advice_needs_its_reason(place: House) -> None:
    id_ = place.open("own")
    weighed = place("assess", id=id_, context=4, identification=1)["severity"]
    assert (weighed["score"], weighed["advice"]) == (4, "high")
    assert place.show(id_)["risk"] is None
    with pytest.raises(Refused, match="advises high"):
        place("assess", id=id_, context=4, identification=1, risk="none", reason="x")
    place("assess", id=id_, context=4, identification=1, risk="none", reason="x", override="they were test calls")
    shown = place.show(id_)
    assert (shown["risk"], shown["fields"]["override"]) == ("none", "they were test calls")
    assert shown["duties"] == []


def test_bre_07_the_lines_concerned_and_the_keys_propose_the_score(tmp_path: Path) -> None:
    art9 = (
        '[lines.clinic]\ncontroller = "own"\npurpose = "quality"\nbasis = "consent"\nlanguages = ["en"]\nart9 = true\n'
    )
    art9 += 'art9_condition = "a"\nart9_content = "your health"\n'
    with house(tmp_path, art9) as place:
        vaults.sealed(place.vault, tmp_path / "spool", 50, controller=vaults.Controller("own", 3), line="clinic")
        (one,) = place("open", scope={"recordings": [vaults.recording_id(50)]})["breaches"]
        weighed = place("assess", id=one["id"])["severity"]
        assert (weighed["context"], weighed["identification"]) == (4, 1)
        place("update", id=one["id"], fields={"encrypted": "yes", "key_state": "safe", "kinds": ["confidentiality"]})
        weighed = place("assess", id=one["id"])["severity"]
        assert (weighed["identification"], weighed["confidentiality"], weighed["score"]) == (0.25, 0.25, 1.25)
