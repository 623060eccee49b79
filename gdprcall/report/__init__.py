"""The officer's page: one file of HTML that needs nothing else, drawn from the figures of one controller and period.

It knows no vault. What is to be done comes first, then what there is to know; each plot has its figures in a table beneath.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from gdprcall.report import charts
from gdprcall.report.charts import Series

Facts = Mapping[str, Any]
KINDS = (("recorded", "agreed or informed", "yes"), ("refused", "said no", "no"), ("other", "no answer", "other"))
CANARY_DAYS = 35


def page(facts: Facts) -> str:
    """Return the page of figures as ``report/data`` gives them."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["day"] = _day
    environment.filters["when"] = _when
    environment.filters["words"] = lambda name: str(name).replace("_", " ")
    template = environment.from_string(_template())
    over, going = facts["asked"]["over"], facts["kept"]["going"]
    total = {name: sum(one[name] for one in over) for name in ("asked", "recorded", "refused", "other")}
    asked = [Series(says, kind, [one[name] for one in over]) for name, says, kind in KINDS]
    gone = [Series("recordings that go", "yes", [one["count"] for one in going])]
    return template.render(
        f=facts,
        total=total,
        rate=round(100 * total["recorded"] / total["asked"], 1) if total["asked"] else None,
        tasks=list(tasks(facts)),
        kinds=KINDS,
        asked=charts.bars("Answers over time", [_short(one["from"]) for one in over], asked),
        going=charts.bars("Recordings by when they go", [_short(one["from"]) for one in going], gone),
        share=_share,
    )


def tasks(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield what somebody must do, the most pressing first: how it presses (late, soon), and what it is."""
    breaches = [one for one in facts["breaches"] if one["state"] in {"open", "suspected"}]
    requests = [one for one in facts["requests"] if one["state"] in {"open", "waiting"}]
    yield from (("late", f"Breach: {one['remains']}") for one in breaches if one["overdue"])
    yield from (("late", f"Request for {one['type']}: {one['remains']}") for one in requests if one["overdue"])
    yield from (("soon", f"Breach: {one['remains']}") for one in breaches if not one["overdue"])
    yield from (("soon", f"Request for {one['type']}: {one['remains']}") for one in requests if not one["overdue"])
    care, kept = facts["care"], facts["kept"]
    if care["last_sweep"] is None:
        yield "soon", "No sweep was made in this period: expired recordings go by gdprcall retention sweep."
    if care["failed"]:
        yield "late", f"{care['failed']} recordings could not be destroyed in a sweep."
    if kept["quarantined"]:
        yield "soon", f"{kept['quarantined']} recordings are in quarantine: nobody could say what they are."
    if care["checkpoint"] is None or not care["checkpoint"]["handed_out"]:
        yield (
            "soon",
            "The last checkpoint of the ledger has not left the host: what lies on one host alone proves little.",
        )
    if any(one is None for one in care["canaries"]):
        yield "soon", "Of a key nobody has shown that it still opens anything: gdprcall keys canary."


def _share(name: str, one: Mapping[str, int]) -> str:
    return charts.share(name, [Series(says, kind, [one[key]]) for key, says, kind in KINDS])


def _day(time: object) -> str:
    return str(time)[:10] if time else "-"


def _when(time: object) -> str:
    return f"{str(time)[:10]} {str(time)[11:16]} UTC" if time else "never"


def _short(day: str) -> str:
    return f"{day[8:10]}.{day[5:7]}."


@cache
def _template() -> str:
    return (files(__package__) / "page.html.j2").read_text(encoding="utf-8")
