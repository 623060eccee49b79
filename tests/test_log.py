"""The log: only events of the catalogue, only allowed keys, nothing of what a fault had in its hands."""

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdprcall import log
from gdprcall.errors import VaultError

SECRET = "+46701740001"
SOURCES = sorted((Path(__file__).parents[1] / "gdprcall").rglob("*.py"))


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    log.configure(stream)
    return stream


def calls() -> Iterator[tuple[Path, str, set[str]]]:
    """Yield every event that the program logs, with the keys it is given."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                owner = ast.unparse(node.func.value)
                if owner.endswith(("log", "get_logger()")) and node.func.attr in {"info", "warning", "error"}:
                    names = [value.value for value in ast.walk(node.args[0]) if isinstance(value, ast.Constant)]
                    events = [str(name) for name in names if isinstance(name, str)]
                    for event in events:
                        yield path, event, {str(keyword.arg) for keyword in node.keywords}


def test_every_event_that_is_logged_is_in_the_catalogue_and_the_other_way_round() -> None:
    used = {event for _, event, _ in calls()}
    assert used == set(log.EVENTS)


def test_only_allowed_keys_are_logged() -> None:
    assert {key for _, _, keys in calls() for key in keys} - log.ALLOWED_KEYS == {"exc_info"}


def test_every_event_says_what_it_means_and_what_to_do() -> None:
    assert all(
        event.meaning and event.action and event.level in {"info", "warning", "error"} for event in log.EVENTS.values()
    )


def test_lines_are_json_where_nobody_watches(out: io.StringIO) -> None:
    log.get_logger().info("started", version="1")
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"], line["version"]) == ("started", "info", "1")
    assert line["timestamp"].endswith("Z")


def test_sec_05_a_key_that_is_not_allowed_loses_its_value_and_is_named(out: io.StringIO) -> None:
    log.get_logger().info("started", number=SECRET)
    assert SECRET not in out.getvalue()
    assert json.loads(out.getvalue())["dropped_keys"] == ["number"]


def test_unknown_events_and_keys_are_errors_in_strict_mode(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "strict", True)
    with pytest.raises(ValueError, match="catalogue"):
        log.get_logger().info("started", number="x")
    with pytest.raises(ValueError, match="catalogue"):
        log.get_logger().info("no_such_event")


def fail(number: str) -> None:
    local = number
    raise RuntimeError(f"about {local}")


def test_sec_05_an_exception_is_shown_without_message_and_variables(out: io.StringIO) -> None:
    try:
        fail(SECRET)
    except RuntimeError:
        log.get_logger().error("internal_error", exc_info=True)
    assert SECRET not in out.getvalue()
    line = json.loads(out.getvalue())
    assert line["error"] == "RuntimeError"
    assert line["where"][-1].startswith("test_log.py:")


def test_an_error_of_our_own_keeps_its_hint_and_a_group_its_first_cause(out: io.StringIO) -> None:
    group = ExceptionGroup("several", [ExceptionGroup("inner", [VaultError("x", "make room")]), ValueError(SECRET)])
    log.get_logger().error("internal_error", exc_info=group)
    line = json.loads(out.getvalue())
    assert (line["error"], line["hint"]) == ("VaultError", "make room")
    assert SECRET not in out.getvalue()


@pytest.mark.parametrize("name", ["panoramisk.manager", "aiohttp.client", "asyncio"])
def test_sec_05_what_libraries_say_is_withheld(out: io.StringIO, name: str) -> None:
    logging.getLogger(name).error("peer said %s", SECRET)
    assert SECRET not in out.getvalue()


def test_that_a_library_said_something_is_told(out: io.StringIO) -> None:
    logging.getLogger("aiohttp.client").error("peer said %s", SECRET)
    assert json.loads(out.getvalue())["logger"] == "aiohttp.client"


def test_on_request_lines_are_readable_text(out: io.StringIO) -> None:
    stream = io.StringIO()
    log.configure(stream, json=False)
    log.get_logger().info("stopped")
    assert "stopped" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_the_table_of_events_has_a_row_for_each() -> None:
    assert log.events_table().count("\n") == len(log.EVENTS) + 2
