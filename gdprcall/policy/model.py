"""What may be recorded, for whom and why: controllers, their lines and the terms of each line.

Values only: no file is read here, nothing is looked up, and no default records anything.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import lru_cache

from gdprcall.policy.profile import Profiles
from gdprcall.policy.selfservice import SelfService
from gdprcall.policy.staff import ANYBODY, Agent, Agents


class Basis(StrEnum):
    """The lawful bases of GDPR Art. 6(1)(a) to (f)."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTEREST = "vital_interest"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTEREST = "legitimate_interest"


OBJECTED_TO = frozenset({Basis.LEGITIMATE_INTEREST, Basis.PUBLIC_TASK})
"""The bases that a caller may object to (Art. 21(1))."""


class Purpose(StrEnum):
    """What recordings are made for; a purpose that is not here is none (Art. 5(1)(b))."""

    QUALITY = "quality"
    TRAINING = "training"
    DOCUMENTATION = "documentation"
    CONTRACT_PROOF = "contract_proof"
    REGULATED_SERVICE = "regulated_service"
    EMERGENCY = "emergency"


class Demand(StrEnum):
    """What the dialplan says of a line: it may be recorded, or it must not be served unrecorded."""

    MAY = "may"
    MUST = "must"


class Regime(StrEnum):
    """Whose General Data Protection Regulation a controller is under."""

    EU_GDPR = "EU_GDPR"
    UK_GDPR = "UK_GDPR"


class Role(StrEnum):
    """What the operator of this installation is to a controller: itself, or a processor (Art. 4(7), 4(8))."""

    CONTROLLER = "controller"
    PROCESSOR = "processor"


class Direction(StrEnum):
    """Who called whom."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class OnRefuse(StrEnum):
    """What a caller meets who says no."""

    SAME_SERVICE = "same_service"
    ROUTE = "route"
    HANG_UP = "hang_up"


class OnJoin(StrEnum):
    """What becomes of a recording when somebody joins the call: it ends, or pauses until he has been asked."""

    STOP = "stop"
    ASK = "ask"


class ForeignRecorder(StrEnum):
    """What becomes of a recorder of somebody else's that is found on a call of a line."""

    REPORT = "report"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Keys:
    """The telephone keys of a line: one digit each, and the code that withdraws in mid-call; empty is none.

    ``object`` says no where nobody was asked (Art. 21), ``more`` plays the full notice, ``pause`` is the agent's code
    around a payment.
    """

    accept: str = "1"
    refuse: str = "2"
    withdraw: str = "*9"
    object: str = "9"
    more: str = "0"
    pause: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
    """The processor's contract with a controller (Art. 28(3)): which, from when, the signed file, what it says.

    ``sets_out`` are the matters that it describes, ``clauses`` the letters of its duties.
    """

    reference: str
    date: str
    sha256: str
    sets_out: tuple[str, ...]
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """The written weighing of a legitimate interest: interest, necessity, balance (Art. 6(1)(f))."""

    id: str
    date: str
    sha256: str
    review_by: str


