"""The wait before a link is tried again: short at first, never long, never the same."""

from gdprcall.asterisk.backoff import LOST_SECONDS, REFUSED_SECONDS, pause


def test_the_first_try_comes_at_once_and_no_wait_is_longer_than_the_longest() -> None:
    assert 0.05 <= pause(0) <= 0.1
    assert all(LOST_SECONDS / 2 <= pause(tries) <= LOST_SECONDS for tries in (6, 20, 10_000))
    assert all(REFUSED_SECONDS / 2 <= pause(tries, REFUSED_SECONDS) <= REFUSED_SECONDS for tries in (9, 10_000))


def test_two_waits_are_not_the_same() -> None:
    assert len({pause(5) for _ in range(10)}) > 1
