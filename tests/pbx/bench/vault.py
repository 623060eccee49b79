"""What the vault costs without calls: erasing many, overwriting one slot, the ledger, a million rows, and age against Go's.

It measures only public ways of the vault, on the disk of the checkout; whole files are encrypted in memory.
"""

import base64
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from gdprcall import age
from gdprcall.rights import retention
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.index import Index
from gdprcall.vault.keys import Keys, Slot
from gdprcall.vault.rows import Wanted
from tests import vaults
from tests.pbx.bench.meters import median, quantile
from tests.vaults import ACME, DAY_ONE, recording_id

ERASED = 10_000
WRITERS, FACTS = 100, 50
RECORDINGS, CALLERS, ASKED = 1_000_000, 20_000, 300
DAY_MS = 24 * 3600 * 1000
SHORT_BYTES, LONG_BYTES = 9_600_044, 1 << 30
HEADER_BYTES, NUMBER_BYTES = 350, 330


def erasing(folder: Path) -> float:
    """Return the seconds in which ten thousand recordings are erased together, each with its receipt."""
    ids = [recording_id(number) for number in range(ERASED)]
    with vaults.opened(folder) as vault:
        for future in [vault.submit(vaults.decision(id_), vaults.caller(id_)) for id_ in ids]:
            future.result()
        _fill(vault, ids)
        vault.catch_up()
        begun = time.perf_counter()
        outcomes = vault.erase_all(ids, reason="retention", actor="bench")
        seconds = time.perf_counter() - begun
        assert len(outcomes) == ERASED
        assert vault.keys.names(Slot.HEADER) == list(vault.objects.names()) == []
    return seconds


def sweeping(folder: Path) -> float:
    """Return the seconds of a sweep in which ten thousand recordings are due."""
    ids = [recording_id(number) for number in range(ERASED)]
    body: dict[str, object] = dict.fromkeys(("payload_bytes", "started_at", "closed_at"), DAY_ONE)
    body |= {"segment": 1, "seconds": 1.0, "expires_at": DAY_ONE, "payload_sha256": "0" * 64, "header_sha256": ""}
    with vaults.opened(folder) as vault:
        facts = ((vaults.decision(id_), vaults.caller(id_), Fact(Kind.SEALED, id_, "acme", body)) for id_ in ids)
        for future in [vault.submit(*some) for some in facts]:
            future.result()
        _fill(vault, ids)
        vault.catch_up()
        begun = time.perf_counter()
        swept = list(retention.sweep(vault, DAY_ONE + DAY_MS, actor="bench"))
        seconds = time.perf_counter() - begun
        assert [one.error for one in swept] == [""] * ERASED
        assert vault.keys.names(Slot.HEADER) == list(vault.objects.names()) == []
    return seconds


def _fill(vault: Vault, ids: list[str]) -> None:
    """Give each recording a header, a number and a small payload; encrypting each would take a minute more."""
    slots = []
    for id_ in ids:
        wrapped = base64.b64encode(os.urandom(32))[:43]
        header = (
            os.urandom(HEADER_BYTES - 80).hex().encode()[: HEADER_BYTES - 80] + b"\n" + wrapped + b"\n" + os.urandom(32)
        )
        slots += [(id_, 1, Slot.HEADER, header), (id_, 0, Slot.NUMBER, os.urandom(NUMBER_BYTES))]
        path = vault.objects.path(id_, 1)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(bytes(1000))
    with vault.keys._store.transaction() as db:  # put() syncs each; what is measured comes later
        db.executemany(
            "INSERT INTO slot_512 VALUES (?, ?, ?, ?)",
            [(*place, (len(data).to_bytes(2, "big") + data).ljust(512, b"\0")) for *place, data in slots],
        )


def overwriting(folder: Path, rounds: int = 200) -> list[float]:
    """Return durable overwrites of one slot against one fdatasync of as many bytes, in turns; the median of each."""
    keys = Keys(folder / "keys.db")
    slot, synced = [], []
    with open(folder / "synced", "wb", buffering=0) as file:
        for _ in range(rounds):
            begun = time.perf_counter()
            keys.put(recording_id(), 1, Slot.HEADER, os.urandom(HEADER_BYTES))
            slot.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            file.write(os.urandom(512))
            os.fdatasync(file.fileno())
            synced.append(time.perf_counter() - begun)
    keys.close()
    return [median(slot) / median(synced)]


