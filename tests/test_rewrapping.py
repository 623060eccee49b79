"""Headers for other recipients: whatever happens, each recording has one header, the one that the ledger speaks of."""

import hashlib
import os
import random
import shutil
import sqlite3
from io import BytesIO
from pathlib import Path

import pytest

from gdprcall import age
from gdprcall.errors import CheckFailed, VaultError
from gdprcall.vault import keys as keys_module
from gdprcall.vault import rewrapping
from gdprcall.vault.archive import Vault
from gdprcall.vault.binding import REPLACED, binding_stanza, bound_header, header_of
from gdprcall.vault.keys import Held, Slot
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.rewrapping import Order, Replaced, Rewrap
from tests import vaults
from tests.deaths import Begin, Mortal
from tests.vaults import ACME, Controller

NEW = Controller("acme", seed=77)
ORDER = Order("acme", NEW.recipients, "uid:0")
BACK = Order("acme", ACME.recipients, "uid:0")
A, B = vaults.recording_id(1), vaults.recording_id(2)
SOUND = vaults.wav(seed=101)
STEPS = ["headers staged", "rewrap noted", "headers replaced", "log cut", "staged forgotten"]


def fill(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with vaults.opened(folder) as vault:
        vaults.sealed(vault, folder / "spool", 1)
        vaults.sealed(vault, folder / "spool", 2, segments=2)


def new_header(held: Held, by: Controller = ACME, to: tuple[str, ...] = NEW.recipients) -> Rewrap:
    """Wrap a header's key for other recipients, as its officer does."""
    old = header_of(held.data)
    file_key, _ = age.open_header(old, by.identities)
    part = "number" if held.kind is Slot.NUMBER else str(held.segment)
    made = bound_header(file_key, to, binding_stanza(held.recording, "acme", part), os.urandom)
    return Rewrap(held.recording, held.segment, held.kind, hashlib.sha256(old).hexdigest(), made)


def new_headers(vault: Vault, **more: object) -> list[Rewrap]:
    return [new_header(held, **more) for held in vault.keys.held()]  # type: ignore[arg-type]  # a test's own


def saved(folder: Path) -> list[Rewrap]:
    """Make the new headers once: a crash test brings the same ones again, as the same bundle would."""
    with vaults.opened(folder) as vault:
        return new_headers(vault)


def opens(vault: Vault, recording: str, who: Controller, which: int = 1) -> bytes:
    return who.opens(vaults.whole(vault, recording), which)


def refusal(vault: Vault, one: Rewrap, order: Order = ORDER) -> str:
    done = rewrapping.rewrap(vault.stores, [one], order)
    assert done.taken == 0
    ((_, problem),) = done.refused
    return problem


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted((folder / "vault").glob("keys.db*")))


def wrapped(header: bytes) -> list[bytes]:
    return [line for line in header.split(b"\n") if len(line) == 43 and b" " not in line]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    fill(tmp_path)
    return vaults.opened(tmp_path)


def test_a_rewrapped_recording_opens_for_the_new_recipients_and_no_longer_for_the_old(
    tmp_path: Path, vault: Vault
) -> None:
    payload = vault.objects.path(A, 1).read_bytes()
    old = [header_of(held.data) for held in vault.keys.held()]
    assert rewrapping.rewrap(vault.stores, new_headers(vault), ORDER) == Replaced(taken=5)
    for which in (0, 1):
        assert opens(vault, A, NEW, which) == SOUND
        number = vault.sealed_number(A)
        assert number is not None
        assert NEW.opens(number, which) == vaults.NUMBER.encode()
        with pytest.raises(age.NoMatch):
            opens(vault, A, ACME, which)
        with pytest.raises(age.NoMatch):
            ACME.opens(number, which)
    assert vault.objects.path(A, 1).read_bytes() == payload
    assert list(vault.verify()) == []
    vault.close()
    needles = [needle for header in old for needle in wrapped(header)]
    assert len(needles) == 10
    assert not any(needle in on_disk(tmp_path) for needle in needles)


def test_the_ledger_names_each_header_that_was_replaced_for_whom_and_by_whom(vault: Vault) -> None:
    one = next(new for new in new_headers(vault) if new.name == f"{A}.1")
    rewrapping.rewrap(vault.stores, [one], ORDER)
    (entry,) = [entry for entry in vault.ledger.entries(recording=A) if entry.kind is Kind.REWRAPPED]
    assert entry.body == {
        "segment": 1,
        "slot": "header",
        "was": one.was,
        "header_sha256": hashlib.sha256(one.header).hexdigest(),
        "recipients": [keys_module.fingerprint(recipient) for recipient in NEW.recipients],
        "actor": "uid:0",
    }
    assert vault.segments(A)[0].header_sha256 == entry.body["header_sha256"]
    vault.close()


