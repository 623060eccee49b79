"""One controller's people and another's data: not there, whatever is asked and however, over a real socket too."""

import asyncio
import grp
import json
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tuned
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gdprcall import api, config, operations, peers
from gdprcall.errors import CheckFailed, ConfigError, GdprcallError, NotFound, Refused
from gdprcall.operations import CHANGING, OPERATIONS, Context
from gdprcall.policy.model import Controller, Line
from gdprcall.roles import MAY, Grant, Role, may
from gdprcall.times import DAY_MS
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Entry, Fact, Kind
from tests import vaults
from tests.consents import agreed, decided, sign
from tests.switchboard import Switchboard
from tests.test_api import served
from tests.vaults import DAY_ONE, Clock, recording_id

BETA = vaults.Controller("beta", seed=2)
CONFIG = """
[asterisk]
spool = "{folder}/spool"
[vault]
folder = "{folder}/vault"
socket = "{sockets}/api.sock"
[secrets]
folder = "{folder}/secrets"
{access}
""" + "".join(
    f"""
[controllers.{one.name}]
name = "{one.name.title()}"
contact = "privacy@{one.name}.example"
country = "SE"
notice_url = "{one.name}.example"
recipients = ["{one.recipients[0]}"]
[lines.{line}]
controller = "{one.name}"
purpose = "quality"
basis = "consent"
languages = ["en"]
"""
    for one, line in ((vaults.ACME, "support"), (BETA, "orders"))
)
NOBODY = 65534


@dataclass(frozen=True)
class House:
    """A vault of two controllers: the same was done for each, and acme's people ask."""

    folder: Path
    vault: Vault
    config: config.Config
    clock: Clock
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    board: Switchboard

    def context(self, controller: str | None = "acme") -> Context:
        calls = self.board.view
        return Context(self.vault, self.config, actor="uid:7", clock=self.clock, controller=controller, calls=calls)


def configured(folder: Path, access: str = "", sockets: Path | None = None) -> config.Config:
    (folder / "spool").mkdir(exist_ok=True)
    path = folder / "gdprcall.toml"
    path.write_text(CONFIG.format(folder=folder, sockets=sockets or folder, access=access))
    return config.load(path)


def line_of(settings: config.Config, line: str) -> tuple[Line, Controller]:
    known = settings.policy.lines[line]
    return known, settings.policy.controller_of(known)


