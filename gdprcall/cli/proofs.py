"""``gdprcall keys enrol``, ``canary`` and ``answer``: whether somebody really holds the identity of a recipient."""

from collections.abc import Mapping
from pathlib import Path

import click

from gdprcall.cli import options
from gdprcall.cli.files import read_identities, write_new
from gdprcall.cli.output import print_json
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.custody import challenge, officer
from gdprcall.errors import ConfigError, NotFound
from gdprcall.vault.keys import fingerprint

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(
    epilog=example(
        "gdprcall keys enrol acme age1… -o acme.challenge",
        "gdprcall keys enrol acme age1… --response acme.answer",
    )
)
@click.argument("controller")
@click.argument("recipient")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write a challenge to this file.")
@click.option("--response", type=FILE, help="The answer that the owner of the identity gave.")
@options.as_json
@shared
def enrol(
    state: Shared, controller: str, recipient: str, output: Path | None, response: Path | None, json_: bool
) -> None:
    """Prove that somebody holds the identity of RECIPIENT, before recordings are sealed to it.

    First with -o: the challenge goes to the owner, who opens it with keys answer, or with age -d. Then with --response,
    within seven days: the enrolment is noted in the ledger. RECIPIENT may be a fingerprint of keys list.
    """
    _one_of(output, response)
    text = _recipient(state, controller, recipient)
    if output is not None:
        told = [_ask(state, controller, text, challenge.Purpose.ENROL, output)]
    else:
        assert response is not None
        told = [_answer(state, controller, challenge.Purpose.ENROL, response, text)]
    _print(told, json_=json_)


@click.command(
    epilog=example("gdprcall keys canary acme -o ./canaries", "gdprcall keys canary acme --response acme.answer")
)
@click.argument("controller")
@click.option("--recipient", metavar="FINGERPRINT", help="This recipient only; default: all of the controller's.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR|FILE", help="Where to write challenges.")
@click.option("--response", "responses", type=FILE, multiple=True, help="An answer that came back; may be repeated.")
@options.as_json
@shared
def canary(
    state: Shared, controller: str, recipient: str | None, output: Path | None, responses: tuple[Path, ...], json_: bool
) -> None:
    """Ask each recipient of CONTROLLER to open something, once a month: a lost identity is found in time.

    First with -o: one challenge for each recipient, in a folder if there are several. Then with --response.
    """
    _one_of(output, responses or None)
    told = []
    if output is not None:
        known = [str(row["recipient"]) for row in _listed(state) if row["controller"] == controller]
        wanted = [_recipient(state, controller, recipient)] if recipient else known
        if not wanted:
            raise NotFound(f"there is no controller {controller}", "see: gdprcall keys list")
        if len(wanted) > 1 and not output.is_dir():
            raise ConfigError(f"{controller} has {len(wanted)} recipients", "name a folder, or one with --recipient")
        for text in wanted:
            name = f"{controller}.{fingerprint(text)}.challenge"
            path = output / name if output.is_dir() else output
            told.append(_ask(state, controller, text, challenge.Purpose.CANARY, path))
    told += [_answer(state, controller, challenge.Purpose.CANARY, response, None) for response in responses]
    _print(told, json_=json_)


@click.command(
    epilog=example(
        "gdprcall keys answer acme.challenge --identity acme.identity > acme.answer",
        "age -d -i acme.identity acme.challenge > acme.answer",
    )
)
@click.argument("challenge_", metavar="CHALLENGE", type=FILE)
@click.option("-i", "--identity", required=True, type=FILE)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this new file.")
def answer(challenge_: Path, identity: Path, output: Path | None) -> None:
    """Open CHALLENGE where the identity is, and print the answer: it proves that you hold the identity, nothing more.

    Anything else than a challenge is not opened, whoever sent it.
    """
    with challenge_.open("rb") as source:
        found = officer.answer(source, read_identities(identity))
    click.echo(f"answers the {found.purpose} of {found.controller}, recipient {found.fingerprint}", err=True)
    if output is None:
        click.echo(found.text)
    else:
        write_new(output, f"{found.text}\n", 0o644)


def _one_of(output: object, response: object) -> None:
    if (output is None) == (response is None):
        raise ConfigError("give either -o or --response", "-o makes the challenge, --response takes its answer")


def _ask(
    state: Shared, controller: str, recipient: str, purpose: challenge.Purpose, output: Path
) -> Mapping[str, object]:
    params = {"controller": controller, "recipient": recipient, "purpose": purpose}
    made = state.backend.call("keys/challenge", params)
    assert isinstance(made, dict)
    write_new(output, made.pop("challenge"), 0o644)
    return made | {"file": str(output)}


def _answer(
    state: Shared, controller: str, purpose: challenge.Purpose, response: Path, recipient: str | None
) -> Mapping[str, object]:
    with response.open("rb") as file:
        text = file.read(challenge.LONGEST).decode("ascii", "replace")
    params = {"controller": controller, "purpose": purpose, "answer": text}
    made = state.backend.call("keys/answer", params | ({"recipient": recipient} if recipient else {}))
    assert isinstance(made, dict)
    return made


def _print(told: list[Mapping[str, object]], *, json_: bool) -> None:
    if json_:
        print_json(told)
        return
    for one in told:
        if "file" in one:
            click.echo(f"{one['file']}: for the owner of {one['fingerprint']}, until {one['expires_at']}")
        else:
            done = "enrolled" if one["purpose"] == challenge.Purpose.ENROL else "answered the canary"
            click.echo(f"{one['fingerprint']} of {one['controller']} {done}")


def _listed(state: Shared) -> list[dict[str, object]]:
    rows = state.backend.call("keys/list", {})
    assert isinstance(rows, list)
    return rows


def _recipient(state: Shared, controller: str, text: str) -> str:
    """Return a recipient that may have been named by its fingerprint."""
    if text.startswith("age1"):
        return text
    for row in _listed(state):
        if (row["controller"], row["fingerprint"]) == (controller, text):
            return str(row["recipient"])
    raise NotFound(f"{controller} has no recipient {text}", "give it whole (age1…), or see: gdprcall keys list")


COMMANDS = (enrol, canary, answer)
