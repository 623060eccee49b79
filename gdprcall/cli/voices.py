"""``gdprcall prompts import`` and ``record``: the voice of a person instead of the synthesiser's."""

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json
from gdprcall.cli.prompts import RELOAD, prompts, words
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.config import Config
from gdprcall.errors import Refused
from gdprcall.prompts import studio, texts
from gdprcall.prompts.microphone import Desk
from gdprcall.prompts.store import Prompt, lay_out
from gdprcall.times import now_ms

METER_WIDTH, METER_FLOOR_DB = 40, -60.0
LONGEST_SECONDS = 120.0


__all__ = ["prompts"]


@prompts.command("import", epilog=example("gdprcall prompts import support sv mandatory.wav keys.wav more.wav"))
@options.prompt
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@options.as_json
@shared
def import_(state: Shared, line_id: str, language: str, kind: str, files: tuple[Path, ...], json_: bool) -> None:
    """Take in recordings of a studio: a WAV file (one channel, 16 or 24 bits, 16 kHz or more) for each part, in order.

    The parts are those of: gdprcall prompts text LINE LANGUAGE. Length, level and format are checked.
    """
    said, which = words(state.config, line_id, language, kind)
    if len(files) != len(said.parts):
        names = ", ".join(part.name for part in said.parts)
        hint = f"give one file for each of: {names}; see: gdprcall prompts text {line_id} {language} --kind {kind}"
        raise Refused(f"{len(files)} files were given for {len(said.parts)} parts", hint)
    _take_in(state.config, said, which, [studio.read(path) for path in files], "studio", json_=json_)


@prompts.command(
    epilog=example("gdprcall prompts record support sv", "gdprcall prompts record support sv --seconds 20")
)
@options.prompt
@click.option("--device", default="", metavar="NAME", help="The sound device, by name or number; else the default.")
@click.option("--seconds", type=click.FloatRange(1, LONGEST_SECONDS), help="Stop each part by itself after so long.")
@options.as_json
@shared
def record(
    state: Shared, line_id: str, language: str, kind: str, device: str, seconds: float | None, json_: bool
) -> None:
    """Record a prompt from a microphone, part by part: read, listen, keep or repeat.

    Needs the extra "audio" (PyAudio) and a sound device.
    """
    said, which = words(state.config, line_id, language, kind)
    with Desk(device) as desk:
        kept = [_part(desk, part, f"{n} of {len(said.parts)}", seconds) for n, part in enumerate(said.parts, 1)]
    _take_in(state.config, said, which, kept, "microphone", json_=json_)


def _part(desk: Desk, part: texts.Part, place: str, seconds: float | None) -> studio.Sound:
    """Return one part as it was kept; raises Refused when the person gives up."""
    while True:
        click.echo(f"\npart {place} ({part.name}):\n\n  {part.text}\n", err=True)
        click.prompt("Enter begins", default="", show_default=False, prompt_suffix="", err=True)
        sound = _recorded(desk, seconds)
        faults = list(studio.faults(sound, part.text))
        for fault in faults:
            click.echo(f"  this part {fault}", err=True)
        click.echo(f"  {sound.seconds:.1f} s, {sound.level():.0f} dB; played back now", err=True)
        desk.play(sound)
        choice = click.Choice(["r", "q"] if faults else ["k", "r", "q"])
        answer = click.prompt("keep, repeat or quit", type=choice, default="r" if faults else "k", err=True)
        if answer == "k":
            return sound
        if answer == "q":
            raise Refused("nothing was taken in", "what callers hear is as it was")


def _recorded(desk: Desk, seconds: float | None) -> studio.Sound:
    pressed = threading.Event()
    if seconds is None:
        click.echo("Enter ends", err=True)
        threading.Thread(target=_wait_for_enter, args=(pressed,), daemon=True).start()
    sound = desk.record(seconds or LONGEST_SECONDS, pressed.is_set, _meter())
    click.echo(err=True)
    if seconds is None and not pressed.is_set():
        click.echo(f"{LONGEST_SECONDS:.0f} seconds are over: press Enter", err=True)
        pressed.wait()
    return sound


def _wait_for_enter(pressed: threading.Event) -> None:
    sys.stdin.readline()
    pressed.set()


def _meter() -> Callable[[float], None]:
    """Return what draws a level on standard error, where a person looks at it."""
    if not sys.stderr.isatty():
        return lambda _level: None

    def draw(level: float) -> None:
        long = round(METER_WIDTH * min(1.0, max(0.0, 1 - level / METER_FLOOR_DB)))
        loud = "  too loud" if level > studio.LOUDEST_DB + 3 else ""
        click.echo(f"\r\033[K[{'#' * long:{METER_WIDTH}}] {level:4.0f} dB{loud}", nl=False, err=True)

    return draw


def _take_in(
    config: Config, said: texts.Words, kind: texts.Kind, sounds: Sequence[studio.Sound], engine: str, *, json_: bool
) -> None:
    prompt, wavs = studio.take_in(said, kind, sounds, engine, now_ms())
    new = studio.put(prompt, wavs, config.asterisk.sounds, config.prompts)
    if kind in texts.CONFIRMATIONS:
        lay_out(prompt, config.asterisk.sounds, config.prompts, kind)
    _tell(prompt, json_=json_, new=new)


def _tell(prompt: Prompt, *, json_: bool, new: bool) -> None:
    shown = {"language": prompt.language, "kind": str(prompt.kind), "new": new, "seconds": prompt.total_ms / 1000}
    if json_:
        print_json(shown | {"mandatory_seconds": prompt.mandatory_ms / 1000, "sha256": prompt.sha256})
    else:
        click.echo(f"{prompt.sha256}  {prompt.language} {prompt.kind}, {prompt.total_ms / 1000:.1f} s")
        click.echo(RELOAD)


COMMANDS = (prompts,)
