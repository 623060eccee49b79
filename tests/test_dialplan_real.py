"""The dialplan as it is shipped, on a real Asterisk, with a daemon of a few lines that says what each test wants.

Calls without sound come in on Local channels; only the keys of the withdrawal need telephones.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.pbx.asterisk import Asterisk, version
from tests.pbx.callers import Agent, Caller, Press, Stay, Wait

pytestmark = pytest.mark.pbx

NUMBER = "+46701749955"
IDS = {name: f"{index:032x}" for index, name in enumerate(("a", "b", "marked", "keys", "stopped"), 0xABCDEF)}
SITE = """
[try]
; The extension is the line, and the name under which the test finds what came of the call.
exten => _[a-z].,1,Gosub(gdprcall,s,1(${EXTEN},may))
 same => n,Gosub(note,s,1(${EXTEN}))
 same => n,Hangup()
exten => _must_.,1,Gosub(gdprcall,s,1(${EXTEN},must))
 same => n,Gosub(note,s,1(${EXTEN}))
exten => _limit_.,1,Set(TIMEOUT(absolute)=30)
 same => n,Goto(try,x${EXTEN},1)
exten => short,1,Set(TIMEOUT(absolute)=1)
 same => n,Gosub(gdprcall,s,1(short,may))
 same => n,Gosub(note,s,1(short))
 same => n,Wait(20)
exten => badname,1,Gosub(gdprcall,s,1(bad-Name,may))
 same => n,Gosub(note,s,1(badname))
exten => badmust,1,Gosub(gdprcall,s,1(,must))
 same => n,Gosub(note,s,1(badmust))
exten => keeps,1,Set(DYNAMIC_FEATURES=sitefeature)
 same => n,Set(CHANNEL(hangup_handler_push)=own-end,s,1(keeps))
 same => n,Gosub(gdprcall,s,1(recstopped,may))
 same => n,Gosub(note,s,1(keeps))
 same => n,Wait(2)
 same => n,Hangup()
exten => twice,1,Gosub(gdprcall,s,1(reca,may))
 same => n,Gosub(note,s,1(twice1))
 same => n,Set(DYNAMIC_FEATURES=sitefeature)
 same => n,Gosub(gdprcall,s,1(reca,may))
 same => n,Gosub(note,s,1(twice2))
 same => n,Gosub(gdprcall,s,1(recb,may))
 same => n,Gosub(note,s,1(twice3))
 same => n,Gosub(gdprcall,s,1(refuse,may))
 same => n,Gosub(note,s,1(twice4))
 same => n,Wait(20)
exten => T,1,Set(DB(sitelimit/yes)=1)
 same => n,Hangup()
[note]
exten => s,1,Set(DB(left/${ARG1})=${TIMEOUT(absolute)})
 same => n,Set(DB(features/${ARG1})=${DYNAMIC_FEATURES})
 same => n,Set(DB(running/${ARG1})=id${GDPRCALL_MMID}/${GDPRCALL_REC}/${GDPRCALL_SEG})
 same => n,Set(DB(result/${ARG1})=${GOSUB_RETVAL})
 same => n,Return()
[own-end]
exten => s,1,Set(DB(siteend/${ARG1})=yes)
 same => n,Return()
[site-feature]
exten => s,1,Set(DB(sitefeature/pressed)=yes)
 same => n,Return()
[inbound](+)
exten => keys,1,Set(__DYNAMIC_FEATURES=sitefeature)
 same => n,Set(GDPRCALL_INHERIT=yes)
 same => n,Gosub(gdprcall,s,1(reckeys,may))
 same => n,UserEvent(Site,Number: ${CALLERID(num)})
 same => n,Dial(PJSIP/agent,30)
