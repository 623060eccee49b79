"""Events of AMI as values: what concerns us, and nothing else."""

from dataclasses import replace

import pytest

from gdprcall.asterisk import ami_events as ami

REC = "0123456789abcdef" * 2
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
        ({"Event": "MixMonitorStart", "Uniqueid": "1.1", "Context": "x"}, ami.MixMonitorStarted("1.1", "x")),
        ({"Event": "Hangup", "Uniqueid": "1.1"}, ami.HungUp("1.1")),
        ({"Event": "BridgeEnter", "Uniqueid": "1.1", "BridgeUniqueid": "b"}, ami.BridgeEntered("1.1", "b")),
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
        {"Event": "UserEvent", "UserEvent": "Other", "Kind": "withdrawn", "Rec": REC},
        OURS | {"Kind": "withdrawn", "Rec": "../../etc"},
        OURS | {"Kind": "withdrawn", "Rec": REC + "0"},
        OURS | {"Kind": "unknown"},
    ],
)
def test_what_does_not_concern_us_or_is_malformed_is_nothing(fields: dict[str, str]) -> None:
    assert ami.parse(fields) is None


def test_a_channel_that_is_up_is_known_by_its_recording_if_one_of_ours_is_on_it() -> None:
    fields = {"Channel": "PJSIP/a-1", "Uniqueid": "1.1"}
    lines = [f"GDPRCALL_REC={REC}", "GDPRCALL_SEG=(null)", "GDPRCALL_MMID=(null)", "nothing"]
    assert ami.live_channel(fields, lines) == ami.LiveChannel("PJSIP/a-1", "1.1", "", REC, 1, "")
    other = ami.LiveChannel("PJSIP/a-1", "1.1", "", "", 1, "")
    agent = ["DIALEDPEERNAME=(null)", "GDPRCALL_AGENT=PJSIP/b-1"]
    assert ami.live_channel(fields, agent) == replace(other, dialled="PJSIP/b-1")
    assert ami.live_channel(fields, ["GDPRCALL_REC=(null)"]) == ami.live_channel(fields, []) == other
    assert ami.live_channel({"Event": "StatusComplete"}, []) is None
