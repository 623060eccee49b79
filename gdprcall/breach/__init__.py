"""The register of breaches of personal data, its clocks, its notices, and what makes the program suspect one (Art. 33, 34)."""

from gdprcall.breach import assessing, closing, entering, looking, telling
from gdprcall.breach.desk import Desk
from gdprcall.breach.ending import over, sweep
from gdprcall.breach.suspecting import found

__all__ = ["CHANGING", "OPERATIONS", "Desk", "found", "over", "sweep"]
OPERATIONS = {
    **entering.OPERATIONS,
    **assessing.OPERATIONS,
    **looking.OPERATIONS,
    **telling.OPERATIONS,
    **closing.OPERATIONS,
}
CHANGING = frozenset(OPERATIONS) - {"breach/list", "breach/show", "breach/check", "breach/recordings", "breach/notice"}
