"""How a recorder that is not ours is ended over AMI: by which action, how often, and what is no end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gdprcall.asterisk import foreign
from gdprcall.asterisk.ami import Ami
from gdprcall.asterisk.ami_events import Recorder, RecorderStarted
from gdprcall.errors import PeerError
from tests.fakes.ami import FakeAmi, serving

MIXMONITOR = RecorderStarted(Recorder.MIXMONITOR, "1.1")
NONE_LEFT = b"Response: Error\r\n%TAG%Message: Could not stop monitoring channel\r\n\r\n"


@asynccontextmanager
async def logged_in() -> AsyncIterator[tuple[FakeAmi, Ami]]:
    async def up() -> None:
        """Nothing is waited for."""

    async with serving() as fake:
        client = Ami("127.0.0.1", fake.port, "gdprcall", fake.secret, on_event=lambda _event: None, on_up=up)
        async with client.once():
            yield fake, client


@pytest.mark.parametrize(
    ("found", "action", "channel"),
    [
        (MIXMONITOR, "StopMixMonitor", "1.1"),
        (RecorderStarted(Recorder.MONITOR, "1.1"), "StopMonitor", "1.1"),
        (RecorderStarted(Recorder.SNOOP, "1.1", tap="1.9"), "Hangup", "1.9"),
    ],
)
async def test_each_recorder_is_ended_by_one_action_on_its_channel(
    found: RecorderStarted, action: str, channel: str
) -> None:
    async with logged_in() as (fake, client):
        assert await foreign.end(client, found, every=False)
        (sent,) = fake.sent(action)
        assert sent["Channel"] == channel
        # Without an id Asterisk ends the newest; an id of another's is never known.
        assert "MixMonitorID" not in sent


async def test_all_are_ended_until_asterisk_says_that_none_is_left_and_never_for_ever() -> None:
    async with logged_in() as (fake, client):
        assert await foreign.end(client, MIXMONITOR, every=True)
        assert len(fake.sent("StopMixMonitor")) == foreign.MOST


@pytest.mark.parametrize("message", ["Could not stop monitoring channel", "No such channel"])
async def test_one_that_had_ended_already_is_no_end_of_ours_and_no_failure(message: str) -> None:
    async with logged_in() as (fake, client):
        fake.answers["StopMixMonitor"] = NONE_LEFT.replace(b"Could not stop monitoring channel", message.encode())
        assert not await foreign.end(client, MIXMONITOR, every=True)
        assert len(fake.sent("StopMixMonitor")) == 1


async def test_an_answer_that_leaves_the_matter_open_is_a_failure() -> None:
    async with logged_in() as (fake, client):
        fake.answers["StopMixMonitor"] = b"Response: Error\r\n%TAG%Message: Permission denied\r\n\r\n"
        with pytest.raises(PeerError, match="Permission denied"):
            await foreign.end(client, MIXMONITOR, every=True)


async def test_a_conferences_recorder_is_out_of_reach_and_that_is_said_with_the_mend() -> None:
    async with logged_in() as (fake, client):
        with pytest.raises(PeerError, match="our rights") as raised:
            await foreign.end(client, RecorderStarted(Recorder.CONFERENCE, "b"), every=True)
        assert "confbridge record stop" in raised.value.hint
        assert [action["Action"] for action in fake.actions] == ["Login"]
