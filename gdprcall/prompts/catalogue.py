"""Which sound says what a line says in a language: built once, named by its content, and checked before each call.

A sound that is missing, changed, or says something else than the policy of today is not played.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gdprcall.policy.jurisdiction import REPLACED, with_consent
from gdprcall.policy.model import OBJECTED_TO, Line, Policy
from gdprcall.prompts import telephone, texts
from gdprcall.prompts.store import Prompt, assemble, is_laid_out, keep, lay_out, manifests, sound_path
from gdprcall.prompts.synthesis import Synthesiser
from gdprcall.prompts.texts import Kind
from gdprcall.times import Clock, now_ms

__all__ = ["Built", "Catalogue", "Kind", "Prompt", "build", "kinds_of", "now_wanted", "sound_path"]


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did for one line, language and kind."""

    line: str
    language: str
    prompt: Prompt
    new: bool
    kind: Kind = Kind.CONSENT


def kinds_of(line: Line) -> tuple[Kind, ...]:
    """Return what a line needs sounds for: its question first, then its full notice and its confirmation."""
    notice = (Kind.NOTICE,) if line.keys.more else ()
    objection = (Kind.OBJECTED,) if line.basis in OBJECTED_TO else ()
    return (Kind(line.basis), *notice, Kind.WITHDRAWN, *objection)


class Catalogue:
    """The built prompts of a policy."""

    def __init__(self, policy: Policy, sounds: Path, store: Path) -> None:
        self._policy = policy
        self._sounds = sounds
        self._prompts: dict[tuple[str, str, Kind], Prompt] = {}
        self._telephone: dict[tuple[str, str, str], Prompt] = {}
        self._seen: dict[tuple[str, str], tuple[int, int, int]] = {}
        kept = manifests(store)
        for line, language, kind in now_wanted(policy):
            with suppress(texts.EmptySlot):  # what cannot be said whole is not said
                said = texts.words(line, policy.controller_of(line), language, kind).text
                if (prompt := self._fit(kept, language, said)) is not None:
                    self._prompts[line.id, language, kind] = prompt
        for controller, language, name in telephone.now_wanted(policy):
            said = telephone.words(controller, language, name).text
            if (prompt := self._fit(kept, language, said)) is not None:
                self._telephone[controller.id, language, name] = prompt

    def find(self, line: str, language: str, kind: Kind | None = None) -> Prompt | None:
        """Return a prompt of a line in a language; None if there is none that may be played now.

        By default that is the question of the line's own basis; ``Kind.NOTICE`` is its full notice.
        """
        asked = self._policy.lines.get(line)
        return self._unchanged(self._prompts.get((line, language, kind or Kind(asked.basis))) if asked else None)

    def by_telephone(self, controller: str, language: str) -> dict[str, Prompt]:
        """Return what a controller says by telephone, by its name; empty where any of it may not be played now."""
        found = {name: self._unchanged(self._telephone.get((controller, language, name))) for name in telephone.said()}
        whole = {name: prompt for name, prompt in found.items() if prompt is not None}
        return whole if len(whole) == len(found) else {}

    def prompts(self) -> list[Prompt]:
        """Return everything that may be played now."""
        return [*self._prompts.values(), *self._telephone.values()]

    def missing(self) -> list[tuple[str, str]]:
        """Return the lines and languages that cannot be asked now, each once; a line may have two questions."""
        return list(dict.fromkeys((line, tag) for line, tag, kind in self.lacking() if kind in texts.QUESTIONS))

    def silent(self) -> list[tuple[str, str, Kind]]:
        """Return what else a line is to say and cannot: its full notice, or a confirmation."""
        return [one for one in self.lacking() if one[2] not in texts.QUESTIONS]

    def mute(self) -> list[tuple[str, str]]:
        """Return the controllers and languages whose callers cannot be served by telephone now."""
        offered = dict.fromkeys((controller.id, tag) for controller, tag, _ in telephone.now_wanted(self._policy))
        return [one for one in offered if not self.by_telephone(*one)]

    def lacking(self) -> Iterator[tuple[str, str, Kind]]:
        """Yield what a line is to say and cannot say now."""
        for line, language, kind in now_wanted(self._policy):
            if self.find(line.id, language, kind) is None:
                yield line.id, language, kind

    def _fit(self, kept: list[Prompt], language: str, said: str) -> Prompt | None:
        return next((one for one in kept if (one.language, one.text) == (language, said) and self._whole(one)), None)

    def _unchanged(self, prompt: Prompt | None) -> Prompt | None:
        if prompt is None or self._signature(prompt) != self._seen[prompt.language, prompt.sha256]:
            return None
        return prompt

    def _whole(self, prompt: Prompt) -> bool:
        signature = self._signature(prompt)
        if signature is None:
            return False
        if self._seen.get((prompt.language, prompt.sha256)) != signature:
            if not is_laid_out(prompt, self._sounds):
                return False
            self._seen[prompt.language, prompt.sha256] = signature
        return True

    def _signature(self, prompt: Prompt) -> tuple[int, int, int] | None:
        try:
            status = sound_path(self._sounds, prompt.language, prompt.sha256).stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


