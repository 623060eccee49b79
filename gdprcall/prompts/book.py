"""A file beside the configuration in which approvals stand, a table each: who approved what, for which controller, and when.

An approval is added and never changed; the file can be written by hand.
"""

import json
import tomllib
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from gdprcall.errors import ConfigError
from gdprcall.prompts.store import write


class Words(Protocol):
    """A dataclass, whose fields are words."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Row = TypeVar("Row", bound=Words)


@dataclass(frozen=True, slots=True)
class Book(Generic[Row]):
    """Which file, what its tables are called, its first line, what a table is, and how it is mended."""

    file: str
    table: str
    head: str
    row: type[Row]
    mend: str

    def beside(self, configuration: Path) -> Path:
        """Return where the approvals for a configuration are."""
        return configuration.with_name(self.file)

    def load(self, path: Path) -> tuple[Row, ...]:
        """Return the approvals of a file, none if there is no such file; raises ConfigError."""
        try:
            with path.open("rb") as file:
                tables = tomllib.load(file).get(self.table, [])
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}", "check its owner and modes") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is no TOML: {error}", "mend that place") from error
        return tuple(self._read(path, number, table) for number, table in enumerate(tables, 1))

    def add(self, path: Path, row: Row) -> None:
        """Write one more approval; what stands there stays. Raises ConfigError or GdprcallError."""
        self.load(path)  # nothing is added to what cannot be read
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = self.head
        # A TOML basic string is a JSON string for everything that can be printed.
        told = (f"{one.name} = {json.dumps(getattr(row, one.name), ensure_ascii=False)}\n" for one in fields(row))
        write(path, (text + f"\n[[{self.table}]]\n" + "".join(told)).encode())

    def _read(self, path: Path, number: int, table: Any) -> Row:
        try:
            found = self.row(**table)
        except TypeError as error:
            raise ConfigError(f"{path}: {self.table} {number} has not its five keys", self.mend) from error
        if not all(isinstance(value, str) and value.strip() for value in table.values()):
            raise ConfigError(f"{path}: {self.table} {number} has something empty", self.mend)
        return found
