"""What tests share: a log that no other test configured and, with a real Asterisk, one for a file, one installation a test.

It looks after each test whether the log says what the test's row in the table of faults promises.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.faults import Fault
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent
from tests.pbx.installation import Installation

LONG = ("test_real_kills", "test_readme", "test_real_calls", "test_real_faults", "test_real_fastagi", "test_makefile")
"""The files that take longest, which begin first: one that begins last is waited for by everybody."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first; the order within a file stays."""
    ranks = {name: place for place, name in enumerate(LONG)}
    items.sort(
        key=lambda item: min((ranks[name] for name in LONG if item.path.stem.startswith(name)), default=len(LONG))
    )


@pytest.fixture(autouse=True)
def log_as_it_starts() -> Iterator[None]:
    """Undo what a test configured of the log; which file ran before in the same process is chance."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield
    structlog.reset_defaults()
    root.handlers, root.level = before


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    """Return a private Asterisk whose agent answers every call."""
    with Asterisk(tmp_path_factory.mktemp("pbx")) as asterisk, Agent(asterisk):
        yield asterisk


@pytest.fixture
def installation(pbx: Asterisk, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """Return a fresh gdprcall beside it, not started yet."""
    if not pbx.running:  # what a test before this one left dead is not this one's matter
        pbx.start()
    installation = Installation(tmp_path / "app", pbx)
    installation.prepare()
    pbx.rx("database deltree result")
    yield installation
    row: Fault | None = getattr(request.function, "fault", None)
    silent = [event for event in row.log if not installation.log(event)] if row else []
    installation.stop()
    for left in pbx.spool.glob("*.wav"):
        left.unlink()
    assert not silent, f"the table of faults says that these are logged: {silent}"
