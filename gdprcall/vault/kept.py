"""What decisions refer to by its hash: the sound and the text that were played, and the policy that held, as they were.

It believes no file for its name: what does not hash to it is damaged, and what is missing is said to be missing.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gdprcall.vault.placing import folder_for, told, write_whole

PROMPTS, POLICIES = "prompts", "policies"
LARGEST = 64 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
Form = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class KeptPrompt:
    """One prompt as it was played; ``problem`` says what is wrong with it, and then it is no proof."""

    sha256: str
    text: str = ""
    sound: bytes = b""
    problem: str = ""

    @property
    def text_sha256(self) -> str:
        """The hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Kept:
    """The folders of a vault that hold such files."""

    def __init__(self, vault: Path) -> None:
        self._prompts, self._policies = vault / PROMPTS, vault / POLICIES

    def prompt(self, sha256: str) -> KeptPrompt:
        """Return a prompt; with another sound or no text it has a problem."""
        sound, manifest = _read(self._prompts, sha256, ".wav"), _read(self._prompts, sha256, ".json")
        if sound is None:
            return KeptPrompt(sha256, problem="its sound is missing")
        if hashlib.sha256(sound).hexdigest() != sha256:
            return KeptPrompt(sha256, problem="its sound is not the one that was played")
        try:
            said = json.loads(manifest or b"")
            text, wide = said["text"], said.get("sha256_16k")
        except (ValueError, KeyError, TypeError, AttributeError):
            return KeptPrompt(sha256, sound=sound, problem="its text is missing")
        wider = _read(self._prompts, sha256, ".wav16")
        if not isinstance(text, str):
            return KeptPrompt(sha256, sound=sound, problem="its text is missing")
        if wide is not None and (wider is None or hashlib.sha256(wider).hexdigest() != wide):
            return KeptPrompt(sha256, text, sound, "its sound at 16 kHz is not the one that was made")
        return KeptPrompt(sha256, text, sound)

    def policy(self, sha256: str) -> Form | None:
        """Return the line and the controller of a policy as they were; None if it is missing or not what its name says."""
        text = _read(self._policies, sha256, ".json")
        if text is None or hashlib.sha256(text).hexdigest() != sha256:
            return None
        form: object = json.loads(text)
        return form if isinstance(form, dict) else None

    def keep_policies(self, texts: Iterable[str]) -> None:
        """Keep the texts of policies; see ``keep_policy``."""
        for text in texts:
            self.keep_policy(text)

    def keep_policy(self, canonical: str) -> None:
        """Keep the text of a policy durably under its hash; raises VaultError."""
        path = self._policies / f"{hashlib.sha256(canonical.encode()).hexdigest()}.json"
        with told("the policy could not be kept with the evidence"):
            if not path.exists():
                folder_for(path)
                write_whole(path, canonical.encode())


def _read(folder: Path, sha256: str, suffix: str) -> bytes | None:
    if not _SHA256.fullmatch(sha256):
        return None
    try:
        with (folder / f"{sha256}{suffix}").open("rb") as file:
            return file.read(LARGEST)
    except OSError:
        return None
