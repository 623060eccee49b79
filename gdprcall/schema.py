"""What a configuration file may hold, and how a mistake in it is told: with its place, never with its value.

It reads no file and knows no meaning; config.py gives the values theirs.
"""

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
    spool: Text = "/var/spool/asterisk/gdprcall"
    sounds: Text = "/usr/share/asterisk/sounds"


class Vault(Section):
    """Where the vault and the local API are, what room is left free, and how long a doubtful file waits."""

    folder: Text = "/var/lib/gdprcall"
    socket: Text = "/run/gdprcall/api.sock"
    reserve_mib: Annotated[int, Field(ge=1, le=1 << 20)] = 64
    quarantine_days: Days = 7
    location: Annotated[str, Field(max_length=200)] = ""


class Sealing(Section):
    """Whether a recording is sealed while its call goes on, and where in memory the keys of running calls are."""

    progressive: bool = True
    memory: Annotated[str, Field(pattern=r"^/.", max_length=4096)] = "/run/gdprcall/sealing"


class Secrets(Section):
    """Where the secrets are."""

    folder: Text = "/etc/gdprcall/secrets"


class Audit(Section):
    """Where checkpoints of the ledger are handed out to: nothing that lies on this host alone proves anything."""

    checkpoint_folder: Annotated[str, Field(pattern=r"^(/.*)?$", max_length=4096)] = ""
    checkpoint_command: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=32)] = []


class Backup(Section):
    """How long backups of keys may exist, and where tombstones leave the host."""

    key_days: Annotated[int, Field(ge=1, le=366)] = 14
    tombstones: Annotated[str, Field(pattern=r"^(/.*)?$", max_length=4096)] = ""
    tombstone_command: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=32)] = []


class Controller(Section):
    """A company that has calls recorded."""

    name: Text
    contact: Text
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    notice_url: Text
    recipients: Annotated[list[str], Field(min_length=1)]
    retention_days: Days = 30
    proof_days: Days = 1096
    refusal_days: Annotated[int, Field(ge=1, le=366)] = 30


class Line(Section):
    """What callers of a line are asked."""

    controller: Text
    purpose: Text
    basis: Text
    languages: Annotated[list[str], Field(min_length=1)]
    accept: Digit = "1"
    refuse: Digit = "2"
    withdraw: Text = "*9"
    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    retention_days: Days | None = None


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


def mistake(detail: ErrorDetails) -> str:
    """Return one mistake in words: its place, what is wrong, and the mend."""
    place = ".".join(str(part) for part in detail["loc"] if part != "[key]")
    if detail["type"] == "extra_forbidden":
        near = get_close_matches(str(detail["loc"][-1]), _names(detail["loc"]), 1)
        return f"{place}: unknown key" + (f"; did you mean {near[0]}?" if near else "; remove it")
    if detail["type"] == "missing":
        return f"{place}: is missing; add it"
    if detail["loc"][-1] == "ari_url":
        return f"{place}: must be http on this host, or https; for example http://127.0.0.1:8088/ari"
    if detail["loc"][-1] == "agi_listen":
        return (
            f"{place}: must be a loopback address and a port, since AGI knows no password; for example 127.0.0.1:4573"
        )
    if detail["loc"][-1] == "checkpoint_folder":
        return f"{place}: must be a whole path; for example /var/lib/gdprcall-checkpoints"
    if detail["loc"][-1] == "memory":
        return f"{place}: must be a whole path in memory; for example /run/gdprcall/sealing"
    if detail["loc"][-1] == "[key]":
        return f"{place}: a name has small letters, digits and _, and begins with a letter; rename it"
    # The value itself is left out: it may be a secret in the wrong place.
    return f"{place}: {detail['msg'][0].lower()}{detail['msg'][1:]}; correct it"


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
    }
    section = sections.get(str(location[0])) if len(location) > 1 else None
    return list(section.model_fields) if section else list(File.model_fields)
