"""What can be asked about keys: one function each, JSON in and JSON out, the same with and without a daemon.

It prints nothing and opens nothing.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from gdprcall.config import Config
from gdprcall.custody import exchange, recipients
from gdprcall.custody.challenge import Purpose
from gdprcall.errors import ConfigError
from gdprcall.vault.archive import Vault

Params = Mapping[str, object]
Asked = Callable[[Vault, Config, Params, str], object]
Kind = TypeVar("Kind")


def list_(vault: Vault, config: Config, _params: Params, _actor: str) -> object:
    """Return every configured recipient, its role, and what it proved."""
    vault.catch_up()
    return [one.as_json() for one in recipients.standing(config.policy, vault.index.recipients())]


def challenge(vault: Vault, config: Config, params: Params, _actor: str) -> object:
    """Make a challenge for a recipient."""
    names = (_given(params, "controller", str), _given(params, "recipient", str))
    return recipients.ask(vault, config.policy, *names, _purpose(params))


def answer(vault: Vault, config: Config, params: Params, actor: str) -> object:
    """Check the answer to a challenge, and note what it proves."""
    controller, text = _given(params, "controller", str), _given(params, "answer", str)
    recipient = _given(params, "recipient", str) if "recipient" in params else None
    wanted = recipients.Wanted(controller, _purpose(params), recipient)
    return recipients.check(vault, config.policy, wanted, text, actor)


def rotate(vault: Vault, config: Config, params: Params, actor: str) -> object:
    """Note that a controller shall have other recipients."""
    to = _given(params, "recipients", list)
    if not to or not all(isinstance(one, str) for one in to):
        raise ConfigError("recipients are no texts", "give one recipient or more")
    dry_run = _flag(params, "dry_run")
    return recipients.rotate(vault, config.policy, _given(params, "controller", str), to, actor, dry_run=dry_run)


def export(vault: Vault, config: Config, params: Params, actor: str) -> object:
    """Begin a bundle of headers; return its head, and how many slots there are to look at."""
    controller = _given(params, "controller", str)
    head = exchange.begin(vault, config, controller, everything=_flag(params, "all"), actor=actor)
    return {"head": head, "slots": vault.keys.rows()}


def headers(vault: Vault, config: Config, params: Params, _actor: str) -> object:
    """Return some lines of a bundle that was begun, from those ``after`` a place on."""
    controller, bundle = _given(params, "controller", str), _given(params, "bundle", str)
    return exchange.page(vault, config, controller, bundle, exchange.after_of(params.get("after")))


def take(vault: Vault, config: Config, params: Params, actor: str) -> object:
    """Put new headers in the place of old ones."""
    head, lines = _given(params, "head", dict), _given(params, "lines", list)
    if not all(isinstance(line, dict) for line in lines):
        raise ConfigError("lines are no objects", "give the lines of the bundle")
    return exchange.take(vault, config, head, lines, actor=actor, dry_run=_flag(params, "dry_run"))


OPERATIONS: Mapping[str, Asked] = {
    "keys/list": list_,
    "keys/challenge": challenge,
    "keys/answer": answer,
    "keys/rotate": rotate,
    "keys/export": export,
    "keys/headers": headers,
    "keys/take": take,
}
CHANGING = frozenset(OPERATIONS) - {"keys/list", "keys/headers"}


def _purpose(params: Params) -> Purpose:
    value = params.get("purpose")
    if value not in set(Purpose):
        raise ConfigError("purpose is neither enrol nor canary", "give one of them")
    return Purpose(str(value))


def _given(params: Params, name: str, kind: type[Kind]) -> Kind:
    value = params.get(name)
    if not isinstance(value, kind) or value == "":
        raise ConfigError(f"{name} is missing", f"give {name}")
    return value


def _flag(params: Params, name: str) -> bool:
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is neither true nor false", f"give {name} as true or false")
    return value
