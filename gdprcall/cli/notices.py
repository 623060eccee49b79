"""``gdprcall breach notice`` and ``notify``: the notices of a breach as letters, and the note that one was sent.

Nothing here sends anything: authorities have forms, and a person decides.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from gdprcall import letters
from gdprcall.cli import options
from gdprcall.cli.breached import print_breach
from gdprcall.cli.output import print_json
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import ConfigError
from gdprcall.letters import Letter

TO = ("controller", "authority", "persons", "public")
Command = Callable[..., Any]


def _whom(command: Command) -> Command:
    for option in (
        click.option(
            "--templates", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Own templates."
        ),
        click.option("--language", default="en", show_default=True, metavar="TAG", help="Of the letter: en, sv or de."),
        click.option("--to", type=click.Choice(TO), required=True, help="Who is told."),
    ):
        command = option(command)
    return click.argument("id_", metavar="ID")(command)


@click.command(
    epilog=example(
        "gdprcall breach notice 5f0c… --to authority",
        "gdprcall breach notice 5f0c… --to persons --language de --html letter.html",
    )
)
@_whom
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write it as a page to this new file.")
@options.as_json
@shared
def notice(
    state: Shared, id_: str, to: str, language: str, templates: Path | None, html: Path | None, json_: bool
) -> None:
    """Print the draft of a notice, of what is known now; what is not known is marked "to follow".

    To the authority (Art. 33(3)), from a processor to its controller (Art. 33(2)), to the persons (Art. 34(2)), or to the public
    (Art. 34(3)(c)). It is a draft: read it before it is sent.
    """
    if html is not None and html.exists():
        raise ConfigError(f"{html} is there already", "choose another name")
    value, letter = _letter(state, id_, to, language, templates)
    if html is not None:
        html.write_text(letter.page, encoding="utf-8")
    if json_:
        print_json(value | {"letter": {"language": letter.language, "text": letter.text}})
    else:
        click.echo(letter.text, nl=False)


@click.command(
    epilog=example(
        "gdprcall breach notify 5f0c… --to authority --reference 2026-4711",
        "gdprcall breach notify 5f0c… --to persons --count 214 --sent 2026-11-21T09:00 --text letter.txt",
    )
)
@_whom
@click.option("--sent", metavar="WHEN", help="When it was sent; default: now.")
@click.option("--reference", metavar="TEXT", help="The receipt, or the authority's number of the case.")
@click.option("--count", type=click.IntRange(1), metavar="COUNT", help="How many persons were told.")
@click.option("--delay-reason", metavar="TEXT", help="Why it is later than the law wants; it goes into the notice.")
@click.option("--text", type=click.File(encoding="utf-8"), help="What was sent; default: the notice as it is now.")
@options.as_json
@shared
def notify(
    state: Shared, /, id_: str, to: str, language: str, templates: Path | None, text: Any, json_: bool, **more: Any
) -> None:
    """Note that a notice was sent, with its text; each further one is a further phase (Art. 33(4))."""
    # The reason is noted with the notice; in its text it must be already.
    late = {"delay_reason": more["delay_reason"]} if more["delay_reason"] else {}
    _, letter = _letter(state, id_, to, language, templates, late)
    said = text.read() if text is not None else letter.text
    params = {"id": id_, "to": to, "text": said, "language": letter.language}
    noted = state.backend.call("breach/notify", params | {name: one for name, one in more.items() if one is not None})
    print_json(noted) if json_ else print_breach(noted)


def _letter(
    state: Shared,
    id_: str,
    to: str,
    language: str,
    templates: Path | None,
    fields: Mapping[str, str] = MappingProxyType({}),
) -> tuple[dict[str, Any], Letter]:
    """Return a breach and the notice of it; a language without a template is told, and the letter is in English."""
    value = state.backend.call("breach/notice", {"id": id_, "to": to})
    assert isinstance(value, dict)
    told = value.pop("letter")
    told["fields"] |= fields
    chosen = letters.language_for("breach", language, templates)
    if chosen != language.replace("_", "-").lower():
        click.echo(f"warning: there is no letter in {language}: this one is in {chosen}", err=True)
    for spoken in sorted(told["languages"]) if to in {"persons", "public"} else ():
        if letters.language_for("breach", spoken, templates) != spoken.lower().split("-")[0]:
            click.echo(f"warning: some of the persons were spoken to in {spoken}, and no letter is in it", err=True)
    values = {"id": value["id"], "regime": value["regime"]} | told
    return value, letters.write("breach", chosen, values, templates)
