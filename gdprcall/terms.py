"""What a configuration permits for new calls, and the ledger's word on who can open what is recorded of them.

It serves no call, and changes no configuration.
"""

from gdprcall.config import Config
from gdprcall.custody.recipients import note_changes
from gdprcall.log import get_logger
from gdprcall.prompts.catalogue import Catalogue
from gdprcall.reception import Holding
from gdprcall.vault.archive import Vault


def holding(settings: Config) -> Holding:
    """Return what a configuration permits for new calls; raises ConfigError when a key is missing."""
    policy, keys = settings.policy, settings.pseudonym_keys()
    catalogue = Catalogue(policy, settings.asterisk.sounds, settings.prompts)
    for line, language in catalogue.missing():
        get_logger().error("prompt_unfit", line=line, language=language)
    return Holding(policy, catalogue, keys)


def note_recipients(vault: Vault, settings: Config) -> None:
    """Let the ledger know who can open what is sealed from now on, before anything is; raises VaultError."""
    for controller in note_changes(vault, settings.policy):
        get_logger().warning("recipients_changed", controller=controller)
