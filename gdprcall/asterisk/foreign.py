"""Ends recorders that are not ours, with the rights that we have: no file and no id of them is known to us.

It ends nothing by itself; who calls it has made sure that what is ended is not ours.
"""

from gdprcall.asterisk.ami import Ami
from gdprcall.asterisk.ami_events import Recorder, RecorderStarted
from gdprcall.errors import PeerError

MOST = 32
"""How many recorders are ended on one channel at once: a loop without an end ends nothing."""
CONFERENCE_HINT = "asterisk -rx 'confbridge record stop <conference>'"
OVER = ("could not stop", "no such channel")


async def end(ami: Ami, found: RecorderStarted, *, every: bool) -> bool:
    """End one recorder, the newest of its channel, or with ``every`` all that are on it; whether one was ended.

    Raises PeerError when that is not known.
    """
    match found.what:
        case Recorder.MIXMONITOR:
            return await _mixmonitors(ami, found.place, MOST if every else 1)
        case Recorder.MONITOR:
            return await _done(ami, "StopMonitor", found.place)
        case Recorder.SNOOP:
            return await _done(ami, "Hangup", found.tap)
        case Recorder.CONFERENCE:
            # Its recorder is a channel that no action lists, and the one that would end it is for "system" alone.
            raise PeerError("a conference's recorder cannot be ended with our rights", CONFERENCE_HINT)


async def _mixmonitors(ami: Ami, channel: str, most: int) -> bool:
    """End MixMonitors of a channel, the newest first, which is what Asterisk does without an id."""
    ended = 0
    while ended < most and await _done(ami, "StopMixMonitor", channel):
        ended += 1
    return ended > 0


async def _done(ami: Ami, action: str, channel: str) -> bool:
    """Send an action; False when there was nothing left that it could end; raises PeerError when that is not known."""
    try:
        await ami.action(action, Channel=channel)
    except PeerError as error:
        if any(said in error.message.lower() for said in OVER):
            return False
        raise
    return True
