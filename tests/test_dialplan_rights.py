"""The shipped dialplan of rights by telephone, read and not run: what must stand in it, and what must not."""

import re

from tests.test_dialplan import PLAN, code

CODE = code("gdprcall-rights.conf")


def extension(context: str, name: str) -> list[str]:
    """Return the steps of an extension that begins at priority 1."""
    section = CODE.split(f"[{context}]\n")[1].split("\n[")[0]
    found = re.search(rf"^exten => {name},1,(.*(?:\n same => .*)*)", section, re.MULTILINE)
    assert found, name
    return [re.sub(r"^ same => n(?:\([a-z]+\))?,", "", step) for step in found[1].split("\n")]


def test_con_01_nothing_is_recorded_here_and_no_verdict_begins_a_recording_on_such_a_call() -> None:
    assert "MixMonitor" not in CODE
    assert "LOCAL(GDPRCALL_DEMAND)=rights" in extension("gdprcall-rights", "s")[0]
    assert '"${GDPRCALL_DEMAND}"="rights"' in PLAN["gdprcall-verdict"]["_rec."][1]
    assert 'GDPRCALL_OPEN=${IF($["${GDPRCALL_DEMAND}"="rights"]?:yes)}' in PLAN["gdprcall-verdict"]["_hold!"][0]


def test_con_01_what_runs_on_the_call_ends_before_anything_is_said() -> None:
    steps = extension("gdprcall-rights", "s")
    assert steps[1] == 'GosubIf($["${GDPRCALL_REC}"!=""]?gdprcall-stop,s,1(rights))'
    assert "GDPRCALL_OPEN=," in steps[0]


def test_fcl_01_the_first_hop_has_a_word_of_its_own_and_three_seconds() -> None:
    steps = extension("gdprcall-rights", "s")
    hops = [step for step in steps if step.startswith("TryExec(")]
    assert hops == [
        "TryExec(Stasis(gdprcall,v1,rights,${GDPRCALL_LINE},rights,${CHANNEL(language)}))",
        "TryExec(AGI(agi://${GDPRCALL_SERVER}/rights,v1,${GDPRCALL_LINE},rights,${CHANNEL(language)}))",
    ]
    (timeout,) = [step for step in steps if step.startswith("Set(TIMEOUT(absolute)=")]
    (same,) = [step for step in PLAN["gdprcall"]["s"] if step.startswith("Set(TIMEOUT(absolute)=")]
    assert timeout == same
    assert any("LOCAL(AGIEXITONHANGUP)=yes" in step for step in steps)


def test_fcl_01_wherever_it_breaks_off_the_call_is_unserved_and_only_the_daemons_word_makes_it_served() -> None:
    assert "LOCAL(GDPRCALL_ELSE)=unserved" in extension("gdprcall-rights", "s")[0]
    for context, name in (("gdprcall-rights", "T"), ("gdprcall-rights", "i"), ("gdprcall-rights-agi", "T")):
        assert extension(context, name)[-1] == "Goto(gdprcall-verdict,norec,1)"
    assert PLAN["gdprcall-verdict"]["served"] == ["Set(LOCAL(GDPRCALL_ELSE)=served)", "Goto(norec,1)"]
    assert extension("gdprcall-rights-agi", "s") == [
        "Set(LOCAL(GDPRCALL_FRONT)=agi)",
        "Goto(gdprcall-rights,s,1)",
    ]


def test_sec_05_no_number_is_read_and_only_a_name_reaches_an_event() -> None:
    assert not re.search(r"CALLERID|CONNECTEDLINE|REDIRECTING|CDR\(|CEL", CODE)
    written = re.findall(r"(?:UserEvent|NoOp|Verbose|Log)\((.*)\)", CODE)
    assert written == ["GdprCall,Kind: timeout,Line: ${GDPRCALL_LINE}"]
    assert "LOCAL(GDPRCALL_LINE)=${FILTER(a-z0-9_,${ARG1})}" in CODE
    assert "Set(CHANNEL(language)=${FILTER(a-zA-Z-,${ARG2})})" in CODE
