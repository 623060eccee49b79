"""One broken rule: which, where, how hard, in which words, and how it is mended.

It finds nothing itself; it only knows which article each requirement comes from.
"""

from dataclasses import dataclass

ARTICLES = {
    "BAS-01": "Art. 5(1)(a), 6(1)",
    "BAS-02": "Art. 5(1)(b)",
    "BAS-03": "Art. 6(1), 7",
    "BAS-04": "Art. 6(1)(b)",
    "BAS-05": "Art. 6(1)(c), 6(3)",
    "BAS-06": "Art. 6(1)(d)",
    "BAS-07": "Art. 6(1)(e), 6(3), 21(1)",
    "BAS-08": "Art. 6(1)(f), 21(1)",
    "BAS-09": "Art. 3, 6 and national law",
    "BAS-10": "Art. 5(1)(c), 25(2)",
    "BAS-11": "Art. 5(2), 24",
    "CON-02": "Art. 7(1)",
    "CON-05": "Art. 4(11), 7(4)",
    "CON-06": "Art. 6(1)(a)",
    "CON-07": "Art. 7(3)",
    "CON-08": "Art. 7(3), 17(1)(b)",
    "CON-09": "Art. 7(1)",
    "CON-10": "Art. 8, 6(1)(f)",
    "CON-11": "Art. 9(1), 9(2)",
    "DOC-03": "Art. 28(3)",
    "DOC-04": "Art. 28(3)(a), 29",
    "FCL-02": "Art. 5(1)(a), 25(1)",
    "INF-01": "Art. 13(1), 13(2)",
    "INF-02": "Art. 13(1), 13(2)",
    "INF-03": "Art. 12(1)",
    "INF-04": "Art. 21(4)",
    "INF-05": "Art. 13(1)",
    "INF-06": "Art. 14(2)(f)",
    "INF-07": "Art. 13(3)",
    "INF-08": "Art. 12(1), 12(5)",
    "PTY-01": "Art. 6, 13, 88",
    "PTY-08": "Art. 13, 14",
    "RET-01": "Art. 5(1)(e), 13(2)(a)",
    "RET-02": "Art. 5(1)(e), 13(3)",
    "RGT-01": "Art. 12(3)",
    "RGT-03": "Art. 11, 12(6)",
    "SEC-01": "Art. 32(1)(a)",
    "SEC-03": "Art. 4(5), 32(1)",
    "SEC-06": "Art. 29, 32(4)",
    "SEC-09": "Art. 5(1)(f)",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule; ``severity`` is ``refuse`` or ``warn``, ``cited`` is for rules that are no article's."""

    rule: str
    place: str
    severity: str
    text: str
    mend: str
    cited: str = ""

    @property
    def refuses(self) -> bool:
        """Whether the policy must not be used."""
        return self.severity == "refuse"

    @property
    def article(self) -> str:
        """Where the rule is from; empty for what is a mistake of writing and no rule of law."""
        return self.cited or ARTICLES.get(self.rule, "")

    def as_json(self) -> dict[str, str]:
        """Return the finding as JSON."""
        return {
            "rule": self.rule,
            "article": self.article,
            "place": self.place,
            "severity": self.severity,
            "text": self.text,
            "mend": self.mend,
        }


def refuse(rule: str, place: str, text: str, mend: str) -> Finding:
    """Return what makes a policy unusable."""
    return Finding(rule, place, "refuse", text, mend)


def warn(rule: str, place: str, text: str, mend: str) -> Finding:
    """Return what a person should look at."""
    return Finding(rule, place, "warn", text, mend)
