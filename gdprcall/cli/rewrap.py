"""``gdprcall keys rewrap``: other recipients for what was recorded. Headers travel to where an identity is, and back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from gdprcall.cli import options
from gdprcall.cli.files import read_identities, write_whole
from gdprcall.cli.output import print_json, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.custody import bundle, officer
from gdprcall.custody.bundle import Line
from gdprcall.errors import CheckFailed, GdprcallError

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
NEW = click.Path(path_type=Path, dir_okay=False)
REQUEST_BYTES = 2_500_000
"""Each request ends with a search through keys.db, so they are large; the daemon takes 4 MiB."""
ROUND_A_HEADER = 300


@click.group()
def rewrap() -> None:
    """Let other recipients open earlier recordings; payloads stay where they are.

    export on the PBX, convert where an identity is, take on the PBX again.
    """


@rewrap.command(epilog=example("gdprcall keys rewrap export acme -o acme.headers"))
@click.argument("controller")
@click.option("-o", "--output", required=True, type=NEW, help="The bundle. Whoever has it has a copy of the keys.")
@click.option("--all", "all_", is_flag=True, help="Also headers that are for the configured recipients already.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@options.as_json
@shared
def export(state: Shared, controller: str, output: Path, all_: bool, force: bool, json_: bool) -> None:
    """Write the headers of CONTROLLER that are not for its configured recipients into a bundle.

    It is a copy of keys outside the vault, and noted as such: receipts of erasures name the day until which it may
    exist. Destroy it when its new headers are taken.
    """
    with progress("exporting", wanted=not json_) as tell, state.backend.one_vault():
        begun = state.backend.call("keys/export", {"controller": controller, "all": all_})
        assert isinstance(begun, dict)
        head, counts = begun["head"], list[int]()

        def fill(file: BinaryIO) -> None:
            file.write(bundle.encode(head))
            for page in _pages(state, head, lambda looked: tell(looked, begun["slots"])):
                file.writelines(bundle.encode(line) for line in page)
                counts.append(len(page))
            file.write(bundle.encode({"headers": sum(counts)}))

        write_whole(output, fill, force=force)
    count = sum(counts)
    if json_:
        print_json({"file": str(output), "headers": count, "expires_at": head["expires_at"], "to": head["to"]})
    else:
        click.echo(f"{output}: {count} headers, to be taken back by {head['expires_at']}")


def _pages(state: Shared, head: Line, looked: Callable[[int], None]) -> Iterator[list[Line]]:
    """Yield the lines of an export, and tell how many slots were looked at."""
    params = {name: head[name] for name in ("controller", "bundle")}
    count, after = 0, None
    while count == 0 or after is not None:
        page = state.backend.call("keys/headers", params | {"after": after})
        assert isinstance(page, dict)
        yield page["lines"]
        count, after = count + 1 + int(page["looked"]), page["after"]
        looked(count)


@rewrap.command(
    epilog=example(
        "gdprcall keys rewrap convert acme.headers --identity escrow.identity --to age1… --to age1… -o acme.rewrapped"
    )
)
@click.argument("file", metavar="BUNDLE", type=FILE)
@click.option("-i", "--identity", required=True, type=FILE)
@click.option(
    "--to", multiple=True, required=True, metavar="RECIPIENT", help="As agreed, not as the bundle says; in order."
)
@click.option("-o", "--output", required=True, type=NEW, help="The bundle of new headers.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@options.as_json
def convert(file: Path, identity: Path, to: tuple[str, ...], output: Path, force: bool, json_: bool) -> None:
    """Wrap the keys in BUNDLE for other recipients, where an identity is: never on the PBX.

    Name the recipients yourself: a bundle that asks for others is refused. Headers that the identity does not open are
    named and left as they are; exit 4.
    """
    identities = read_identities(identity)
    with progress("wrapping", wanted=not json_) as tell, file.open("rb") as source:
        made: list[officer.Converted] = []
        total = _lines_in(file)
        write_whole(
            output,
            lambda sink: made.append(officer.convert(source, sink, identities, to, lambda done, _: tell(done, total))),
            force=force,
        )
    (done,) = made
    if json_:
        refused = [{"name": name, "problem": problem} for name, problem in done.refused]
        print_json({"file": str(output), "headers": done.headers, "refused": refused})
    else:
        click.echo(f"{output}: {done.headers} new headers; bring it to the PBX and run: gdprcall keys rewrap take")
        _name(done.refused)
    _complain(len(done.refused), 0)


@rewrap.command(
    epilog=example("gdprcall keys rewrap take acme.rewrapped --dry-run", "gdprcall keys rewrap take x --yes")
)
@click.argument("file", metavar="BUNDLE", type=FILE)
@options.destructive
@options.as_json
@shared
def take(state: Shared, file: Path, dry_run: bool, yes: bool, json_: bool) -> None:
    """Put the new headers in BUNDLE in the place of the old ones, which are destroyed; noted in the ledger.

    Each is checked: for its recording, as many recipients as are configured, and in the place of the header that was
    exported. Whether it opens the PBX cannot tell: export a recording and open it with a new identity.
    """
    total = _lines_in(file)
    if not dry_run:
        options.confirm(f"Replace {total} header(s) for good?", yes=yes)
    taken, already, residue = 0, 0, 0
    refused: list[tuple[str, str]] = []
    with progress("taking", wanted=not json_) as tell, state.backend.one_vault(), _opened(file) as (head, lines):
        done = 0
        for part in _parts(lines):
            result = state.backend.call("keys/take", {"head": head, "lines": part, "dry_run": dry_run})
            assert isinstance(result, dict)
            taken, already = taken + result["taken"], already + result["already"]
            residue += result["residue"]
            refused += [(str(one["name"]), str(one["problem"])) for one in result["refused"]]
            done += len(part)
            tell(done, total)
    if json_:
        named = [{"name": name, "problem": problem} for name, problem in refused]
        print_json({"taken": taken, "already": already, "refused": named, "residue": residue, "dry_run": dry_run})
    else:
        click.echo(f"{taken} headers {'would be ' if dry_run else ''}replaced, {already} were already")
        _name(refused)
    _complain(len(refused), residue)


def _name(refused: list[tuple[str, str]]) -> None:
    for name, problem in refused:
        click.echo(f"refused {name}: {problem}")


def _complain(refused: int, residue: int) -> None:
    if residue:
        raise CheckFailed(f"{residue} parts of old headers are still found in keys.db", "run: gdprcall vault verify")
    if refused:
        raise CheckFailed(f"{refused} headers were refused", "their recordings stay as they are")


def _lines_in(file: Path) -> int:
    with file.open("rb") as source:
        return bundle.count(source)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[Line, Iterator[Line]]]:
    try:
        with file.open("rb") as source:
            yield bundle.read(source)
    except OSError as error:
        raise GdprcallError(f"{file} cannot be read: {error.strerror}", "check the file") from error


def _parts(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Yield lines in parts that fit a request; one part at least, so that the head is always checked."""
    part, size = list[Line](), 0
    for line in lines:
        part.append(line)
        size += ROUND_A_HEADER + len(str(line.get("header")))
        if size > REQUEST_BYTES:
            yield part
            part, size = [], 0
    yield part
