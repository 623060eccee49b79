"""The codes of features.conf against the policy: what is missing, another code, another's, or does something else."""

from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall import dialplan
from gdprcall.errors import ConfigError
from gdprcall.policy.codes import SHIPPED, Code, code, compare
from gdprcall.policy.model import Basis, Line, OnJoin
from tests import policies
from tests.pbx.prepare import ROOT

CONSENT, CONTRACT = policies.of(Basis.CONSENT), policies.of(Basis.CONTRACT)


def shipped(**changes: str) -> list[Code]:
    """Return the codes as they are shipped, with other keys for some, "" for none."""
    return [
        Code(name, changes.get(name, keys), side, runs, f"features.conf:{number}")
        for number, (name, (keys, side, runs)) in enumerate(SHIPPED.items(), 1)
        if changes.get(name) != ""
    ]


def told(line: Line, found: list[Code]) -> list[tuple[str, str, str]]:
    """Return requirement, severity and the first words of each finding."""
    wrong = compare(policies.policy(line), found)
    return [(one.rule, one.severity, " ".join(one.text.split()[:4])) for one in wrong]


def keys(line: Line, **changes: str) -> Line:
    return replace(line, keys=replace(line.keys, **changes))


def test_what_is_shipped_is_what_stands_in_the_sample() -> None:
    found, reading = dialplan.read_codes(ROOT / "dialplan" / "features.conf")
    assert {one.name: (one.keys, one.side, one.runs) for one in found} == SHIPPED
    assert reading.unread == []


@pytest.mark.parametrize("basis", list(Basis))
def test_the_sample_has_every_code_that_a_line_of_any_basis_needs(basis: Basis) -> None:
    line = replace(keys(policies.of(basis), pause="*7"), spoken=True, minors=True, joins=OnJoin.ASK)
    assert compare(policies.policy(line), shipped()) == []


@pytest.mark.parametrize(
    ("line", "name", "rule", "severity"),
    [
        (CONSENT, "gdprstop", "CON-07", "refuse"),
        (policies.of(Basis.LEGITIMATE_INTEREST), "gdprstop", "INF-04", "refuse"),
        (policies.of(Basis.PUBLIC_TASK), "gdprstop", "INF-04", "refuse"),
        (CONTRACT, "gdprcontract", "BAS-04", "warn"),
        (CONTRACT, "gdprdone", "BAS-04", "refuse"),
        (replace(CONSENT, spoken=True), "gdpryes", "CON-01", "warn"),
        (replace(CONSENT, spoken=True), "gdprno", "CON-07", "refuse"),
        (replace(CONSENT, agent_asks=True), "gdpryes", "CON-01", "warn"),
        (replace(CONSENT, agent_asks=True), "gdprno", "CON-07", "refuse"),
        (replace(CONSENT, agent_asks=True), "gdpragree", "CON-01", "warn"),
        (replace(CONSENT, minors=True), "gdprminor", "CON-10", "refuse"),
        (keys(CONSENT, pause="*7"), "gdprpause", "PRF-PCI", "refuse"),
        (keys(CONSENT, pause="*7"), "gdprresume", "PRF-PCI", "warn"),
        (CONSENT, "gdprnext", "PTY-04", "warn"),
        (replace(CONSENT, joins=OnJoin.ASK), "gdprjoin", "PTY-04", "warn"),
        (replace(CONSENT, agents=replace(CONSENT.agents, tone=True)), "gdprtone", "PTY-01", "warn"),
    ],
)
def test_a_code_that_a_line_needs_and_features_conf_has_not_is_named_with_its_mend(
    line: Line, name: str, rule: str, severity: str
) -> None:
    (one,) = compare(policies.policy(line), shipped(**{name: ""}))
    assert (one.rule, one.severity, one.text.startswith(f"{name} is not there")) == (rule, severity, True)
    assert f"{name} => {SHIPPED[name][0]},{SHIPPED[name][1]},Gosub({SHIPPED[name][2]},1)" in one.mend


