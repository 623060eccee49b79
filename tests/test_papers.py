"""The papers: every mandatory item is there, from the live configuration alone, in three formats that say the same (DOC-01 to DOC-07)."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import html5lib
import pytest
from markdown_it import MarkdownIt
from pypdf import PdfReader

from gdprcall import papers
from gdprcall.cli.main import run
from gdprcall.errors import ConfigError, NotFound
from gdprcall.papers import house as made
from gdprcall.papers import kept
from tests import vaults
from tests.breachhouse import HOUR, fill, house
from tests.paperhouse import examples, filled
from tests.pbx.prepare import ROOT

ITEMS: Mapping[str, list[dict[str, Any]]] = tomllib.loads((ROOT / "tests" / "papers.toml").read_text())


class Office:
    """A command line over a house of three controllers with a filled configuration."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capture = folder, capture
        self.path = filled(folder)

    def __call__(self, *words: str, status: int = 0) -> str:
        found = run(["--config", str(self.path), "documents", *words])
        said = self._capture.readouterr()
        assert found == status, said.out + said.err
        return said.out if status == 0 else said.out + said.err

    def json(self, *words: str, status: int = 0) -> Any:
        return json.loads(self(*words, "--json", status=status).split("\nerror: ")[0])

    def change(self, old: str, new: str) -> None:
        text = self.path.read_text()
        assert old in text
        self.path.write_text(text.replace(old, new))

    def paper(self, name: str, language: str = "en", kind: str = "md") -> str:
        whose = () if name == made.HOUSE else ("--controller", "acme")
        return self("show", name, *whose, "--language", language, "--format", kind)


