"""Custody with a real daemon and real calls: a rotation is noted before anything is sealed by it, and old calls follow."""

import asyncio
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.pbx.callers import Caller, Hangup, Press, Wait
from tests.pbx.installation import Installation
from tests.pbx.prepare import PBX
from tests.test_scope import answers, post, root_only

pytestmark = pytest.mark.pbx

NUMBER = "+46701742301"


def test_sec_03_a_rotation_while_calls_go_on_is_noted_first_and_earlier_calls_open_for_the_new_recipients(
    installation: Installation,
) -> None:
    desk = installation.officer
    installation.start()
    assert [event["controller"] for event in installation.log("recipients_changed")] == ["acme"]
    first = _recorded(installation)
    assert installation.opened(first).stat().st_size > 1000
    new = [installation.cli("keys", "new", "-o", str(desk / name)).stdout.strip() for name in ("daily", "escrow")]
    for name, recipient in zip(("daily", "escrow"), new, strict=True):
        asked, answer = desk / f"{name}.challenge", desk / f"{name}.answer"
        installation.cli("keys", "enrol", "acme", recipient, "-o", str(asked))
        with answer.open("wb") as out:
            subprocess.run([PBX / "bin" / "age", "-d", "-i", desk / name, asked], stdout=out, check=True)
        installation.cli("keys", "enrol", "acme", recipient, "--response", str(answer))
    installation.cli("keys", "rotate", "acme", *new)
    before = len(installation.log("reloaded"))
    installation.send(signal.SIGHUP)
    installation.wait_until(lambda: len(installation.log("reloaded")) > before)
    assert [row["recipient"] for row in installation.json("keys", "list")] == new
    second = _recorded(installation)
    _order(installation, second)
    old = installation.identity
    to = [word for recipient in new for word in ("--to", recipient)]
    installation.cli("keys", "rewrap", "export", "acme", "-o", str(desk / "out"))
    installation.cli("keys", "rewrap", "convert", str(desk / "out"), "-i", str(old), *to, "-o", str(desk / "back"))
    taken = installation.cli("keys", "rewrap", "take", str(desk / "back"), "--yes").stdout
    assert taken == "2 headers replaced, 0 were already\n", "header and number of the first call, and not the second"
    installation.identity = desk / "escrow"
    for recording in (first, second):
        assert installation.opened(recording).stat().st_size > 1000
    installation.identity = old
    with pytest.raises(subprocess.CalledProcessError):
        installation.opened(first)
    assert installation.cli("vault", "verify").returncode == installation.cli("audit", "verify").returncode == 0


@root_only
async def test_sec_06_a_row_of_access_that_is_added_lets_somebody_in_from_the_reload_on(
    installation: Installation,
) -> None:
    with tempfile.TemporaryDirectory() as sockets:
        Path(sockets).chmod(0o755)
        socket = Path(sockets) / "api.sock"
        installation.replace(f"{installation.folder}/api.sock", str(socket))
        installation.start()
        with pytest.raises(AssertionError, match="PermissionError"):
            await answers(socket, [post("recordings/list")])
        with installation.config.open("a") as file:
            file.write('[[access]]\nuser = "nobody"\nrole = "auditor"\n')
        installation.send(signal.SIGHUP)
        await asyncio.to_thread(installation.wait_for, "reloaded")
        assert [status for status, _ in await answers(socket, [post("recordings/list")])] == [200]
        installation.stop()


def test_sec_03_the_daemon_does_not_start_beside_an_identity(installation: Installation) -> None:
    place = installation.folder / "vault" / "prompts" / "old"
    place.mkdir(parents=True)
    (place / "acme.identity").write_bytes(installation.identity.read_bytes())
    done = installation.cli("serve", check=False)
    assert (done.returncode, "must not be on the PBX" in done.stderr) == (2, True)
    assert str(place) in done.stderr


def _recorded(installation: Installation) -> str:
    known = {str(row["id"]) for row in installation.json("recordings", "list")}
    call = Caller(installation.asterisk, NUMBER, "support", [Wait(8.8), Press("1"), Wait(2), Hangup()]).start()
    assert call.wait() == 0, call.problem()
    installation.wait_until_quiet()
    (new,) = {str(row["id"]) for row in installation.json("recordings", "list")} - known
    return new


def _order(installation: Installation, recording: str) -> None:
    """The ledger tells of the new recipients before it tells of anything that is sealed to them."""
    entries = installation.json("audit", "log")
    kinds = [(entry["kind"], entry["recording"]) for entry in entries]
    changed = max(place for place, (kind, _) in enumerate(kinds) if kind == "recipients_changed")
    sealed = kinds.index(("sealed", recording))
    assert kinds.index(("rotation_intended", None)) < changed < kinds.index(("decision", recording)) < sealed
    bodies = [entries[place]["body"] for place in (changed, sealed)]
    assert bodies[0]["fingerprints"] == bodies[1]["recipients"]  # type: ignore[index]  # JSON of our own
