"""Custody on the command line: each command's word and exit status, with and without a daemon, and what it leaves behind."""

import asyncio
import json
import tomllib
from pathlib import Path

import pytest

from gdprcall import api, config
from gdprcall.cli.main import run
from gdprcall.custody import edit
from gdprcall.errors import GdprcallError, Refused
from gdprcall.operations import CHANGING, OPERATIONS, Context
from gdprcall.vault.archive import Vault
from gdprcall.vault.keys import fingerprint
from gdprcall.vault.ledger import Kind
from tests.test_api import answers
from tests.test_cli_exits import RECORDING, Shell
from tests.vaults import ACME, Controller

NEW = Controller("acme", seed=77)


class Officer(Shell):
    """A command line, and beside it an officer with identities."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, capture)
        self.desk = folder / "officer"
        self.desk.mkdir()
        for name, who in (("old", ACME), ("new", NEW)):
            for place, identity in enumerate(who.identities):
                (self.desk / f"{name}.{place}").write_text(identity.encode() + "\n")

    def enrol(self, who: Controller = NEW, name: str = "new") -> None:
        for place, recipient in enumerate(who.recipients):
            asked, answer = self.desk / f"{name}.{place}.challenge", self.desk / f"{name}.{place}.answer"
            assert self("keys", "enrol", "acme", recipient, "-o", str(asked))[0] == 0
            assert (
                self("keys", "answer", str(asked), "-i", str(self.desk / f"{name}.{place}"), "-o", str(answer))[0] == 0
            )
            status, out, _ = self("keys", "enrol", "acme", recipient, "--response", str(answer))
            assert (status, out.endswith(f"{fingerprint(recipient)} of acme enrolled\n")) == (0, True)

    def rotate(self) -> None:
        assert self("keys", "rotate", "acme", *NEW.recipients)[0] == 0

    def rewrap(self, *words: str) -> tuple[int, str, str]:
        return self("keys", "rewrap", *words)

    def convert(self, out: str = "back", *more: str) -> tuple[int, str, str]:
        to = [word for one in NEW.recipients for word in ("--to", one)]
        words = ("convert", str(self.desk / "out"), "-i", str(self.desk / "old.0"), *to, "-o", str(self.desk / out))
        return self.rewrap(*words, *more)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Officer:
    return Officer(tmp_path, capsys)


def test_the_whole_way_from_enrolment_to_the_last_rewrapped_header(shell: Officer) -> None:
    shell.enrol()
    status, out, err = shell("keys", "rotate", "acme", *NEW.recipients, "--dry-run")
    assert (status, out) == (0, edit.line(NEW.recipients) + "\n")
    assert config.load(shell.config).policy.controllers["acme"].recipients == ACME.recipients[:1]
    status, out, err = shell("keys", "rotate", "acme", *NEW.recipients)
    assert (status, "systemctl reload gdprcall" in err) == (0, True)
    assert config.load(shell.config).policy.controllers["acme"].recipients == NEW.recipients
    status, out, _ = shell.rewrap("export", "acme", "-o", str(shell.desk / "out"), "--json")
    assert (status, json.loads(out)["headers"], json.loads(out)["to"]) == (0, 2, list(NEW.recipients))
    status, out, _ = shell.convert()
    assert (status, ": 2 new headers;" in out) == (0, True)
    back = str(shell.desk / "back")
    status, out, _ = shell.rewrap("take", back, "--dry-run")
    assert (status, out) == (0, "2 headers would be replaced, 0 were already\n")
    status, _, err = shell.rewrap("take", back)
    assert (status, "nothing was destroyed" in err) == (1, True)
    assert shell.rewrap("take", back, "--yes")[:2] == (0, "2 headers replaced, 0 were already\n")
    assert shell.rewrap("take", back, "--yes")[:2] == (0, "0 headers replaced, 2 were already\n")
    exported = shell.desk / f"{RECORDING}.1.age"
    assert shell("recordings", "export", RECORDING, "-o", str(exported))[0] == 0
    assert shell("recordings", "open", str(exported), "-i", str(shell.desk / "old.0"))[0] == 1
    assert shell("recordings", "open", str(exported), "-i", str(shell.desk / "new.1"))[0] == 0
    assert shell("audit", "verify")[0] == shell("vault", "verify")[0] == 0
    kinds = [entry["kind"] for entry in json.loads(shell("audit", "log", "--json")[1])]
    assert [kind for kind in kinds if kind.startswith(("reci", "rota", "rew"))] == [
        *("recipient_challenged", "recipient_enrolled") * 2,
        *("recipients_changed", "rotation_intended", "recipients_changed", "rewrap_exported", "rewrapped", "rewrapped"),
    ]


def test_what_is_refused_is_named_line_by_line_with_exit_4(shell: Officer) -> None:
    shell.enrol()
    shell.rotate()
    assert shell.rewrap("export", "acme", "--all", "-o", str(shell.desk / "out"))[0] == 0
    assert shell.convert()[0] == 0
    assert shell("recordings", "erase", RECORDING, "--reason", "x", "--yes")[0] == 0
    status, out, err = shell.rewrap("take", str(shell.desk / "back"), "--yes")
    assert (status, out.splitlines()[0]) == (4, "0 headers replaced, 0 were already")
    assert f"refused {RECORDING}.1: there is no such header any more" in out
    assert "2 headers were refused" in err
    status, out, _ = shell.rewrap("take", str(shell.desk / "back"), "--yes", "--json")
    assert (status, json.loads(out)["taken"], len(json.loads(out)["refused"])) == (4, 0, 2)


def test_an_identity_that_does_not_open_a_header_names_it_with_exit_4(shell: Officer) -> None:
    shell.enrol()
    shell.rotate()
    shell.rewrap("export", "acme", "--all", "-o", str(shell.desk / "out"))
    lines = (shell.desk / "out").read_bytes().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | {"header": "AAAA"}).encode()
    (shell.desk / "out").write_bytes(b"\n".join(lines) + b"\n")
    status, out, err = shell.convert()
    assert (status, "1 new headers" in out, "damaged" in out, "1 headers were refused" in err) == (4, True, True, True)
    assert shell.convert()[0] == 1, "what is there is not overwritten"
    status, out, _ = shell.convert("other", "--json")
    assert (status, len(json.loads(out)["refused"])) == (4, 1)


def test_an_officer_s_machine_needs_no_configuration(shell: Officer, capsys: pytest.CaptureFixture[str]) -> None:
    asked = shell.desk / "asked"
    shell("keys", "enrol", "acme", NEW.recipients[0], "-o", str(asked))
    words = ["--config", str(shell.folder / "none.toml"), "keys", "answer", str(asked), "-i", str(shell.desk / "new.0")]
    assert run(words) == 0
    said = capsys.readouterr()
    assert said.out.startswith("gdprcall/proof-v1 enrol acme ")
    assert "answers the enrol of acme" in said.err
    assert "AGE-SECRET" not in said.out + said.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("enrol", "acme", NEW.recipients[0]), 2, "either -o or --response"),
        (("enrol", "acme", "0" * 16, "-o", "x"), 3, "no recipient"),
        (("enrol", "beta", NEW.recipients[0], "-o", "x"), 3, "no controller"),
        (("enrol", "acme", "age1x", "-o", "x"), 2, "not an age recipient"),
        (("canary", "acme"), 2, "either -o or --response"),
        (("canary", "beta", "-o", "x"), 3, "no controller"),
        (("rotate", "acme", *NEW.recipients), 1, "nobody has shown"),
        (("rotate", "acme"), 2, "Missing argument"),
        (("rewrap", "export", "acme", "-o", "x"), 1, "nobody has shown"),
        (("rewrap", "export", "beta", "-o", "x"), 3, "no controller"),
    ],
)
def test_what_cannot_be_done_says_why(
    shell: Officer, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int, said: str
) -> None:
    monkeypatch.chdir(shell.desk)
    found, _, err = shell("keys", *words)
    assert (found, said in err) == (status, True), err
    assert not (shell.desk / "x").exists()


def test_a_canary_goes_to_each_recipient_and_their_answers_come_back_together(shell: Officer) -> None:
    shell.enrol()
    shell.rotate()
    status, _, err = shell("keys", "canary", "acme", "-o", str(shell.desk / "one"))
    assert (status, "has 2 recipients" in err) == (2, True)
    folder = shell.desk / "canaries"
    folder.mkdir()
    assert shell("keys", "canary", "acme", "-o", str(folder))[0] == 0
    back = []
    for place, recipient in enumerate(NEW.recipients):
        asked = folder / f"acme.{fingerprint(recipient)}.challenge"
        back += ["--response", str(folder / f"{place}")]
        shell("keys", "answer", str(asked), "-i", str(shell.desk / f"new.{place}"), "-o", back[-1])
    status, out, _ = shell("keys", "canary", "acme", *back)
    assert (status, out.count("answered the canary")) == (0, 2)
    status, _, err = shell("keys", "canary", "acme", *back)
    assert (status, "each answer counts once" in err) == (4, True)
    one = fingerprint(NEW.recipients[1])
    assert shell("keys", "canary", "acme", "--recipient", one, "-o", str(shell.desk / "one"))[0] == 0


def test_check_and_list_say_what_custody_lacks_until_nothing_does(shell: Officer) -> None:
    status, out, _ = shell("check")
    assert status == 0
    assert "warning: controllers.acme.recipients: there is one alone" in out
    assert "(operational) is not enrolled" in out
    shell.enrol()
    shell.rotate()
    assert "controllers.acme.recipients" not in shell("check")[1]
    assert "SEC-01" not in {warning["rule"] for warning in json.loads(shell("check", "--json")[1])["warnings"]}
    rows = json.loads(shell("keys", "list", "--json")[1])
    assert [(row["role"], row["recipient"]) for row in rows] == list(
        zip(("operational", "escrow"), NEW.recipients, strict=True)
    )
    assert all(row["enrolled_at"] for row in rows)
    assert "LAST CANARY" in shell("keys", "list")[1]


def test_all_of_it_is_the_same_over_the_daemon_s_socket(shell: Officer) -> None:
    """The shell's commands find a daemon that serves the vault, and do not open it themselves."""

    async def served() -> None:
        settings = config.load(shell.config)
        with Vault.open(settings.vault) as vault:
            context = Context(vault, settings, dict, now=lambda: config.load(shell.config))
            async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
                task = tasks.create_task(api.serve_api(context, settings.socket))
                while not answers(settings.socket):
                    await asyncio.sleep(0.005)
                try:
                    await asyncio.to_thread(commands)
                finally:
                    task.cancel()

    def commands() -> None:
        shell.enrol()
        shell.rotate()
        assert shell.rewrap("export", "acme", "--all", "-o", str(shell.desk / "out"))[0] == 0
        assert shell.convert()[0] == 0
        status, out, _ = shell.rewrap("take", str(shell.desk / "back"), "--yes")
        assert (status, out.endswith("2 headers replaced, 0 were already\n")) == (0, True)
        assert shell("audit", "verify")[0] == 0

    asyncio.run(served())


