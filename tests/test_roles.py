"""Roles: each may what its duty needs and no more, and what nobody thought of is for root and the daemon's user alone."""

import pytest

from gdprcall.operations import CHANGING, OPERATIONS
from gdprcall.roles import EXPORT, MAY, WHOLE_HOUSE, Access, Grant, Role, granted, may

TABLE = (
    Access("anna", "", Role.REVIEWER, "acme"),
    Access("", "officers", Role.OFFICER),
    Access("", "checkers", Role.AUDITOR, "beta"),
    Access("anna", "", Role.OFFICER),
)
EVERYTHING = sorted({*OPERATIONS, EXPORT})


@pytest.mark.parametrize(
    ("user", "groups", "grant"),
    [
        ("anna", (), Grant(Role.REVIEWER, "acme")),
        ("anna", ("officers",), Grant(Role.REVIEWER, "acme")),
        ("bert", ("staff", "officers"), Grant(Role.OFFICER)),
        ("bert", ("checkers", "officers"), Grant(Role.OFFICER)),
        ("bert", ("checkers",), Grant(Role.AUDITOR, "beta")),
        ("officers", (), Grant(Role.NOBODY)),
        ("bert", ("anna",), Grant(Role.NOBODY)),
        ("", ("",), Grant(Role.NOBODY)),
        (None, (), Grant(Role.NOBODY)),
    ],
)
def test_sec_06_the_first_row_that_names_somebody_counts(
    user: str | None, groups: tuple[str, ...], grant: Grant
) -> None:
    assert granted(user, groups, TABLE) == grant


@pytest.mark.parametrize("operation", EVERYTHING)
def test_sec_06_who_runs_the_host_releases_nothing_and_who_checks_changes_nothing(operation: str) -> None:
    assert may(Grant(Role.ADMIN), operation)
    assert not may(Grant(Role.NOBODY), operation)
    if operation == EXPORT:
        assert not may(Grant(Role.OPERATOR), operation)
        assert not may(Grant(Role.AUDITOR), operation)
    # Which folder of the host is read and emptied is for who has the host.
    assert any(may(Grant(role), operation) for role in MAY) or operation == "vault/import", "who may it?"
    if operation in CHANGING:
        assert not may(Grant(Role.AUDITOR), operation)
        assert not may(Grant(Role.REVIEWER), operation)


def test_sec_06_who_calls_and_what_is_stopped_is_for_who_answers_for_it_and_for_the_admin() -> None:
    for operation in ("calls/number", "calls/stop", "calls/pause", "calls/resume"):
        assert {role for role in Role if may(Grant(role), operation)} == {Role.ADMIN, Role.OFFICER}
    assert not may(Grant(Role.OPERATOR), "calls/list"), "it tells what callers decided"


def test_sec_06_an_operation_that_no_role_names_is_the_admins_alone() -> None:
    for role in Role:
        assert may(Grant(role), "keys/unheard-of") is (role is Role.ADMIN)


def test_every_operation_that_a_role_may_is_one_that_there_is() -> None:
    assert set().union(*MAY.values()) | WHOLE_HOUSE <= set(EVERYTHING)


def test_sec_09_what_is_about_the_whole_house_is_for_nobody_of_one_controller() -> None:
    for role in Role:
        for operation in WHOLE_HOUSE:
            assert not may(Grant(role, "acme"), operation)