"""


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    asterisk = Asterisk(tmp_path_factory.mktemp("pbx"), dialplan=SITE)
    features = asterisk.folder / "etc" / "features.conf"
    features.write_text(features.read_text() + "[applicationmap](+)\nsitefeature => *5,self,Gosub(site-feature,s,1)\n")
    with asterisk:
        yield asterisk


class Daemon:
    """Answers each claim and each question as the name of the line says; tells when each call came and left."""

    def __init__(self, pbx: Asterisk, session: aiohttp.ClientSession) -> None:
        self.pbx = pbx
        self.session = session
        self.stays: dict[tuple[str, str], float] = {}
        self.lines: dict[str, tuple[str, str, float]] = {}

    async def run(self, ready: asyncio.Event) -> None:
        async with self.session.ws_connect(f"{self.pbx.ari_url}/events?app=gdprcall") as link:
            ready.set()
            async for message in link:
                await self._take(message.json())

    async def _take(self, event: dict[str, Any]) -> None:
        channel = event.get("channel", {}).get("id", "")
        match event["type"]:
            case "StasisStart":
                assert event["args"][0] == "v1"
                hop, line = event["args"][1:3]
                self.lines[channel] = (line, hop, time.monotonic())
                await self._answer(channel, hop, line)
            case "StasisEnd":
                line, hop, came = self.lines[channel]
                self.stays[line, hop] = time.monotonic() - came

    async def _answer(self, channel: str, hop: str, line: str) -> None:
        kind = line.removeprefix("must_").removeprefix("xlimit_")
        where = {
            ("claim", "silent"): None,
            ("claim", "short"): None,
            ("claim", "lost"): ("gdprcall", "nowhere"),
            ("claim", "zero"): ("gdprcall-ask", "0"),
            ("claim", "words"): ("gdprcall-ask", "9lives"),
            ("claim", "asksilent"): ("gdprcall-ask", "2"),
            ("ask", "asksilent"): None,
            ("ask", "nowhere"): ("gdprcall-verdict", "maybe"),
            ("ask", "shortid"): ("gdprcall-verdict", "rec" + "a" * 31),
            ("ask", "longid"): ("gdprcall-verdict", "rec" + "a" * 33),
            ("ask", "strangeid"): ("gdprcall-verdict", "rec" + "A" * 32),
            ("ask", "letter"): ("gdprcall-verdict", "reckx" + "a" * 32),
            ("ask", "pathid"): ("gdprcall-verdict", "rec" + "../" + "a" * 29),
            ("ask", "refuse"): ("gdprcall-verdict", "norec"),
            ("ask", "route"): ("gdprcall-verdict", "route"),
            ("ask", "poison"): ("gdprcall-verdict", "norec"),
        }.get((hop, kind), ("gdprcall-ask", "20"))
        if hop == "ask" and kind.startswith("rec"):
            where = ("gdprcall-verdict", f"rec{IDS[kind[3:]]}")
        if (hop, kind) == ("ask", "poison"):
            await self.post(f"channels/{channel}/variable", variable="ANY", value="1")
        if where:
            await self.post(f"channels/{channel}/continue", context=where[0], extension=where[1], priority="1")

    async def post(self, path: str, **query: str) -> None:
        async with self.session.post(f"{self.pbx.ari_url}/{path}", params=query) as answer:
            assert answer.status < 300, path


@asynccontextmanager
async def daemon(pbx: Asterisk) -> AsyncIterator[Daemon]:
    login = base64.b64encode(f"gdprcall:{pbx.ari_password}".encode()).decode()
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Basic {login}"}) as session,
        asyncio.TaskGroup() as tasks,
    ):
        ready = asyncio.Event()
        there = Daemon(pbx, session)
        running = tasks.create_task(there.run(ready))
        await asyncio.wait_for(ready.wait(), 10)
        yield there
        running.cancel()


class AmiUser:
    """Our AMI user with its shipped rights, reading all that it is sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.events: list[dict[str, str]] = []

    async def send(self, **fields: str) -> dict[str, str]:
        self.writer.write("".join(f"{key}: {value}\r\n" for key, value in fields.items()).encode() + b"\r\n")
        while "Response" not in (message := await self.message()):
            self.events.append(message)
        return message

    async def message(self) -> dict[str, str]:
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)
        return dict(line.split(": ", 1) for line in raw.decode().split("\r\n") if ": " in line)

    async def until(self, kind: str) -> dict[str, str]:
        while (message := await self.message()).get("Kind") != kind:
            self.events.append(message)
        self.events.append(message)
        return message


