"""The daemon dies at any step of sealing a call that goes on: the next one goes on with the same key, and loses nothing."""

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gdprcall import age
from gdprcall.vault.archive import Vault
from gdprcall.vault.incomplete import REST
from gdprcall.vault.keys import Slot
from gdprcall.vault.ledger import Fact, Kind
from tests import vaults
from tests.recorders import MixMonitor, in_memory
from tests.test_growing import salvaged
from tests.vaults import ACME, recording_id, wav

REC = recording_id()
CHUNK = age.CHUNK_BYTES
SECONDS = 13.0


class PulledError(Exception):
    """The plug was pulled."""


@pytest.fixture
def memory() -> Iterator[Path]:
    with in_memory() as folder:
        (folder / "spool").mkdir()
        yield folder


def spooled(memory: Path) -> Path:
    return memory / "spool" / f"{REC}.1.wav"


def advance(vault: Vault, memory: Path) -> None:
    vault.advance(spooled(memory), REC, 1, lambda _id: ACME.recipients)


def seal(vault: Vault, memory: Path) -> None:
    vault.seal(spooled(memory), vaults.facts(REC))


def sealed_in_call(vault: Vault, memory: Path) -> None:
    advance(vault, memory)
    seal(vault, memory)


def granted(folder: Path, memory: Path, seconds: float = SECONDS) -> MixMonitor:
    with vaults.opened(folder, memory=memory / "keys") as vault:
        vault.keep_number(REC, "acme", vaults.NUMBER, ACME.recipients)
        vault.note(vaults.decision(REC))
    return MixMonitor(spooled(memory), wav(seconds, 5)[44:])


def is_sealed_once(folder: Path, memory: Path, whole: bytes) -> None:
    """Finish what intake would finish, and see that all of it is sealed, once, with no key and no plaintext left."""
    with vaults.opened(folder, memory=memory / "keys") as vault:
        vault.finish_erasures()
        if spooled(memory).exists():
            seal(vault, memory)
        assert ACME.opens(vaults.whole(vault, REC)) == whole
        assert list(vault.objects.names()) == vault.keys.names(Slot.HEADER) == [(REC, 1)]
        assert vault.left_growing() == set()
        assert list((memory / "spool").iterdir()) == list((memory / "keys").glob("*")) == []
        assert [entry.kind for entry in vault.ledger.entries(recording=REC)].count(Kind.SEALED) == 1
        assert list(vault.verify()) == []


def begin_and_lose_the_key(folder: Path, memory: Path) -> None:
    recorder = granted(folder, memory)
    recorder.close()
    with vaults.opened(folder, memory=memory / "keys") as vault:
        advance(vault, memory)
    for file in (memory / "keys").iterdir():
        file.unlink()


def begin_and_lose_the_memory(folder: Path, memory: Path) -> None:
    begin_and_lose_the_key(folder, memory)
    spooled(memory).unlink()


def put_away(vault: Vault, _memory: Path) -> None:
    vault.put_away(vaults.facts(REC))


CASES: dict[str, tuple[Callable[[Path, Path], object], Callable[[Vault, Path], None]]] = {
    "sealed in mid-call": (lambda folder, memory: granted(folder, memory).close(), sealed_in_call),
    "the key was lost": (begin_and_lose_the_key, seal),
    "the memory was lost": (begin_and_lose_the_memory, put_away),
}


def names_of_steps(folder: Path, case: str) -> list[str]:
    """Run a case to its end and return the steps that it passed."""
    seen: list[str] = []
    prepare, work = CASES[case]
    with in_memory() as memory:
        (memory / "spool").mkdir()
        prepare(folder, memory)
        with vaults.opened(folder, step=seen.append, memory=memory / "keys") as vault:
            seen.clear()
            work(vault, memory)
    return seen


@pytest.mark.parametrize("case", ["the key was lost", "the memory was lost"])
def test_what_was_lost_is_put_away_whatever_step_that_is_stopped_at(tmp_path: Path, case: str) -> None:
    prepare, work = CASES[case]
    whole = header_and_sound()
    for at in range(len(names_of_steps(tmp_path / "model", case))):
        left = -1

        def step(_name: str) -> None:
            nonlocal left
            if left == 0:
                raise PulledError
            left -= 1

        with in_memory() as memory:
            (memory / "spool").mkdir()
            prepare(tmp_path / str(at), memory)
            with vaults.opened(tmp_path / str(at), step=step, memory=memory / "keys") as vault:
                left = at
                with pytest.raises(PulledError):
                    work(vault, memory)
            with vaults.opened(tmp_path / str(at), memory=memory / "keys") as vault:
                if spooled(memory).exists() or vault.left_growing():
                    work(vault, memory)
                parts = sorted(row.segment for row in vault.segments(REC))
                assert salvaged(vaults.whole(vault, REC, 1)) == whole[CHUNK : 3 * CHUNK]
                if case == "the key was lost":
                    rest = ACME.opens(vaults.whole(vault, REC, 1 + REST))
                    assert rest[44:] == whole[44:CHUNK] + whole[3 * CHUNK :]
                assert parts == ([1, 1 + REST] if case == "the key was lost" else [1])
                assert vault.left_growing() == set()
                assert list(vault.verify()) == []


