"""Times: milliseconds inside, RFC 3339 in UTC outside."""

import pytest

from gdprcall.times import now_ms, parse_rfc3339, rfc3339


@pytest.mark.parametrize("ms", [0, 1, 999, 1_795_472_489_123, -1])
def test_a_time_is_written_and_read_again_to_the_millisecond(ms: int) -> None:
    assert parse_rfc3339(rfc3339(ms)) == ms


def test_times_are_written_in_utc() -> None:
    assert rfc3339(parse_rfc3339("2026-03-29T03:30:00+02:00")) == "2026-03-29T01:30:00.000Z"
    assert rfc3339(now_ms()).endswith("Z")


@pytest.mark.parametrize("text", ["2026-03-29", "2026-03-29T03:30:00", "yesterday"])
def test_a_time_without_a_zone_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_rfc3339(text)
