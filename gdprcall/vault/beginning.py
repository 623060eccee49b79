"""What is done with a vault when it is opened: its stores are brought into step, and what a crash left is finished.

It destroys nothing under a ledger that cannot be trusted.
"""

import shutil

from gdprcall.errors import VaultError
from gdprcall.vault import rewrapping
from gdprcall.vault.keys import Slot
from gdprcall.vault.stores import Stores

IMPORTS = "import"
"""Where in the vault's folder the sound of an archive is while it is sealed."""


def begin(stores: Stores) -> None:
    """Bring the stores into step, and finish what a crash left."""
    # What was copied there to be sealed is still where it was copied from; nobody else imports while this opens.
    shutil.rmtree(stores.objects.folder.parent / IMPORTS, ignore_errors=True)
    _distrust(stores)
    try:
        stores.catch_up()
    except VaultError:
        # A ledger that is not trusted is opened all the same, so that audit verify can name what is wrong with it.
        if stores.ledger.trusted():
            raise
    stores.tombstones.begin()
    if stores.ledger.trusted():
        rewrapping.settle(stores)
        _sweep(stores)


def _distrust(stores: Stores) -> None:
    """Let the ledger take nothing more when the other stores show that it is not the one they were filled with."""
    if stores.index.applied() > stores.ledger.size():
        stores.ledger.distrust("the ledger was cut or an old one was restored: the index has seen more entries")
    elif not stores.ledger.size() and next(stores.objects.names(), None) is not None:
        stores.ledger.distrust("the ledger is missing: it is empty, and there are recordings")


def _sweep(stores: Stores) -> None:
    """Destroy headers without a payload and numbers of calls that were never granted: a crash left them.

    A header whose payload is there is never swept, whatever the ledger says: should the ledger be an old one after
    all, that would destroy recordings. Retention takes it with its recording.
    """
    recordings, segments = stores.index.names()
    for recording, segment in stores.keys.names(Slot.HEADER):
        if (recording, segment) not in segments and not stores.objects.is_there(recording, segment):
            stores.keys.destroy(recording, segment)
    headers = {recording for recording, _ in stores.keys.names(Slot.HEADER)}
    for recording, _ in stores.keys.names(Slot.NUMBER):
        if recording not in recordings | headers and not any(stores.ledger.entries(recording=recording)):
            stores.keys.destroy(recording, 0)
