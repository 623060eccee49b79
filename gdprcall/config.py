"""The configuration: one TOML file and a folder of secrets become one frozen value, or a list of every mistake.

It never guesses: what is unknown is refused with its place, what is missing records nothing.
"""

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from gdprcall import access, deadlines, instructions, misspelt, parties, policies, profiles, schema, timing, values
from gdprcall.deadlines import Deadlines
from gdprcall.errors import ConfigError
from gdprcall.mistakes import Mistaken, without, written
from gdprcall.parties import Parties
from gdprcall.policy import rules
from gdprcall.policy.finding import Finding, refuse
from gdprcall.policy.model import Policy
from gdprcall.prompts import approvals, telephone
from gdprcall.prompts.texts import LANGUAGES, PURPOSES
from gdprcall.roles import Access
from gdprcall.timing import Timing

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
    configuration: Path


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration."""

    path: Path
    asterisk: AsteriskPlaces
    vault: Path
    socket: Path
    secrets: Path
    policy: Policy
    warnings: tuple[Finding, ...] = ()
    checkpoint_folder: Path | None = None
    checkpoint_command: tuple[str, ...] = ()
    key_days: int = 14
    tombstones: Path | None = None
    tombstone_command: tuple[str, ...] = ()
    reserve_bytes: int = 64 << 20
    quarantine_days: int = 7
    releases_an_hour: int = 50
    memory: Path = Path("/run/gdprcall/sealing")
    progressive: bool = True
    location: str = ""
    access: tuple[Access, ...] = ()
    timings: Mapping[str, Timing] = field(default_factory=dict)
    breach: Deadlines = field(default_factory=Deadlines)
    parties: Parties = field(default_factory=Parties)
    pending: tuple[str, ...] = ()

    def renewed(self, new: "Config") -> "Config":
        """Return what holds after a reload: who may be recorded, who may ask, and when; the places stay."""
        return replace(
            self,
            policy=new.policy,
            access=new.access,
            timings=new.timings,
            breach=new.breach,
            parties=new.parties,
            pending=new.pending,
        )

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
        known = self.policy.controllers.get(controller)
        name = (known and known.pseudonym_key) or f"pseudonym-key-{controller}"
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


def load(path: Path, *, drafts: bool = False) -> Config:
    """Return the configuration at ``path``; raises ConfigError that names every mistake with its place and mend.

    With ``drafts`` a line may speak a language whose texts nobody has approved: for looking at them, never for calls.
    """
    data = _toml(path)
    found = _identities_in(path)
    try:
        file = schema.File.model_validate(data)
    except ValidationError as error:
        found += [written(*misspelt.mistake(detail)) for detail in error.errors()]
        found += _of_the_rest(without(data, [detail["loc"] for detail in error.errors()]))
        raise Mistaken(path, found, data) from None
    policy = policies.policy(file, profiles.installed())
    today = datetime.now(UTC).date().isoformat()
    found += [*values.findings(file, policy), *access.mistakes(file.access, file.controllers)]
    found += [*timing.mistakes(file.controllers), *parties.mistakes(file)]
    found += [*rules.check(policy, LANGUAGES, PURPOSES, today=today), *telephone.findings(policy)]
    found += [] if drafts else approvals.findings(policy, approvals.BOOK.load(approvals.BOOK.beside(path)))
    pending = instructions.pending(
        policy, parties.parties(file).approving, instructions.BOOK.load(instructions.BOOK.beside(path))
    )
    found += instructions.findings(pending)
    mistakes = [finding for finding in found if finding.refuses]
    if mistakes:
        raise Mistaken(path, mistakes, data)
    return replace(_config(path, file, policy, tuple(found)), pending=pending)


def _of_the_rest(data: Mapping[str, object]) -> list[Finding]:
    """Return what the law has against the controllers and lines that are well written, beside others that are not."""
    try:
        file = schema.File.model_validate(data)
    except ValidationError:
        return []
    policy = policies.policy(file, profiles.installed())
    return [finding for finding in rules.check(policy, LANGUAGES, PURPOSES) if finding.refuses]


def _config(path: Path, file: schema.File, policy: Policy, warnings: tuple[Finding, ...]) -> Config:
    return Config(
        path=path,
        asterisk=_places(file.asterisk),
        vault=Path(file.vault.folder),
        socket=Path(file.vault.socket),
        secrets=Path(file.secrets.folder),
        policy=policy,
        warnings=warnings,
        checkpoint_folder=Path(file.audit.checkpoint_folder) if file.audit.checkpoint_folder else None,
        checkpoint_command=tuple(file.audit.checkpoint_command),
        key_days=file.backup.key_days,
        tombstones=Path(file.backup.tombstones) if file.backup.tombstones else None,
        tombstone_command=tuple(file.backup.tombstone_command),
        reserve_bytes=file.vault.reserve_mib << 20,
        releases_an_hour=file.vault.releases_an_hour,
        quarantine_days=file.vault.quarantine_days,
        location=file.vault.location,
        memory=Path(file.sealing.memory),
        progressive=file.sealing.progressive,
        access=access.rows(file.access),
        timings=timing.timings(file.controllers),
        breach=deadlines.deadlines(file.breach),
        parties=parties.parties(file),
    )


def _places(asterisk: schema.Asterisk) -> AsteriskPlaces:
    host, _, port = asterisk.agi_listen.rpartition(":")
    parsed = {
        "spool": Path(asterisk.spool),
        "sounds": Path(asterisk.sounds),
        "configuration": Path(asterisk.configuration),
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
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or tables without end.
        raise ConfigError(f"{path} is no TOML: {type(error).__name__}", "mend it and run: gdprcall check") from error


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()[:LARGEST_SECRET].strip()
    except OSError as error:
        raise ConfigError(f"the secret {path} cannot be read: {error.strerror}", "check its owner") from error
    if not content or re.search(rb"[\r\n\0]", content):
        raise ConfigError(f"the secret {path} is empty or has several lines", "write one line")
    return content


def _identities_in(path: Path) -> list[Finding]:
    try:
        found = IDENTITY_MARK in path.read_bytes().upper()
    except OSError:
        return []
    text = "holds an age identity (a private key)"
    mend = "move it to the controller's own machine; only the recipient age1… belongs here"
    return [refuse("SEC-01", path.name, text, mend)] if found else []