def test_done_again_it_changes_nothing_and_says_so(vault: Vault) -> None:
    wanted = new_headers(vault)
    rewrapping.rewrap(vault.stores, wanted, ORDER)
    entries = vault.ledger.size()
    assert rewrapping.rewrap(vault.stores, wanted, ORDER) == Replaced(already=5)
    assert vault.ledger.size() == entries
    vault.close()


def test_a_dry_run_weighs_everything_and_changes_nothing(vault: Vault) -> None:
    before, entries = list(vault.keys.held()), vault.ledger.size()
    done = rewrapping.rewrap(vault.stores, new_headers(vault), Order("acme", NEW.recipients, "x", dry_run=True))
    assert (done.taken, done.refused) == (5, [])
    assert (list(vault.keys.held()), vault.ledger.size()) == (before, entries)
    vault.close()


def test_post_quantum_headers_go_into_larger_slots_and_the_old_ones_are_gone(tmp_path: Path, vault: Vault) -> None:
    old = [header_of(held.data) for held in vault.keys.held()]
    people = [age.HybridIdentity.generate(random.Random(seed).randbytes) for seed in (1, 2)]
    to = tuple(one.recipient().encode() for one in people)
    done = rewrapping.rewrap(vault.stores, new_headers(vault, to=to), Order("acme", to, "x"))
    assert (done.taken, done.residue) == (5, 0)
    out = BytesIO()
    age.decrypt(BytesIO(vaults.whole(vault, A)), [people[1]], out)
    assert out.getvalue() == SOUND
    assert list(vault.verify()) == []
    vault.close()
    assert not any(needle in on_disk(tmp_path) for header in old for needle in wrapped(header))
    with vaults.opened(tmp_path) as again:
        assert again.erase(A, reason="x", actor="x").complete
        assert list(again.verify()) == []


def test_ret_05_an_old_bundle_brings_nothing_back_that_was_erased(tmp_path: Path, vault: Vault) -> None:
    wanted = new_headers(vault)
    vault.erase(A, reason="request", actor="officer")
    done = rewrapping.rewrap(vault.stores, wanted, ORDER)
    assert done.taken == 3
    assert dict(done.refused) == {f"{A}.1": "there is no such header any more", A: "there is no such header any more"}
    assert {name for name, _ in vault.keys.names(Slot.HEADER)} == {B}
    vault.close()
    with vaults.opened(tmp_path) as again:
        assert list(again.verify()) == []
    mine = [one for one in wanted if one.recording == A]
    assert not any(needle in on_disk(tmp_path) for one in mine for needle in wrapped(one.header))


def test_a_withdrawn_recording_whose_header_is_still_there_gets_no_new_one(vault: Vault) -> None:
    wanted = new_headers(vault)
    vault.note(Fact(Kind.WITHDRAWN, A, "acme", {"method": "key", "reason": "withdrawn"}))
    assert refusal(vault, next(one for one in wanted if one.name == A)) == "the recording was withdrawn or erased"
    vault.close()


def test_what_does_not_fit_is_refused_by_name_and_the_others_are_taken(vault: Vault) -> None:
    wanted = new_headers(vault)
    first = next(one for one in wanted if one.name == f"{A}.1")
    number = next(one for one in wanted if one.name == A)
    other = next(one for one in wanted if one.name == f"{B}.1")
    one_only = new_header(next(h for h in vault.keys.held() if h.recording == A and h.segment), to=NEW.recipients[:1])
    hybrid = age.HybridIdentity.generate(random.Random(1).randbytes).recipient().encode()
    old = vault.keys.get(A, 1, Slot.HEADER)
    assert old is not None

    def like(header: bytes, was: str = first.was) -> Rewrap:
        return Rewrap(A, 1, Slot.HEADER, was, header)

    stale = "another header is there than the one that was exported"
    for one, problem in [
        (like(b"no header\n"), "the new header is no age header"),
        (like(other.header), "the new header is bound to something else"),
        (like(number.header), "the new header is bound to something else"),
        (one_only, "the new header is not for the recipients of this controller"),
        (like(first.header, other.was), stale),
        (Rewrap(A, 7, Slot.HEADER, first.was, first.header), "there is no such header any more"),
        (Rewrap("0" * 32, 1, Slot.HEADER, first.was, first.header), "there is no such header any more"),
    ]:
        assert refusal(vault, one) == problem
    assert "not for the recipients" in refusal(vault, first, Order("acme", (hybrid, hybrid), "x"))
    assert refusal(vault, first, Order("beta", NEW.recipients, "x")) == "it is no recording of this controller"
    done = rewrapping.rewrap(vault.stores, [one_only, *wanted[1:]], ORDER)
    assert (done.taken, len(done.refused)) == (4, 1)
    vault.close()


