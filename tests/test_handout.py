"""What is handed out is there, whole and durable, or an error says that it is not."""

from pathlib import Path

import pytest

from gdprcall import handout
from gdprcall.handout import HandOut, NotHandedOut
from tests.deaths import Begin, Mortal


def program(folder: Path, script: str) -> str:
    path = folder / "send"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_nothing_is_handed_out_to_nowhere() -> None:
    nowhere = HandOut(None, ())
    assert not nowhere
    assert nowhere.deliver("name", b"content") == []


def test_a_file_is_dropped_whole_under_its_name_for_others_to_read(tmp_path: Path) -> None:
    to = HandOut(tmp_path, ())
    assert to
    assert to.deliver("name", b"content") == [str(tmp_path)]
    assert to.deliver("name", b"later") == [str(tmp_path)]
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("name", b"later")]
    assert (tmp_path / "name").stat().st_mode & 0o777 == 0o644


def test_a_command_gets_the_content_its_name_and_none_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "secret")
    out = tmp_path / "sent"
    send = program(tmp_path, f'cat > {out}; echo "$GDPRCALL_NAME $1 ${{CREDENTIALS_DIRECTORY-none}}" >> {out}')
    assert HandOut(None, (send, "word")).deliver("name", b"content\n") == [send]
    assert out.read_text() == "content\nname word none\n"


def test_what_a_command_says_is_not_passed_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    send = program(tmp_path, "cat; cat >&2; exit 3")
    with pytest.raises(NotHandedOut, match="status 3"):
        HandOut(None, (send,)).deliver("name", b"content")
    assert capfd.readouterr() == ("", "")


def test_a_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handout, "COMMAND_SECONDS", 0.1)
    with pytest.raises(NotHandedOut, match="took longer"):
        HandOut(None, (program(tmp_path, "exec sleep 60"),)).deliver("name", b"content")


@pytest.mark.parametrize("to", [HandOut(Path("/nowhere/at/all"), ()), HandOut(None, ("/nowhere/at/all",))])
def test_a_place_that_is_not_there_is_named_with_a_hint(to: HandOut) -> None:
    with pytest.raises(NotHandedOut, match="/nowhere/at/all") as caught:
        to.deliver("name", b"content")
    assert caught.value.hint


def test_a_place_that_fails_does_not_keep_it_from_the_other(tmp_path: Path) -> None:
    out = tmp_path / "sent"
    send = program(tmp_path, f"cat > {out}")
    with pytest.raises(NotHandedOut, match="/nowhere/at/all"):
        HandOut(Path("/nowhere/at/all"), (send,)).deliver("name", b"content")
    assert out.read_bytes() == b"content"
    both = HandOut(tmp_path, (send,))
    assert both.deliver("name", b"again") == [str(tmp_path), send]


def drop(folder: Path, begin: Begin) -> None:
    begin()
    HandOut(folder, ()).deliver("checkpoint-9", b"nine\n" * 1000)


def test_what_is_dropped_is_whole_or_not_there_whenever_the_process_dies(tmp_path: Path, mortal: Mortal) -> None:
    found = []
    (tmp_path / "end").mkdir()
    writes = mortal.writes(drop, tmp_path / "end")
    for at in range(writes):
        folder = tmp_path / str(at)
        folder.mkdir()
        mortal.dies(drop, folder, at=at)
        file = folder / "checkpoint-9"
        found.append(file.exists())
        assert not file.exists() or file.read_bytes() == b"nine\n" * 1000
        HandOut(folder, ()).deliver("checkpoint-9", b"nine\n" * 1000)
        assert [path.name for path in folder.iterdir()] == ["checkpoint-9"]
    assert found == sorted(found)
    assert set(found) == {False, True}
