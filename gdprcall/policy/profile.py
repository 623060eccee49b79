"""What a country or a sector adds to the GDPR, as values; the data are the files of profiles/.

It knows no country by name and judges nothing: what a rule of a profile means for a line is said in jurisdiction.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Backing(StrEnum):
    """How a rule is known. What nobody has read in the law or in a quotation of it refuses nothing: it warns."""

    READ = "read"
    QUOTED = "quoted"
    SECOND_HAND = "second_hand"
    MEMORY = "memory"

    @property
    def severity(self) -> str:
        """How hard a rule that is known so well may be."""
        return "refuse" if self in {Backing.READ, Backing.QUOTED} else "warn"


class Kind(StrEnum):
    """What a rule of a profile demands."""

    CONSENT = "consent"
    """Only consent will do, whatever the line says."""
    BASIS = "basis"
    """Only the bases of ``allowed`` will do."""
    REASON = "reason"
    """Another proof must not exist, and the line says why it does not."""
    NOT_ALL = "not_all"
    """Not every call: a part of them."""
    AT_MOST = "at_most"
    """Kept for ``days`` at most."""
    AT_LEAST = "at_least"
    """Kept for ``days`` at least."""
    MUST = "must"
    """No call is served unrecorded."""
    AGENTS = "agents"
    """The agent has agreed or was told, and the line says by what."""
    LANGUAGE = "language"
    """Asked in one of ``allowed``."""
    NOT_PASSED_ON = "not_passed_on"
    """Handed to nobody else without consent."""
    REGIME = "regime"
    """Under the regime of ``allowed``."""
    PAUSE = "pause"
    """The recording can be paused."""
    TOLD = "told"
    """Callers hear, or find in the notice, what ``text`` says; a person has to see to it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with where it is from; empty ``purposes`` or ``bases`` mean all of them."""

    kind: Kind
    text: str
    mend: str
    article: str
    backing: Backing
    source: str
    date: str
    purposes: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    days: int = 0

    def concerns(self, purpose: str, basis: str) -> bool:
        """Return whether a line with this purpose and basis is meant."""
        return (not self.purposes or purpose in self.purposes) and (not self.bases or basis in self.bases)


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules of one country, or of a sector (then ``countries`` is empty, and a line names it)."""

    id: str
    name: str
    countries: tuple[str, ...]
    rules: tuple[Rule, ...]

    @property
    def requirement(self) -> str:
        """The id that findings cite."""
        return f"PRF-{self.id}"


@dataclass(frozen=True, slots=True)
class Profiles:
    """All profiles that are known, by id."""

    by_id: Mapping[str, Profile] = field(default_factory=dict)

    def of_country(self, country: str) -> Profile | None:
        """Return the profile of a country (ISO 3166), or None if nothing is known of it."""
        return next((profile for profile in self.by_id.values() if country in profile.countries), None)

    @property
    def sectors(self) -> tuple[str, ...]:
        """The profiles that a line may name."""
        return tuple(sorted(profile.id for profile in self.by_id.values() if not profile.countries))

    @property
    def countries(self) -> tuple[Profile, ...]:
        """The profiles of countries."""
        return tuple(profile for profile in self.by_id.values() if profile.countries)
