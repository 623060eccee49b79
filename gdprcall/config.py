"""The configuration: one TOML file and a folder of secrets become one frozen value, or a list of every mistake.

It never guesses: what is unknown is refused with its place, what is missing records nothing.
"""

import os
import re
import stat
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from babel import Locale, UnknownLocaleError
from pydantic import ValidationError

from gdprcall import access, age, schema
from gdprcall.errors import ConfigError
from gdprcall.policy import rules
from gdprcall.policy.model import Basis, Controller, Keys, Line, Policy
from gdprcall.prompts.texts import LANGUAGES, PURPOSES
from gdprcall.roles import Access

DEFAULT_PATH = Path("/etc/gdprcall/gdprcall.toml")
IDENTITY_MARK = b"AGE-SECRET-KEY-"
LARGEST_SECRET = 4096
LARGEST_IDENTITY = 1 << 20
DATABASES = frozenset({".db", ".db-wal", ".db-shm"})
PAYLOAD = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}\.\d+")
"""How the vault names its sealed payloads: whoever hides an identity as one is found by vault verify."""


@dataclass(frozen=True, slots=True)
class AsteriskPlaces:
    """Where Asterisk is reached and what it shares with us."""

    ari_url: str
    ari_user: str
    fronts: tuple[str, ...]
    agi_listen: tuple[str, int]
    ami_host: str
    ami_port: int
    ami_user: str
    spool: Path
    sounds: Path


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration."""

    path: Path
    asterisk: AsteriskPlaces
    vault: Path
    socket: Path
    secrets: Path
    policy: Policy
    warnings: tuple[str, ...] = ()
    checkpoint_folder: Path | None = None
    checkpoint_command: tuple[str, ...] = ()
    key_days: int = 14
    tombstones: Path | None = None
    tombstone_command: tuple[str, ...] = ()
    reserve_bytes: int = 64 << 20
    quarantine_days: int = 7
    memory: Path = Path("/run/gdprcall/sealing")
    progressive: bool = True
    location: str = ""
    access: tuple[Access, ...] = ()

    @property
    def prompts(self) -> Path:
        """Where what was ever played is kept, by content."""
        return self.vault / "prompts"

    def secret(self, name: str) -> bytes:
        """Return a secret from systemd's credentials or from the secrets folder; raises ConfigError."""
        given = os.environ.get("CREDENTIALS_DIRECTORY")
        # A folder given as the credential "secrets" arrives as files named secrets_<name> (systemd.exec(5)).
        for file in (name, f"secrets_{name}"):
            if given and (Path(given) / file).is_file():
                return _content(Path(given) / file)
        path = self.secrets / name
        hint = f"write it with: umask 077; openssl rand -hex 32 > {path}"
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise ConfigError(f"the secret {path} cannot be read: {error.strerror}", hint) from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"the secret {path} can be read by others", f"chmod 600 {path}")
        return _content(path)

    def pseudonym_key(self, controller: str) -> bytes:
        """Return the key under which a controller's callers are pseudonymised; raises ConfigError."""
        name = f"pseudonym-key-{controller}"
        key = self.secret(name)
        if len(key) < 32:
            raise ConfigError(f"the secret {name} is shorter than 32 characters", "write it with: openssl rand -hex 32")
        return key

    def pseudonym_keys(self) -> dict[str, bytes]:
        """Return the key of each controller; raises ConfigError also for one that two have.

        Under one key a caller of both would have one pseudonym, and either could be asked about the other's.
        """
        keys = {controller: self.pseudonym_key(controller) for controller in self.policy.controllers}
        owner: dict[bytes, str] = {}
        for controller, key in keys.items():
            other = owner.setdefault(key, controller)
            if other != controller:
                hint = f"give {controller} its own before its first call: openssl rand -hex 32"
                raise ConfigError(f"the controllers {other} and {controller} have the same pseudonym key", hint)
        return keys


def load(path: Path) -> Config:
    """Return the configuration at ``path``; raises ConfigError that names every mistake with its place and mend."""
    data = _toml(path)
    mistakes = _identities_in(path)
    try:
        file = schema.File.model_validate(data)
    except ValidationError as error:
        mistakes += [schema.mistake(detail) for detail in error.errors()]
        raise _refused(path, mistakes) from None
    policy = _policy(file)
    mistakes += [*_recipient_mistakes(policy), *_shared_recipients(policy)]
    mistakes += [*_audit_mistakes(file), *access.mistakes(file.access, file.controllers)]
    found = [*rules.check(policy, LANGUAGES, PURPOSES), *_language_findings(policy)]
    mistakes += [
        f"{finding.place}: {finding.text} [{finding.rule}]; {finding.mend}" for finding in found if finding.refuses
    ]
    if mistakes:
        raise _refused(path, mistakes)
    warnings = tuple(f"{finding.place}: {finding.text} [{finding.rule}]" for finding in found if not finding.refuses)
    vault, socket, secrets = Path(file.vault.folder), Path(file.vault.socket), Path(file.secrets.folder)
    drop = Path(file.audit.checkpoint_folder) if file.audit.checkpoint_folder else None
    command = tuple(file.audit.checkpoint_command)
    days, tombstones = file.backup.key_days, Path(file.backup.tombstones) if file.backup.tombstones else None
    places, tell = _places(file.asterisk), tuple(file.backup.tombstone_command)
    reserve, wait = file.vault.reserve_mib << 20, file.vault.quarantine_days
    more = (drop, command, days, tombstones, tell, reserve, wait, Path(file.sealing.memory), file.sealing.progressive)
    who = (file.vault.location, access.rows(file.access))
    return Config(path, places, vault, socket, secrets, policy, warnings, *more, *who)


