"""A challenge: an age file for one recipient alone, whose plaintext is the answer that proves that somebody holds the identity.

Only a hash of the answer is kept by who asks. Any age tool answers: what it prints is the answer.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO

from gdprcall import age
from gdprcall.errors import CheckFailed, ConfigError
from gdprcall.vault.keys import fingerprint

FORMAT = "gdprcall/proof-v1"
NONCE_BYTES = 32
LONGEST = 512
"""An answer has some 150 characters."""

_ANSWER = re.compile(
    rf"{FORMAT} (enrol|canary) ([a-z][a-z0-9_]{{0,39}}) ([0-9a-f]{{16}}) [0-9a-f]{{{2 * NONCE_BYTES}}}"
)


class Purpose(StrEnum):
    """What a proof is for."""

    ENROL = "enrol"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a well-formed answer says of itself; only its hash proves anything."""

    text: str
    purpose: Purpose
    controller: str
    fingerprint: str

    @property
    def sha256(self) -> str:
        """The hash by which it is known to who asked."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def make(purpose: Purpose, controller: str, recipient: str, random: age.Random) -> tuple[str, Answer]:
    """Return a challenge (armored text) and its answer; raises ConfigError for what is no recipient."""
    text = f"{FORMAT} {purpose} {controller} {fingerprint(recipient)} {random(NONCE_BYTES).hex()}"
    sealed = BytesIO()
    armor = age.ArmorWriter(sealed)
    try:
        age.encrypt(BytesIO(f"{text}\n".encode()), [age.parse_recipient(recipient)], armor, random=random)
    except age.BadRecipient as error:
        raise ConfigError(str(error), "make a pair with: gdprcall keys new") from error
    armor.finish()
    return sealed.getvalue().decode("ascii"), parse(text)


def parse(text: str) -> Answer:
    """Return an answer; raises CheckFailed for anything else, without repeating it."""
    line = text[:LONGEST].strip()
    found = _ANSWER.fullmatch(line)
    if found is None:
        raise CheckFailed("this is no answer to a challenge", "open the challenge: gdprcall keys answer, or age -d")
    return Answer(line, Purpose(found[1]), found[2], found[3])
