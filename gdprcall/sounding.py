"""Lets an agent hear on the telephone what the lamp shows: recorded, paused, or not recorded any more.

The tone is the dialplan's, on the agent's own channel; the caller does not hear it. Nothing waits for it and nothing hangs on it.
"""

import asyncio
from contextlib import suppress

from gdprcall.calls import Calls
from gdprcall.errors import PeerError
from gdprcall.livecall import LiveCall


def attend(live: LiveCall, calls: Calls, tasks: asyncio.TaskGroup) -> None:
    """Let whoever answers ``live`` hear each change from now on."""

    async def sound(state: str) -> None:
        with suppress(PeerError):
            await calls.stopper.sound(live.uniqueid, state)

    def shown(state: str) -> None:
        tasks.create_task(sound(state))

    live.shown = shown
