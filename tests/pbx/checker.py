"""What became of the calls of a demonstration, found in Asterisk's database, the spool, the vault's files and the sound.

It asks neither the daemon nor the command line: it reads files as they lie there, and opens with the public age tool.
"""

import json
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.pbx.asterisk import Asterisk
from tests.pbx.prepare import PBX
from tests.pbx.watch import Witness


@dataclass(frozen=True)
class Seen:
    """What was found of one caller; ``noted`` is basis, language and outcome, as the decision has them."""

    returned: str
    noted: tuple[str, str, str]
    recording: str
    plaintext: str


class Checker:
    """Looks at what a stopped installation left; ``identities`` are the private keys of its controllers."""

    def __init__(self, vault: Path, asterisk: Asterisk, witness: Witness, identities: Mapping[str, Path]) -> None:
        self._vault = vault
        self._witness = witness
        self._identities = identities
        self._told = {family: asterisk.db(family) for family in ("result", "call", "recording")}

    def recording(self, number: str) -> str:
        """Return the recording that the dialplan began in a caller's call, or nothing."""
        return self._told["recording"].get(number, "")

    def look(self, number: str, controller: str) -> Seen:
        """Find out what became of one caller of a controller's line."""
        returned = self._told["result"].get(number, "-")
        noted = self._decisions.get(self._told["call"].get(number, ""), ("-", "-", "-"))
        recording = self.recording(number)
        if not recording:
            kept = any(number == known for _, known in self._numbers.values())
            return Seen(returned, noted, "a number without a recording" if kept else "none", "-")
        lives = self._witness.of(recording)
        life = f"{max(life.plaintext_seconds for life in lives) * 1000:.0f} ms" if lives else "never seen"
        return Seen(returned, noted, self._state(recording, controller, number) if lives else "no file", life)

    def _state(self, recording: str, controller: str, number: str) -> str:
        payloads = [path.name for path in (self._vault / "objects").glob(f"*/{recording}.*")]
        slots = [slot for of, _, slot in self._slots if of == recording]
        parts = [f"{recording}.{part + 1}" for part in range(len(payloads))]
        if self._numbers.get(recording) == (controller, number) and parts and sorted(payloads) == parts:
            return "sealed"
        # Its slots are there, and hold zeros.
        return "destroyed" if slots and not any(map(any, slots)) and not payloads else "neither whole nor gone"

    @cached_property
    def _slots(self) -> list[tuple[str, str, bytes]]:
        """Return recording, kind and bytes of every slot of keys.db."""
        names = self._rows("keys.db", "SELECT name FROM sqlite_master WHERE name LIKE 'slot_%' AND type = 'table'")
        return [row for (name,) in names for row in self._rows("keys.db", f"SELECT recording, kind, slot FROM {name}")]

    @cached_property
    def _numbers(self) -> dict[str, tuple[str, str]]:
        """Return of each recording whose number is sealed the controller whose identity alone opens it, and the number."""
        found = {}
        for recording, kind, slot in self._slots:
            # A slot begins with the length of what it holds, in two bytes.
            used = int.from_bytes(slot[:2], "big")
            if kind == "number" and used:
                opened = {who: _opened(slot[2 : 2 + used], identity) for who, identity in self._identities.items()}
                by = [(who, number) for who, number in opened.items() if number is not None]
                found[recording] = by[0] if len(by) == 1 else ("not one controller's", "")
        return found

    @cached_property
    def _decisions(self) -> dict[str, tuple[str, str, str]]:
        """Return what the ledger says of each call, by Asterisk's own id of it: basis, language, and the last outcome."""
        found: dict[str, tuple[str, str, str]] = {}
        calls: dict[str | None, str] = {}
        for text, said in self._rows("ledger.db", "SELECT leaf, body FROM entry JOIN body USING (seq) ORDER BY seq"):
            leaf, body = json.loads(text), json.loads(said)
            if leaf["kind"] == "decision":
                calls[leaf["recording"]] = body["uniqueid"]
                found[body["uniqueid"]] = (body["basis"], body["language"], body["outcome"])
            elif leaf["kind"] == "withdrawn":
                found[calls[leaf["recording"]]] = (*found[calls[leaf["recording"]]][:2], body["reason"])
        return found

    def _rows(self, name: str, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self._vault / name}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()


def _opened(sealed: bytes, identity: Path) -> str | None:
    command = [PBX / "bin" / "age", "-d", "-i", identity]
    done = subprocess.run(command, input=sealed, capture_output=True, check=False)
    return done.stdout.decode() if done.returncode == 0 else None
