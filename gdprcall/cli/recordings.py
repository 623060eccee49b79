"""``gdprcall recordings``: the vault's recordings; what leaves is sealed, and is opened only where an identity is."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import click

from gdprcall import age
from gdprcall.cli import corrected, kept, listening, options
from gdprcall.cli.exported import check_binding, sealed
from gdprcall.cli.files import read_identities, write_whole
from gdprcall.cli.joined import Joined
from gdprcall.cli.muting import Read, Voice, decided, muting
from gdprcall.cli.output import print_fields, print_json, print_rows, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed, NotFound, Refused
from gdprcall.vault import wav

COLUMNS = {
    "started_at": "STARTED",
    "id": "RECORDING",
    "controller": "CONTROLLER",
    "line": "LINE",
    "state": "STATE",
    "seconds": "SECONDS",
    "expires_at": "EXPIRES",
}


@click.group()
def recordings() -> None:
    """List, export, open and erase recordings."""


@recordings.command(
    "list", epilog=example("gdprcall recordings list", "gdprcall recordings list --state sealed --json")
)
@options.filters
@click.option("--state", "state_", metavar="STATE", help="In this state only: sealed, erased, not_started …")
@click.option("--agent", metavar="NAME", help="Of this agent only, as [agents] names him: for his own request.")
@options.as_json
@shared
def list_(
    state: Shared, controller: str, line: str, since: str, limit: int, state_: str, agent: str | None, json_: bool
) -> None:
    """List recordings, the newest first."""
    params = {"controller": controller, "line": line, "since": since, "limit": limit, "state": state_, "agent": agent}
    rows = state.backend.call("recordings/list", params)
    if json_:
        print_json(rows)
    else:
        print_rows(rows, COLUMNS, "no recordings")  # type: ignore[arg-type]  # JSON of our own


@recordings.command(epilog=example("gdprcall recordings show 9b1d…"))
@click.argument("id_", metavar="ID")
@options.as_json
@shared
def show(state: Shared, id_: str, json_: bool) -> None:
    """Show one recording, its segments and its history."""
    value = state.backend.call("recordings/show", {"id": id_})
    print_json(value) if json_ else print_fields(value)  # type: ignore[arg-type]  # JSON of our own


@recordings.command(
    epilog=example(
        "gdprcall recordings export 9b1d… --purpose quality", "gdprcall recordings export 9b1d… -o - | age -d -i key"
    )
)
@click.argument("id_", metavar="ID")
@click.option("--segment", type=click.IntRange(1), help="This segment only; default: all.")
@click.option("-o", "--output", default=".", show_default=True, metavar="FILE|DIR|-", help="Where to write.")
@click.option("--purpose", default="access", show_default=True, help="Why; it is kept in the ledger.")
@click.option("--reason", default="", help="Why now; it is kept in the ledger. No names or numbers.")
@click.option(
    "--exception",
    type=click.Choice(["consent", "claims", "protection"]),
    help="What a restricted recording may be released for (Art. 18(2)).",
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@shared
def export(
    state: Shared,
    id_: str,
    segment: int | None,
    output: str,
    purpose: str,
    reason: str,
    exception: str | None,
    force: bool,
) -> None:
    """Write a recording as age files, sealed as it is; the release is noted in the ledger."""
    shown = state.backend.call("recordings/show", {"id": id_})
    assert isinstance(shown, dict)
    parts = [part["segment"] for part in shown["parts"] if segment in {None, part["segment"]}]
    if not parts:
        raise NotFound(f"recording {id_} has no such sealed segment", f"its state is {shown['state']}")
    noted = {name: value for name, value in (("reason", reason), ("exception", exception)) if value}
    if output == "-":
        _to_standard_output(state, id_, parts, purpose, noted)
        return
    target = Path(output)
    if len(parts) > 1 and not target.is_dir():
        raise Refused(f"recording {id_} has {len(parts)} segments", "give a folder, or one with --segment")
    for part in parts:
        path = target / f"{id_}.{part}.age" if target.is_dir() else target
        write_whole(path, lambda file, part=part: state.backend.export(id_, part, purpose, file, noted), force=force)  # type: ignore[misc]  # mypy has no type for a default in a lambda
        click.echo(path)


@recordings.command(
    "open",
    epilog=example(
        "gdprcall recordings open 9b1d….1.age --identity acme.identity",
        "gdprcall recordings open 9b1d….1.age --identity acme.identity --salvage",
        'gdprcall recordings open 9b1d….1.age -i acme.identity -o copy.wav --mute others --reason "request 17"',
        "age -d -i acme.identity 9b1d….1.age > call.wav",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-i", "--identity", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Default: the name with .wav.")
@click.option("--recording", "wanted", metavar="ID", help="The recording it must be; default: as the file is named.")
@click.option(
    "--salvage", is_flag=True, help="Open what was never finished: all that was sealed of it, without its ends."
)
@click.option(
    "--mute",
    type=click.Choice([str(voice) for voice in Voice]),
    help="Silence this voice in the copy; recorded by legs alone.",
)
@click.option("--reason", default="", help="With --mute: why; it is written beside the copy. No names or numbers.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def open_(
    file: Path,
    identity: Path,
    output: Path | None,
    wanted: str | None,
    salvage: bool,
    mute: str,
    reason: str,
    force: bool,
) -> None:
    """Turn an export into WAV, where the controller's identity is: not on the PBX.

    A file that is sealed as another recording than its name says is refused. A recording of two channels has the
    caller on the left and everybody else on the right; with --mute one of them is silent (Art. 15(4)), and the
    decision lies beside the copy.
    """
    if bool(mute) != bool(reason.strip()) or (mute and salvage):
        raise click.UsageError("--mute and --reason belong together, and nothing that was salvaged has two channels")
    read: Read = _salvage if salvage else age.decrypt_payload  # type: ignore[assignment]  # salvage alone seeks
    target = output or file.with_suffix(".wav")
    identities = read_identities(identity)
    with sealed(file) as source:
        file_key, header = age.open_header(age.read_header(source), identities)
        recording, segment = check_binding(header, file, wanted)
        if mute:
            decision = decided(target, recording, segment, Voice(mute), reason)
            read = muting(read, Voice(mute), lambda: write_whole(*decision, force=force))
        write_whole(target, lambda sink: read(file_key, source, sink), force=force)
    click.echo(target)


@recordings.command(
    epilog=example(
        "gdprcall recordings join 9b1d….1.age 9b1d….2.age --identity acme.identity",
        "gdprcall recordings join 9b1d….*.age -i acme.identity -o whole.wav",
    )
)
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("-i", "--identity", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Default: the recording's id, .wav."
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def join(files: tuple[Path, ...], identity: Path, output: Path | None, force: bool) -> None:
    """Turn the exported segments of a recording into one WAV, each gap marked by two beeps and a cue point.

    They are put in the order of their numbers, however they are given. How long a gap was, "recordings show" says.
    """
    identities, segments, found = read_identities(identity), {}, set()
    for file in files:
        with sealed(file) as source:
            file_key, header = age.open_header(age.read_header(source), identities)
            recording, segment = check_binding(header, file, None)
        found.add(recording)
        segments[int(segment)] = file, file_key
    if len(found) != 1 or len(segments) != len(files):
        raise Refused("these are not different segments of one recording", "give those of one id, each once")
    target = output or files[0].with_name(f"{found.pop()}.wav")
    write_whole(target, lambda sink: _join(segments, sink), force=force)
    click.echo(target)


def _join(segments: Mapping[int, tuple[Path, bytes]], sink: BinaryIO) -> None:
    joined = Joined(sink)
    for number, (file, file_key) in sorted(segments.items()):
        joined.begin(str(number))
        with sealed(file) as source:
            age.read_header(source)
            age.decrypt_payload(file_key, source, joined)
    joined.end()


@recordings.command(
    epilog=example(
        'gdprcall recordings erase 9b1d… --reason "request 17"', "gdprcall recordings erase 9b1d… --reason x --dry-run"
    )
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; it is kept in the ledger. No names or numbers.")
@options.destructive
@options.as_json
@shared
def erase(state: Shared, ids: tuple[str, ...], reason: str, dry_run: bool, yes: bool, json_: bool) -> None:
    """Destroy recordings for good, and print the receipts."""
    params = {"ids": list(ids), "reason": reason, "dry_run": True}
    would = state.backend.call("recordings/erase", params)
    if dry_run:
        if json_:
            print_json(would)
        else:
            print_rows(would, COLUMNS, "nothing")  # type: ignore[arg-type]  # JSON of our own
        return
    options.confirm(f"Destroy {len(ids)} recording(s) for good?", yes=yes)
    with progress("erasing", wanted=not json_) as tell:
        receipts = state.backend.call("recordings/erase", params | {"dry_run": False}, tell)
    if json_:
        print_json(receipts)
        _refuse_unverified(receipts)
        return
    for receipt in receipts:  # type: ignore[attr-defined]  # JSON of our own
        click.echo(f"erased {receipt['recording']}")
        for step in receipt["steps"]:
            click.echo(f"  {step['step']}: {step['seen']}")
    _refuse_unverified(receipts)


def _refuse_unverified(receipts: object) -> None:
    assert isinstance(receipts, list)
    incomplete = [receipt["recording"] for receipt in receipts if not receipt["complete"]]
    if incomplete:
        raise CheckFailed(f"not every step was verified for {', '.join(incomplete)}", "run: gdprcall audit verify")


def _salvage(file_key: bytes, source: BinaryIO, sink: BinaryIO) -> None:
    sink.write(bytes(wav.HEADER_BYTES))
    size = age.salvage_payload(file_key, source, sink)
    if not size:
        raise CheckFailed("nothing between its first and its last four seconds opens", "open it without --salvage")
    sink.seek(0)
    sink.write(wav.header_of(size))


def _to_standard_output(
    state: Shared, id_: str, parts: list[int], purpose: str, noted: Mapping[str, str] | None
) -> None:
    if sys.stdout.isatty():
        raise Refused("an encrypted recording is not for a terminal", "use -o FILE, or a pipe")
    if len(parts) > 1:
        raise Refused(f"recording {id_} has {len(parts)} segments", "give one with --segment")
    state.backend.export(id_, parts[0], purpose, sys.stdout.buffer, noted)
    sys.stdout.buffer.flush()


for command in (*corrected.COMMANDS, *listening.COMMANDS, *kept.COMMANDS):
    recordings.add_command(command)

COMMANDS = (recordings,)
