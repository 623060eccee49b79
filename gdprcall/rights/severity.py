"""How severe a breach is, after ENISA's recommendations of 2013: SE = DPC x EI + CB. It advises; a person decides.

It knows no breach and no clock. The test of the law stays "a risk" and "a high risk" (Art. 33(1), 34(1)), not the score.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from gdprcall.errors import ConfigError


class Risk(StrEnum):
    """What a breach means for the persons concerned (Art. 33(1), 34(1))."""

    NONE = "none"
    RISK = "risk"
    HIGH = "high"


class Band(StrEnum):
    """How ENISA calls a score."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    VERY_HIGH = "very_high"


CONTEXTS: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0)
IDENTIFIABLE: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
CIRCUMSTANCES: tuple[float, ...] = (0.0, 0.25, 0.5)
MALICE = 0.5
ADVICE: Mapping[Band, Risk] = {
    Band.LOW: Risk.NONE,
    Band.MEDIUM: Risk.RISK,
    Band.HIGH: Risk.HIGH,
    Band.VERY_HIGH: Risk.HIGH,
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the score is made of.

    ``context`` is the kind of data: 1 simple, 2 of behaviour, 3 financial, 4 sensitive; ``identification`` how easily
    persons are known by it: 0.25 hardly, to 1 at once; the three circumstances are 0, 0.25 or 0.5 each.
    """

    context: float
    identification: float
    confidentiality: float = 0.0
    integrity: float = 0.0
    availability: float = 0.0
    malice: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the inputs with the score, its band and what it advises."""
        value = score(self)
        return asdict(self) | {"score": value, "band": str(band(value)), "advice": str(ADVICE[band(value)])}


def inputs(given: Mapping[str, object]) -> Inputs:
    """Return the inputs that were given; raises ConfigError for a value that the method does not know."""
    steps = {"context": CONTEXTS, "identification": IDENTIFIABLE}
    steps |= dict.fromkeys(("confidentiality", "integrity", "availability"), CIRCUMSTANCES)
    values: dict[str, float] = {}
    for name, allowed in steps.items():
        value = given.get(name, 0.0 if allowed is CIRCUMSTANCES else None)
        if type(value) not in {int, float} or value not in allowed:
            raise ConfigError(f"{name} is no step of the method", f"one of: {', '.join(f'{one:g}' for one in allowed)}")
        values[name] = float(str(value))
    return Inputs(**values, malice=given.get("malice") is True)


def score(given: Inputs) -> float:
    """Return the severity."""
    circumstances = given.confidentiality + given.integrity + given.availability + MALICE * given.malice
    return round(given.context * given.identification + circumstances, 2)


def band(value: float) -> Band:
    """Return the band of a score: below 2, 3 and 4, or above."""
    if value < 2:
        return Band.LOW
    if value < 3:
        return Band.MEDIUM
    return Band.HIGH if value < 4 else Band.VERY_HIGH