@asynccontextmanager
async def ami(pbx: Asterisk) -> AsyncIterator[AmiUser]:
    reader, writer = await asyncio.open_connection("127.0.0.1", pbx.ami_port)
    user = AmiUser(reader, writer)
    await asyncio.wait_for(reader.readline(), 5)
    assert (await user.send(Action="Login", Username="gdprcall", Secret=pbx.ami_password))["Response"] == "Success"
    yield user
    writer.close()


async def call(pbx: Asterisk, name: str) -> None:
    await asyncio.to_thread(pbx.rx, f"channel originate Local/{name}@try application Wait 30")


async def noted(pbx: Asterisk, *names: str) -> dict[str, str]:
    """Return what the Gosub returned, once all of these have returned."""
    found: dict[str, str] = {}

    async def there() -> bool:
        found.update(await asyncio.to_thread(pbx.db, "result"))
        return set(names) <= set(found)

    await eventually(there, lambda: f"{set(names) - set(found)} did not return")
    return {name: found[name] for name in names}


async def eventually(true: Callable[[], Awaitable[bool]], else_say: Callable[[], str] = lambda: "") -> None:
    end = time.monotonic() + 15
    while not await true():
        assert time.monotonic() < end, else_say()
        await asyncio.sleep(0.1)


async def test_fcl_01_without_a_daemon_and_with_bad_arguments_nothing_is_recorded(pbx: Asterisk) -> None:
    names = ("refuse", "must_refuse", "limit_refuse", "badname", "badmust")
    for name in names:
        await call(pbx, name)
    results = await noted(pbx, "refuse", "must_refuse", "xlimit_refuse", "badname", "badmust")
    assert list(results.values()) == ["unrecorded", "route", "unrecorded", "unrecorded", "route"]
    left = await asyncio.to_thread(pbx.db, "left")
    assert float(left["refuse"]) == 0
    assert 28 <= float(left["xlimit_refuse"]) <= 31
    assert list(pbx.spool.iterdir()) == []
    await asyncio.to_thread(pbx.rx, "database deltree result")


async def test_fcl_01_whatever_the_daemon_does_wrong_the_call_goes_on_unrecorded(pbx: Asterisk) -> None:
    wrong = (
        "lost",
        "zero",
        "words",
        "nowhere",
        "shortid",
        "longid",
        "strangeid",
        "letter",
        "pathid",
        "refuse",
        "recmarked",
    )
    watched = ("silent", "asksilent", "must_silent", "must_asksilent")
    async with daemon(pbx) as there:
        await asyncio.to_thread(pbx.rx, f"database put gdprcall/withdrawn {IDS['marked']} 1")
        for name in (*watched, *wrong, "must_nowhere", "must_refuse", "route", "limit_silent"):
            await call(pbx, name)
        results = await noted(pbx, *watched, *wrong, "must_nowhere", "must_refuse", "route", "xlimit_silent")
    expected = {name: "route" if name.startswith("must_") or name == "route" else "unrecorded" for name in results}
    assert results == expected
    for line in ("silent", "must_silent", "xlimit_silent"):
        assert 2.5 < there.stays[line, "claim"] < 4
    for line in ("asksilent", "must_asksilent"):
        assert there.stays[line, "claim"] < 1
        assert 1.5 < there.stays[line, "ask"] < 3
    left = await asyncio.to_thread(pbx.db, "left")
    assert {float(left[name]) for name in results if not name.startswith("xlimit")} == {0}
    assert 25 <= float(left["xlimit_silent"]) <= 28
    assert list(pbx.spool.iterdir()) == []
    # A claim that is only a bad hop away from the questions was never asked.
    assert not {("lost", "ask"), ("zero", "ask"), ("words", "ask")} & set(there.stays)