def test_a_header_that_still_holds_the_stanza_of_a_former_recipient_is_refused(vault: Vault) -> None:
    held = next(held for held in vault.keys.held() if held.recording == A and held.kind is Slot.HEADER)
    file_key, old = age.open_header(held.data, ACME.identities)
    fresh, _ = age.open_header(new_header(held).header, NEW.identities)
    assert fresh == file_key
    kept = (old.stanzas[0], age.parse_recipient(NEW.recipients[1]).wrap(file_key, os.urandom), old.stanzas[2])
    unsigned = age.Header(kept, b"")
    mixed = age.Header(kept, age.format.header_mac(file_key, unsigned.authenticated())).encode()
    one = Rewrap(A, 1, Slot.HEADER, hashlib.sha256(held.data).hexdigest(), mixed)
    assert refusal(vault, one) == "the new header repeats a part of the old one"
    vault.close()


def swap_back(folder: Path, held: Held) -> None:
    """Do what somebody does who kept the old header and can write to keys.db."""
    size = 512
    slot = (len(held.data).to_bytes(2, "big") + held.data).ljust(size, b"\0")
    with sqlite3.connect(folder / "vault" / "keys.db") as db:
        db.execute(
            "UPDATE slot_512 SET slot = ? WHERE recording = ? AND segment = ? AND kind = ?",
            (slot, held.recording, held.segment, held.kind),
        )
    db.close()


def test_sec_03_an_old_header_that_is_put_back_is_named_and_not_served(tmp_path: Path, vault: Vault) -> None:
    old = [held for held in vault.keys.held() if held.recording == A]
    wanted = new_headers(vault)
    rewrapping.rewrap(vault.stores, wanted, ORDER)
    vault.close()
    for held in old:
        swap_back(tmp_path, held)
    with vaults.opened(tmp_path) as again:
        found = {(finding.where, finding.name, finding.detail) for finding in again.verify()}
        assert found == {("header", f"{A}.1", REPLACED), ("number", A, REPLACED)}
        with pytest.raises(CheckFailed, match="before it was rewrapped"):
            again.export(A, 1, actor="x", purpose="x")
        # Nor is it washed clean by being rewrapped once more.
        for held in old:
            problem = refusal(again, new_header(held))
            assert problem == f"its present header is {REPLACED}"


def run(folder: Path, wanted: list[Rewrap], step: vaults.Callable[[str], None] = lambda _name: None) -> Replaced:
    with vaults.opened(folder, step=step) as vault:
        return rewrapping.rewrap(vault.stores, wanted, ORDER)


class PulledError(Exception):
    """The plug was pulled."""


def is_whole(folder: Path, wanted: list[Rewrap], old: list[bytes]) -> None:
    """Each recording has one header that opens, by the old or by the new identities; then it is finished, and all are new."""
    with vaults.opened(folder) as vault:
        assert vault.keys.staged() is None
        assert list(vault.verify()) == []
        for recording in (A, B):
            header = vault.keys.get(recording, 1, Slot.HEADER)
            assert header is not None
            by = [who for who in (ACME, NEW) if any(_opens(header, identity) for identity in who.identities)]
            assert len(by) == 1
            assert opens(vault, recording, by[0])
        done = rewrapping.rewrap(vault.stores, wanted, ORDER)
        assert (done.taken + done.already, done.refused, done.residue) == (5, [], 0)
        assert opens(vault, A, NEW) == SOUND
        assert list(vault.verify()) == []
    assert not any(needle in on_disk(folder) for header in old for needle in wrapped(header))


def _opens(header: bytes, identity: age.X25519Identity) -> bool:
    try:
        age.open_header(header, [identity])
    except age.NoMatch:
        return False
    return True


def old_headers(folder: Path) -> list[bytes]:
    with vaults.opened(folder) as vault:
        return [header_of(held.data) for held in vault.keys.held()]


def test_the_steps_come_in_the_order_that_survives_a_crash(tmp_path: Path) -> None:
    fill(tmp_path)
    seen: list[str] = []
    run(tmp_path, saved(tmp_path), seen.append)
    assert seen == STEPS


@pytest.mark.parametrize("at", range(len(STEPS)))
def test_ret_03_pulled_at_any_step_the_next_start_leaves_one_header_each(tmp_path: Path, at: int) -> None:
    fill(tmp_path)
    wanted, old = saved(tmp_path), old_headers(tmp_path)
    pull(tmp_path, wanted, at)
    is_whole(tmp_path, wanted, old)