def test_whatever_changes_something_is_logged_as_a_request() -> None:
    assert {name for name in OPERATIONS if name.startswith("keys/")} - CHANGING == {"keys/list", "keys/headers"}


def test_the_rotation_is_noted_before_the_file_is_written(shell: Officer, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.enrol()

    def fails(*_: object) -> Path:
        raise GdprcallError("the file cannot be written", "as a test wants it")

    monkeypatch.setattr(edit, "write", fails)
    assert shell("keys", "rotate", "acme", *NEW.recipients)[0] == 1
    with Vault.open(shell.folder / "vault") as vault:
        assert [entry.kind for entry in vault.ledger.entries()][-1] is Kind.ROTATION_INTENDED
    assert config.load(shell.config).policy.controllers["acme"].recipients == ACME.recipients[:1]


# The configuration's text

TEXT = """\
# ours since 2024; recipients = ["none"]
[controllers.acme]   # the first
name = "Acme" # keep
recipients = [
    "age1old",
    "age1older",
]  # who can open
[controllers.beta]
recipients = ["age1beta"]
"""


def test_one_value_is_changed_and_every_comment_stays() -> None:
    change = edit.edited(TEXT, "acme", ["age1new", "age1newer"])
    assert change.after == TEXT.replace('[\n    "age1old",\n    "age1older",\n]', '["age1new", "age1newer"]')
    assert edit.edited(TEXT, "beta", ["age1x"]).after == TEXT.replace('["age1beta"]', '["age1x"]')


@pytest.mark.parametrize(
    "text",
    [
        'controllers.acme.recipients = ["a"]\n',
        'controllers = {acme = {name = "x", recipients = ["a"]}}\n',
        '[controllers]\nacme.recipients = ["a"]\n',
        '[controllers."acme"]\n"recipients" = ["a"]\n',
        "[controllers.acme]\nrecipients=['a']\n",
        "[controllers.acme]\r\nrecipients = ['a']\r\n",
    ],
)
def test_whatever_way_it_is_written_the_one_value_is_found(text: str) -> None:
    after = edit.edited(text, "acme", ["b", "c"]).after
    assert tomllib.loads(after)["controllers"]["acme"]["recipients"] == ["b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        '[controllers.acme]\nrecipients = ["a", # mine\n "b"]\n',
        '[controllers.acme]\nrecipients = ["a]", "b"]\n',
        '[controllers.acme]\nname = """\nrecipients = ["a"]\n"""\nrecipients = [["a"], "]"]\n',
    ],
)
def test_where_there_is_a_doubt_the_line_is_told_and_nothing_changed(text: str) -> None:
    with pytest.raises(Refused) as caught:
        edit.edited(text, "acme", ["b"])
    assert 'recipients = ["b"]' in caught.value.hint


def test_a_file_keeps_its_modes_and_the_former_one_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "gdprcall.toml"
    path.write_text(TEXT)
    path.chmod(0o640)
    change = edit.edited(TEXT, "acme", ["age1new"])
    kept = edit.write(path, change, "20260101T000000000Z")
    assert (path.read_text(), kept.read_text()) == (change.after, TEXT)
    assert (path.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o640, 0o640)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["gdprcall.toml", "gdprcall.toml.20260101T000000000Z"]
    with pytest.raises(Refused, match="changed meanwhile"):
        edit.write(path, change, "20260101T000000001Z")


def test_a_link_to_a_configuration_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text(TEXT)
    (tmp_path / "gdprcall.toml").symlink_to(tmp_path / "real.toml")
    edit.write(tmp_path / "gdprcall.toml", edit.edited(TEXT, "acme", ["age1new"]), "1")
    assert (tmp_path / "gdprcall.toml").is_symlink()
    assert "age1new" in (tmp_path / "real.toml").read_text()
