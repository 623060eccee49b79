"""What a configuration file may hold, and how a mistake in it is told: with its place, never with its value.

It reads no file and knows no meaning; config.py gives the values theirs.
"""

import datetime
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails


class Section(BaseModel):
    """One table of the file: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Digit = Annotated[str, Field(pattern=r"^[0-9*#]$")]
LOOPBACK = r"127(\.([1-9]?\d|1\d\d|2[0-4]\d|25[0-5])){3}|\[::1\]"
PORT = r"([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"
Port = Annotated[int, Field(ge=1, le=65535)]
Days = Annotated[int, Field(ge=1, le=3653)]
Name = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Place = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]
Words = Annotated[str, Field(max_length=500)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Secret = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9_.-]{0,79})?$")]


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
    access: Annotated[list[Access], Field(max_length=200)] = []
    controllers: dict[Id, Controller] = {}
    lines: dict[Id, Line] = {}
    agents: dict[Id, Agent] = {}


def mistake(detail: ErrorDetails) -> tuple[str, str, str]:
    """Return one mistake in words: its place, what is wrong, and the mend."""
    named = ".".join(str(part) for part in detail["loc"] if part != "[key]")
    # A name can hold anything, also what moves the cursor of a terminal.
    place = "".join(sign if sign.isprintable() else "?" for sign in named)
    last = detail["loc"][-1] if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        near = get_close_matches(str(last), _names(detail["loc"]), 1)
        return place, "unknown key", f"did you mean {near[0]}?" if near else "remove it"
    if detail["type"] == "missing":
        return place, "is missing", "add it"
    if last == "ari_url":
        return place, "must be http on this host, or https", "for example http://127.0.0.1:8088/ari"
    if last == "agi_listen":
        text = "must be a loopback address and a port, since AGI knows no password"
        return place, text, "for example 127.0.0.1:4573"
    if last == "checkpoint_folder":
        return place, "must be a whole path", "for example /var/lib/gdprcall-checkpoints"
    if last == "memory":
        return place, "must be a whole path in memory", "for example /run/gdprcall/sealing"
    if last == "[key]":
        return place, "a name has small letters, digits and _, and begins with a letter", "rename it"
    # The value itself is left out: it may be a secret in the wrong place.
    return place, f"{detail['msg'][0].lower()}{detail['msg'][1:]}", "correct it"


def _names(location: tuple[int | str, ...]) -> list[str]:
    sections: Mapping[str, type[BaseModel]] = {
        "asterisk": Asterisk,
        "vault": Vault,
        "sealing": Sealing,
        "secrets": Secrets,
        "audit": Audit,
        "backup": Backup,
        "access": Access,
        "controllers": Controller,
        "lines": Line,
        "agents": Agent,
    }
    within: dict[str, type[BaseModel]] = {"contract": Contract, "assessment": Assessment, "override": Override}
    within |= {"agents": Agents, "self_service": SelfService}
    section = sections.get(str(location[0])) if len(location) > 1 else None
    if len(location) > 3:
        section = within.get(str(location[2]), section)
    return list(section.model_fields) if section else list(File.model_fields)
