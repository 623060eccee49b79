"""The shipped files of Asterisk's side, read and not run: what must stand in them, in which order, and what must not."""

import re
from pathlib import Path

import pytest

DIALPLAN = Path(__file__).parent.parent / "dialplan"
TEXT = (DIALPLAN / "gdprcall.conf").read_text()


def code(name: str) -> str:
    """Return a file without its comments."""
    lines = (DIALPLAN / name).read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith(";"))


def contexts() -> dict[str, dict[str, list[str]]]:
    """Return {context: {extension: [application(arguments), by priority]}}."""
    found: dict[str, dict[str, list[str]]] = {}
    steps: list[str] = []
    for line in filter(None, code("gdprcall.conf").splitlines()):
        if name := re.fullmatch(r"\[([a-z-]+)\]", line):
            extensions = found.setdefault(name[1], {})
        elif first := re.fullmatch(r"exten => ([^,]+),1,(.+)", line):
            assert first[1] not in extensions, f"{first[1]} is written twice"
            steps = extensions[first[1]] = [first[2]]
        else:
            further = re.fullmatch(r" same => n(?:\([a-z]+\))?,(.+)", line)
            assert further, f"not understood: {line}"
            steps.append(further[1])
    return found


PLAN = contexts()


def place(steps: list[str], start: str) -> int:
    """Return where the only step stands that begins so."""
    (index,) = (index for index, step in enumerate(steps) if step.startswith(start))
    return index


def settings() -> list[str]:
    """Return every step that sets variables, also within an ExecIf()."""
    steps = [step for extensions in PLAN.values() for steps in extensions.values() for step in steps]
    return [found[0] for step in steps if (found := re.search(r"M?Set\(.*", step))]


def test_every_context_is_ours_by_name() -> None:
    assert set(PLAN) == {
        "gdprcall", "gdprcall-agi", "gdprcall-ask", "gdprcall-verdict", "gdprcall-segment", "gdprcall-stop", "gdprcall-end",
        "gdprcall-withdraw", "gdprcall-desk", "gdprcall-agent", "gdprcall-forget", "gdprcall-next", "gdprcall-pause",
        "gdprcall-join", "gdprcall-xfer", "gdprcall-lamp", "gdprcall-connected", "gdprcall-tone",
    }  # fmt: skip


@pytest.mark.parametrize("context", ["gdprcall", "gdprcall-ask", "gdprcall-verdict"])
def test_wherever_the_daemon_may_send_a_call_unknown_extensions_and_timeouts_end_unrecorded(context: str) -> None:
    for extension in ("T", "i"):
        assert PLAN[context][extension][-1] in {"Goto(gdprcall-verdict,norec,1)", "Goto(norec,1)"}


@pytest.mark.parametrize("context", ["gdprcall-stop", "gdprcall-segment"])
def test_a_timeout_within_a_subroutine_leaves_its_frame_before_the_verdict(context: str) -> None:
    assert PLAN[context]["T"] == ["StackPop()", "Goto(gdprcall-verdict,norec,1)"]


def test_every_way_ends_in_a_return_a_goto_or_a_hangup() -> None:
    for context, extensions in PLAN.items():
        for extension, steps in extensions.items():
            assert re.match(r"Return\(|Goto\(|Hangup\(", steps[-1]), (context, extension)


def test_every_jump_leads_to_an_extension_that_is_there() -> None:
    for target, extension in re.findall(r"(?:Goto|Gosub)\((gdprcall[a-z-]*),([a-z]+),1", code("gdprcall.conf")):
        assert extension in PLAN[target]
    for target, extension in re.findall(r"\?(gdprcall[a-z-]+),([a-z]+),1[()]", code("gdprcall.conf")):
        assert extension in PLAN[target]


def test_fcl_02_a_watchdog_is_set_before_each_hop_to_the_daemon() -> None:
    for context, extension in (("gdprcall", "s"), ("gdprcall-ask", "_[1-9]!")):
        steps = PLAN[context][extension]
        watchdog = place(steps, "Set(TIMEOUT(absolute)=")
        assert steps[watchdog + 1] == 'GotoIf($["${GDPRCALL_FRONT}"="agi"]?agi)'
        for hop in (place(steps, "TryExec(Stasis("), place(steps, "TryExec(AGI(")):
            assert hop > watchdog
            assert steps[hop + 1] == "Goto(gdprcall-verdict,norec,1)"
    assert code("gdprcall.conf").count(",TryExec(Stasis(") == code("gdprcall.conf").count(",TryExec(AGI(") == 2


