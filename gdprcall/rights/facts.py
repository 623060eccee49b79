"""The fields of the register of breaches: what each holds, which article wants it, and how a value is read (law: Art. 33(3), 33(5)).

It reads no row and knows no clock but that of a zone.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

from gdprcall.errors import ConfigError
from gdprcall.times import rfc3339

LONGEST = 4000


class Shape(StrEnum):
    """What a field holds."""

    TEXT = "text"
    TIME = "time"
    COUNT = "count"
    CHOICE = "choice"
    CHOICES = "choices"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its shape, what may stand in it, and the article that asks for it."""

    shape: Shape
    article: str
    choices: tuple[str, ...] = ()


YES_NO = ("yes", "no", "unknown")
KINDS = ("confidentiality", "integrity", "availability")
EXEMPTIONS = ("none", "unintelligible", "mitigated", "disproportionate")
FIELDS: Mapping[str, Field] = {
    "kinds": Field(Shape.CHOICES, "Art. 4(12)", KINDS),
    "occurred_from": Field(Shape.TIME, "Art. 33(5)"),
    "occurred_until": Field(Shape.TIME, "Art. 33(5)"),
    "detected_at": Field(Shape.TIME, "Art. 33(5)"),
    "detected_by": Field(Shape.TEXT, "Art. 33(5)"),
    "investigated_from": Field(Shape.TIME, "Art. 33(5)"),
    "facts": Field(Shape.TEXT, "Art. 33(3)(a), 33(5)"),
    "cause": Field(Shape.TEXT, "Art. 33(5)"),
    "systems": Field(Shape.TEXT, "Art. 33(5)"),
    "who": Field(Shape.CHOICES, "Art. 33(3)(a)", ("callers", "callees", "agents", "third_persons")),
    "persons": Field(Shape.COUNT, "Art. 33(3)(a)"),
    "records": Field(Shape.COUNT, "Art. 33(3)(a)"),
    "data": Field(
        Shape.CHOICES,
        "Art. 33(3)(a)",
        ("voices", "content", "numbers", "times", "decisions", "keys"),
    ),
    "special": Field(Shape.CHOICE, "Art. 9(1)", YES_NO),
    "children": Field(Shape.CHOICE, "Art. 8", YES_NO),
    "encrypted": Field(Shape.CHOICE, "Art. 34(3)(a)", ("yes", "partly", "no", "unknown")),
    "key_state": Field(Shape.CHOICE, "Art. 34(3)(a)", ("safe", "compromised", "unknown")),
    "consequences": Field(Shape.TEXT, "Art. 33(3)(c)"),
    "measures": Field(Shape.TEXT, "Art. 33(3)(d)"),
    "proposed": Field(Shape.TEXT, "Art. 33(3)(d)"),
    "advice": Field(Shape.TEXT, "Art. 34(2)"),
    "authority": Field(Shape.TEXT, "Art. 33(1)"),
    "lessons": Field(Shape.TEXT, "Art. 24(1)"),
}
"""What a person enters. Risk and exemption are decided apart, with their reasons; when somebody became aware, too."""
TIMES = tuple(name for name, field in FIELDS.items() if field.shape is Shape.TIME)


def read(given: Mapping[str, object], zone: str, now: int) -> dict[str, object]:
    """Return fields with their values as they are noted; raises ConfigError that names the field and its mend."""
    found: dict[str, object] = {}
    for name, value in given.items():
        if name not in FIELDS:
            raise ConfigError(f"there is no field {name!r} of a breach", f"fields: {', '.join(FIELDS)}")
        found[name] = _value(name, value, zone, now)
    begun, ended = found.get("occurred_from"), found.get("occurred_until")
    if isinstance(begun, str) and isinstance(ended, str) and ended < begun:
        raise ConfigError("occurred_until is before occurred_from", "give the earlier one first")
    return found


def moment(said: object, zone: str, now: int, name: str = "this") -> int:
    """Return a time in the past: RFC 3339, or a date and time as the controller's clock showed it; raises ConfigError."""
    try:
        read_ = datetime.fromisoformat(str(said))
        found = round((read_ if read_.tzinfo else read_.replace(tzinfo=zone_of(zone))).timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(f"{name} is no time", "for example 2026-11-20T17:45, or with a zone") from error
    if not 0 <= found <= now:
        raise ConfigError(f"{name} has not come yet, or is long past", "give the time at which it was")
    return found


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its name, UTC where this host does not know it (any more)."""
    with suppress(ValueError, OSError, LookupError):
        return ZoneInfo(name)
    return UTC


def _value(name: str, value: object, zone: str, now: int) -> object:
    field = FIELDS[name]
    match field.shape:
        case Shape.TIME:
            return rfc3339(moment(value, zone, now, name))
        case Shape.COUNT:
            if type(value) is not int or not 0 <= value < 1 << 40:
                raise ConfigError(f"{name} is no number of them", "an estimate will do")
            return value
        case Shape.CHOICE:
            if value not in field.choices:
                raise ConfigError(f"{name} cannot be {value!r}", f"one of: {', '.join(field.choices)}")
            return value
        case Shape.CHOICES:
            chosen = value if isinstance(value, list) else [value]
            wrong = [one for one in chosen if one not in field.choices]
            if wrong or not chosen:
                raise ConfigError(f"{name} has something unknown in it", f"some of: {', '.join(field.choices)}")
            return [one for one in field.choices if one in chosen]
        case Shape.TEXT:
            if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
                raise ConfigError(f"{name} is no text of up to {LONGEST} letters", "say it in a few sentences")
            return value.strip()
