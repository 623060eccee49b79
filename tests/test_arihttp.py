"""Requests over kept connections, against a server that answers in pieces, wrongly, late, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from gdprcall.asterisk import arihttp as module
from gdprcall.asterisk.arihttp import Answer, Requests

NO_CONTENT = b"HTTP/1.1 204 No Content\r\nServer: Asterisk/22.10.1\r\nContent-Length: 0\r\n\r\n"
Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


def says(*parts: bytes) -> Reply:
    """Answer in so many packets."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)

    return reply


async def hangs(_writer: asyncio.StreamWriter) -> None:
    """Answer nothing."""


async def leaves(writer: asyncio.StreamWriter) -> None:
    """Close instead of an answer."""
    writer.close()


@dataclass
class Peer:
    """A server that remembers what it was sent, and on which connection."""

    reply: Reply
    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    open: int = 0
    most: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                sizes = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
                self.bodies.append(await reader.readexactly(int(sizes[0].split(b" ")[1]) if sizes else 0))
                self.heads.append(head)
                await self.reply(writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def serving(reply: Reply) -> AsyncIterator[tuple[Peer, Requests]]:
    peer = Peer(reply=reply)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ari"
    requests = Requests(peer.url, {"Authorization": "Basic x"})
    try:
        yield peer, requests
    finally:
        requests.close()
        for writer in peer.writers:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_a_request_names_the_host_and_who_asks_and_quotes_what_it_is_given() -> None:
    async with serving(says(NO_CONTENT)) as (peer, requests):
        assert await requests.send("POST", "/channels/1/play", {"media": "sound:a b&c=d/é"}) == Answer(204, b"")
        first, *fields = peer.heads[0].decode().rstrip().split("\r\n")
        assert first == "POST /ari/channels/1/play?media=sound%3Aa%20b%26c%3Dd%2F%C3%A9 HTTP/1.1"
        assert sorted(fields) == ["Authorization: Basic x", "Content-Length: 0", f"Host: {peer.url[7:-4]}"]


async def test_a_body_is_sent_with_its_length_and_kind() -> None:
    async with serving(says(NO_CONTENT)) as (peer, requests):
        await requests.send("PUT", "/x", {}, b'{"a":1}')
        assert peer.bodies == [b'{"a":1}']
        assert b"Content-Type: application/json\r\n" in peer.heads[0]


async def test_requests_one_after_the_other_share_a_connection() -> None:
    async with serving(says(NO_CONTENT)) as (peer, requests):
        for _ in range(5):
            await requests.send("GET", "/x", {})
        assert len(peer.heads) == 5
        assert len(peer.writers) == 1


async def test_an_answer_that_comes_in_pieces_is_read_whole() -> None:
    pieces = says(b"HTTP/1.1 200 O", b"K\r\ncontent-LENGTH:", b" 4\r\n\r", b"\nab", b"cd")
    async with serving(pieces) as (peer, requests):
        assert await requests.send("GET", "/x", {}) == Answer(200, b"abcd")
        assert await requests.send("GET", "/x", {}) == Answer(200, b"abcd")
        assert len(peer.writers) == 1


async def test_a_connection_that_the_peer_closes_after_its_answer_is_not_used_again() -> None:
    closing = says(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
    async with serving(closing) as (peer, requests):
        for _ in range(3):
            assert (await requests.send("GET", "/x", {})).body == b"x"
        assert len(peer.writers) == 3


async def test_a_connection_that_was_closed_while_it_was_idle_is_not_used_again() -> None:
    async with serving(says(NO_CONTENT)) as (peer, requests):
        await requests.send("GET", "/x", {})
        peer.writers[0].close()
        while peer.open:
            await asyncio.sleep(0.01)
        await requests.send("GET", "/x", {})
        assert len(peer.writers) == 2


async def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEPALIVE_SECONDS", 0.0)
    async with serving(says(NO_CONTENT)) as (peer, requests):
        await requests.send("GET", "/x", {})
        await asyncio.sleep(0.01)
        await requests.send("GET", "/x", {})
        assert len(peer.writers) == 2


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_fcl_02_what_was_not_answered_is_never_sent_again(method: str) -> None:
    async with serving(says(NO_CONTENT)) as (peer, requests):
        await requests.send("GET", "/first", {})
        peer.reply = leaves
        with pytest.raises(ConnectionError):
            await requests.send(method, "/x", {})
        assert len(peer.heads) == 2


async def test_who_gives_up_leaves_no_connection_whose_answer_could_be_taken_for_anothers() -> None:
    async with serving(hangs) as (peer, requests):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await requests.send("GET", "/slow", {})
        peer.reply = says(NO_CONTENT)
        await requests.send("GET", "/x", {})
        assert len(peer.writers) == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", id="another version"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="no length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", id="no number"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", id="below nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", id="far too long"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="chunks"),
        pytest.param(b"HTTP/1.1\r\n\r\n", id="no status"),
        pytest.param(b"x" * (module.MAX_HEAD_BYTES + 1), id="no end"),
    ],
)
async def test_what_is_no_answer_is_an_error_and_ends_the_connection(answer: bytes) -> None:
    async with serving(says(answer)) as (peer, requests):
        with pytest.raises(ValueError):
            async with asyncio.timeout(5):
                await requests.send("GET", "/x", {})
        peer.reply = says(NO_CONTENT)
        await requests.send("GET", "/x", {})
        assert len(peer.writers) == 2


async def test_more_than_was_asked_for_ends_the_connection() -> None:
    async with serving(says(NO_CONTENT + b"HTTP/1.1 200 OK\r\n")) as (peer, requests):
        assert (await requests.send("GET", "/x", {})).status == 204
        assert (await requests.send("GET", "/x", {})).status == 204
        assert len(peer.writers) == 2


async def test_what_comes_unasked_ends_the_connection() -> None:
    async with serving(says(NO_CONTENT)) as (peer, requests):
        await requests.send("GET", "/x", {})
        peer.writers[0].write(b"HTTP/1.1 408 Request Timeout\r\n")
        while peer.open:
            await asyncio.sleep(0.01)
        await requests.send("GET", "/x", {})
        assert len(peer.writers) == 2


async def test_many_requests_at_once_use_a_few_connections() -> None:
    async with serving(says(NO_CONTENT)) as (peer, requests):
        answers = await asyncio.gather(*(requests.send("GET", f"/{number}", {}) for number in range(100)))
        assert len(answers) == len(peer.heads) == 100
        assert peer.most <= module.MOST_CONNECTIONS


async def test_a_peer_that_is_not_there_is_an_oserror() -> None:
    async with serving(says(NO_CONTENT)) as (peer, _):
        url = peer.url
    with pytest.raises(OSError, match=r"[Cc]onnect"):
        await Requests(url, {}).send("GET", "/x", {})
