"""What tests share: folders in memory, a log that no other test configured and, with a real Asterisk, one for a file, one
installation a test.

It looks after each test whether the log says what the test's row in the table of faults promises.
"""

import logging
import os
import shutil
import signal
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import structlog

from tests.deaths import Mortal
from tests.faults import Fault
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent
from tests.pbx.installation import Installation

LONG = (
    *("test_real_changes_faults", "test_real_selfservice", "test_real_kills", "test_readme", "test_real_legs"),
    *(
        "test_real_agents_faults",
        "test_real_outbound",
        "test_real_faults",
        "test_real_progressive",
        "test_real_fastagi",
    ),
    *("test_real_changes", "test_real_parties", "test_real_guard", "test_real_calls", "test_access", "test_makefile"),
)
"""The files that take longest, which begin first: one that begins last is waited for by everybody."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first; the order within a file stays."""
    ranks = {name: place for place, name in enumerate(LONG)}
    items.sort(
        key=lambda item: min((ranks[name] for name in LONG if item.path.stem.startswith(name)), default=len(LONG))
    )


LINES_TOLD = 60


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the daemon said last beside a real call that did not go as it should."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            one = getattr(value, "installation", value)
            if isinstance(one, Installation) and one.log_path.exists():
                said = one.log_path.read_text(errors="replace").splitlines()[-LINES_TOLD:]
                report.sections.append(("log of the daemon", "\n".join(said)))
    return report


MEMORY = Path("/dev/shm")  # a folder of its own is made in it
ENOUGH_BYTES = 2 << 30


def pytest_configure() -> None:
    """Let the folders of tests lie in memory where there is enough: they sync thousands of files, and no disk is tried.

    A shell that puts the tests into the background lets them ignore Ctrl-C; the commands under test must not inherit that.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK) or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return  # tests write programs, too
    if shutil.disk_usage(MEMORY).free >= ENOUGH_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.fixture(scope="session")
def mortal() -> Iterator[Mortal]:
    """Return where processes come from that die before a chosen write."""
    with Mortal() as made:
        yield made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no statement wait for another program that will not let go before the test does."""
    monkeypatch.setattr("gdprcall.vault.database.BUSY_S", 0.01)


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
