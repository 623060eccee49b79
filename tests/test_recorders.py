"""What the doctor finds in Asterisk's configuration: each line that starts a recorder, and none that does not."""

import os
from pathlib import Path

import pytest

from gdprcall.doctor import recorders
from gdprcall.doctor.finding import OK, WARN, Finding
from tests.pbx.asterisk import DIALPLAN


def look(folder: Path, text: str, name: str = "extensions.conf") -> list[Finding]:
    """Return what is found in a configuration of one file."""
    (folder / name).write_text(text)
    return list(recorders.examine(folder))


@pytest.mark.parametrize(
    ("name", "line", "says"),
    [
        ("extensions.conf", "exten => 1,1,MixMonitor(${UNIQUEID}.wav)", "MixMonitor() records"),
        ("extensions.conf", ' same => n,ExecIf($["${A}"="1"]?MixMonitor(a.wav,b))', "MixMonitor() records"),
        ("extensions.conf", "exten => 1,n,Monitor(wav,a,m)", "Monitor() records"),
        ("extensions.ael", "  MixMonitor(a.wav);", "MixMonitor() records"),
        ("extensions.lua", 'app.mixmonitor("a.wav")', "MixMonitor() records"),
        ("extensions.conf", "exten => 1,1,Dial(PJSIP/1,30,tTx)", "Dial() with x lets"),
        (
            "extensions.conf",
            "exten => 1,1,Dial(PJSIP/1&PJSIP/2,30,b(gdprcall-desk^s^1)WL(60000))",
            "Dial() with W lets",
        ),
        ("extensions.conf", "exten => 1,1,Queue(q1,tXw)", "Queue() with Xw lets"),
        ("extensions.conf", "exten => 1,1,ChanSpy(PJSIP/1,qr(spy))", "ChanSpy() with r records"),
        ("extensions_additional.conf", "DIAL_OPTIONS = HhTtrx", "options of each Dial()"),
        ("extensions_additional.conf", "exten => 1,n,Gosub(sub-record-check,s,1(in,${EXTEN},force))", "set to force"),
        ("extensions_additional.conf", "exten => 1,n,Gosub(sub-record-check,s,1(q,400,yes))", "set to yes"),
        (
            "extensions_additional.conf",
            "exten => 1,n,Gosub(sub-record-check,s,1(q,400,never))",
            "also ends the recording",
        ),
        ("extensions.conf", "exten => 1,n,Set(CONFBRIDGE(bridge,record_conference)=yes)", "record_conference"),
        ("confbridge.conf", "record_conference = yes", "record_conference"),
        ("queues.conf", "monitor-format = wav49", "monitor-format has the calls of a queue recorded"),
        ("queues.conf", "monitor-type = MixMonitor", "monitor-type has the calls of a queue recorded"),
        ("pjsip.conf", "one_touch_recording=yes", "record button"),
    ],
)
def test_fcl_01_each_line_that_starts_a_recorder_is_named_with_its_place_and_its_mend(
    tmp_path: Path, name: str, line: str, says: str
) -> None:
    (found,) = look(tmp_path, f"[somewhere]\n; a remark\n{line} ; and one behind it\n", name)
    assert found.grade is WARN
    assert found.text.startswith(f"{tmp_path / name}:3: ")
    assert says in found.text
    assert found.mend


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("featuremap", "automixmon => *3"),
        ("featuremap", "automon => *1"),
        ("applicationmap", "rec => *4,self,MixMonitor,a.wav"),
        ("applicationmap", "apprecord => *1,caller,Macro,one-touch-record"),
    ],
)
def test_codes_that_start_a_recorder_are_named(tmp_path: Path, section: str, line: str) -> None:
    (found,) = look(tmp_path, f"[{section}]\n{line}\n", "features.conf")
    assert "a code that starts a recorder" in found.text or "MixMonitor() records" in found.text


@pytest.mark.parametrize(
    "line",
    [
        "exten => 1,1,Dial(PJSIP/1,30,tTkK)",
        "exten => 1,1,Dial(PJSIP/xw,30,b(xwX^s^1)g)",
        "exten => 1,1,Dial(PJSIP/1,30,${DIAL_OPTIONS})",
        "exten => 1,1,Queue(support,tT,,,60)",
        "exten => 1,1,StopMixMonitor(${ID})",
        "exten => 1,1,Gosub(sub-record-check,s,1(in,${EXTEN},dontcare))",
        "exten => 1,1,Gosub(sub-record-check,s,1(exten,${EXTEN},no))",
        "exten => 1,1,ChanSpy(PJSIP/1,q)",
        "exten => 1,1,Set(CONFBRIDGE(bridge,record_conference)=no)",
        "exten => 1,1,Goto(monitor,1)",
        ";exten => 1,1,MixMonitor(a.wav)",
        ";--\nexten => 1,1,MixMonitor(a.wav)\n--;",
        "monitor-format =",
        "automixmon =>",
        "one_touch_recording=no",
    ],
)
def test_what_starts_none_is_not_named(tmp_path: Path, line: str) -> None:
    (found,) = look(tmp_path, f"[somewhere]\n{line}\n")
    assert found.grade is OK


def test_our_own_dialplan_is_not_another_recorder() -> None:
    (found,) = recorders.examine(DIALPLAN)
    assert found.grade is OK, found.text


def test_the_subroutine_of_freepbx_is_mended_by_its_settings(tmp_path: Path) -> None:
    (found,) = look(tmp_path, "[sub-record-check]\nexten => recordcheck,n,MixMonitor(${F}.wav,abi(ID))\n")
    assert "recipes/freepbx.md" in found.mend


def test_of_hundreds_of_places_the_first_are_named_and_the_others_counted(tmp_path: Path) -> None:
    found = look(tmp_path, "[a]\n" + "exten => 1,1,MixMonitor(a.wav)\n" * 100)
    assert len(found) == recorders.MOST_TOLD + 1
    assert found[-1].text == "and 80 more places"


def test_what_is_included_from_a_folder_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "queues.d").mkdir()
    (found,) = look(tmp_path, "monitor-format=wav\n", "queues.d/support.conf")
    assert "queues.d/support.conf:1: " in found.text


def test_a_folder_that_is_not_there_and_a_file_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (found,) = recorders.examine(tmp_path / "nowhere")
    assert (found.grade, found.mend) == (WARN, "run the doctor as root, or say where it is: asterisk.configuration")
    (tmp_path / "broken.conf").symlink_to(tmp_path / "gone")
    huge = tmp_path / "huge.conf"
    huge.touch()
    os.truncate(huge, 17 << 20)
    (found,) = recorders.examine(tmp_path)
    assert found.text == "not read: huge.conf"


def test_other_ari_applications_are_named() -> None:
    assert recorders.applications(["gdprcall"]).grade is OK
    found = recorders.applications(["bot", "gdprcall"])
    assert (found.grade, "bot" in found.text) == (WARN, True)
