"""The ARI client, against a fake for what a real Asterisk does not do on demand: lost links, refusals, hangs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gdprcall.asterisk import ari as module
from gdprcall.asterisk.ari import ApplicationReplaced, Ari, AriEvent, Forbidden, Gone
from gdprcall.errors import ConfigError, PeerError
from tests.fakes.ari import FakeAri, serving


class Seen:
    """What the client told."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[AriEvent] = asyncio.Queue()
        self.ups: asyncio.Queue[bool] = asyncio.Queue()
        self.client: Ari | None = None

    async def up(self) -> None:
        assert self.client is not None
        self.ups.put_nowait(self.client.up)


@asynccontextmanager
async def running(fake: FakeAri, on_event: Callable[[AriEvent], None] | None = None) -> AsyncIterator[tuple[Ari, Seen]]:
    seen = Seen()
    client = Ari(fake.url, "user", "pass", "gdprcall", on_event=on_event or seen.events.put_nowait, on_up=seen.up)
    seen.client = client
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(client.run())
        try:
            yield client, seen
        finally:
            task.cancel()


async def test_it_connects_filters_events_and_is_up_only_after_the_sweep() -> None:
    async with serving() as fake, running(fake) as (client, seen):
        assert await asyncio.wait_for(seen.ups.get(), 5) is False
        await fake.send({"type": "StasisStart", "n": 1})
        assert (await asyncio.wait_for(seen.events.get(), 5))["n"] == 1
        assert client.up
        assert client.version == "22.10.1"
        assert fake.asked("PUT", "/applications/gdprcall/eventFilter")


async def test_sec_05_the_password_is_in_a_header_and_never_in_a_url() -> None:
    async with serving() as fake, running(fake) as (_, seen):
        await asyncio.wait_for(seen.ups.get(), 5)
        assert all(header == "Basic dXNlcjpwYXNz" for header in fake.headers)
        assert not any("api_key" in query or "pass" in str(query) for _, _, query in fake.requests)


async def test_a_lost_link_is_made_again_with_filter_and_sweep() -> None:
    async with serving() as fake, running(fake) as (client, seen):
        await asyncio.wait_for(seen.ups.get(), 5)
        await fake.drop()
        assert await asyncio.wait_for(seen.ups.get(), 5) is False
        assert len(fake.asked("PUT", "/applications/gdprcall/eventFilter")) == 2
        await fake.send({"type": "x"})
        await asyncio.wait_for(seen.events.get(), 5)
        assert client.up


async def test_events_come_in_the_order_in_which_they_were_sent() -> None:
    async with serving() as fake, running(fake) as (_, seen):
        await asyncio.wait_for(seen.ups.get(), 5)
        for number in range(50):
            await fake.send({"type": "x", "n": number})
        assert [(await asyncio.wait_for(seen.events.get(), 5))["n"] for _ in range(50)] == list(range(50))


async def test_an_event_that_cannot_be_handled_does_not_take_the_link_down() -> None:
    got: asyncio.Queue[AriEvent] = asyncio.Queue()

    def handle(event: AriEvent) -> None:
        if event.get("bad"):
            raise KeyError("channel")
        got.put_nowait(event)

    async with serving() as fake, running(fake, handle) as (_, seen):
        await asyncio.wait_for(seen.ups.get(), 5)
        await fake.send({"type": "x", "bad": True})
        await fake.send("this is no JSON")
        await fake.send({"type": "x", "n": 2})
        assert (await asyncio.wait_for(got.get(), 5))["n"] == 2
        assert len(fake.sockets) == 1


async def test_another_program_that_takes_the_application_ends_it_with_an_error() -> None:
    async with serving() as fake:
        with pytest.raises(ExceptionGroup) as caught:
            async with running(fake) as (_, seen):
                await asyncio.wait_for(seen.ups.get(), 5)
                await fake.send({"type": "ApplicationReplaced"})
                await asyncio.Event().wait()
        assert caught.group_contains(ApplicationReplaced)


@pytest.mark.parametrize("version", ["13.38.3", "16.2.1", "unknown"])
async def test_an_asterisk_that_is_too_old_ends_it_with_an_error(version: str) -> None:
    async with serving() as fake:
        fake.version = version
        fake.filter_status = 404  # those have no event filters
        with pytest.raises(ExceptionGroup) as caught:
            async with running(fake), asyncio.timeout(5):
                await asyncio.Event().wait()
        assert caught.group_contains(ConfigError)


@pytest.mark.parametrize("status", [401, 503])
async def test_a_refused_link_is_tried_again(status: int) -> None:
    async with serving() as fake:
        fake.handshake = status
        async with running(fake) as (_, seen):
            async with asyncio.timeout(5):
                while len(fake.asked("GET", "/events")) < 2:
                    await asyncio.sleep(0.01)
            fake.handshake = 101
            await asyncio.wait_for(seen.ups.get(), 5)


