"""What is done where an identity is: answering a challenge, and wrapping the keys in headers for other recipients.

It opens no vault, prints no key, and opens nothing but what it is for: a PBX cannot have other things opened by it.
"""

import base64
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from multiprocessing import get_context
from typing import BinaryIO

from gdprcall import age
from gdprcall.custody import bundle, challenge
from gdprcall.custody.bundle import Head, Line
from gdprcall.errors import CheckFailed, ConfigError, GdprcallError, Refused
from gdprcall.vault.binding import NUMBER, binding_stanza, bound_header, bound_to
from gdprcall.vault.keys import fingerprint
from gdprcall.vault.slots import Slot

Identity = age.X25519Identity | age.HybridIdentity
Progress = Callable[[int, int], None]
AT_ONCE = 500
APART = 4 * AT_ONCE
"""From how many headers on all processors work: starting the others takes as long as some hundred headers."""

LARGEST_CHALLENGE = 16_384


@dataclass(slots=True)
class Converted:
    """How many headers were wrapped anew, and which were not, each with the reason."""

    headers: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


def answer(source: BinaryIO, identities: Sequence[Identity]) -> challenge.Answer:
    """Return the answer to a challenge; raises Refused when it is for somebody else, CheckFailed for anything else."""
    out = BytesIO()
    try:
        age.decrypt(BytesIO(source.read(LARGEST_CHALLENGE)), identities, out)
    except age.NoMatch as error:
        raise Refused("this identity does not open the challenge", "it is for another recipient") from error
    except age.AgeError as error:
        raise CheckFailed("this is no challenge, or not a whole one", "have it sent again") from error
    found = challenge.parse(out.getvalue().decode("ascii", "replace"))
    if found.fingerprint not in {fingerprint(one.recipient().encode()) for one in identities}:
        raise CheckFailed("the challenge names another recipient than it is sealed to", "ask who sent it")
    return found


def convert(
    source: BinaryIO,
    sink: BinaryIO,
    identities: Sequence[Identity],
    to: Sequence[str],
    progress: Progress = lambda _done, _all: None,
) -> Converted:
    """Write a bundle with new headers for ``to`` from an export; raises CheckFailed, Refused, ConfigError.

    ``to`` is what the officer knows to be right: an export that asks for others is refused.
    """
    first, lines = bundle.read(source)
    head = bundle.head(first, bundle.OUT)
    _check_to(head, to)
    key = _mac_key(head, identities)
    back = {name: first[name] for name in ("bundle", "controller", "expires_at", "to")}
    sink.write(bundle.encode(bundle.signed({"format": bundle.BACK, **back}, key)))
    done = Converted()
    for count, (name, made) in enumerate(_wrapped(lines, head, identities), 1):
        if isinstance(made, str):
            done.refused.append((name, made))
        else:
            sink.write(bundle.encode(bundle.signed(made, key)))
            done.headers += 1
        progress(count, 0)
    sink.write(bundle.encode({"headers": done.headers}))
    return done


def _check_to(head: Head, to: Sequence[str]) -> None:
    try:
        age.check_mix([age.parse_recipient(one) for one in to])
    except age.BadRecipient as error:
        raise ConfigError(str(error), "give the recipients as they were printed by: gdprcall keys new") from error
    if tuple(to) != head.to:
        wanted = ", ".join(fingerprint(one) for one in head.to)
        text = f"the PBX asks for other recipients, or in another order: {wanted}"
        raise Refused(text, "if that is not what was agreed, ask who changed them: nothing was opened")


def _mac_key(head: Head, identities: Sequence[Identity]) -> bytes:
    for sealed in head.keys:
        out = BytesIO()
        try:
            age.decrypt(BytesIO(sealed), identities, out)
        except age.NoMatch:
            continue
        except age.AgeError as error:
            raise CheckFailed("the bundle is damaged", bundle.AGAIN) from error
        if len(out.getvalue()) == bundle.KEY_BYTES:
            return out.getvalue()
    raise Refused(
        f"this identity never was one of {head.controller}'s, as far as the PBX knows",
        "take the operational or escrow one",
    )


Made = tuple[str, "Line | str"]
"""A name, and the new line or why there is none."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What each processor works with; identities as text, since keys do not travel between processes."""

    identities: tuple[str, ...]
    controller: str
    to: tuple[str, ...]


def _wrapped(lines: Iterator[Line], head: Head, identities: Sequence[Identity]) -> Iterator[Made]:
    work = _Work(tuple(one.encode() for one in identities), head.controller, head.to)
    few = list(islice(lines, APART))
    if len(few) < APART:
        yield from _wrap_all(work, few)
        return
    # Spawned, never forked: a thread that draws the progress may be running.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        groups = _grouped(_chained(few, lines))
        waiting = [pool.submit(_wrap_all, work, group) for group in islice(groups, 4)]
        while waiting:
            yield from waiting.pop(0).result()
            waiting += [pool.submit(_wrap_all, work, group) for group in islice(groups, 1)]


def _chained(few: list[Line], lines: Iterator[Line]) -> Iterator[Line]:
    yield from few
    yield from lines


def _grouped(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while group := list(islice(lines, AT_ONCE)):
        yield group


def _wrap_all(work: _Work, lines: Iterable[Line]) -> list[Made]:
    identities = [age.parse_identity(text) for text in work.identities]
    return [_wrap(work, identities, line) for line in lines]


def _wrap(work: _Work, identities: Sequence[Identity], line: Line) -> Made:
    name = "a line"
    try:
        recording, segment, slot = bundle.place(line)
        name = recording if slot is Slot.NUMBER else f"{recording}.{segment}"
        old, part = bundle.header(line), NUMBER if slot is Slot.NUMBER else str(segment)
        file_key, header = age.open_header(old, identities)
        if bound_to(header) != (recording, f"ctl={work.controller}", f"part={part}"):
            return name, "it is bound to something else"
        new = bound_header(file_key, work.to, binding_stanza(recording, work.controller, part), os.urandom)
    except age.NoMatch:
        return name, "this identity does not open it"
    except age.AgeError as error:
        return name, f"it is damaged: {error}"
    except GdprcallError as error:
        return name, error.message
    was, text = hashlib.sha256(old).hexdigest(), base64.b64encode(new).decode()
    return name, {"recording": recording, "segment": segment, "slot": str(slot), "was": was, "header": text}
