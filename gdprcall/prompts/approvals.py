"""Which controller approved the texts of a draft language: who, when, and exactly which texts.

What was approved is the hash of the language's file: texts that have changed since are not approved.
"""

from dataclasses import dataclass

from gdprcall.policy.finding import Finding, refuse
from gdprcall.policy.model import Policy
from gdprcall.prompts import texts
from gdprcall.prompts.book import Book


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval, as it stands in the file."""

    controller: str
    language: str
    sha256: str
    by: str
    at: str


BOOK = Book(
    "approvals.toml",
    "approval",
    "# Who approved which texts of callers' prompts, for which controller; written by: gdprcall prompts approve\n",
    Approval,
    "approve the language again",
)


def find(approvals: tuple[Approval, ...], controller: str, language: str) -> Approval | None:
    """Return the last approval of a language's present texts by a controller."""
    wanted = (controller, language, texts.sha256(language))
    return next((one for one in reversed(approvals) if (one.controller, one.language, one.sha256) == wanted), None)


def state(approvals: tuple[Approval, ...], controller: str, language: str) -> str:
    """Return ``finished``, or for a draft whether the controller has ``approved`` it."""
    if not texts.is_draft(language):
        return "finished"
    return "approved" if find(approvals, controller, language) else "draft"


def findings(policy: Policy, approvals: tuple[Approval, ...]) -> list[Finding]:
    """Return where a line speaks a draft language that its controller has not approved as it is now."""
    return [
        refuse(
            "INF-03",
            f"lines.{line.id}.languages",
            f"the texts in {language!r} are a draft that {line.controller} has not approved as they are now",
            f"have them read by somebody who speaks it: gdprcall prompts approve {language} --controller {line.controller}",
        )
        for line in policy.lines.values()
        for language in line.languages
        if language in texts.LANGUAGES and state(approvals, line.controller, language) == "draft"
    ]