def test_fcl_02_a_server_that_hangs_does_not_hold_a_call_past_its_watchdog() -> None:
    steps = PLAN["gdprcall"]["s"]
    assert place(steps, "MSet(LOCAL(AGIEXITONHANGUP)=yes,") < place(steps, "TryExec(AGI(")


def test_fcl_01_every_verdict_puts_the_sites_own_timeout_back() -> None:
    restore = [
        'Set(TIMEOUT(absolute)=${IF($["${GDPRCALL_DEADLINE}"="0"]?0:'
        "${IF($[${GDPRCALL_DEADLINE}-${EPOCH}<1]?1:$[${GDPRCALL_DEADLINE}-${EPOCH}])})})",
    ]
    verdicts = PLAN["gdprcall-verdict"]
    for extension, told in (("_rec.", "recorded"), ("norec", "${GDPRCALL_ELSE}")):
        assert verdicts[extension][-2:] == [*restore, f"Return({told})"]
    assert verdicts["route"] == ["Set(LOCAL(GDPRCALL_ELSE)=route)", "Goto(norec,1)"]


def test_fcl_01_mixmonitor_is_started_in_one_place_and_only_by_a_granted_verdict() -> None:
    assert len(re.findall(r",MixMonitor\(", code("gdprcall.conf"))) == 1
    calls = [
        (context, extension)
        for context, extensions in PLAN.items()
        for extension, steps in extensions.items()
        if any("gdprcall-segment" in step for step in steps)
    ]
    assert calls == [("gdprcall-verdict", "_rec."), ("gdprcall-next", "s"), ("gdprcall-agent", "_[a-z]!")]


def test_pty_04_the_next_segment_begins_only_at_the_daemons_word_and_not_after_a_withdrawal() -> None:
    assert PLAN["gdprcall-next"]["s"][0] == (
        'GotoIf($["${GDPRCALL_REC}"="" | "${GDPRCALL_GO}"!="${GDPRCALL_REC}"'
        ' | "${DB(gdprcall/withdrawn/${GDPRCALL_REC})}"!=""]?out)'
    )
    assert any("GDPRCALL_GO=," in step for step in PLAN["gdprcall-next"]["s"])


def test_pty_04_a_blind_transfer_ends_the_segment_before_it_goes_on() -> None:
    assert set(PLAN["gdprcall-xfer"]) == {"_[0-9a-zA-Z*#+].", "_[0-9a-zA-Z*#+]"}
    for steps in PLAN["gdprcall-xfer"].values():
        assert steps == ["Gosub(gdprcall-end,s,1)", "Goto(${GDPRCALL_ONWARD},${EXTEN},1)"]


def test_con_01_who_joins_hears_the_whole_prompt_before_a_key_is_read() -> None:
    steps = PLAN["gdprcall-join"]["s"]
    order = ["Playback(gdprcall/", 'GotoIf($["${PLAYBACKSTATUS}"!="SUCCESS"]?failed)', "Read(GDPRCALL_KEY,,1"]
    assert [place(steps, start) for start in order] == sorted(place(steps, start) for start in order)


def test_bas_04_the_agents_word_begins_a_recording_only_after_the_daemons_and_not_after_a_withdrawal() -> None:
    steps = PLAN["gdprcall-agent"]["_[a-z]!"]
    assert steps[0] == 'GotoIf($["${GDPRCALL_OPEN}"="" & "${GDPRCALL_REC}"=""]?out)'
    order = [
        "MSet(GDPRCALL_GO=,", "UserEvent(", "Wait(0.1)", 'GotoIf($["${GDPRCALL_GO}"!=""]?go)', "Set(LOCAL(GDPRCALL_NEW)=",
        "GotoIf($[${LEN(${GDPRCALL_NEW})}!=32", 'GotoIf($["${DB(gdprcall/withdrawn/', "MSet(GDPRCALL_LAST=",
        "Set(CHANNEL(hangup_handler_push)", "Gosub(gdprcall-segment",
    ]  # fmt: skip
    places = [place(steps, start) for start in order]
    assert places == sorted(places)
    assert steps[place(steps, "GotoIf($[${GDPRCALL_TURN}<20]")] == "GotoIf($[${GDPRCALL_TURN}<20]?wait:out)"