@pytest.fixture
def office(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Office:
    return Office(tmp_path, capsys)


def said(text: str) -> str:
    """Return what a paper says, without the signs of Markdown."""
    return re.sub(r"\s+", " ", re.sub(r"\\(.)", r"\1", text))


def holds(office: Office, name: str) -> None:
    """Look for every item that the law lists for a paper."""
    text = said(office.paper(name))
    for item in ITEMS[name]:
        for words in item["words"]:
            assert words in text, item["article"]


def test_doc_01_the_controllers_register_has_every_item_of_article_30_1(office: Office) -> None:
    holds(office, "register")


def test_doc_02_the_processors_register_has_every_item_of_article_30_2_for_each_controller(office: Office) -> None:
    holds(office, made.HOUSE)


def test_doc_03_the_addendum_has_every_clause_of_article_28_3_and_its_annexes(office: Office) -> None:
    holds(office, "addendum")


def test_doc_05_the_list_of_sub_processors_says_how_to_object(office: Office) -> None:
    holds(office, "subprocessors")


def test_doc_07_the_impact_assessment_has_the_four_parts_of_article_35_7(office: Office) -> None:
    holds(office, "dpia")


def test_inf_02_the_full_notice_has_every_item_of_articles_13_and_14(office: Office) -> None:
    holds(office, "notice")


def test_bas_08_the_assessment_of_a_legitimate_interest_has_three_steps(office: Office) -> None:
    holds(office, "assessment")


@pytest.mark.parametrize("name", ["retention", "certificates"])
def test_ret_07_periods_and_certificates_are_papers_too(office: Office, name: str) -> None:
    holds(office, name)


def test_every_paper_has_its_list_of_items() -> None:
    assert set(ITEMS) == set(papers.NAMES)


@pytest.mark.parametrize("name", papers.NAMES)
def test_every_paper_says_that_it_is_no_advice_and_marks_what_is_open(office: Office, name: str) -> None:
    paper = office.paper(name)
    assert "no legal advice" in paper
    for place in re.findall(r"\[TO FILL IN: ([^\]…]+)\]", paper):
        assert f"**[TO FILL IN: {place}]**" in paper
    assert "None" not in said(paper).replace("None are configured", "").replace("None.", "")


@pytest.mark.parametrize("name", papers.NAMES)
def test_the_page_of_a_paper_is_valid_says_the_same_and_runs_nothing(office: Office, name: str) -> None:
    page, text = office.paper(name, kind="html"), office.paper(name)
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    assert tree.get("lang") == "en"
    levels = [int(one.tag[1]) for one in tree.iter() if isinstance(one.tag, str) and re.fullmatch(r"h\d", one.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    heads = list(tree.iter("th"))
    assert all(one.get("scope") == "col" and "".join(one.itertext()).strip() for one in heads)
    assert {one.tag for one in tree.iter() if isinstance(one.tag, str)}.isdisjoint({"script", "img", "link", "iframe"})
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert plain(page) == plain(papers.html(text))


def plain(page: str) -> str:
    body = re.sub(r"(?s).*<main>|</main>.*", "", page)
    return " ".join("".join(html5lib.parseFragment(body, namespaceHTMLElements=False).itertext()).split())


def test_the_pdf_holds_the_same_text(office: Office) -> None:
    pytest.importorskip("weasyprint", exc_type=(ImportError, OSError))  # type: ignore[arg-type]  # pango may be missing
    target = office.folder / "papers"
    office("write", str(target), "--controller", "acme", "--formats", "html,pdf")
    for name in ("addendum", "register"):
        reader = PdfReader(BytesIO((target / "acme" / f"{name}.pdf").read_bytes()))
        told = letters("".join(page.extract_text() for page in reader.pages))
        page = html5lib.parse((target / "acme" / f"{name}.html").read_text(), namespaceHTMLElements=False)
        blocks = [one for one in page.iter() if one.tag in {"h1", "h2", "h3", "p", "li", "th", "td"}]
        assert len(blocks) > 50
        for one in blocks:
            assert letters("".join(one.itertext())) in told


def letters(text: str) -> str:
    """Return the letters and digits of a text: lines are broken elsewhere in a PDF."""
    return re.sub(r"\W+", "", text)


def test_without_weasyprint_a_pdf_says_what_to_install(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    assert "gdprcall[pdf]" in office("show", "register", "--controller", "acme", "--format", "pdf", status=2)


@pytest.mark.parametrize("language", papers.LANGUAGES)
def test_inf_02_the_notice_is_written_in_each_language_of_the_lines(office: Office, language: str) -> None:
    paper = office.paper("notice", language)
    lines = {"en": 3, "sv": 1, "de": 1}[language]
    assert len(re.findall(r"^## .* line |^## .* linjen |^## .* Leitung ", paper, re.MULTILINE)) == lines
    page = office.paper("notice", language, "html")
    assert f'<html lang="{language}">' in page


def test_inf_03_a_language_without_a_written_notice_is_named_and_never_silently_another(office: Office) -> None:
    office.change('languages = ["en", "sv"]', 'languages = ["en", "sv", "nl"]')
    approve(office, "nl")
    rows = office.json("check", "--controller", "acme", status=4)
    assert {"paper": "acme/notice.nl", "place": "there is no written notice in nl"} in rows
    assert "there is no notice of acme in nl" in office(
        "show", "notice", "--controller", "acme", "--language", "nl", status=3
    )


def approve(office: Office, language: str) -> None:
    status = run(
        [
            "--config",
            str(office.path),
            "prompts",
            "approve",
            language,
            "--controller",
            "acme",
            "--by",
            "A. Officer",
            "--yes",
        ]
    )
    assert status == 0
    office._capture.readouterr()


# From the live configuration


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        (
            '"Auditors Ltd"',
            '"Auditors Ltd", "Court"',
            {"addendum", "register", "notice.en", "notice.sv", "notice.de", "dpia"},
        ),
        ('name = "Host AG"', 'name = "Host SA"', {"addendum", "subprocessors"}),
        ('officer = "officer@centre.example"', 'officer = "dpo@centre.example"', {"addendum"}),
    ],
)
def test_doc_01_a_change_of_the_configuration_is_a_new_version_of_what_it_concerns(
    office: Office, old: str, new: str, names: set[str]
) -> None:
    target = str(office.folder / "papers")
    first = office.json("write", target, "--controller", "acme")
    assert all(one["number"] == 1 and one["new"] for one in first)
    office.change(old, new)
    again = office.json("write", target, "--controller", "acme")
    changed = {one["paper"].removeprefix("acme/"): one for one in again if one["new"]}
    assert changed.keys() == names
    for name, one in changed.items():
        assert one["number"] == 2
        added = re.sub(r'^\w+ = |"', "", new).split(", ")[-1]
        if name == "addendum" and "Host" not in new and "dpo@" not in new:
            continue  # the hash of the policy, which stands in it, is another
        assert any(added in said(line) for line in one["difference"].splitlines() if line.startswith("+")), name
        before = (office.folder / "papers" / "acme" / f"{name}.v1.md").read_text()
        assert added not in said(before)


def test_doc_01_a_shorter_retention_changes_the_register(office: Office) -> None:
    target = str(office.folder / "papers")
    office("write", target)
    office.change("[lines.fraud]", "[lines.fraud]\nretention_days = 7")
    changed = {one["paper"] for one in office.json("write", target) if one["new"]}
    assert {"acme/register", "acme/retention", "acme/dpia", "acme/notice.en"} <= changed
    assert not {one for one in changed if one.startswith(("beta", "own"))}


def test_what_did_not_change_is_the_same_to_the_byte_and_no_new_version(office: Office) -> None:
    target = office.folder / "papers"
    office("write", str(target), "--formats", "md,html")
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert not any(one["new"] for one in office.json("write", str(target), "--formats", "md,html"))
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before
    assert office.paper("addendum") == office.paper("addendum")


def test_a_paper_of_another_day_is_no_new_version(tmp_path: Path) -> None:
    values = {"controller": {"name": "A"}, "certificates": [], "backup_key_days": 14}
    first, second = (
        papers.write("certificates", "en", values | {"as_of": day}, None) for day in ("2026-01-01", "2026-01-02")
    )
    assert first.text != second.text
    assert kept.keep(tmp_path, "c", first, "2026-01-01", ("md",)).new
    assert not kept.keep(tmp_path, "c", second, "2026-01-02", ("md",)).new


def test_the_hash_of_a_version_is_that_of_what_it_says(office: Office) -> None:
    target = office.folder / "papers"
    office("write", str(target), "--controller", "acme")
    for name, version in json.loads((target / "papers.json").read_text()).items():
        lines = [line for line in (target / f"{name}.md").read_text().splitlines() if not line.startswith("> ")]
        assert version["sha256"] == hashlib.sha256("\n".join(lines).encode()).hexdigest()


def paper(text: str) -> papers.Paper:
    return papers.Paper("p", "en", "T", f"# T\n\n{text}\n", f"<p>{text}</p>", ())


def test_an_earlier_version_is_never_written_over_not_even_after_a_death_in_between(tmp_path: Path) -> None:
    kept.keep(tmp_path, "p", paper("one"), "2026-01-01", ("md",))
    noted = (tmp_path / "papers.json").read_bytes()
    kept.keep(tmp_path, "p", paper("two"), "2026-01-02", ("md",))
    (tmp_path / "papers.json").write_bytes(noted)  # as if it had died before the list was written
    again = kept.keep(tmp_path, "p", paper("two"), "2026-01-02", ("md",))
    assert "one" in (tmp_path / "p.v1.md").read_text()
    assert (again.version.number, "-one" in again.difference, "+two" in again.difference) == (2, True, True)


def test_no_page_of_an_earlier_version_stays_under_the_name_of_the_new_one(tmp_path: Path) -> None:
    kept.keep(tmp_path, "p", paper("one"), "2026-01-01", ("md", "html"))
    kept.keep(tmp_path, "p", paper("two"), "2026-01-02", ("md",))
    assert not (tmp_path / "p.html").exists()
    kept.keep(tmp_path, "p", paper("two"), "2026-01-02", ("md", "html"))
    assert "two" in (tmp_path / "p.html").read_text()


@pytest.mark.parametrize("name", ["address", "officer", "authority"])
def test_inf_02_what_the_notice_lacks_is_marked_and_listed(office: Office, name: str) -> None:
    text = office.path.read_text()
    head, rest = text.split("[controllers.beta]")
    office.path.write_text(re.sub(rf"(?m)^{name} = .*\n", "", head) + "[controllers.beta]" + rest)
    open_ = {
        "address": "the address of the controller",
        "officer": "the data protection officer, or that there is none",
        "authority": "the competent authority",
    }
    rows = office.json("check", "--controller", "acme", status=4)
    assert {"paper": "acme/notice.en", "place": open_[name]} in rows


def test_the_addendum_of_a_british_controller_speaks_of_its_own_law(tmp_path: Path) -> None:
    with house(tmp_path) as place:
        facts = place.run("documents/facts", controller="own")["controllers"][0]
    text = papers.write("addendum", "en", facts, None).text
    assert "Article 28 UK GDPR" in text
    assert "domestic law" in text
    assert "2021/915" not in text
    assert "Member State" not in text


def test_a_folder_with_a_broken_list_is_refused_and_stays_as_it_is(office: Office) -> None:
    target = office.folder / "papers"
    target.mkdir()
    (target / "papers.json").write_text("[]")
    assert "is no list of papers" in office("write", str(target), status=2)
    assert [path.name for path in target.iterdir()] == ["papers.json"]


def test_doc_03_a_processor_without_a_contract_has_no_papers_at_all(office: Office) -> None:
    office.path.write_text(re.sub(r"contract = \{[^}]*\}", "", office.path.read_text(), count=1))
    told = office("show", "addendum", "--controller", "acme", status=2)
    assert "DOC-03" in told


def test_doc_03_a_controller_that_operates_itself_has_no_addendum(office: Office) -> None:
    assert "there is no addendum of own" in office("show", "addendum", "--controller", "own", status=3)


def test_sec_09_nothing_of_another_controller_is_in_a_paper(office: Office) -> None:
    target = office.folder / "papers"
    office("write", str(target))
    for path in (target / "acme").iterdir():
        text = path.read_text()
        for other in ("Beta Travel", "beta.example", "orders", "Own Centre", "own.example", "desk"):
            assert other not in said(text), (path.name, other)
    assert "Beta Travel" in (target / "processor-register.md").read_text()
    assert "Own Centre" not in (target / "processor-register.md").read_text()


def test_sec_09_who_answers_for_one_controller_gets_its_papers_alone(tmp_path: Path) -> None:
    with house(tmp_path) as place:
        answer = place.run("documents/facts", {"controller": "acme", "role": "officer"})
        assert answer["house"] is None
        assert [one["controller"]["id"] for one in answer["controllers"]] == ["acme"]
        for name in ("documents/facts", "documents/told"):
            with pytest.raises(NotFound):
                place.run(name, {"controller": "acme", "role": "officer"}, controller="beta")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "# heading",
            "| cell |",
            "<script>alert(1)</script>",
            "[link](http://evil)",
            "**bold**",
            "1. item",
            "- item",
            "> quote",
        ),
        *("`code`", "&amp;", "a\\b", "~~gone~~", "![img](x)", "<b>", "_under_"),
    ],
)
def test_what_is_configured_never_becomes_markup(name: str) -> None:
    values = {"controller": {"name": name}, "certificates": [], "backup_key_days": 14, "as_of": "2026-01-01"}
    paper = papers.write("certificates", "en", values, None)
    tree = html5lib.parse(paper.page, namespaceHTMLElements=False)
    (title,) = tree.iter("h1")
    assert "".join(title.itertext()) == f"Certificates of erasure: {name}"
    assert not list(title)
    assert tree.find(".//title").text == f"Certificates of erasure: {name}"


