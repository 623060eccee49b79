"""Vaults for tests: a controller with a real identity, sound files as Asterisk writes them, and decisions to seal under."""

import hashlib
import random
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from gdprcall import age
from gdprcall.times import DAY_MS
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.rows import SegmentFacts

NUMBER = "+493012345678"
SUBJECT = "5b" * 16
DAY_ONE = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: int = DAY_ONE) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Controller:
    """A controller whose identity a test may use, which the vault never may."""

    def __init__(self, name: str = "acme", seed: int = 1) -> None:
        self.name = name
        source = random.Random(seed)
        self.identities = [age.X25519Identity.generate(source.randbytes) for _ in range(2)]
        self.recipients = tuple(identity.recipient().encode() for identity in self.identities)

    def opens(self, data: bytes, which: int = 0) -> bytes:
        """Return the plaintext of a whole age file."""
        out = BytesIO()
        age.decrypt(BytesIO(data), [self.identities[which]], out)
        return out.getvalue()


ACME = Controller()


def recording_id(number: int = 1) -> str:
    """Return the id of a test's recording: the same for the same number."""
    return hashlib.sha256(f"recording {number}".encode()).hexdigest()[:32]


def decision(recording: str, *, controller: str = "acme", **more: object) -> Fact:
    """Return a granted decision under which ``recording`` may be sealed."""
    body: dict[str, object] = {
        "decision": hashlib.sha256(f"decision {recording}".encode()).hexdigest()[:32],
        "call": hashlib.sha256(f"call {recording}".encode()).hexdigest()[:32],
        "uniqueid": "1767225600.1",
        "line": "support",
        "purpose": "quality",
        "basis": "consent",
        "outcome": "granted",
        "reason": "accepted",
        "language": "en",
        "prompt_sha256": "cd" * 32,
        "heard_ms": 5_000,
        "mandatory_ms": 4_000,
        "attempts": 1,
        "policy_sha256": "ef" * 32,
        "retention_days": 30,
        "recipients": [],
        "software": "test",
        "front": "test",
    }
    return Fact(Kind.DECISION, recording, controller, body | more)


def caller(recording: str, *, controller: str = "acme", subject: str = SUBJECT) -> Fact:
    """Return the fact of whose recording it is, which stands right behind the decision."""
    return Fact(Kind.SUBJECT, recording, controller, {"subject": subject})


def wav(seconds: float = 1.0, seed: int = 1, *, finished: bool = True) -> bytes:
    """Return a mono 8 kHz WAV of noise; an unfinished one has zeros for sizes, as a killed Asterisk leaves it."""
    sound = random.Random(seed).randbytes(round(seconds * 8000) * 2)
    sizes = (len(sound) + 36, len(sound)) if finished else (0, 0)
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", sizes[0], b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", sizes[1])  # fmt: skip
    return head + sound


def facts(recording: str, segment: int = 1, *, controller: Controller = ACME, closed_at: int = DAY_ONE) -> SegmentFacts:
    """Return what intake knows of a finished file."""
    return SegmentFacts(
        recording=recording,
        segment=segment,
        controller=controller.name,
        recipients=controller.recipients,
        started_at=closed_at - 1_000,
        closed_at=closed_at,
        retention_days=30,
    )


def spooled(folder: Path, recording: str, segment: int = 1, data: bytes | None = None) -> Path:
    """Put a finished file into the spool and return it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{recording}.{segment}.wav"
    path.write_bytes(wav(seed=segment) if data is None else data)
    return path


def opened(
    folder: Path,
    *,
    clock: Clock | None = None,
    step: Callable[[str], None] = lambda _name: None,
    memory: Path | None = None,
) -> Vault:
    """Open the vault of a test."""
    return Vault.open(folder / "vault", clock=clock or Clock(), step=step, memory=memory)


def sealed(
    vault: Vault,
    spool: Path,
    number: int = 1,
    *,
    controller: Controller = ACME,
    segments: int = 1,
    subject: str | None = None,
    closed_at: int = DAY_ONE,
    **more: object,
) -> str:
    """Grant, seal and return a recording with its caller's number."""
    recording = recording_id(number)
    vault.keep_number(recording, controller.name, NUMBER, controller.recipients)
    told = [caller(recording, controller=controller.name, subject=subject)] if subject else []
    vault.submit(decision(recording, controller=controller.name, **more), *told).result()
    for segment in range(1, segments + 1):
        data = wav(seed=number * 100 + segment)
        known = facts(recording, segment, controller=controller, closed_at=closed_at)
        vault.seal(spooled(spool, recording, segment, data), known)
    return recording


def files_with(folder: Path, *needles: bytes) -> list[str]:
    """Return the names of the files under a folder in which one of ``needles`` lies somewhere: a search of raw bytes."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [str(path.relative_to(folder)) for path in files if any(needle in path.read_bytes() for needle in needles)]


def whole(vault: Vault, recording: str, segment: int = 1) -> bytes:
    """Return an export as the plain age file that it is."""
    export = vault.export(recording, segment, actor="test", purpose="test")
    return export.header + export.payload.read_bytes()


EXPIRED = DAY_ONE + 31 * DAY_MS
