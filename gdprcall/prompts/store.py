"""What was ever played, by content: sounds with the text they say, in our own store and where Asterisk looks for them.

Nothing in it is ever changed; a sound that is there with another text is refused.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gdprcall.errors import GdprcallError
from gdprcall.prompts.synthesis import RATES, Speech, wav
from gdprcall.prompts.texts import Kind, Words

FOLDER = "gdprcall"
PAUSE_MS = 300
APART_MS = 600
"""The silence before and after what must be said apart from everything else (Art. 21(4))."""

BYTES_PER_MS = 16
"""Of 16-bit samples at 8 kHz."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where in the sound a part of the text is said."""

    name: str
    text: str
    from_ms: int
    to_ms: int


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
    kind: Kind = Kind.CONSENT
    parts: tuple[Stretch, ...] = field(default=())
    made_at: int = 0

    @property
    def media(self) -> str:
        """How Asterisk is asked to play it."""
        return f"sound:{FOLDER}/{self.sha256}"


def sound_path(sounds: Path, language: str, name: str) -> Path:
    """Return where Asterisk looks for one of our sounds in a language, at 8 kHz."""
    return sounds / language / FOLDER / f"{name}.wav"


def manifests(store: Path) -> list[Prompt]:
    """Return what is kept, of the same text the newest first."""
    found = []
    for path in sorted(store.glob("*.json")) if store.is_dir() else []:
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            parts = tuple(Stretch(**part) for part in said.pop("parts", ()))
            found.append(Prompt(**said | {"parts": parts, "kind": Kind(said.get("kind", Kind.CONSENT))}))
        except (OSError, ValueError, TypeError, AttributeError):
            continue  # a manifest that cannot be read is no evidence: its prompt counts as not built
    return sorted(found, key=lambda prompt: -prompt.made_at)


def assemble(
    said: Words, kind: Kind, spoken: Sequence[Speech], engine: str, made_at: int
) -> tuple[Prompt, list[bytes]]:
    """Return the prompt that says ``said`` with the sound of each part, and its WAV files at 8 and 16 kHz."""
    joined = {rate: bytearray() for rate in RATES}
    places, before = [], ""
    for part, speech in zip(said.parts, spoken, strict=True):
        pause = APART_MS if "objection" in {part.name, before} else PAUSE_MS
        for rate in RATES:
            joined[rate] += bytes(2 * rate * pause // 1000 if before else 0)
        begin, before = _ms(joined), part.name
        for rate in RATES:
            joined[rate] += speech.samples[rate]
        places.append(Stretch(part.name, part.text, begin, _ms(joined)))
    sounds = [wav(bytes(joined[rate]), rate) for rate in RATES]
    low, high = (hashlib.sha256(sound).hexdigest() for sound in sounds)
    must = max(place.to_ms for place, part in zip(places, said.parts, strict=True) if part.must)
    return Prompt(low, high, said.language, said.text, engine, must, _ms(joined), kind, tuple(places), made_at), sounds


def _ms(joined: Mapping[int, bytearray]) -> int:
    return len(joined[RATES[0]]) // BYTES_PER_MS


def keep(prompt: Prompt, wavs: Sequence[bytes], sounds: Path, store: Path) -> None:
    """Write a prompt into the store and where Asterisk finds it."""
    low, high = wavs
    name = prompt.sha256
    alike = [one for one in manifests(store) if one.sha256 == prompt.sha256 and _said(one) != _said(prompt)]
    if alike:
        # One sound for two texts: what was played with the first one must stay provable. The vault looks for the text.
        name += "-" + hashlib.sha256(prompt.text.encode()).hexdigest()[:8]
    if any(one.text == prompt.text for one in alike):
        name += f"-{prompt.language}"  # the same in another language, such as a digit
    manifest = json.dumps(asdict(prompt), indent=1, sort_keys=True, ensure_ascii=False).encode()
    write(store / f"{prompt.sha256}.wav", low)
    write(store / f"{prompt.sha256}.wav16", high)
    write(store / f"{name}.json", manifest)
    _place(prompt, prompt.sha256, low, high, sounds)


def _said(prompt: Prompt) -> tuple[str, str]:
    return prompt.language, prompt.text


def lay_out(prompt: Prompt, sounds: Path, store: Path, name: str = "") -> bool:
    """Put a kept prompt where Asterisk looks for it, by its hash or by ``name``; return whether the store has it whole."""
    try:
        low, high = ((store / f"{prompt.sha256}.{suffix}").read_bytes() for suffix in ("wav", "wav16"))
    except OSError:
        return False
    if [hashlib.sha256(data).hexdigest() for data in (low, high)] != [prompt.sha256, prompt.sha256_16k]:
        return False
    _place(prompt, name or prompt.sha256, low, high, sounds)
    return True


def is_laid_out(prompt: Prompt, sounds: Path, name: str = "") -> bool:
    """Return whether Asterisk finds exactly this sound by its hash or by ``name``."""
    try:
        data = sound_path(sounds, prompt.language, name or prompt.sha256).read_bytes()
    except OSError:
        return False
    return hashlib.sha256(data).hexdigest() == prompt.sha256


def remove(prompt: Prompt, sounds: Path, store: Path) -> None:
    """Remove a prompt from where Asterisk looks and from the store, what tells of it last; raises OSError."""
    place = sound_path(sounds, prompt.language, prompt.sha256)
    told = sorted(store.glob(f"{prompt.sha256}*.json"))
    for path in (
        place,
        place.with_suffix(".wav16"),
        *(store / f"{prompt.sha256}.{end}" for end in ("wav", "wav16")),
        *told,
    ):
        path.unlink(missing_ok=True)


def _place(prompt: Prompt, name: str, low: bytes, high: bytes, sounds: Path) -> None:
    place = sound_path(sounds, prompt.language, name)
    write(place.with_suffix(".wav16"), high)
    write(place, low)


def write(path: Path, data: bytes) -> None:
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
