"""Who a telephone number stands for with a controller: the one place where an operator's number becomes a subject.

It keeps no number, and says none in an error; a number that stands for nobody is refused, never guessed at.
"""

from gdprcall.config import Config
from gdprcall.errors import ConfigError, NotFound
from gdprcall.vault import subjects


def subject_of(config: Config, controller: str, number: str) -> str:
    """Return the pseudonym of a number, as it is dialled in the controller's country, with that controller.

    Raises NotFound for an unknown controller, and ConfigError for what is no number that stands for one person.
    """
    whole = number_of(config, controller, number)
    return subjects.pseudonym(config.pseudonym_key(controller), whole)


def number_of(config: Config, controller: str, number: str) -> str:
    """Return a number in E.164, as it is dialled in the controller's country; raises NotFound, ConfigError."""
    known = config.policy.controllers.get(controller)
    if known is None:
        raise NotFound(f"there is no controller {controller!r}", "see: gdprcall check")
    whole = subjects.e164(number, known.country)
    if whole is None:
        raise ConfigError("this is no telephone number that stands for one person", "for example +46 8 123 456 78")
    return whole
