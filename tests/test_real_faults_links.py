"""The links to Asterisk break, hang or are refused, and Asterisk itself dies: what callers meet, and what is kept."""

import json
import os
import re
import time
import wave

import pytest

from tests.faults import fault
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Hangup, Press, Stay, Wait
from tests.pbx.installation import Installation
from tests.pbx.proxy import Proxy
from tests.pbx.waiting import HEARD, call, returned, wait_for_file

pytestmark = pytest.mark.pbx

UNWRITTEN_BYTES = 32 * 1024
"""What Asterisk may hold back of a file (stdio's buffer), and so loses when it is killed."""


@fault(
    "the ARI link breaks while a caller is asked",
    caller="is served as soon as the link is back",
    recording="none",
    log="ari_down ari_up",
    mend="is Asterisk up?",
)
def test_fcl_02_a_broken_ari_link_frees_who_is_asked_and_the_next_caller_is_asked_again(
    pbx: Asterisk, installation: Installation
) -> None:
    with Proxy(pbx.ari_port) as proxy:
        installation.replace(f":{pbx.ari_port}/", f":{proxy.port}/")
        installation.start()
        caller = call(pbx, Wait(4), Hangup())
        time.sleep(1)
        proxy.cut()
        assert returned(pbx, within=3) == "unrecorded"
        assert caller.wait() == 0, caller.problem()
        installation.wait_for("ari_up", 2)
        again = call(pbx, Wait(1), Press("2"), Wait(1), Hangup(), number="+46701749902")
        assert again.wait() == 0, again.problem()
    outcomes = [(row["outcome"], row["reason"]) for row in installation.json("decisions", "list")]
    assert sorted(outcomes) == [("refused", ""), ("system_fail", "ari_lost")]


@fault(
    "AMI breaks while it is told to end a recording",
    caller="notices nothing",
    recording="is ended when AMI is back, and what ran until then is destroyed; nothing is sent twice",
    log="ami_down ami_up overheard",
    mend="is Asterisk up?",
)
def test_pty_04_a_stop_that_ami_swallowed_is_tried_again_and_never_replayed_blindly(
    pbx: Asterisk, installation: Installation
) -> None:
    sent: list[bytes] = []

    def swallow(data: bytes) -> bytes:
        if b"StopMixMonitor" not in data:
            return data
        sent.append(data)
        return data if len(sent) > 1 else b""

    with Proxy(pbx.ami_port) as proxy:
        installation.replace(f"ami_port = {pbx.ami_port}", f"ami_port = {proxy.port}")
        proxy.to_asterisk = swallow
        installation.start()
        caller = call(pbx, HEARD, Press("1"), Wait(9), Hangup())
        wait_for_file(pbx)
        time.sleep(0.5)
        pbx.rx(f"channel originate Local/300@agent-side application BridgeAdd {caller_channel(pbx)}")
        installation.wait_until(lambda: bool(sent))
        proxy.cut()
        installation.wait_for("recording_stopped", seconds=10)
        assert caller.wait() == 0, caller.problem()
    installation.wait_until_quiet()
    (row,) = installation.json("recordings", "list")
    assert (row["state"], row["segments"]) == ("not_started", 0)
    assert len(installation.log("overheard")) == 1, "who came was recorded until the second try"


def caller_channel(pbx: Asterisk) -> str:
    found = re.search(r"^(PJSIP/anonymous-[0-9a-f]+)!inbound", pbx.rx("core show channels concise"), re.MULTILINE)
    assert found
    return found[1]


@fault(
    "Asterisk dies while it records",
    caller="is cut off",
    recording="repaired and sealed; at most its last 2 s are lost",
    log="ari_down ami_down sealed",
    mend="see Asterisk's log",
)
def test_fcl_04_what_a_killed_asterisk_had_written_is_repaired_and_sealed(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(20), Hangup())
    wait_for_file(pbx)
    time.sleep(5)
    (file,) = pbx.spool.glob("*.wav")
    # Held open: the daemon may have sealed and removed it before we look.
    with file.open("rb") as sound:
        pbx.kill()
        written = os.fstat(sound.fileno()).st_size
    caller.stop()
    pbx.start()
    installation.wait_for("ami_up", 2)
    installation.wait_until_quiet()
    (row,) = installation.json("recordings", "list")
    assert row["state"] == "sealed"
    with wave.open(str(installation.opened(str(row["id"])))) as sound:
        kept = sound.getnframes() * 2
    assert kept >= max(written - 44, 5 * 16_000 - UNWRITTEN_BYTES - 16_000)


