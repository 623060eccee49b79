"""Callers who use their rights, through the ARI front end and a real vault; Asterisk is played by the test."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gdprcall import config, rightsdesk
from gdprcall.asterisk.ari import Ari
from gdprcall.asterisk.arrival import Arrival
from gdprcall.asterisk.stasis import Stasis
from gdprcall.context import Context
from gdprcall.errors import VaultError
from gdprcall.prompts import catalogue
from gdprcall.rightsdesk import MOST_CALLS, desks
from gdprcall.terms import holding
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Kind
from gdprcall.watchedfront import CallFront
from tests.fakes.ari import FakeAri, serving
from tests.test_access import OWN, House, house
from tests.test_reception import Clicks, until
from tests.test_selfservice import CALLED, Line, line
from tests.vaults import NUMBER

__all__ = ["house", "line"]

SERVICE = """
[controllers.acme.self_service]
languages = ["sv", "en", "fi"]
erasure = "code"
never_record = "number"
"""
CHANNEL = "17.1"


class Lines:
    """The other desk: it takes no call of these tests."""

    def __init__(self, settings: config.Config) -> None:
        self.offered: catalogue.Catalogue | object = holding(settings)
        self.claimed: list[Arrival] = []

    def claim(self, arrival: Arrival) -> int | None:
        self.claimed.append(arrival)
        return None

    def arrive(self, arrival: Arrival, front: CallFront) -> None:
        raise AssertionError("it claimed none")


class Telephone:
    """One caller of one controller, and Asterisk, which obeys at once and plays in no time."""

    def __init__(self, fake: FakeAri, stasis: Stasis, lines: Lines, channel: str = CHANNEL) -> None:
        self.fake = fake
        self.stasis = stasis
        self.lines = lines
        self.channel = channel
        self.names: dict[str, str] = {}

    def enters(
        self, hop: str, controller: str = "acme", *, number: str = NUMBER, demand: str = "rights", language: str = "en"
    ) -> None:
        channel = {"id": self.channel, "name": "PJSIP/a-1", "caller": {"number": number}}
        args = ["v1", hop, controller, demand, language]
        self.stasis.handle({"type": "StasisStart", "args": args, "channel": channel})

    def sent(self) -> list[str]:
        """Return where the call was sent in the dialplan."""
        queries = self.fake.asked("POST", f"/channels/{self.channel}/continue")
        return [f"{query['context']},{query['extension']}" for query in queries]

    def plays(self) -> list[tuple[str, str]]:
        """Return the playbacks so far, with what they play."""
        found = [(path, query) for method, path, query in self.fake.requests if method == "POST" and "/play/" in path]
        return [(path.rsplit("/", 1)[-1], query["media"]) for path, query in found if self.channel in path]

    async def hears(self, asked: int) -> list[str]:
        """Wait until a question plays, on its own hop, and return the names of its sounds."""
        if asked > 1:
            await until(lambda: len(self.sent()) == asked - 1)
            assert self.sent()[-1].startswith("gdprcall-ask,")
            self.enters("ask")
        await until(lambda: len(self.plays()) == asked)
        return [self.names[media] for media in self.plays()[-1][1].split(",")]

    def hears_it_out(self) -> None:
        playback = {"id": self.plays()[-1][0], "target_uri": f"channel:{self.channel}", "state": "done"}
        self.stasis.handle({"type": "PlaybackFinished", "playback": playback})

    def press(self, keys: str) -> None:
        for digit in keys:
            event = {"type": "ChannelDtmfReceived", "digit": digit, "duration_ms": 0, "channel": {"id": self.channel}}
            self.stasis.handle(event)

    async def waits(self, asked: int) -> list[str]:
        """Be asked for a moment until something else is said, and return that and which question it is."""
        while (said := await self.hears(asked)) == ["moment"]:
            self.hears_it_out()
            asked += 1
        return said


@asynccontextmanager
async def telephone(line: Line, house: House) -> AsyncIterator[Telephone]:
    """Serve one controller, whose sounds are made in no time."""
    house.shell.config.write_text(house.shell.config.read_text() + SERVICE)
    settings = config.load(house.shell.config)
    catalogue.build(settings.policy, settings.asterisk.sounds, settings.prompts, Clicks())
    context = Context(line.vault, settings, clock=line.clock)
    async with serving() as fake:
        ari = Ari(fake.url, "u", "p", "gdprcall", on_event=lambda _e: None, on_up=_nothing)
        async with ari.requests(), asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            lines = Lines(settings)
            both = desks(lines, context, tasks)  # type: ignore[arg-type]  # a test takes away what is offered
            stasis = Stasis(ari, tasks=tasks, claim=both.claim, arrive=both.arrive)
            there = Telephone(fake, stasis, lines)
            known = holding(settings).catalogue
            there.names = {one.media: name for name, one in known.by_telephone("acme", "en").items()}
            yield there


async def _nothing() -> None:
    pass


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def finished(logged: list[EventDict]) -> EventDict:
    (found,) = [one for one in logged if one["event"] == "rights_call"]
    return found


async def test_rgt_01_a_caller_enters_a_request_by_key_and_is_given_back_as_served(
    line: Line, house: House, logged: list[EventDict]
) -> None:
    async with telephone(line, house) as caller:
        caller.enters("rights")
        await until(lambda: caller.sent() != [])
        assert re.fullmatch(r"gdprcall-ask,\d+", caller.sent().pop())
        caller.fake.requests.clear()
        caller.enters("ask")
        assert await caller.hears(1) == ["welcome", "menu"]
        caller.press("1")
        assert await caller.waits(2) == ["callback", "3", "1", "goodbye"]
        caller.hears_it_out()
        await until(lambda: caller.sent()[-1] == "gdprcall-verdict,served")
    (row,) = line.requests()
    assert (row["type"], row["channel"]) == ("access", "phone")
    assert (finished(logged)["outcome"], finished(logged)["controller"]) == ("entered", "acme")
    assert caller.lines.claimed == []


async def test_rgt_03_with_code_and_time_he_hears_the_count_and_erases(line: Line, house: House) -> None:
    _, code = line.asked()
    async with telephone(line, house) as caller:
        caller.enters("ask")
        await caller.hears(1)
        caller.press("4")
        assert await caller.hears(2) == ["code"]
        caller.press(code)
        assert await caller.hears(3) == ["time"]
        caller.press(CALLED)
        assert await caller.waits(4) == ["kept", str(len(OWN)), "until", "3", "0", "choices"]
        caller.press("2")
        assert await caller.waits(len(caller.plays()) + 1) == ["erased", "goodbye"]
        caller.hears_it_out()
        await until(lambda: caller.sent()[-1] == "gdprcall-verdict,served")
    assert set(line.states().values()) == {"erased", "sealed"}


async def test_rgt_01_two_callers_at_once_are_served_each_by_himself(
    line: Line, house: House, logged: list[EventDict]
) -> None:
    async with telephone(line, house) as one:
        two = Telephone(one.fake, one.stasis, one.lines, "18.1")
        two.names = one.names
        one.enters("ask")
        two.enters("ask", number="+46812345678")
        await one.hears(1)
        await two.hears(1)
        one.press("1")
        two.press("3")
        assert (await one.waits(2))[0] == "callback"
        assert (await two.waits(2))[0] == "never"
        for caller in (one, two):
            caller.hears_it_out()
            await until(lambda caller=caller: caller.sent()[-1] == "gdprcall-verdict,served")  # type: ignore[misc]
    assert sorted(str(one["outcome"]) for one in logged if one["event"] == "rights_call") == ["entered", "never_record"]
    assert len(line.requests()) == 1


@pytest.mark.parametrize("number", ["", "anonymous", "12"])
async def test_rgt_03_who_has_no_number_of_his_own_is_told_to_write(line: Line, house: House, number: str) -> None:
    async with telephone(line, house) as caller:
        caller.enters("ask", number=number)
        assert await caller.hears(1) == ["welcome", "withheld", "write"]
        caller.hears_it_out()
        await until(lambda: caller.sent() == ["gdprcall-verdict,norec"])
    assert line.requests() == []


async def test_who_hangs_up_while_something_is_done_has_it_done(
    line: Line, house: House, logged: list[EventDict]
) -> None:
    async with telephone(line, house) as caller:
        caller.enters("ask")
        await caller.hears(1)
        caller.press("2")
        caller.stasis.handle({"type": "ChannelHangupRequest", "channel": {"id": CHANNEL}})
        await until(lambda: any(one["event"] == "rights_call" for one in logged))
        await until(lambda: len(line.requests()) == 1)
    assert (finished(logged)["outcome"], finished(logged)["reason"]) == ("nothing", "hangup")
    assert not [sent for sent in caller.sent() if sent.startswith("gdprcall-verdict")]


async def test_what_the_vault_cannot_do_is_logged_and_the_caller_is_told_to_write(
    line: Line, house: House, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_facts: object) -> None:
        raise VaultError("the disk is full", "make room")

    async with telephone(line, house) as caller:
        caller.enters("ask")
        await caller.hears(1)
        with monkeypatch.context() as patched:
            patched.setattr(Vault, "submit", full)
            caller.press("1")
            assert await caller.waits(2) == ["write"]
        caller.hears_it_out()
        await until(lambda: caller.sent()[-1] == "gdprcall-verdict,norec")
    (told,) = [one for one in logged if one["event"] == "rights_failed"]
    assert (told["error"], told["hint"]) == ("VaultError", "make room")
    assert finished(logged)["outcome"] == "failed"


@pytest.mark.parametrize("why", ["no_self_service", "configuration", "prompt_unfit", "too_many"])
async def test_fcl_01_a_call_that_cannot_be_served_is_given_back_at_once(
    line: Line, house: House, logged: list[EventDict], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with telephone(line, house) as caller:
        if why == "configuration":
            caller.lines.offered = None
        elif why == "prompt_unfit":
            for sound in (house.folder / "sounds" / "en" / "gdprcall").glob("*.wav"):
                sound.unlink()
        elif why == "too_many":
            monkeypatch.setattr(rightsdesk, "MOST_CALLS", 0)
        caller.enters("rights", "beta" if why == "no_self_service" else "acme")
        await until(lambda: caller.sent() == ["gdprcall-verdict,norec"])
    (told,) = [one for one in logged if one["event"] == "call_unasked"]
    assert told["reason"] == why
    assert MOST_CALLS > 0


@pytest.mark.parametrize(("hop", "demand"), [("claim", "rights"), ("rights", "may"), ("rights", "must")])
async def test_fcl_01_a_hop_whose_word_is_another_calls_is_not_understood(
    line: Line, house: House, logged: list[EventDict], hop: str, demand: str
) -> None:
    async with telephone(line, house) as caller:
        caller.enters(hop, demand=demand)
        await until(lambda: caller.sent() == ["gdprcall-verdict,norec"])
    assert [one["reason"] for one in logged if one["event"] == "call_unasked"] == ["dialplan_version"]
    assert caller.lines.claimed == []


async def test_a_call_on_a_line_is_the_other_desks(line: Line, house: House) -> None:
    async with telephone(line, house) as caller:
        caller.enters("claim", "support", demand="may")
        await until(lambda: caller.sent() == ["gdprcall-verdict,norec"])
    assert [arrival.line for arrival in caller.lines.claimed] == ["support"]


@pytest.mark.parametrize(
    ("wanted", "spoken"), [("en", "en"), ("EN_gb", "en"), ("fi", "sv"), ("pl", "sv"), ("sv", "sv")]
)
async def test_inf_03_a_caller_hears_his_language_where_it_is_offered_and_else_the_first(
    line: Line, house: House, wanted: str, spoken: str
) -> None:
    async with telephone(line, house) as caller:
        caller.enters("ask", language=wanted)
        await until(lambda: caller.plays() != [])
        (query,) = [query for method, path, query in caller.fake.requests if method == "POST" and "/play/" in path]
        assert query["lang"] == spoken
        caller.stasis.handle({"type": "ChannelHangupRequest", "channel": {"id": CHANNEL}})


async def test_sec_05_nothing_that_is_pressed_and_no_number_is_logged_or_kept(
    line: Line, house: House, logged: list[EventDict]
) -> None:
    _, code = line.asked()
    wrong = f"{(int(code) + 1) % 10**8:08}"
    async with telephone(line, house) as caller:
        caller.enters("ask")
        await caller.hears(1)
        caller.press("4")
        await caller.hears(2)
        caller.press(wrong)
        await caller.hears(3)
        caller.press(CALLED)
        assert await caller.waits(4) == ["unconfirmed", "menu"]
        caller.stasis.handle({"type": "ChannelHangupRequest", "channel": {"id": CHANNEL}})
    text = str(logged)
    for secret in (wrong, code, CALLED, NUMBER, NUMBER[1:]):
        assert secret not in text
    tried = [entry.body for entry in line.vault.ledger.entries(kinds={Kind.REQUEST_TRIED})]
    assert len(tried) == 1
    assert not any(secret in str(tried) for secret in (wrong, code, CALLED))


def test_sec_05_no_value_of_the_desk_shows_a_number(line: Line, house: House) -> None:
    settings = config.load(house.shell.config)
    (acme,) = [one for one in settings.policy.controllers.values() if one.id == "acme"]
    case = rightsdesk.Case(acme, None, "en", {}, NUMBER, "5b" * 16)  # type: ignore[arg-type]  # not looked at
    assert NUMBER not in repr(case)
    assert "5b" * 16 not in repr(replace(case, language="sv"))
