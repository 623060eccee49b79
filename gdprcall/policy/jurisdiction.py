"""Which country's rules hold for a line and for one call, and what the profiles say against a line.

Of a caller it is told the country alone, never the number; of what it knows nothing it assumes the strictest.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gdprcall.policy.bases import EEA
from gdprcall.policy.finding import Finding, refuse, warn
from gdprcall.policy.model import Basis, Controller, Line, Regime
from gdprcall.policy.profile import Kind, Profile, Profiles, Rule

REPLACED = frozenset({Basis.CONTRACT, Basis.PUBLIC_TASK, Basis.LEGITIMATE_INTEREST})
"""The bases in whose place a country may want consent; a legal obligation and a life in danger stay what they are."""
STRICTEST = "strictest"


@dataclass(frozen=True, slots=True)
class Held:
    """What holds for one call: the basis, the longest retention, whose profiles were asked, and what made it stricter."""

    basis: Basis
    retention_days: int
    countries: tuple[str, str]
    profiles: tuple[str, ...]
    because: tuple[str, ...]


def rules_for(profiles: Profiles, line: Line, controller: Controller, caller_country: str) -> Held:
    """Return what holds for a call: the stricter of the controller's and the caller's rules; "" is an unknown country."""
    asked: list[str] = []
    because: list[str] = []
    basis, days = line.basis, line.retention_days
    for country in dict.fromkeys((controller.country, caller_country)):
        known = profiles.of_country(country)
        asked.append(known.id if known else STRICTEST)
        for source in [known] if known else [*profiles.countries]:
            for rule in source.rules:
                if rule.kind is Kind.AT_MOST and rule.concerns(line.purpose, line.basis) and rule.days < days:
                    days = rule.days
                    because.append(source.requirement)
        if basis in REPLACED and _asks(known, line, country):
            basis = Basis.CONSENT
            because.append(known.requirement if known else "BAS-09")
    # What a law wants kept is kept, whoever calls.
    days = max(days, line.min_retention_days)
    countries = (controller.country, caller_country)
    return Held(basis, days, countries, tuple(dict.fromkeys(asked)), tuple(dict.fromkeys(because)))


def with_consent(line: Line) -> Line:
    """Return a line as it is where stricter rules want consent; its full notice, which names its own basis, is left out."""
    return replace(line, basis=Basis.CONSENT, keys=replace(line.keys, more=""))


def as_held(line: Line, held: Held) -> Line:
    """Return a line as it holds for one call."""
    asked = line if held.basis is line.basis else with_consent(line)
    return asked if held.retention_days == asked.retention_days else replace(asked, retention_days=held.retention_days)


def _asks(known: Profile | None, line: Line, country: str) -> bool:
    """Return whether a country wants the caller asked, where the line would not ask."""
    if line.override is not None and country in line.override.countries:
        return False
    if known is None:
        return True
    return any(
        rule.kind is Kind.CONSENT or (rule.kind is Kind.REASON and not line.no_other_proof_reason.strip())
        for rule in known.rules
        if rule.concerns(line.purpose, line.basis)
    )


def controller(controller: Controller, profiles: Profiles, place: str) -> Iterator[Finding]:
    """Yield what is wrong with the regime that a controller is said to be under."""
    if controller.regime is Regime.UK_GDPR and controller.country in EEA:
        text = "a controller in the Union is under the Union's GDPR"
        yield refuse("BAS-09", f"{place}.regime", text, 'write regime = "EU_GDPR"')
    own = profiles.of_country(controller.country)
    for rule in own.rules if own else ():
        if rule.kind is Kind.REGIME and controller.regime not in rule.allowed:
            yield _broken(rule, own, f"{place}.regime")


def line(line: Line, owner: Controller, profiles: Profiles, place: str) -> Iterator[Finding]:
    """Yield what the controller's country and the sectors of a line have against it."""
    own = profiles.of_country(owner.country)
    if own is None and profiles.by_id and line.basis in REPLACED and not _overridden(line, owner.country):
        text = (
            f"nothing is known of the law of {owner.country}: callers are asked for consent, as where it is strictest"
        )
        yield warn("BAS-09", f"{place}.basis", text, "have a lawyer write that it need not be, and name it in override")
    chosen = []
    for id_ in line.profiles:
        sector = profiles.by_id.get(id_)
        if sector is None or sector.countries:
            mend = f"name some of: {', '.join(profiles.sectors)}; a country's profile comes with the controller"
            yield refuse("BAS-09", f"{place}.profiles", f"there is no sector {id_!r}", mend)
        else:
            chosen.append(sector)
    for profile in [*([own] if own else []), *chosen]:
        for rule in profile.rules:
            if rule.concerns(line.purpose, line.basis):
                yield from _against(rule, profile, line, owner, place)


def _overridden(line: Line, country: str) -> bool:
    return line.override is not None and country in line.override.countries


def _against(rule: Rule, profile: Profile, line: Line, owner: Controller, place: str) -> Iterator[Finding]:
    broken = _broken_at(rule, line, owner)
    if rule.kind is Kind.CONSENT and _overridden(line, owner.country):
        return
    if broken:
        yield _broken(rule, profile, f"{place}.{broken}", line)


def _broken_at(rule: Rule, line: Line, owner: Controller) -> str:
    """Return the field of a line that breaks a rule, or nothing."""
    agents = line.agents.basis
    broken = {
        Kind.CONSENT: ("basis", line.basis in REPLACED),
        Kind.BASIS: ("basis", line.basis not in rule.allowed),
        Kind.REASON: ("no_other_proof_reason", not line.no_other_proof_reason.strip()),
        Kind.NOT_ALL: ("sample_rate", line.sample_rate >= 1),
        Kind.AT_MOST: ("retention_days", line.retention_days > rule.days),
        Kind.AT_LEAST: ("min_retention_days", line.min_retention_days < rule.days),
        Kind.MUST: ("must", not line.must),
        Kind.AGENTS: ("agents", agents is not None and agents not in rule.allowed),
        Kind.LANGUAGE: ("languages", not {tag.split("-")[0] for tag in line.languages} & set(rule.allowed)),
        Kind.NOT_PASSED_ON: ("basis", bool(owner.disclosed_to) and line.basis is not Basis.CONSENT),
        Kind.PAUSE: ("pause", not line.keys.pause),
    }
    field, is_broken = broken.get(rule.kind, ("", False))
    return field if is_broken else ""


def _broken(rule: Rule, profile: Profile | None, place: str, line: Line | None = None) -> Finding:
    # A legitimate interest where only consent will do is a fault of the basis first, and of the country second.
    of_basis = rule.kind is Kind.CONSENT and line is not None and line.basis is Basis.LEGITIMATE_INTEREST
    requirement = "BAS-08" if of_basis else profile.requirement if profile else "BAS-09"
    return Finding(requirement, place, rule.backing.severity, rule.text, rule.mend, rule.article)