def _places(asterisk: schema.Asterisk) -> AsteriskPlaces:
    host, _, port = asterisk.agi_listen.rpartition(":")
    parsed = {
        "spool": Path(asterisk.spool),
        "sounds": Path(asterisk.sounds),
        "fronts": tuple(asterisk.fronts),
        "agi_listen": (host.strip("[]"), int(port)),
    }
    return AsteriskPlaces(**asterisk.model_dump() | parsed)


def refuse_identities(config: Config) -> None:
    """Raise ConfigError if an identity lies in our folders or below them: the PBX could then open its own recordings.

    Looked through are configuration, secrets, systemd's credentials and the vault; sealed payloads and databases are not.
    """
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    for folder in (config.path.parent, config.secrets, config.vault, *([Path(given)] if given else [])):
        for path in _small_files(folder):
            if _identities_in(path):
                raise ConfigError(
                    f"{path} holds an age identity, which must not be on the PBX",
                    "move it to the controller's own machine and remove it here",
                )


def _small_files(folder: Path) -> Iterator[Path]:
    """Yield what could be an identity in a folder and below it, in order; what may not be read is passed over."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for path in (Path(place, name) for name in sorted(names)):
            if path.suffix in DATABASES or PAYLOAD.fullmatch(f"{path.parent.name}/{path.name}"):
                continue
            with suppress(OSError):  # gone meanwhile, or not for us to read
                status = path.stat()
                if stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_IDENTITY:
                    yield path


def _toml(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        hint = "name one with --config or GDPRCALL_CONFIG; a commented sample is installed beside it"
        raise ConfigError(f"the configuration {path} cannot be read: {error.strerror}", hint) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}", "mend that place and run: gdprcall check") from error


def _refused(path: Path, mistakes: list[str]) -> ConfigError:
    count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "1 mistake"
    return ConfigError(
        f"{path} has {count}:\n" + "\n".join(f"  {m}" for m in mistakes), "mend them and run: gdprcall check"
    )


def _policy(file: schema.File) -> Policy:
    controllers = {
        id_: Controller(
            *(id_, c.name, c.contact, c.country, c.notice_url, tuple(c.recipients), c.retention_days),
            *(c.proof_days, c.refusal_days),
        )
        for id_, c in file.controllers.items()
    }
    return Policy(controllers, {id_: _line(id_, line, file) for id_, line in file.lines.items()})


def _line(id_: str, line: schema.Line, file: schema.File) -> Line:
    controller = file.controllers.get(line.controller)
    return Line(
        id=id_,
        controller=line.controller,
        purpose=line.purpose,
        basis=Basis(line.basis) if line.basis in set(Basis) else line.basis,  # type: ignore[arg-type]  # rules refuses it
        languages=tuple(line.languages),
        retention_days=line.retention_days or (controller.retention_days if controller else 30),
        keys=Keys(line.accept, line.refuse, line.withdraw),
        attempts=line.attempts,
        timeout_ms=line.timeout_seconds * 1000,
    )


def _recipient_mistakes(policy: Policy) -> list[str]:
    mistakes = []
    for controller in policy.controllers.values():
        where, parsed = f"controllers.{controller.id}.recipients", []
        for place, recipient in enumerate(controller.recipients):
            try:
                parsed.append(age.parse_recipient(recipient))
            except age.BadRecipient as error:
                mistakes.append(f"{where}[{place}]: {error}; make a pair with: gdprcall keys new")
        try:
            age.check_mix(parsed)
        except age.BadRecipient as error:
            mistakes.append(f"{where}: {error}; make all of them with or without: gdprcall keys new --post-quantum")
    return mistakes


def _shared_recipients(policy: Policy) -> list[str]:
    """Name each recipient that two controllers have: its identity would open the recordings of both."""
    owner: dict[str, str] = {}
    return [
        f"controllers.{controller.id}.recipients[{place}]: is one of {owner[recipient]} as well, who could open "
        f"everything of {controller.id}; make another pair with: gdprcall keys new"
        for controller in policy.controllers.values()
        for place, recipient in enumerate(controller.recipients)
        if owner.setdefault(recipient, controller.id) != controller.id
    ]


def _audit_mistakes(file: schema.File) -> list[str]:
    drop, command = file.audit.checkpoint_folder, file.audit.checkpoint_command
    mistakes = [
        f"audit.checkpoint_folder: lies in {place}; name a folder that leaves this host"
        for place in (file.vault.folder, file.secrets.folder, file.asterisk.spool)
        if drop and Path(drop).resolve().is_relative_to(Path(place).resolve())
    ]
    if command and not Path(command[0]).is_absolute():
        mistakes.append("audit.checkpoint_command: the program has no whole path; for example /usr/local/bin/send")
    return mistakes


def _language_findings(policy: Policy) -> list[rules.Finding]:
    found = []
    for line in policy.lines.values():
        for language in line.languages:
            try:
                Locale.parse(language, sep="-")
            except (ValueError, UnknownLocaleError):
                place, text = f"lines.{line.id}.languages", f"{language!r} is no BCP 47 language"
                found.append(rules.Finding("INF-03", place, "refuse", text, "write for example en, sv or de"))
    return found


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()[:LARGEST_SECRET].strip()
    except OSError as error:
        raise ConfigError(f"the secret {path} cannot be read: {error.strerror}", "check its owner") from error
    if not content or re.search(rb"[\r\n\0]", content):
        raise ConfigError(f"the secret {path} is empty or has several lines", "write one line")
    return content


def _identities_in(path: Path) -> list[str]:
    try:
        found = IDENTITY_MARK in path.read_bytes().upper()
    except OSError:
        return []
    mend = "move it to the controller's own machine; only the recipient age1… belongs here"
    return [f"{path.name}: holds an age identity (a private key); {mend}"] if found else []
