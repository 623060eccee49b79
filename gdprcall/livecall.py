"""One call that is recorded or about to be, as far as the daemon follows it, and what it asks of Asterisk about it.

It does nothing of itself.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from gdprcall.consent.dialogue import (
    Agreed,
    ContractBegun,
    ContractEnded,
    Event,
    MinorSuspected,
    Paused,
    PrivateCall,
    Resumed,
    SpokenYes,
    Withdrawn,
)

WORDS: dict[str, Event] = {
    "contract": ContractBegun(),
    "done": ContractEnded(),
    "yes": SpokenYes(),
    "agreed": Agreed(),
    "no": Withdrawn("spoken"),
    "minor": MinorSuspected(),
    "pause": Paused("card"),
    "resume": Resumed("card"),
    "private": PrivateCall(),
}
"""What an agent may say of a call by key, as the dialplan names it."""

LOCAL = "Local/"
RECORDED = "INUSE"
"""What the lamp of an agent who is recorded shows."""


class Stopper(Protocol):
    """The part of the AMI link that ends recordings, and lets one begin in mid-call."""

    async def stop_recording(self, channel: str, mixmonitor: str) -> bool:
        """End one MixMonitor; False when there was none any more; raises PeerError when that is not known."""

    async def let_begin(self, channel: str, recording: str) -> None:
        """Tell the dialplan, which waits for it, that this recording may begin; raises PeerError."""

    async def begin_segment(self, channel: str, recording: str) -> None:
        """Have the dialplan begin the next segment of this recording in the running call; raises PeerError."""

    async def call_off(self, channel: str) -> str:
        """Let no further segment begin; return the id of the MixMonitor that began last; raises PeerError."""

    async def ask_other(self, channel: str, other: str, question: str) -> None:
        """Have the dialplan ask ``other``, who talks with ``channel``; raises PeerError."""

    async def sound(self, channel: str, state: str) -> None:
        """Let the agent who talks on ``channel`` hear what the lamp shows; raises PeerError."""

    async def set_lamp(self, channel: str, mixmonitor: str, state: str) -> None:
        """Set the lamp of the agent who talks there, whose recording was ended; raises PeerError."""


class Ends(Protocol):
    """Who wants to know which channels have ended, those of calls that are not followed any more among them."""

    def hung_up(self, uniqueid: str) -> None:
        """Hear that a channel ended."""

    def still_up(self, uniqueids: frozenset[str]) -> None:
        """Hear which channels are up, after events were missed."""


@dataclass(slots=True)
class LiveCall:
    """One call that is recorded, or about to be.

    ``through`` is the Local channel that is between the caller and whom he was asked about, without its end, until Asterisk takes it out.
    ``expects`` is the name of the channel that it was dialled to, where that is all that is known of whom it talked with.
    ``met`` is told the name of the channel that the caller first talks with. ``ask`` puts the question to somebody who joined, where the line wants that; ``asked`` are those it was put to,
    ``cleared`` those who may be recorded. While ``strangers`` are there, or one side is ``on_hold``, nothing may be.
    ``further`` says that its running segment is not the first, so that it can be called off.
    ``unwatched`` says that who came was learnt of too late.
    ``shown`` is told what the agent's lamp shows from now on, where he is to hear it.
    ``silent`` is set while it is certain that no MixMonitor of it runs any more.
    """

    recording: str
    uniqueid: str
    channel: str
    deliver: Callable[[Event], None]
    segment: int = 1
    mixmonitor: str = ""
    peer: str = ""
    expects: str = ""
    through: str = ""
    ending: bool = False
    met: Callable[[str], None] | None = None
    ask: Callable[[str], None] | None = None
    answered: Callable[[str, str], None] | None = None
    shown: Callable[[str], None] | None = None
    asked: set[str] = field(default_factory=set)
    cleared: set[str] = field(default_factory=set)
    strangers: bool = False
    unwatched: bool = False
    further: bool = False
    on_hold: bool = False
    told: asyncio.Event = field(default_factory=asyncio.Event)
    seen: asyncio.Event = field(default_factory=asyncio.Event)
    silent: asyncio.Event = field(default_factory=asyncio.Event)

    def begins(self, segment: int, mixmonitor: str, channel: str) -> None:
        """Know that a segment runs."""
        self.segment, self.mixmonitor, self.channel = segment, mixmonitor, channel
        self.silent.clear()
        self.told.set()
        self.show(RECORDED)

    def show(self, state: str) -> None:
        """Tell what the lamp of the agent shows, if there is one in the call."""
        if self.shown is not None and self.peer:
            self.shown(state)

    def may_be(self, name: str) -> bool:
        """Whether a channel of this name can be whom the caller was asked about; a Local channel may be out of the way by now."""
        return not self.expects or name in {self.expects, ""} or self.expects.startswith(LOCAL)

    def meets(self, uniqueid: str, name: str) -> None:
        """Know whom the caller was asked about."""
        self.peer = uniqueid
        self.cleared.add(uniqueid)
        self.through = name[:-2] if name.startswith(LOCAL) else ""
        if self.told.is_set() and not self.silent.is_set():
            self.show(RECORDED)
