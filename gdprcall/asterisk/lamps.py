"""The lamps of agents' telephones, over AMI: set where the daemon, and not the dialplan, ended or paused a recording.

A lamp is a device state of ours, ``Custom:gdprcall-<telephone>``. It is never lit here: that is the dialplan's.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

LAMP = re.compile(r"Custom:gdprcall-(.+)")
TELEPHONE = re.compile(r"[^/]+/(.+)-[0-9a-f]{8}")
"""A channel of a telephone; a Local channel ends otherwise and is none."""
DARK, PAUSED = "NOT_INUSE", "ONHOLD"
Act = Callable[..., Awaitable[list[Mapping[str, Any]]]]


def telephone(channel: str) -> str:
    """Return the telephone that a channel is of, by the name that its lamp has; empty for what is none."""
    found = TELEPHONE.fullmatch(channel)
    return found[1] if found else ""


async def over(act: Act, channel: str, mixmonitor: str, state: str = DARK) -> None:
    """Set the lamp of whoever talks on ``channel``, whose recording we ended; raises PeerError.

    The id of what was ended is left with the channel, so that the next telephone of the call does not light its own.
    """
    await act("Setvar", Channel=channel, Variable="GDPRCALL_OVER", Value=mixmonitor)
    for there in await behind(act, channel):
        await put(act, telephone(there), state)


async def behind(act: Act, channel: str) -> list[str]:
    """Return the channels of the telephones that ``channel`` talks with; raises PeerError.

    Behind a Local channel it is the telephone on the other side of that.
    """
    found = []
    for peer in await _peers(act, channel):
        found += await _peers(act, f"{peer[:-1]}2") if peer.endswith(";1") else [peer]
    return [one for one in found if telephone(one)]


async def put(act: Act, name: str, state: str) -> None:
    """Set one lamp; raises PeerError."""
    await act("Setvar", Variable=f"DEVICE_STATE(Custom:gdprcall-{name})", Value=state)


async def put_out_orphans(act: Act, channels: Callable[[], Awaitable[Iterable[str]]]) -> None:
    """Put out the lamps of telephones that have no channel: Asterisk keeps them over a crash; raises PeerError.

    ``channels`` is only asked if a lamp is lit.
    """
    states = (await act("DeviceStateList"))[1:]
    lit = {lamp[1] for state in states if (lamp := LAMP.fullmatch(str(state.get("Device")))) and state["State"] != DARK}
    if lit:
        for name in lit - {telephone(channel) for channel in await channels()}:
            await put(act, name, DARK)


async def _peers(act: Act, channel: str) -> list[str]:
    """Return whom a channel talks with: more than one where a third has come in."""
    return str((await act("Getvar", Channel=channel, Variable="BRIDGEPEER"))[0].get("Value", "")).split(",")
