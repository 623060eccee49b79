"""A controller's keys outside the vault: an age file for its escrow recipient, with one line of JSON for each slot.

What is in it here is never opened here. It ends with a line that counts the others, so that half of it is noticed.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from gdprcall import age
from gdprcall.errors import CheckFailed, VaultError
from gdprcall.times import parse_rfc3339, rfc3339
from gdprcall.vault.binding import bound_to
from gdprcall.vault.keys import Held, Slot

FORMAT = "gdprcall/keys-backup-v1"
LONGEST_LINE = 16_384
DAMAGED = "open it again with age, and look at its exit status"


@dataclass(frozen=True, slots=True)
class Opened:
    """What an opened file of keys says of itself; ``expires_at`` in milliseconds."""

    controller: str
    expires_at: int


class KeyFile:
    """Writes one file; ``finish`` must be called once."""

    def __init__(self, sink: BinaryIO, recipients: tuple[str, ...], head: Opened, random: age.Random) -> None:
        file_key = random(age.FILE_KEY_BYTES)
        try:
            header = age.make_header(file_key, [age.parse_recipient(text) for text in recipients], random=random)
        except age.AgeError as error:
            raise VaultError(
                f"a backup of keys cannot be sealed: {error}", "mend the controller's recipients"
            ) from error
        sink.write(header)
        self._payload = age.PayloadWriter(file_key, random(age.NONCE_BYTES), sink)
        self.slots = 0
        first = {"format": FORMAT, "controller": head.controller, "expires_at": rfc3339(head.expires_at)}
        self._line(first)

    def add(self, held: Held) -> None:
        """Add one slot."""
        data = base64.b64encode(held.data).decode()
        self._line({"recording": held.recording, "segment": held.segment, "kind": held.kind, "data": data})
        self.slots += 1

    def finish(self) -> None:
        """Write the end."""
        self._line({"slots": self.slots})
        self._payload.finish()

    def _line(self, value: Mapping[str, object]) -> None:
        self._payload.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")


def controller_of(held: Held) -> str | None:
    """Return whose a slot is, as the header in it is bound; None if that cannot be told."""
    try:
        bound = bound_to(age.Header.parse(age.read_header(BytesIO(held.data))))
    except age.AgeError:
        return None
    part = f"part={held.segment if held.kind is Slot.HEADER else 'number'}"
    if bound is None or len(bound) != 3 or (bound[0], bound[2]) != (held.recording, part):
        return None
    return bound[1].removeprefix("ctl=")


def read(source: BinaryIO) -> tuple[Opened, Iterator[Held]]:
    """Return what an opened file says of itself, and its slots; raises CheckFailed, also while they are read."""
    head = _parsed(source.readline(LONGEST_LINE))
    try:
        if head["format"] != FORMAT:
            raise ValueError
        opened = Opened(str(head["controller"]), parse_rfc3339(str(head["expires_at"])))
    except (KeyError, ValueError) as error:
        hint = "open it first, where the escrow identity is: age -d -i IDENTITY FILE > OPENED"
        raise CheckFailed("this is no opened backup of keys", hint) from error
    return opened, _slots(source)


def _slots(source: BinaryIO) -> Iterator[Held]:
    count = 0
    while True:
        line = _parsed(source.readline(LONGEST_LINE))
        if "slots" in line:
            break
        try:
            data = base64.b64decode(str(line["data"]), validate=True)
            yield Held(str(line["recording"]), int(str(line["segment"])), Slot(str(line["kind"])), data)
        except (KeyError, ValueError) as error:
            raise CheckFailed("a line of this backup of keys is damaged", DAMAGED) from error
        count += 1
    if line["slots"] != count:
        raise CheckFailed("this backup of keys is not whole", DAMAGED)


def _parsed(line: bytes) -> dict[str, object]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CheckFailed("this backup of keys is not whole, or is sealed still", DAMAGED)
    return value
