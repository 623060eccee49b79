"""Events of AMI as values: what concerns us, and nothing else."""

from dataclasses import replace

import pytest

from gdprcall.asterisk import ami_events as ami
from gdprcall.asterisk.ami_status import LiveChannel, live_channel

REC = "0123456789abcdef" * 2
MIX = {"Uniqueid": "1.1", "Context": "x", "Linkedid": "1.0", "Channel": "PJSIP/a-1"}
SPY = {"SpyeeUniqueid": "1.1", "SpyerUniqueid": "1.9", "SpyerChannel": "Snoop/1.1-00000000"}
OURS = {"Event": "UserEvent", "UserEvent": "GdprCall", "Rec": REC, "Uniqueid": "1.1"}


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        (
            OURS | {"Kind": "started", "Seg": "2", "MixMonitorID": "0x1", "Channel": "PJSIP/a-1"},
            ami.RecordingStarted(REC, 2, "0x1", "PJSIP/a-1", "1.1"),
        ),
        (OURS | {"Kind": "started", "Seg": "0"}, ami.RecordingStarted(REC, 1, "", "", "1.1")),
        (OURS | {"Kind": "started"}, ami.RecordingStarted(REC, 1, "", "", "1.1")),
        (OURS | {"Kind": "stopped", "Reason": "asked_again"}, ami.RecordingStopped(REC, "asked_again")),
        (OURS | {"Kind": "withdrawn"}, ami.Withdrawn(REC)),
        (OURS | {"Kind": "agent", "Rec": "", "Word": "contract"}, ami.AgentSaid("1.1", "contract")),
        (OURS | {"Kind": "timeout", "Rec": "", "Line": "support"}, ami.WatchdogFired("support")),
        (OURS | {"Kind": "machine", "Rec": "", "Line": "a", "Status": "MACHINE"}, ami.MachineAnswered("a", True)),
        (OURS | {"Kind": "machine", "Rec": "", "Line": "a", "Status": ""}, ami.MachineAnswered("a", False)),
        (MIX | {"Event": "MixMonitorStart"}, ami.RecorderStarted(ami.Recorder.MIXMONITOR, "1.1", "x", "1.0")),
        (MIX | {"Event": "MixMonitorStop"}, ami.RecorderStopped(ami.Recorder.MIXMONITOR, "1.1", "x")),
        (MIX | {"Event": "MonitorStart"}, ami.RecorderStarted(ami.Recorder.MONITOR, "1.1", "x", "1.0")),
        (MIX | {"Event": "MonitorStop"}, ami.RecorderStopped(ami.Recorder.MONITOR, "1.1", "x")),
        ({"Event": "ConfbridgeRecord", "BridgeUniqueid": "b"}, ami.RecorderStarted(ami.Recorder.CONFERENCE, "b")),
        ({"Event": "ConfbridgeStopRecord", "BridgeUniqueid": "b"}, ami.RecorderStopped(ami.Recorder.CONFERENCE, "b")),
        (SPY | {"Event": "ChanSpyStart"}, ami.RecorderStarted(ami.Recorder.SNOOP, "1.1", tap="1.9")),
        (SPY | {"Event": "ChanSpyStop"}, ami.RecorderStopped(ami.Recorder.SNOOP, "1.1")),
        ({"Event": "Hangup", "Uniqueid": "1.1"}, ami.HungUp("1.1")),
        ({"Event": "BridgeEnter", "Uniqueid": "1.1", "BridgeUniqueid": "b"}, ami.BridgeEntered("1.1", "b")),
        (
            {"Event": "BridgeEnter", "Uniqueid": "1.1", "BridgeUniqueid": "b", "SwapUniqueid": "1.2"},
            ami.BridgeEntered("1.1", "b", swap="1.2"),
        ),
        (OURS | {"Kind": "changed", "Uniqueid": "1.1"}, ami.PartyChanged("1.1", "connected_line")),
        ({"Event": "BridgeLeave", "Uniqueid": "1.1", "BridgeUniqueid": "b"}, ami.BridgeLeft("1.1", "b")),
        ({"Event": "BlindTransfer", "TransfereeUniqueid": "1.1"}, ami.PartyChanged("1.1", "blind_transfer")),
        ({"Event": "AttendedTransfer", "TransfereeUniqueid": "1.1"}, ami.PartyChanged("1.1", "attended_transfer")),
        ({"Event": "ParkedCall", "ParkeeUniqueid": "1.1"}, ami.PartyChanged("1.1", "parked")),
        ({"Event": "ConfbridgeJoin", "Uniqueid": "1.1"}, ami.PartyChanged("1.1", "conference")),
    ],
)
def test_each_event_that_concerns_us_becomes_its_value(fields: dict[str, str], event: ami.AmiEvent) -> None:
    assert ami.parse(fields) == event


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Event": "Newexten"},
        SPY | {"Event": "ChanSpyStart", "SpyerChannel": "PJSIP/supervisor-1"},
        {"Event": "UserEvent", "UserEvent": "Other", "Kind": "withdrawn", "Rec": REC},
        OURS | {"Kind": "withdrawn", "Rec": "../../etc"},
        OURS | {"Kind": "withdrawn", "Rec": REC + "0"},
        OURS | {"Kind": "unknown"},
    ],
)
def test_what_does_not_concern_us_or_is_malformed_is_nothing(fields: dict[str, str]) -> None:
    assert ami.parse(fields) is None


