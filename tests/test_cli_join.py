"""Segments of a recording in one WAV: every sound is there, each gap can be heard and found, and nothing else is joined."""

import struct
import wave
from io import BytesIO
from pathlib import Path

import pytest

from gdprcall.cli.joined import Joined, gap
from gdprcall.errors import Refused
from gdprcall.vault.wav import HEADER_BYTES, header_of
from tests import vaults
from tests.test_cli_recordings import TWO, Shell, exported, shell

__all__ = ["shell"]


def cues(data: bytes) -> dict[str, int]:
    """Return the first frame of each labelled cue point, read as the RIFF specification has it."""
    chunks, place = {}, 12
    while place < len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        chunks[name] = data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    assert place == len(data) == struct.unpack_from("<I", data, 4)[0] + 8
    count, *_ = struct.unpack_from("<I", chunks[b"cue "])
    frames = {}
    for number in range(count):
        id_, at, kind, *_, offset = struct.unpack_from("<II4sIII", chunks[b"cue "], 4 + 24 * number)
        assert (kind, at) == (b"data", offset)
        frames[id_] = at
    labels, found, place = chunks[b"LIST"], {}, 4
    assert labels[:4] == b"adtl"
    while place < len(labels):
        _, size, id_ = struct.unpack_from("<4sII", labels, place)
        found[labels[place + 12 : place + 8 + size].rstrip(b"\0").decode()] = frames[id_]
        place += 8 + size + size % 2
    return found


def test_rgt_05_the_segments_of_a_call_are_one_wav_with_each_gap_marked(shell: Shell, tmp_path: Path) -> None:
    one, two = exported(shell, TWO, 1), exported(shell, TWO, 2)
    status, out, err = shell("recordings", "join", str(two), str(one), "-i", str(shell.identity))
    whole = one.with_name(f"{TWO}.wav")
    assert (status, out.strip(), err) == (0, str(whole), "")
    sounds = [vaults.wav(seed=200 + segment)[HEADER_BYTES:] for segment in (1, 2)]
    with wave.open(str(whole)) as opened:
        assert (opened.getnchannels(), opened.getframerate()) == (1, 8000)
        assert opened.readframes(opened.getnframes()) == sounds[0] + gap(1, 8000) + sounds[1]
    first = len(sounds[0]) // 2 + len(gap(1, 8000)) // 2
    assert cues(whole.read_bytes()) == {"segment 1": 0, "segment 2": first}
    assert whole.stat().st_mode & 0o077 == 0


def test_what_is_not_one_recording_is_not_joined(shell: Shell) -> None:
    one, other = exported(shell, TWO, 1), exported(shell)
    for files in ((one, other), (one, one)):
        status, _, err = shell("recordings", "join", *map(str, files), "-i", str(shell.identity))
        assert (status, "not different segments of one recording" in err) == (1, True)
    assert not list(shell.folder.glob("*.wav"))


def test_a_damaged_segment_is_named_and_leaves_nothing(shell: Shell) -> None:
    one, two = exported(shell, TWO, 1), exported(shell, TWO, 2)
    one.write_bytes(one.read_bytes()[:-1])
    status, _, err = shell("recordings", "join", str(one), str(two), "-i", str(shell.identity))
    assert (status, f"{one.name} is not what was sealed" in err) == (4, True)
    assert not one.with_name(f"{TWO}.wav").exists()


def test_a_gap_is_two_beeps_in_every_channel() -> None:
    for channels, rate in ((1, 8000), (2, 16000)):
        frames = struct.unpack(f"<{len(gap(channels, rate)) // 2}h", gap(channels, rate))
        left = frames[::channels]
        assert all(left == frames[channel::channels] for channel in range(channels))
        loud = [max(map(abs, left[place : place + rate // 20])) > 0 for place in range(0, len(left), rate // 20)]
        assert loud == [False] * 4 + [True] * 3 + [False] * 2 + [True] * 3 + [False] * 4


def test_segments_of_two_kinds_or_of_none_are_refused() -> None:
    joined = Joined(BytesIO())
    joined.begin("1")
    joined.write(header_of(4) + b"1234")
    joined.begin("2")
    with pytest.raises(Refused, match="not of one kind"):
        joined.write(header_of(4, channels=2))
    other = Joined(BytesIO())
    other.begin("1")
    with pytest.raises(Refused, match="no WAV"):
        other.write(bytes(HEADER_BYTES))
    with pytest.raises(Refused, match="no sound"):
        Joined(BytesIO()).end()


def test_a_header_that_comes_byte_by_byte_is_the_same(tmp_path: Path) -> None:
    written = []
    for size in (1, 7, 1000):
        sink = BytesIO()
        joined = Joined(sink)
        joined.begin("1")
        data = header_of(100) + bytes(range(100))
        for place in range(0, len(data), size):
            joined.write(data[place : place + size])
        joined.end()
        written.append(sink.getvalue())
    assert written[0] == written[1] == written[2]