def take(folder: Path, wanted: list[Rewrap], begin: Begin) -> None:
    """Take new headers in a process that may die."""
    with vaults.opened(folder) as vault:
        begin()
        rewrapping.rewrap(vault.stores, wanted, ORDER)


def test_ret_03_the_same_when_the_process_is_killed_outright_before_any_write(tmp_path: Path) -> None:
    fill(tmp_path / "model")
    wanted, old = saved(tmp_path / "model"), old_headers(tmp_path / "model")
    with Mortal() as mortal:
        shutil.copytree(tmp_path / "model", tmp_path / "whole")
        writes = mortal.writes(take, tmp_path / "whole", wanted)
        assert writes >= 5
        for at in range(writes):
            folder = tmp_path / str(at)
            shutil.copytree(tmp_path / "model", folder)
            mortal.dies(take, folder, wanted, at=at)
            is_whole(folder, wanted, old)


def pull(folder: Path, wanted: list[Rewrap], at: int) -> None:
    """Take new headers, and stop right after step number ``at``."""
    left = at

    def step(_name: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise PulledError

    with pytest.raises(PulledError):
        run(folder, wanted, step)


def names_of_steps(folder: Path) -> list[str]:
    """Return the steps of a rewrap, and those of settling one that was cut off."""
    fill(folder)
    seen: list[str] = []
    pull(folder, saved(folder), 1)
    with vaults.opened(folder, step=seen.append) as vault:
        rewrapping.rewrap(vault.stores, [new_header(held, NEW, ACME.recipients) for held in vault.keys.held()], BACK)
    return seen


def test_ret_03_cut_off_and_then_pulled_while_it_settles_it_still_ends_whole(tmp_path: Path) -> None:
    fill(tmp_path)
    wanted, old = saved(tmp_path), old_headers(tmp_path)
    pull(tmp_path, wanted, 1)  # staged and noted, nothing swapped
    for at in (0, 2, 0):
        left = at

        def step(_name: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise PulledError

        with pytest.raises(PulledError), vaults.opened(tmp_path, step=step):
            pass
    is_whole(tmp_path, wanted, old)
    with vaults.opened(tmp_path) as vault:
        assert opens(vault, B, NEW)


def test_ret_03_erased_after_a_crash_between_note_and_swap_nothing_of_it_is_left(tmp_path: Path) -> None:
    fill(tmp_path)
    wanted, old = saved(tmp_path), old_headers(tmp_path)
    pull(tmp_path, wanted, 1)
    with vaults.opened(tmp_path) as vault:
        assert vault.erase(A, reason="x", actor="x").complete
        assert vault.erase(B, reason="x", actor="x").complete
        assert list(vault.verify()) == []
    headers = [*old, *(one.header for one in wanted)]
    assert not any(needle in on_disk(tmp_path) for header in headers for needle in wrapped(header))


def test_a_staged_header_is_destroyed_with_its_recording(tmp_path: Path, vault: Vault) -> None:
    staged = next(one for one in new_headers(vault) if one.name == f"{A}.1")
    vault.keys.stage([Held(A, 1, Slot.HEADER, staged.header)])
    assert vault.erase(A, reason="x", actor="x").complete
    vault.close()
    assert not any(needle in on_disk(tmp_path) for needle in wrapped(staged.header))


def test_fcl_06_what_the_ledger_does_not_take_is_not_swapped(vault: Vault) -> None:
    before = list(vault.keys.held())
    wanted = new_headers(vault)
    vault.ledger.distrust("a test says so")
    done = rewrapping.rewrap(vault.stores, wanted, ORDER)
    assert done.taken == 0
    assert {problem for _, problem in done.refused} == {"a test says so"}
    assert sorted(map(str, vault.keys.held())) == sorted(map(str, before))
    assert vault.keys.staged() in (None, [])
    vault.close()


def test_rgt_08_a_program_that_reads_keys_db_is_named_and_the_rest_is_done_next_time(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "CHECKPOINT_TRIES", 1)
    wanted, old = new_headers(vault), [header_of(held.data) for held in vault.keys.held()]
    reader = sqlite3.connect(tmp_path / "vault" / "keys.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM slot_512").fetchone()
    with pytest.raises(VaultError, match="held open"):
        rewrapping.rewrap(vault.stores, wanted, ORDER)
    reader.close()
    assert [(finding.where, finding.name) for finding in vault.verify()] == [("header", "keys.db")]
    assert rewrapping.rewrap(vault.stores, wanted, ORDER).already == 5
    assert list(vault.verify()) == []
    assert not any(needle in on_disk(tmp_path) for header in old for needle in wrapped(header))
    vault.close()
