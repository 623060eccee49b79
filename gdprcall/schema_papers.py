"""What a configuration file may hold for papers alone: who runs the installation, who works for him, what was assessed."""

import datetime
from typing import Annotated, Literal

from pydantic import Field

from gdprcall.sections import Country, Name, Section, Text, Words


class Operator(Section):
    """Who runs this installation, as papers name him."""

    name: Name = ""
    address: Words = ""
    contact: Words = ""
    officer: Words = ""
    representative: Words = ""


class SubProcessor(Section):
    """A further processor (Art. 28(2), (4)): who, where, what for, since when."""

    name: Text
    country: Country
    does: Text
    since: datetime.date
    safeguards: Words = ""


class Documents(Section):
    """How papers are made: own templates, and how long a controller can object to a new sub-processor."""

    templates: Annotated[str, Field(pattern=r"^(/[^\x00]*)?$", max_length=4000)] = ""
    objection_days: Annotated[int, Field(ge=1, le=366)] = 30


class Dpia(Section):
    """The data protection impact assessment of a controller (Art. 35), or why none is required."""

    status: Literal["done", "not_required"]
    date: datetime.date
    reason: Words = ""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    advice: Words = ""
    review_by: datetime.date | None = None
