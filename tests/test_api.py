"""The local interface over a real Unix socket: the same answers as without a daemon, and nothing cut short unnoticed."""

import asyncio
import http.client
import io
import json
import os
import select
import socket
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from types import MappingProxyType

import pytest

from gdprcall import api, log, operations
from gdprcall.cli.backend import Backend
from gdprcall.config import Config, load
from gdprcall.errors import CheckFailed, ConfigError, GdprcallError, NotFound, VaultError
from gdprcall.live import LiveCalls
from gdprcall.operations import Context
from gdprcall.roles import Role, role_of
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Kind
from tests.test_operations import settings
from tests.vaults import ACME, decision, facts, opened, recording_id, sealed, spooled, wav

SECONDS = 10


@asynccontextmanager
async def served(
    vault: Vault,
    config: Config,
    live: Callable[[], Mapping[str, object]] | None = None,
    now: Callable[[], Config] | None = None,
    calls: LiveCalls | None = None,
) -> AsyncIterator[Backend]:
    """Serve a vault, and give the command line's way to it."""
    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(api.serve_api(Context(vault, config, live, now=now, calls=calls), config.socket))
        while not answers(config.socket):
            assert not task.done(), task
            await asyncio.sleep(0.005)
        try:
            yield Backend(config)
        finally:
            task.cancel()


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(str(path))
        except OSError:
            return False
        return True


def raw(path: Path, method: str, target: str, body: bytes = b"") -> tuple[int, dict[str, object]]:
    """Ask without our own client; return the status and the JSON."""
    connection = http.client.HTTPConnection("localhost", timeout=SECONDS)
    connection.sock = socket.socket(socket.AF_UNIX)
    with closing(connection):
        connection.sock.connect(str(path))
        connection.request(method, target, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


async def fetched(backend: Backend, recording: str, segment: int = 1, purpose: str = "quality") -> bytes:
    sink = io.BytesIO()
    await asyncio.to_thread(backend.export, recording, segment, purpose, sink)
    return sink.getvalue()


QUESTIONS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "decisions/list": {"controller": "acme", "line": None, "since": None, "limit": 100, "outcome": "granted"},
        "recordings/list": {"limit": 100, "state": "sealed"},
        "recordings/show": {"id": recording_id()},
        "retention/due": {"by": "2026-02-01T00:00:00Z"},
        "retention/sweep": {"dry_run": True},
        "audit/log": {"limit": 5},
        "audit/verify": {},
        "decisions/verify": {},
    }
)


