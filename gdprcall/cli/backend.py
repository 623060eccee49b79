"""Where a command's work is done: by the daemon that holds the vault, or here under the same lock."""

import http.client
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlencode

import click

from gdprcall import errors, operations, safekeeping
from gdprcall.config import Config
from gdprcall.errors import GdprcallError, VaultError
from gdprcall.vault.archive import Vault
from gdprcall.vault.checks import Progress
from gdprcall.vault.lock import InUse
from gdprcall.vault.rows import Export

SECONDS = 3600.0
"""A sweep or a verification of a large vault takes its time; the daemon ends the connection when it stops."""
COPY_BYTES = 256 * 1024
ASK_SECONDS = 15.0
"""How long a daemon may take to answer what it alone knows."""
ERRORS = {1: GdprcallError, 2: errors.ConfigError, 3: errors.NotFound, 4: errors.CheckFailed}


class Away(GdprcallError):
    """The daemon is not there, or went away before it had answered."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the daemon."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Backend:
    """One command's way to the vault."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._opened: operations.Context | None = None

    @contextmanager
    def one_vault(self) -> Iterator[None]:
        """Keep the vault open from one call to the next, where it is opened here: a command that asks often."""
        connection = self._daemon()
        if connection is not None:
            connection.close()
            yield
            return
        with self._context() as context:
            self._opened = context
            try:
                yield
            finally:
                self._opened = None

    def call(self, name: str, params: Mapping[str, object], progress: Progress | None = None) -> object:
        """Return the result of an operation; raises GdprcallError.

        ``progress`` hears how much of how much is done where it is done here; the daemon tells only the end.
        """
        if self._opened is not None:
            return operations.run(self._opened, name, params)
        connection = self._daemon()
        if connection is None:
            with self._context() as context:
                return operations.run(replace(context, progress=progress) if progress else context, name, params)
        return _answer(connection, name, params)

    def ask(self, name: str, params: Mapping[str, object]) -> object:
        """Return what the running daemon alone can tell; raises Away without it, GdprcallError."""
        connection = self._daemon(ASK_SECONDS)
        if connection is None:
            raise Away("no daemon answers, and it alone knows the calls", "systemctl status gdprcall")
        return _answer(connection, name, params)

    def export(
        self, recording: str, segment: int, purpose: str, sink: BinaryIO, noted: Mapping[str, str] | None = None
    ) -> None:
        """Write a sealed segment as an age file to ``sink``; ``noted`` goes into the ledger with it.

        Raises GdprcallError.
        """
        if self._opened is not None:
            _copy(operations.export(self._opened, recording, segment, purpose, noted), sink)
            return
        connection = self._daemon()
        if connection is not None:
            query = urlencode({**(noted or {}), "purpose": purpose}, quote_via=quote)
            path = f"/v1/export/{quote(recording, safe='')}/{segment}?{query}"
            with closing(connection):
                with _lost_is_told():
                    connection.request("GET", path)
                    answer = _checked(connection)
                _copy_whole(answer, sink)
            return
        with self._context() as context:
            _copy(operations.export(context, recording, segment, purpose, noted), sink)

    def _daemon(self, seconds: float = SECONDS) -> _Connection | None:
        connection = _Connection(self._config.socket, seconds)
        try:
            connection.connect()
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            return None
        except OSError as error:
            connection.close()
            hint = "use sudo, or the user gdprcall"
            raise GdprcallError(f"the daemon's socket cannot be used: {error.strerror or error}", hint) from error
        return connection

    def opened(self) -> Vault:
        """Return the vault, opened here; raises VaultError, also when another process has it open."""
        tombstones = safekeeping.tombstones(self._config, _warn)
        return Vault.open(self._config.vault, tombstones=tombstones, memory=self._config.memory)

    @contextmanager
    def _context(self) -> Iterator[operations.Context]:
        """Yield the vault, opened here; raises VaultError, also when another process has it open."""
        try:
            vault = self.opened()
        except InUse as error:
            hint = f"wait for it; if that is the daemon, is {self._config.socket} its vault.socket?"
            raise InUse(f"{error.message}, and no daemon answers", hint) from error
        with vault:
            try:
                vault.finish_erasures()
            except VaultError as error:
                # Said and gone on with: the command may be the one that finds out why, such as audit verify.
                click.echo(f"warning: {error.message}", err=True)
            yield operations.Context(vault, self._config, actor=f"uid:{os.getuid()}", alarm=_warn)


def _warn(error: GdprcallError) -> None:
    """Say what went wrong on standard error, and go on."""
    click.echo(f"warning: {error.message}\nhint: {error.hint}", err=True)


def _answer(connection: _Connection, name: str, params: Mapping[str, object]) -> object:
    with closing(connection), _lost_is_told():
        connection.request("POST", f"/v1/{name}", json.dumps(params), {"Content-Type": "application/json"})
        return json.loads(_checked(connection).read())


@contextmanager
def _lost_is_told() -> Iterator[None]:
    """Turn a connection that the daemon ended into an error."""
    try:
        yield
    except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
        raise Away("the daemon ended the connection", "see its log; then try again") from error


def _copy(export: Export, sink: BinaryIO) -> None:
    sink.write(export.header)
    with export.payload.open("rb") as file:
        shutil.copyfileobj(file, sink, COPY_BYTES)


def _copy_whole(answer: http.client.HTTPResponse, sink: BinaryIO) -> None:
    """Copy a body; raises GdprcallError when less came than was announced, which http.client keeps to itself."""
    left = answer.length or 0
    data = b"-"
    while data:
        with _lost_is_told():
            data = answer.read(COPY_BYTES)
        left -= len(data)
        sink.write(data)
    if left:
        raise GdprcallError("the daemon ended the connection in the middle of the file", "see its log; then try again")


def _checked(connection: _Connection) -> http.client.HTTPResponse:
    answer = connection.getresponse()
    if answer.length is None:  # a header that was cut short; the daemon always says how much will come
        answer.close()
        raise http.client.HTTPException
    if answer.status == 200:
        return answer
    try:
        said = json.loads(answer.read())
        kind = ERRORS.get(said["exit"], GdprcallError)
        raise kind(said["error"], said["hint"])
    except (ValueError, KeyError, TypeError) as error:
        raise GdprcallError(f"the daemon answered {answer.status}", "are both of the same version?") from error
