"""The errors that reach a person, sorted by who must act, each with a hint and an exit status.

Nothing here is raised for a caller's choice: a refusal is an outcome, not an error.
"""


class GdprcallError(Exception):
    """Base of all errors that are shown: ``message`` says what is wrong, ``hint`` what to do."""

    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Refused(GdprcallError):
    """The request is understood and may not be carried out (a right, a hold or a role stands against it)."""


class ConfigError(GdprcallError):
    """The operator must mend the configuration or the command line; the message names the place."""

    exit_status = 2


class NotFound(GdprcallError):
    """What was named does not exist here."""

    exit_status = 3


class CheckFailed(GdprcallError):
    """A check found something wrong: evidence, a payload or the installation."""

    exit_status = 4


class PeerError(GdprcallError):
    """Asterisk answered wrongly, too late or not at all."""


class VaultError(GdprcallError):
    """The vault could not be read or written."""
