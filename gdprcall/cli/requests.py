"""``gdprcall requests``: the register of what persons ask for, its one-month clock, and the letters that the law wants."""

import sys
from pathlib import Path

import click

from gdprcall import letters
from gdprcall.cli import options
from gdprcall.cli.output import print_fields, print_json, print_rows
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed, ConfigError

TYPES = ("access", "erasure", "rectification", "restriction", "objection", "portability", "withdrawal")
CHANNELS = ("phone", "mail", "email", "counter")
METHODS = ("callback", "eid", "document", "account")
GROUNDS = (
    *("manifestly_unfounded", "excessive", "not_identified", "legal_obligation", "legal_claims", "others_rights"),
    *("compelling_grounds", "not_applicable", "data_are_accurate", "no_condition"),
)
COLUMNS = {
    "due": "DUE",
    "remains": "REMAINS",
    "id": "REQUEST",
    "controller": "CONTROLLER",
    "type": "TYPE",
    "state": "STATE",
}
LETTERS = ("extension", "answer", "refusal")
_NAMES = "id type marketing language received last reason note ground article late backups_until".split()
_OF_WHOM = "id name contact address officer authority country notice_url proof_days".split()
_SAMPLE: dict[str, object] = {**dict.fromkeys(_NAMES, ""), "controller": dict.fromkeys(_OF_WHOM, "")}
"""What a letter is tried with."""
WORDS = "It goes into the letter. No names and numbers."


@click.group()
def requests() -> None:
    """Keep the register of what persons ask for (Art. 12 to 22), and its deadlines."""


@requests.command(
    "open",
    epilog=example(
        "gdprcall requests open '+46 8 123 456 78' --controller acme --type access --channel mail --received 2026-11-20",
        "gdprcall requests open - --controller acme --type objection --marketing --channel phone"
        " --received 2026-11-20T14:05 < number",
    ),
)
@click.argument("number")
@click.option("--controller", required=True, metavar="ID", help="Whom the person asks.")
@click.option("--type", "type_", required=True, type=click.Choice(TYPES), help="What he asks for.")
@click.option("--channel", required=True, type=click.Choice(CHANNELS), help="How it came.")
@click.option(
    "--received", required=True, metavar="WHEN", help="A date or time, as it is with the controller; or RFC 3339."
)
@click.option("--marketing", is_flag=True, help="He objects to direct marketing, which is never refused (Art. 21(3)).")
@click.option("--language", default="", metavar="TAG", help="The language of the letters: en, sv or de.")
@options.as_json
@shared
def open_(
    state: Shared,
    number: str,
    controller: str,
    type_: str,
    channel: str,
    received: str,
    marketing: bool,
    language: str,
    json_: bool,
) -> None:
    """Enter a request, and print its id and by when it must be answered.

    NUMBER is whose data are asked for; - reads it from standard input, where no list of processes shows it. It is
    kept, to be called back, until the request is closed.
    """
    params = {"number": _read(number), "controller": controller, "type": type_, "channel": channel}
    params |= {"received": received, "language": language}
    value = state.backend.call("requests/open", params | {"marketing": marketing})
    assert isinstance(value, dict)
    if json_:
        print_json(value)
        return
    click.echo(f"request {value['id']}: {value['type']}, due {value['due']} ({value['remains']})")
    if value["earlier"]:
        click.echo(f"earlier requests of this person: {', '.join(value['earlier'])}")


@requests.command(
    epilog=example(
        "gdprcall requests identify 5f0c… --ask",
        "gdprcall requests identify 5f0c… --code 48217930 --call 2026-11-03T14:05",
        "gdprcall requests identify 5f0c… --method eid",
    )
)
@click.argument("id_", metavar="ID")
@click.option("--ask", is_flag=True, help="Print a code once, and the number to call and tell it to.")
@click.option("--code", metavar="CODE", help="The code that the person says; - reads it from standard input.")
@click.option("--call", metavar="WHEN", help="When, as he says, he called: within an hour.")
@click.option("--method", type=click.Choice(METHODS), default="callback", show_default=True, help="How he shows it.")
@options.as_json
@shared
def identify(state: Shared, id_: str, ask: bool, code: str | None, call: str | None, method: str, json_: bool) -> None:
    """Let a person show who he is: a number alone is no proof (Art. 12(6)).

    First --ask: call that number back and tell the code. Who then knows the code and when he called has shown it. From the
    question to the answer the month does not run. Of a document that was seen, nothing is kept but that it was.
    """
    if ask and (code or call or method != "callback"):
        raise click.UsageError("--ask gives a code out, and takes none")
    if not ask and method == "callback" and not (code and call):
        raise click.UsageError("give both --code and --call; or --ask; or another --method")
    params = {"id": id_, "ask": ask, "method": method, "code": _read(code or ""), "call": call}
    value = state.backend.call("requests/identify", params)
    assert isinstance(value, dict)
    if json_:
        print_json(value)
    elif ask:
        click.echo(f"call {value['number']} and say: {value['code'][:4]} {value['code'][4:]}")
        click.echo(f"then let him say it, and when he called, the way he asked; it counts until {value['code_until']}")
    else:
        click.echo(f"identified ({value['method']}); {value['remains']}")


def _letter(command: options.Command) -> options.Command:
    """Add what each letter takes: its language, own templates, a page beside it, and --json."""
    for option in (
        options.as_json,
        click.option(
            "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write it as a page to this new file."
        ),
        click.option(
            "--templates", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Own templates."
        ),
        click.option("--language", metavar="TAG", help="Default: that of the request."),
    ):
        command = option(command)
    return command


