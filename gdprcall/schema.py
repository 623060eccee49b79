"""What a configuration file may hold.

It reads no file and knows no meaning; config.py gives the values theirs.
"""

import datetime
from typing import Annotated, Literal

from pydantic import Field

from gdprcall.schema_papers import Documents, Dpia, Operator, SubProcessor
from gdprcall.sections import (
    LOOPBACK,
    PORT,
    Country,
    Days,
    Digit,
    Id,
    Name,
    Place,
    Port,
    Secret,
    Section,
    Sha256,
    Text,
    Words,
)


class Asterisk(Section):
    """Where Asterisk is, and by which front ends calls come."""

    ari_url: Annotated[str, Field(pattern=r"^(http://(127\.0\.0\.1|localhost|\[::1\])|https://)")] = (
        "http://127.0.0.1:8088/ari"
    )
    ari_user: Text = "gdprcall"
    fronts: Annotated[list[Literal["ari", "agi"]], Field(min_length=1, max_length=2)] = ["ari"]
    agi_listen: Annotated[str, Field(pattern=rf"^({LOOPBACK}):{PORT}$")] = "127.0.0.1:4573"
    ami_host: Text = "127.0.0.1"
    ami_port: Port = 5038
    ami_user: Text = "gdprcall"
    spool: Place = "/var/spool/asterisk/gdprcall"
    sounds: Place = "/usr/share/asterisk/sounds"
    configuration: Place = "/etc/asterisk"


class Vault(Section):
    """Where the vault and the local API are, what room is left free, how long a doubtful file waits, and what needs four eyes."""

    folder: Place = "/var/lib/gdprcall"
    socket: Place = "/run/gdprcall/api.sock"
    reserve_mib: Annotated[int, Field(ge=1, le=1 << 20)] = 64
    quarantine_days: Days = 7
    releases_an_hour: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    location: Annotated[str, Field(max_length=200)] = ""


class Sealing(Section):
    """Whether a recording is sealed while its call goes on, and where in memory the keys of running calls are."""

    progressive: bool = True
    memory: Annotated[str, Field(pattern=r"^/[^\x00]+$", max_length=4000)] = "/run/gdprcall/sealing"


class Secrets(Section):
    """Where the secrets are."""

    folder: Place = "/etc/gdprcall/secrets"


class Audit(Section):
    """Where checkpoints of the ledger are handed out to: nothing that lies on this host alone proves anything."""

    checkpoint_folder: Annotated[str, Field(pattern=r"^(/[^\x00]*)?$", max_length=4000)] = ""
    checkpoint_command: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=32)] = []


class Backup(Section):
    """How long backups of keys may exist, and where tombstones leave the host."""

    key_days: Annotated[int, Field(ge=1, le=366)] = 14
    tombstones: Annotated[str, Field(pattern=r"^(/[^\x00]*)?$", max_length=4000)] = ""
    tombstone_command: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=32)] = []


class Period(Section):
    """How long a regime gives to tell the authority of a breach, and where that is written."""

    hours: Annotated[int, Field(ge=1, le=720)]
    source: Text


class Breach(Section):
    """By when whom is told of a breach, how somebody is reminded, and what is looked out for."""

    periods: dict[Literal["EU_GDPR", "UK_GDPR"], Period] = {}
    controller_hours: Annotated[int, Field(ge=1, le=72)] = 24
    keep_days: Days = 1827
    contact_days: Days = 183
    backup_days: Annotated[int, Field(ge=1, le=366)] = 8
    stale_seconds: Annotated[int, Field(ge=10, le=86_400)] = 60
    denied_an_hour: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    command: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=32)] = []


class Contract(Section):
    """The processor's contract with a controller (Art. 28(3))."""

    reference: Text
    date: datetime.date
    sha256: Sha256
    sets_out: Annotated[
        list[Literal["subject_matter", "duration", "nature_and_purpose", "data", "data_subjects", "rights_and_duties"]],
        Field(max_length=6),
    ]
    clauses: Annotated[list[Literal["a", "b", "c", "d", "e", "f", "g", "h"]], Field(max_length=8)]


class Assessment(Section):
    """The weighing of a legitimate interest (Art. 6(1)(f))."""

    id: Text
    date: datetime.date
    sha256: Sha256
    review_by: datetime.date


class Override(Section):
    """Written advice that consent is not needed in these countries."""

    reference: Text
    sha256: Sha256
    countries: Annotated[list[Country], Field(min_length=1, max_length=40)]


AgentBasis = Literal["legitimate_interest", "employment_contract", "legal_obligation", "works_agreement", "consent"]
Interface = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*/[^\s;]{1,120}$")]


