"""What a configuration permits for new calls, and the ledger's word on who can open what is recorded of them.

It serves no call, and changes no configuration.
"""

from gdprcall.config import Config
from gdprcall.custody.recipients import note_changes
from gdprcall.holding import Holding
from gdprcall.log import get_logger
from gdprcall.prompts.catalogue import Catalogue
from gdprcall.vault.archive import Vault
from gdprcall.vault.kept import Kept


def holding(settings: Config) -> Holding:
    """Return what a configuration permits for new calls; raises ConfigError when a key is missing."""
    # What a controller has not approved does not take effect (Art. 28(3)(a)).
    for id_ in settings.pending:
        get_logger().error("instruction_pending", line=id_)
    policy, keys = settings.policy.without(settings.pending), settings.pseudonym_keys()
    catalogue = Catalogue(policy, settings.asterisk.sounds, settings.prompts)
    for line, language in catalogue.missing():
        get_logger().error("prompt_unfit", line=line, language=language)
    for controller, language in catalogue.mute():
        get_logger().error("prompt_unfit", controller=controller, language=language)
    return Holding(policy, catalogue, keys)


def note_terms(vault: Vault, settings: Config) -> None:
    """Keep the policies that decisions will name, and let the ledger know who can open what is sealed from now on.

    Both before anything is; raises VaultError.
    """
    policy = settings.policy
    Kept(vault.folder).keep_policies(policy.canonical(line) for line in policy.lines.values())
    for controller in note_changes(vault, policy):
        get_logger().warning("recipients_changed", controller=controller)
