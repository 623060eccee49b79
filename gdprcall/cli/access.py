"""``gdprcall subject access`` and ``finish``: a person's recordings, packed sealed on the PBX, and opened where an identity is."""

import sys
from pathlib import Path

import click

from gdprcall import age
from gdprcall.cli import options
from gdprcall.cli.files import read_identities
from gdprcall.cli.finishing import Finishing, Way
from gdprcall.cli.muting import Voice
from gdprcall.cli.output import print_json, progress
from gdprcall.cli.requests import METHODS
from gdprcall.cli.sealing import Asked, make
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import GdprcallError, Refused

PASSPHRASE_BYTES = 4096


@click.command(
    epilog=example(
        "gdprcall subject access '+46 8 123 456 78' --controller acme --request 5f0c… -o request-17.age",
        'gdprcall subject access - --controller acme --language sv --identified eid --reason "asked by letter" < number',
    )
)
@click.argument("number")
@click.option("--controller", required=True, metavar="ID", help="Whose recordings; those of others are not looked at.")
@click.option("--request", default="", metavar="ID", help="The request that this answers: see gdprcall requests.")
@click.option(
    "--identified", type=click.Choice(METHODS), help="How the person has shown who he is, where no request says it."
)
@click.option("--language", default="", metavar="TAG", help="The person's language; default: that of his last call.")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is kept in the ledger. No names or numbers.")
@click.option(
    "-o", "--output", default="access.age", show_default=True, type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE", help="Where to write.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@options.as_json
@shared
def access(
    state: Shared,
    number: str,
    controller: str,
    request: str,
    identified: str | None,
    language: str,
    reason: str,
    output: Path,
    force: bool,
    json_: bool,
) -> None:
    """Pack everything that is recorded of a person with a controller, sealed as it is (Art. 15).

    The package is for the controller's identities alone: "subject finish" opens it where one is. Each release for it is
    noted in the ledger first. What was interrupted is gone on with by the same command. A number alone is no proof of who
    asks: give the request in which he has shown it, or say how he did. NUMBER may be - to read it from standard input.
    """
    number = sys.stdin.readline().strip() if number == "-" else number
    params = {"number": number, "controller": controller, "request": request, "language": language, "reason": reason}
    params |= {"identified": identified or ""}
    with progress("packing", wanted=not json_) as tell, state.backend.one_vault():
        made = make(state.backend, Asked(params, output, force=force), tell)
    if json_:
        print_json(made.as_json())
        return
    click.echo(f"{output}: {made.recordings} recording(s), {len(made.withheld)} withheld, package {made.package}")
    for one in made.withheld:
        click.echo(f"  withheld: {one['recording']}: {one['reason']}")


@click.command(
    epilog=example(
        "gdprcall subject finish request-17.age --identity acme.identity --recipient age1…",
        "gdprcall subject finish request-17.age -i acme.identity --passphrase-file words -o for-the-person.zip.age",
        'gdprcall subject finish request-17.age -i acme.identity --plain -o folder --mute others --reason "Art. 15(4)"',
    )
)
@click.argument("package", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-i", "--identity", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE|DIR",
    help="Default: the package's name with .zip.age; with --plain a folder, or a file when it ends in .zip.",
)  # fmt: skip
@click.option("--recipient", "recipients", multiple=True, metavar="AGE1…", help="Seal it to this recipient of age.")
@click.option(
    "--passphrase-file", "words", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Seal it with the passphrase in this file.",
)  # fmt: skip
@click.option("--plain", is_flag=True, help="Do not seal it: it then is for your eyes, and not for the journey.")
@click.option("--language", metavar="TAG", help="The language of the letter; default: the package says it.")
@click.option(
    "--templates", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Own templates, in a folder."
)
@click.option(
    "--mute", type=click.Choice([str(voice) for voice in Voice]), help="Silence this voice where voices are apart."
)
@click.option("--reason", default="", help="With --mute: the decision's reason; the person reads it. No names.")
@click.option("--portability", is_flag=True, help="Add what Art. 20 gives where the basis is consent or a contract.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@options.as_json
def finish(
    package: Path,
    identity: Path,
    output: Path | None,
    recipients: tuple[str, ...],
    words: Path | None,
    plain: bool,
    language: str | None,
    templates: Path | None,
    mute: str | None,
    reason: str,
    portability: bool,
    force: bool,
    json_: bool,
) -> None:
    """Make the package for the person: a letter, the sound, and everything that is known, sealed for the journey.

    It needs the controller's identity, and neither Asterisk nor a vault: not to be run on the PBX. A recording in which
    a voice is to be silent and cannot be is left out, and the letter says so.
    """
    if bool(mute) != bool(reason.strip()):
        raise click.UsageError("--mute and --reason belong together")
    if [bool(recipients), words is not None, plain].count(True) != 1:
        raise click.UsageError("say for whom it is sealed: --recipient or --passphrase-file; or say --plain")
    target = output or package.with_name(package.stem if plain else f"{package.stem}.zip.age")
    way = Way(_recipients(recipients, words), templates, language, Voice(mute) if mute else None, reason, portability)
    with progress("finishing", wanted=not json_) as tell:
        done = Finishing(package, read_identities(identity), target, way).run(tell, force=force)
    print_json({"file": str(target), **done}) if json_ else click.echo(target)


def _recipients(given: tuple[str, ...], words: Path | None) -> tuple[age.Recipient, ...]:
    """Return for whom the package is sealed; none for one that is not."""
    if words is not None:
        with words.open("rb") as file:
            passphrase = file.read(PASSPHRASE_BYTES).decode(errors="strict").strip("\r\n")
        if len(passphrase) < 12:
            raise Refused("the passphrase is shorter than 12 characters", "take five words or more, drawn by dice")
        return (age.ScryptRecipient(passphrase),)
    try:
        found = tuple(age.parse_recipient(one) for one in given)
        age.check_mix(found)
    except age.BadRecipient as error:
        raise GdprcallError(f"this is no recipient: {error}", "it begins with age1") from error
    return found


COMMANDS = (access, finish)
