"""Looks at a real installation, from Asterisk's modules to the modes of the vault, and says what is wrong and its mend.

It changes nothing, and asks Asterisk for nothing that a caller could notice.
"""

import asyncio

from gdprcall.config import Config
from gdprcall.doctor import agents, audit, custody, features, files, host, pbx, recorders, serving
from gdprcall.doctor.finding import Finding, Grade

__all__ = ["Finding", "Grade", "examine"]


async def examine(config: Config) -> list[Finding]:
    """Return all findings, from the nearest to the farthest; never raises for what is wrong with the installation."""
    return [
        *files.secrets(config),
        *files.vault(config),
        *custody.examine(config),
        *agents.examine(config),
        *audit.examine(config),
        *files.spool(config),
        *files.sealing(config),
        *files.prompts(config),
        *await host.examine(config),
        *await asyncio.to_thread(lambda: list(recorders.examine(config.asterisk.configuration))),
        *await asyncio.to_thread(lambda: list(serving.examine(config))),
        *features.examine(config),
        *await pbx.examine(config),
    ]
