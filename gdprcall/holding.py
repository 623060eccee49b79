"""What holds for new calls, policy, prompts and pseudonym keys, and what of it holds for one call.

It asks nobody and records nothing; of a caller's number it looks at the country alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gdprcall.asterisk.arrival import Arrival, PlayablePrompt
from gdprcall.policy.jurisdiction import as_held, rules_for
from gdprcall.policy.model import Controller, Line, Policy
from gdprcall.prompts.catalogue import Catalogue, Kind, Prompt
from gdprcall.vault import subjects


@dataclass(frozen=True, slots=True)
class Case:
    """What holds for one call: its line, as the stricter of two countries' rules leaves it, and what it is told.

    ``prompt`` is the question of the line, ``notice`` its full notice; None is nothing that can be played now.
    ``stricter`` names the rules that left the line no longer as it is written.
    """

    line: Line
    controller: Controller
    language: str
    policy_sha256: str
    stricter: tuple[str, ...]
    prompt: Prompt | None
    notice: Prompt | None
    number: str | None = field(default=None, repr=False)
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds for new calls: policy, prompts, and the pseudonym key of each controller."""

    policy: Policy
    catalogue: Catalogue
    pseudonym_keys: Mapping[str, bytes]

    def case(self, arrival: Arrival) -> Case:
        """Return what holds for a call on a line of the policy."""
        written = self.policy.lines[arrival.line]
        controller = self.policy.controller_of(written)
        number = subjects.e164(arrival.number, controller.country)
        held = rules_for(self.policy.profiles, written, controller, subjects.region(number))
        line = as_held(written, held)
        language = line.language_for(arrival.language)
        return Case(
            line=line,
            controller=controller,
            language=language,
            policy_sha256=self.policy.sha256(written),
            stricter=held.because,
            prompt=self.catalogue.find(line.id, language, Kind(line.basis)),
            notice=self.catalogue.find(line.id, language, Kind.NOTICE) if line.keys.more else None,
            number=number,
            subject=subjects.pseudonym(self.pseudonym_keys[controller.id], number) if number else None,
        )


def playable(prompt: Prompt | None, language: str) -> PlayablePrompt:
    """Return a prompt as a front end plays it; one that is not there is silence, and is never played."""
    return PlayablePrompt(prompt.media if prompt else "", language, prompt.total_ms if prompt else 0)
