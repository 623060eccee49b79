"""What every table of a configuration file is made of: an unknown key is a mistake, and each kind of value has its shape."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


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
