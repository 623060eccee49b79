"""Disks and databases fail: nothing new is recorded, what was consented waits, and somebody is told."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults import fault
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Hangup, Press, Wait
from tests.pbx.installation import Installation
from tests.pbx.waiting import HEARD, NUMBER, call, locked, refused_now, returned, wait_for_file

pytestmark = pytest.mark.pbx


@fault(
    "the vault cannot be written to (full, read-only, gone)",
    caller="who is being recorded notices nothing; the next is served at once",
    recording="waits in the spool and is sealed when it can be; none new until then",
    log="seal_failed",
    mend="see its `hint`, mend the disk, restart; `gdprcall status` counts what waits",
)
def test_fcl_05_what_cannot_be_sealed_waits_and_nobody_else_is_recorded(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(3), Hangup())
    wait_for_file(pbx)
    objects = installation.folder / "vault" / "objects"
    away = objects.with_name("objects.away")
    if objects.exists():
        objects.rename(away)
    # Not even root can write below a file.
    objects.touch()
    assert caller.wait() == 0, caller.problem()
    installation.wait_for("seal_failed")
    assert len(list(pbx.spool.glob("*.wav"))) == 1
    refused_now(pbx)
    assert "spool_waiting" in installation.cli("status").stdout
    installation.stop()
    objects.unlink()
    if away.exists():
        away.rename(objects)
    installation.start()
    installation.wait_until_quiet()
    assert [row["state"] for row in installation.json("recordings", "list")] == ["sealed"]


@fault(
    "the ledger cannot be written to, or takes longer than a second",
    caller="is served, unrecorded, a second after the key",
    recording="none; a note that comes later is closed as not started",
    log="evidence_failed",
    mend="look at the disk of the vault and the load of the machine: `iostat`, `dmesg`, `uptime`",
)
def test_fcl_06_evidence_that_comes_late_is_none(pbx: Asterisk, installation: Installation) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(6), Hangup())
    time.sleep(7)
    with locked(installation.folder / "vault" / "ledger.db"):
        time.sleep(1.8)
        assert returned(pbx, within=1 + 1.5) == "unrecorded"
    assert caller.wait() == 0, caller.problem()
    assert not list(pbx.spool.iterdir())
    installation.wait_until(
        lambda: {row["state"] for row in installation.json("recordings", "list")} <= {"not_started"}
    )
    after = call(pbx, HEARD, Press("1"), Wait(2), Hangup(), number="+46701749902")
    assert after.wait() == 0, after.problem()
    installation.wait_for("sealed")


@fault(
    "Asterisk cannot write to the spool (full, missing)",
    caller="notices nothing",
    recording="none; closed as not started within 3 s",
    log="recording_missing",
    mend="`df`, `mount`: is the spool there, has it room, may Asterisk write to it?",
)
def test_asterisks_success_without_a_file_is_no_recording(pbx: Asterisk, installation: Installation) -> None:
    pbx.rx("dialplan set global GDPRCALL_SPOOL /proc/nowhere")
    try:
        installation.start()
        caller = call(pbx, HEARD, Press("1"), Wait(6), Hangup())
        assert caller.wait() == 0, caller.problem()
    finally:
        pbx.rx(f"dialplan set global GDPRCALL_SPOOL {pbx.spool}")
    assert pbx.db("result")[NUMBER] == "recorded", "Asterisk says that it records"
    installation.wait_for("recording_missing")
    assert [row["state"] for row in installation.json("recordings", "list")] == ["not_started"]


@fault(
    "the spool goes away (unmounted, renamed)",
    caller="is served at once",
    recording="none new until it is back",
    log="spool_lost",
    mend="mount it again",
)
def test_fcl_05_without_a_spool_nobody_is_recorded(pbx: Asterisk, installation: Installation) -> None:
    installation.start()
    away = pbx.spool.with_name("away")
    pbx.spool.rename(away)
    try:
        installation.wait_for("spool_lost")
        caller = call(pbx, Wait(1), Hangup())
        assert returned(pbx, within=3.5) == "unrecorded"
        assert caller.wait() == 0, caller.problem()
    finally:
        away.rename(pbx.spool)
    installation.wait_until(lambda: "spool_lost" not in installation.cli("status").stdout)


@fault(
    "the spool or the vault has less room than the reserve",
    caller="is served at once",
    recording="none new until there is room",
    log="call_finished",
    mend="a bigger tmpfs; `gdprcall status` shows what waits",
)
@pytest.mark.parametrize("where", ["spool", "vault"])
def test_fcl_05_a_spool_or_a_vault_without_reserve_records_nobody(
    pbx: Asterisk, installation: Installation, where: str
) -> None:
    full = pbx.spool if where == "spool" else installation.folder / "vault"
    installation.start(by=["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=8m t {full}; exec "$@"', "sh"])
    caller = call(pbx, Wait(1), Hangup())
    assert returned(pbx, within=3.5) == "unrecorded"
    assert caller.wait() == 0, caller.problem()
    installation.wait_until(lambda: bool(installation.json("decisions", "list")))
    (row,) = installation.json("decisions", "list")
    assert (row["outcome"], row["reason"]) == ("system_fail", "no_space")
    status = json.loads(installation.cli("status", "--json").stdout)
    assert (status["fit"], status["unfit"], status["reserve_bytes"]) == (False, "no_space", 64 << 20)
    assert min(status["vault_free_bytes"], status["spool"]["free_bytes"]) < status["reserve_bytes"]
    examined = json.loads(installation.cli("doctor", "--json", check=False).stdout)
    told = [one for one in examined if one["check"] == "recording"]
    assert [(one["grade"], "no_space" in one["text"]) for one in told] == [("FAIL", True)]


@fault(
    "a caller is connected, and not one packet of sound comes",
    caller="-",
    recording="a file without sound is destroyed, and noted",
    log="discarded",
    mend="look for one-way sound: NAT, firewall",
)
def test_a_file_of_nothing_but_its_header_is_destroyed_and_noted(pbx: Asterisk, installation: Installation) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(8), Hangup(), to="support-ring")
    wait_for_file(pbx)
    assert caller.wait() == 0, caller.problem()
    installation.wait_until_quiet()
    (row,) = installation.json("recordings", "list")
    assert row["state"] == "not_started"
    assert "discarded" in installation.kinds()


@fault(
    "the ledger was changed by somebody, and a file is in the spool that it does not explain",
    caller="is served at once",
    recording="the file is sealed apart for its controller, or waits if there are several; none new",
    log="quarantined",
    mend="`gdprcall audit verify` names the entry; find out who it was",
)
def test_fcl_04_with_a_damaged_ledger_nothing_unexplained_is_destroyed_and_nobody_is_recorded(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    assert call(pbx, Wait(1), Press("2"), Wait(0.5), Hangup()).wait() == 0
    installation.stop()
    damage(installation.folder / "vault" / "ledger.db")
    stray = pbx.spool / f"{'0123456789abcdef' * 2}.1.wav"
    stray.write_bytes(bytes(100_000))
    installation.start(ready=False)
    installation.wait_for("quarantined")
    installation.wait_until_quiet()
    refused_now(pbx)
    assert installation.cli("audit", "verify", check=False).returncode == 4
    (row,) = installation.json("recordings", "list")
    assert row["state"] == "quarantined"
    assert installation.opened(str(row["id"])).read_bytes() == bytes(100_000)


def damage(ledger: Path) -> None:
    """Make another word of one decision, as somebody would who wants it forgotten."""
    with closing(sqlite3.connect(ledger)) as database, database:
        changed = database.execute("UPDATE body SET body = replace(body, 'refused', 'granted')")
        assert changed.rowcount
