"""The daemon as a service: what it does to its own process before it serves."""

import subprocess
import sys

SETTLED = """
import gc
from gdprcall import service
before = len(gc.get_objects())
service._settle_memory()
assert len(gc.get_objects()) < before / 100, len(gc.get_objects())
assert gc.get_freeze_count() > before / 2, gc.get_freeze_count()
"""


def test_what_was_loaded_at_the_start_is_in_no_later_search_for_garbage() -> None:
    # In a process of its own, where nothing else leaves garbage.
    done = subprocess.run([sys.executable, "-c", SETTLED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