async def test_bas_10_a_name_that_is_no_lines_is_never_put_to_the_daemon(pbx: Asterisk) -> None:
    await asyncio.to_thread(pbx.rx, "database deltree result")
    async with daemon(pbx) as there:
        for name in ("badname", "badmust"):
            await call(pbx, name)
        assert await noted(pbx, "badname", "badmust") == {"badname": "unrecorded", "badmust": "route"}
        assert there.lines == {}


async def test_the_sites_own_shorter_timeout_is_not_lengthened_and_ends_in_its_own_context(pbx: Asterisk) -> None:
    async with daemon(pbx) as there:
        await call(pbx, "short")
        assert await noted(pbx, "short") == {"short": "unrecorded"}
        assert there.stays["short", "claim"] < 2

        async def ended() -> bool:
            return await asyncio.to_thread(pbx.db, "sitelimit") == {"yes": "1"}

        await eventually(ended)
    assert 0 < float((await asyncio.to_thread(pbx.db, "left"))["short"]) <= 1


async def test_a_call_that_is_asked_again_gets_new_files_and_never_an_old_name(pbx: Asterisk) -> None:
    async with daemon(pbx), ami(pbx) as user:
        await call(pbx, "twice")
        results = await noted(pbx, "twice1", "twice2", "twice3", "twice4")
        reasons = [await user.until("stopped"), await user.until("stopped")]
    assert list(results.values()) == ["recorded", "unrecorded", "recorded", "unrecorded"]
    assert [(event["Rec"], event["Reason"]) for event in reasons] == [
        (IDS["a"], "asked_again"),
        (IDS["b"], "asked_again"),
    ]
    running = await asyncio.to_thread(pbx.db, "running")
    assert running["twice1"].endswith(f"/{IDS['a']}/1")
    assert running["twice2"].startswith("id//")
    assert running["twice3"].endswith(f"/{IDS['b']}/1")
    assert running["twice4"].startswith("id//")
    features = await asyncio.to_thread(pbx.db, "features")
    # The site set its features anew after the first question: the withdrawal key is added again, and once.
    assert [features[f"twice{index}"] for index in (1, 2, 3, 4)] == [
        "gdprnext#gdprjoin#gdprstop", "sitefeature", "sitefeature#gdprnext#gdprjoin#gdprstop",
        "sitefeature#gdprnext#gdprjoin#gdprstop",
    ]  # fmt: skip
    assert sorted(path.name for path in pbx.spool.iterdir()) == [f"{IDS['a']}.1.wav", f"{IDS['b']}.1.wav"]
    for path in pbx.spool.iterdir():
        path.unlink()
    await asyncio.to_thread(pbx.rx, "channel request hangup all")


async def test_what_the_site_had_is_kept_and_a_recording_that_the_daemon_stopped_ends_well(pbx: Asterisk) -> None:
    async with daemon(pbx), ami(pbx) as user:
        await call(pbx, "keeps")
        started = await user.until("started")
        answer = await user.send(
            Action="StopMixMonitor", Channel=started["Channel"], MixMonitorID=started["MixMonitorID"]
        )
        assert answer["Response"] == "Success"
        assert await noted(pbx, "keeps") == {"keeps": "recorded"}

        async def ended() -> bool:
            return "keeps" in await asyncio.to_thread(pbx.db, "siteend")

        await eventually(ended)
    assert (await asyncio.to_thread(pbx.db, "features"))["keeps"] == "sitefeature#gdprnext#gdprjoin#gdprstop"
    (path,) = pbx.spool.iterdir()
    path.unlink()


async def test_control_a_variable_set_through_ari_blocks_the_database_for_the_site(pbx: Asterisk) -> None:
    if version() < (20, 20):
        pytest.skip("the guard that blocks DB() came with 20.20: there is nothing to be seen on this Asterisk")
    async with daemon(pbx):
        await call(pbx, "poison")
        await call(pbx, "refuse")
        assert (await noted(pbx, "refuse"))["refuse"] == "unrecorded"

        async def blocked() -> bool:
            return "Dangerous function DB write blocked" in pbx.log() or "Dangerous function DB" in pbx.log()

        await eventually(blocked)
    assert "poison" not in await asyncio.to_thread(pbx.db, "result")


