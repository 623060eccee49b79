"""Erasure of a recording on somebody's decision: what stands against it is weighed here.

How it is done, and in which order, is the vault's affair alone.
"""

from gdprcall.errors import Refused
from gdprcall.vault.archive import Vault
from gdprcall.vault.rows import Receipt, RecordingRow

RUNNING = "recording"


def erase(vault: Vault, recording: str, *, reason: str, actor: str) -> Receipt:
    """Destroy a recording and return the receipt; again gives the same receipt.

    Raises NotFound, Refused while the call is still being recorded, and VaultError when a step could not be carried out;
    what was carried out and not verified, the receipt says.
    """
    weigh(vault, recording)
    return vault.erase(recording, reason=reason, actor=actor)


def weigh(vault: Vault, recording: str) -> RecordingRow:
    """Return a recording that may be erased; raises NotFound, and Refused while the call is still being recorded."""
    row = vault.recording(recording)
    if row.state == RUNNING:
        hint = "it can be erased when its call has ended; the caller withdraws at once by key"
        raise Refused(f"recording {recording} is still being recorded", hint)
    return row
