"""The register of persons' requests: to enter and close them, and to let a person show who he is."""

from gdprcall.register import entering, identifying
from gdprcall.register.ending import over, sweep
from gdprcall.register.registrar import Registrar

__all__ = ["CHANGING", "OPERATIONS", "Registrar", "over", "sweep"]
OPERATIONS = {**entering.OPERATIONS, **identifying.OPERATIONS}
CHANGING = entering.CHANGING | identifying.CHANGING
