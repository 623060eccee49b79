"""The README says what is so: its commands run, its table is the one that is printed, its list of events is the log's."""

import hashlib
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from gdprcall import config, log
from gdprcall.age import X25519Identity
from gdprcall.cli.main import root
from tests.pbx.asterisk import Asterisk
from tests.pbx.bench import rows
from tests.pbx.callers import Agent, Caller, Hangup, Press, Stay, Wait
from tests.pbx.installation import Installation
from tests.pbx.prepare import ROOT

README = (ROOT / "README.md").read_text()
TESTS = ROOT / "tests"
# Commands that need what a test has not (root, a network, the whole suite), and the test that proves them instead.
ELSEWHERE = {
    "make demo": "test_the_demonstration_ends_well_and_prints_the_table_of_the_readme",
    "make test": "",  # this is what runs this test
    "sudo make install": "def test_what_is_installed_names_where_it_lies",
}


def blocks(language: str) -> Iterator[str]:
    """Yield the README's fenced blocks of a language."""
    yield from re.findall(rf"^ *```{language}\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line.strip() for block in blocks("sh") for line in block.splitlines() if line.strip()]


def section(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL)
    assert found is not None
    return found[1]


def plain(text: str) -> list[list[str]]:
    """Return the lines of a table without what differs from run to run: times, but not that something is not there."""
    lines = [line for line in text.splitlines() if line.startswith("  ")]
    return [re.sub(r"[1-9]\d*\.\d s", "N s", re.sub(r"\d+ ms *", "N ms ", line)).split() for line in lines]


def test_every_command_is_ours_or_proven_by_a_named_test() -> None:
    known = {
        "keys",
        "check",
        "prompts",
        "doctor",
        "status",
        "calls",
        "decisions",
        "recordings",
        "retention",
        "audit",
        "simulate",
        "vault",
    }
    all_tests = "".join(path.read_text() for path in TESTS.glob("test_*.py"))
    for command in commands():
        if command in ELSEWHERE:
            assert ELSEWHERE[command] in all_tests
        else:
            words = shlex.split(command)
            assert Path(words[0]).name == "gdprcall", command
            assert known & set(words), command


def test_the_list_of_events_is_the_logs_own() -> None:
    assert section("events").strip() == log.events_table().strip()


def test_the_figures_are_those_that_the_bench_measures() -> None:
    lines = section("figures").splitlines()[2:]
    assert {line.split(" | ")[0].removeprefix("| ") for line in lines} <= set(rows.names())
    assert {row.name for row in rows.ROWS if row.bound} <= {line.split(" | ")[0].removeprefix("| ") for line in lines}


def test_the_sample_configuration_is_read(tmp_path: Path) -> None:
    block, without_stasis = (next(one for one in blocks("toml") if part in one) for part in ("[lines", "agi_listen"))
    sealing = next(one for one in blocks("toml") if "[sealing]" in one)
    recipient = X25519Identity.generate(lambda n: bytes(range(n))).recipient().encode()
    path = tmp_path / "gdprcall.toml"
    path.write_text(block.replace("age1…", recipient))
    assert tomllib.loads(path.read_text())["lines"].keys() == {"support"}
    assert config.load(path).policy.lines["support"].keys.withdraw == "*9"
    path.write_text(sealing)
    assert (config.load(path).progressive, config.load(path).memory) == (True, Path("/run/gdprcall/sealing"))
    path.write_text(without_stasis)
    assert config.load(path).asterisk.fronts == ("agi",)


def test_every_option_that_the_readme_uses_exists() -> None:
    runner = CliRunner()
    for command in commands():
        words = shlex.split(command)
        if Path(words[0]).name != "gdprcall":
            continue
        names = [word for word in words[1:] if not word.startswith("-") and "/" not in word]
        path = (
            names[:2]
            if names[0] in {"calls", "keys", "prompts", "decisions", "recordings", "retention", "audit", "vault"}
            else names[:1]
        )
        shown = runner.invoke(root, [*path, "--help"]).output
        for option in (word for word in words if word.startswith("--") and word != "--config"):
            assert option in shown, command


def test_every_step_of_the_custody_of_keys_is_a_command_with_these_options() -> None:
    steps = [line.split("#")[0].split() for block in blocks("text") for line in block.splitlines()]
    ran = [words[2:] for words in steps if words[1:3] == ["gdprcall", "keys"]]
    assert len(ran) == 9
    for words in ran:
        path = words[:3] if words[1] == "rewrap" else words[:2]
        shown = CliRunner().invoke(root, [*path, "--help"])
        assert shown.exit_code == 0, words
        for option in (word for word in words if word.startswith("-")):
            assert option in shown.output, words


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("readme")
    with Asterisk(folder / "pbx") as asterisk, Agent(asterisk):
        installation = Installation(folder / "app", asterisk, identity=folder / "acme.identity")
        installation.prepare()
        with installation:
            call = Caller(asterisk, "+46701749001", "support", [Wait(8.8), Press("1"), Wait(3), Hangup()]).start()
            assert call.wait() == 0, call.problem()
            installation.wait_until_quiet()
        yield installation


@contextmanager
def talking(installation: Installation) -> Iterator[str]:
    """Place a call that stays; yield the id of its decision once it is recorded."""

    def recorded() -> list[str]:
        return [str(row["decision"]) for row in installation.json("calls", "list") if row["state"] == "recording"]

    with Caller(installation.asterisk, "+46701749002", "support", [Wait(8.8), Press("1"), Stay(600)]):
        installation.wait_until(lambda: bool(recorded()), 60)
        yield recorded()[0]


def run(installation: Installation, folder: Path, command: str) -> None:
    """Run a command of the README; fails when it does not end well."""
    words = shlex.split(command)
    words = words[3:] if words[1] == "--config" else words[1:]
    words = [
        str(installation.identity) if word == "acme.identity" and words[0] == "recordings" else word for word in words
    ]
    # Asterisk's own things are not all there for doctor, and it says so: 4 is an answer.
    done = subprocess.run(
        [sys.executable, "-m", "gdprcall", "--config", str(installation.config), *words],
        capture_output=True, text=True, check=False, cwd=folder, env=installation.environment(), stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode in ({0, 4} if words[0] == "doctor" else {0}), f"{command}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr


@pytest.mark.pbx
def test_every_gdprcall_command_of_the_readme_runs(installation: Installation, tmp_path: Path) -> None:
    (recording,) = [str(row["id"]) for row in installation.json("recordings", "list")]
    (decision,) = [str(row["id"]) for row in installation.json("decisions", "list")]
    ours = [command for command in commands() if Path(shlex.split(command)[0]).name == "gdprcall"]
    assert len(ours) >= 15
    of_calls = [command for command in ours if " calls " in command]
    with installation, talking(installation) as live:
        for command in of_calls:
            run(installation, tmp_path, command.replace("CALL", live))
        assert [row["why"] for row in installation.json("calls", "list")] == ["stopped_by_admin"], "and it goes on"
    for command in [command for command in ours if command not in of_calls]:  # which need no daemon
        run(installation, tmp_path, command.replace("RECORDING", recording).replace("DECISION", decision))
    states = {row["id"]: row["state"] for row in installation.json("recordings", "list")}
    assert states.pop(recording) == "erased"
    assert list(states.values()) == ["sealed"], "what was recorded of the call that was stopped"


@pytest.mark.pbx
def test_the_demonstration_ends_well_and_prints_the_table_of_the_readme() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.pbx.demo"], capture_output=True, text=True, check=False, cwd=ROOT, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = plain(done.stdout)
    table = plain(section("demo"))
    assert table == printed[: len(table)]
    for company in ("acme", "alm"):
        heard = hashlib.sha256((ROOT / ".demo" / f"prompt-{company}.wav").read_bytes()).hexdigest()
        assert f"prompt                SHA-256 {heard}\n" in (ROOT / ".demo" / f"receipt-{company}.txt").read_text()
    assert "\n  13 decisions looked at\n" in done.stdout
    leftovers = [path for path in (ROOT / ".demo").rglob("*") if path.name.endswith(".partial")]
    assert leftovers == []
    listed = subprocess.run(
        [sys.executable, "-m", "gdprcall", "--config", ".demo/gdprcall.toml", "recordings", "list", "--json"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert '"sealed"' in listed.stdout
    assert '"erased"' in listed.stdout
