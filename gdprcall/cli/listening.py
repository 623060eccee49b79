"""``gdprcall recordings play``: hears an export where the controller's identity is. The sound is in memory, and never in a file."""

import sys
import time
from io import BytesIO
from pathlib import Path

import click

from gdprcall import age
from gdprcall.cli.exported import check_binding, sealed
from gdprcall.cli.files import read_identities
from gdprcall.cli.keyboard import keys
from gdprcall.cli.shared import example
from gdprcall.errors import CheckFailed
from gdprcall.playing import BLOCKS_A_SECOND, Tape
from gdprcall.prompts.microphone import Desk
from gdprcall.vault import wav

ELSEWHERE = "write a WAV, and hear it elsewhere: gdprcall recordings open"


@click.command(
    epilog=example(
        "gdprcall recordings play 9b1d….1.age --identity acme.identity",
        "gdprcall recordings play 9b1d….1.age -i acme.identity --from 90 --device headset",
    )
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-i", "--identity", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--from", "begin", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Where to begin.")
@click.option("--device", default="", metavar="NAME", help="The loudspeaker; default: the machine's own.")
@click.option("--recording", "wanted", metavar="ID", help="The recording it must be; default: as the file is named.")
def play(file: Path, identity: Path, begin: float, device: str, wanted: str | None) -> None:
    """Play an export where the controller's identity is: not on the PBX. It needs PyAudio (the extra "audio").

    The arrows skip five seconds, the blank pauses, q ends it. The caller is on the left where voices are apart. The sound is
    decrypted in memory and written nowhere.
    """
    tape = _tape(file, identity, wanted)
    tape.begin_at(begin)
    channels = tape.frame // wav.FRAME_BYTES
    with Desk(device, ELSEWHERE) as desk, desk.loudspeaker(tape.rate, channels) as hear, keys() as pressed:
        shown = ""
        while not tape.over:
            tape.press(pressed())
            block = tape.block()
            if block:
                hear(block)
            else:
                time.sleep(1 / BLOCKS_A_SECOND)
            shown = _show(tape, shown)
    if shown:
        click.echo(err=True)


def _tape(file: Path, identity: Path, wanted: str | None) -> Tape:
    """Return what is in an export; raises CheckFailed for what is not as it was sealed, or no sound."""
    sound = BytesIO()
    with sealed(file) as source:
        file_key, header = age.open_header(age.read_header(source), read_identities(identity))
        check_binding(header, file, wanted)
        age.decrypt_payload(file_key, source, sink=sound)
    data = sound.getvalue()
    head = data[: wav.HEADER_BYTES]
    channels = wav.channels_of(head)
    if not channels:
        raise CheckFailed("what was sealed is no sound", "write it to a file: gdprcall recordings open")
    rate = int.from_bytes(head[24:28], "little")
    return Tape(data[wav.HEADER_BYTES :], rate, channels * wav.FRAME_BYTES)


def _show(tape: Tape, shown: str) -> str:
    """Show where it is, if that is seen and has changed; return what is shown."""
    line = tape.line()
    if line != shown and sys.stderr.isatty():
        click.echo(f"\r{line:<30}", nl=False, err=True)
    return line if sys.stderr.isatty() else ""


COMMANDS = (play,)
