"""What every operation is given: the vault, the configuration, and who asks for it.

It does nothing itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gdprcall.config import Config
from gdprcall.errors import GdprcallError
from gdprcall.live import LiveCalls
from gdprcall.parameters import Params
from gdprcall.times import Clock, now_ms
from gdprcall.vault import checks
from gdprcall.vault.archive import Vault

Json = object


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation works on; ``live`` is there only in the daemon; ``progress`` hears how much of how much is done.

    ``alarm`` hears what went wrong beside what was carried out all the same; ``now`` gives the configuration of a reload;
    ``controller`` is the one that the asker answers for, None for all, ``role`` what he may; ``calls`` are those of this
    moment, in the daemon alone.
    """

    vault: Vault
    config: Config
    live: Callable[[], Mapping[str, object]] | None = None
    actor: str = "local"
    clock: Clock = field(default=now_ms)
    progress: checks.Progress = lambda _done, _all: None
    alarm: Callable[[GdprcallError], None] = lambda _error: None
    now: Callable[[], Config] | None = None
    controller: str | None = None
    role: str = "admin"
    calls: LiveCalls | None = None


Operation = Callable[[Context, Params], Json]
