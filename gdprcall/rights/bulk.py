"""Four eyes: whoever releases more than a few recordings in an hour needs a second person's word before (Art. 32(4))."""

from gdprcall.errors import Refused
from gdprcall.vault import packages, releases
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.rows import RecordingRow

HOUR_MS = 3_600_000


def is_packed(vault: Vault, row: RecordingRow, package: str, mark: str) -> bool:
    """Whether a recording goes into its person's package: only then is it not counted. Raises Refused for another's."""
    if not package:
        return False
    known = vault.index.package(package)
    theirs = (
        known is not None and known.controller == row.controller and mark == packages.mark(package, row.subject or "")
    )
    if not theirs:
        raise Refused(f"recording {row.id} is not in this package", "run: gdprcall subject access")
    return True


def check(vault: Vault, row: RecordingRow, actor: str, now: int, limit: int) -> None:
    """Let an actor release one more at ``now`` (milliseconds); raises Refused over ``limit`` in an hour without a second's word."""
    vault.catch_up()
    since = now - HOUR_MS
    done = vault.index.first(releases.RELEASED, actor, since) or 0
    granted = vault.index.first(releases.APPROVED, actor, since) or 0
    if done >= limit + granted:
        vault.note(Fact(Kind.RELEASE_DENIED, row.id, row.controller, {"why": "four_eyes", "actor": actor}))
        hint = f"somebody else with this role: gdprcall recordings approve {actor} --count N --reason TEXT"
        raise Refused(f"more than {limit + granted} releases in an hour need a second person", hint)
