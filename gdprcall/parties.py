"""What papers say beside the policy: who runs the installation, who works for him, and what a controller has assessed.

It decides nothing about a call, so it is in no policy and in no hash of one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from gdprcall.policy.finding import Finding, refuse
from gdprcall.schema import File
from gdprcall.schema_papers import Dpia, Operator, SubProcessor


@dataclass(frozen=True, slots=True)
class Parties:
    """The tables ``[operator]``, ``[[subprocessors]]`` and ``[documents]``, and what controllers say for papers alone."""

    operator: Operator = field(default_factory=Operator)
    subprocessors: tuple[SubProcessor, ...] = ()
    templates: Path | None = None
    objection_days: int = 30
    dpias: Mapping[str, Dpia] = field(default_factory=lambda: MappingProxyType({}))
    approving: frozenset[str] = frozenset()
    joint: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    representatives: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def parties(file: File) -> Parties:
    """Return what a configuration says."""
    known = file.controllers.items()
    return Parties(
        file.operator,
        tuple(file.subprocessors),
        Path(file.documents.templates) if file.documents.templates else None,
        file.documents.objection_days,
        {id_: one.dpia for id_, one in known if one.dpia is not None},
        frozenset(id_ for id_, one in known if one.approves),
        {id_: one.joint for id_, one in known if one.joint},
        {id_: one.representative for id_, one in known if one.representative},
    )


def mistakes(file: File) -> Iterator[Finding]:
    """Yield what is wrong: an assessment that is not required needs its reason, one that was made its hash (Art. 35)."""
    for id_, one in file.controllers.items():
        if one.dpia is not None and one.dpia.status == "not_required" and not one.dpia.reason.strip():
            text = "says that none is required, and not why"
            yield refuse("DOC-07", f"controllers.{id_}.dpia.reason", text, "write the reason")
        if one.dpia is not None and one.dpia.status == "done" and not one.dpia.sha256:
            text = "says that it was made, and not which file it is"
            yield refuse("DOC-07", f"controllers.{id_}.dpia.sha256", text, "write the output of sha256sum")