def test_bas_04_another_contract_may_be_made_once_the_recording_of_the_one_before_was_stopped() -> None:
    steps = PLAN["gdprcall-stop"]["s"]
    assert place(steps, "StopMixMonitor(") < place(steps, "MSet(GDPRCALL_MMID=,GDPRCALL_REC=,GDPRCALL_PHASE=)")
    # After a withdrawal there is none.
    assert "MSet(GDPRCALL_MMID=,GDPRCALL_OPEN=)" in PLAN["gdprcall-withdraw"]["s"]


def test_bas_04_a_call_that_is_held_is_told_unrecorded_and_gets_the_withdrawal_key() -> None:
    steps = PLAN["gdprcall-verdict"]["_hold!"]
    assert steps[0].startswith('MSet(GDPRCALL_OPEN=${IF($["${GDPRCALL_DEMAND}"="rights"]?:yes)},')
    assert steps[-1] == "Goto(norec,1)"
    assert "gdprstop" in steps[0]
    assert any(step.startswith("Set(DYNAMIC_FEATURES=") and "${GDPRCALL_CODES}" in step for step in steps)
    assert "GDPRCALL_OPEN=" in PLAN["gdprcall"]["s"][0]


def test_bas_05_what_must_be_kept_is_recorded_as_all_else_without_the_withdrawal_key() -> None:
    steps = PLAN["gdprcall-verdict"]["_rec."]
    begins = steps[place(steps, "MSet(GDPRCALL_LAST=")]
    assert 'GDPRCALL_KEEP=${IF($["${GDPRCALL_HOW}" =~ "k"]?yes:)}' in begins
    assert '${IF($["${GDPRCALL_HOW}" =~ "k"]?:#gdprstop)}' in begins


def test_inf_04_a_key_that_is_an_objection_is_answered_as_one_without_the_daemon() -> None:
    steps = PLAN["gdprcall-verdict"]["_rec."]
    assert 'GDPRCALL_SAYS=${IF($["${GDPRCALL_HOW}" =~ "o"]?objected:)}' in steps[place(steps, "MSet(GDPRCALL_LAST=")]
    answer = 'Playback(gdprcall/${IF($["${GDPRCALL_SAYS}"=""]?withdrawn:${GDPRCALL_SAYS})})'
    assert answer in PLAN["gdprcall-withdraw"]["s"]


def test_only_an_id_of_32_hex_digits_reaches_a_file_name_and_no_id_twice() -> None:
    steps = PLAN["gdprcall-verdict"]["_rec."]
    start = place(steps, "Gosub(gdprcall-segment")
    # The letters between are counted, so that one that is not known makes it no verdict.
    assert steps[0] == (
        "MSet(LOCAL(GDPRCALL_NEW)=${FILTER(0-9a-f,${EXTEN:-32})},LOCAL(GDPRCALL_HOW)=${FILTER(klo,${EXTEN:3:-32})})"
    )
    assert steps[1] == (
        "GotoIf($[${LEN(${GDPRCALL_NEW})}!=32 | ${LEN(${EXTEN})}!=35+${LEN(${GDPRCALL_HOW})}"
        ' | "${GDPRCALL_DEMAND}"="rights" | "${GDPRCALL_NEW}"="${GDPRCALL_LAST}"'
        ' | "${DB(gdprcall/withdrawn/${GDPRCALL_NEW})}"!=""]?norec,1)'
    )
    assert start > 1


def test_the_segment_is_counted_before_its_file_is_opened() -> None:
    steps = PLAN["gdprcall-segment"]["s"]
    assert steps[1].startswith("MSet(GDPRCALL_SEG=$[${GDPRCALL_SEG}+1],")
    assert "LOCAL(GDPRCALL_FILE)=" in steps[1]
    assert steps[1].endswith("/${GDPRCALL_REC}.$[${GDPRCALL_SEG}+1])")
    by_legs = '${IF($["${GDPRCALL_LEGS}"="yes"]?'
    assert steps[2] == (
        f"MixMonitor({by_legs}:${{GDPRCALL_FILE}}.wav)}},bi(GDPRCALL_MMID)"
        f"{by_legs}r(${{GDPRCALL_FILE}}.r.wav)t(${{GDPRCALL_FILE}}.t.wav):)}})"
    )