@dataclass(frozen=True, slots=True)
class Override:
    """Written legal advice that in these countries another basis than consent will do."""

    reference: str
    sha256: str
    countries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Controller:
    """A client company in the sense of Art. 4(7), with the public keys its recordings are sealed to.

    ``officer`` is the data-protection officer's contact; ``disclosed_to`` names who else gets recordings; the
    pseudonym key is the name of a secret, ``pseudonym-key-<id>`` unless it says otherwise.
    """

    id: str
    name: str
    contact: str
    country: str
    notice_url: str
    recipients: tuple[str, ...]
    retention_days: int = 30
    address: str = ""
    officer: str = ""
    authority: str = ""
    regime: Regime = Regime.EU_GDPR
    operator: Role = Role.CONTROLLER
    contract: Contract | None = None
    public_authority: bool = False
    disclosed_to: tuple[str, ...] = ()
    transfers: tuple[str, ...] = ()
    pseudonym_key: str = ""
    proof_days: int = 1096
    refusal_days: int = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One purpose of one controller on one entrance of the PBX, with exactly one lawful basis (Art. 6).

    What a basis needs beyond that has a field here; rules.py says which basis needs which.
    """

    id: str
    controller: str
    purpose: str
    basis: Basis
    languages: tuple[str, ...]
    retention_days: int
    keys: Keys = Keys()
    attempts: int = 2
    timeout_ms: int = 5_000
    version: int = 1
    approved_by: str = ""
    direction: Direction = Direction.INBOUND
    must: bool = False
    on_refuse: OnRefuse = OnRefuse.SAME_SERVICE
    min_retention_days: int = 0
    retention_reason: str = ""
    full_notice_url: str = ""
    # legal obligation and public task: which law, of which Member State (or "EU")
    law: str = ""
    member_state: str = ""
    # legitimate interest
    interest: str = ""
    assessment: Assessment | None = None
    override: Override | None = None
    # contract: begun by the agent when the contract is made, never by the answer
    no_other_proof_reason: str = ""
    autostart: bool = False
    # vital interest: why, and the notice may come later
    emergency: bool = False
    emergency_reason: str = ""
    notice_deferred: bool = False
    # which calls: a part of them, those with special categories of data (Art. 9), those of children
    sample_rate: float = 1.0
    art9: bool = False
    art9_condition: str = ""
    art9_content: str = ""
    minors: bool = False
    # who has no keys: whether an agent may note a spoken yes, twice
    spoken: bool = False
    # outbound: where the number is from (Art. 14), and whether the agent reads the question instead of a prompt; and a
    # call whose seconds the caller pays for
    source: str = ""
    agent_asks: bool = False
    charged: bool = False
    # whether each voice is recorded by itself, so that one can be silenced in a copy (Art. 15(4))
    legs: bool = False
    agents: Agents = ANYBODY
    # in mid-call: who joins; and how long a recording may pause before somebody is told
    joins: OnJoin = OnJoin.STOP
    pause_seconds: int = 600
    profiles: tuple[str, ...] = ()
    # recorders of others: to end one would destroy what another law may want, so that is said by a person
    foreign_recorder: ForeignRecorder = ForeignRecorder.REPORT

    @property
    def demand(self) -> Demand:
        """What the dialplan is expected to say of this line."""
        return Demand.MUST if self.must else Demand.MAY

    def language_for(self, wanted: str) -> str:
        """Return ``wanted`` (or its primary subtag) if the line speaks it, else the line's first language."""
        spoken = {language.lower(): language for language in self.languages}
        tag = wanted.replace("_", "-").lower()
        return spoken.get(tag) or spoken.get(tag.split("-")[0]) or self.languages[0]

    def full_notice(self, controller: Controller) -> str:
        """Return where the whole notice of Art. 13 is: the line's own, else its controller's."""
        return self.full_notice_url or controller.notice_url


@dataclass(frozen=True, slots=True)
class Policy:
    """All controllers and lines of one installation; an empty policy records nothing (Art. 25(2))."""

    controllers: Mapping[str, Controller]
    lines: Mapping[str, Line]
    profiles: Profiles = field(default_factory=Profiles)
    agents: Mapping[str, Agent] = field(default_factory=dict)
    self_service: Mapping[str, SelfService] = field(default_factory=dict)

    def controller_of(self, line: Line) -> Controller:
        """Return the controller of ``line``; the configuration has made sure that there is one."""
        return self.controllers[line.controller]

    def without(self, lines: Collection[str]) -> "Policy":
        """Return the policy without some lines."""
        return replace(self, lines={id_: line for id_, line in self.lines.items() if id_ not in lines})

    def sole_controller(self) -> Controller | None:
        """Return the only controller, None where there are several or none."""
        return next(iter(self.controllers.values())) if len(self.controllers) == 1 else None

    def sha256(self, line: Line) -> str:
        """Return the hash of the canonical form of a line and its controller, kept with each decision.

        It covers every field, those that are not written too: a program that knows a new field hashes anew.
        """
        return _sha256(self.controller_of(line), line)

    def canonical(self, line: Line) -> str:
        """Return the one text of a line and its controller that ``sha256`` is the hash of."""
        return canonical(self.controller_of(line), line)


@lru_cache(maxsize=1024)  # asked at every call, of the same few lines
def _sha256(controller: Controller, line: Line) -> str:
    return hashlib.sha256(canonical(controller, line).encode()).hexdigest()


def canonical(controller: Controller, line: Line) -> str:
    """Return the one text of a line and its controller that is hashed: JSON, sorted, without blanks, in ASCII."""
    form = {"controller": asdict(controller), "line": asdict(line)}
    return json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