def noting(folder: Path) -> float:
    """Return how many facts a second become durable when a hundred threads each wait for theirs."""
    with vaults.opened(folder) as vault:

        def write(number: int) -> None:
            for fact in range(FACTS):
                vault.note(vaults.decision(recording_id(number * FACTS + fact)))

        threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begun
        assert vault.ledger.size() == WRITERS * FACTS
    return WRITERS * FACTS / seconds


def asking(folder: Path) -> tuple[float, float, float]:
    """Return the p99 in ms of the last 50 of a caller, 100 that are due, and 100 of a controller's day, of a million."""
    index = Index(folder / "index.db")
    rows = (
        (
            f"{number:032x}", "call", "acme" if number % 4 else "other", "support", "quality", "consent", "decision", "sealed",
            DAY_ONE + number * 3_000, 30, DAY_ONE + number * 3_000 + 30 * DAY_MS, f"{number * 7919 % CALLERS:032x}", 0,
        )
        for number in range(RECORDINGS)
    )  # fmt: skip
    with index._store.transaction() as db:
        db.executemany(f"INSERT INTO recording VALUES ({', '.join('?' * 13)})", rows)
    due = DAY_ONE + 31 * DAY_MS
    asked = (
        lambda number: index.recordings(Wanted(controller="acme", subject=f"{number * 61 % CALLERS:032x}", limit=50)),
        lambda _number: index.due(due, 100),
        lambda number: index.recordings(
            Wanted("acme", since=DAY_ONE + number % 34 * DAY_MS, until=DAY_ONE + (number % 34 + 1) * DAY_MS, limit=100)
        ),
    )
    found = []
    for ask in asked:
        seconds = []
        for number in range(ASKED):
            begun = time.perf_counter()
            assert ask(number) or number % 4 == 0
            seconds.append(time.perf_counter() - begun)
        found.append(quantile(seconds, 0.99) * 1000)
    index.close()
    return found[0], found[1], found[2]


def against_go(tool: Path, folder: Path, rounds: int = 5) -> tuple[list[float], list[float], float]:
    """Return Go's seconds against ours for a short and a long file, and our largest memory in MB for the long one.

    The short one is encrypted as the daemon does it, without a start of its own; Go's start is counted. The two take
    turns, so that what else the machine does falls on both; a first turn only makes the folder's memory known to it.
    """
    source, ours = folder / "plain", folder / "ours.age"
    os.sync()  # what was measured before may still be on its way to the disk, which takes a core of two
    _write_noise(source, SHORT_BYTES)
    short = [_go(tool, source) / _encrypt(source, ours) for _ in range(rounds + 1)][1:]
    _write_noise(source, LONG_BYTES)
    long = [(_go(tool, source), *_encrypt_apart(source, ours)) for _ in range(rounds + 1)][1:]
    return short, [theirs / seconds for theirs, seconds, _ in long], max(megabytes for _, _, megabytes in long)


def _write_noise(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for begin in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - begin)))


def _go(tool: Path, source: Path) -> float:
    sink = source.with_name("go.age")
    begun = time.perf_counter()
    subprocess.run([tool, "-r", ACME.recipients[0], "-o", sink, source], check=True)
    seconds = time.perf_counter() - begun
    sink.unlink()  # the other side then gets the same memory to write into
    return seconds


def _encrypt(source: Path, sink: Path) -> float:
    begun = time.perf_counter()
    with source.open("rb") as file, sink.open("wb") as out:
        age.encrypt(file, [age.X25519Recipient.parse(ACME.recipients[0])], out)
    seconds = time.perf_counter() - begun
    sink.unlink()
    return seconds


APART = """
import sys, time
from gdprcall import age
begun = time.perf_counter()
with open(sys.argv[2], "rb") as file, open(sys.argv[3], "wb") as out:
    age.encrypt(file, [age.X25519Recipient.parse(sys.argv[1])], out)
seconds = time.perf_counter() - begun
# Not ru_maxrss: that counts the memory of the process that started this one.
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak) / 1024)
"""


def _encrypt_apart(source: Path, sink: Path) -> tuple[float, float]:
    """Encrypt in a process of its own; return its seconds and its largest memory in MB."""
    run = [sys.executable, "-c", APART, ACME.recipients[0], source, sink]
    seconds, megabytes = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()
    sink.unlink()
    return float(seconds), float(megabytes)