async def test_con_07_the_callers_key_marks_and_stops_and_the_agents_key_does_nothing(pbx: Asterisk) -> None:
    async with daemon(pbx), ami(pbx) as user:
        with Agent(pbx, steps=[Wait(1), Press("*9"), Wait(0.5), Press("*5")]):
            caller = Caller(pbx, NUMBER, "keys", [Wait(5), Press("*9"), Stay(30)])
            await asyncio.to_thread(caller.start)
            started = await user.until("started")
            assert (started["Rec"], started["Seg"]) == (IDS["keys"], "1")

            async def pressed() -> bool:
                return await asyncio.to_thread(pbx.db, "sitefeature") == {"pressed": "yes"}

            # The agent's *5 works by inheritance and comes after his *9, which had no effect.
            await eventually(pressed)
            assert IDS["keys"] not in await asyncio.to_thread(pbx.db, "gdprcall/withdrawn")
            (path,) = pbx.spool.iterdir()
            withdrawn = await user.until("withdrawn")
            assert withdrawn["Rec"] == IDS["keys"]
            assert IDS["keys"] in await asyncio.to_thread(pbx.db, "gdprcall/withdrawn")
            # It is final: Asterisk writes the sizes into its header only when it closes the file.
            size = path.stat().st_size
            assert size > 20_000
            assert int.from_bytes(path.read_bytes()[40:44], "little") == size - 44
            gone = await user.send(
                Action="StopMixMonitor", Channel=started["Channel"], MixMonitorID=started["MixMonitorID"]
            )
            assert gone["Response"] == "Error"
            await asyncio.to_thread(caller.stop)
        path.unlink()
        assert sum(event.get("Kind") == "withdrawn" for event in user.events) == 1
        # Only what gdprcall reads is sent, and no event of the site's own.
        assert {event["Event"] for event in user.events if event.get("Event")} <= {
            "UserEvent", "MixMonitorStart", "MixMonitorStop", "Hangup", "BridgeEnter", "BridgeLeave",
        }  # fmt: skip
        assert {event["UserEvent"] for event in user.events if "UserEvent" in event} == {"GdprCall"}
        for action in ("Command", "DBDel", "Originate", "MixMonitor"):
            assert (await user.send(Action=action))["Message"] == "Permission denied"


async def test_forget_removes_one_mark_and_leaves_no_channel_behind(pbx: Asterisk) -> None:
    async def quiet() -> bool:
        return await asyncio.to_thread(pbx.channels) == 0

    await asyncio.to_thread(pbx.rx, "channel request hangup all")
    await eventually(quiet)
    before = await asyncio.to_thread(pbx.db, "gdprcall/withdrawn")
    for key in (IDS["a"], IDS["b"], "other"):
        await asyncio.to_thread(pbx.rx, f"database put gdprcall/withdrawn {key} 1")
    async with daemon(pbx) as there:
        for extension in (f"forgetz{IDS['a']}", "forget", "forgetother", f"forget{IDS['b']}"):
            await there.post(
                "channels", endpoint=f"Local/{extension}@gdprcall-forget/n", context="gdprcall-forget", extension="i",
                timeout="5",
            )  # fmt: skip

        async def forgotten() -> bool:
            return IDS["b"] not in await asyncio.to_thread(pbx.db, "gdprcall/withdrawn")

        await eventually(forgotten)
        await eventually(quiet)
    assert await asyncio.to_thread(pbx.db, "gdprcall/withdrawn") == before | {IDS["a"]: "1", "other": "1"}


def test_sec_05_asterisks_logs_hold_no_number(pbx: Asterisk) -> None:
    assert pbx.log()
    assert NUMBER.lstrip("+") not in pbx.log()
