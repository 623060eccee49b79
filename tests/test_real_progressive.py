"""Real calls that are sealed while they go on: how much plaintext there ever is, a killed daemon, a withdrawal."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults import fault
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Hangup, Press, Wait
from tests.pbx.installation import Installation
from tests.pbx.speech import read_wav, whose
from tests.pbx.waiting import HEARD, call, wait_for_file
from tests.recorders import plaintext

pytestmark = pytest.mark.pbx

MOST = 160 * 1024


@contextmanager
def watched(spool: Path) -> Iterator[list[int]]:
    """Look at the plaintext of the only recording again and again; yields the largest amount so far."""
    peak, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for path in spool.glob("*.wav"):
                try:
                    peak[0] = max(peak[0], plaintext(path))
                except FileNotFoundError:
                    continue

    thread = threading.Thread(target=look, name="plaintext")
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def growing(installation: Installation) -> list[Path]:
    return list((installation.folder / "vault" / "objects").glob("*/*.growing"))


def chunks(installation: Installation) -> int:
    """Return how many chunks of the only growing payload are there, the first one not among them."""
    return max((path.stat().st_size // 65_552 - 1 for path in growing(installation)), default=0)


def test_sec_01_of_a_call_there_is_never_more_plaintext_than_some_seconds_of_it(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    with watched(pbx.spool) as peak:
        caller = call(pbx, HEARD, Press("1"), Wait(25), Hangup())
        wait_for_file(pbx)
        installation.wait_until(lambda: chunks(installation) >= 2, 30)
        assert len(list(installation.memory.iterdir())) == 1
        assert caller.wait() == 0, caller.problem()
        installation.wait_until_quiet()
    (line,) = installation.wait_for("sealed")
    assert 24 < float(str(line["seconds"])) < 27
    assert 100_000 < peak[0] <= MOST
    assert int(str(line["peak_bytes"])) <= MOST
    (row,) = installation.json("recordings", "list")
    heard = whose(read_wav(installation.opened(str(row["id"]))))
    assert min(heard.values()) >= 20
    assert (growing(installation), list(installation.memory.iterdir())) == ([], [])
    assert "everything is as it was written" in installation.cli("audit", "verify").stdout


@fault(
    "the daemon is killed while it seals a call that goes on",
    caller="notices nothing",
    recording="the next daemon goes on where the first was; nothing of it is missing",
    log="sealed",
    mend="nothing",
)
def test_fcl_04_a_daemon_that_is_killed_in_mid_call_is_followed_by_one_that_goes_on_with_the_same_key(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(21), Hangup())
    wait_for_file(pbx)
    installation.wait_until(lambda: chunks(installation) >= 1, 30)
    installation.kill()
    (kept,) = installation.memory.iterdir()
    key = kept.read_bytes()[16:]
    time.sleep(1)
    installation.start()
    installation.wait_until(lambda: chunks(installation) >= 3, 30)
    assert kept.read_bytes()[16:] == key
    assert caller.wait() == 0, caller.problem()
    installation.wait_until_quiet()
    (row,) = installation.json("recordings", "list")
    assert (row["state"], row["segments"]) == ("sealed", 1)
    assert 20 < float(str(row["seconds"])) < 23
    heard = whose(read_wav(installation.opened(str(row["id"]))))
    assert min(heard.values()) >= 16
    found = installation.cli("vault", "verify", check=False)
    assert found.returncode == 0, found.stdout


def test_con_08_a_withdrawal_after_chunks_were_taken_out_leaves_nothing_that_opens(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(10), Press("*9"), Wait(2), Hangup())
    wait_for_file(pbx)
    installation.wait_until(lambda: chunks(installation) >= 1, 30)
    (kept,) = installation.memory.iterdir()
    assert caller.wait() == 0, caller.problem()
    installation.wait_for("withdrawn")
    installation.wait_until_quiet()
    assert not kept.exists()
    assert not [path for path in (installation.folder / "vault" / "objects").glob("*/*") if path.is_file()]
    (row,) = installation.json("recordings", "list")
    assert row["state"] == "erased"
    assert installation.cli("recordings", "export", str(row["id"]), "-o", "x", check=False).returncode != 0
    receipts = [entry["body"] for entry in installation.json("audit", "log") if entry["kind"] == "erased"]
    assert [receipt["complete"] for receipt in receipts if isinstance(receipt, dict)] == [True]
    assert installation.cli("vault", "verify", check=False).returncode == 0