def test_fcl_01_only_the_one_context_that_starts_ours_makes_a_recorder_ours() -> None:
    starts = {
        context: ami.RecorderStarted(ami.Recorder.MIXMONITOR, "1.1", context).ours
        for context in ("gdprcall-segment", "gdprcall-ask", "gdprcall", "from-trunk", "")
    }
    assert [context for context, ours in starts.items() if ours] == ["gdprcall-segment"]


def test_a_channel_that_is_up_tells_the_line_that_it_was_asked_for() -> None:
    fields = {"Channel": "PJSIP/a-1", "Uniqueid": "1.1"}
    lines = {
        text: channel.line
        for text in ("support", "(null)", "../x")
        if (channel := live_channel(fields, [f"GDPRCALL_ASKED={text}"]))
    }
    assert lines == {"support": "support", "(null)": "", "../x": ""}


def test_a_channel_that_is_up_is_known_by_its_recording_if_one_of_ours_is_on_it() -> None:
    fields = {"Channel": "PJSIP/a-1", "Uniqueid": "1.1"}
    lines = [f"GDPRCALL_REC={REC}", "GDPRCALL_SEG=(null)", "GDPRCALL_MMID=(null)", "nothing"]
    assert live_channel(fields, lines) == LiveChannel("PJSIP/a-1", "1.1", "", REC, 1, "")
    other = LiveChannel("PJSIP/a-1", "1.1", "", "", 1, "")
    agent = ["DIALEDPEERNAME=(null)", "GDPRCALL_AGENT=PJSIP/b-1"]
    assert live_channel(fields, agent) == replace(other, dialled="PJSIP/b-1")
    assert live_channel(fields, ["GDPRCALL_REC=(null)"]) == live_channel(fields, []) == other
    assert live_channel({"Event": "StatusComplete"}, []) is None


def test_what_a_daemon_ended_over_ami_runs_no_more_though_the_dialplan_has_its_id() -> None:
    fields = {"Channel": "PJSIP/a-1", "Uniqueid": "1.1"}
    lines = [f"GDPRCALL_REC={REC}", "GDPRCALL_SEG=2", "GDPRCALL_MMID=0x2"]
    seen = {over: live_channel(fields, [*lines, f"GDPRCALL_OVER={over}"]) for over in ("0x1", "0x2", "(null)")}
    assert {over: one.mixmonitor for over, one in seen.items() if one} == {"0x1": "0x2", "0x2": "", "(null)": "0x2"}