def test_the_voices_are_recorded_apart_by_one_letter_of_the_verdict_and_of_none_else() -> None:
    verdicts = PLAN["gdprcall-verdict"]
    begins = verdicts["_rec."][place(verdicts["_rec."], "MSet(GDPRCALL_LAST=")]
    assert 'GDPRCALL_LEGS=${IF($["${GDPRCALL_HOW}" =~ "l"]?yes:)}' in begins
    assert 'GDPRCALL_LEGS=${IF($["${EXTEN:4}"="l"]?yes:)}' in verdicts["_hold!"][0]
    assert sum("GDPRCALL_LEGS=" in step for step in settings()) == 2
    # With it the legs would lose their silences, and not be of one length.
    assert "n" not in re.findall(r",([a-z]+)i\(GDPRCALL_MMID\)", code("gdprcall.conf"))[0]


def test_con_08_a_withdrawal_is_marked_before_it_stops_and_told_after_it_stopped() -> None:
    steps = PLAN["gdprcall-withdraw"]["s"]
    assert steps[0] == 'GotoIf($["${GDPRCALL_REC}"="" | "${GDPRCALL_KEEP}"="yes"]?out)'
    order = ["Set(DB(gdprcall/withdrawn/${GDPRCALL_REC})=", "ExecIf(", "UserEvent(", "Playback("]
    places = [place(steps, start) for start in order]
    assert places == sorted(places)
    assert "StopMixMonitor(${GDPRCALL_MMID})" in steps[places[1]]


def test_a_mixmonitor_is_stopped_by_its_id_alone() -> None:
    stops = re.findall(r"StopMixMonitor\(([^)]*)\)", code("gdprcall.conf"))
    assert stops
    assert set(stops) == {"${GDPRCALL_MMID}"}


def test_the_hangup_handler_is_added_and_the_sites_own_stay() -> None:
    assert "Set(CHANNEL(hangup_handler_push)=gdprcall-end,s,1)" in PLAN["gdprcall-verdict"]["_rec."]
    assert not re.search(r"hangup_handler_(wipe|pop)", code("gdprcall.conf"))


def test_sec_05_no_number_of_a_caller_and_nothing_dialled_is_read_but_the_daemons_own_extensions() -> None:
    assert not re.search(r"CALLERID|CONNECTEDLINE|DIALEDPEER|REDIRECTING|CDR\(|CEL", code("gdprcall.conf"))
    for context, extensions in PLAN.items():
        for extension, steps in extensions.items():
            if any("EXTEN" in step for step in steps):
                assert (context, extension) in {
                    ("gdprcall-ask", "_[1-9]!"), ("gdprcall-verdict", "_rec."), ("gdprcall-forget", "_forget."),
                    ("gdprcall-verdict", "_hold!"), ("gdprcall-agent", "_[a-z]!"),
                    # what a transfer dialled is handed on to the site, and neither looked at nor kept
                    ("gdprcall-xfer", "_[0-9a-zA-Z*#+]."), ("gdprcall-xfer", "_[0-9a-zA-Z*#+]"),
                }  # fmt: skip


def test_sec_05_events_log_lines_and_file_names_hold_only_ids_and_names_of_lines() -> None:
    written = re.findall(r"(?:UserEvent|NoOp|Verbose|Log|,MixMonitor)\((.*)\)", code("gdprcall.conf"))
    assert written
    allowed = {"REC", "SEG", "MMID", "LINE", "DEMAND", "OLD", "FILE", "LEGS"}
    for text in written:
        names = set(re.findall(r"\$\{([A-Z_0-9]+)[}:]", text))
        # EXTEN: the agent's word, letters alone.
        names -= {"EXTEN"} if text.endswith("Word: ${FILTER(a-z,${EXTEN})}") else set()
        # Of the keys of who joins only a comparison is told.
        names -= {"GDPRCALL_KEY", "GDPRCALL_YESKEY", "GDPRCALL_NOKEY"} if "agreed:" in text else set()
        assert names <= {f"GDPRCALL_{name}" for name in allowed} | {"ARG1"}, text
    assert re.findall(r"gdprcall-stop,s,1\((.*?)\)", code("gdprcall.conf")) == ["asked_again", "failed", "done"]