def test_con_07_another_code_than_the_one_that_callers_are_told_is_named() -> None:
    assert told(CONSENT, shipped(gdprstop="*6")) == [("CON-07", "refuse", "gdprstop is *6, and")]
    other = keys(CONSENT, withdraw="*6")
    (one,) = compare(policies.policy(other), shipped())
    assert "gdprstop => *6,self,Gosub(gdprcall-withdraw,s,1)" in one.mend
    assert told(keys(CONSENT, pause="*1"), shipped()) == [("PRF-PCI", "refuse", "gdprpause is *7, and")]
    assert told(CONSENT, shipped(gdprnext="A")) == [("PTY-04", "warn", "gdprnext is A, and")]


def test_agents_may_have_other_codes_than_the_sample() -> None:
    assert told(CONTRACT, shipped(gdprcontract="*31", gdprdone="*32")) == []


def test_a_code_that_does_something_else_or_on_the_wrong_side_is_named() -> None:
    for changes in ({"side": "peer"}, {"runs": "gdprcall-stop,s"}, {"runs": ""}):
        found = [replace(one, **changes) if one.name == "gdprstop" else one for one in shipped()]
        assert told(CONSENT, found) == [("CON-07", "refuse", "gdprstop does something else")]


def test_two_features_with_one_code_are_named_and_of_one_name_the_last_counts() -> None:
    found = [*shipped(), Code("recordit", "*9", "self", "", "features.conf:30")]
    assert told(CONSENT, found) == [("CON-07", "refuse", "gdprstop and recordit have")]
    assert told(CONSENT, [Code("gdprstop", "*1", "self", "x", "features.conf:1"), *shipped()]) == []


def test_what_no_key_ends_needs_no_withdrawal_code() -> None:
    for basis in (Basis.LEGAL_OBLIGATION, Basis.VITAL_INTEREST):
        assert told(policies.of(basis), shipped(gdprstop="")) == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("gdprstop => *9,self,Gosub(gdprcall-withdraw,s,1)", ("gdprstop", "*9", "self", "gdprcall-withdraw,s")),
        ("GdprStop=*9 , Self/both , Gosub(gdprcall-withdraw,s,1)", ("gdprstop", "*9", "self", "gdprcall-withdraw,s")),
        ('gdprstop => *9,self,Gosub,"gdprcall-withdraw,s,1"', ("gdprstop", "*9", "self", "gdprcall-withdraw,s")),
        ("gdprstop => *9,self,Gosub,gdprcall-withdraw,s,1", ("gdprstop", "*9", "self", "gdprcall-withdraw,s")),
        ("testfeature => #9,peer,Playback,tt-monkeys", ("testfeature", "#9", "peer", "")),
        ("gdprnext => d,self,Gosub(gdprcall-next,s,1)", ("gdprnext", "D", "self", "gdprcall-next,s")),
        ("nonsense", None),
        ("a => ,self,b", None),
    ],
)
def test_a_line_of_features_conf_is_read_in_each_way_that_asterisk_reads_it(
    words: str, found: tuple[str, str, str, str] | None
) -> None:
    read = code(words, "place")
    assert (None if read is None else (read.name, read.keys, read.side, read.runs)) == found


def test_codes_are_read_where_they_are_included_and_nowhere_but_in_the_map(tmp_path: Path) -> None:
    (tmp_path / "ours.conf").write_text("gdprstop => *9,self,Gosub(gdprcall-withdraw,s,1)\n[other]\nx => *1,self,Y\n")
    path = tmp_path / "features.conf"
    path.write_text(
        "[featuremap]\nblindxfer => ##\n[applicationmap](+) ; ours\n#include ours.conf\n#include none.conf\n"
    )
    found, reading = dialplan.read_codes(path)
    assert [(one.name, one.place) for one in found] == [("gdprstop", f"{tmp_path}/ours.conf:1")]
    assert reading.unread == ["none.conf is included and is not there"]
    with pytest.raises(ConfigError, match="cannot be read"):
        dialplan.read_codes(tmp_path / "none.conf")
