"""``prompts record`` with a real PyAudio, whose microphone is a file (ALSA's plug-in): run by make audio."""

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from tests.pbx import audio
from tests.pbx.prepare import PBX
from tests.test_cli_exits import CONFIG, RECORDING, Shell
from tests.vaults import ACME, files_with, wav
from tests.voices import hum

pytestmark = [
    pytest.mark.pbx,
    pytest.mark.skipif(not audio.READY.is_file(), reason="PyAudio takes long to build: make audio"),
]


class Studio:
    """A configuration, a microphone that hums, and a loudspeaker that is a file."""

    def __init__(self, folder: Path, *, peak: int = 9000) -> None:
        self.folder = folder
        self.config = folder / "gdprcall.toml"
        self.config.write_text(CONFIG.format(folder=folder, recipient=ACME.recipients[0]) + 'more = ""\n')
        self.spoken, self.played = folder / "spoken.raw", folder / "played.raw"
        self.voice = hum(12, peak=peak, rate=48_000)
        self.spoken.write_bytes(self.voice.samples.tobytes())

    def record(self, answers: str, *options: str) -> subprocess.CompletedProcess[str]:
        environment = audio.environment(self.folder, self.spoken, self.played)
        environment |= {"PATH": f"{PBX / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        command = [sys.executable, "-m", "gdprcall", "--config", str(self.config), "prompts", "record", "support", "en"]
        return subprocess.run(
            [*command, "--json", *options], input=answers, text=True, capture_output=True, check=False,
            env=environment, timeout=60,
        )  # fmt: skip


def test_a_prompt_is_recorded_part_by_part_heard_again_and_taken_in(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    # The mandatory part is repeated once, then both parts are kept.
    done = studio.record("\nr\n\nk\n\nk\n", "--seconds", "10.5")
    assert done.returncode == 0, done.stderr
    taken = json.loads(done.stdout)
    assert taken["mandatory_seconds"] == pytest.approx(10.5, abs=0.1)
    assert "part 1 of 2 (mandatory)" in done.stderr
    assert "ALSA" not in done.stderr, "what libraries say of absent devices is kept from people"
    with wave.open(str(tmp_path / "sounds" / "en" / "gdprcall" / f"{taken['sha256']}.wav16")) as file:
        assert (file.getframerate(), file.getnchannels()) == (16_000, 1)
        assert file.getnframes() == pytest.approx(16_000 * 21.3, rel=0.01)
    manifest = json.loads((tmp_path / "vault" / "prompts" / f"{taken['sha256']}.json").read_text())
    assert manifest["engine"] == "microphone"
    # ALSA writes the last playback over the former ones; it begins with what the microphone heard.
    played, said = studio.played.read_bytes(), studio.voice.samples.tobytes()
    assert played[:96_000] == said[:96_000]


def test_what_cannot_be_used_is_not_offered_to_be_kept(tmp_path: Path) -> None:
    done = Studio(tmp_path, peak=4).record("\nk\nq\n", "--seconds", "12")
    assert done.returncode == 1
    assert "this part is silent" in done.stderr
    assert "nothing was taken in" in done.stderr
    assert not (tmp_path / "vault" / "prompts").exists()


def test_a_device_that_is_not_there_is_an_error_that_names_those_that_are(tmp_path: Path) -> None:
    done = Studio(tmp_path).record("\n", "--device", "gramophone")
    assert done.returncode == 3
    assert "'gramophone'" in done.stderr
    assert "default" in done.stderr


def test_a_machine_without_a_sound_device_says_what_else_can_be_done(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    environment = audio.environment(tmp_path, studio.spoken, studio.played)
    (tmp_path / "asound.conf").write_text(f"<{audio.FOLDER}/root/usr/share/alsa/alsa.conf>\n")
    done = subprocess.run(
        [sys.executable, "-m", "gdprcall", "--config", str(studio.config), "prompts", "record", "support", "en"],
        input="\n", text=True, capture_output=True, check=False, env=environment, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no microphone" in done.stderr
    assert "prompts import" in done.stderr


def test_a_recording_is_played_sample_by_sample_as_it_was_sealed(tmp_path: Path) -> None:
    capture = Shell(tmp_path, None)  # type: ignore[arg-type]  # its folder alone is wanted
    command = [sys.executable, "-m", "gdprcall", "--config", str(capture.config), "recordings"]
    subprocess.run([*command, "export", RECORDING, "-o", str(tmp_path)], check=True, capture_output=True, timeout=60)
    silence, played = tmp_path / "silence.raw", tmp_path / "played.raw"
    silence.write_bytes(bytes(2))
    done = subprocess.run(
        [*command, "play", str(tmp_path / f"{RECORDING}.1.age"), "-i", str(capture.identity)],
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60,
        env=audio.environment(tmp_path, silence, played, rate=8000),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sound = wav(seed=101)[44:]
    heard = played.read_bytes()
    assert heard[: len(sound)] == sound
    assert set(heard[len(sound) :]) <= {0}, "nothing but silence follows"


AUDITED = """
import os, sys
trace = open(sys.argv[1], "w", buffering=1)
def look(event, given):
    if event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        trace.write(f"{given[0]}\\n")
sys.addaudithook(look)
sys.dont_write_bytecode = True
from gdprcall.cli.main import run
sys.exit(run(sys.argv[2:]))
"""


def test_sec_01_what_is_heard_is_written_nowhere(tmp_path: Path) -> None:
    capture = Shell(tmp_path, None)  # type: ignore[arg-type]  # its folder alone is wanted
    command = [sys.executable, "-m", "gdprcall", "--config", str(capture.config), "recordings"]
    subprocess.run([*command, "export", RECORDING, "-o", str(tmp_path)], check=True, capture_output=True, timeout=60)
    silence, played, trace = tmp_path / "silence.raw", tmp_path / "played.raw", tmp_path / "trace"
    silence.write_bytes(bytes(2))
    words = ["recordings", "play", str(tmp_path / f"{RECORDING}.1.age"), "-i", str(capture.identity)]
    done = subprocess.run(
        [sys.executable, "-c", AUDITED, str(trace), *words],
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60,
        env=audio.environment(tmp_path, silence, played, rate=8000),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sound = wav(seed=101)[44:]
    needles = [sound[place : place + 64] for place in (0, 4000, len(sound) - 64)]
    assert files_with(tmp_path, *needles) == ["played.raw"], "the loudspeaker alone, which is a file here"
    assert [line for line in trace.read_text().splitlines() if not line.startswith("/dev/")] == []
