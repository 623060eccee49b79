"""How a mistake in a configuration file is told: with its place and its mend, never with its value."""

from collections.abc import Mapping
from difflib import get_close_matches

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from gdprcall.schema import (
    Access,
    Agent,
    Agents,
    Assessment,
    Asterisk,
    Audit,
    Backup,
    Breach,
    Contract,
    Controller,
    File,
    Line,
    Override,
    Period,
    Sealing,
    Secrets,
    SelfService,
    Vault,
)
from gdprcall.schema_papers import Documents, Dpia, Operator, SubProcessor


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
        "breach": Breach,
        "operator": Operator,
        "subprocessors": SubProcessor,
        "documents": Documents,
        "access": Access,
        "controllers": Controller,
        "lines": Line,
        "agents": Agent,
    }
    within: Mapping[str, type[BaseModel]] = {
        "periods": Period,
        "dpia": Dpia,
        "contract": Contract,
        "assessment": Assessment,
        "override": Override,
        "agents": Agents,
        "self_service": SelfService,
    }
    section = sections.get(str(location[0])) if len(location) > 1 else None
    if len(location) > 3:
        section = within.get(str(location[2])) or within.get(str(location[1]), section)
    return list(section.model_fields) if section else list(File.model_fields)