def now_said(policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield the language and text of everything that a policy says now."""
    for line, language, kind in now_wanted(policy):
        with suppress(texts.EmptySlot):
            yield language, texts.words(line, policy.controller_of(line), language, kind).text
    for controller, language, name in telephone.now_wanted(policy):
        yield language, telephone.words(controller, language, name).text


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where sounds are put, what is kept already, and who speaks what is not."""

    sounds: Path
    store: Path
    kept: list[Prompt]
    synthesiser: Synthesiser
    clock: Clock

    def make(self, said: texts.Words, kind: Kind) -> tuple[Prompt, bool]:
        """Return the prompt that says ``said``, playable, and whether anything had to be done for it."""
        known = [one for one in self.kept if (one.language, one.text) == (said.language, said.text)]
        for prompt in known:
            if is_laid_out(prompt, self.sounds):
                return prompt, False
        for prompt in known:
            if lay_out(prompt, self.sounds, self.store):
                return prompt, True
        spoken = [self.synthesiser.speak(part.text, said.voice) for part in said.parts]
        prompt, wavs = assemble(said, kind, spoken, self.synthesiser.name, self.clock())
        keep(prompt, wavs, self.sounds, self.store)
        self.kept.append(prompt)
        return prompt, True


def build(
    policy: Policy,
    sounds: Path,
    store: Path,
    synthesiser: Synthesiser,
    *,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    clock: Clock = now_ms,
) -> list[Built]:
    """Speak what the policy says and nobody spoke yet, and put it where Asterisk and the evidence find it.

    Returns what the lines say; confirmations, and what is said of rights by telephone, are made as well. Raises
    GdprcallError when something cannot be spoken or written, and EmptySlot when there is nothing to say.
    """
    shop = Workshop(sounds, store, manifests(store), synthesiser, clock)
    made, wanted, confirmed = [], list(now_wanted(policy)), set[tuple[str, Kind]]()
    _build_rights(shop, policy, progress)
    for done, (line, language, kind) in enumerate(wanted):
        progress(done, len(wanted))
        if (language, kind) in confirmed:
            continue
        prompt, new = shop.make(texts.words(line, policy.controller_of(line), language, kind), kind)
        if kind in texts.CONFIRMATIONS:
            confirmed.add((language, kind))
            if not is_laid_out(prompt, sounds, kind):
                lay_out(prompt, sounds, store, kind)
        else:
            made.append(Built(line.id, language, prompt, new, kind))
    return made


def _build_rights(shop: Workshop, policy: Policy, progress: Callable[[int, int], None]) -> None:
    wanted = [telephone.words(*one) for one in telephone.now_wanted(policy)]
    for done, said in enumerate(wanted):
        progress(done, len(wanted))
        shop.make(said, Kind.TELEPHONE)


def now_wanted(policy: Policy) -> Iterator[tuple[Line, str, Kind]]:
    """Yield everything that a policy says now: by which line, in which language, for what."""
    for line in policy.lines.values():
        for language in line.languages:
            for kind in kinds_of(line):
                yield line, language, kind
            if line.basis in REPLACED:  # who calls from where rules are stricter is asked
                yield with_consent(line), language, Kind.CONSENT
