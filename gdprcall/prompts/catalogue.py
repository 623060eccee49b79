"""Which sound says a line's prompt in a language: built once, named by its content, and checked before each call.

A sound that is missing, changed, or says something else than the policy of today is not played.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from gdprcall.errors import GdprcallError
from gdprcall.policy.model import Policy
from gdprcall.prompts import texts
from gdprcall.prompts.synthesis import Synthesiser, wav

FOLDER = "gdprcall"
CONFIRMATION = "withdrawn"
PAUSE_MS = 300


@dataclass(frozen=True, slots=True)
class Prompt:
    """One built prompt; ``mandatory_ms`` of ``total_ms`` must be heard before an accept key counts."""

    sha256: str
    sha256_16k: str
    language: str
    text: str
    engine: str
    mandatory_ms: int
    total_ms: int

    @property
    def media(self) -> str:
        """How Asterisk is asked to play it."""
        return f"sound:{FOLDER}/{self.sha256}"


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did for one line and language."""

    line: str
    language: str
    prompt: Prompt
    new: bool


class Catalogue:
    """The built prompts of a policy."""

    def __init__(self, policy: Policy, sounds: Path, store: Path) -> None:
        self._policy = policy
        self._sounds = sounds
        built = {(prompt.language, prompt.text): prompt for prompt in _manifests(store)}
        self._prompts: dict[tuple[str, str], Prompt] = {}
        self._seen: dict[str, tuple[int, int, int]] = {}
        for line in policy.lines.values():
            for language in line.languages:
                said = texts.words(line, policy.controller_of(line), language)
                prompt = built.get((language, said.text))
                if prompt is not None and self._whole(prompt):
                    self._prompts[line.id, language] = prompt

    def find(self, line: str, language: str) -> Prompt | None:
        """Return the prompt of a line in a language; None if there is none that may be played now."""
        prompt = self._prompts.get((line, language))
        if prompt is None or self._signature(prompt) != self._seen[prompt.sha256]:
            return None
        return prompt

    def missing(self) -> list[tuple[str, str]]:
        """Return the lines and languages that cannot be asked now."""
        pairs = [(line.id, language) for line in self._policy.lines.values() for language in line.languages]
        return [pair for pair in pairs if self.find(*pair) is None]

    def _whole(self, prompt: Prompt) -> bool:
        place = sound_path(self._sounds, prompt.language, prompt.sha256)
        signature = self._signature(prompt)
        if signature is None or hashlib.sha256(place.read_bytes()).hexdigest() != prompt.sha256:
            return False
        self._seen[prompt.sha256] = signature
        return True

    def _signature(self, prompt: Prompt) -> tuple[int, int, int] | None:
        try:
            status = sound_path(self._sounds, prompt.language, prompt.sha256).stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


def build(policy: Policy, sounds: Path, store: Path, synthesiser: Synthesiser) -> list[Built]:
    """Speak what the policy says and nobody spoke yet, and put it where Asterisk and the evidence find it.

    Raises GdprcallError when something cannot be spoken or written.
    """
    known = {(prompt.language, prompt.text): prompt for prompt in _manifests(store)}
    made = []
    for line in policy.lines.values():
        for language in line.languages:
            said = texts.words(line, policy.controller_of(line), language)
            prompt = known.get((language, said.text))
            new = prompt is None or not sound_path(sounds, language, prompt.sha256).exists()
            if prompt is None or new:
                prompt = _make(said, sounds, store, synthesiser)
                known[language, said.text] = prompt
            made.append(Built(line.id, language, prompt, new))
    for language in sorted({language for line in policy.lines.values() for language in line.languages}):
        _confirm(language, sounds, synthesiser)
    return made


def sound_path(sounds: Path, language: str, name: str) -> Path:
    """Return where Asterisk looks for one of our sounds in a language, at 8 kHz."""
    return sounds / language / FOLDER / f"{name}.wav"


def _make(said: texts.Words, sounds: Path, store: Path, synthesiser: Synthesiser) -> Prompt:
    first, second = synthesiser.speak(said.mandatory, said.voice), synthesiser.speak(said.keys, said.voice)
    joined = {}
    for rate, samples in first.samples.items():
        joined[rate] = wav(samples + bytes(2 * rate * PAUSE_MS // 1000) + second.samples[rate], rate)
    prompt = Prompt(
        sha256=hashlib.sha256(joined[8000]).hexdigest(),
        sha256_16k=hashlib.sha256(joined[16000]).hexdigest(),
        language=said.language,
        text=said.text,
        engine=synthesiser.name,
        mandatory_ms=len(first.samples[8000]) // 16,
        total_ms=(len(joined[8000]) - 44) // 16,
    )
    place = sound_path(sounds, said.language, prompt.sha256)
    manifest = json.dumps(asdict(prompt), indent=1, sort_keys=True, ensure_ascii=False).encode()
    for folder, name, data in [
        (store, f"{prompt.sha256}.wav", joined[8000]),
        (store, f"{prompt.sha256}.wav16", joined[16000]),
        (store, f"{prompt.sha256}.json", manifest),
        (place.parent, f"{prompt.sha256}.wav16", joined[16000]),
        (place.parent, place.name, joined[8000]),
    ]:
        _write(folder / name, data)
    return prompt


def _confirm(language: str, sounds: Path, synthesiser: Synthesiser) -> None:
    place = sound_path(sounds, language, CONFIRMATION)
    if place.exists():
        return
    said = texts.withdrawn(language)
    spoken = synthesiser.speak(said.mandatory, said.voice)
    _write(place.with_suffix(".wav16"), wav(spoken.samples[16000], 16000))
    _write(place, wav(spoken.samples[8000], 8000))


def _manifests(store: Path) -> list[Prompt]:
    found = []
    for path in sorted(store.glob("*.json")) if store.is_dir() else []:
        try:
            found.append(Prompt(**json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError):
            continue  # a manifest that cannot be read is no evidence: its prompt counts as not built
    return found


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable by Asterisk."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.rename(path)
    except OSError as error:
        raise GdprcallError(f"{path} cannot be written: {error.strerror}", "check the folder's owner") from error
