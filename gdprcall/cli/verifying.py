"""``gdprcall vault verify``: whether everything in the vault is there, whole, and in its place."""

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed, ConfigError
from gdprcall.vault.checks import Progress


@click.command(
    epilog=example(
        "gdprcall vault verify",
        "gdprcall vault verify --sample 5%",
        "gdprcall vault verify --resume",
        "gdprcall vault verify --controller acme --json",
    )
)
@click.option(
    "--sample", metavar="N|P%", help="Read only so many payloads, or such a share; of the others only the size."
)
@click.option("--controller", metavar="ID", help="Payloads and headers of this controller only.")
@click.option("--resume", is_flag=True, help="Go on with one that was stopped; its sample and controller hold.")
@options.as_json
@shared
def verify(state: Shared, sample: str | None, controller: str | None, resume: bool, json_: bool) -> None:
    """Look through payloads, headers, index and ledger, each against each other; exit 4 and a line for each finding.

    It names what is missing, truncated, changed, swapped, unindexed, unknown, or there though it was erased. It mends
    nothing and keeps no call waiting; stopped with Ctrl-C, it goes on with --resume.
    """
    if resume and (sample or controller):
        raise ConfigError("--resume goes on as it was begun", "leave --sample and --controller out, or begin anew")
    with progress("verifying", wanted=not json_) as tell:
        params: dict[str, object] = {} if resume else {"begin": True, "sample": sample, "controller": controller}
        found = _ask(state, params, tell)
        while found["stage"] != "finished":
            tell(int(str(found["percent"])), 100)
            found = _ask(state, {}, tell)
    if json_:
        print_json(found)
    else:
        _print(found)
    if found["findings"]:
        count = len(list(found["findings"])) + int(str(found["more_findings"]))  # type: ignore[call-overload]  # a list
        raise CheckFailed(f"{count} findings", "nothing was mended; keep the files for an investigation")


def _ask(state: Shared, params: dict[str, object], tell: Progress) -> dict[str, object]:
    found = state.backend.call("vault/verify", params, tell)
    assert isinstance(found, dict)
    return found


def _print(found: dict[str, object]) -> None:
    findings = found["findings"]
    assert isinstance(findings, list)
    for finding in findings:
        click.echo(f"{finding['where']} {finding['name']} {finding['detail']}")
    click.echo(
        f"{found['payloads_read']} of {found['payloads_seen']} payloads read, headers, index and ledger compared"
    )
    if not findings:
        click.echo("everything is there, whole, and in its place")
