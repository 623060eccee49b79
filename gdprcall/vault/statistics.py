"""How much of what there was, counted by the index: decisions over time, what is kept and until when, releases and sweeps.

It returns counts and no rows of persons; of one controller alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gdprcall.vault import keeps
from gdprcall.vault.database import Store
from gdprcall.vault.index_schema import EXPIRING

REFUSALS = ("refused", "objected", "routed", "withdrawn")
"""Outcomes in which somebody said no; what else was not recorded had no answer, or a fault."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How many were asked, of these how many agreed (or were told, and recorded), and how many said no."""

    asked: int
    recorded: int
    refused: int

    def as_json(self) -> dict[str, object]:
        """Return the counts with what is left, and the share that was recorded in per cent."""
        share = round(100 * self.recorded / self.asked, 1) if self.asked else None
        left = self.asked - self.recorded - self.refused
        return {"asked": self.asked, "recorded": self.recorded, "refused": self.refused, "other": left, "rate": share}


class Statistics:
    """The counts of an index; times are milliseconds, ``until`` is the first moment that does not count."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def asked_by(self, column: str, controller: str, since: int, until: int) -> dict[str, Asked]:
        """Return how callers of each ``line`` or ``language`` answered."""
        assert column in {"line", "language"}
        return {str(key): one for key, one in self._asked(column, controller, since, until).items()}

    def asked_over(self, step: int, controller: str, since: int, until: int) -> dict[int, Asked]:
        """Return how callers answered, by the number of the step of time since the beginning."""
        found = self._asked(f"(decided_at - {since:d}) / {step:d}", controller, since, until)
        return {int(str(key)): one for key, one in found.items()}

    def outcomes(self, controller: str, since: int, until: int) -> dict[str, int]:
        """Return how often each outcome was."""
        sql = f"SELECT outcome, count(*) FROM decision WHERE {_PERIOD} GROUP BY outcome ORDER BY count(*) DESC, outcome"  # noqa: S608 # constants
        return self._counts(sql, controller, since, until)

    def expiring(self, step: int, controller: str, now: int, until: int) -> dict[int, int]:
        """Return how many recordings go, by the number of the step of time from now; 0 has what should be gone."""
        sql = f"""SELECT max(0, (expires_at - ?) / ?), count(*) FROM recording r
            WHERE {EXPIRING} AND expires_at < ? AND controller = ? AND NOT {keeps.HAS} GROUP BY 1 ORDER BY 1"""  # noqa: S608 # constants
        rows = self._store.rows(sql, (now, step, until, controller))
        return {int(str(key)): int(str(count)) for key, count in rows}

    def kept(self, controller: str) -> Mapping[str, int]:
        """Return how many recordings there are in each state, and how many are held or restricted."""
        states = self._counts("SELECT state, count(*) FROM recording WHERE controller = ? GROUP BY state", controller)
        sql = """SELECT flag, count(DISTINCT keep.recording) FROM keep JOIN recording ON recording.id = keep.recording
            WHERE recording.controller = ? GROUP BY flag"""
        return states | self._counts(sql, controller)

    def seconds(self, controller: str) -> float:
        """Return for how long all that is kept plays."""
        sql = """SELECT coalesce(sum(segment.seconds), 0.0) FROM segment JOIN recording ON recording.id = segment.recording
            WHERE recording.controller = ?"""
        ((total,),) = self._store.rows(sql, (controller,))
        return float(str(total))

    def sweeps(self, controller: str, since: int, until: int) -> list[tuple[int, int, int]]:
        """Return the sweeps of a controller or of the house: when, how many were erased, how many failed."""
        sql = "SELECT at, erased, failed FROM sweep WHERE controller IN ('', ?) AND at >= ? AND at < ? ORDER BY at DESC"
        return [
            (int(str(at)), int(str(gone)), int(str(bad)))
            for at, gone, bad in self._store.rows(sql, (controller, since, until))
        ]

    def _asked(self, by: str, controller: str, since: int, until: int) -> dict[object, Asked]:
        no = ", ".join(f"'{one}'" for one in REFUSALS)
        sql = f"""SELECT {by}, count(*), sum(recording IS NOT NULL AND withdrawn_at IS NULL),
                sum((recording IS NULL AND outcome IN ({no})) OR withdrawn_at IS NOT NULL)
            FROM decision WHERE {_PERIOD} GROUP BY 1 ORDER BY 1"""  # noqa: S608 # constants
        rows = self._store.rows(sql, (controller, since, until))
        return {key: Asked(*(int(str(count)) for count in counts)) for key, *counts in rows}

    def _counts(self, sql: str, *values: object) -> dict[str, int]:
        return {str(key): int(str(count)) for key, count in self._store.rows(sql, values)}


_PERIOD = "controller = ? AND decided_at >= ? AND decided_at < ?"
