"""The register of breaches, through the operations that the daemon serves and a real vault: what it holds, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gdprcall.errors import ConfigError, NotFound, Refused
from gdprcall.times import DAY_MS
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.keys import fingerprint
from tests import vaults
from tests.breachhouse import BETA, DAY_ONE, HOUR, House, decided, fill, house
from tests.vaults import files_with

WHOLE = {
    "facts": "A backup disk was lost.",
    "consequences": "Somebody could listen to calls.",
    "measures": "The keys were changed.",
    "encrypted": "yes",
    "key_state": "safe",
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        yield made


# Finding what is concerned


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ({"host": "localhost"}, {"acme": 2, "beta": 2, "own": 2}),
        ({"since": "2025-12-31T23:30:00Z"}, {"acme": 1, "beta": 1, "own": 1}),
        ({"until": "2025-12-31T23:30:00Z"}, {"acme": 1, "beta": 1, "own": 1}),
        ({"since": "2025-12-31T22:59:59.500Z", "until": "2025-12-31T23:30:00Z"}, {"acme": 1, "beta": 1, "own": 1}),
        ({"key": "BETA"}, {"beta": 2}),
        ({"key": "BETA", "until": "2025-12-31T23:30:00Z"}, {"beta": 1}),
        ({"folder": "vault"}, {"acme": 2, "beta": 2, "own": 2}),
        ({"folder": "one"}, {"acme": 1}),
        ({"recordings": "first two"}, {"acme": 2}),
        ({"recordings": "first two", "key": "BETA"}, {}),
    ],
)
def test_bre_01_what_is_concerned_is_found_by_time_host_key_folder_and_list(
    place: House, scope: dict[str, Any], found: dict[str, int]
) -> None:
    made = fill(place)
    (place.folder / "one" / "deep").mkdir(parents=True)
    (place.folder / "one" / "deep" / f"{made['acme'][0]}.1.age").touch()
    named = {"BETA": BETA.recipients[0], "vault": str(place.folder / "vault"), "one": str(place.folder / "one")}
    named |= {"first two": made["acme"]}  # type: ignore[dict-item]  # a list among names
    scope = {name: named.get(value, value) for name, value in scope.items()}
    if not found:
        with pytest.raises(ConfigError, match="no such recording"):
            place("open", scope=scope, dry_run=True)
        return
    answer = place("open", scope=scope, dry_run=True, fields={"facts": "x"})
    assert {one["controller"]: one["records"] for one in answer["breaches"]} == found
    assert place("list") == []


def test_bre_01_a_fingerprint_finds_what_its_recipient_finds(place: House) -> None:
    fill(place)
    answer = place("open", scope={"key": fingerprint(BETA.recipients[0])}, dry_run=True)
    assert [one["controller"] for one in answer["breaches"]] == ["beta"]


def test_bre_01_persons_are_counted_once_and_who_is_not_known_as_another(place: House) -> None:
    made = fill(place)
    vaults.sealed(place.vault, place.folder / "spool", 99, line="support")
    answer = place("open", scope={"recordings": [*made["acme"], vaults.recording_id(99)]}, dry_run=True)
    assert answer["breaches"] == [{"controller": "acme", "records": 3, "persons": 2}]


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        ({"host": "elsewhere"}, NotFound),
        ({"key": "age1nobody"}, NotFound),
        ({"folder": "relative"}, ConfigError),
        ({"folder": "/nowhere/at/all"}, ConfigError),
        ({"recordings": ["x"]}, ConfigError),
        ({"recordings": []}, ConfigError),
        ({"recordings": ["0" * 32]}, NotFound),
        ({"package": "0" * 32}, NotFound),
        ({"since": "yesterday"}, ConfigError),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, ConfigError),
    ],
)
def test_what_cannot_be_found_is_an_error_and_opens_nothing(
    place: House, scope: object, error: type[Exception]
) -> None:
    fill(place)
    with pytest.raises(error):
        place("open", scope=scope, fields={"facts": "x"})
    assert place("list") == []


def test_a_breach_of_nothing_known_needs_a_controller(place: House) -> None:
    with pytest.raises(ConfigError, match="whose breach"):
        place("open", fields={"facts": "x"})
    with pytest.raises(NotFound):
        place("open", controller="nobody", fields={"facts": "x"})
    assert place.show(place.open("own"))["records"] == 0


def test_bre_01_thousands_are_concerned_in_entries_of_some_hundred(place: House) -> None:
    for number in range(1203):
        place.vault.submit(vaults.decision(vaults.recording_id(number), line="support"))
    place.vault.note(Fact(Kind.STOPPED, vaults.recording_id(1), "acme", {}))
    place.vault.catch_up()
    ids = [vaults.recording_id(number) for number in range(1203)]
    (one,) = place("open", scope={"recordings": ids})["breaches"]
    assert place("recordings", id=one["id"]) == sorted(ids)
    assert sum(1 for _ in place.vault.ledger.entries(kinds={Kind.BREACH_AFFECTED})) == 3


# Its life


def test_bre_01_a_breach_goes_from_suspicion_to_its_end(place: House) -> None:
    made = fill(place)
    (one,) = place("open", scope={"recordings": made["own"]}, fields={"facts": "A backup disk was lost."})["breaches"]
    id_ = one["id"]
    assert (one["state"], one["duties"], one["deadline"]) == ("suspected", [], None)
    place.clock.now += HOUR
    seen = place("aware", id=id_, at=place.now(), by="the officer", reason="it is not in its safe")
    assert (seen["state"], seen["next"], seen["remains"][:29]) == ("open", "authority", "tell the authority: 72 h 00 m")
    with pytest.raises(Refused, match="consequences, measures, risk, risk_reason"):
        place("close", id=id_, reason="over", lessons="count them")
    place("update", id=id_, fields=WHOLE)
    decided(place, id_)
    with pytest.raises(Refused, match="the authority is not told"):
        place("close", id=id_, reason="over", lessons="count them")
    place.clock.now += HOUR
    place("notify", id=id_, to="authority", text="the notice", reference="2026-1")
    with pytest.raises(ConfigError, match="lessons"):
        place("close", id=id_, reason="over")
    place.clock.now += DAY_MS
    closed = place("close", id=id_, reason="it was found again, unread", lessons="disks are counted weekly")
    assert (closed["state"], closed["remains"]) == ("closed", "closed")
    assert place("list") == []
    assert [one["id"] for one in place("list", all=True)] == [id_]
    shown = place.show(id_)
    assert shown["fields"]["lessons"] == "disks are counted weekly"
    assert shown["fields"]["close_reason"] == "it was found again, unread"
    assert shown["told"][0]["reference"] == "2026-1"
    for name, params in (
        ("update", {"fields": {"facts": "y"}}),
        ("aware", {"at": place.now(), "by": "x", "reason": "y"}),
    ):
        with pytest.raises(Refused, match="was closed"):
            place(name, id=id_, **params)


def test_bre_01_what_was_looked_into_and_was_none_stays_in_the_register(place: House) -> None:
    id_ = place("open", controller="own")["breaches"][0]["id"]
    with pytest.raises(Refused, match="what was looked into"):
        place("close", id=id_, reason="none", no_breach=True)
    place("update", id=id_, fields={"facts": "A file was not where it should be."})
    assert place("close", id=id_, reason="it was a test call", no_breach=True)["state"] == "no_breach"
    assert place("list", all=True)[0]["state"] == "no_breach"
    sure = place.open("own")
    with pytest.raises(Refused, match="somebody was sure"):
        place("close", id=sure, reason="none", no_breach=True)


def test_bre_01_nothing_is_edited_and_everything_that_was_said_stays(place: House) -> None:
    id_ = place.open("own", cause="a thief")
    place("update", id=id_, fields={"cause": "a mover", "persons": 12})
    shown = place.show(id_)
    assert (shown["fields"]["cause"], shown["fields"]["persons"]) == ("a mover", 12)
    said = [one["fields"]["cause"] for one in shown["history"] if "cause" in one.get("fields", {})]
    assert said == ["a thief", "a mover"]
    assert next(one for one in shown["history"] if one.get("changed"))["changed"] == ["cause"]


def test_bre_02_when_somebody_was_aware_is_not_silently_edited(place: House) -> None:
    id_ = place.open("own")
    place.clock.now += 2 * HOUR
    with pytest.raises(Refused, match="already"):
        place("aware", id=id_, at=place.now(), by="x", reason="y")
    place("aware", id=id_, at="2025-12-31T20:00:00Z", by="the night watch", reason="his log says so", change=True)
    shown = place.show(id_)
    assert shown["aware_at"] == "2025-12-31T20:00:00.000Z"
    told = [one["reason"] for one in shown["history"] if "reason" in one]
    assert told == ["it is not in its place", "his log says so"]
    assert shown["deadline"] == "2026-01-03T20:00:00.000Z"


@pytest.mark.parametrize("when", ["2026-01-01T01:00:00Z", "soon", "1969-01-01T00:00:00Z"])
def test_bre_02_nobody_was_aware_in_the_future_or_at_no_time(place: House, when: str) -> None:
    with pytest.raises(ConfigError, match="aware"):
        place("aware", id=place.open("own", aware=False), at=when, by="x", reason="y")


def test_bre_02_a_time_without_a_zone_is_the_controllers(place: House) -> None:
    place.clock.now = DAY_ONE + 200 * DAY_MS
    seen = place("aware", id=place.open("acme", aware=False), at="2026-07-01T12:00", by="x", reason="y")
    assert seen["aware_at"] == "2026-07-01T10:00:00.000Z"


def test_bre_03_a_late_notice_says_why(place: House) -> None:
    id_ = place.open("own")
    place.clock.now += 72 * HOUR
    assert place("notice", id=id_, to="authority")["letter"]["late"] is True
    with pytest.raises(Refused, match="says why"):
        place("notify", id=id_, to="authority", text="t")
    place("notify", id=id_, to="authority", text="t", delay_reason="the line was down for three days")
    assert place.duty(id_, "authority")["late"] is True
    assert place.show(id_)["fields"]["delay_reason"] == "the line was down for three days"


def test_bre_03_a_notice_in_the_last_minute_is_in_time(place: House) -> None:
    id_ = place.open("own")
    place.clock.now += 72 * HOUR - 60_000
    place("notify", id=id_, to="authority", text="t")
    assert place.duty(id_, "authority")["late"] is False


def test_bre_04_each_phase_is_numbered_and_kept_as_it_was_sent(place: House) -> None:
    id_ = place.open("own")
    for number in (1, 2, 3):
        assert place("notice", id=id_, to="authority")["letter"]["phase"] == number
        place("notify", id=id_, to="authority", text=f"phase {number}", reference="2026-1")
        place.clock.now += HOUR
    shown = place.show(id_)
    assert [one["phase"] for one in shown["told"]] == [1, 2, 3]
    assert [one["notice"]["text"] for one in shown["history"] if "notice" in one] == ["phase 1", "phase 2", "phase 3"]
    assert place("notice", id=id_, to="authority")["letter"]["references"] == ["2026-1"] * 3


def test_bre_05_over_two_controllers_each_has_its_own_and_the_incident_in_common(place: House) -> None:
    made = fill(place)
    answer = place("open", scope={"recordings": [*made["acme"], *made["beta"]]}, fields={"facts": "A disk was lost."})
    one, other = answer["breaches"]
    assert (one["controller"], other["controller"]) == ("acme", "beta")
    assert one["incident"] == other["incident"] == answer["incident"]
    assert place("recordings", id=one["id"]) == sorted(made["acme"])
    assert place("recordings", id=other["id"]) == sorted(made["beta"])


@pytest.mark.parametrize("name", ["Acme Insurance", "acme insurance", "privacy@acme.example"])
def test_bre_05_words_that_several_would_read_may_name_none_of_them(place: House, name: str) -> None:
    made = fill(place)
    scope = {"recordings": [*made["acme"], *made["beta"]]}
    with pytest.raises(Refused, match="name a controller"):
        place("open", scope=scope, fields={"facts": f"The folder of {name} was open."})
    assert place("list") == []
    beta = place.open("beta")
    for field in ("facts", "measures"):
        with pytest.raises(Refused, match="name a controller"):
            place("update", id=beta, fields={field: f"see {name}"})
    with pytest.raises(Refused, match="name a controller"):
        place("aware", id=beta, at=place.now(), by=name, reason="y", change=True)
    place("update", id=place.open("acme"), fields={"facts": f"The folder of {name} was open."})


@pytest.mark.parametrize(
    "wrong",
    [{"at": "2126-01-01T00:00:00Z"}, {"by": "Acme Insurance"}, {"reason": "privacy@beta.example wrote"}, {"by": ""}],
)
def test_bre_02_over_several_nothing_is_opened_where_the_awareness_cannot_be_noted(
    place: House, wrong: dict[str, str]
) -> None:
    made = fill(place)
    scope = {"recordings": [*made["acme"], *made["beta"]]}
    aware = {"at": place.now(), "by": "the night watch", "reason": "it is not in its place", **wrong}
    for dry_run in (True, False):
        with pytest.raises((ConfigError, Refused)):
            place("open", scope=scope, fields={"facts": "A disk was lost."}, aware=aware, dry_run=dry_run)
    assert place("list") == []


def test_bre_05_a_processor_tells_its_controller_alone_and_a_controller_never_itself(place: House) -> None:
    processed, own = place.open("acme"), place.open("own")
    for to in ("authority", "persons", "public"):
        with pytest.raises(Refused, match="tells its controller"):
            place("notify", id=processed, to=to, text="t")
    with pytest.raises(Refused, match="the controller itself"):
        place("notify", id=own, to="controller", text="t")
    place("notify", id=processed, to="controller", text="t")
    assert place.duty(processed, "controller")["done"] is not None


def test_bre_05_a_processor_closes_without_weighing_the_risk(place: House) -> None:
    id_ = place.open("acme", **{name: WHOLE[name] for name in ("consequences", "measures")})
    place("notify", id=id_, to="controller", text="t")
    assert place("close", id=id_, reason="told and mended", lessons="none: it was chance")["state"] == "closed"


def test_bre_05_contacts_that_were_not_tried_for_long_are_named(place: House) -> None:
    assert [one["controller"] for one in place("check")["contacts"]] == ["acme", "beta"]
    place("contact", controller="acme")
    assert [one["controller"] for one in place("check")["contacts"]] == ["beta"]
    place.clock.now += 184 * DAY_MS
    assert [(one["controller"], one["tested_at"] is None) for one in place("check")["contacts"]] == [
        ("acme", False),
        ("beta", True),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"nonsense": "x"},
        {"persons": -1},
        {"persons": "many"},
        {"persons": True},
        {"kinds": ["theft"]},
        {"key_state": "yes"},
        {"facts": " "},
        {"facts": "x" * 5000},
        {"occurred_from": "2027-01-01"},
        {"occurred_from": "2025-12-31T12:00:00Z", "occurred_until": "2025-12-31T11:00:00Z"},
    ],
)
def test_a_field_that_is_none_is_refused_and_nothing_is_noted(place: House, fields: dict[str, object]) -> None:
    id_ = place.open("own")
    before = place.vault.ledger.size()
    with pytest.raises(ConfigError) as error:
        place("update", id=id_, fields=fields)
    assert error.value.hint
    assert place.vault.ledger.size() == before


# Whose it is


def test_sec_09_of_another_controller_a_breach_is_not_there(place: House) -> None:
    made = fill(place)
    id_ = place.open("acme")
    place.who = {"controller": "beta", "role": "officer"}
    for name in ("show", "update", "aware", "assess", "notice", "notify", "close", "recordings"):
        with pytest.raises(NotFound, match=f"there is no breach {id_}"):
            place(name, id=id_, to="controller", fields={"facts": "x"}, at="x", by="x", reason="x", text="x")
    assert place("list") == []
    answer = place("open", scope={"host": "localhost"}, fields={"facts": "A disk was lost."})
    assert [one["controller"] for one in answer["breaches"]] == ["beta"]
    with pytest.raises(ConfigError, match="no such recording"):
        place("open", scope={"recordings": made["acme"]})
    with pytest.raises(NotFound):
        place("contact", controller="acme")


# Its end


def test_ret_07_what_was_said_is_forgotten_when_its_time_in_the_register_is_over(place: House) -> None:
    made = fill(place)
    answer = place("open", scope={"recordings": made["own"]}, fields={**WHOLE, "facts": "The zebra disk was lost."})
    id_ = answer["breaches"][0]["id"]
    place("aware", id=id_, at=place.now(), by="the officer", reason="zebra")
    decided(place, id_)
    place("notify", id=id_, to="authority", text="about the zebra", reference="A-1")
    place("close", id=id_, reason="zebra", lessons="no zebra")
    assert files_with(place.folder / "vault", b"zebra")
    place.clock.now += 1827 * DAY_MS - 1
    assert place.run("retention/sweep")["breaches"] == []
    place.clock.now += 1
    assert place.run("retention/sweep", dry_run=True)["breaches"] == [id_]
    assert place.run("retention/sweep")["breaches"] == [id_]
    assert files_with(place.folder / "vault", b"zebra") == []
    shown = place.show(id_)
    assert (shown["fields"], shown["records"], shown["told"][0]["reference"]) == ({}, 2, "A-1")
    assert place("recordings", id=id_) == []
    assert place.run("audit/verify")["findings"] == []
    assert place.run("retention/sweep")["breaches"] == []


def test_ret_03_a_sweep_that_died_before_it_forgot_is_finished_by_the_next(place: House) -> None:
    id_ = place.open("own", cause="the zebra")
    place.vault.submit(Fact(Kind.BREACH_CLOSED, None, "own", {"breach": id_, "outcome": "closed"})).result()
    place.vault.catch_up()
    words = [entry.seq for entry in place.vault.ledger.entries(kinds={Kind.BREACH_WORDS})]
    place.vault.submit(Fact(Kind.BREACH_FORGOTTEN, None, "own", {"breach": id_, "entries": words})).result()
    place.vault.catch_up()
    assert files_with(place.folder / "vault", b"zebra")
    place.run("retention/sweep")
    assert files_with(place.folder / "vault", b"zebra") == []
    assert place.run("audit/verify")["findings"] == []
