"""Who talks with whom: which channels are in which bridge, what they are called, and who of them put the others on hold.

It judges nobody: ``calls.py`` asks it who is there.
"""

from collections.abc import Iterable


class Presence:
    """The bridges of one Asterisk, as far as events told of them."""

    def __init__(self) -> None:
        self._bridges: dict[str, set[str]] = {}
        self._place: dict[str, str] = {}  # channel: the bridge that it is in
        self._names: dict[str, str] = {}
        self._crowds: set[str] = set()  # conferences and parking lots
        self._holding: set[str] = set()

    def begin_anew(self) -> None:
        """Forget everything, for events were missed."""
        for known in (self._bridges, self._place, self._names, self._crowds, self._holding):
            known.clear()

    def entered(self, uniqueid: str, bridge: str, *, name: str = "", crowd: bool = False, swap: str = "") -> None:
        """A channel came into a bridge, in place of ``swap``; ``crowd`` is one whose members nobody can know for sure."""
        self.left(swap, bridge)
        self._bridges.setdefault(bridge, set()).add(uniqueid)
        self._place[uniqueid] = bridge
        if name:
            self._names[uniqueid] = name
        if crowd:
            self._crowds.add(bridge)

    def left(self, uniqueid: str, bridge: str) -> None:
        """A channel left a bridge."""
        if self._place.get(uniqueid) == bridge:
            del self._place[uniqueid]
        members = self._bridges.get(bridge, set())
        members.discard(uniqueid)
        if not members:
            self._bridges.pop(bridge, None)
            self._crowds.discard(bridge)

    def gone(self, uniqueid: str) -> None:
        """A channel ended."""
        if uniqueid in self._place:
            self.left(uniqueid, self._place[uniqueid])
        self._names.pop(uniqueid, None)
        self._holding.discard(uniqueid)

    def held(self, uniqueid: str, *, on: bool) -> None:
        """A channel put the others on hold, or took them off."""
        if on:
            self._holding.add(uniqueid)
        else:
            self._holding.discard(uniqueid)

    def bridges(self) -> list[str]:
        """Return the bridges that somebody is in."""
        return list(self._bridges)

    def bridge_of(self, uniqueid: str) -> str | None:
        """Return the bridge that a channel is in."""
        return self._place.get(uniqueid)

    def members(self, bridge: str) -> frozenset[str]:
        """Return who is in a bridge."""
        return frozenset(self._bridges.get(bridge, ()))

    def company(self, uniqueid: str) -> frozenset[str]:
        """Return who is in one bridge with a channel."""
        return self.members(self._place.get(uniqueid, "")) - {uniqueid}

    def in_crowd(self, uniqueid: str) -> bool:
        """Whether a channel is in a conference or parked."""
        return self._place.get(uniqueid) in self._crowds

    def name(self, uniqueid: str) -> str:
        """Return what Asterisk calls a channel, such as PJSIP/201-00000007; nothing when it was not told."""
        return self._names.get(uniqueid, "")

    def any_holds(self, uniqueids: Iterable[str]) -> bool:
        """Whether one of these channels has put the others on hold."""
        return not self._holding.isdisjoint(uniqueids)
