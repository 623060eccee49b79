"""From a line of the policy to the terms of its dialogue, and which calls are drawn where only a part is recorded.

It decides nothing that hangs on what happens in a call, and draws nothing itself: the seed comes from outside.
"""

import hashlib

from gdprcall.consent.dialogue import Basis, Terms
from gdprcall.policy.model import OBJECTED_TO, Demand, Line, OnJoin


def terms(line: Line, *, prompt: str, mandatory_ms: int, must: bool, notice: str = "", sampled: bool = True) -> Terms:
    """Return the terms of a line whose question is the sound ``prompt``, and whose full notice is ``notice``, if any."""
    keys = line.keys
    return Terms(
        prompt=prompt,
        mandatory_ms=mandatory_ms,
        accept=keys.accept,
        refuse=keys.object if line.basis in OBJECTED_TO else keys.refuse,
        attempts=line.attempts,
        timeout_ms=line.timeout_ms,
        must=must or line.demand is Demand.MUST,
        basis=Basis(line.basis),
        more=keys.more,
        notice=notice,
        sampled=sampled,
        deferred=line.notice_deferred,
        explicit=line.art9_condition == "a",
        spoken=line.spoken,
        joins=line.joins is OnJoin.ASK,
        read=line.agent_asks,
    )


def is_drawn(rate: float, seed: str, call: str) -> bool:
    """Whether a call is one of the part ``rate`` of all calls that are recorded: the same seed and call, the same answer."""
    if rate >= 1:
        return True
    drawn = hashlib.sha256(f"{seed}/{call}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") < rate * 2**64
