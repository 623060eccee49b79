"""A house whose configuration says everything that a paper may say; run as a program it writes the examples of the project."""

import tempfile
from pathlib import Path

from gdprcall import config
from gdprcall.papers import house as made
from tests.breachhouse import house, write_config
from tests.pbx.prepare import ROOT

MORE = """
[operator]
name = "Call Centre GmbH"
address = "2 Hill Road, Kiel"
contact = "privacy@centre.example"
officer = "officer@centre.example"
[[subprocessors]]
name = "Host AG"
country = "DE"
does = "runs the servers"
since = 2026-01-01
[lines.fraud]
controller = "acme"
purpose = "quality"
basis = "legitimate_interest"
interest = "that fraud is found"
languages = ["en", "sv"]
assessment = { id = "LIA-7", date = 2026-01-02, sha256 = "AB", review_by = 2027-01-02 }
override = { reference = "advice 3", sha256 = "CD", countries = ["SE"] }
[lines.sales]
controller = "acme"
purpose = "quality"
basis = "consent"
languages = ["en", "de"]
direction = "outbound"
source = "the order form"
""".replace("AB", "ab" * 32).replace("CD", "cd" * 32)
ACME = """
address = "1 Sea Street, Malmö"
disclosed_to = ["Auditors Ltd"]
transfers = ["CH"]
"""


def filled(folder: Path) -> Path:
    """Write a configuration with everything that a paper may say."""
    path = write_config(folder)
    text = path.read_text().replace('name = "Acme Insurance"\n', f'name = "Acme Insurance"\n{ACME}')
    path.write_text(text + MORE)
    return path


def examples(folder: Path) -> dict[str, str]:
    """Return the papers of the house, by their files, as of the day on which tests begin."""
    with house(folder) as place:
        place.config = config.load(filled(folder))
        facts = place.run("documents/facts")
    return {f"{one.path}.md": made.make(facts, one, None).text for one in made.papers(facts)}


def main() -> None:
    """Write the examples."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in examples(Path(folder)).items():
            path = ROOT / "docs" / "papers" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


if __name__ == "__main__":
    main()
