"""Whether recordings can be opened: who is known to hold an identity, and whether that was shown lately. It opens nothing."""

from collections.abc import Iterator

from gdprcall.config import Config
from gdprcall.custody.recipients import CANARY_DAYS, ENROL_HINT, Standing, standing
from gdprcall.doctor.finding import OK, WARN, Finding
from gdprcall.errors import VaultError
from gdprcall.times import Clock, now_ms
from gdprcall.vault import holders
from gdprcall.vault.keys import fingerprint


def examine(config: Config, clock: Clock = now_ms) -> Iterator[Finding]:
    """Yield how each controller's recipients stand."""
    try:
        found = standing(config.policy, holders.read(config.vault))
    except VaultError as error:
        yield Finding("recipients", WARN, f"who holds identities is not known: {error.message}", error.hint)
        return
    for id_ in config.policy.controllers:
        mine = [one for one in found if one.controller == id_]
        warnings = list(_warnings(id_, mine, clock()))
        yield from warnings
        if not warnings:
            yield Finding(f"recipients of {id_}", OK, f"{len(mine)} enrolled, each opened something lately")


def _warnings(controller: str, mine: list[Standing], now: int) -> Iterator[Finding]:
    check = f"recipients of {controller}"
    if len(mine) == 1:
        text = "there is one alone: who loses its identity loses the recordings"
        yield Finding(check, WARN, text, "add one for escrow, whose identity lies elsewhere: gdprcall keys rotate")
    for one in mine:
        name = f"{fingerprint(one.recipient)} ({one.role})"
        if one.enrolled_at is None:
            text = f"{name} is not enrolled: nobody has shown to hold its identity"
            yield Finding(check, WARN, text, ENROL_HINT.format(controller))
        elif one.stale(now):
            text = f"{name} has opened nothing for more than {CANARY_DAYS} days"
            yield Finding(check, WARN, text, f"gdprcall keys canary {controller} -o DIR")
