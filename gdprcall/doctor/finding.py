"""What a look at one thing found. It judges nothing by itself."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a finding is to be taken; one FAIL means that gdprcall cannot do its work as it should."""

    OK = "ok"
    WARN = "WARN"
    FAIL = "FAIL"


OK, WARN, FAIL = Grade.OK, Grade.WARN, Grade.FAIL


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, how it is, what was seen, and what to do about it."""

    check: str
    grade: Grade
    text: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the finding as JSON."""
        return asdict(self)
