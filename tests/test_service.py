"""The daemon as a service: what it does to its own process before it serves."""

import gc
from collections.abc import Iterator

import pytest

from gdprcall import service


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_what_was_loaded_at_the_start_is_in_no_later_search_for_garbage() -> None:
    before = len(gc.get_objects())
    service._settle_memory()
    assert len(gc.get_objects()) < before / 100
    assert gc.get_freeze_count() > before / 2
