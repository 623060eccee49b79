"""What shapes cannot say of a file and no article says: whether keys, places and languages are what they should be.

It opens nothing, and repeats no value but the name of a language.
"""

from pathlib import Path

from babel import Locale, UnknownLocaleError

from gdprcall import age, schema
from gdprcall.policy.finding import Finding, refuse
from gdprcall.policy.model import Policy


def findings(file: schema.File, policy: Policy) -> list[Finding]:
    """Return what is wrong with the values of a file whose shapes are right."""
    return [*_recipients(policy), *_audit(file), *_languages(policy)]


def _recipients(policy: Policy) -> list[Finding]:
    mistakes = []
    for controller in policy.controllers.values():
        where, parsed = f"controllers.{controller.id}.recipients", []
        for place, recipient in enumerate(controller.recipients):
            try:
                parsed.append(age.parse_recipient(recipient))
            except age.BadRecipient as error:
                mistakes.append(
                    refuse("SEC-01", f"{where}[{place}]", str(error), "make a pair with: gdprcall keys new")
                )
        try:
            age.check_mix(parsed)
        except age.BadRecipient as error:
            mend = "make all of them with or without: gdprcall keys new --post-quantum"
            mistakes.append(refuse("SEC-01", where, str(error), mend))
    return mistakes


def _audit(file: schema.File) -> list[Finding]:
    drop, command = file.audit.checkpoint_folder, file.audit.checkpoint_command
    mistakes = [
        refuse("BAS-11", "audit.checkpoint_folder", f"lies in {place}", "name a folder that leaves this host")
        for place in (file.vault.folder, file.secrets.folder, file.asterisk.spool)
        if drop and _within(drop, place)
    ]
    if command and not Path(command[0]).is_absolute():
        text = "the program has no whole path"
        mistakes.append(refuse("BAS-11", "audit.checkpoint_command", text, "for example /usr/local/bin/send"))
    return mistakes


def _within(folder: str, place: str) -> bool:
    try:
        return Path(folder).resolve().is_relative_to(Path(place).resolve())
    except (OSError, ValueError):
        # A path that no system can have is no good place either.
        return True


def _languages(policy: Policy) -> list[Finding]:
    found = []
    for line in policy.lines.values():
        for language in line.languages:
            try:
                Locale.parse(language, sep="-")
            except (ValueError, UnknownLocaleError):
                place, text = f"lines.{line.id}.languages", f"{language!r} is no BCP 47 language"
                found.append(refuse("INF-03", place, text, "write for example en, sv or de"))
    return found