@fault(
    "Asterisk is restarted",
    caller="is cut off; the next one is asked as always",
    recording="is sealed; the next one is made as always",
    log="ari_down ari_up sealed",
    mend="nothing",
)
def test_fcl_02_after_a_restart_of_asterisk_the_next_caller_is_asked_and_recorded(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    first = call(pbx, HEARD, Press("1"), Wait(20), Hangup())
    wait_for_file(pbx)
    time.sleep(2)
    pbx.stop()
    first.stop()
    pbx.start()
    installation.wait_for("ari_up", 2)
    installation.wait_for("ami_up", 2)
    with Agent(pbx):
        pass
    second = call(pbx, HEARD, Press("1"), Wait(2), Hangup(), number="+46701749902")
    assert second.wait() == 0, second.problem()
    installation.wait_for("sealed", 2)
    assert [row["state"] for row in installation.json("recordings", "list")] == ["sealed", "sealed"]


@fault(
    "Asterisk has no `Stasis()` (a module is not loaded)",
    caller="is served at once; on a `must` line is routed",
    recording="none",
    log="",
    mend="`gdprcall doctor` names the module",
)
def test_fcl_02_an_asterisk_without_stasis_loses_no_call(pbx: Asterisk, installation: Installation) -> None:
    installation.start()
    pbx.rx("module unload app_stasis.so")
    try:
        may = call(pbx, Wait(2), Hangup())
        must = call(pbx, Stay(10), to="support-must", number="+46701749902")
        assert returned(pbx, within=3.5) == "unrecorded"
        assert returned(pbx, within=3.5, number="+46701749902") == "route"
        assert [caller.wait() for caller in (may, must)] == [0, 0]
        findings = json.loads(installation.cli("doctor", "--json", check=False).stdout)
        (modules,) = [finding for finding in findings if finding["check"] == "modules"]
        assert "app_stasis" in modules["text"]
    finally:
        pbx.rx("module load app_stasis.so")


@pytest.mark.parametrize("what", ["password", "rights"])
@fault(
    "Asterisk refuses our ARI user, or its writing",
    caller="is served at once, or after 3 s",
    recording="none",
    log="ari_refused",
    mend="`gdprcall doctor`; compare ari.conf: password, `read_only = no`",
)
def test_fcl_02_an_ari_user_without_rights_records_nobody_and_says_so(
    pbx: Asterisk, installation: Installation, what: str
) -> None:
    ari = pbx.folder / "etc" / "ari.conf"
    good = ari.read_text()
    changed = good.replace(pbx.ari_password, "another") if what == "password" else good.replace("= no", "= yes")
    assert changed != good
    try:
        ari.write_text(changed)
        pbx.rx("module reload res_ari.so")
        installation.start(ready=False)
        installation.wait_for("ari_refused")
        caller = call(pbx, Wait(4), Hangup())
        assert returned(pbx, within=3.5) == "unrecorded"
        assert caller.wait() == 0, caller.problem()
        assert not list(pbx.spool.iterdir())
    finally:
        ari.write_text(good)
        pbx.rx("module reload res_ari.so")


@pytest.mark.parametrize("hours", [-1, 1])
@fault(
    "the clocks of Asterisk and of the daemon jump apart",
    caller="notices nothing",
    recording="as always: no key counts earlier or later for it",
    log="call_finished",
    mend="`timedatectl`: keep the clock synchronised",
)
def test_con_03_a_clock_that_jumps_makes_no_key_count_that_came_too_early(
    pbx: Asterisk, installation: Installation, hours: int
) -> None:
    keys = 0

    def skewed(data: bytes) -> bytes:
        # From the first key on Asterisk's events carry another hour: of the same length, so that the frames hold.
        nonlocal keys
        keys += b"ChannelDtmfReceived" in data
        if not keys:
            return data
        return re.sub(rb"(T)(\d\d)(:\d\d:\d\d\.\d{3}[+-]\d{4})", _by(hours), data)

    with Proxy(pbx.ari_port) as proxy:
        installation.replace(f":{pbx.ari_port}/", f":{proxy.port}/")
        proxy.from_asterisk = skewed
        installation.start()
        early = call(pbx, Wait(1), Press("1"), Wait(12), Hangup(), to="once")
        late = call(pbx, HEARD, Press("1"), Wait(1), Hangup(), number="+46701749902")
        assert [caller.wait() for caller in (early, late)] == [0, 0]
    assert keys >= 2
    outcomes = {row["uniqueid"]: row["outcome"] for row in installation.json("decisions", "list")}
    calls = pbx.db("call")
    assert outcomes[calls["+46701749901"]] == "timeout", "a key in the first second is too early by any clock"
    # Of two clocks the shorter time is believed: set back, even a late key may not count, and that is the safe side.
    assert outcomes[calls["+46701749902"]] in {"granted", *(["hangup_in_prompt"] if hours < 0 else [])}


def _by(hours: int):  # type: ignore[no-untyped-def]
    return lambda found: found[1] + b"%02d" % ((int(found[2]) + hours) % 24) + found[3]
