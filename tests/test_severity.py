"""The score of ENISA's method: it advises, by its own steps, and takes no other value (BRE-07)."""

import pytest

from gdprcall.errors import ConfigError
from gdprcall.rights import severity
from gdprcall.rights.severity import Band, Inputs, Risk


@pytest.mark.parametrize(
    ("given", "score", "band", "advice"),
    [
        # SE = DPC x EI + CB, worked by hand
        (Inputs(1, 0.25), 0.25, Band.LOW, Risk.NONE),
        (Inputs(2, 1), 2.0, Band.MEDIUM, Risk.RISK),
        (Inputs(2, 0.75, confidentiality=0.25), 1.75, Band.LOW, Risk.NONE),
        (Inputs(2, 1, confidentiality=0.5, malice=True), 3.0, Band.HIGH, Risk.HIGH),
        (Inputs(3, 1, confidentiality=0.25), 3.25, Band.HIGH, Risk.HIGH),
        (Inputs(4, 1), 4.0, Band.VERY_HIGH, Risk.HIGH),
        (Inputs(4, 1, 0.5, 0.5, 0.5, malice=True), 6.0, Band.VERY_HIGH, Risk.HIGH),
        (Inputs(4, 0.25, 0.25, 0.25, 0.25), 1.75, Band.LOW, Risk.NONE),
    ],
)
def test_bre_07_known_cases_have_their_score_band_and_advice(
    given: Inputs, score: float, band: Band, advice: Risk
) -> None:
    told = given.as_json()
    assert (told["score"], told["band"], told["advice"]) == (score, band, advice)


@pytest.mark.parametrize(("below", "at"), [(1.99, 2.0), (2.99, 3.0), (3.99, 4.0)], ids=["medium", "high", "very high"])
def test_bre_07_a_band_begins_at_its_number(below: float, at: float) -> None:
    assert severity.band(below) != severity.band(at)


@pytest.mark.parametrize(
    "given",
    [
        {"context": 5, "identification": 1},
        {"context": 2, "identification": 0.3},
        {"context": 2, "identification": 1, "integrity": 1},
        {"context": True, "identification": 1},
        {"context": "2", "identification": 1},
        {"identification": 1},
    ],
)
def test_bre_07_what_the_method_does_not_know_is_refused_with_its_steps(given: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as error:
        severity.inputs(given)
    assert "one of: " in error.value.hint