@requests.command(epilog=example('gdprcall requests extend 5f0c… --reason "there are 240 calls to be looked through"'))
@click.argument("id_", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help=f"Why it takes longer. {WORDS}")
@_letter
@shared
def extend(
    state: Shared, id_: str, reason: str, language: str | None, templates: Path | None, html: Path | None, json_: bool
) -> None:
    """Extend the time by two months, within the first one, and print the letter that tells it (Art. 12(3))."""
    _refuse_unready(html, templates, language)
    value = state.backend.call("requests/extend", {"id": id_, "reason": reason})
    _print("extension", value, language, templates, html, json_)


@requests.command(epilog=example('gdprcall requests answer 5f0c… --note "Three recordings were erased."'))
@click.argument("id_", metavar="ID")
@click.option("--note", required=True, metavar="TEXT", help=f"What was done. {WORDS}")
@_letter
@shared
def answer(
    state: Shared, id_: str, note: str, language: str | None, templates: Path | None, html: Path | None, json_: bool
) -> None:
    """Close a request that was carried out, and print the letter that says what was done and what stays (Art. 12(3))."""
    _refuse_unready(html, templates, language)
    value = state.backend.call("requests/answer", {"id": id_, "note": note})
    _print("answer", value, language, templates, html, json_)


@requests.command(
    epilog=example('gdprcall requests refuse 5f0c… --ground legal_claims --reason "The contract of May is in dispute."')
)
@click.argument("id_", metavar="ID")
@click.option("--ground", required=True, type=click.Choice(GROUNDS), help="The ground of the law.")
@click.option("--reason", required=True, metavar="TEXT", help=f"Why it applies here. {WORDS}")
@_letter
@shared
def refuse(
    state: Shared,
    id_: str,
    ground: str,
    reason: str,
    language: str | None,
    templates: Path | None,
    html: Path | None,
    json_: bool,
) -> None:
    """Refuse a request on a ground of the law, and print the letter with reason and remedies (Art. 12(4))."""
    _refuse_unready(html, templates, language)
    value = state.backend.call("requests/refuse", {"id": id_, "ground": ground, "reason": reason})
    assert isinstance(value, dict)
    if value["letter"]["late"]:
        click.echo("warning: a refusal must be told within the first month, which is over (Art. 12(4))", err=True)
    _print("refusal", value, language, templates, html, json_)


@requests.command(epilog=example("gdprcall requests show 5f0c…"))
@click.argument("id_", metavar="ID")
@options.as_json
@shared
def show(state: Shared, id_: str, json_: bool) -> None:
    """Show one request: how it stands, and what was done."""
    value = state.backend.call("requests/show", {"id": id_})
    print_json(value) if json_ else print_fields(value)  # type: ignore[arg-type]  # JSON of our own


@requests.command("list", epilog=example("gdprcall requests list", "gdprcall requests list --due 7 --json"))
@click.option("--due", type=click.IntRange(0), metavar="DAYS", help="Only what is overdue or due within so many days.")
@click.option("--controller", metavar="ID", help="Of this controller only.")
@click.option("--type", "type_", type=click.Choice(TYPES), help="Of this type only.")
@click.option("--all", "all_", is_flag=True, help="The closed ones too.")
@options.as_json
@shared
def list_(state: Shared, due: int | None, controller: str | None, type_: str | None, all_: bool, json_: bool) -> None:
    """List the requests, what is due first at the top, with the days that remain."""
    params = {"due": due, "controller": controller, "type": type_, "all": all_}
    rows = state.backend.call("requests/list", params)
    assert isinstance(rows, list)
    print_json(rows) if json_ else print_rows(rows, COLUMNS, "no requests")


@requests.command(epilog=example("gdprcall requests check", "gdprcall requests check --json"))
@click.option("--controller", metavar="ID", help="Of this controller only.")
@options.as_json
@shared
def check(state: Shared, controller: str | None, json_: bool) -> None:
    """Look whether a request is overdue or soon due (a controller's remind_days); exit 4 if one is."""
    value = state.backend.call("requests/check", {"controller": controller})
    assert isinstance(value, dict)
    overdue, due = value["overdue"], value["due"]
    if json_:
        print_json(value)
    else:
        print_rows([*overdue, *due], COLUMNS, f"nothing presses; {value['open']} open")
    if overdue or due:
        raise CheckFailed(f"{len(overdue)} overdue, {len(due)} to be looked at soon", "see: gdprcall requests show ID")


def _print(
    what: str, value: object, language: str | None, templates: Path | None, html: Path | None, json_: bool
) -> None:
    """Print the letter of what was done; it is noted by now, so that no letter can tell what is not."""
    assert isinstance(value, dict)
    told = value.pop("letter")
    values = {name: value[name] for name in ("id", "type", "marketing")} | told | {"what": what}
    chosen = letters.language_for("request", language or told["language"], templates)
    letter = letters.write("request", chosen, values, templates)
    if html is not None:
        html.write_text(letter.page, encoding="utf-8")
    if json_:
        print_json(value | {"letter": {"language": letter.language, "text": letter.text}})
    else:
        click.echo(letter.text, nl=False)


def _refuse_unready(html: Path | None, templates: Path | None, language: str | None) -> None:
    """Raise ConfigError where a letter could not be written, before anything is noted."""
    if html is not None and html.exists():
        raise ConfigError(f"{html} is there already", "choose another name")
    for what in LETTERS if templates is not None else ():
        chosen = letters.language_for("request", language or "", templates)
        letters.write("request", chosen, _SAMPLE | {"what": what}, templates)


def _read(given: str) -> str:
    return sys.stdin.readline().strip() if given == "-" else given


COMMANDS = (requests,)
