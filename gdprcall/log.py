"""How the daemon says what it says: the events of the catalogue alone, allowed keys alone, JSON lines when nobody watches a terminal.

No number, name, pressed key, secret or local variable is ever written: a key that is not allowed loses its value, a
foreign library's message its text, an exception its variables.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from gdprcall.errors import GdprcallError
from gdprcall.events import EVENTS

ALLOWED_KEYS = frozenset(
    "event level timestamp call recording segment decision controller line outcome reason state seconds ms bytes count "
    "seq attempts peer version language prompt heard_ms decided_ms recorded error hint code exit uniqueid missing size "
    "free unit signal demand logger where dropped_keys operation peak_bytes breach remains".split()
)

Values = MutableMapping[str, Any]  # structlog's own type for the values of one line
strict = False
"""Tests set this: an unknown event or key then is an error."""


def get_logger() -> Any:  # structlog types its loggers so
    """Return the logger; its methods take an event of the catalogue and allowed keys."""
    return structlog.get_logger()


def configure(stream: TextIO | None = None, *, json: bool | None = None) -> None:
    """Write to ``stream`` (default stdout): JSON lines, or readable ones on a terminal, unless ``json`` says which."""
    out = stream or sys.stdout
    as_json = not out.isatty() if json is None else json
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            withhold_exception,
            only_allowed,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Withheld()]
    root.setLevel(logging.WARNING)
    logging.getLogger("panoramisk").setLevel(logging.CRITICAL)


def withhold_exception(_logger: object, _method: str, values: Values) -> Values:
    """Replace an exception by its type and the lines it passed, without messages and variables."""
    error = values.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    while isinstance(error, BaseExceptionGroup):
        # The first of a group tells what happened; the others are mostly its consequences.
        error = error.exceptions[0]
    if isinstance(error, BaseException):
        values["error"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        values["where"] = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames]
        if isinstance(error, GdprcallError) and error.hint:
            values.setdefault("hint", error.hint)
    return values


def only_allowed(_logger: object, _method: str, values: Values) -> Values:
    """Drop the values of keys that are not on the list and say which keys they were."""
    unknown = sorted(set(values) - ALLOWED_KEYS)
    if strict and (unknown or values["event"] not in EVENTS):
        raise ValueError(f"not in the catalogue: event {values['event']!r}, keys {unknown}")
    for key in unknown:
        del values[key]
    if unknown:
        values["dropped_keys"] = unknown
    return values


class _Withheld(logging.Handler):
    """Passes on that a library said something, never what."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line of our own."""
        get_logger().warning("library", logger=record.name, code=record.levelname)


def events_table() -> str:
    """Return the catalogue as a Markdown table."""
    rows = [f"| `{name}` | {event.level} | {event.meaning} | {event.action} |" for name, event in EVENTS.items()]
    return "\n".join(["| event | level | what it means | what to do |", "|---|---|---|---|", *rows, ""])