def test_a_value_at_the_beginning_of_a_line_begins_no_list(tmp_path: Path) -> None:
    (tmp_path / "certificates.en.md.j2").write_text("# T\n\n{{ controller.name }} is it.\n")
    for name in ("- a", "1. a", "2) a", "> a", "+ a", "# a"):
        paper = papers.write("certificates", "en", {"controller": {"name": name}}, tmp_path)
        tokens = [one.type for one in MarkdownIt().parse(paper.text)]
        assert tokens == ["heading_open", "inline", "heading_close", "paragraph_open", "inline", "paragraph_close"], (
            name
        )


def test_a_lawyers_own_template_goes_before_ours_and_a_broken_one_is_named(office: Office) -> None:
    own = office.folder / "own"
    own.mkdir()
    (own / "retention.en.md.j2").write_text("# Ours\n\n{{ controller.name }}\n")
    assert office("show", "retention", "--controller", "acme", "--templates", str(own)) == "# Ours\n\nAcme Insurance\n"
    office.change("[operator]", f'[documents]\ntemplates = "{own}"\n[operator]')
    assert office.paper("retention") == "# Ours\n\nAcme Insurance\n"
    for broken in (
        "{{ nothing.of.that }}",
        "{% if %}",
        "{{ controller.nothing }}",
        "{{ 1 + controller.name }}",
        "{{ 1/0 }}",
        "{% include 'x' %}",
    ):
        (own / "retention.en.md.j2").write_text(broken)
        assert "retention.en.md.j2" in office("show", "retention", "--controller", "acme", status=2)