def header_and_sound() -> bytes:
    return wav(SECONDS, 5)


def test_ret_03_whatever_step_it_is_killed_at_the_next_daemon_seals_all_of_it_once(
    tmp_path: Path, memory: Path
) -> None:
    for at in range(len(names_of_steps(tmp_path / "model", "sealed in mid-call"))):
        folder = tmp_path / str(at)
        recorder = granted(folder, memory)
        recorder.close()
        script = (
            "import os\nfrom pathlib import Path\nfrom tests import test_growing_crash as t, vaults\n"
            f"memory, left = Path({str(memory)!r}), {at}\n"
            "def step(name):\n"
            "    global left\n"
            "    if left == 0: os._exit(9)\n"
            "    left -= 1\n"
            f"t.sealed_in_call(vaults.opened(Path({str(folder)!r}), step=step, memory=memory / 'keys'), memory)\n"
        )
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
        is_sealed_once(folder, memory, recorder.whole)


@pytest.mark.parametrize("seed", range(8))
def test_ret_03_killed_again_and_again_while_the_call_goes_on_nothing_of_it_is_lost(
    tmp_path: Path, memory: Path, seed: int
) -> None:
    source = random.Random(seed)
    recorder = granted(tmp_path, memory, 50)

    def step(_name: str) -> None:
        if source.random() < 0.12:
            raise PulledError

    writing = True
    while writing:
        try:
            with vaults.opened(tmp_path, step=step, memory=memory / "keys") as vault:
                while writing:
                    writing = recorder.write(source.randrange(1, 4))
                    advance(vault, memory)
        except PulledError:
            pass
    recorder.close()
    for _ in range(100):
        try:
            with vaults.opened(tmp_path, step=step, memory=memory / "keys") as vault:
                seal(vault, memory)
            break
        except PulledError:
            pass
    is_sealed_once(tmp_path, memory, recorder.whole)


@pytest.mark.parametrize("seed", range(6))
def test_a_key_that_is_lost_at_any_moment_costs_no_sound(tmp_path: Path, memory: Path, seed: int) -> None:
    source = random.Random(seed)
    recorder = granted(tmp_path, memory, 40)
    lost = source.randrange(3, 18)

    def step(_name: str) -> None:
        if source.random() < 0.1:
            raise PulledError

    writing, round_ = True, 0
    while writing:
        try:
            with vaults.opened(tmp_path, step=step, memory=memory / "keys") as vault:
                while writing:
                    writing, round_ = recorder.write(), round_ + 1
                    if round_ == lost:
                        raise PulledError
                    advance(vault, memory)
        except PulledError:
            for file in (memory / "keys").glob("*") if round_ == lost else ():
                file.unlink()
    recorder.close()
    while spooled(memory).exists():
        try:
            with vaults.opened(tmp_path, step=step, memory=memory / "keys") as vault:
                seal(vault, memory)
        except PulledError:
            pass
    with vaults.opened(tmp_path, memory=memory / "keys") as vault:
        parts = sorted(row.segment for row in vault.segments(REC))
        assert parts in ([1], [1, 1 + REST])
        sound = ACME.opens(vaults.whole(vault, REC, parts[-1]))[44:]
        if len(parts) == 2:
            middle = salvaged(vaults.whole(vault, REC, 1))
            sound = sound[: CHUNK - 44] + middle + sound[CHUNK - 44 :]
        assert sound == recorder.whole[44:]
        assert list(vault.verify()) == []
        assert (vault.left_growing(), list((memory / "keys").glob("*"))) == (set(), [])


@pytest.mark.parametrize("at", range(9))
def test_con_08_a_withdrawal_that_is_killed_in_the_middle_ends_with_nothing_left(
    tmp_path: Path, memory: Path, at: int
) -> None:
    recorder = granted(tmp_path, memory, 40)
    recorder.write(13)
    with vaults.opened(tmp_path, memory=memory / "keys") as vault:
        advance(vault, memory)
        vault.note(Fact(Kind.WITHDRAWN, REC, "acme", {"method": "key", "reason": "withdrawn"}))
    left = at

    def step(_name: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise PulledError

    try:
        with vaults.opened(tmp_path, step=step, memory=memory / "keys") as vault:
            vault.erase(REC, reason="withdrawn", actor="caller")
    except PulledError:
        pass
    recorder.close()
    with vaults.opened(tmp_path, memory=memory / "keys") as vault:
        vault.finish_erasures()
        vault.discard(spooled(memory), REC, 1, "acme", "withdrawn")
        assert vault.recording(REC).state == "erased"
        assert (vault.left_growing(), list((memory / "keys").glob("*"))) == (set(), [])
        assert list(vault.objects.folder.glob("*/*")) == vault.keys.names(Slot.HEADER) == []
        assert list(vault.verify()) == []