async def test_an_asterisk_that_is_not_there_is_waited_for() -> None:
    async with serving() as fake:
        url = fake.url
    seen = Seen()
    seen.client = Ari(url, "user", "pass", "gdprcall", on_event=seen.events.put_nowait, on_up=seen.up)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(seen.client.run())
        await asyncio.sleep(0.3)
        assert not task.done()
        assert not seen.client.up
        task.cancel()


@asynccontextmanager
async def requesting() -> AsyncIterator[tuple[FakeAri, Ari]]:
    async with serving() as fake:
        seen = Seen()
        client = Ari(fake.url + "/", "user", "pass", "gdprcall", on_event=seen.events.put_nowait, on_up=seen.up)
        async with client.requests():
            yield fake, client


async def test_a_verdict_travels_in_the_extension_and_no_variable_is_ever_set() -> None:
    async with requesting() as (fake, client):
        await client.continue_("17.1", "gdprcall-verdict", "norec")
        wanted = {"context": "gdprcall-verdict", "extension": "norec", "priority": "1"}
        assert fake.asked("POST", "/channels/17.1/continue") == [wanted]
        await client.play("17.1", "sound:x", "sv", "p1")
        assert fake.asked("POST", "/channels/17.1/play/p1") == [{"media": "sound:x", "lang": "sv"}]
        await client.stop_playback("p1")
        await client.run_local("forget0", "gdprcall-forget")
        assert not any("variable" in path for _, path, _ in fake.requests)


@pytest.mark.parametrize("status", [404, 409, 412])
async def test_what_is_gone_is_told_apart(status: int) -> None:
    async with requesting() as (fake, client):
        fake.answers["DELETE /playbacks/p1"] = (status, {})
        with pytest.raises(Gone):
            await client.stop_playback("p1")


async def test_a_refused_request_is_an_error_with_a_hint() -> None:
    async with requesting() as (fake, client):
        fake.answers["GET /channels"] = (403, {})
        with pytest.raises(PeerError) as caught:
            await client.channels()
        assert not isinstance(caught.value, Gone)
        assert caught.value.hint


async def test_lists_are_read() -> None:
    async with requesting() as (fake, client):
        fake.answers["GET /channels"] = (200, [{"id": "1"}])
        fake.answers["GET /asterisk/modules"] = (200, [{"name": "app_dial.so", "status": "Running"}])
        assert await client.channels() == [{"id": "1"}]
        assert await client.modules() == {"app_dial.so": "Running"}


async def test_a_request_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.2)
    async with requesting() as (fake, client):
        fake.hang = True
        with pytest.raises(PeerError, match="did not answer"):
            await client.channels()


async def test_without_a_connection_requests_say_so() -> None:
    seen = Seen()
    client = Ari("http://127.0.0.1:1/ari", "u", "p", "gdprcall", on_event=seen.events.put_nowait, on_up=seen.up)
    with pytest.raises(PeerError, match="not connected"):
        await client.channels()


async def test_fcl_02_a_peer_that_answers_no_ping_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.1)
    async with serving() as fake:
        fake.pongs = False
        async with running(fake) as (_, seen):
            await asyncio.wait_for(seen.ups.get(), 5)
            await asyncio.wait_for(seen.ups.get(), 5)
            assert len(fake.sockets) == 2


async def test_a_user_who_may_only_read_is_refused_and_tried_again() -> None:
    async with serving() as fake:
        fake.filter_status = 403
        async with running(fake) as (client, seen):
            async with asyncio.timeout(5):
                while len(fake.asked("PUT", "/applications/gdprcall/eventFilter")) < 2:
                    await asyncio.sleep(0.01)
            assert not client.up
            fake.filter_status = 200
            await asyncio.wait_for(seen.ups.get(), 5)


async def test_what_is_refused_is_told_apart() -> None:
    async with requesting() as (fake, client):
        fake.answers["GET /channels"] = (401, {})
        with pytest.raises(Forbidden) as caught:
            await client.channels()
        assert "pass" not in str(caught.value)
        fake.answers["GET /channels"] = (500, {})
        with pytest.raises(PeerError, match="500"):
            await client.channels()


async def test_an_id_cannot_lead_a_request_elsewhere() -> None:
    async with requesting() as (fake, client):
        await client.continue_("a/../b?c", "gdprcall-verdict", "norec")
        ((_, path, query),) = fake.requests
        assert path == "/channels/a/../b?c/continue"
        assert query == {"context": "gdprcall-verdict", "extension": "norec", "priority": "1"}