# What is open


def test_doc_07_what_is_open_is_listed_with_its_paper_and_ends_with_4(office: Office) -> None:
    rows = office.json("check", "--controller", "acme", status=4)
    assert {"paper": "acme/addendum", "place": "signature, name, position, date"} in rows
    assert any(one["paper"] == "acme/dpia" and "DOC-07" in one["place"] for one in rows)
    assert any(one["paper"] == "acme/subprocessors" and "DOC-05" in one["place"] for one in rows)
    shown = office("check", "--controller", "acme", status=4)
    assert f"error: {len(rows)} places are open" in shown


def test_doc_07_an_assessment_that_was_made_is_in_the_paper_and_not_open(office: Office) -> None:
    made_ = f'dpia = {{ status = "done", date = 2026-02-03, sha256 = "{"ef" * 32}", advice = "go on" }}\n'
    office.change('name = "Acme Insurance"\n', f'name = "Acme Insurance"\n{made_}')
    assert not any("DOC-07" in one["place"] for one in office.json("check", "--controller", "acme", status=4))
    assert f"done on 2026-02-03, SHA-256 {'ef' * 32}" in office.paper("dpia")
    assert "go on" in office.paper("dpia")


@pytest.mark.parametrize(
    ("dpia", "place"),
    [
        ('{ status = "not_required", date = 2026-02-03 }', "controllers.acme.dpia.reason"),
        ('{ status = "done", date = 2026-02-03 }', "controllers.acme.dpia.sha256"),
        ('{ status = "maybe", date = 2026-02-03 }', "controllers.acme.dpia.status"),
    ],
)
def test_doc_07_half_an_assessment_is_refused_with_its_place(office: Office, dpia: str, place: str) -> None:
    office.change('name = "Acme Insurance"\n', f'name = "Acme Insurance"\ndpia = {dpia}\n')
    assert place in office("list", status=2)


