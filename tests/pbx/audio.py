"""Builds PyAudio without root in .cache/audio, and gives it ALSA's file plug-in as microphone and loudspeaker.

Debian's PortAudio and ALSA are unpacked beside the host's own libraries; nothing outside .cache/ is changed.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

if __package__:
    from tests.pbx.prepare import ROOT, Apt, CannotPrepare, unpack
else:
    # The Makefile runs this file as a program.
    from prepare import ROOT, Apt, CannotPrepare, unpack

FOLDER = ROOT / ".cache" / "audio"
READY = FOLDER / "ready"
PACKAGES = ("libportaudio2", "portaudio19-dev", "libjack-jackd2-0", "libasound2-data")
ALSA = ("libasound2t64", "libasound2")
"""How the library is called, in newer Debians first."""

DEVICES = """\
<{root}/usr/share/alsa/alsa.conf>
pcm.nowhere {{ type null }}
pcm.tape {{ type file; slave.pcm "nowhere"; file "{played}"; infile "{spoken}"; format raw }}
pcm.!default {{ type plug; slave {{ pcm tape; rate {rate}; format S16_LE; channels 1 }} }}
"""


def main() -> int:
    """Build it unless it is there; 0 when it is, 1 with a sentence when it cannot be."""
    try:
        prepare()
    except (CannotPrepare, subprocess.CalledProcessError) as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    return 0


def prepare() -> None:
    """Fetch PortAudio and ALSA, and build PyAudio for this Python; raises CannotPrepare."""
    if READY.is_file() and READY.read_text() == sys.version:
        return
    if shutil.which("cc") is None:
        raise CannotPrepare("there is no C compiler; install gcc and the headers of Python (python3-dev)")
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    (FOLDER / "archives").mkdir(parents=True, exist_ok=True)
    apt = Apt(FOLDER / "apt", release)
    apt.run("update")
    before = Path.cwd()
    os.chdir(FOLDER / "archives")
    try:
        apt.run("download", *PACKAGES)
        for number, name in enumerate(ALSA, 1):
            try:
                apt.run("download", name)
                break
            except CannotPrepare:
                if number == len(ALSA):
                    raise
    finally:
        os.chdir(before)
    for archive in sorted((FOLDER / "archives").glob("*.deb")):
        unpack(archive, FOLDER / "root")
    flags = {"CFLAGS": f"-I{FOLDER}/root/usr/include", "LDFLAGS": f"-L{libraries()}"}
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", "--upgrade"]
    subprocess.run([*pip, "--target", FOLDER / "site", "pyaudio>=0.2.14,<0.3"], env=os.environ | flags, check=True)
    READY.write_text(sys.version)


def libraries() -> Path:
    """Return the folder of the unpacked libraries."""
    return next((FOLDER / "root/usr/lib").glob("*/libportaudio.so.2")).parent


def environment(folder: Path, spoken: Path, played: Path, rate: int = 48_000) -> dict[str, str]:
    """Return an environment in which the microphone hears ``spoken`` (raw, at ``rate``), and what is played goes to ``played``."""
    devices = folder / "asound.conf"
    devices.write_text(DEVICES.format(root=FOLDER / "root", spoken=spoken, played=played, rate=rate))
    own = {"LD_LIBRARY_PATH": str(libraries()), "ALSA_CONFIG_PATH": str(devices), "PYTHONPATH": str(FOLDER / "site")}
    return dict(os.environ) | own


if __name__ == "__main__":
    sys.exit(main())
