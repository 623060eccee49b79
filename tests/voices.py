"""Policies that say something on every basis, and voices that need no synthesiser, for tests of prompts."""

import array
import math
import struct
from dataclasses import replace
from functools import cache
from pathlib import Path

from gdprcall.policy.model import Basis, Controller, Line, Policy, Purpose
from gdprcall.prompts import catalogue, synthesis, texts
from gdprcall.prompts.studio import Sound

FINISHED = tuple(language for language in texts.LANGUAGES if not texts.is_draft(language))
ACME = Controller("acme", "Acme Telecom", "privacy@acme.example", "SE", "https://acme.example/calls", ("age1",))
SUPPORT = Line("support", "acme", "quality", Basis.CONSENT, FINISHED, 30)
POLICY = Policy({"acme": ACME}, {"support": SUPPORT})
PURPOSE = {
    Basis.CONTRACT: Purpose.CONTRACT_PROOF,
    Basis.LEGAL_OBLIGATION: Purpose.REGULATED_SERVICE,
    Basis.VITAL_INTEREST: Purpose.EMERGENCY,
}


def on(basis: Basis) -> Line:
    """Return a line that may say everything which a basis asks it to say."""
    own = {
        Basis.LEGAL_OBLIGATION: {"law": "MiFID 16(7)"},
        Basis.PUBLIC_TASK: {"law": "Taxlaw 5"},
        Basis.LEGITIMATE_INTEREST: {"interest": "Fewer Mistakes"},
    }
    line = replace(SUPPORT, basis=basis, purpose=PURPOSE.get(basis, Purpose.QUALITY))
    return replace(line, **own.get(basis, {}))


class Tones:
    """A synthesiser that hums: a fifth of a second for each word, its pitch the word's length."""

    name = "tones"

    def __init__(self) -> None:
        self.spoken = 0

    def speak(self, text: str, voice: str) -> synthesis.Speech:
        """Satisfy ``synthesis.Synthesiser``."""
        self.spoken += 1
        return synthesis.Speech(
            {rate: b"".join(_tone(len(word), rate) for word in text.split()) for rate in synthesis.RATES}
        )


@cache
def _tone(letters: int, rate: int) -> bytes:
    samples = [round(9000 * math.sin(place * letters * 600 / rate)) for place in range(rate // 5)]
    return struct.pack(f"<{len(samples)}h", *samples)


def built(folder: Path, policy: Policy = POLICY) -> catalogue.Catalogue:
    """Build the prompts of a policy in a folder, and return its catalogue."""
    catalogue.build(policy, folder / "sounds", folder / "store", Tones())
    return catalogue.Catalogue(policy, folder / "sounds", folder / "store")


def hum(seconds: float, *, peak: int = 9000, rate: int = 16_000, pitch: int = 300) -> Sound:
    """Return a tone as a recording."""
    step = 2 * math.pi * pitch / rate
    return Sound(array.array("h", (round(peak * math.sin(n * step)) for n in range(round(seconds * rate)))), rate)
