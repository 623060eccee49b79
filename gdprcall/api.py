"""The local interface: operations as HTTP on a Unix socket, for the command line and scripts on this host.

It listens on no network, and the kernel says who asks; requests are small and bounded.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from aiohttp import web

from gdprcall import operations
from gdprcall.errors import ConfigError, GdprcallError, Refused, VaultError
from gdprcall.log import get_logger
from gdprcall.operations import CHANGING, Context
from gdprcall.roles import Role, role_of

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Some thousand new headers come in one request; nothing else is nearly as large."""
COPY_BYTES = 256 * 1024
UPLOAD_SECONDS = 10.0
"""How long a peer may take to send its small request."""
STALL_SECONDS = 60.0
"""How long a peer may not read any of what it asked for."""
DRAIN_SECONDS = 5.0
_UCRED = struct.Struct("iII")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STATUS = {1: 409, 2: 400, 3: 404, 4: 422}
"""HTTP status by the exit status that an error has on the command line."""


async def serve_api(context: Context, path: Path) -> None:
    """Serve on ``path`` until cancelled; raises GdprcallError when that is not possible."""
    application = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[_errors])
    application[CONTEXT] = context
    application.router.add_post("/v1/{operation:.+}", _operate)
    application.router.add_get("/v1/export/{recording}/{segment}", _export)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=DRAIN_SECONDS)
    await runner.setup()
    try:
        path.unlink(missing_ok=True)
        await web.UnixSite(runner, str(path)).start()
        path.chmod(0o660)
        await asyncio.Event().wait()
    except OSError as error:
        hint = "make its folder, or set vault.socket"
        raise GdprcallError(f"the socket {path} cannot be made: {error.strerror}", hint) from error
    finally:
        await runner.cleanup()
        path.unlink(missing_ok=True)


CONTEXT = web.AppKey("context", Context)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as error:
        return _said(error, 403)
    except GdprcallError as error:
        return _said(error, STATUS.get(error.exit_status, 409))
    except web.HTTPException as error:
        return _said(GdprcallError(error.reason.lower(), "is it the same version as the daemon?"), error.status)
    except Exception:  # noqa: BLE001 # the top of a request: the daemon goes on, the peer hears that it failed
        get_logger().error("internal_error", exc_info=True)
        return web.json_response({"error": "internal error", "hint": "see the daemon's log", "exit": 1}, status=500)


def _said(error: GdprcallError, status: int) -> web.Response:
    values = {"error": error.message, "hint": error.hint, "exit": error.exit_status}
    return web.json_response(values, status=status)


async def _operate(request: web.Request) -> web.Response:
    context = _admitted(request)
    name = request.match_info["operation"]
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            params = await request.json()
    except TimeoutError as error:
        raise ConfigError("the request did not come in time", "send it whole") from error
    except ValueError as error:
        raise ConfigError("the request is no JSON", "send a JSON object") from error
    if not isinstance(params, dict):
        raise ConfigError("the request is no JSON object", "send a JSON object")
    result = await asyncio.to_thread(operations.run, _taken(context), name, params)
    if name in CHANGING:
        get_logger().info("api_request", operation=name)
    return web.json_response(result, dumps=lambda value: json.dumps(value, ensure_ascii=False))


def _taken(context: Context) -> Context:
    """Return the context with what the daemon knows as of now: only the loop's own thread may look, for calls come and go."""
    config = context.now() if context.now else context.config
    if context.live is None:
        return replace(context, config=config)
    live = context.live()
    return replace(context, config=config, live=lambda: live)


async def _export(request: web.Request) -> web.StreamResponse:
    context = _admitted(request)
    recording, segment = request.match_info["recording"], request.match_info["segment"]
    purpose = request.query.get("purpose", "")
    number = int(segment) if segment.isdecimal() else 0
    export = await asyncio.to_thread(operations.export, context, recording, number, purpose)
    get_logger().info("api_request", operation="export", recording=recording, segment=number)
    answer = web.StreamResponse(headers={"Content-Type": "application/octet-stream", "X-Name": export.name})
    with _opened(export.payload) as file:
        answer.content_length = len(export.header) + os.fstat(file.fileno()).st_size
        await answer.prepare(request)
        try:
            await _send(answer, export.header, file)
        except OSError:
            # A peer that is gone or reads no more is cut off, so that nothing else can pass for the rest of the file.
            if request.transport is not None:
                request.transport.abort()
    return answer


async def _send(answer: web.StreamResponse, data: bytes, file: BinaryIO) -> None:
    while data:
        async with asyncio.timeout(STALL_SECONDS):
            await answer.write(data)
        data = await asyncio.to_thread(file.read, COPY_BYTES)
    async with asyncio.timeout(STALL_SECONDS):
        await answer.write_eof()


def _opened(payload: Path) -> BinaryIO:
    try:
        return payload.open("rb")
    except OSError as error:
        raise VaultError(f"the payload cannot be read: {error.strerror}", "was it erased meanwhile?") from error


def _admitted(request: web.Request) -> Context:
    """Return the context with the peer as its actor; raises Refused for a peer that may nothing."""
    transport = request.transport
    peer = transport.get_extra_info("socket") if transport else None
    if peer is None:
        raise Refused("the peer cannot be told")
    _, uid, _ = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    if role_of(uid, os.geteuid()) is not Role.ADMIN:
        raise Refused("you may not ask this", "use sudo, or the user gdprcall")
    return replace(request.app[CONTEXT], actor=f"uid:{uid}")
