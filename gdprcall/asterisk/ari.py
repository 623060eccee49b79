"""A thin ARI client: one websocket for events, a few kept connections for requests (``arihttp``).

It reconnects for ever, and tells when it does. It never sets a channel variable: that would disable functions such as
DB() for the rest of the call (verdicts travel in the extension of ``continue_``).
"""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp

from gdprcall.asterisk.arihttp import Requests
from gdprcall.asterisk.backoff import LOST_SECONDS, REFUSED_SECONDS, pause
from gdprcall.errors import ConfigError, PeerError
from gdprcall.log import get_logger

REQUEST_SECONDS = 3.0
HEARTBEAT_SECONDS = 5.0
OLDEST_ASTERISK = (16, 3)  # the first with event filters
USE_ASTERISK = "use Asterisk {}.{} or newer".format(*OLDEST_ASTERISK)
MAX_MESSAGE_BYTES = 1 << 20
EVENTS = (
    *("StasisStart", "StasisEnd", "PlaybackStarted", "PlaybackFinished", "ChannelDtmfReceived"),
    *("ChannelHangupRequest", "ChannelDestroyed", "ApplicationReplaced"),
)

Json = Any  # what json.loads gives; asterisk/stasis.py turns it into values
AriEvent = Mapping[str, Json]


class Gone(PeerError):
    """The channel or playback does not exist any more, or is not ours any more."""


class Forbidden(PeerError):
    """Asterisk answered, and does not let us do that."""


class ApplicationReplaced(PeerError):
    """Another program took our application's name."""