def test_pty_02_a_private_call_is_never_put_to_the_daemon_unless_it_must_be_recorded() -> None:
    steps = PLAN["gdprcall"]["s"]
    first = next(step for step in steps if "GDPRCALL_PRIVATE" in step)
    assert first.endswith('| "${GDPRCALL_PRIVATE}"="yes"]?unasked)')
    assert steps.index(first) < place(steps, "TryExec(Stasis(")
    told = place(steps, "UserEvent(GdprCall,Kind: private,")
    assert steps[told + 1 :] == [
        'GotoIf($["${GDPRCALL_DEMAND}"!="must"]?gdprcall-verdict,norec,1)', "Set(GDPRCALL_PRIVATE=)", "Goto(asked)"
    ]  # fmt: skip


def test_pty_02_the_agents_private_key_stops_before_it_tells_and_no_segment_follows() -> None:
    steps = PLAN["gdprcall-agent"]["private"]
    assert steps[0] == 'GotoIf($["${GDPRCALL_KEEP}"="yes"]?tell)'
    assert steps[1] == "MSet(GDPRCALL_PRIVATE=yes,GDPRCALL_OPEN=)"
    assert "StopMixMonitor(${GDPRCALL_MMID})" in steps[2]
    assert steps[-2:] == ["UserEvent(GdprCall,Kind: agent,Word: private)", "Return()"]
    assert PLAN["gdprcall-segment"]["s"][0] == 'GotoIf($["${GDPRCALL_PRIVATE}"="yes"]?out)'
    # The caller may still take back what was recorded before.
    assert not any("GDPRCALL_REC=" in step for step in steps)


def test_every_code_of_the_desk_is_one_of_features_conf_and_says_something_of_the_callers_channel() -> None:
    codes = set(re.findall(r"gdpr[a-z]+(?=[#,])", PLAN["gdprcall-desk"]["s"][0]))
    keys = re.findall(
        r"^(gdpr\w+) => \*\d+,peer,Gosub\(gdprcall-agent,[a-z]+,1\)$", code("features.conf"), re.MULTILINE
    )
    assert (
        codes - {"gdprpause", "gdprtone"}
        == set(keys)
        == {"gdprcontract", "gdprdone", "gdpryes", "gdprno", "gdprminor", "gdprprivate"} | {"gdprresume"}
    )


def test_the_lamp_goes_out_wherever_the_dialplan_ends_a_recording_and_with_the_telephones_channel() -> None:
    for context, extension in (("gdprcall-stop", "s"), ("gdprcall-withdraw", "s"), ("gdprcall-agent", "private")):
        assert any("gdprcall-lamp,s,1(NOT_INUSE)" in step for step in PLAN[context][extension]), context
    desk = PLAN["gdprcall-desk"]
    assert place(desk["s"], "Set(CHANNEL(hangup_handler_push)=gdprcall-desk,gone,1)") < len(desk["s"]) - 2
    assert desk["gone"][1].endswith("?Set(DEVICE_STATE(Custom:gdprcall-${GDPRCALL_SEAT})=NOT_INUSE))")


def test_all_variables_are_ours_by_name_and_only_whose_call_it_is_is_inherited() -> None:
    names = re.findall(r"(?:Set\(|,)(?:LOCAL\()?([A-Za-z_]+)(?=\)?=|\()", "\n".join(settings()))
    foreign = {name for name in names if not name.startswith("GDPRCALL_")}
    # __DYNAMIC_FEATURES only where the site asks for it.
    ours_for_a_while = {"AGIEXITONHANGUP", "AGISTATUS", "TRYSTATUS"}
    functions = {"CHANNEL", "DB", "DEVICE_STATE", "GROUP", "TIMEOUT"}
    # The telephone that is called knows by it where the recording is: Asterisk's own id of the caller's channel.
    assert "__GDPRCALL_HOME=${UNIQUEID}" in code("gdprcall.conf")
    features = {"DYNAMIC_FEATURES", "__DYNAMIC_FEATURES"}
    assert foreign - ours_for_a_while == functions | features | {"__GDPRCALL_HOME", "CONNECTED_LINE_SEND_SUB"}
    assert all(f"LOCAL({name})=" in code("gdprcall.conf") for name in ours_for_a_while)
    (step,) = (step for step in PLAN["gdprcall-verdict"]["_rec."] if "__DYNAMIC" in step)
    assert step.startswith('ExecIf($["${GDPRCALL_INHERIT}"="yes"]?')


