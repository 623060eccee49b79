"""Runs commands of gdprcall as processes of their own, forked from one that has the program loaded.

Loading it costs ten times what most commands do, and the real suite runs hundreds of them beside calls that must not be late. That
the program starts from nothing is seen where its daemon, and the README's commands, are started.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence

PATIENCE_S = 300
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        *(
            "gdprcall.cli.main",
            "gdprcall.cli.audit",
            "gdprcall.cli.daemon",
            "gdprcall.cli.decisions",
            "gdprcall.cli.keys",
        ),
        *(
            "gdprcall.cli.recordings",
            "gdprcall.cli.vault",
            "gdprcall.cli.voices",
            "gdprcall.cli.calls",
            "gdprcall.doctor",
        ),
    ]
)


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run one command and return its exit status and what it printed; raises TimeoutError."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        files = [os.dup(file.fileno()) for file in (out, err)]
        try:
            names = [f"/proc/{os.getpid()}/fd/{number}" for number in files]
            process = _context.Process(target=_command, args=(list(arguments), dict(environment), os.getcwd(), *names))
            process.start()
            process.join(PATIENCE_S)
        finally:
            for number in files:
                os.close(number)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"gdprcall {' '.join(arguments)} has not ended after {PATIENCE_S} s")
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
        return subprocess.CompletedProcess(list(arguments), process.exitcode, *said)


def _command(arguments: list[str], environment: Mapping[str, str], folder: str, out: str, err: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    warnings.simplefilter("error")
    for name, number in ((os.devnull, 0), (out, 1), (err, 2)):
        opened = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    # Where the fork server had none, Python has made none.
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in ((0, "r"), (1, "w"), (2, "w")))
    from gdprcall.cli.main import run as program  # noqa: PLC0415 # it is loaded already, in the process forked from

    status = program(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)