def filled(folder: Path, vault: Vault, settings: config.Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Let both controllers have a sealed, an erased, a withdrawn and a damaged one that is held, and a refusal; return all ids."""
    ids: dict[str, list[str]] = {"support": [], "orders": []}
    for place, line in enumerate(ids):
        for number in range(4):
            recording = recording_id(10 * place + number)
            owner = BETA if line == "orders" else vaults.ACME
            ids[line] += [agreed(vault, settings.policy, folder / "spool", 10 * place + number, line=line), recording]
            if number == 1:
                vault.erase(recording, reason="request", actor="test")
            if number == 2:
                vault.note(Fact(Kind.WITHDRAWN, recording, owner.name, {"method": "key", "reason": "withdrawn"}))
                vault.erase(recording, reason="withdrawn", actor="test")
            if number == 3:
                vault.note(Fact(Kind.HELD, recording, owner.name, {"matter": line, "review_at": 1}))
        refused = decided(vault, settings.policy, 10 * place + 9, line=line, outcome="refused")
        ids[line] += [refused, *(one(vault, "beta" if line == "orders" else "acme") for one in (requested, breached))]
        damaged = vault.objects.path(recording_id(10 * place + 3), 1)
        damaged.chmod(0o600)
        damaged.write_bytes(damaged.read_bytes() + b"x")
    return tuple(ids["support"]), tuple(ids["orders"])


def requested(vault: Vault, controller: str) -> str:
    """Let a person have asked a controller for his recordings; return the request's id."""
    id_ = {"acme": "a7", "beta": "b7"}[controller] * 16
    body = {"request": id_, "type": "access", "channel": "mail", "regime": "EU_GDPR", "zone": "UTC", "country": "SE"}
    vault.note(Fact(Kind.REQUEST_OPENED, None, controller, body | {"received_at": DAY_ONE}))
    return id_


def breached(vault: Vault, controller: str) -> str:
    """Let a controller have a breach; return its id."""
    id_ = {"acme": "a8", "beta": "b8"}[controller] * 16
    body = {
        "breach": id_,
        "incident": id_,
        "trigger": "person",
        "regime": "EU_GDPR",
        "role": "controller",
        "zone": "UTC",
    }
    vault.note(Fact(Kind.BREACH_OPENED, None, controller, body | {"hours": 72, "records": 0, "persons": 0}))
    return id_


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder, clock = tmp_path_factory.mktemp("house"), Clock()
    settings = configured(folder)
    sign(settings)
    with vaults.opened(folder, clock=clock) as vault, Switchboard() as board:
        ours, theirs = filled(folder, vault, settings)
        clock.now = DAY_ONE + 40 * DAY_MS
        live = [
            board.recorded(90 + place, *line_of(settings, line)) for place, line in enumerate(("support", "orders"))
        ]
        ids = [(call.facts.decision, call.facts.recording) for call in live]
        yield House(folder, vault, settings, clock, (*ours, *ids[0]), (*theirs, *ids[1]), board)


def foreign(house: House, answer: object) -> set[str]:
    """Return what an answer shows of the other controller."""
    text = json.dumps(answer)
    return {name for name in (*house.theirs, "beta", "Beta", "orders") if name in text}


QUESTIONS: dict[str, dict[str, object]] = {
    "vault/verify": {"begin": True},
    "retention/due": {"by": "2040-01-01T00:00:00Z"},
    "retention/sweep": {"dry_run": True, "by": "2040-01-01T00:00:00Z"},
    "audit/log": {"limit": 1000},
    "recordings/approve": {"actor": "uid:9", "count": 1, "reason": "x"},
}
KEYS: dict[str, dict[str, object]] = {
    "keys/challenge": {"recipient": BETA.recipients[0], "purpose": "canary"},
    "keys/answer": {"answer": "x", "purpose": "canary"},
    "keys/rotate": {"recipients": [BETA.recipients[0]], "dry_run": True},
    "keys/export": {"all": True},
    "keys/headers": {"bundle": "ab" * 16},
    "keys/take": {"lines": [], "dry_run": True},
}
PERSON: dict[str, dict[str, object]] = {
    "subject/access": {"number": "+46 8 123 456 78"},
    "subject/papers": {"ids": []},
    "subject/packaged": {"sha256": "ab" * 32},
    "subject/object": {"number": "+46 8 123 456 78"},
    "subject/erase": {"number": "+46 8 123 456 78", "reason": "x", "never_record": True},
    "subject/allow": {"number": "+46 8 123 456 78", "reason": "x"},
}
REQUESTS: dict[str, dict[str, object]] = {
    "requests/show": {},
    "requests/identify": {"ask": True},
    "requests/extend": {"reason": "x"},
    "requests/answer": {"note": "x"},
    "requests/refuse": {"ground": "excessive", "reason": "x"},
}
BREACHES: dict[str, dict[str, object]] = {
    "breach/show": {},
    "breach/recordings": {},
    "breach/update": {"fields": {"facts": "x"}},
    "breach/aware": {"at": "2026-01-01T00:00:00Z", "by": "x", "reason": "x"},
    "breach/assess": {"context": 2, "identification": 1},
    "breach/notice": {"to": "authority"},
    "breach/notify": {"to": "authority", "text": "x"},
    "breach/close": {"reason": "x"},
}
WHOLE = sorted(name for name in OPERATIONS if name in MAY[Role.OFFICER] | MAY[Role.AUDITOR])


@pytest.mark.parametrize("name", WHOLE)
def test_sec_09_an_answer_about_everything_is_about_the_own_controller_alone(house: House, name: str) -> None:
    if name not in {
        *BY_ID,
        *KEYS,
        *PERSON,
        "requests/open",
        "breach/open",
        "breach/contact",
        "documents/told",
        "report/data",
        "subject/told",
        "vault/end",
    } - {"decisions/verify"}:
        answer = operations.run(house.context(), name, QUESTIONS.get(name, {}))
        assert foreign(house, answer) == set()
        whole = operations.run(house.context(None), name, QUESTIONS.get(name, {}))
        assert foreign(house, whole) or name in {
            "audit/key",
            "status",
            "retention/check",
            "recordings/approve",
            "subject/notices",
        }


@pytest.mark.parametrize(
    "name",
    [
        *("calls/list", "decisions/list", "recordings/list", "audit/log", "retention/due", "decisions/verify"),
        *("requests/list", "requests/check", "breach/list", "breach/check"),
    ],
)
def test_sec_09_the_own_is_shown_whole(house: House, name: str) -> None:
    text = json.dumps(operations.run(house.context(), name, QUESTIONS.get(name, {})))
    whole = json.dumps(operations.run(house.context(None), name, QUESTIONS.get(name, {})))
    assert {id_ for id_ in house.ours if id_ in text} == {id_ for id_ in house.ours if id_ in whole} != set()


@pytest.mark.parametrize("name", ["audit/verify", "vault/verify", "decisions/verify"])
def test_sec_09_damage_of_the_own_is_named_and_that_of_another_is_not(house: House, name: str) -> None:
    answer = operations.run(house.context(), name, QUESTIONS.get(name, {}))
    assert isinstance(answer, dict)
    own = house.ours[6] if name == "decisions/verify" else recording_id(3)
    assert any(own in json.dumps(one) for one in answer["findings"])
    assert foreign(house, answer) == set()


@pytest.mark.parametrize("name", ["keys/list", *KEYS])
def test_sec_09_the_keys_of_another_controller_are_not_found_in_the_words_of_one_that_never_was(
    house: House, name: str
) -> None:
    def asked(controller: str) -> dict[str, object]:
        head = {"head": {"format": "gdprcall/rewrapped-v1", "controller": controller, "bundle": "ab" * 16, "to": []}}
        return KEYS.get(name, {}) | (head if name == "keys/take" else {"controller": controller})

    size = house.vault.ledger.size()
    kind, message, hint = unknown(house, name, asked("nobody"))
    assert kind is NotFound
    assert unknown(house, name, asked("beta")) == (kind, message.replace("nobody", "beta"), hint)
    assert (hint, house.vault.ledger.size()) == ("controllers: acme", size)


@pytest.mark.parametrize("recipient", [BETA.recipients[0], vaults.Controller("gamma", seed=7).recipients[0]])
def test_sec_09_whose_a_key_is_that_the_asker_does_not_hold_is_not_said(house: House, recipient: str) -> None:
    with pytest.raises(Refused, match="nobody has shown to hold the identity"):
        operations.run(house.context(), "keys/rotate", {"recipients": [recipient], "dry_run": True})
    with pytest.raises(NotFound, match="acme has no such recipient"):
        operations.run(house.context(), "keys/challenge", {"recipient": recipient, "purpose": "canary"})


def test_sec_09_a_person_and_his_package_at_another_controller_are_not_found_like_one_that_never_was(
    house: House,
) -> None:
    theirs, ours, never = "b1" * 16, "a1" * 16, "ab" * 16
    for package, controller in ((theirs, "beta"), (ours, "acme")):
        house.vault.note(Fact(Kind.ACCESS_BEGUN, None, controller, {"package": package}))
    size = house.vault.ledger.size()
    entered = {"type": "access", "channel": "mail", "received": "2026-01-01"} | PERSON["subject/access"]
    opened = unknown(house, "requests/open", entered | {"controller": "nobody"})
    assert unknown(house, "requests/open", entered | {"controller": "beta"})[::2] == opened[::2]
    for name in ("subject/access", "subject/object", "subject/erase", "subject/allow"):
        kind, message, hint = unknown(house, name, PERSON[name] | {"controller": "nobody"})
        asked = PERSON[name] | {"controller": "beta"}
        assert unknown(house, name, asked) == (kind, message.replace("nobody", "beta"), hint)
        assert kind is NotFound
    for name in ("subject/papers", "subject/packaged"):
        kind, message, hint = unknown(house, name, PERSON[name] | {"package": never})
        assert kind is NotFound
        asked = PERSON[name] | {"package": theirs}
        assert unknown(house, name, asked) == (kind, message.replace(never, theirs), hint)
    kind, message, hint = unknown(house, "subject/papers", {"package": ours, "ids": [never]})
    for id_ in house.theirs:
        found = unknown(house, "subject/papers", {"package": ours, "ids": [id_]})
        assert found == (kind, message.replace(never, id_), hint)
    assert house.vault.ledger.size() == size


@pytest.mark.parametrize("wanted", ["beta", "nobody"])
def test_sec_09_another_controller_by_name_is_an_empty_list_like_one_that_never_was(house: House, wanted: str) -> None:
    for name in ("calls/list", "decisions/list", "recordings/list", "requests/list", "breach/list"):
        assert operations.run(house.context(), name, {"controller": wanted}) == []


def unknown(house: House, name: str, params: dict[str, object]) -> tuple[type[GdprcallError], str, str]:
    """Return how a question fails."""
    with pytest.raises(GdprcallError) as told:
        operations.run(house.context(), name, params)
    return type(told.value), told.value.message, told.value.hint


BY_ID = {
    "calls/show": {},
    "calls/number": {"reason": "x"},
    "calls/stop": {"reason": "x"},
    "calls/pause": {"reason": "x"},
    "calls/resume": {"reason": "x"},
    "decisions/show": {},
    "decisions/receipt": {},
    "decisions/verify": {},
    "recordings/show": {},
    "audit/prove": {},
    **REQUESTS,
    **BREACHES,
    "recordings/erase": {"reason": "x", "dry_run": True},
    "recordings/restrict": {"reason": "x", "ground": "claims"},
    "recordings/unrestrict": {"reason": "x", "ground": "claims", "told": "2026-01-01T00:00:00Z"},
    "recordings/hold": {"reason": "x", "matter": "m", "owner": "o", "review": "2026-03-01T00:00:00Z"},
    "recordings/release": {"reason": "x", "matter": "orders"},
    "recordings/decide": {"reason": "x", "upheld": True},
}
SEVERAL = frozenset(name for name, params in BY_ID.items() if name.startswith("recordings/") and params)
BY_ID |= {
    "recordings/correct": {"field": "language", "value": "sv", "reason": "x"},
    "recordings/statement": {"text": "It was not I."},
}
"""What takes several ids."""


@pytest.mark.parametrize("name", BY_ID)
def test_sec_09_each_foreign_id_is_not_found_in_the_words_of_one_that_never_was(house: House, name: str) -> None:
    never = "ab" * 16

    def asked(id_: str) -> dict[str, object]:
        return BY_ID[name] | ({"ids": [id_]} if name in SEVERAL else {"id": id_})

    kind, message, hint = unknown(house, name, asked(never))
    assert kind is NotFound
    for id_ in house.theirs:
        assert unknown(house, name, asked(id_)) == (kind, message.replace(never, id_), hint)


def test_sec_09_no_foreign_recording_is_released_and_an_attempt_leaves_nothing(house: House) -> None:
    size = house.vault.ledger.size()
    for id_ in (*house.theirs, "ab" * 16):
        for segment in (0, 1, 2):
            with pytest.raises(NotFound, match=f"there is no recording {id_}"):
                operations.export(house.context(), id_, segment, "quality")
    assert house.vault.ledger.size() == size


def test_sec_09_one_foreign_id_among_the_own_erases_none(house: House) -> None:
    ids = [recording_id(0), recording_id(10)]
    with pytest.raises(NotFound):
        operations.run(house.context(), "recordings/erase", {"ids": ids, "reason": "x"})
    assert [house.vault.recording(id_).state for id_ in ids] == ["sealed", "sealed"]


def test_sec_09_a_verification_of_one_controller_leaves_that_of_the_house_alone(house: House) -> None:
    live = {"live": dict}
    whole, ours = replace(house.context(None), **live), replace(house.context(), **live)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gdprcall.safekeeping.SLICE_SECONDS", 0.0)
        first = operations.run(whole, "vault/verify", {"begin": True, "sample": "50%"})
        with pytest.raises(NotFound):
            operations.run(ours, "vault/verify", {})
        answer = operations.run(ours, "vault/verify", {"begin": True, "controller": "beta"})
        while answer["stage"] != "finished":  # type: ignore[call-overload, index]
            assert answer["controller"] == "acme"  # type: ignore[call-overload, index]
            answer = operations.run(ours, "vault/verify", {})
        assert foreign(house, answer) == set()
        then = operations.run(whole, "vault/verify", {})
    assert first["share"] == then["share"] == 0.5  # type: ignore[call-overload, index]


IDS = st.deferred(lambda: st.sampled_from(POOL))
POOL: list[object] = [
    "enrol",
    "canary",
    *vaults.ACME.recipients,
    *BETA.recipients,
    "beta",
    "orders",
    "",
    "acme",
    "support",
    None,
    7,
    True,
    "%",
    "beta' OR '1'='1",
    "*",
]
NAMES = "id ids recording controller line state outcome since by limit kind reason begin sample key folder".split()
NAMES += "recipient recipients purpose answer bundle after head lines all package number sha256".split()
NAMES += "type channel received note ground ask code call method due language marketing identified request".split()
NAMES += "scope fields to at by text risk count sent aware controller".split()


@tuned(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_sec_09_whatever_is_asked_with_foreign_ids_shows_nothing_and_is_never_refused(
    house: House, data: st.DataObject
) -> None:
    pool = [*POOL, *house.theirs]
    allowed = sorted(name for name in OPERATIONS if any(may(Grant(role, "acme"), name) for role in Role))
    name = data.draw(st.sampled_from(allowed))
    value = st.sampled_from(pool)
    params = data.draw(
        st.dictionaries(st.sampled_from(NAMES), st.one_of(value, st.lists(value, max_size=3)), max_size=5)
    )
    if name in CHANGING:
        params["dry_run"] = True
    if "head" in params:
        owner = data.draw(st.sampled_from(["acme", "beta", "gamma"]))
        params["head"] = {"format": "gdprcall/rewrapped-v1", "controller": owner, "bundle": "ab" * 16, "to": []}
    if "ids" in params:
        params["ids"] = [data.draw(st.sampled_from(house.theirs))]
    size = house.vault.ledger.size()
    try:
        shown = json.dumps(operations.run(house.context(), name, params))
    except Refused as error:
        assert name in {"keys/export", "keys/rotate"}, "of the own keys alone, that they are not enrolled"
        assert params.get("controller", "acme") == "acme"
        shown = error.message + error.hint
    except (NotFound, ConfigError, CheckFailed) as error:  # never Refused: that would say that it is there
        shown = error.message + error.hint
        head = params.pop("head", {})
        asked = [*params.values(), *(head.values() if isinstance(head, dict) else ())]
        for said in (one for value in asked for one in (value if isinstance(value, list) else [value])):
            shown = shown.replace(repr(said), "").replace(str(said), "")  # what was asked for may be repeated
    assert foreign(house, shown) == set()
    assert house.vault.ledger.size() - size <= 3, (
        "a proof may need a checkpoint, and that a key; damage is suspected once"
    )


def test_sec_09_a_sweep_of_one_controller_destroys_and_forgets_the_own_alone(tmp_path: Path) -> None:
    clock, settings = Clock(), configured(tmp_path)
    with vaults.opened(tmp_path, clock=clock) as vault:
        ours = agreed(vault, settings.policy, tmp_path / "spool", 1, line="support")
        agreed(vault, settings.policy, tmp_path / "spool", 2, line="orders")
        refused = decided(vault, settings.policy, 3, line="support", outcome="refused")
        theirs = decided(vault, settings.policy, 4, line="orders", outcome="refused")
        clock.now = DAY_ONE + 40 * DAY_MS
        context = Context(vault, settings, clock=clock, controller="acme")
        answer = operations.run(context, "retention/sweep", {})
        assert isinstance(answer, dict)
        assert [one["recording"] for one in answer["erased"]] == [recording_id(1)]
        assert answer["forgotten"] == [refused]
        assert vault.recording(recording_id(2)).state == "sealed"
        assert {row.id for row in vault.decisions()} >= {ours, theirs}


# --- over a socket


ASKER = """
import http.client, json, socket, sys
for line in sys.stdin:
    method, target, body = json.loads(line)
    connection = http.client.HTTPConnection("localhost", timeout=20)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(sys.argv[1])
    connection.request(method, target, body)
    answer = connection.getresponse()
    print(json.dumps([answer.status, answer.read().decode("latin-1")]))
"""


async def answers(
    socket: Path, questions: list[tuple[str, str, str]], *, user: int = NOBODY, group: int = NOBODY
) -> list[tuple[int, str]]:
    """Ask as another user, in a process of its own."""
    done = await asyncio.to_thread(
        subprocess.run,
        ["/usr/bin/env", "python3", "-c", ASKER, str(socket)],
        user=user, group=group, extra_groups=[], input="".join(json.dumps(one) + "\n" for one in questions),
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def post(name: str, **params: object) -> tuple[str, str, str]:
    return "POST", f"/v1/{name}", json.dumps(params)


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@root_only
@pytest.mark.parametrize(
    "row", ['user = "nobody"', f'group = "{grp.getgrgid(NOBODY).gr_name}"'], ids=["by user", "by group"]
)
async def test_sec_09_another_user_sees_his_controller_through_the_socket_and_no_other(
    tmp_path: Path, row: str
) -> None:
    assert pwd.getpwuid(NOBODY).pw_name == "nobody"
    with tempfile.TemporaryDirectory() as sockets, vaults.opened(tmp_path) as vault:
        Path(sockets).chmod(0o755)
        settings = configured(tmp_path, f'[[access]]\n{row}\nrole = "officer"\ncontroller = "acme"', Path(sockets))
        ours, theirs = filled(tmp_path, vault, settings)
        asked = [post("recordings/list"), post("decisions/list"), post("audit/log")]
        asked += [post("recordings/show", id=id_) for id_ in (recording_id(0), recording_id(10))]
        asked += [("GET", f"/v1/export/{recording_id(number)}/1?purpose=quality", "") for number in (0, 10)]
        asked += [
            post("vault/backup", folder="/tmp/x"),
            post("keys/unheard-of"),
            post("recordings/erase", ids=[theirs[1]], reason="x"),
        ]
        async with served(vault, settings):
            assert settings.socket.stat().st_mode & 0o007 == 0
            told = await answers(settings.socket, asked)
    assert [status for status, _ in told] == [200, 200, 200, 200, 404, 200, 404, 403, 403, 404]
    assert not any(id_ in text for _, text in told[:4] for id_ in theirs)
    assert ours[1] in told[0][1]
    assert told[5][1].startswith("age-encryption.org/v1")
    released = [entry.body for entry in vault_entries(tmp_path) if entry.kind is Kind.RELEASED]
    assert [(body or {})["actor"] for body in released] == [f"uid:{NOBODY}"]


def vault_entries(folder: Path) -> list[Entry]:
    with vaults.opened(folder) as vault:
        return list(vault.ledger.entries())


@root_only
async def test_sec_06_who_has_no_role_does_not_come_in_and_is_refused_though_the_socket_were_open_to_all(
    tmp_path: Path,
) -> None:
    with tempfile.TemporaryDirectory() as sockets, vaults.opened(tmp_path) as vault:
        Path(sockets).chmod(0o755)
        settings = configured(tmp_path, '[[access]]\nuser = "anna"\nrole = "officer"', Path(sockets))
        async with served(vault, settings):
            with pytest.raises(AssertionError, match="PermissionError"):
                await answers(settings.socket, [post("recordings/list")])
            settings.socket.chmod(0o666)
            told = await answers(
                settings.socket, [post("recordings/list"), post("nothing"), ("GET", "/v1/export/x/1", "")]
            )
    assert [status for status, _ in told] == [403, 403, 403]


@root_only
async def test_sec_06_who_is_given_a_role_comes_in_from_the_reload_on_and_who_loses_it_does_not(
    tmp_path: Path,
) -> None:
    with tempfile.TemporaryDirectory() as sockets, vaults.opened(tmp_path) as vault:
        Path(sockets).chmod(0o755)
        now = [configured(tmp_path, "", Path(sockets))]
        async with served(vault, now[0], now=lambda: now[0]):
            for rows, comes_in in (('[[access]]\nuser = "nobody"\nrole = "auditor"', True), ("", False)):
                now[0] = configured(tmp_path, rows, Path(sockets))
                api.admit(now[0].socket, now[0].access)  # as the daemon does
                if comes_in:
                    assert (await answers(now[0].socket, [post("recordings/list")]))[0][0] == 200
                else:
                    with pytest.raises(AssertionError, match="PermissionError"):
                        await answers(now[0].socket, [post("recordings/list")])


@root_only
async def test_sec_06_a_role_that_is_taken_away_counts_from_the_reload_on(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as sockets, vaults.opened(tmp_path) as vault:
        Path(sockets).chmod(0o755)
        before = configured(tmp_path, '[[access]]\nuser = "nobody"\nrole = "auditor"', Path(sockets))
        now = [before]
        async with served(vault, before, now=lambda: now[0]):
            assert (await answers(before.socket, [post("recordings/list")]))[0][0] == 200
            now[0] = configured(tmp_path, "", Path(sockets))
            assert (await answers(before.socket, [post("recordings/list")]))[0][0] == 403


def test_sec_09_every_file_of_a_vault_is_for_its_owner_alone(house: House) -> None:
    open_to_others = [
        path for path in house.vault.folder.rglob("*")
        if path.stat().st_mode & 0o077 and "prompts" not in path.parts and not path.is_symlink()
    ]  # fmt: skip
    assert open_to_others == []
    assert house.vault.folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ('role = "officer"', "access.0: a row names either a user or a group"),
        ('user = "a"\ngroup = "b"\nrole = "officer"', "access.0: a row names either a user or a group"),
        ('user = "a"\nrole = "officer"\ncontroller = "gamma"', "access.0.controller: there is no such controller"),
        ('user = "a"\nrole = "admin"', "access.0.role"),
        ('user = "a"', "access.0.role: is missing"),
        ('user = "a"\nrole = "auditor"\ncontrolller = "acme"', "did you mean controller?"),
    ],
)
def test_a_mistake_in_who_may_what_is_named(tmp_path: Path, rows: str, says: str) -> None:
    with pytest.raises(ConfigError) as told:
        configured(tmp_path, f"[[access]]\n{rows}")
    assert says in told.value.message


@root_only
async def test_sec_06_a_name_that_this_host_does_not_know_is_told_and_the_daemon_serves_the_others(
    tmp_path: Path,
) -> None:
    rows = "".join(f'[[access]]\n{who}\nrole = "auditor"\n' for who in ('user = "nosuchuser"', 'user = "nobody"'))
    with (
        tempfile.TemporaryDirectory() as sockets,
        vaults.opened(tmp_path) as vault,
        capture_logs() as logged,
    ):
        Path(sockets).chmod(0o755)
        settings = configured(tmp_path, rows, Path(sockets))
        async with served(vault, settings):
            assert (await answers(settings.socket, [post("recordings/list")]))[0][0] == 200
    assert [(entry["event"], entry["count"]) for entry in logged] == [("access_failed", 1)]


async def test_sec_06_where_access_cannot_be_given_nobody_else_comes_in_and_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "ACL", "user.none")  # a socket takes no attribute of this kind
    settings = configured(tmp_path, '[[access]]\nuser = "nobody"\nrole = "auditor"')
    with vaults.opened(tmp_path) as vault, capture_logs() as logged:
        async with served(vault, settings) as backend:
            assert settings.socket.stat().st_mode & 0o777 == 0o660
            assert await asyncio.to_thread(backend.call, "recordings/list", {}) == []
    assert [entry["event"] for entry in logged] == ["access_failed"]


def test_sec_06_more_groups_than_can_be_asked_for_are_none() -> None:
    class Full:
        """A socket whose peer is in more groups than fit."""

        def getsockopt(self, _level: int, name: int, _size: int) -> bytes:
            if name == peers.PEER_GROUPS:
                raise OSError(34, "Numerical result out of range")
            return peers._UCRED.pack(1, 1000, 1000)

    assert peers.peer_of(Full()) == peers.Peer(1000, (1000,))  # type: ignore[arg-type]  # a stand-in for the kernel
    with pytest.raises(Refused):
        peers.peer_of(None)
    assert peers.Peer(2**31, (2**31,)).user() is None
    assert peers.Peer(2**31, (2**31,)).groups() == frozenset()
