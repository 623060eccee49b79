"""What the supervisor is told, over a real socket."""

import socket
from pathlib import Path

import pytest

from gdprcall.systemd import notify, watchdog_seconds


@pytest.mark.parametrize("abstract", [False, True])
def test_states_arrive_at_the_socket_that_systemd_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = f"@{tmp_path.name}-notify" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind("\0" + name[1:] if abstract else name)
        inbox.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify("READY=1", "STATUS=fine")
        assert inbox.recv(100) == b"READY=1\nSTATUS=fine"


def test_without_systemd_or_with_a_dead_socket_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")


@pytest.mark.parametrize(("given", "seconds"), [("30000000", 15.0), ("", None), ("x", None), ("0", None)])
def test_the_watchdog_is_fed_twice_in_its_time(
    monkeypatch: pytest.MonkeyPatch, given: str, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", given)
    assert watchdog_seconds() == seconds
