"""Whether Asterisk knows the codes that callers are told and agents need, as far as features.conf can be read.

It reads the file alone: our user of AMI may not ask Asterisk for it.
"""

from collections.abc import Iterator

from gdprcall import dialplan
from gdprcall.config import Config
from gdprcall.doctor.finding import FAIL, OK, WARN, Finding
from gdprcall.errors import ConfigError
from gdprcall.policy.codes import compare


def examine(config: Config) -> Iterator[Finding]:
    """Yield which codes are missing or other ones than the policy says."""
    try:
        found, reading = dialplan.read_codes(config.asterisk.configuration / "features.conf")
    except ConfigError as error:
        mend = "say where it is with asterisk.configuration in gdprcall.toml, or run doctor as a user who may read it"
        yield Finding("features", WARN, f"the codes are not compared: {error.message}", mend)
        return
    if reading.unread:
        yield Finding("features read", WARN, "; ".join(reading.unread), "compare what is in it by hand")
    wrong = compare(config.policy, found)
    if wrong:
        text = "; ".join(f"{one.place}: {one.text}" for one in wrong)
        yield Finding("features", FAIL if any(one.refuses for one in wrong) else WARN, text, wrong[0].mend)
    else:
        yield Finding("features", OK, "the codes in mid-call are those of the policy")