def test_doc_05_a_controller_is_told_of_sub_processors_and_again_when_they_change(office: Office) -> None:
    def owed() -> list[str]:
        rows = office.json("check", status=4)
        return sorted(one["paper"] for one in rows if "DOC-05" in one["place"])

    assert owed() == ["acme/subprocessors", "beta/subprocessors"]
    told = office.json("subprocessors", "acme")
    assert told["same"] is True
    assert owed() == ["beta/subprocessors"]
    assert "it could object until" in office.paper("subprocessors")
    office.change('name = "Host AG"', 'name = "Host SA"')
    assert owed() == ["acme/subprocessors", "beta/subprocessors"]
    assert "**The list has changed since.**" in office.paper("subprocessors")
    assert "owes nobody this notice" in office("subprocessors", "own", status=1)


def test_rgt_12_certified_erasures_are_listed_with_the_hash_that_the_ledger_has(tmp_path: Path) -> None:
    with house(tmp_path) as place:
        fill(place)
        place.clock.now += HOUR
        made_ = place.run("subject/erase", controller="acme", number=vaults.NUMBER, reason="request 1")
        answer = place.run("documents/facts", controller="acme")
        (one,) = answer["controllers"][0]["certificates"]
        assert one["recordings"] == 2
        assert one["sha256"] == made_["sha256"]
        assert place.run("documents/facts", controller="beta")["controllers"][0]["certificates"] == []


def test_what_no_format_is_is_refused(office: Office) -> None:
    assert "formats: md, html, pdf" in office("write", str(office.folder / "papers"), "--formats", "docx", status=2)
    assert not (office.folder / "papers").exists()


def test_whose_paper_is_asked_where_several_are_there(office: Office) -> None:
    assert "give --controller: acme, beta, own" in office("show", "register", status=2)


def test_a_template_that_is_nowhere_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"notice\.fi\.md\.j2"):
        papers.write("notice", "fi", {}, None)


def test_the_examples_in_the_project_are_what_is_made_today(tmp_path: Path) -> None:
    folder = ROOT / "docs" / "papers"
    fresh = examples(tmp_path)
    there = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.md")}
    assert there.keys() == fresh.keys(), "write them anew: make tables"
    assert there == fresh, "write them anew: make tables"
