"""The manual page, made from the commands themselves, so that it cannot say what they do not do."""

import click


def man_page(context: click.Context) -> str:
    """Return the page in roff for the root command of ``context``."""
    root = context.command
    lines = [
        '.TH GDPRCALL 1 "" "gdprcall" "User Commands"',
        ".SH NAME",
        "gdprcall \\- consent first call recording for Asterisk",
    ]
    lines += [".SH SYNOPSIS", ".B gdprcall", "[options] command [arguments]", ".SH DESCRIPTION", _roff(root.help or "")]
    lines += [".SH OPTIONS", *_options(root, context), ".SH COMMANDS", *_commands(root, context, "gdprcall")]
    lines += [".SH FILES", ".TP", ".I /etc/gdprcall/gdprcall.toml", "the configuration", ".TP", ".I /var/lib/gdprcall"]
    return "\n".join([*lines, "the vault", ""])


def _commands(command: click.Command, context: click.Context, path: str) -> list[str]:
    if not isinstance(command, click.Group):
        text = [".SS " + _roff(f"{path} {' '.join(command.collect_usage_pieces(context))}"), _roff(command.help or "")]
        return [*text, *_options(command, context)]
    lines: list[str] = []
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        lines += _commands(child, click.Context(child, parent=context, info_name=name), f"{path} {name}")
    return lines


def _options(command: click.Command, context: click.Context) -> list[str]:
    records = [param.get_help_record(context) for param in command.params]
    return [line for record in records if record for line in (".TP", ".B " + _roff(record[0]), _roff(record[1]))]


def _roff(text: str) -> str:
    clean = " ".join(text.replace("\b", " ").split())
    return clean.replace("\\", "\\e").replace("-", "\\-")