async def test_the_daemon_and_the_command_line_alone_give_the_same_answers(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        sealed(vault, tmp_path / "spool")
        async with served(vault, config) as backend:
            told = {name: await asyncio.to_thread(backend.call, name, params) for name, params in QUESTIONS.items()}
    assert not config.socket.exists()
    alone = {name: Backend(config).call(name, params) for name, params in QUESTIONS.items()}
    assert json.loads(json.dumps(alone)) == told


async def test_status_comes_with_what_only_the_daemon_knows(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        async with served(vault, settings(tmp_path), lambda: {"ari": True, "ami": False}) as backend:
            value = await asyncio.to_thread(backend.call, "status", {})
    assert isinstance(value, dict)
    assert (value["daemon"], value["ari"], value["ami"]) == (True, True, False)


async def test_what_only_the_daemon_knows_is_looked_at_where_nothing_can_change_meanwhile(tmp_path: Path) -> None:
    threads: set[threading.Thread] = set()

    def live() -> Mapping[str, object]:
        threads.add(threading.current_thread())
        return {"tasks": len(asyncio.all_tasks())}

    with opened(tmp_path) as vault:
        async with served(vault, settings(tmp_path), live) as backend:
            value = await asyncio.to_thread(backend.call, "status", {})
    assert isinstance(value, dict)
    assert value["tasks"] >= 1
    assert threads == {threading.current_thread()}


async def test_an_export_through_the_daemon_opens_and_is_noted_with_its_user(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = recording_id()
        vault.note(decision(recording))
        sound = wav(40.0)
        assert len(sound) > 2 * api.COPY_BYTES
        vault.seal(spooled(tmp_path / "spool", recording, 1, sound), facts(recording))
        async with served(vault, settings(tmp_path)) as backend:
            assert ACME.opens(await fetched(backend, recording)) == sound
        (entry,) = [entry for entry in vault.ledger.entries() if entry.kind is Kind.RELEASED]
        assert entry.body is not None
        assert entry.body["actor"] == f"uid:{os.geteuid()}"


async def test_a_backup_is_made_by_the_daemon_while_it_erases(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        ids = [sealed(vault, tmp_path / "spool", number) for number in range(4)]
        async with served(vault, settings(tmp_path)) as backend:
            made, receipts = await asyncio.gather(
                asyncio.to_thread(backend.call, "vault/backup", {"folder": str(tmp_path / "backups")}),
                asyncio.to_thread(backend.call, "recordings/erase", {"ids": ids[:3], "reason": "request"}),
            )
    assert isinstance(made, dict)
    assert isinstance(receipts, list)
    assert [receipt["complete"] for receipt in receipts] == [True] * 3
    assert made["keys"][0]["slots"] >= 2
    assert (tmp_path / "backups" / made["folder"] / "ledger.db").exists()


def test_without_a_daemon_the_export_is_noted_with_its_user_too(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
    sink = io.BytesIO()
    Backend(settings(tmp_path)).export(recording, 1, "quality", sink)
    assert ACME.opens(sink.getvalue()) == wav(seed=101)
    with opened(tmp_path) as vault:
        (entry,) = [entry for entry in vault.ledger.entries() if entry.kind is Kind.RELEASED]
        assert entry.body is not None
        assert entry.body["actor"] == f"uid:{os.getuid()}"


@pytest.mark.parametrize(
    ("name", "params", "kind", "status"),
    [
        ("recordings/show", {"id": recording_id(9)}, NotFound, 404),
        ("recordings/publish", {}, NotFound, 404),
        ("recordings/list", {"limit": 0}, ConfigError, 400),
        ("recordings/erase", {"ids": [recording_id(2)], "reason": "x"}, GdprcallError, 403),
    ],
)
async def test_an_error_keeps_its_words_and_exit_status_on_the_way(
    tmp_path: Path, name: str, params: Mapping[str, object], kind: type[GdprcallError], status: int
) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        vault.note(decision(recording_id(2)))
        with pytest.raises(GdprcallError) as alone:
            operations.run(Context(vault, config), name, params)
        async with served(vault, config) as backend:
            with pytest.raises(kind) as told:
                await asyncio.to_thread(backend.call, name, params)
            said = await asyncio.to_thread(raw, config.socket, "POST", f"/v1/{name}", json.dumps(params).encode())
    assert (told.value.message, told.value.hint) == (alone.value.message, alone.value.hint)
    assert told.value.exit_status == alone.value.exit_status
    assert said == (
        status,
        {"error": alone.value.message, "hint": alone.value.hint, "exit": alone.value.exit_status},
    )


async def test_a_damaged_payload_is_not_served_but_is_status_4(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        place = vault.objects.path(recording, 1)
        place.chmod(0o600)
        place.write_bytes(b"x" + place.read_bytes()[1:])
        async with served(vault, settings(tmp_path)) as backend:
            with pytest.raises(CheckFailed):
                await fetched(backend, recording)
        assert Kind.RELEASED not in {entry.kind for entry in vault.ledger.entries()}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff"])
async def test_a_request_that_is_no_json_object_is_refused_as_json(tmp_path: Path, body: bytes) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        async with served(vault, config):
            status, said = await asyncio.to_thread(raw, config.socket, "POST", "/v1/recordings/list", body)
    assert status == 400
    assert said["exit"] == 2


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/v1/recordings/list", 405),
        ("GET", "/v1/export/x/1/2", 405),
        ("POST", "/", 404),
        ("GET", f"/v1/export/{recording_id()}/one?purpose=quality", 404),
        ("GET", f"/v1/export/{recording_id()}/1", 400),
        ("GET", f"/v1/export/{recording_id()}/2?purpose=quality", 404),
    ],
)
async def test_an_address_that_is_not_served_is_refused_as_json(
    tmp_path: Path, method: str, target: str, status: int
) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        sealed(vault, tmp_path / "spool")
        async with served(vault, config):
            got, said = await asyncio.to_thread(raw, config.socket, method, target)
    assert got == status
    assert set(said) == {"error", "hint", "exit"}


async def test_a_request_that_is_too_large_is_refused_as_json(tmp_path: Path) -> None:
    config = settings(tmp_path)
    body = json.dumps({"id": "x" * (api.MAX_REQUEST_BYTES + 1)}).encode()
    with opened(tmp_path) as vault:
        async with served(vault, config):
            status, said = await asyncio.to_thread(raw, config.socket, "POST", "/v1/recordings/show", body)
    assert status == 413
    assert said["exit"] == 1


async def test_a_request_that_does_not_come_in_time_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "UPLOAD_SECONDS", 0.05)
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        async with served(vault, config):
            reader, writer = await asyncio.open_unix_connection(str(config.socket))
            writer.write(b"POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            assert b"400" in await reader.readline()
            writer.close()
            await writer.wait_closed()


async def test_a_fault_of_our_own_is_told_without_its_words_and_the_daemon_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    log.configure(out, json=True)

    def broken(_context: Context, _params: Mapping[str, object]) -> object:
        raise RuntimeError("+493012345678")

    monkeypatch.setattr(operations, "OPERATIONS", {**operations.OPERATIONS, "status": broken})
    with opened(tmp_path) as vault:
        async with served(vault, settings(tmp_path)) as backend:
            with pytest.raises(GdprcallError) as told:
                await asyncio.to_thread(backend.call, "status", {})
            assert await asyncio.to_thread(backend.call, "recordings/list", {}) == []
    assert told.value.message == "internal error"
    assert '"internal_error"' in out.getvalue()
    assert "3012345678" not in out.getvalue()


async def test_only_what_changes_or_releases_is_logged_and_never_its_reason(tmp_path: Path) -> None:
    out = io.StringIO()
    log.configure(out, json=True)
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        async with served(vault, settings(tmp_path)) as backend:
            await asyncio.to_thread(backend.call, "recordings/list", {})
            assert out.getvalue() == ""
            await fetched(backend, recording, purpose="authority")
            await asyncio.to_thread(backend.call, "recordings/erase", {"ids": [recording], "reason": "SECRET"})
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line["operation"]) for line in lines] == [
        ("api_request", "export"),
        ("api_request", "recordings/erase"),
    ]
    assert "SECRET" not in out.getvalue()


@pytest.mark.parametrize(
    ("peer", "own", "role"),
    [
        (0, 999, Role.ADMIN),
        (999, 999, Role.ADMIN),
        (1000, 999, Role.NOBODY),
        (65534, 0, Role.NOBODY),
        (2**32 - 2, 999, Role.NOBODY),
    ],
)
def test_root_and_the_daemons_own_user_administer_and_nobody_else(peer: int, own: int, role: Role) -> None:
    assert role_of(peer, own) is role


STRANGER = """
import socket, sys
with socket.socket(socket.AF_UNIX) as peer:
    peer.settimeout(10)
    peer.connect(sys.argv[1])
    for head in (b"POST /v1/recordings/list", b"GET /v1/export/x/1?purpose=quality"):
        peer.sendall(head + b" HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
        answer = peer.recv(65536)
        print(answer.split()[1].decode(), b'"exit": 1' in answer)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_another_user_is_refused_even_when_the_socket_is_open_to_all(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as open_folder, opened(tmp_path) as vault:
        Path(open_folder).chmod(0o755)
        text = settings(tmp_path).path.read_text().replace(f"{tmp_path}/api.sock", f"{open_folder}/api.sock")
        (tmp_path / "gdprcall.toml").write_text(text)
        config = load(tmp_path / "gdprcall.toml")
        async with served(vault, config):
            assert config.socket.stat().st_mode & 0o777 == 0o660
            config.socket.chmod(0o666)
            done = await asyncio.to_thread(
                subprocess.run,
                ["/usr/bin/env", "python3", "-c", STRANGER, str(config.socket)],
                user=65534, capture_output=True, text=True, check=False, cwd="/",
            )  # fmt: skip
    assert done.stdout.splitlines() == ["403 True", "403 True"], done.stderr


async def test_a_reader_that_stops_reading_is_cut_off_and_gets_no_other_words_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "STALL_SECONDS", 0.1)
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        recording = recording_id()
        vault.note(decision(recording))
        vault.seal(spooled(tmp_path / "spool", recording, 1, wav(120.0)), facts(recording))
        sealed_file = vault.export(recording, 1, actor="test", purpose="test")
        whole = sealed_file.header + sealed_file.payload.read_bytes()
        async with served(vault, config):
            got = await asyncio.to_thread(stalled, config.socket, recording)
    body = got.split(b"\r\n\r\n", 1)[1]
    assert 0 < len(body) < len(whole)
    assert whole.startswith(body)


def stalled(path: Path, recording: str) -> bytes:
    """Ask for an export, read nothing until the daemon hangs up, then everything that there is."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(SECONDS)
        peer.connect(str(path))
        peer.sendall(f"GET /v1/export/{recording}/1?purpose=quality HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        poll = select.poll()
        poll.register(peer, select.POLLHUP)
        assert poll.poll(SECONDS * 1000)
        got = b""
        with suppress(ConnectionResetError):
            while data := peer.recv(65536):
                got += data
        return got


async def test_a_payload_that_goes_away_after_its_release_is_an_error_and_no_empty_file(tmp_path: Path) -> None:
    with pytest.raises(VaultError):
        api._opened(tmp_path / "gone")


async def test_a_socket_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault, pytest.raises(GdprcallError) as failed:
        await api.serve_api(Context(vault, config), tmp_path / "nowhere" / "api.sock")
    assert "vault.socket" in failed.value.hint


async def test_a_socket_left_by_a_killed_daemon_is_replaced_and_a_stopped_one_leaves_none(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(config.socket))
    with opened(tmp_path) as vault:
        async with served(vault, config) as backend:
            assert await asyncio.to_thread(backend.call, "recordings/list", {}) == []
    assert not config.socket.exists()


def test_with_a_dead_daemons_socket_the_vault_is_opened_here(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(config.socket))
    assert Backend(config).call("recordings/list", {}) == []


def test_a_vault_that_is_held_while_no_daemon_answers_is_a_clear_error(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with opened(tmp_path), pytest.raises(VaultError) as failed:
        Backend(config).call("recordings/list", {})
    assert f"in use by process {os.getpid()}, and no daemon answers" in failed.value.message
    assert str(config.socket) in failed.value.hint


# What a daemon that dies, or is none of ours, says in the middle of a request.
BROKEN = {
    "nothing": b"",
    "no HTTP": b"who are you?\r\n\r\n",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"age-encryption.org/v1",
    "an error that is no JSON": b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno",
    "an error without its words": b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}",
    "an error that is a list": b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n[]",
}


@asynccontextmanager
async def impostor(path: Path, says: bytes) -> AsyncIterator[None]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says)
        writer.close()

    server = await asyncio.start_unix_server(answer, path)
    async with server:
        yield


@pytest.mark.parametrize("what", BROKEN)
async def test_an_export_that_is_cut_short_is_never_taken_for_a_whole_one(tmp_path: Path, what: str) -> None:
    config = settings(tmp_path)
    async with impostor(config.socket, BROKEN[what]):
        with pytest.raises(GdprcallError) as failed:
            await fetched(Backend(config), recording_id())
    assert failed.value.exit_status == 1
    assert failed.value.hint or "daemon answered" in failed.value.message


@pytest.mark.parametrize("what", BROKEN)
async def test_an_answer_that_is_cut_short_is_an_error(tmp_path: Path, what: str) -> None:
    config = settings(tmp_path)
    async with impostor(config.socket, BROKEN[what]):
        with pytest.raises(GdprcallError) as failed:
            await asyncio.to_thread(Backend(config).call, "status", {})
    assert "daemon" in failed.value.message


class Full(io.BytesIO):
    """A pipe whose reader is gone."""

    def write(self, _data: object, /) -> int:
        raise BrokenPipeError


async def test_a_reader_of_ours_that_is_gone_is_not_blamed_on_the_daemon(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        recording = sealed(vault, tmp_path / "spool")
        async with served(vault, settings(tmp_path)) as backend:
            with pytest.raises(BrokenPipeError):
                await asyncio.to_thread(backend.export, recording, 1, "quality", Full())


def test_a_socket_whose_path_is_too_long_is_a_clear_error(tmp_path: Path) -> None:
    path = settings(tmp_path).path
    path.write_text(path.read_text().replace("/api.sock", f"/{'x' * 90}/api.sock"))
    with pytest.raises(GdprcallError) as failed:
        Backend(load(path)).call("status", {})
    assert "too long" in failed.value.message
