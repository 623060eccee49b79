"""The officer's page: every figure is that of the vault, of one controller alone, and a real browser shows it to everybody."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import html5lib
import pytest

from gdprcall import config, operations, report
from gdprcall.cli.main import run
from gdprcall.errors import ConfigError, NotFound, Refused
from gdprcall.operations import Context
from gdprcall.papers import house as made_of
from gdprcall.times import DAY_MS
from gdprcall.vault.entry import Fact, Kind
from tests import vaults
from tests.breachhouse import DAY_ONE, House, fill, house
from tests.paperhouse import filled
from tests.pbx.browser import browser

OUTCOMES = (*["granted"] * 7, "refused", "refused", "timeout", "hangup_in_prompt", "prompt_error")
SVG = "{http://www.w3.org/2000/svg}"
WIDTHS = (320, 768, 1280, 1920)


def decided(
    place: House, number: int, outcome: str, *, line: str = "desk", language: str = "en", owner: str = "own"
) -> None:
    recording = vaults.recording_id(number)
    fact = vaults.decision(recording, controller=owner, line=line, outcome=outcome, language=language)
    place.vault.submit(Fact(fact.kind, recording if outcome == "granted" else None, owner, fact.body)).result()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        yield made


@pytest.fixture
def busy(place: House) -> House:
    """A house in which own's callers answered on ten days, acme's too, and everything else happened once."""
    number = 1000
    for day in range(10):
        place.clock.now = DAY_ONE + day * DAY_MS
        for outcome in OUTCOMES:
            number += 1
            language = ("en", "sv")[number % 2]
            decided(place, number, outcome, line=("desk", "night")[day % 2], language=language)
        decided(place, number + 500, "granted", line="support", owner="acme")
    made = fill(place)
    place.run("recordings/hold", ids=made["own"][:1], matter="m", owner="o", reason="x", review="2026-03-01T00:00:00Z")
    place.run(
        "requests/open", controller="own", type="access", channel="mail", received="2026-01-02", number="+4981234567"
    )
    place.run(
        "requests/open", controller="acme", type="erasure", channel="mail", received="2026-01-02", number="+4981234567"
    )
    place.open("own", aware=False)
    place.open("beta")
    with pytest.raises(Refused):
        exported(place, made["own"][0], "marketing")
    exported(place, made["own"][0], "quality")
    exported(place, made["acme"][0], "quality")
    place.run("retention/sweep")
    place.vault.catch_up()
    place.clock.now += 1
    return place


def exported(place: House, recording: str, purpose: str) -> None:
    context = Context(place.vault, place.config, actor="uid:7", role="officer", clock=place.clock)
    operations.export(context, recording, 1, purpose)


def figures(place: House, controller: str = "own", **params: object) -> dict[str, Any]:
    return dict(json.loads(json.dumps(place.run("report/data", controller=controller, **params))))


def test_the_answers_are_counted_by_day_line_and_language(busy: House) -> None:
    asked = figures(busy, since="2026-01-01T00:00:00Z", until="2026-01-11T00:00:00Z")["asked"]
    assert asked["days"] == 1
    assert len(asked["over"]) == 10
    for one in asked["over"][:9]:
        assert (one["asked"], one["recorded"], one["refused"], one["other"], one["rate"]) == (12, 7, 2, 3, 58.3)
    assert asked["over"][9]["asked"] == 14, "and the two that were sealed on that day"
    assert {name: one["asked"] for name, one in asked["lines"].items()} == {"desk": 62, "night": 60}
    assert sum(one["asked"] for one in asked["languages"].values()) == 122
    assert asked["outcomes"] == {
        "granted": 72,
        "refused": 20,
        "hangup_in_prompt": 10,
        "prompt_error": 10,
        "timeout": 10,
    }


def test_who_withdrew_counts_as_a_no(busy: House) -> None:
    before = figures(busy)["asked"]["lines"]["desk"]
    busy.vault.note(Fact(Kind.WITHDRAWN, vaults.recording_id(1001), "own", {"method": "key", "reason": "withdrawn"}))
    after = figures(busy)["asked"]["lines"]["desk"]
    assert (after["recorded"], after["refused"]) == (before["recorded"] - 1, before["refused"] + 1)


@pytest.mark.parametrize(("days", "step", "bars"), [(31, 1, 31), (32, 7, 5), (190, 7, 28), (191, 28, 7)])
def test_a_longer_period_has_longer_steps(place: House, days: int, step: int, bars: int) -> None:
    place.clock.now = DAY_ONE + days * DAY_MS
    asked = figures(place, since="2026-01-01T00:00:00Z")["asked"]
    assert (asked["days"], len(asked["over"])) == (step, bars)


def test_ret_07_what_is_kept_goes_when_its_time_is_over_and_what_is_held_does_not(place: House) -> None:
    made = fill(place)
    kept = figures(place)["kept"]
    assert (kept["sealed"], kept["held"], [one["count"] for one in kept["going"]][:2]) == (2, 0, [0, 2])
    place.run("recordings/hold", ids=made["own"][:1], matter="m", owner="o", reason="x", review="2026-03-01T00:00:00Z")
    place.run("recordings/restrict", ids=made["own"][:1], ground="claims", reason="x")
    kept = figures(place)["kept"]
    assert (kept["held"], kept["restricted"], sum(one["count"] for one in kept["going"])) == (1, 1, 1)
    place.clock.now += 60 * DAY_MS
    assert figures(place)["kept"]["going"][0]["count"] == 1, "what should be gone is in the first"


def test_requests_breaches_releases_and_sweeps_are_those_of_the_registers(busy: House) -> None:
    found = figures(busy)
    assert [(one["type"], one["state"]) for one in found["requests"]] == [("access", "open")]
    assert [(one["trigger"], one["state"]) for one in found["breaches"]] == [("person", "suspected")]
    assert found["access"] == {
        "released": [{"actor": "uid:7", "purpose": "quality", "count": 1}],
        "denied": [{"actor": "uid:7", "count": 1}],
    }
    assert (found["care"]["sweeps"], found["care"]["failed"]) == (1, 0)
    assert found["care"]["ledger_entries"] == busy.vault.ledger.size()


def test_sec_09_nothing_of_another_controller_is_in_the_figures_or_on_the_page(busy: House) -> None:
    found = figures(busy)
    for text in (json.dumps(found), report.page(found)):
        for other in ("acme", "Acme", "beta", "Beta", "support", "orders"):
            assert other not in text
    busy.who = {"controller": "acme", "role": "officer"}
    with pytest.raises(NotFound):
        busy.run("report/data", busy.who, controller="own")


def test_bas_11_no_number_and_no_name_of_a_person_is_on_the_page(busy: House) -> None:
    page = report.page(figures(busy))
    for number in ("4981234567", "493012345678", "46812345678"):
        assert number not in page
    for id_ in (vaults.recording_id(1001), "duty engineer", "A disk was lost"):
        assert id_ not in page


@pytest.mark.parametrize(
    "params",
    [
        {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        {"since": "1980-01-01T00:00:00Z"},
        {"since": "yesterday"},
    ],
)
def test_a_period_that_is_none_is_refused(place: House, params: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        figures(place, **params)


def test_what_needs_somebody_comes_first_and_the_late_before_the_rest(busy: House) -> None:
    busy.clock.now += 40 * DAY_MS
    found = list(report.tasks(figures(busy)))
    assert found[0] == ("late", "Request for access: overdue by 17 days")
    assert found[1][0] == "soon"
    assert "suspected" in found[1][1]


def test_where_nothing_is_due_the_page_says_so(busy: House) -> None:
    facts = figures(busy)
    facts |= {"requests": [], "breaches": []}
    facts["care"] |= {"last_sweep": "2026-01-01T00:00:00Z", "canaries": ["2026-01-01T00:00:00Z"]}
    facts["care"]["checkpoint"] = {"entries": 1, "handed_out": True}
    assert list(report.tasks(facts)) == []
    assert "Nothing is due" in report.page(facts)


def test_each_plot_has_its_figures_in_a_table_and_in_words(busy: House) -> None:
    facts = figures(busy)
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(report.page(facts))
    plots = [one for one in tree.iter(f"{SVG}svg") if one.get("class") != "share"]
    assert len(plots) == 2
    assert all(one.get("role") == "img" and one.get("aria-label") for one in tree.iter(f"{SVG}svg"))
    tables = {"".join(one.find("caption").itertext()): rows(one) for one in tree.iter("table")}
    over = [
        [one["from"], one["asked"], one["recorded"], one["refused"], one["other"]] for one in facts["asked"]["over"]
    ]
    assert [row[:5] for row in tables["Answers over time"]] == [[str(cell) for cell in row] for row in over]
    going = [[one["from"], str(one["count"])] for one in facts["kept"]["going"]]
    assert tables["Recordings by when they go"] == going
    assert all(head.get("scope") for head in tree.iter("th"))


def rows(table: Any) -> list[list[str]]:
    return [["".join(cell.itertext()).strip() for cell in row] for row in table.find("tbody").iter("tr")]


def test_hostile_names_stay_text(place: House) -> None:
    fact = vaults.decision(vaults.recording_id(5), controller="own", line="<script>alert(1)</script>", language="<b>")
    place.vault.submit(fact).result()
    place.clock.now += 1
    page = report.page(figures(place))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_command_writes_the_page_and_never_over_another_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with house(tmp_path) as made:
        fill(made)
    command = ["--config", str(tmp_path / "gdprcall.toml"), "report", "own"]
    out = tmp_path / "own.html"
    assert run([*command, "--out", str(out)]) == 0
    assert out.read_text().startswith("\n<!DOCTYPE html>") or out.read_text().lstrip().startswith("<!DOCTYPE html>")
    assert run([*command, "--out", str(out)]) == 2
    assert run([*command, "--out", str(out), "--force"]) == 0
    assert run(command) == 2
    capsys.readouterr()
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["controller"]["id"] == "own"


@pytest.mark.pbx
async def test_a_real_browser_shows_it_at_each_width_dark_and_light_and_asks_for_nothing(busy: House) -> None:
    facts = figures(busy)
    file = busy.folder / "own.html"
    file.write_text(report.page(facts))
    async with browser() as looked:
        await looked.open(file)
        grounds = set()
        for dark in (False, True):
            for width in WIDTHS:
                await looked.look(width, dark=dark)
                assert await looked.evaluate("document.documentElement.scrollWidth") <= width
            grounds.add(await looked.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert len(grounds) == 2
        await looked.look(794, dark=False, paper=True)
        shown = await looked.evaluate(
            "[...document.querySelectorAll('details table')].map(one => one.getBoundingClientRect().height > 0)"
        )
        assert shown
        assert all(shown), "what is folded on a screen is open on paper"
        figure = await looked.evaluate("document.querySelector('.figure').innerText")
        total = sum(one["recorded"] for one in facts["asked"]["over"]) / sum(
            one["asked"] for one in facts["asked"]["over"]
        )
        assert figure == f"{round(100 * total, 1)} %"
        assert looked.asked == [file.as_uri()]
        assert looked.said == []


@pytest.mark.pbx
async def test_a_real_browser_shows_a_paper_at_each_width(tmp_path: Path) -> None:
    with house(tmp_path) as place:
        place.config = config.load(filled(tmp_path))
        facts = place.run("documents/facts", controller="acme")
    file = tmp_path / "paper.html"
    async with browser() as looked:
        for wanted in made_of.papers(facts):
            file.write_text(made_of.make(facts, wanted, None).page)
            await looked.open(file)
            for width in WIDTHS:
                await looked.look(width, dark=width == 768)
                assert await looked.evaluate("document.documentElement.scrollWidth") <= width, wanted
        assert set(looked.asked) == {file.as_uri()}
        assert looked.said == []
