"""Reading extensions.conf: contexts, comments, includes; and saying what could not be read."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gdprcall import dialplan
from gdprcall.errors import ConfigError
from gdprcall.policy.model import Demand
from tests.pbx.prepare import ROOT

TEXT = """\
[globals]
GDPRCALL_SPOOL=/x
[trunk](!,base)
; exten => s,1,Gosub(gdprcall,s,1(commented,must))
exten => _X.,1,NoOp() ; Gosub(gdprcall,s,1(also_commented,must))
 same => n,Gosub(gdprcall,s,1(support,may))
 same => n(label),GosubIf($["${A}"="b\\;c"]?gdprcall,s,1(orders,must))
exten = 200,1,GoSub(gdprcall-agi,s,1(sales))
;-- exten => s,1,Gosub(gdprcall,s,1(in_a_block,may))
 same => n,Gosub(gdprcall,s,1(in_a_block,may))
--;
exten => 300,1,Gosub(gdprcall,s,1(last,may))
[gdprcall]
exten => s,1,Gosub(gdprcall,s,1(our_own,may))
"""


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.conf").write_text(text)
    return folder / "extensions.conf"


def lines(reading: dialplan.Reading) -> list[str | None]:
    return [gosub.line for gosub in reading.found]


def test_every_gosub_is_found_with_its_place_and_no_comment_is(tmp_path: Path) -> None:
    path = written(tmp_path, extensions=TEXT)
    found = dialplan.read(path).found
    assert [(gosub.line, gosub.demand, gosub.entrance, gosub.place) for gosub in found] == [
        ("support", Demand.MAY, "trunk,_X.", f"{path}:6"),
        ("orders", Demand.MUST, "trunk,_X.", f"{path}:7"),
        ("sales", Demand.MAY, "trunk,200", f"{path}:8"),
        ("last", Demand.MAY, "trunk,300", f"{path}:12"),
    ]


def test_what_is_included_is_read_once_wherever_it_is_from(tmp_path: Path) -> None:
    step = "[c]\nexten => s,1,Gosub(gdprcall,s,1({}))\n"
    (tmp_path / "sites").mkdir()
    for name in ("a", "b"):
        (tmp_path / "sites" / f"{name}.conf").write_text(step.format(name))
    text = f'#include one.conf\n#include "sites/*.conf"\n#include <{tmp_path}/one.conf>\n#tryinclude none.conf\n'
    path = written(tmp_path, extensions=text, one="#include extensions.conf\n" + step.format("one"))
    reading = dialplan.read(path)
    assert lines(reading) == ["one", "a", "b"]
    assert reading.unread == []


def test_what_could_not_be_read_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, extensions="#include none.conf\n#exec /bin/print-dialplan\n#include \0.conf\n")
    unread = dialplan.read(path, tmp_path / "extensions.ael").unread
    assert [text.split(" ")[0] for text in unread] == ["none.conf", "what", "\0.conf", f"{tmp_path}/extensions.ael"]


def test_includes_without_end_come_to_one(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.conf").write_text(f"#include {number + 1}.conf\n")
    (unread,) = dialplan.read(tmp_path / "0.conf").unread
    assert "too deep" in unread


def test_a_dialplan_that_is_not_there_or_too_large_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        dialplan.read(tmp_path / "none.conf")
    with pytest.raises(ConfigError, match="cannot be read"):
        dialplan.read(tmp_path)
    monkeypatch.setattr(dialplan, "LARGEST_FILE", 3)
    with pytest.raises(ConfigError, match="too large"):
        dialplan.read(written(tmp_path, extensions=TEXT))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(
        st.one_of(
            st.sampled_from(
                [*TEXT.splitlines(keepends=True), "#include x\n", ";--", "--;", "[", "(", ")", "$", ",", "{"]
            ),
            st.text(max_size=6),
        ),
        max_size=12,
    )
)
def test_any_text_is_read_in_words_and_never_breaks(tmp_path: Path, pieces: list[str]) -> None:
    path = tmp_path / "extensions.conf"
    path.write_bytes("".join(pieces).encode("utf-8", "replace"))
    reading = dialplan.read(path)
    assert all(gosub.place.startswith(f"{path}:") for gosub in reading.found)


def test_our_own_dialplan_asks_for_no_line(tmp_path: Path) -> None:
    reading = dialplan.read(ROOT / "dialplan" / "gdprcall.conf")
    assert (reading.found, reading.unread) == ([], [])
