"""AMI behind its guard: each measured trap of the library is closed, against a fake that springs it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gdprcall.asterisk import ami as module
from gdprcall.asterisk import amilink
from gdprcall.asterisk.ami import Ami, LoginRefused
from gdprcall.asterisk.ami_events import AmiEvent, HungUp, RecordingStarted
from gdprcall.errors import PeerError
from tests.fakes.ami import FakeAmi, serving

REC = "0123456789abcdef" * 2


class Seen:
    def __init__(self) -> None:
        self.events: asyncio.Queue[AmiEvent] = asyncio.Queue()
        self.ups: asyncio.Queue[None] = asyncio.Queue()

    async def up(self) -> None:
        self.ups.put_nowait(None)


@asynccontextmanager
async def linked(secret: str = "secret") -> AsyncIterator[tuple[FakeAmi, Ami, Seen]]:
    seen = Seen()
    async with serving() as fake:
        client = Ami("127.0.0.1", fake.port, "gdprcall", secret, on_event=seen.events.put_nowait, on_up=seen.up)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(client.run())
            try:
                yield fake, client, seen
            finally:
                task.cancel()


async def up(seen: Seen) -> None:
    await asyncio.wait_for(seen.ups.get(), 5)


async def test_it_logs_in_and_hands_on_what_concerns_us() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        assert client.linked
        await fake.event(b"Event: Newexten\r\nUniqueid: 1.1\r\n\r\nEvent: Hangup\r\nUniqueid: 1.2\r\n\r\n")
        assert await asyncio.wait_for(seen.events.get(), 5) == HungUp("1.2")


async def test_a_wrong_password_is_noticed_and_nothing_is_linked() -> None:
    async with linked("wrong") as (fake, client, seen):
        await asyncio.wait_for(fake.logins.get(), 5)
        await asyncio.wait_for(fake.logins.get(), 5)
        assert not client.linked
        assert seen.ups.empty()


async def test_a_lost_link_fails_what_waits_and_replays_nothing_afterwards() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        fake.breaks_at.add("StopMixMonitor")
        with pytest.raises(PeerError, match="lost"):
            await client.stop_recording("PJSIP/a-1", "0x1")
        await up(seen)
        await client.action("Ping")
        assert len(fake.sent("StopMixMonitor")) == 1


async def test_an_action_that_is_never_answered_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amilink, "ACTION_SECONDS", 0.2)
    async with linked() as (fake, client, seen):
        await up(seen)
        fake.silent.add("Status")
        with pytest.raises(PeerError, match="in time"):
            await client.live()


async def test_a_peer_that_no_longer_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amilink, "ACTION_SECONDS", 0.2)
    monkeypatch.setattr(module, "PING_SECONDS", 0.1)
    async with linked() as (fake, _, seen):
        await up(seen)
        fake.silent.add("Ping")
        await up(seen)
        assert len(fake.writers) == 2


async def test_without_a_link_an_action_fails_at_once() -> None:
    client = Ami("127.0.0.1", 1, "u", "s", on_event=lambda _e: None, on_up=Seen().up)
    with pytest.raises(PeerError, match="not connected"):
        await client.action("Ping")
    with pytest.raises(PeerError, match="cannot be reached"):
        async with client.once():
            pass


@pytest.mark.parametrize("bad", ["x\r\nAction: Originate", "x\ny", "x\0"])
async def test_a_value_cannot_smuggle_a_second_action(bad: str) -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        with pytest.raises(PeerError, match="line break"):
            await client.stop_recording(bad, "0x1")
        assert not fake.sent("Originate")
    with pytest.raises(PeerError):
        Ami("h", 1, bad, "s", on_event=lambda _e: None, on_up=Seen().up)


async def test_a_character_that_is_split_between_packets_stays_whole() -> None:
    async with linked() as (fake, _, seen):
        await up(seen)
        text = (
            f"Event: UserEvent\r\nUserEvent: GdprCall\r\nKind: started\r\nRec: {REC}\r\nChannel: PJSIP/Jürgen-1\r\n\r\n"
        )
        data = text.encode()
        cut = data.index("ü".encode()) + 1
        await fake.event(data[:cut])
        await asyncio.sleep(0.05)
        await fake.event(data[cut:])
        event = await asyncio.wait_for(seen.events.get(), 5)
        assert isinstance(event, RecordingStarted)
        assert event.channel == "PJSIP/Jürgen-1"


async def test_an_event_that_cannot_be_handled_does_not_take_the_link_down() -> None:
    got: asyncio.Queue[AmiEvent] = asyncio.Queue()

    def handle(event: AmiEvent) -> None:
        if event == HungUp("bad"):
            raise KeyError("x")
        got.put_nowait(event)

    seen = Seen()
    async with serving() as fake:
        client = Ami("127.0.0.1", fake.port, "gdprcall", "secret", on_event=handle, on_up=seen.up)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(client.run())
            await up(seen)
            await fake.event(b"Event: Hangup\r\nUniqueid: bad\r\n\r\nEvent: Hangup\r\nUniqueid: good\r\n\r\n")
            assert await asyncio.wait_for(got.get(), 5) == HungUp("good")
            task.cancel()


async def test_a_recording_that_is_over_already_is_no_error() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        assert await client.stop_recording("PJSIP/a-1", "0x1") is True
        fake.answers["StopMixMonitor"] = b"Response: Error\r\nMessage: Could not stop monitoring channel\r\n%TAG%\r\n"
        assert await client.stop_recording("PJSIP/a-1", "0x1") is False
        fake.answers["StopMixMonitor"] = b"Response: Error\r\nMessage: Permission denied\r\n%TAG%\r\n"
        with pytest.raises(PeerError, match="Permission denied"):
            await client.stop_recording("PJSIP/a-1", "0x1")


LIST = b"Response: Success\r\nEventList: start\r\nMessage: Result will follow\r\n%TAG%\r\n"


async def test_withdrawal_marks_are_listed_and_looked_up() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        fake.answers["DBGetTree"] = (
            LIST
            + f"Event: DBGetTreeResponse\r\nKey: /gdprcall/withdrawn/{REC}\r\nVal: 17\r\n%TAG%\r\n".encode()
            + b"Event: DBGetTreeComplete\r\nEventList: Complete\r\n%TAG%\r\n"
        )
        assert await client.withdrawn_marks() == [REC]
        fake.answers["DBGet"] = (
            LIST
            + b"Event: DBGetResponse\r\nKey: x\r\nVal: 17\r\n%TAG%\r\n"
            + b"Event: DBGetComplete\r\nEventList: Complete\r\n%TAG%\r\n"
        )
        assert await client.withdrawn_mark(REC) is True


async def test_no_mark_at_all_is_an_answer_and_a_refusal_is_none() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        for action in ("DBGet", "DBGetTree"):
            fake.answers[action] = b"Response: Error\r\nMessage: Database entry not found\r\n%TAG%\r\n"
        assert await client.withdrawn_marks() == []
        assert await client.withdrawn_mark(REC) is False
        for action in ("DBGet", "DBGetTree"):
            fake.answers[action] = b"Response: Error\r\nMessage: Permission denied\r\n%TAG%\r\n"
        with pytest.raises(PeerError):
            await client.withdrawn_marks()
        with pytest.raises(PeerError):
            await client.withdrawn_mark(REC)


async def test_a_channel_is_up_gone_or_cannot_be_asked_about() -> None:
    async with linked() as (fake, ami, seen):
        await up(seen)
        fake.answers["Status"] = (
            LIST
            + b"Event: Status\r\nChannel: PJSIP/a-1\r\nUniqueid: 1.1\r\n%TAG%\r\n"
            + (b"Event: StatusComplete\r\nEventList: Complete\r\n%TAG%\r\n")
        )
        assert await ami.is_up("1.1")
        fake.answers["Status"] = b"Response: Error\r\n%TAG%Message: No such channel\r\n\r\n"
        assert not await ami.is_up("1.1")
        fake.answers["Status"] = b"Response: Error\r\n%TAG%Message: Permission denied\r\n\r\n"
        with pytest.raises(PeerError):
            await ami.is_up("1.1")


async def test_all_channels_are_listed_with_the_recording_of_ours_that_is_on_them() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        one = "Event: Status\r\nChannel: PJSIP/a-1\r\nUniqueid: 1.1\r\nBridgeID: b\r\n"
        mine = f"Variable: GDPRCALL_REC={REC}\r\nVariable: GDPRCALL_SEG=2\r\nVariable: GDPRCALL_MMID=0x1\r\n%TAG%\r\n"
        none = "Variable: GDPRCALL_REC=(null)\r\nVariable: GDPRCALL_SEG=(null)\r\nVariable: GDPRCALL_MMID=(null)\r\n%TAG%\r\n"
        end = "Event: StatusComplete\r\nEventList: Complete\r\n%TAG%\r\n"
        fake.answers["Status"] = LIST + (one + mine + one + none + end).encode()
        channel, other = await client.live()
        assert (other.recording, other.segment, other.mixmonitor) == ("", 1, "")
        assert (channel.recording, channel.segment, channel.mixmonitor, channel.bridge) == (REC, 2, "0x1", "b")


async def test_a_channel_whose_name_is_not_ascii_is_named_as_asterisk_knows_it() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        await client.stop_recording("PJSIP/Łódź-1", "0x1")
        (action,) = fake.sent("StopMixMonitor")
        assert action["Channel"] == "PJSIP/Łódź-1"


async def test_who_waits_when_the_link_is_given_up_is_told_at_once() -> None:
    async with serving() as fake:
        client = Ami("127.0.0.1", fake.port, "gdprcall", "secret", on_event=lambda _e: None, on_up=Seen().up)
        fake.silent.add("Status")
        async with client.once():
            waiting = asyncio.ensure_future(client.live())
            await fake.arrived("Status")
        with pytest.raises(PeerError, match="lost"):
            await asyncio.wait_for(waiting, 1)
        with pytest.raises(PeerError, match="not connected"):
            await client.live()


async def test_a_login_that_is_refused_is_told_apart_from_one_that_is_not_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(amilink, "ACTION_SECONDS", 0.2)
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    async with serving() as fake:
        client = Ami("127.0.0.1", fake.port, "gdprcall", "wrong", on_event=lambda _e: None, on_up=Seen().up)
        with pytest.raises(LoginRefused) as refused:
            async with client.once():
                pass
        assert "wrong" not in str(refused.value)
        fake.silent.add("Login")
        with pytest.raises(PeerError, match="in time"):
            async with client.once():
                pass
        fake.breaks_at.add("Login")
        with pytest.raises(PeerError, match="lost"):
            async with client.once():
                pass
        with pytest.raises(PeerError, match="not connected"):
            await client.action("Ping")
    await asyncio.sleep(0)
    assert not complaints


async def test_nothing_is_sent_before_asterisk_let_us_in() -> None:
    async with linked() as (fake, client, _):
        fake.silent.add("Login")
        await fake.arrived("Login")
        with pytest.raises(PeerError, match="not connected"):
            await client.withdrawn_mark(REC)
        assert not fake.sent("DBGet")


async def test_a_link_that_cannot_catch_up_is_made_again() -> None:
    tries: asyncio.Queue[None] = asyncio.Queue()

    async def fails() -> None:
        tries.put_nowait(None)
        raise PeerError("AMI refused Status")

    async with serving() as fake:
        client = Ami("127.0.0.1", fake.port, "gdprcall", "secret", on_event=lambda _e: None, on_up=fails)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(client.run())
            for _ in range(2):
                await asyncio.wait_for(tries.get(), 5)
            task.cancel()
        assert len(fake.writers) == 2


async def test_a_header_that_comes_twice_counts_once_as_it_was_first() -> None:
    async with linked() as (fake, _, seen):
        await up(seen)
        await fake.event(b"Event: Hangup\r\nEvent: Shutdown\r\nUniqueid: 1.1\r\nUniqueid: 1.2\r\n\r\n")
        assert await asyncio.wait_for(seen.events.get(), 5) == HungUp("1.1")
        assert len(fake.writers) == 1


async def test_an_answer_that_makes_no_sense_costs_one_message_and_not_the_link() -> None:
    async with linked() as (fake, _, seen):
        await up(seen)
        await fake.event(b"Event: Hangup\r\nEvent: Hangup\r\nActionID: x\r\nUniqueid: 1.1\r\n\r\n")
        await fake.event(b"Event: Hangup\r\nUniqueid: 1.2\r\n\r\n")
        assert await asyncio.wait_for(seen.events.get(), 5) == HungUp("1.2")
        assert len(fake.writers) == 1


async def test_a_message_without_an_end_closes_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amilink, "LONGEST_MESSAGE", 1000)
    async with linked() as (fake, _, seen):
        await up(seen)
        await fake.event(b"Event: Hangup\r\nUniqueid: " + b"1" * 1000)
        await up(seen)
        assert len(fake.writers) == 2


async def test_a_list_without_an_end_closes_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amilink, "LONGEST_LIST", 10)
    async with linked() as (fake, client, seen):
        await up(seen)
        fake.answers["Status"] = LIST + b"Event: Status\r\nChannel: x\r\nUniqueid: 1\r\n%TAG%\r\n" * 20
        with pytest.raises(PeerError, match="lost"):
            await client.live()
        await up(seen)


async def test_sec_04_a_mark_that_is_not_an_id_is_passed_over() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        fake.answers["DBGetTree"] = (
            LIST
            + b"Event: DBGetTreeResponse\r\nKey: /gdprcall/withdrawn/\r\nVal: 17\r\n%TAG%\r\n"
            + b"Event: DBGetTreeResponse\r\nKey: /gdprcall/withdrawn/x@y\r\nVal: 17\r\n%TAG%\r\n"
            + b"Event: DBGetTreeComplete\r\nEventList: Complete\r\n%TAG%\r\n"
        )
        assert await client.withdrawn_marks() == []


async def test_an_event_is_as_late_as_asterisk_says_and_in_time_where_it_says_nothing() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        late = []
        for stamp in (f"Timestamp: {time.time():.6f}\r\n", f"Timestamp: {time.time() - 1:.6f}\r\n", ""):
            await fake.event(f"Event: Hangup\r\nUniqueid: 1.1\r\n{stamp}\r\n".encode())
            await asyncio.wait_for(seen.events.get(), 5)
            late.append(client.is_behind())
        assert late == [False, True, False]


async def test_what_is_called_off_may_not_begin_before_the_last_one_is_asked_for() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        fake.answers["Getvar"] = b"Response: Success\r\nVariable: GDPRCALL_MMID\r\nValue: 0x7\r\n%TAG%\r\n"
        assert await client.call_off("1.1") == "0x7"
        (told,) = fake.sent("Setvar")
        assert (told["Channel"], told["Variable"], told.get("Value", "")) == ("1.1", "GDPRCALL_GO", "")


async def test_what_an_agent_is_to_hear_begins_on_his_own_telephone() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        peer = b"Response: Success\r\nVariable: BRIDGEPEER\r\nValue: PJSIP/201-00000001\r\n%TAG%\r\n"
        fake.answers["Getvar"] = peer
        await client.sound("1.1", "ONHOLD")
        (told,), (pressed,) = fake.sent("Setvar"), fake.sent("PlayDTMF")
        assert (told["Channel"], told["Variable"], told["Value"]) == ("PJSIP/201-00000001", "GDPRCALL_TONE", "ONHOLD")
        assert (pressed["Channel"], pressed["Digit"], pressed["Receive"]) == ("PJSIP/201-00000001", "C", "true")


async def test_a_recorder_without_an_id_is_not_ended_for_that_would_end_those_of_others() -> None:
    async with linked() as (fake, client, seen):
        await up(seen)
        assert not await client.stop_recording("1.1", "")
        assert fake.sent("StopMixMonitor") == []