class Agents(Section):
    """Why the agents of a line are recorded, and what they were told; or that each has this of his own; whether they hear tones."""

    basis: AgentBasis | None = None
    notice: Words = ""
    acknowledged_on: datetime.date | None = None
    each: bool = False
    tone: bool = False


class Agent(Section):
    """An agent, or those of a queue: their telephones, why they are recorded, and what they acknowledged when."""

    interfaces: Annotated[list[Interface], Field(min_length=1, max_length=1000)]
    basis: AgentBasis
    notice: Words = ""
    acknowledged_on: datetime.date | None = None


class SelfService(Section):
    """What a caller may do by telephone, and what it takes for it to be carried out at once."""

    languages: Annotated[list[Text], Field(min_length=1, max_length=30)]
    erasure: Literal["request", "code", "number"] = "request"
    never_record: Literal["request", "code", "number"] = "request"


class Controller(Section):
    """A company that has calls recorded."""

    name: Text
    contact: Text
    country: Country
    notice_url: Text
    recipients: Annotated[list[str], Field(min_length=1)]
    retention_days: Days = 30
    address: Words = ""
    officer: Words = ""
    authority: Words = ""
    regime: Literal["EU_GDPR", "UK_GDPR"] | None = None
    operator: Literal["controller", "processor"] = "controller"
    contract: Contract | None = None
    public_authority: bool = False
    disclosed_to: Annotated[list[Text], Field(max_length=100)] = []
    transfers: Annotated[list[Text], Field(max_length=100)] = []
    pseudonym_key: Secret = ""
    proof_days: Days = 1096
    refusal_days: Annotated[int, Field(ge=1, le=366)] = 30
    approves: bool = False
    joint: Words = ""
    representative: Words = ""
    dpia: Dpia | None = None
    timezone: Annotated[str, Field(max_length=64, pattern=r"^([A-Za-z][A-Za-z0-9_+/-]*)?$")] = ""
    remind_days: Annotated[int, Field(ge=0, le=60)] = 7
    self_service: SelfService | None = None


class Line(Section):
    """What callers of a line are asked or told, and why."""

    controller: Text
    purpose: Text
    basis: Text
    languages: Annotated[list[str], Field(min_length=1)]
    accept: Digit = "1"
    refuse: Digit = "2"
    withdraw: Text = "*9"
    object: Digit | Literal[""] = "9"
    more: Digit | Literal[""] | None = None
    pause: Annotated[str, Field(pattern=r"^[0-9*#]{0,4}$")] = ""
    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    retention_days: Days | None = None
    version: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    approved_by: Words = ""
    direction: Literal["inbound", "outbound"] = "inbound"
    must: bool = False
    on_refuse: Literal["same_service", "route", "hang_up"] | None = None
    min_retention_days: Annotated[int, Field(ge=0, le=3653)] = 0
    retention_reason: Words = ""
    full_notice_url: Words = ""
    law: Words = ""
    member_state: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    interest: Words = ""
    assessment: Assessment | None = None
    override: Override | None = None
    no_other_proof_reason: Words = ""
    autostart: bool = False
    emergency: bool = False
    emergency_reason: Words = ""
    notice_deferred: bool = False
    sample_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    art9: bool = False
    art9_condition: Literal["", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] = ""
    art9_content: Words = ""
    minors: bool = False
    spoken: bool = False
    agent_asks: bool = False
    source: Words = ""
    charged: bool = False
    legs: bool = False
    agents: Agents | None = None
    joins: Literal["stop", "ask"] = "stop"
    pause_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    foreign_recorder: Literal["report", "stop"] = "report"
    profiles: Annotated[list[Text], Field(max_length=20)] = []


class Access(Section):
    """The role of a user or of a group of this host."""

    user: Name = ""
    group: Name = ""
    role: Literal["operator", "officer", "reviewer", "auditor"]
    controller: Id | None = None


class File(Section):
    """The whole file."""

    asterisk: Asterisk = Asterisk()
    vault: Vault = Vault()
    sealing: Sealing = Sealing()
    secrets: Secrets = Secrets()
    audit: Audit = Audit()
    backup: Backup = Backup()
    breach: Breach = Breach()
    operator: Operator = Operator()
    subprocessors: Annotated[list[SubProcessor], Field(max_length=100)] = []
    documents: Documents = Documents()
    access: Annotated[list[Access], Field(max_length=200)] = []
    controllers: dict[Id, Controller] = {}
    lines: dict[Id, Line] = {}
    agents: dict[Id, Agent] = {}
