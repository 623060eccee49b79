"""The shipped dialplan of calls that go out, read and not run: what must stand in it, and in which order."""

import re

from tests.test_dialplan import DIALPLAN, PLAN, code

CODE = code("gdprcall-out.conf")


def extension(name: str) -> list[str]:
    """Return the steps of an extension of [gdprcall-out] that begins at priority 1."""
    found = re.search(rf"^exten => {name},1,(.*(?:\n same => .*)*)", CODE, re.MULTILINE)
    assert found, name
    return [re.sub(r"^ same => n(?:\([a-z]+\))?,", "", step) for step in found[1].split("\n")]


def place(steps: list[str], start: str) -> int:
    (index,) = (index for index, step in enumerate(steps) if step.startswith(start))
    return index


def test_pty_08_the_two_part_where_dial_sends_them_and_only_one_line_stands_at_each_priority() -> None:
    assert re.findall(r"^exten => met,(\d),(.*)$", CODE, re.MULTILINE) == [
        ("1", "Goto(agent,1)"),
        ("2", "Goto(called,1)"),
    ]


def test_pty_08_nothing_is_recorded_here_and_the_question_is_that_of_calls_that_come_in() -> None:
    assert "MixMonitor" not in CODE
    assert "Stasis" not in CODE
    steps = extension("called")
    assert place(steps, "Gosub(${GDPRCALL_ENTRY},s,1(") < place(steps, "Bridge(${GDPRCALL_AGENT},x")
    entries = set(re.findall(r"__GDPRCALL_ENTRY=([a-z-]+)", CODE))
    assert entries == {"gdprcall", "gdprcall-agi"} <= set(PLAN)


def test_pty_08_whoever_leaves_is_noticed_before_anything_takes_its_time() -> None:
    agent, called = extension("agent"), extension("called")
    assert agent[0] == "Set(CHANNEL(hangup_handler_push)=gdprcall-left,s,1(${DIALEDPEERNAME}))"
    assert called[:2] == [
        "Set(GDPRCALL_CALLED=,out${GDPRCALL_NUMBER})",
        "Set(CHANNEL(hangup_handler_push)=gdprcall-left,s,1(${GDPRCALL_AGENT}))",
    ]


def test_pty_04_who_has_met_the_other_is_not_let_go_when_that_one_leaves() -> None:
    called = extension("called")
    assert called[place(called, "Bridge(") - 1] == "Set(GDPRCALL_CALLED=)"
    left = CODE.split("[gdprcall-left]")[1]
    assert '"${GDPRCALL_CALLED}${IMPORT(${ARG1},GDPRCALL_CALLED)}"!=""' in left


def test_pty_08_where_a_machine_cannot_be_listened_for_nobody_is_asked() -> None:
    called = extension("called")
    listen = place(called, "TryExec(AMD())")
    assert called[listen + 1] == 'GotoIf($["${TRYSTATUS}"!="SUCCESS" | "${AMDSTATUS}"="MACHINE"]?machine)'
    assert called[-2].startswith("UserEvent(GdprCall,Kind: machine,")
    assert called[-1] == 'GotoIf($["${GDPRCALL_HOW}"="must"]?end:meet)'


def test_sec_05_the_number_goes_to_the_daemon_and_into_no_event() -> None:
    written = re.findall(r"(?:UserEvent|NoOp|Verbose|Log)\((.*)\)", CODE)
    assert written
    for text in written:
        assert set(re.findall(r"\$\{([A-Z_0-9]+)[}:]", text)) <= {"AMDSTATUS", "GDPRCALL_WHICH"}
    assert "${FILTER(+0-9,${ARG3})}" in CODE
    both = CODE + code("gdprcall.conf")
    assert not re.search(r"CALLERID|CONNECTEDLINE|REDIRECTING|CDR\(|CEL", both)
    assert code("gdprcall.conf").count("${GDPRCALL_CALLED}))") == 4


def test_nothing_runs_a_program_and_parentheses_are_closed() -> None:
    assert not re.search(r"System\(|TrySystem|SHELL\(|CURL|FILE\(|EVAL\(|include|switch", CODE)
    for line in CODE.splitlines():
        step = line.partition(",")[2]
        assert [step.count(mark) for mark in "({["] == [step.count(mark) for mark in ")}]"], line


def test_pty_08_the_key_of_who_is_called_acts_on_his_own_channel() -> None:
    features = code("features.conf").splitlines()
    assert "gdpragree => *1,self,Gosub(gdprcall-agent,agreed,1)" in features
    assert any("gdpragree" in step for step in extension("called"))
    assert "gdpragree" not in "".join(PLAN["gdprcall-desk"]["s"])
    assert (DIALPLAN / "gdprcall-out.conf").exists()
