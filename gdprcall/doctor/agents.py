"""Whether the agents who each stand for themselves have acknowledged that they are recorded. It asks nobody."""

from collections.abc import Iterator

from gdprcall.config import Config
from gdprcall.doctor.finding import OK, WARN, Finding
from gdprcall.policy.agents import unready
from gdprcall.times import Clock, now_ms, rfc3339


def examine(config: Config, clock: Clock = now_ms) -> Iterator[Finding]:
    """Yield which agents are not recorded today; nothing where no line wants to know each of them."""
    policy = config.policy
    lines = [line.id for line in policy.lines.values() if line.agents.each]
    if not lines:
        return
    names = [agent.id for agent in unready(policy, rfc3339(clock())[:10])]
    if not policy.agents:
        text = f"none is named, so nothing is recorded on: {', '.join(lines)}"
        yield Finding("agents", WARN, text, "name them under [agents]")
    elif names:
        text = f"have acknowledged no valid notice, so their calls are not recorded: {', '.join(names)}"
        yield Finding("agents", WARN, text, "give them the notice, and write its version and the day under [agents]")
    else:
        yield Finding("agents", OK, f"all {len(policy.agents)} have acknowledged their notice")