class Ari:
    """The link to one Asterisk for one application."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        app: str,
        *,
        on_event: Callable[[AriEvent], None],
        on_up: Callable[[], Awaitable[None]],
    ) -> None:
        self.up = False
        self.version = ""
        self.app = app
        self._url = url.rstrip("/")
        # In a header, never in a URL: Asterisk and proxies log URLs.
        self._headers = {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
        self._on_event = on_event
        self._on_up = on_up
        self._requests: Requests | None = None
        self._log = get_logger()

    async def run(self) -> None:
        """Keep the link up until cancelled; raises ApplicationReplaced, and ConfigError for an Asterisk too old."""
        async with self.requests(), aiohttp.ClientSession(headers=self._headers) as session:
            tries, said = 0, ""
            while True:
                longest = LOST_SECONDS
                try:
                    await self._serve(session)
                    tries, said = 0, ""
                except ApplicationReplaced:
                    raise
                except (aiohttp.ClientError, OSError, TimeoutError, PeerError) as error:
                    tries += 1
                    trouble = type(error).__name__
                    if trouble != said or tries % 20 == 0:
                        said = trouble
                        self._tell(error, tries)
                    longest = REFUSED_SECONDS if _refused(error) else LOST_SECONDS
                finally:
                    self.up = False
                await asyncio.sleep(pause(tries, longest))

    def _tell(self, error: Exception, tries: int) -> None:
        code = str(error.status) if isinstance(error, aiohttp.WSServerHandshakeError) else None
        self._log.error(
            "ari_refused" if _refused(error) else "ari_down", error=type(error).__name__, code=code, count=tries
        )

    @asynccontextmanager
    async def requests(self) -> AsyncIterator[None]:
        """Make requests possible, without events, for as long as the block lasts."""
        requests = self._requests = Requests(self._url, self._headers)
        try:
            yield
        finally:
            self._requests = None
            requests.close()

    async def _serve(self, session: aiohttp.ClientSession) -> None:
        """Hold one connection from its handshake to its end."""
        url = f"{self._url}/events"
        params = {"app": self.app, "subscribeAll": "false"}
        async with session.ws_connect(
            url, params=params, heartbeat=HEARTBEAT_SECONDS, max_msg_size=MAX_MESSAGE_BYTES
        ) as socket:
            # Before anything that an older one lacks, which would look like a link that is never ready.
            self.version = await self._checked_version()
            allowed = json.dumps({"allowed": [{"type": event} for event in EVENTS]}).encode()
            await self._request("PUT", f"/applications/{self.app}/eventFilter", body=allowed)
            await self._on_up()
            self.up = True
            self._log.info("ari_up", version=self.version)
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
        self._log.error("ari_down", code=str(socket.close_code))

    def _take(self, text: str) -> None:
        try:
            event = json.loads(text)
            if event.get("type") == "ApplicationReplaced":
                raise ApplicationReplaced(
                    f"another program took the ARI application {self.app!r}", "run one gdprcall per Asterisk"
                )
            self._on_event(event)
        except ApplicationReplaced:
            raise
        except Exception:  # noqa: BLE001 # one event must not take the link down for every other call
            self._log.error("ari_event_failed", exc_info=True)

    async def _checked_version(self) -> str:
        info = await self.info()
        version = str(info["system"]["version"])
        if is_too_old(version):
            raise ConfigError(f"Asterisk {version} is too old", USE_ASTERISK)
        return version

    async def info(self) -> Json:
        """Return what Asterisk says of itself."""
        return await self._request("GET", "/asterisk/info", params={"only": "system"})

    async def modules(self) -> dict[str, str]:
        """Return the state of each of Asterisk's modules."""
        modules = await self._request("GET", "/asterisk/modules")
        return {str(module["name"]): str(module["status"]) for module in modules}

    async def applications(self) -> list[str]:
        """Return the names of the applications that are connected."""
        return sorted(str(application["name"]) for application in await self._request("GET", "/applications"))

    async def channels(self) -> list[Json]:
        """Return all channels as ARI describes them."""
        return list(await self._request("GET", "/channels"))

    async def continue_(self, channel: str, context: str, extension: str) -> None:
        """Send a channel on in the dialplan; raises Gone or PeerError."""
        params = {"context": context, "extension": extension, "priority": "1"}
        await self._request("POST", f"/channels/{_path(channel)}/continue", params=params)

    async def play(self, channel: str, media: str, language: str, playback: str) -> None:
        """Start a sound on a channel under an id of ours; raises Gone or PeerError."""
        params = {"media": media, "lang": language}
        await self._request("POST", f"/channels/{_path(channel)}/play/{_path(playback)}", params=params)

    async def stop_playback(self, playback: str) -> None:
        """Stop a sound; raises Gone when it is over already, or PeerError."""
        await self._request("DELETE", f"/playbacks/{_path(playback)}")

    async def run_local(self, extension: str, context: str) -> None:
        """Send a Local channel through one extension of the dialplan; what it returns does not matter."""
        # The far half runs the extension and hangs up before it answers, so that the near half never goes anywhere.
        params = {"endpoint": f"Local/{extension}@{context}/n", "context": context, "extension": "i", "timeout": "5"}
        await self._request("POST", "/channels", params=params)

    async def _request(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Json:
        if self._requests is None:
            raise PeerError("ARI is not connected")
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                answer = await self._requests.send(method, path, params or {}, body)
            if answer.status in {404, 409, 412}:
                raise Gone(f"ARI: {method} of something that is gone", "")
            if answer.status in {401, 403}:
                raise Forbidden(f"ARI refused {method}", "compare the ARI user with ari.conf: read_only must be no")
            if answer.status >= 400:
                raise PeerError(f"ARI answered {answer.status} to {method}", "see Asterisk's log")
            return json.loads(answer.body) if answer.body and method == "GET" else None
        except (TimeoutError, OSError, ValueError) as error:
            raise PeerError(f"ARI did not answer to {method}: {type(error).__name__}", "is Asterisk up?") from error


def is_too_old(version: str) -> bool:
    """Return whether an Asterisk that calls itself that is older than the oldest that will do, or names no version."""
    numbers = re.match(r"\D*(\d+)(?:\.(\d+))?", version)
    return numbers is None or (int(numbers[1]), int(numbers[2] or 0)) < OLDEST_ASTERISK


def _refused(error: Exception) -> bool:
    """Whether it is a no that an operator must mend, not an Asterisk that is away or still starts."""
    return isinstance(error, Forbidden) or (isinstance(error, aiohttp.WSServerHandshakeError) and error.status < 404)


def _path(name: str) -> str:
    """Return an id as one part of a path: who originates a channel chooses its id."""
    return quote(name, safe="")
