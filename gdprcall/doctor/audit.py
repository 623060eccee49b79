"""Whether the ledger's checkpoints can be signed, and leave this host. Nothing is signed or handed out here."""

import os
from collections.abc import Iterator
from pathlib import Path

from gdprcall import auditing
from gdprcall.config import Config
from gdprcall.doctor.files import daemon_user, may_use
from gdprcall.doctor.finding import FAIL, OK, WARN, Finding
from gdprcall.errors import ConfigError


def examine(config: Config) -> Iterator[Finding]:
    """Yield whether there is a signing key, and a way out for what it signs."""
    try:
        auditing.signer(config)
        yield Finding("ledger key", OK, "is there, and only its owner can read it")
    except ConfigError as error:
        yield Finding("ledger key", FAIL, error.message, error.hint)
    if not auditing.hand_out(config):
        text = "go nowhere: whoever is root here can rewrite the ledger unseen"
        yield Finding("checkpoints", WARN, text, "set checkpoint_folder or checkpoint_command under [audit]")
    if config.checkpoint_folder is not None:
        yield _folder(config, config.checkpoint_folder)
    if config.checkpoint_command:
        program = config.checkpoint_command[0]
        there = os.access(program, os.X_OK) and not Path(program).is_dir()
        mend = "" if there else "install it, and chmod 755 it"
        yield Finding(
            "checkpoint command", OK if there else FAIL, program if there else f"{program} cannot be run", mend
        )


def _folder(config: Config, folder: Path) -> Finding:
    user = daemon_user(config)
    if not folder.is_dir():
        return Finding(
            "checkpoint folder", FAIL, f"{folder} is not there", f"install -d -o {user.name or user.uid} {folder}"
        )
    if not may_use(folder, user):
        return Finding(
            "checkpoint folder", FAIL, f"the daemon may not write to {folder}", "give it to the daemon's user"
        )
    return Finding("checkpoint folder", OK, str(folder))
