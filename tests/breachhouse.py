"""A house in which breaches happen: a centre that records for two companies as their processor, and for itself as a controller."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gdprcall import config, operations
from gdprcall.config import Config
from gdprcall.operations import Context
from gdprcall.times import rfc3339
from gdprcall.vault import subjects
from gdprcall.vault.archive import Vault
from tests import vaults
from tests.vaults import ACME, DAY_ONE, Clock, Controller

BETA, OWN = Controller("beta", 2), Controller("own", 3)
HOUR = 3_600_000
NUMBERS = ("+493012345678", "+4981234567", "+46812345678")
CONTRACT = """
contract = { reference = "C-1", date = 2025-01-01, sha256 = "%s", sets_out = ["subject_matter", "duration",
  "nature_and_purpose", "data", "data_subjects", "rights_and_duties"], clauses = ["a", "b", "c", "d", "e", "f", "g", "h"] }
""" % ("ab" * 32)
CONFIG = """
[asterisk]
spool = "{folder}/spool"
sounds = "{folder}/sounds"
[vault]
folder = "{folder}/vault"
socket = "{folder}/none.sock"
{vault}
[secrets]
folder = "{folder}/secrets"
{more}
"""
CONTROLLER = """
[controllers.{id}]
name = "{name}"
contact = "privacy@{id}.example"
officer = "officer@{id}.example"
authority = "authority-of-{id}.example"
country = "{country}"
notice_url = "{id}.example"
recipients = ["{recipient}"]
operator = "{operator}"
{contract}
[lines.{line}]
controller = "{id}"
purpose = "quality"
basis = "consent"
languages = ["en"]
approved_by = "the controller"
"""
WHOSE = (
    ("acme", "Acme Insurance", "SE", ACME, "processor", "support"),
    ("beta", "Beta Travel", "DE", BETA, "processor", "orders"),
    ("own", "Own Centre", "GB", OWN, "controller", "desk"),
)
Json = dict[str, Any]


@dataclass
class House:
    """The house at one moment; every operation goes through the same door as the daemon's."""

    folder: Path
    vault: Vault
    config: Config
    clock: Clock
    who: Json = field(default_factory=dict)

    def __call__(self, name: str, **params: object) -> Any:
        context = Context(self.vault, self.config, clock=self.clock, **self.who)
        return operations.run(context, f"breach/{name}", params)

    def run(self, name: str, role: Json | None = None, **params: object) -> Any:
        """Ask for any operation."""
        return operations.run(Context(self.vault, self.config, clock=self.clock, **(role or {})), name, params)

    def open(self, controller: str = "own", *, aware: bool = True, **fields: object) -> str:
        """Open a breach of one controller in which no recording is known to be concerned, and return its id."""
        params: Json = {"controller": controller, "fields": {"facts": "A disk was lost.", **fields}}
        if aware:
            params["aware"] = {"at": self.now(), "by": "the duty engineer", "reason": "it is not in its place"}
        return str(self("open", **params)["breaches"][0]["id"])

    def now(self) -> str:
        return rfc3339(self.clock.now)

    def show(self, id_: str) -> Json:
        return dict(self("show", id=id_))

    def duty(self, id_: str, to: str) -> Json:
        return next(one for one in self.show(id_)["duties"] if one["to"] == to)


def write_config(folder: Path, more: str = "", *, vault: str = "") -> Path:
    """Write the configuration and its secrets, and return where."""
    controllers = "".join(
        CONTROLLER.format(
            id=id_,
            name=name,
            country=country,
            recipient=keys.recipients[0],
            operator=operator,
            contract=CONTRACT if operator == "processor" else "",
            line=line,
        )
        for id_, name, country, keys, operator, line in WHOSE
    )
    path = folder / "gdprcall.toml"
    path.write_text(CONFIG.format(folder=folder, more=more, vault=vault) + controllers)
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "spool").mkdir(exist_ok=True)
    for id_, *_ in WHOSE:
        secret = folder / "secrets" / f"pseudonym-key-{id_}"
        secret.write_text(f"{id_:x<40}")
        secret.chmod(0o600)
    return path


@contextmanager
def house(folder: Path, more: str = "", *, vault: str = "") -> Iterator[House]:
    """Open a house of three controllers without a recording."""
    clock, path = Clock(), write_config(folder, more, vault=vault)
    with Vault.open(folder / "vault", clock=clock) as opened:
        yield House(folder, opened, config.load(path), clock)


def fill(house_: House) -> Mapping[str, list[str]]:
    """Seal two recordings of each controller: the first of one person, both of acme's of the same one; return their ids."""
    keys = house_.config.pseudonym_keys()
    made: dict[str, list[str]] = {}
    number = 0
    for id_, _, _, controller, _, line in WHOSE:
        for place in range(2):
            number += 1
            whose = NUMBERS[0] if id_ == "acme" else NUMBERS[place + 1]
            subject = subjects.pseudonym(keys[id_], whose)
            language = ("en", "sv")[place]
            vaults.sealed(
                house_.vault,
                house_.folder / "spool",
                number,
                controller=controller,
                subject=subject,
                closed_at=DAY_ONE - place * HOUR,
                line=line,
                language=language,
            )
            made.setdefault(id_, []).append(vaults.recording_id(number))
    house_.vault.catch_up()
    return made


__all__ = ["BETA", "DAY_ONE", "HOUR", "House", "fill", "house", "write_config"]


def decided(place: House, id_: str, risk: str = "risk", **more: object) -> Any:
    """Weigh a breach and say which risk it is."""
    given = {"context": 2, "identification": 1, "risk": risk, "reason": "as it is", **more}
    if risk != "risk":
        given.setdefault("override", "the score does not know it")
    return place("assess", id=id_, **given)
