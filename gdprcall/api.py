"""The local interface: operations as HTTP on a Unix socket, for the command line and scripts on this host.

It listens on no network, and the kernel says who asks; requests are small and bounded.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from aiohttp import web

from gdprcall import operations
from gdprcall.errors import ConfigError, GdprcallError, Refused, VaultError
from gdprcall.log import get_logger
from gdprcall.operations import CHANGING, Context
from gdprcall.peers import Peer, let_in, peer_of
from gdprcall.roles import EXPORT, Access, Grant, Role, granted, may, role_of

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Some thousand new headers come in one request; nothing else is nearly as large."""
COPY_BYTES = 256 * 1024
UPLOAD_SECONDS = 10.0
"""How long a peer may take to send its small request."""
STALL_SECONDS = 60.0
"""How long a peer may not read any of what it asked for."""
DRAIN_SECONDS = 5.0
NOTED = ("reason", "package", "mark", "exception")
"""What else the ledger is told of a release, when whoever asks says it."""
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
        if context.config.access:
            admit(path, context.config.access)
        await asyncio.Event().wait()
    except OSError as error:
        hint = "make its folder, or set vault.socket"
        raise GdprcallError(f"the socket {path} cannot be made: {error.strerror}", hint) from error
    finally:
        await runner.cleanup()
        path.unlink(missing_ok=True)


def admit(path: Path, access: tuple[Access, ...]) -> None:
    """Let who has a role connect to the socket, and nobody who has none any more; what cannot be is told.

    He need not be in the daemon's group, which may read the spool.
    """
    try:
        strange = let_in(path, (row.user for row in access if row.user), (row.group for row in access if row.group))
    except GdprcallError as error:
        if access:
            get_logger().error("access_failed", hint=error.hint)
    else:
        if strange:
            get_logger().error("access_failed", count=len(strange), hint="names that this host does not know")


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
    name = request.match_info["operation"]
    context = await _admitted(request, name)
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
    context = await _admitted(request, EXPORT)
    recording, segment = request.match_info["recording"], request.match_info["segment"]
    purpose = request.query.get("purpose", "")
    number = int(segment) if segment.isdecimal() else 0
    noted = {name: request.query[name] for name in NOTED if request.query.get(name)}
    export = await asyncio.to_thread(operations.export, context, recording, number, purpose, noted)
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


async def _admitted(request: web.Request, operation: str) -> Context:
    """Return the context with the peer as its actor, and what it may see; raises Refused for one that may not ask this."""
    context = request.app[CONTEXT]
    context = replace(context, config=context.now() if context.now else context.config)
    transport = request.transport
    peer = peer_of(transport.get_extra_info("socket") if transport else None)
    grant = Grant(role_of(peer.uid, os.geteuid()))
    if grant.role is not Role.ADMIN and context.config.access:
        grant = await asyncio.to_thread(_granted, peer, context.config.access)
    if grant.role is Role.NOBODY:
        raise Refused("you may not ask this", "use sudo, or the user gdprcall; or be given a role under [[access]]")
    if not may(grant, operation):
        raise Refused(f"as {grant.role} you may not ask this", "ask somebody whose role it is: see [[access]]")
    return replace(context, actor=f"uid:{peer.uid}", controller=grant.controller, role=str(grant.role))


def _granted(peer: Peer, access: tuple[Access, ...]) -> Grant:
    """Look up the names of a peer; a directory that answers slowly keeps nobody else waiting."""
    return granted(peer.user(), peer.groups(), access)
