"""What may be recorded, for whom and why: controllers, their lines and the terms of each line.

Values only: no file is read here, nothing is looked up, and no default records anything.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache


class Basis(StrEnum):
    """The lawful bases of GDPR Art. 6(1)(a) to (f)."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTEREST = "vital_interest"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTEREST = "legitimate_interest"


class Demand(StrEnum):
    """What the dialplan says of a line: it may be recorded, or it must not be served unrecorded."""

    MAY = "may"
    MUST = "must"


@dataclass(frozen=True, slots=True)
class Keys:
    """The telephone keys of a line: one digit each, and the code that withdraws in mid-call."""

    accept: str = "1"
    refuse: str = "2"
    withdraw: str = "*9"


@dataclass(frozen=True, slots=True)
class Controller:
    """A client company in the sense of Art. 4(7), with the public keys its recordings are sealed to."""

    id: str
    name: str
    contact: str
    country: str
    notice_url: str
    recipients: tuple[str, ...]
    retention_days: int = 30
    proof_days: int = 1096
    refusal_days: int = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One purpose of one controller on one entrance of the PBX, with exactly one lawful basis (Art. 6)."""

    id: str
    controller: str
    purpose: str
    basis: Basis
    languages: tuple[str, ...]
    retention_days: int
    keys: Keys = Keys()
    attempts: int = 2
    timeout_ms: int = 5_000

    def language_for(self, wanted: str) -> str:
        """Return ``wanted`` (or its primary subtag) if the line speaks it, else the line's first language."""
        spoken = {language.lower(): language for language in self.languages}
        tag = wanted.replace("_", "-").lower()
        return spoken.get(tag) or spoken.get(tag.split("-")[0]) or self.languages[0]


@dataclass(frozen=True, slots=True)
class Policy:
    """All controllers and lines of one installation; an empty policy records nothing (Art. 25(2))."""

    controllers: Mapping[str, Controller]
    lines: Mapping[str, Line]

    def controller_of(self, line: Line) -> Controller:
        """Return the controller of ``line``; the configuration has made sure that there is one."""
        return self.controllers[line.controller]

    def sha256(self, line: Line) -> str:
        """Return the hash of the canonical form of a line and its controller, kept with each decision."""
        return _sha256(self.controller_of(line), line)

    def canonical(self, line: Line) -> str:
        """Return the one text of a line and its controller that ``sha256`` is the hash of."""
        return _canonical(self.controller_of(line), line)


@lru_cache(maxsize=1024)  # asked at every call, of the same few lines
def _sha256(controller: Controller, line: Line) -> str:
    return hashlib.sha256(_canonical(controller, line).encode()).hexdigest()


def _canonical(controller: Controller, line: Line) -> str:
    form = {"controller": asdict(controller), "line": asdict(line)}
    return json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
