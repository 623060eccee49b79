"""Which kept prompts nothing refers to any more: neither a line of today's policy nor a proof in the ledger.

A prompt that any entry names is never removed, however old it is: it is a part of that proof (Art. 7(1)).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from gdprcall.config import Config
from gdprcall.errors import ConfigError, GdprcallError, Refused
from gdprcall.prompts.catalogue import Catalogue, now_said
from gdprcall.prompts.store import Prompt, manifests, remove
from gdprcall.vault.archive import Vault


class Held(Protocol):
    """What an operation works on."""

    @property
    def vault(self) -> Vault:
        """Where the proofs are."""

    @property
    def config(self) -> Config:
        """Where the prompts are, and what is said today."""

    @property
    def live(self) -> Callable[[], Mapping[str, object]] | None:
        """What the daemon tells of itself, if it is the one that is asked."""


def purge(context: Held, params: Mapping[str, object]) -> list[dict[str, object]]:
    """Remove the prompts that nothing refers to, or with ``dry_run`` only name them; raises Refused in doubt."""
    vault, config, live, dry_run = context.vault, context.config, context.live, params.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise ConfigError("dry_run is neither true nor false", "give dry_run as true or false")
    if not vault.ledger.trusted():
        raise Refused("the ledger is damaged, and with it what it refers to", "run: gdprcall audit verify")
    if not dry_run and live is not None and live().get("asking"):
        # One that is asked now may have been asked with a prompt of before the last reload, and is noted after this.
        raise Refused("callers are being asked now", "try again in a minute")
    unneeded = [prompt for prompt in _idle(config) if prompt.sha256 not in _named(vault)]
    for prompt in unneeded if not dry_run else ():
        try:
            remove(prompt, config.asterisk.sounds, config.prompts)
        except OSError as error:
            raise GdprcallError(f"{error.filename} cannot be removed: {error.strerror}", "check its owner") from error
    return [
        {"sha256": one.sha256, "language": one.language, "kind": str(one.kind), "seconds": one.total_ms / 1000}
        | {"text": one.text, "engine": one.engine}
        for one in unneeded
    ]


def _idle(config: Config) -> list[Prompt]:
    """Return what is kept and said by no line now; of what is said, the newest or the playable one is in use."""
    kept = manifests(config.prompts)
    catalogue = Catalogue(config.policy, config.asterisk.sounds, config.prompts)
    playing = {prompt.sha256 for prompt in catalogue.prompts()}
    for text in now_said(config.policy):
        playing |= {one.sha256 for one in [prompt for prompt in kept if (prompt.language, prompt.text) == text][:1]}
    return [prompt for prompt in kept if prompt.sha256 not in playing]


def _named(vault: Vault) -> frozenset[str]:
    """Return every text in the ledger that can be a hash, wherever in an entry it stands."""
    return frozenset(text for entry in vault.ledger.entries() for text in _texts(entry.body) if len(text) == 64)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
