"""``gdprcall audit``: the ledger, and whether everything still is what it says."""

import json
import os
from pathlib import Path

import click

from gdprcall import auditing
from gdprcall.cli import options
from gdprcall.cli.files import write_new
from gdprcall.cli.output import print_json, print_rows, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed, ConfigError
from gdprcall.vault.note import KEY_BYTES, LARGEST_NOTE, BadKey, Signer


@click.group()
def audit() -> None:
    """Read, prove and verify the ledger."""


@audit.command("log", epilog=example("gdprcall audit log --limit 20", "gdprcall audit log --kind erased --json"))
@click.option("--kind", metavar="KIND", help="Entries of this kind only, such as decision, sealed or erased.")
@click.option("--recording", metavar="ID", help="Of this recording only.")
@click.option("--since", metavar="TIME", help="Not older than this RFC 3339 time.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="The last so many.")
@options.as_json
@shared
def log(state: Shared, kind: str, recording: str, since: str, limit: int, json_: bool) -> None:
    """Print entries of the ledger in order."""
    params = {"kind": kind, "recording": recording, "since": since, "limit": limit}
    rows = state.backend.call("audit/log", params)
    if json_:
        print_json(rows)
        return
    columns = {"seq": "SEQ", "time": "TIME", "kind": "KIND", "controller": "CONTROLLER", "recording": "RECORDING"}
    print_rows(rows, columns, "no entries")  # type: ignore[arg-type]  # JSON of our own


@audit.command(
    epilog=example(
        "gdprcall audit verify",
        "gdprcall audit verify --json",
        "gdprcall audit verify --since checkpoint-000000001234",
    )
)
@click.option(
    "--since",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="CHECKPOINT",
    help="A checkpoint that was handed out: prove that nothing before it was changed or cut. May be repeated.",
)
@click.option("--key", metavar="KEY", help="The public key to check these with, as audit key printed it.")
@options.as_json
@shared
def verify(state: Shared, files: tuple[Path, ...], key: str | None, json_: bool) -> None:
    """Check every ledger entry, checkpoint, header and payload; exit 4 and a line for each that is not what was written."""
    params = {"since": {str(file): _note(file) for file in files}, "key": key}
    with progress("verifying", wanted=not json_) as tell:
        result = state.backend.call("audit/verify", params, tell)
    assert isinstance(result, dict)
    if json_:
        print_json(result)
    else:
        for finding in result["findings"]:
            click.echo(f"{finding['where']} {finding['name']} {finding['detail']}")
        click.echo(f"{result['entries']} ledger entries, root {result['root']}")
    if result["findings"]:
        raise CheckFailed(
            f"{len(result['findings'])} findings", "nothing was mended; keep the files for an investigation"
        )
    if not json_:
        for proof in result.get("since", []):
            click.echo(f"the first {proof['old_size']} entries are as they were at that checkpoint")
        click.echo("everything is as it was written")


@audit.command(epilog=example("gdprcall audit checkpoint", "gdprcall audit checkpoint --json"))
@options.as_json
@shared
def checkpoint(state: Shared, json_: bool) -> None:
    """Sign a checkpoint of the ledger as it is now, hand it out as configured under [audit], and print it."""
    made = state.backend.call("audit/checkpoint", {})
    assert isinstance(made, dict)
    if json_:
        print_json(made)
        return
    click.echo(made["checkpoint"], nl=False)
    places = ", ".join(made["handed_to"])
    click.echo(f"handed out to {places}" if places else "it lies on this host alone: see [audit]", err=True)


@audit.command(epilog=example("gdprcall audit prove RECORDING -o proof.json", "gdprcall audit prove RECORDING"))
@click.argument("id_", metavar="ID")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this new file.")
@click.option(
    "--without-bodies", is_flag=True, help="Prove when and what kind of entry there is, and not what it says."
)
@options.as_json
@shared
def prove(state: Shared, id_: str, output: Path | None, without_bodies: bool, json_: bool) -> None:
    """Print a proof that the entries of a recording, or of a decision without one, are in the ledger.

    It is JSON that stands for itself: ARCHITECTURE.md says how anybody verifies it without gdprcall.
    """
    proof = state.backend.call("audit/prove", {"id": id_, "without_bodies": without_bodies})
    assert isinstance(proof, dict)
    if output is None:
        print_json(proof)
        return
    write_new(output, json.dumps(proof, indent=2, ensure_ascii=False) + "\n", 0o644)
    entries = [entry["index"] + 1 for entry in proof["entries"]]
    if json_:
        print_json({"file": str(output), "entries": entries})
    else:
        click.echo(f"{output} proves {len(entries)} entries: {', '.join(map(str, entries))}")


@audit.command(
    epilog=example(
        "gdprcall audit key --new pbx.example.com/gdprcall", "gdprcall audit key", "gdprcall audit key --json"
    )
)
@click.option(
    "--new", "origin", metavar="ORIGIN", help="Make the key, for a ledger of this name, which is its for good."
)
@options.as_json
@shared
def key(state: Shared, origin: str | None, json_: bool) -> None:
    """Print the public key that checks the ledger's checkpoints; give it to each controller.

    With --new, make the signing key in the secrets folder. An existing one is never overwritten: rename it first, and
    the ledger notes the new one with its first checkpoint.
    """
    made = _new_key(state, origin) if origin else state.backend.call("audit/key", {})
    assert isinstance(made, dict)
    if json_:
        print_json(made)
    else:
        click.echo(made["verifier"])


def _new_key(state: Shared, origin: str) -> dict[str, str]:
    try:
        signer = Signer(origin, os.urandom(KEY_BYTES))
    except BadKey as error:
        raise ConfigError(f"{origin!r} is no name of a ledger", str(error)) from error
    write_new(state.config.secrets / auditing.SECRET, signer.encode() + "\n", 0o600)
    return {"origin": origin, "verifier": signer.verifier().encode()}


def _note(file: Path) -> str:
    """Return a checkpoint's text; what is too long for one or no text is told as such by its check."""
    with file.open("rb") as opened:
        return opened.read(LARGEST_NOTE + 1).decode(errors="replace")


COMMANDS = (audit,)