def test_nothing_runs_a_program_or_reads_a_file() -> None:
    assert not re.search(r"System\(|TrySystem|SHELL\(|CURL|FILE\(|EVAL\(|include|switch", code("gdprcall.conf"))


def test_parentheses_and_braces_are_closed_on_every_line() -> None:
    for extensions in PLAN.values():
        for step in (step for steps in extensions.values() for step in steps):
            assert [step.count(mark) for mark in "({["] == [step.count(mark) for mark in ")}]"], step


def test_the_withdrawal_key_leads_to_our_context_on_the_channel_of_who_pressed_it() -> None:
    assert "gdprstop => *9,self,Gosub(gdprcall-withdraw,s,1)" in code("features.conf").splitlines()


def test_the_ami_user_has_the_least_rights_on_loopback_alone() -> None:
    settings = dict(re.findall(r"^(\w+) = (.+)$", code("manager.conf"), re.MULTILINE))
    assert (settings["read"], settings["write"]) == ("call,user", "call,reporting")
    assert (settings["bindaddr"], settings["webenabled"]) == ("127.0.0.1", "no")
    assert (settings["deny"], settings["permit"]) == ("0.0.0.0/0.0.0.0", "127.0.0.1/255.255.255.255")


def test_the_event_filters_let_through_what_the_daemon_reads_and_no_more() -> None:
    source = (DIALPLAN.parent / "gdprcall" / "asterisk" / "ami_events.py").read_text()
    cases = set(re.findall(r'(?:case|\|) "([A-Z]\w+)"(?=:| \|)', source))
    changes = set(re.findall(r'^    "([A-Z]\w+)": \(', source, re.MULTILINE))
    filters = re.findall(r"^eventfilter\(action\((\w+)\),name\((\w+)\)", code("manager.conf"), re.MULTILINE)
    assert {action for action, _ in filters} == {"include"}
    assert {name for _, name in filters} == cases | changes
    assert "eventfilter(action(include),name(UserEvent),header(UserEvent),method(exact)) = GdprCall" in code(
        "manager.conf"
    )


def test_the_http_server_is_on_loopback_and_serves_nothing_else() -> None:
    settings = dict(re.findall(r"^(\w+) = (.+)$", code("http.conf"), re.MULTILINE))
    assert settings["bindaddr"] == "127.0.0.1"
    assert (settings["enable_static"], settings["enable_status"]) == ("no", "no")


def test_the_ari_user_is_our_own_and_no_web_page_may_use_it() -> None:
    settings = dict(re.findall(r"^(\w+) = (.+)$", code("ari.conf"), re.MULTILINE))
    assert int(settings["websocket_write_timeout"]) >= 1000
    assert "allowed_origins" not in settings


def test_sec_05_no_log_file_takes_the_levels_that_print_numbers_and_keys() -> None:
    section = code("logger.conf").split("[logfiles]")[1]
    levels = {level for line in re.findall(r"=> (.+)", section) for level in line.split(",")}
    assert levels == {"warning", "error"}


def test_no_password_is_shipped() -> None:
    for name in ("ari.conf", "manager.conf"):
        assert re.findall(r"^(?:password|secret) = (.+)$", code(name), re.MULTILINE) == ["CHANGE-ME"]


def test_the_readme_says_every_step_and_names_every_file() -> None:
    readme = (DIALPLAN / "README.md").read_text()
    for path in DIALPLAN.glob("*.conf"):
        assert f"`{path.name}`" in readme
    for word in ("Gosub(gdprcall,s,1(support,may))", "GDPRCALL_SPOOL", "GDPRCALL_INHERIT", "2770", "tmpfs", "UMask"):
        assert word in readme
