"""Where a command's work is done: by the daemon that holds the vault, or here under the same lock."""

import http.client
import json
import socket
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from gdprcall import errors, operations
from gdprcall.config import Config
from gdprcall.errors import GdprcallError
from gdprcall.vault.archive import Vault

SECONDS = 3600.0
"""A sweep or a verification of a large vault takes its time; the daemon ends the connection when it stops."""
COPY_BYTES = 256 * 1024
ERRORS = {1: GdprcallError, 2: errors.ConfigError, 3: errors.NotFound, 4: errors.CheckFailed}


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the daemon."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(self._path))


class Backend:
    """One command's way to the vault."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def call(self, name: str, params: Mapping[str, object]) -> object:
        """Return the result of an operation; raises GdprcallError."""
        connection = self._daemon()
        if connection is None:
            vault = self._open()
            try:
                return operations.run(operations.Context(vault, self._config), name, params)
            finally:
                vault.close()
        with closing(connection):
            connection.request("POST", f"/v1/{name}", json.dumps(params), {"Content-Type": "application/json"})
            return json.loads(_checked(connection).read())

    def export(self, recording: str, segment: int, purpose: str, sink: BinaryIO) -> None:
        """Write a sealed segment as an age file to ``sink``; raises GdprcallError."""
        connection = self._daemon()
        if connection is not None:
            path = f"/v1/export/{quote(recording, safe='')}/{segment}?purpose={quote(purpose)}"
            with closing(connection):
                connection.request("GET", path)
                answer = _checked(connection)
                while data := answer.read(COPY_BYTES):
                    sink.write(data)
            return
        vault = self._open()
        try:
            export = operations.export(operations.Context(vault, self._config), recording, segment, purpose)
            sink.write(export.header)
            with export.payload.open("rb") as file:
                while data := file.read(COPY_BYTES):
                    sink.write(data)
        finally:
            vault.close()

    def _daemon(self) -> _Connection | None:
        connection = _Connection(self._config.socket)
        try:
            connection.connect()
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            return None
        except OSError as error:
            hint = "use sudo, or the user gdprcall"
            raise GdprcallError(f"the daemon's socket cannot be used: {error.strerror}", hint) from error
        return connection

    def _open(self) -> Vault:
        vault = Vault.open(self._config.vault)
        vault.finish_erasures()
        return vault


def _checked(connection: _Connection) -> http.client.HTTPResponse:
    try:
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise GdprcallError("the daemon ended the connection", "see its log") from error
    if answer.status == 200:
        return answer
    try:
        said = json.loads(answer.read())
        kind = ERRORS.get(said["exit"], GdprcallError)
        raise kind(said["error"], said["hint"])
    except (ValueError, KeyError) as error:
        raise GdprcallError(f"the daemon answered {answer.status}", "are both of the same version?") from error
