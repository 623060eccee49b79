"""One readable page of findings: by controller and line, each with its requirement, article, fault and mend.

It sorts and words; what is found, and what a configuration looks like, it is told.
"""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from gdprcall.policy.finding import Finding

WIDTH = 110


def page(findings: Sequence[Finding], owners: Mapping[str, str], other: str = "the file") -> str:
    """Return the page; ``owners`` says which controller each line belongs to, ``other`` what else there is."""
    return "\n".join(_lines(findings, owners, other))


def _lines(findings: Sequence[Finding], owners: Mapping[str, str], other: str) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault(_group(finding.place, owners), []).append(finding)
    last = None
    for controller, line in sorted(groups):
        if controller != last:
            yield ""
            yield f"controller {controller}" if controller else other
            last = controller
        if line:
            yield f"  line {line}"
        for finding in groups[controller, line]:
            yield from _finding(finding, "    " if line else "  ")


def _group(place: str, owners: Mapping[str, str]) -> tuple[str, str]:
    match place.split("."):
        case ["controllers", controller, *_]:
            return controller, ""
        case ["lines", line, *_]:
            return owners.get(line, "(none)"), line
        case _:
            return "", ""


def _finding(finding: Finding, indent: str) -> Iterator[str]:
    head = "" if finding.refuses else "warning: "
    cited = ", ".join(part for part in (finding.rule, finding.article) if part)
    yield from _wrapped(f"{head}{finding.place}: {finding.text}", indent)
    if cited:
        yield from _wrapped(cited, indent + "  ")
    yield from _wrapped(f"mend: {finding.mend}", indent + "  ")


def _wrapped(text: str, indent: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_long_words=False)
